"""Runs of contacts, and the lifetimes they allow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from solvation.kernels.survival import (
    count_steps,
    count_survival,
    estimate_lifetime,
    find_runs,
    join_runs,
    kaplan_meier,
)
from solvation.synthetic import draw_two_state


def _runs(rows, n_frames, gap=0):
    frames, pairs = np.nonzero(np.array(rows, dtype=bool).T)
    return find_runs(pairs, frames, n_frames, gap=gap)


def test_runs_of_one_pair():
    runs = _runs([[1, 1, 0, 1, 0, 0, 1, 1]], 8)
    assert runs.start.tolist() == [0, 3, 6]
    assert runs.stop.tolist() == [1, 3, 7]
    assert runs.broken.tolist() == [True, True, False]


def test_gaps_are_bridged_and_late_ends_censored():
    runs = _runs([[1, 1, 0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1, 1, 1]], 8, gap=1)
    assert runs.pair.tolist() == [0, 0, 1]
    assert runs.stop.tolist() == [3, 6, 7]
    assert runs.broken.tolist() == [True, False, False]


def test_exposure_counts_the_half_step_in_which_a_contact_breaks():
    life = estimate_lifetime(_runs([[1, 1, 1, 0]], 4), 2.0)
    assert life.exposure == pytest.approx(5.0)
    assert life.value == pytest.approx(5.0)
    assert life.n_events == 1


def test_without_events_there_is_only_a_bound():
    life = estimate_lifetime(_runs([[1] * 11] * 3, 11), 1.0)
    assert math.isinf(life.value)
    assert math.isinf(life.high)
    assert life.low == pytest.approx(30.0 / 2.99573, rel=1e-4)


def test_nothing_bound_gives_nothing():
    life = estimate_lifetime(find_runs([], [], 5), 1.0)
    assert math.isnan(life.value)
    assert life.n_events == 0


@pytest.mark.parametrize(
    ("lifetime", "absence", "n_pairs", "n_frames", "censored"),
    [
        (40.0, math.inf, 40, 400, 0.0),
        (60.0, 240.0, 40, 300, 0.17),
        (1900.0, math.inf, 40, 200, 0.9),
        (1900.0, 5700.0, 200, 200, 0.9),
    ],
    ids=["all break", "come and go", "90 % censored", "90 % censored, come and go"],
)
def test_intervals_hold_the_truth(lifetime, absence, n_pairs, n_frames, censored):
    """95 % intervals hold it in 92 to 98 % of 500 realisations, also with 90 % censored."""
    rng = np.random.default_rng(8)
    held, broken, contacts = 0, 0, 0
    for _ in range(500):
        bound = draw_two_state(
            rng, n_pairs=n_pairs, n_frames=n_frames, lifetime=lifetime, absence=absence
        )
        frames, pairs = np.nonzero(bound)
        runs = find_runs(pairs, frames, n_frames)
        life = estimate_lifetime(runs, 1.0)
        held += life.low <= lifetime <= life.high
        broken += life.n_events
        contacts += len(runs.pair)
    assert 0.92 <= held / 500 <= 0.98
    assert 1.0 - broken / contacts == pytest.approx(censored, abs=0.05)


def test_kaplan_meier_by_hand():
    """Contacts of 1, 2 and 3 steps and two still there: 1, 4/5, 3/5 x ..., as on paper."""
    rows = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]]
    survival, stderr = kaplan_meier(count_steps(_runs(rows, 5), 5))
    # Step 1: four watched (the last row is not), one broke. Step 2: three, one. Step 3: one, one.
    np.testing.assert_allclose(survival[:4], [1.0, 3 / 4, 3 / 4 * 2 / 3, 0.0])
    assert stderr[1] == pytest.approx(3 / 4 * math.sqrt(1 / (4 * 3)))
    assert stderr[2] == pytest.approx(0.5 * math.sqrt(1 / 12 + 1 / (3 * 2)))
    assert np.isnan(survival[4:]).all()


def test_without_censoring_kaplan_meier_is_the_fraction_left():
    rng = np.random.default_rng(4)
    length = rng.integers(1, 30, size=80)
    rows = [[1] * n + [0] * (40 - n) for n in length]
    survival, stderr = kaplan_meier(count_steps(_runs(rows, 40), 40))
    left = np.array([(length > k).mean() for k in range(30)])
    np.testing.assert_allclose(survival[:30], left, atol=1e-12)
    np.testing.assert_allclose(stderr[:29], np.sqrt(left * (1 - left) / 80)[:29], atol=1e-12)


def test_steps_of_replicas_add():
    runs = _runs([[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 0, 0]], 6)
    one, other = count_steps(runs, 6), count_steps(_runs([[1, 0]], 2), 2)
    both = one + other
    assert both.at_risk.tolist()[:2] == (one.at_risk[:2] + other.at_risk[:2]).tolist()
    assert both.broken.sum() == one.broken.sum() + other.broken.sum()


@pytest.mark.parametrize("gap", [0, 2])
def test_survival_counts_every_origin(gap):
    """Against the definition, with h written out."""
    rng = np.random.default_rng(7)
    h = rng.random((6, 30)) < 0.7
    runs = _runs(h, 30, gap=gap)
    bridged = np.zeros_like(h)
    for pair, start, stop in zip(runs.pair, runs.start, runs.stop, strict=True):
        bridged[pair, start : stop + 1] = True
    lags = np.arange(30)
    found = count_survival(runs, 30, lags)
    for k in lags:
        first, last = bridged[:, : 30 - k], bridged[:, k:]
        whole = np.array(
            [[bridged[p, t : t + k + 1].all() for t in range(30 - k)] for p in range(6)]
        )
        assert found.origins[k] == first.sum()
        assert found.again[k] == (first & last).sum()
        assert found.uninterrupted[k] == whole.sum()
    assert found.continuous()[0] == found.intermittent()[0] == 1.0
    assert (found.continuous() <= found.intermittent() + 1e-12).all()


def test_survival_decays_as_the_rates_say():
    """exp(-t/tau) uninterrupted; towards the bound fraction when returns count."""
    rng = np.random.default_rng(3)
    bound = draw_two_state(rng, n_pairs=400, n_frames=600, lifetime=50.0, absence=150.0)
    frames, pairs = np.nonzero(bound)
    runs = find_runs(pairs, frames, 600)
    lags = np.array([1, 20, 50, 100])
    found = count_survival(runs, 600, lags)
    leave = -math.log(1.0 - (bound[:-1] & ~bound[1:]).sum() / bound[:-1].sum())
    # 1 200 lifetimes in all: one standard error after 100 steps is 0.014.
    np.testing.assert_allclose(found.continuous(), np.exp(-leave * lags), atol=0.03)
    relax = np.exp(-lags * (1 / 50 + 1 / 150))
    np.testing.assert_allclose(found.intermittent(), 0.25 + 0.75 * relax, atol=0.03)
    survival, stderr = kaplan_meier(count_steps(runs, 600))
    assert abs(survival[50] - math.exp(-50 * leave)) < 4.0 * stderr[50]


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_runs_found_in_stretches_and_joined_are_those_of_the_whole(size, gap):
    bound = draw_two_state(
        np.random.default_rng(8), n_pairs=30, n_frames=100, lifetime=6.0, absence=4.0
    )
    frame, pair = np.nonzero(bound)
    whole = find_runs(pair, frame, 100, gap=gap)
    pieces = []
    for low in range(0, 100, size):
        inside = (frame >= low) & (frame < low + size)
        found = find_runs(pair[inside], frame[inside] - low, min(size, 100 - low), gap=gap)
        pieces.append(replace(found, start=found.start + low, stop=found.stop + low))
    joined = join_runs(pieces, 100, gap=gap)
    assert len(whole.pair) > 100
    for name in ("pair", "start", "stop", "broken"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name), err_msg=name)


def test_no_runs_joined_are_no_runs():
    none = find_runs([], [], 5)
    assert len(join_runs([none, none], 10).pair) == 0
