"""Exchanges drawn by hand: who left, who came, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.contact import Contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.exchange import MECHANISMS, find_exchanges, measure_exchange
from solvation.analyze.frames import ArraySource
from solvation.analyze.stay import find_stays
from solvation.analyze.topology import scene_from_arrays

CUTOFFS = {("Mg", "water.O"): 2.9, ("Mg", "Cl.Cl"): 2.9}


def _make(rows, *, dt=5.0):
    """One Mg with waters and then two Cl, bound where a row says 1."""
    rows = np.asarray(rows)
    n_frames, n_water = rows.shape[1], len(rows) - 2
    angle = 2.0 * np.pi * np.arange(len(rows)) / len(rows)
    direction = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(rows))], axis=1)
    reach = np.where(rows.T, 2.0, 6.0)
    points = reach[:, :, None] * direction
    arms = [points[:, :n_water] + np.array([0.0, y, 0.6]) for y in (0.75, -0.75)]
    water = np.stack([points[:, :n_water], *arms], axis=2).reshape(n_frames, -1, 3)
    positions = np.concatenate([np.zeros((n_frames, 1, 3)), points[:, n_water:], water], axis=1)
    first = 3 + 3 * np.arange(n_water)
    bonds = np.concatenate([np.stack([first, first + k], axis=1) for k in (1, 2)])
    source = ArraySource(
        positions=positions, boxes=np.array([40.0, 40, 40, 90, 90, 90]),
        times=np.arange(n_frames) * dt,
    )  # fmt: skip
    scene = scene_from_arrays(["Mg", "Cl", "Cl"] + ["O", "H", "H"] * n_water, bonds, [source])
    table = run_analyzers(scene, [Contacts(cutoffs=CUTOFFS)])["contacts"].total().result()[0]
    return scene, table


GONE, KEPT = [0] * 8, [1] * 8


@pytest.mark.parametrize(
    ("leaver", "newcomer", "mechanism"),
    [
        ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1], "associative"),
        ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], "interchange"),
        ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1], "dissociative"),
        ([1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1], "unreplaced"),
        ([1, 1, 1, 0, 1, 1, 1, 1], GONE, "returned"),
    ],
)
def test_the_order_is_the_mechanism(leaver, newcomer, mechanism):
    scene, table = _make([leaver, newcomer, KEPT, GONE])
    found = measure_exchange(scene, [table])
    counts = found["count"].sel(pair="Mg-water")
    assert int(counts.sel(mechanism=mechanism)) == 1
    assert int(counts.sum()) == int(found["departures"].sel(pair="Mg-water")) == 1
    assert float(found["fraction"].sel(pair="Mg-water").sum()) == 1.0
    assert (found["fraction_stderr"].sel(pair="Mg-water") > 0).all()
    assert int(found["departures"].sel(pair="Mg-Cl")) == 0


def test_an_anion_may_take_the_place_of_a_solvent_molecule():
    scene, table = _make([[1, 1, 1, 0, 0, 0, 0, 0], KEPT, [0, 0, 1, 1, 1, 1, 1, 1], GONE])
    found = measure_exchange(scene, [table])
    assert int(found["replaced_by"].sel(pair="Mg-water", newcomer="Cl")) == 1
    assert int(found["count"].sel(pair="Mg-water", mechanism="associative")) == 1


def test_each_newcomer_replaces_one():
    """Two leave, one comes: one is replaced, the other not."""
    leaver = [1, 1, 1, 1, 0, 0, 0, 0]
    scene, table = _make([leaver, leaver, [0, 0, 0, 0, 1, 1, 1, 1], GONE, GONE])
    events = find_exchanges(find_stays(scene, table))
    names = [MECHANISMS[k] for k in events.mechanism]
    assert sorted(names) == ["interchange", "unreplaced"]
    assert events.left.tolist() == [3, 3]
    assert events.n_arrivals == 1


def test_those_who_come_and_leave_together_replace_nobody():
    visit = [0, 0, 0, 1, 0, 0, 0, 0]
    scene, table = _make([visit, visit, KEPT, GONE])
    events = find_exchanges(find_stays(scene, table))
    assert [MECHANISMS[k] for k in events.mechanism] == ["unreplaced"] * 2


def test_the_window_is_in_time_and_no_less_than_two_frames():
    rows = [[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1], KEPT, GONE]
    scene, table = _make(rows, dt=1.0)
    assert find_exchanges(find_stays(scene, table)).mechanism.tolist() == [2]
    scene, table = _make(rows, dt=10.0)
    assert find_exchanges(find_stays(scene, table)).mechanism.tolist() == [3]
