"""Diffusion of walkers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.diffusion import (
    fit_slope,
    group_msd,
    measure_diffusion,
    thin_lags,
)
from solvation.analyze.driver import run_analyzers
from solvation.synthetic import make_random_walk


def _paths(scene):
    return run_analyzers(scene, [Centres()])["centres"].total().result()


def test_intervals_of_the_diffusion_coefficient_hold_the_truth(make_scene):
    """The error of D is honest: z scores of 150 walks have a standard deviation near 1."""
    rng = np.random.default_rng(5)
    scores = []
    for _ in range(150):
        walk = make_random_walk(rng, n=30, n_frames=120, charge=1)
        samples, weights = group_msd(walk.positions[:, :30])
        slope = fit_slope(walk.times, samples, window=(5.0, 40.0), weights=weights)
        scores.append((slope.slope / 6.0 * 1e-8 - 1e-9) / (slope.stderr / 6.0 * 1e-8))
    assert 0.8 < np.std(scores) < 1.2
    assert abs(np.mean(scores)) < 0.35
    assert np.mean(np.abs(scores) < 2.09) > 0.90


def test_a_random_walk_diffuses(make_scene, rng):
    scene = make_scene(make_random_walk(rng, diffusion=2e-9))
    found = measure_diffusion(scene, _paths(scene))
    for name in ("Mg", "Cl"):
        one = found.sel(species=name)
        assert abs(float(one["diffusion"]) - 2e-9) < 3.5 * float(one["diffusion_stderr"])
        assert float(one["diffusion_stderr"]) < 0.15 * 2e-9
        assert float(one["diffusive"]) == 1.0
        assert float(one["n_independent"]) > 10


def test_replicas_narrow_the_error(make_scene, rng):
    walk = make_random_walk(rng, n=20)
    one, two = (make_scene(walk, copies=n) for n in (1, 2))
    alone, both = (measure_diffusion(s, _paths(s)).sel(species="Mg") for s in (one, two))
    assert float(both["diffusion"]) == pytest.approx(float(alone["diffusion"]))
    assert float(both["diffusion_stderr"]) < float(alone["diffusion_stderr"])


def test_rattling_in_a_cage_is_not_diffusion(make_scene, rng):
    walk = make_random_walk(rng)
    home = walk.positions[0]
    walk.positions[:] = home + rng.normal(scale=0.3, size=walk.positions.shape)
    scene = make_scene(walk)
    found = measure_diffusion(scene, _paths(scene)).sel(species="Mg")
    assert float(found["diffusive"]) == 0.0
    assert float(found["exponent"]) == pytest.approx(0.0, abs=0.05)


def test_too_few_frames_give_nothing(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n_frames=15))
    assert measure_diffusion(scene, _paths(scene)) is None


def test_lags_are_thinned():
    assert thin_lags(300).tolist() == list(range(300))
    kept = thin_lags(20_000)
    assert 300 < len(kept) <= 400
    assert kept[0] == 0
    assert kept[-1] == 19_999
    assert (np.diff(kept) > 0).all()
