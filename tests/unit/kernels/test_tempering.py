"""Tempering: harmonic oscillators, known at every temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from solvation.kernels.tempering import (
    GAS,
    count_round_trips,
    draw_level,
    estimate_weights,
    space_temperatures,
)

FREEDOM = 60
"""Oscillators: the mean potential energy is 30 RT, and ln Z changes by 30 ln T."""


@pytest.fixture
def ladder() -> np.ndarray:
    return space_temperatures(300.0, 600.0, FREEDOM)


def test_spacing_and_ends(ladder: np.ndarray) -> None:
    assert ladder[0] == pytest.approx(300.0)
    assert ladder[-1] == pytest.approx(600.0)
    steps = np.diff(np.log(ladder))
    np.testing.assert_allclose(steps, steps[0])
    assert steps[0] <= 1.5 * math.sqrt(2 / FREEDOM)
    assert steps[0] > 0.7 * 1.5 * math.sqrt(2 / FREEDOM)
    with pytest.raises(ValueError, match="not above"):
        space_temperatures(300.0, 300.0, 3)


def test_neighbours_exchange_as_often_as_it_says() -> None:
    """Two harmonic systems, 1.5 standard deviations apart, at many degrees of freedom."""
    random = np.random.default_rng(1)
    n = 4000
    ladder = np.array([300.0, 300.0 * math.exp(1.5 * math.sqrt(2 / n))])
    energy = random.gamma(n / 2, GAS * ladder[:, None], (2, 40_000))
    beta = 1 / (GAS * ladder)
    accepted = np.minimum(1.0, np.exp((beta[0] - beta[1]) * (energy[0] - energy[1])))
    assert accepted.mean() == pytest.approx(math.erfc(0.75), abs=0.01)


def test_weights_are_free_energies(ladder: np.ndarray) -> None:
    capacity, base = 0.5 * FREEDOM * GAS, -5e4
    energy = base + capacity * ladder
    weights = estimate_weights(ladder, np.ones(len(ladder)), energy, capacity=capacity)
    exact = -0.5 * FREEDOM * np.log(ladder / ladder[0])  # -ln Z, but for the constant
    exact += base * (1 / (GAS * ladder) - 1 / (GAS * ladder[0]))
    np.testing.assert_allclose(weights, exact, rtol=1e-12)
    # a single visit and the heat capacity give the same
    counts = np.eye(len(ladder))[3] * 7
    one = estimate_weights(ladder, counts, counts * energy, capacity=capacity)
    np.testing.assert_allclose(one, weights, rtol=1e-12)
    assert not estimate_weights(ladder, 0 * counts, 0 * counts, capacity=1.0).any()


def test_a_level_is_drawn_with_its_probability() -> None:
    ladder, weights, potential = np.array([300.0, 400.0, 500.0]), np.array([0.0, -1.0, -2.0]), 5.0
    share = np.exp(weights - potential / (GAS * ladder))
    share /= share.sum()
    edges = np.cumsum(share)
    for level in range(3):
        low = edges[level] - share[level]
        assert draw_level(ladder, weights, potential, low + 1e-9) == level
        assert draw_level(ladder, weights, potential, edges[level] - 1e-9) == level
    assert draw_level(ladder, weights, -1e6, 0.999) == 0  # no overflow
    assert draw_level(ladder, weights, 1e6, 0.001) == 2


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_energies_are_boltzmann_whatever_the_weights(ladder: np.ndarray, error: float) -> None:
    """Oscillators sampled exactly at each temperature, as a walk meets them."""
    random = np.random.default_rng(2)
    exact = -0.5 * FREEDOM * np.log(ladder / ladder[0])
    weights = exact + error * np.sin(np.arange(len(ladder)))
    level, seen = 0, [[] for _ in ladder]
    for uniform in random.random(20_000):
        potential = random.gamma(FREEDOM / 2, GAS * ladder[level])
        level = draw_level(ladder, weights, potential, uniform)
        seen[level].append(potential)  # the joint sample, as a frame after the move is
    visits = np.array([len(x) for x in seen])
    share = np.exp(weights - exact)
    # successive visits are correlated; a few times the error of independent ones is allowed
    np.testing.assert_allclose(visits / visits.sum(), share / share.sum(), atol=0.03)
    for k, sample in enumerate(seen):
        reduced = np.array(sample)[::5] / (GAS * ladder[k])
        assert stats.kstest(reduced, stats.gamma(FREEDOM / 2).cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("levels", "trips"),
    [([0, 1, 2, 1, 0], 1), ([2, 1, 0, 2, 0], 1), ([0, 0, 1, 0], 0), ([1, 2, 1, 0], 0), ([], 0),
     ([0, 2, 2, 1, 2, 0, 1, 2, 0], 2), ([2, 0], 0)],
)  # fmt: skip
def test_round_trips(levels: list[int], trips: int) -> None:
    assert count_round_trips(levels, 3) == trips
