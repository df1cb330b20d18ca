"""First shells that are there, and first shells that are not."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.cutoff import contact_limit, find_cutoff, find_cutoffs, touch_distance
from solvation.analyze.rdf import PairCounts
from solvation.errors import TrajectoryError


def _draw_counts(g, rng, *, pairs=2e5, width=0.025, r_max=8.0):
    """Draw a histogram from a given g(r), with Poisson noise."""
    r = (np.arange(int(r_max / width)) + 0.5) * width
    counts = PairCounts(
        a=np.arange(10), b=np.arange(10, 110), width=width, counts=np.zeros(len(r)),
        ideal=pairs / 1000.0, n_frames=100,
    )  # fmt: skip
    counts.counts = rng.poisson(counts.expected * g(r)).astype(float)
    return counts


def _shells(r, *, first=2.0, height=40.0, floor=0.0, second=4.6):
    liquid = 1.0 / (1.0 + np.exp(-(r - second) / 0.15))
    return height * np.exp(-((r - first) ** 2) / 0.02) + liquid + floor * (r > first)


def test_a_clear_shell(rng):
    found = find_cutoff(_draw_counts(_shells, rng), limit=3.0)
    assert found.defined
    assert found.source == "first minimum"
    assert found.first_peak == pytest.approx(2.0, abs=0.02)
    assert 2.4 < found.low + 0.2 < found.value < found.high < 4.3
    assert found.value == pytest.approx(0.5 * (found.low + found.high))


def test_a_rare_donor_has_a_peak_below_one(rng):
    found = find_cutoff(_draw_counts(lambda r: _shells(r, height=0.5), rng), limit=3.0)
    assert found.defined
    assert found.first_peak == pytest.approx(2.0, abs=0.05)


def test_a_shallow_minimum_is_flagged(rng):
    wave = lambda r: np.where(r > 1.9, 1 + 0.4 * np.cos(2 * np.pi * (r - 2.2) / 2.5), 0.0)  # noqa: E731
    found = find_cutoff(_draw_counts(lambda r: wave(r) * 0.4 + 0.6 * (r > 1.9), rng, pairs=2e7))
    assert not found.defined
    assert "shallow" in found.note


@pytest.mark.parametrize("pairs", [2e3, 2e5, 2e7])
def test_an_ideal_gas_has_no_shell(rng, pairs):
    found = [find_cutoff(_draw_counts(np.ones_like, rng, pairs=pairs)) for _ in range(20)]
    assert not any(f.defined for f in found)


def test_a_peak_beyond_contact_is_not_a_shell(rng):
    counts = _draw_counts(lambda r: _shells(r, first=4.3, height=8.0, second=6.5), rng)
    found = find_cutoff(counts, limit=2.9)
    assert not found.defined
    assert found.value == 2.9
    assert found.source == "contact distance"
    assert "4.3" in found.note


def test_a_shell_without_an_end(rng):
    counts = _draw_counts(_shells, rng, r_max=3.0)
    assert "no minimum within" in find_cutoff(counts, limit=3.0).note


def test_distances_grow_with_the_ion():
    assert contact_limit("Mg", "O") < contact_limit("Ca", "O") < contact_limit("K", "O")
    assert contact_limit("Mg", "O") == pytest.approx(0.72 + 1.52 + 0.6)
    assert touch_distance("O", "H") == touch_distance("H", "O") == pytest.approx(3.12)


def test_the_users_number_wins(rng):
    pair = ("Mg", "DME.O")
    counts, elements = {pair: _draw_counts(_shells, rng)}, {pair: ("Mg", "O")}
    for key in ("Mg-DME.O", "Mg", "*"):
        found = find_cutoffs(counts, elements, user={key: 2.5})[pair]
        assert (found.value, found.source) == (2.5, "user")
        assert found.first_peak == pytest.approx(2.0, abs=0.02)
    with pytest.raises(TrajectoryError, match=r'cutoff for "Mg-DME\.N": no such pair'):
        find_cutoffs(counts, elements, user={"Mg-DME.N": 2.5})
    with pytest.raises(TrajectoryError, match=r"cutoff \* = 25.0 Å is not between 0 and 8.00"):
        find_cutoffs(counts, elements, user={"*": 25.0})
