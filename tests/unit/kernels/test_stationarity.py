"""Stationarity: noise is, drift is not, and the error bars hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation.kernels.stationarity import judge_stationarity


def make_ar1(n: int, rho: float, random: np.random.Generator) -> np.ndarray:
    """A first-order autoregressive series of mean 0 and variance 1."""
    noise = random.normal(size=n) * (1 - rho**2) ** 0.5
    series = np.empty(n)
    series[0] = random.normal()
    for t in range(1, n):
        series[t] = rho * series[t - 1] + noise[t]
    return series


@pytest.mark.parametrize("n", [50, 400])
def test_white_noise_is_stationary(n: int) -> None:
    random = np.random.default_rng(1)
    judged = [judge_stationarity(random.normal(size=n)) for _ in range(200)]
    assert np.mean([item.stationary for item in judged]) > 0.85
    assert np.median([item.start for item in judged]) <= 0.1 * n
    assert np.median([item.n_independent for item in judged]) > 0.7 * n


def test_drift_is_not_stationary() -> None:
    """Over its length the mean moves by three standard deviations of the noise."""
    random = np.random.default_rng(2)
    judged = [
        judge_stationarity(random.normal(size=400) + np.linspace(0, 3, 400)) for _ in range(100)
    ]
    assert np.mean([item.stationary for item in judged]) < 0.05


@pytest.mark.parametrize(
    "series",
    [
        np.linspace(0, 1, 200),
        np.exp(-np.arange(200) / 80),
        np.cumsum(np.random.default_rng(3).normal(size=200)),
        np.ones(100),
        np.sin(np.linspace(0, 3, 100)),
    ],
    ids=["line", "slow relaxation", "random walk", "constant", "half a wave"],
)
def test_too_few_independent_samples_are_never_stationary(series: np.ndarray) -> None:
    assert not judge_stationarity(series).stationary


def test_a_transient_is_cut() -> None:
    """A density that relaxes over the first tenth."""
    random = np.random.default_rng(4)
    found = []
    for _ in range(50):
        series = random.normal(size=500) * 0.1 + 5 * np.exp(-np.arange(500) / 15)
        found.append(judge_stationarity(series))
    assert np.median([item.start for item in found]) > 25
    assert max(item.start for item in found) < 250
    assert np.mean([item.stationary for item in found]) > 0.7
    assert abs(np.mean([item.mean for item in found])) < 0.02


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.9])
def test_error_bars_hold_the_truth(rho: float) -> None:
    """95 % of the 95 % intervals, over 300 correlated series whose mean is 0."""
    random = np.random.default_rng(int(100 * rho) + 5)
    held = [
        abs(found.mean) <= 1.96 * found.stderr
        for found in (judge_stationarity(make_ar1(1000, rho, random)) for _ in range(300))
    ]
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_error_of_the_drift() -> None:
    """Halves of white noise differ by as much as `drift_stderr` says."""
    random = np.random.default_rng(7)
    found = [judge_stationarity(random.normal(size=300)) for _ in range(300)]
    ratio = np.std([item.drift / item.drift_stderr for item in found])
    assert ratio == pytest.approx(1.0, abs=0.15)


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 60), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.integers(0, 99))
def test_units_do_not_matter(n: int, shift: float, scale: float, seed: int) -> None:
    series = np.random.default_rng(seed).normal(size=n)
    plain, moved = judge_stationarity(series), judge_stationarity(shift + scale * series)
    assert moved.start == plain.start
    assert moved.stationary == plain.stationary
    assert moved.n_independent == pytest.approx(plain.n_independent, rel=1e-4)
    assert moved.mean == pytest.approx(shift + scale * plain.mean, rel=1e-6, abs=1e-6 * scale)
    assert moved.stderr == pytest.approx(scale * plain.stderr, rel=1e-4)
    assert moved.drift == pytest.approx(scale * plain.drift, rel=1e-4, abs=1e-9 * scale)


def test_too_short_to_judge() -> None:
    with pytest.raises(ValueError, match="3 samples cannot be judged; give at least 4"):
        judge_stationarity([1.0, 2.0, 3.0])


def test_halves_that_differ_are_not_stationary() -> None:
    """The three conditions of the definition, on series that meet and miss each."""
    random = np.random.default_rng(8)
    reasons: set[str] = set()
    for rho in [0.6, 0.9] * 150:
        found = judge_stationarity(make_ar1(120, rho, random))
        missed = {
            name
            for name, holds in (
                ("samples", found.n_independent >= 8),
                ("transient", found.start <= 60),
                ("drift", abs(found.drift) <= 2 * found.drift_stderr),
            )
            if not holds
        }
        assert found.stationary == (not missed)
        reasons |= missed if len(missed) == 1 else set()
    assert reasons == {"samples", "transient", "drift"}
