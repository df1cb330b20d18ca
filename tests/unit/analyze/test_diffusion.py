"""Diffusion of walkers whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.centre import Centres, find_path
from solvation.analyze.diffusion import collect_displacements, measure_diffusion, thin_lags
from solvation.analyze.driver import run_analyzers
from solvation.analyze.reference import FRAMES
from solvation.kernels.cell import box_matrix, wrap
from solvation.kernels.regime import find_slope
from solvation.langevin import make_langevin_gas
from solvation.synthetic import make_random_walk


def _paths(scene):
    return run_analyzers(scene, [Centres()])["centres"].total().result()


def _hold(systems, exact, *, wrapped=False):
    """Return the share of systems whose 95 % interval of D of Li holds the exact value."""
    held = []
    for system in systems:
        positions, n_frames = system.positions, len(system.times)
        matrix = np.array(np.broadcast_to(box_matrix(system.box), (n_frames, 3, 3)))
        path = find_path(
            0, system.times, wrap(positions, matrix) if wrapped else positions.copy(), matrix,
            np.ones(positions.shape[1]),
        )  # fmt: skip
        assert path.problem is None
        assert path.unwrapped is wrapped
        moved = collect_displacements(
            [path], np.arange(positions.shape[1] // 2), timestep=path.timestep, n_lags=n_frames
        )
        slope = find_slope(moved.to_curves())
        held.append(abs(slope.slope - 2.0 * exact) < 1.96 * slope.stderr)
    return np.mean(held)


def test_intervals_of_walkers_hold_the_truth():
    """Of 300 walks, unwrapped or not, 92 to 98 % hold the truth, less what drift takes."""
    rng = np.random.default_rng(5)
    walks = (make_random_walk(rng, n=20, n_frames=150, charge=1) for _ in range(300))
    # Relative to their common centre, N walkers diffuse by a share of 1 / N less.
    assert 0.92 <= _hold(walks, 0.1 * (1.0 - 1.0 / 40.0)) <= 0.98


def _hold_langevin(number, *, wrapped, breathing, seed):
    rng = np.random.default_rng(seed)
    gases = (
        make_langevin_gas(rng, n=10, n_frames=300, memory=1.0, breathing=breathing)
        for _ in range(number)
    )
    return _hold(gases, 0.1 * (1.0 - 1.0 / 20.0), wrapped=wrapped)


@pytest.mark.parametrize(("wrapped", "breathing"), [(False, 0.0), (True, 0.003)])
def test_intervals_of_langevin_particles_hold_the_truth(wrapped, breathing):
    """Friction and a box that breathes: ballistic beginnings are left out, images followed."""
    assert _hold_langevin(60, wrapped=wrapped, breathing=breathing, seed=8) >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("breathing", [0.0, 0.003])
def test_intervals_of_langevin_particles_hold_the_truth_in_92_to_98_percent(wrapped, breathing):
    held = _hold_langevin(300, wrapped=wrapped, breathing=breathing, seed=9)
    assert 0.92 <= held <= 0.98


def test_a_random_walk_diffuses(make_scene, rng):
    scene = make_scene(make_random_walk(rng, diffusion=2e-9))
    found = measure_diffusion(scene, _paths(scene))
    for name in ("Mg", "Cl"):
        one = found.sel(species=name)
        assert abs(float(one["diffusion"]) - 2e-9) < 3.5 * float(one["diffusion_stderr"])
        assert float(one["diffusion_stderr"]) < 0.15 * 2e-9
        assert float(one["diffusive"]) == 1.0
        assert float(one["n_effective"]) > 10


def test_axes_are_told_apart(make_scene, rng):
    walk = make_random_walk(rng, n_frames=1000)
    even = measure_diffusion(scene := make_scene(walk), _paths(scene)).sel(species="Cl")
    assert float(even["isotropy"]) > 1e-3
    component = even["component"].values
    assert component.mean() == pytest.approx(float(even["diffusion"]), rel=1e-9)
    walk.positions[..., 2] *= 1.5
    odd = measure_diffusion(scene := make_scene(walk), _paths(scene)).sel(species="Cl")
    assert float(odd["isotropy"]) < 1e-6
    assert odd["component"].values[2] == pytest.approx(2.25 * component[2], rel=0.02)


def test_the_frame_of_reference_is_what_stands_still(make_scene, rng):
    """Drift of everything leaves no trace; in the frame of the solvent that is what rests."""
    from solvation.synthetic import make_mixture

    mixture = make_mixture(rng, n_frames=60)
    drift = np.linspace(0.0, 30.0, 60)[:, None, None]
    still = make_scene(mixture)
    moving = make_scene(replace(mixture, positions=mixture.positions + drift))
    for frame in FRAMES:
        one, two = (
            run_analyzers(s, [Centres(frame=frame)])["centres"].total().result()[0]
            for s in (still, moving)
        )
        np.testing.assert_allclose(one.positions, two.positions, atol=1e-9)
        water = one.positions[:, still.find_species("water").molecules]
        motion = np.ptp(water.mean(axis=1), axis=0).max()
        assert bool(motion < 1e-9) == (frame == "solvent")


def test_windows_that_start_later_are_kept(make_scene, rng):
    scene = make_scene(make_random_walk(rng))
    found = measure_diffusion(scene, _paths(scene)).sel(species="Mg")
    scan, error = found["scan"].values, found["scan_stderr"].values
    assert (np.diff(found["start"].values) > 0).all()
    assert (abs(scan - 1e-9) < 3.5 * error).all()
    assert error[-1] > 3.0 * error[0]
    chosen = found["start"].values.tolist().index(float(found["window_low"]))
    assert scan[chosen] == float(found["diffusion"])


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
