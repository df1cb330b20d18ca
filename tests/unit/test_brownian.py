"""Ions with prescribed collective motion: the prescription is kept."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.brownian import (
    BrownianIons,
    Kind,
    draw_brownian,
    draw_velocities,
    make_brownian_ions,
)

IONS = BrownianIons(
    kinds=(
        Kind(element="Mg", charge=2, n=6, mass=24.0, diffusion=1e-9),
        Kind(element="Cl", charge=-1, n=12, mass=35.0, diffusion=2e-9),
        Kind(element="Ar", charge=0, n=40, mass=40.0, diffusion=3e-9),
    ),
    collective=((5e-9, -4e-9), (-4e-9, 30e-9)),
)


@pytest.fixture
def rng():
    return np.random.default_rng(2026)


def _measure(paths, lag, dt):
    """Return collective and self-diffusion coefficients from displacements over one lag."""
    sums = np.stack([p.sum(axis=1) for p in paths], axis=1)
    step = sums[lag::lag] - sums[:-lag:lag]
    collective = np.einsum("tak,tbk->ab", step, step) / len(step) / (6.0 * lag * dt) * 1e-8
    moved = [p[lag::lag] - p[:-lag:lag] for p in paths]
    own = [float((m**2).sum(axis=2).mean()) / (6.0 * lag * dt) * 1e-8 for m in moved]
    return collective, own, len(step)


def test_walkers_move_as_prescribed(rng):
    paths = draw_brownian(IONS, rng, n_frames=20_000, dt=0.5)
    collective, own, n = _measure(paths, 1, 0.5)
    truth = IONS.complete()
    error = np.sqrt((np.outer(truth.diagonal(), truth.diagonal()) + truth**2) / (3.0 * n))
    assert (np.abs(collective - truth) < 4.0 * error).all()
    np.testing.assert_allclose(own, [k.diffusion for k in IONS.kinds], rtol=0.03)


def test_particles_with_memory_reach_the_same_coefficients(rng):
    paths, velocities = draw_velocities(IONS, rng, n_frames=20_000, dt=0.5, memory=1.0)
    truth = IONS.complete()
    collective, own, n = _measure(paths, 100, 0.5)
    error = np.sqrt((np.outer(truth.diagonal(), truth.diagonal()) + truth**2) / (3.0 * n))
    # At a lag of 50 memories the displacement lacks 2 % of the final line.
    assert (np.abs(collective / 0.98 - truth) < 4.0 * error).all()
    np.testing.assert_allclose(own, [0.98 * k.diffusion for k in IONS.kinds], rtol=0.08)
    for v, kind in zip(velocities, IONS.kinds, strict=True):
        assert float((v**2).mean()) == pytest.approx(kind.diffusion * 1e8, rel=0.05)
        lag = float((v[2:] * v[:-2]).mean())
        assert lag == pytest.approx(kind.diffusion * 1e8 * np.exp(-1.0), rel=0.06)


def test_positions_are_integrals_of_velocities(rng):
    paths, velocities = draw_velocities(IONS, rng, n_frames=400, dt=0.01, memory=2.0)
    for path, speed in zip(paths, velocities, strict=True):
        summed = np.cumsum(0.5 * (speed[1:] + speed[:-1]) * 0.01, axis=0)
        np.testing.assert_allclose(path[1:], summed, atol=0.01)


def test_the_centre_of_mass_rests(rng):
    paths = draw_brownian(IONS, rng, n_frames=50)
    momentum = sum(k.mass * p.sum(axis=1) for k, p in zip(IONS.kinds, paths, strict=True))
    np.testing.assert_allclose(momentum, 0.0, atol=1e-6)
    mass = np.array([k.mass for k in IONS.kinds])
    np.testing.assert_allclose(IONS.complete() @ mass, 0.0, atol=1e-20)


def test_the_frame_of_the_solvent_keeps_the_conductivity():
    z = IONS.charges[:-1]
    assert z @ IONS.solvent_frame() @ z == pytest.approx(IONS.charge_diffusion)


def test_impossible_motion_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        BrownianIons(kinds=IONS.kinds, collective=((1e-9, 9e-9), (9e-9, 1e-9)))
    with pytest.raises(ValueError, match="shared motion alone"):
        BrownianIons(kinds=IONS.kinds, collective=((50e-9, 0.0), (0.0, 1e-9)))


def test_a_trajectory_is_made(rng):
    made = make_brownian_ions(IONS, rng, n_frames=5, rates=[1.0, 1.01, 1.0, 0.98, 1.0])
    assert made.positions.shape == (5, 58, 3)
    assert made.box.shape == (5, 6)
    assert made.elements[0] == "Mg"
    assert made.truth["diffusion.Cl"] == 2e-9
