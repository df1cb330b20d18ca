"""Diffusion of ions by state: walkers that are fast when free and slow when paired."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from solvation.analyze.centre import find_path
from solvation.analyze.partial import measure_partial_diffusion, summarize_partial_diffusion
from solvation.kernels.cell import box_matrix
from solvation.synthetic import draw_two_state, make_random_walk

FAST, SLOW = 1e-9, 2e-10


def _measure(make_scene, rng, *, lifetime, low=2.0, n_frames=600):
    """Let Mg be in contact or free, at rates that are known, and move accordingly."""
    walk = make_random_walk(rng, n=40, n_frames=n_frames)
    scene = make_scene(walk)
    paired = draw_two_state(rng, n_pairs=40, n_frames=n_frames, lifetime=lifetime, absence=lifetime)
    spread = np.sqrt(2.0 * np.where(paired, SLOW, FAST) * 1e8)
    steps = spread[:, :, None] * rng.normal(size=(n_frames, 40, 3))
    walk.positions[:, :40] = np.cumsum(np.roll(steps, 1, axis=0), axis=0)
    matrix = np.repeat(box_matrix(walk.box)[None], n_frames, axis=0)
    path = find_path(0, walk.times, walk.positions.copy(), matrix, np.repeat([1e-9, 1.0], [40, 80]))
    pairing = SimpleNamespace(
        cation_class=np.where(paired, 2, 0), anion_class=np.zeros((n_frames, 80), dtype=int)
    )
    diffusion = xr.Dataset({"window_low": ("species", [low, low])}, {"species": ["Mg", "Cl"]})
    return measure_partial_diffusion(scene, [path], [pairing], diffusion)


def test_states_that_last_have_their_own_diffusion(make_scene, rng):
    found = _measure(make_scene, rng, lifetime=500.0)
    for way in ("origin", "stay"):
        for state, exact in (("free", FAST), ("cip", SLOW)):
            one = found.sel({"species": "Mg", "way": way, "class": state})
            value, error = float(one["partial"]), float(one["partial_stderr"])
            assert abs(value - exact) < 3.5 * error + 0.02 * FAST, (way, state)
            assert error < 0.1 * exact
    assert np.isnan(found["partial"].sel({"species": "Mg", "class": "agg"})).all()


def test_states_that_change_quickly_are_mixed_at_the_origin_and_apart_in_those_that_stay(
    make_scene, rng
):
    found = _measure(make_scene, rng, lifetime=4.0)
    origin, stay = (
        [float(found["partial"].sel({"species": "Mg", "way": w, "class": c}))
         for c in ("free", "cip")]
        for w in ("origin", "stay")
    )  # fmt: skip
    assert stay[0] / stay[1] == pytest.approx(FAST / SLOW, rel=0.25)
    assert 1.0 < origin[0] / origin[1] < 0.6 * FAST / SLOW


def test_few_displacements_are_not_converged(make_scene, rng):
    found = _measure(make_scene, rng, lifetime=500.0, low=250.0)
    rows = {q.name: q for q in summarize_partial_diffusion(found, {"Cl": "too short"})}
    assert rows["diffusion.Mg.free"].status == "not_converged"
    assert rows["diffusion.Cl.free"].status == "not_converged"
    assert "too short" in rows["diffusion.Cl.free"].note
    assert "diffusion.Mg.agg" not in rows
