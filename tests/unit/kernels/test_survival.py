"""Runs of contacts, and the lifetimes they allow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from solvation.kernels.survival import estimate_lifetime, find_runs, join_runs
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


@pytest.mark.parametrize(("lifetime", "n_frames"), [(40.0, 400), (2000.0, 200)])
def test_intervals_hold_the_truth(lifetime, n_frames):
    """95 % intervals hold it in 92 to 98 % of realisations, also with 90 % censored."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        bound = draw_two_state(
            rng, n_pairs=40, n_frames=n_frames, lifetime=lifetime, absence=math.inf
        )
        frames, pairs = np.nonzero(bound)
        life = estimate_lifetime(find_runs(pairs, frames, n_frames), 1.0)
        held += life.low <= lifetime <= life.high
    assert 0.92 <= held / 400 <= 0.985


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
