"""Diffusion and conductivity of walkers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.conductivity import measure_conductivity
from solvation.analyze.diffusion import (
    fit_slope,
    group_msd,
    measure_diffusion,
    thin_lags,
)
from solvation.analyze.driver import run_analyzers
from solvation.synthetic import make_ion_pairs, make_random_walk


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


def _conduct(scene, temperature=300.0):
    paths = _paths(scene)
    diffusion = measure_diffusion(scene, paths)
    return diffusion, measure_conductivity(scene, paths, diffusion, temperature=temperature)


def test_independent_ions_conduct_as_nernst_and_einstein_say(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n=100, n_frames=1200))
    _, found = _conduct(scene)
    charge2 = (100 * 4 + 200) * 1e-9
    exact = 10.0 * 1.602176634e-19**2 * charge2 / (27000e-30 * 1.380649e-23 * 300.0)
    for name in ("nernst_einstein", "einstein"):
        value, error = float(found[name]), float(found[f"{name}_stderr"])
        assert abs(value - exact) < 3.0 * error, name
    assert float(found["nernst_einstein_stderr"]) < 0.1 * exact
    assert float(found["einstein_stderr"]) < 0.5 * exact


def test_errors_of_the_einstein_conductivity_are_honest(make_scene):
    rng = np.random.default_rng(6)
    scores = []
    for _ in range(40):
        scene = make_scene(make_random_walk(rng, n=10, n_frames=200))
        _, found = _conduct(scene)
        exact = 10 * 1.602176634e-19**2 * 60e-9 / (27000e-30 * 1.380649e-23 * 300.0)
        scores.append((float(found["einstein"]) - exact) / float(found["einstein_stderr"]))
    assert 0.6 < np.std(scores) < 1.4
    assert abs(np.mean(scores)) < 0.6


def test_pairs_that_move_together_carry_no_current(make_scene, rng):
    _, found = _conduct(make_scene(make_ion_pairs(rng)))
    assert float(found["nernst_einstein"]) > 100.0
    assert abs(float(found["einstein"])) < 1e-6


def test_conductivity_goes_with_one_over_temperature(make_scene, rng):
    scene = make_scene(make_random_walk(rng))
    one, two = (_conduct(scene, temperature=t)[1] for t in (300.0, 600.0))
    for name in ("nernst_einstein", "einstein"):
        assert float(one[name]) == pytest.approx(2.0 * float(two[name]))


def test_lags_are_thinned():
    assert thin_lags(300).tolist() == list(range(300))
    kept = thin_lags(20_000)
    assert 300 < len(kept) <= 400
    assert kept[0] == 0
    assert kept[-1] == 19_999
    assert (np.diff(kept) > 0).all()
