"""Clusters that carry charge: pairs, free ions, and exchange between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.carrier import follow_clusters
from solvation.analyze.centre import Centres
from solvation.analyze.contact import Contacts
from solvation.analyze.driver import run_analyzers
from solvation.synthetic import SyntheticSystem, make_random_walk

D = {"Li": 1e-9, "F": 1e-9}


def _follow(scene, *, low=4.0, pair=("Li", "F.F"), diffusion=D):
    analyzers = [Centres(), Contacts(cutoffs={pair: 2.5}, shared=False)]
    found = run_analyzers(scene, analyzers)
    paths, tables = (found[n].total().result() for n in ("centres", "contacts"))
    return follow_clusters(scene, tables, paths, diffusion, low=low, timestep=1.0)


def _make_salt(rng, *, n_pairs, n_free, n_frames=400, swap=0):
    """Let Li+ and F- walk with D = 1e-9, the first in pairs, far apart from each other.

    With ``swap``, pairs exchange their anions every so many frames; the anions jump, because only
    who is with whom matters.
    """
    n = n_pairs + 2 * n_free
    step = np.sqrt(0.2)
    walk = rng.normal(scale=step, size=(n_frames, n, 3))
    walk[0] = 100.0 * np.stack(np.unravel_index(np.arange(n), (8, 8, 8)), axis=1)
    walk = np.cumsum(walk, axis=0)
    cations = np.concatenate([walk[:, :n_pairs], walk[:, n_pairs : n_pairs + n_free]], axis=1)
    anions = walk[:, :n_pairs] + np.array([2.0, 0.0, 0.0])
    if swap:
        for t in range(n_frames):
            anions[t] = np.roll(anions[t], t // swap, axis=0)
    anions = np.concatenate([anions, walk[:, n_pairs + n_free :]], axis=1)
    size = n_pairs + n_free
    return SyntheticSystem(
        name="pairs and free ions", elements=("Li",) * size + ("F",) * size,
        bonds=np.empty((0, 2), dtype=np.int64),
        positions=np.concatenate([cations, anions], axis=1),
        box=np.array([3000.0, 3000.0, 3000.0, 90.0, 90.0, 90.0]),
        times=np.arange(n_frames, dtype=float), charges={"Li": 1, "F": -1}, truth={},
    )  # fmt: skip


def test_only_free_ions_carry_charge(make_scene, rng):
    found = _follow(make_scene(_make_salt(rng, n_pairs=30, n_free=20)))
    number = dict(zip(found.names, found.numbers, strict=True))
    assert number == pytest.approx({"[LiF]0": 30.0, "[F]-": 20.0, "[Li]+": 20.0})
    exact = 40.0 * 1e-9
    assert abs(found.charge_diffusion - exact) < 3.0 * found.charge_diffusion_stderr
    assert found.charge_diffusion_stderr < 0.1 * exact
    assert found.separate == 0.0
    np.testing.assert_allclose(found.diffusion, 1e-9, rtol=0.1)
    np.testing.assert_allclose(found.intact, 1.0)


def test_ions_far_apart_are_single_ions(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n=30, edge=2000.0))
    found = _follow(scene, pair=("Mg", "Cl.Cl"), diffusion={"Mg": 1e-9, "Cl": 1e-9})
    assert sorted(found.names) == ["[Cl]-", "[Mg]2+"]
    exact = (30 * 4 + 60) * 1e-9
    assert abs(found.charge_diffusion - exact) < 3.0 * found.charge_diffusion_stderr


def test_clusters_that_do_not_last_are_counted_as_single_ions(make_scene, rng):
    """Partners swap every 3 ps, and the lag is 8 ps: no pair is a carrier."""
    found = _follow(make_scene(_make_salt(rng, n_pairs=30, n_free=0, swap=3)))
    assert found.names[0] == "[LiF]0"
    assert found.intact[0] == 0.0
    assert np.isnan(found.diffusion[0])
    assert found.separate == 1.0
    assert found.charge_diffusion == pytest.approx(60.0 * 1e-9)


def test_rattling_breaks_no_cluster(make_scene, rng):
    """An anion that is away in every fifth frame is back at the ends of most lags."""
    made = _make_salt(rng, n_pairs=30, n_free=0)
    away = made.positions.copy()
    away[1::5, 30:, 1] += 10.0
    found = _follow(make_scene(replace(made, positions=away)), low=5.0)
    place = found.names.index("[LiF]0")
    assert found.intact[place] == pytest.approx(1.0)
    np.testing.assert_allclose(found.diffusion[place], 1e-9, rtol=0.1)


@pytest.mark.slow
def test_intervals_hold_the_carried_charge(make_scene):
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(300):
        found = _follow(make_scene(_make_salt(rng, n_pairs=20, n_free=15, n_frames=120)))
        held += abs(found.charge_diffusion - 30e-9) < 1.96 * found.charge_diffusion_stderr
    assert 0.92 <= held / 300 <= 0.98


def test_a_lag_that_does_not_fit_gives_nothing(make_scene, rng):
    scene = make_scene(_make_salt(rng, n_pairs=3, n_free=0, n_frames=30))
    assert _follow(scene, low=15.0) is None
