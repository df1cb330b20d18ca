"""Whether error bars cover the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvation.kernels.uncertainty import (
    block_error,
    jackknife_error,
    largest_error,
    member_error,
    poisson_interval,
    ratio_error,
    replica_error,
    series_error,
    smoothed_binomial_error,
)
from solvation.synthetic import draw_two_state


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=12)
    without = [np.delete(x, i).mean() for i in range(12)]
    assert jackknife_error(without) == pytest.approx(block_error(x))
    assert replica_error(x, np.ones(12)) == pytest.approx(block_error(x))


def test_one_sample_says_nothing_about_its_error():
    assert np.isnan(block_error([1.0]))
    assert math.isnan(replica_error([1.0], [1.0]))
    assert math.isnan(series_error([1.0]))
    assert math.isnan(largest_error(math.nan))
    assert largest_error(math.nan, 0.2, 0.1) == 0.2


def test_poisson_interval_of_none():
    low, high = poisson_interval(0)
    assert low == 0.0
    assert high == pytest.approx(-math.log(0.025))


def test_binomial_error_is_never_zero():
    assert smoothed_binomial_error(0.0, 8) > 0.05
    assert smoothed_binomial_error(1.0, 8) == pytest.approx(float(smoothed_binomial_error(0.0, 8)))
    assert smoothed_binomial_error(0.5, 1e6) == pytest.approx(0.0005, rel=1e-3)


def test_frozen_members_are_as_many_samples_as_there_are_members():
    frozen = np.repeat((np.arange(20) < 10)[None], 1000, axis=0)
    assert member_error([frozen]) == pytest.approx(math.sqrt(0.25 / 19))


def test_all_alike_is_not_exact():
    assert member_error([np.ones((100, 8))]) == pytest.approx(
        float(smoothed_binomial_error(0.0, 8))
    )
    assert math.isnan(member_error([np.empty((10, 0))]))


def test_replicas_that_disagree_show_it():
    one, other = np.zeros((50, 30)), np.ones((50, 30))
    assert member_error([one, other]) == pytest.approx(0.5, rel=0.01)


def test_a_blip_does_not_make_frozen_members_exact():
    frozen = np.ones((200, 8))
    frozen[17, 3] = 0.0
    assert member_error([frozen]) < 0.002
    assert member_error([frozen], n_events=1) == pytest.approx(0.094, abs=0.002)
    assert member_error([frozen], n_events=100_000) < 0.002


@pytest.mark.parametrize("lifetime", [2.0, 30.0, 3000.0])
def test_errors_of_populations_cover_the_truth(lifetime):
    """From fast exchange to frozen shells: z scores have a standard deviation near 1."""
    rng = np.random.default_rng(9)
    scores = []
    for _ in range(150):
        bound = draw_two_state(rng, n_pairs=30, n_frames=300, lifetime=lifetime, absence=lifetime)
        breaks = int((bound[:-1] & ~bound[1:]).sum())
        scores.append((bound.mean() - 0.5) / member_error([bound], n_events=breaks))
    assert 0.75 < np.std(scores) < 1.1
    assert np.mean(np.abs(scores) < 1.96) > 0.92


def _cover(make, truth, n=200):
    """Return how often the truth lies within 1.96 errors, in realisations."""
    held = 0
    for seed in range(n):
        value, error = make(np.random.default_rng(seed))
        held += abs(value - truth) <= 1.96 * error
    return held / n


@pytest.mark.parametrize(("lifetime", "n_frames"), [(5.0, 300), (60.0, 300), (2000.0, 100)])
def test_error_bars_of_fractions_cover_the_truth(lifetime, n_frames):
    """Two-state members that exchange fast, slowly, and hardly at all: 95 % must hold 1/3."""

    def make(rng):
        bound = draw_two_state(
            rng, n_pairs=30, n_frames=n_frames, lifetime=lifetime, absence=2.0 * lifetime
        )
        events = int((bound[:-1] & ~bound[1:]).sum())
        return bound.mean(), member_error([bound], n_events=events)

    assert 0.92 <= _cover(make, 1.0 / 3.0) <= 1.0


def test_error_bars_of_ratios_cover_the_truth():
    """Of what is bound (a third of the time), a quarter is bound in a way of its own."""

    lifetime = 60.0

    def make(rng):
        choices = {"n_pairs": 40, "n_frames": 300}
        bound = draw_two_state(rng, lifetime=lifetime, absence=2.0 * lifetime, **choices)
        kind = draw_two_state(rng, lifetime=lifetime, absence=3.0 * lifetime, **choices)
        part = bound & kind
        events = int((bound[:-1] & ~bound[1:]).sum())
        return part.sum() / bound.sum(), ratio_error([part], [bound], n_events=events)

    assert 0.92 <= _cover(make, 0.25, n=500) <= 0.98


def test_a_ratio_of_constants_has_the_error_of_its_samples():
    ones = np.ones((50, 8))
    assert ratio_error([ones], [ones], n_events=0) == pytest.approx(
        float(smoothed_binomial_error(1.0, 8))
    )
    assert np.isnan(ratio_error([0 * ones], [0 * ones]))
