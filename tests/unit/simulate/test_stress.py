"""The pressure tensor: against the virial written down, and against the work of a strain."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.errors import SimulationError
from solvation.simulate.stress import COMPONENTS, add_gauge, find_gauge, measure_stress

EDGE, CUTOFF, SIGMA, EPSILON, MASS = 2.4, 1.1, 0.34, 1.0, 39.948
BAR = 16.6053906660
"""bar in a kJ/mol/nm3."""


def make_context(molecules: bool) -> openmm.Context:
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((EDGE, 0, 0), (0, EDGE, 0), (0, 0, EDGE))
    end = 4 * EPSILON * ((SIGMA / CUTOFF) ** 12 - (SIGMA / CUTOFF) ** 6)
    text = f"4*{EPSILON}*(s^2-s)-({end}); s=({SIGMA}/r)^6"
    force, bonds = openmm.CustomNonbondedForce(text), openmm.HarmonicBondForce()
    force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(CUTOFF)
    rng = np.random.default_rng(8)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3) * EDGE / 4
    positions = grid + rng.normal(scale=0.03, size=grid.shape)
    if molecules:
        positions = np.repeat(positions[::2], 2, axis=0)
        positions[1::2] += rng.normal(scale=0.06, size=(32, 3)) + 0.05
    for i in range(64):
        system.addParticle(MASS * (1 + molecules * (i % 2)))
        force.addParticle([])
        if molecules and i % 2:
            bonds.addBond(i - 1, i, 0.1, 5e4)
            force.addExclusion(i - 1, i)
    system.addForce(force)
    system.addForce(bonds)
    add_gauge(system, 90.0)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    context.setVelocities(rng.normal(scale=0.3, size=(64, 3)))
    return context


def read(context: openmm.Context) -> tuple[np.ndarray, np.ndarray]:
    state = context.getState(getPositions=True, getVelocities=True)
    return state.getPositions(asNumpy=True)._value, state.getVelocities(asNumpy=True)._value


def test_atoms_have_the_virial_that_is_in_the_books() -> None:
    context = make_context(molecules=False)
    x, v = read(context)
    tensor = MASS * np.einsum("ia,ib->ab", v, v)
    for i in range(64):
        for j in range(i):
            d = x[i] - x[j]
            d -= EDGE * np.round(d / EDGE)
            r = np.linalg.norm(d)
            if r < CUTOFF:
                s = (SIGMA / r) ** 6
                tensor += 24 * EPSILON * (2 * s**2 - s) / r**2 * np.outer(d, d)
    tensor *= BAR / EDGE**3
    index = {"x": 0, "y": 1, "z": 2}
    expected = [tensor[index[a], index[b]] for a, b in COMPONENTS]
    measured = measure_stress(context, find_gauge(context))
    np.testing.assert_allclose(measured, expected, rtol=1e-4, atol=0.02)


def test_molecules_move_as_wholes_when_the_box_is_strained() -> None:
    context = make_context(molecules=True)
    x, v = read(context)
    mass = np.tile([MASS, 2 * MASS], 32)
    whole = mass[::2] + mass[1::2]
    # OpenMM moves molecules with the mean of their atoms, not their centre of mass.
    centre = x.reshape(32, 2, 3).mean(axis=1)
    flow = (mass[:, None] * v).reshape(32, 2, 3).sum(axis=1)
    tensor = np.einsum("ma,mb->ab", flow, flow / whole[:, None])
    index, step = {"x": 0, "y": 1, "z": 2}, 1e-5

    def energy(strain: np.ndarray) -> float:
        box = EDGE * np.eye(3) @ strain.T
        context.setPeriodicBoxVectors(*box)
        moved = centre @ (strain - np.eye(3)).T
        context.setPositions(x + np.repeat(moved, 2, axis=0))
        return context.getState(getEnergy=True).getPotentialEnergy()._value

    for a in range(3):
        for b in range(a, 3):
            ends = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += sign * step
                ends.append(energy(strain))
            tensor[a, b] -= (ends[0] - ends[1]) / (2 * step)
    tensor *= BAR / EDGE**3
    context.setPeriodicBoxVectors(*(EDGE * np.eye(3)))
    context.setPositions(x)
    expected = np.array([tensor[index[a], index[b]] for a, b in COMPONENTS])
    measured = measure_stress(context, find_gauge(context))
    np.testing.assert_allclose(measured, expected, rtol=1e-4, atol=0.02)


def test_measuring_leaves_the_box_and_the_atoms_where_they_were() -> None:
    context = make_context(molecules=False)
    before = read(context)
    first = measure_stress(context, find_gauge(context))
    second = measure_stress(context, find_gauge(context))
    np.testing.assert_allclose(first, second, rtol=1e-6)
    for a, b in zip(before, read(context), strict=True):
        np.testing.assert_array_equal(a, b)
    box = context.getState().getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    np.testing.assert_array_equal(box, EDGE * np.eye(3))


def test_a_context_without_a_gauge_says_so() -> None:
    system = openmm.System()
    system.addParticle(1.0)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001))
    with pytest.raises(SimulationError, match="without a gauge"):
        find_gauge(context)
