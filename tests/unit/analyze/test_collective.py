"""Collective coefficients of ions whose answers are known, and whether error bars hold them."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.collective import fit_motion
from solvation.brownian import BrownianIons, Kind, draw_brownian, draw_velocities

MG = Kind(element="Mg", charge=2, n=4, mass=24.0, diffusion=2e-9)
CL = Kind(element="Cl", charge=-1, n=8, mass=35.0, diffusion=2e-9)
SOLVENT = Kind(element="Ar", charge=0, n=20, mass=40.0, diffusion=3e-9)


def prescribe(cross):
    """Return 2:1 ions with a given cross term, m2/s."""
    return BrownianIons(kinds=(MG, CL, SOLVENT), collective=((8e-9, cross), (cross, 15e-9)))


def _list_functions(ions):
    z = ions.charges
    return {
        "++": lambda m: m[0, 0],
        "--": lambda m: m[1, 1],
        "+-": lambda m: m[0, 1],
        "sigma": lambda m: z @ m @ z,
        "t": lambda m: z[0] * (m[0] @ z) / (z @ m @ z),
    }


def _count_held(ions, *, n_frames, low, replicas=1, memory=0.0, n=300, seed=0):
    """Return the share of realisations whose 95 % intervals hold the truth, by number."""
    rng = np.random.default_rng(seed)
    functions = _list_functions(ions)
    held = dict.fromkeys(functions, 0)
    for _ in range(n):
        sums = []
        for _ in range(replicas):
            if memory:
                paths, _ = draw_velocities(ions, rng, n_frames=n_frames, dt=1.0, memory=memory)
            else:
                paths = draw_brownian(ions, rng, n_frames=n_frames)
            sums.append(np.stack([p.sum(axis=1) for p in paths], axis=1))
        found = fit_motion(sums, timestep=1.0, low=low)
        for name, function in functions.items():
            one = found.estimate(function)
            truth = float(function(ions.complete()))
            held[name] += abs(one.value - truth) < 1.96 * one.stderr
    return {name: count / n for name, count in held.items()}


def _assert_honest(held):
    for name, share in held.items():
        assert 0.92 <= share <= 0.98, f"{name}: {share:.1%} of the intervals hold the truth"


@pytest.mark.parametrize("cross", [-3e-9, 5e-9])
def test_intervals_hold_prescribed_coefficients(cross):
    """Either sign of the cross term; z = +2 and -1."""
    _assert_honest(_count_held(prescribe(cross), n_frames=200, low=3.0))


@pytest.mark.slow
@pytest.mark.parametrize("cross", [-3e-9, 5e-9])
@pytest.mark.parametrize(("n_frames", "low", "replicas"), [(400, 10.0, 1), (300, 5.0, 2)])
def test_intervals_hold_late_windows_and_replicas(cross, n_frames, low, replicas):
    held = _count_held(prescribe(cross), n_frames=n_frames, low=low, replicas=replicas, seed=1)
    _assert_honest(held)


@pytest.mark.slow
@pytest.mark.parametrize("cross", [-3e-9, 5e-9])
def test_intervals_hold_for_particles_with_memory(cross):
    held = _count_held(prescribe(cross), n_frames=500, low=12.0, memory=3.0, seed=2)
    _assert_honest(held)


def test_coefficients_are_those_prescribed(rng):
    ions = prescribe(-3e-9)
    paths = draw_brownian(ions, rng, n_frames=30_000)
    sums = [np.stack([p.sum(axis=1) for p in paths], axis=1)]
    found = fit_motion(sums, timestep=1.0, low=1.0)
    np.testing.assert_allclose(found.matrix, ions.complete(), atol=0.05 * 15e-9)
    assert found.matrix[0, 1] < 0.0


def test_ballistic_motion_is_left_behind(rng):
    """A window after ten memories gives D; one within the memory does not."""
    ions = prescribe(5e-9)
    paths, _ = draw_velocities(ions, rng, n_frames=20_000, dt=1.0, memory=5.0)
    sums = [np.stack([p.sum(axis=1) for p in paths], axis=1)]
    late, early = (fit_motion(sums, timestep=1.0, low=x) for x in (25.0, 1.0))
    sigma = _list_functions(ions)["sigma"]
    truth = float(sigma(ions.complete()))
    one = late.estimate(sigma)
    assert abs(one.value - truth) < 3.0 * one.stderr
    assert one.stderr < 0.15 * truth
    assert early.estimate(sigma).value < 0.5 * truth


def test_what_does_not_move_has_no_error():
    """Charges that move together: their sum is exactly zero, and known to be."""
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(200, 1, 3)).cumsum(axis=0)
    found = fit_motion([np.concatenate([shared, shared], axis=1)], timestep=1.0, low=2.0)
    z = np.array([1.0, -1.0])
    one = found.estimate(lambda m: float(z @ m @ z))
    assert abs(one.value) < 1e-9 * found.matrix[0, 0]
    assert one.stderr < 1e-6 * found.matrix[0, 0]


def test_replicas_that_disagree_widen_the_error(rng):
    ions = prescribe(5e-9)
    sums = [
        factor * np.stack([p.sum(axis=1) for p in draw_brownian(ions, rng, n_frames=300)], axis=1)
        for factor in (1.0, 3.0)
    ]
    apart = fit_motion(sums, timestep=1.0, low=2.0).estimate(lambda m: m[0, 0])
    alike = fit_motion([sums[0]] * 2, timestep=1.0, low=2.0).estimate(lambda m: m[0, 0])
    assert apart.stderr / apart.value > 2.0 * alike.stderr / alike.value
    assert apart.n_effective < 0.3 * alike.n_effective


def test_a_window_that_does_not_fit_is_refused(rng):
    sums = [rng.normal(size=(40, 2, 3))]
    assert fit_motion(sums, timestep=1.0, low=11.0) is None
    assert fit_motion(sums, timestep=1.0, low=10.0) is not None
