"""Geometric mixing on every platform: two plain forces, one general force, and NumPy.

Each platform has its own kernels, so each is held to the sum written out here: energy, forces,
change with volume, and the correction for what lies beyond the cutoff.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
import openmm
import pytest
from numpy.typing import NDArray
from openmm import app, unit

from solvation.build.forcefield import load_forcefield
from solvation.build.system import Prepared
from solvation.build.terms import apply_geometric_mixing

from .test_terms import clone, find_nonbonded, make_pair_force

CUTOFF = 0.8
"""nm"""
TOLERANCE = {"Reference": 1e-6, "CPU": 1e-5, "OpenCL": 1e-5, "CUDA": 1e-5}
"""Of energies and forces, relative: what is left of r^-6 at 10 nm on Reference, single precision
in the pair loops of the others."""


@cache
def find_fault(name: str) -> str | None:
    """Why a platform cannot run here."""
    system = openmm.System()
    system.addParticle(1.0)
    try:
        platform = openmm.Platform.getPlatformByName(name)
        openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    except openmm.OpenMMException as error:
        return str(error).strip().splitlines()[0]
    return None


@pytest.fixture(params=["Reference", "CPU", "OpenCL", "CUDA"])
def platform(request: pytest.FixtureRequest) -> str:
    if fault := find_fault(request.param):
        pytest.skip(f"{request.param} cannot run here: {fault}")
    return str(request.param)


@dataclass(frozen=True)
class Liquid:
    """Lennard-Jones atoms of a box, by hand and as two Systems."""

    ours: openmm.System
    general: openmm.System
    x: NDArray[np.float64]
    edge: float
    a: NDArray[np.float64]
    """sqrt(4 epsilon sigma^12) of every atom."""
    b: NDArray[np.float64]
    """sqrt(4 epsilon sigma^6) of every atom."""
    excluded: NDArray[np.bool_]
    near: list[tuple[int, int, float]]
    """1-4 pairs and their factor."""

    def sum(self, factor: float = 1.0) -> tuple[float, NDArray[np.float64], float]:
        """Energy and forces in a box stretched by a factor; and the correction, not in them."""
        x, edge = self.x * factor, self.edge * factor
        energy, forces = 0.0, np.zeros_like(x)
        for i in range(len(x) - 1):
            rays = x[i + 1 :] - x[i]
            rays -= edge * np.round(rays / edge)
            r2 = (rays**2).sum(axis=1)
            inside = (r2 < CUTOFF**2) & ~self.excluded[i, i + 1 :]
            a, b = self.a[i] * self.a[i + 1 :], self.b[i] * self.b[i + 1 :]
            u = np.where(inside, a / r2**6 - b / r2**3, 0.0)
            slope = np.where(inside, 12 * a / r2**7 - 6 * b / r2**4, 0.0)[:, None] * rays
            energy += u.sum()
            forces[i + 1 :] += slope
            forces[i] -= slope.sum(axis=0)
        for i, j, scale in self.near:
            ray = x[j] - x[i]
            r2 = ray @ ray
            a, b = scale * self.a[i] * self.a[j], scale * self.b[i] * self.b[j]
            energy += a / r2**6 - b / r2**3
            slope = (12 * a / r2**7 - 6 * b / r2**4) * ray
            forces[j] += slope
            forces[i] -= slope
        n = len(x)
        means = [(c.sum() ** 2 + (c**2).sum()) / (n * (n + 1)) for c in (self.a, self.b)]
        tail = means[0] / (9 * CUTOFF**9) - means[1] / (3 * CUTOFF**3)
        return energy, forces, 2 * np.pi * n**2 / edge**3 * tail


@pytest.fixture(scope="module")
def liquid(prepared: Prepared) -> Liquid:
    field = app.ForceField(*map(str, load_forcefield("opls-clp").files))
    system = field.createSystem(
        prepared.topology, nonbondedMethod=app.PME, nonbondedCutoff=CUTOFF, constraints=None
    )
    for index in reversed(range(system.getNumForces())):
        if not isinstance(system.getForce(index), openmm.NonbondedForce):
            system.removeForce(index)
    (force,) = find_nonbonded(system)
    n = force.getNumParticles()
    a, b = np.empty((2, n))
    for i in range(n):
        _, sigma, epsilon = force.getParticleParameters(i)
        a[i] = (4 * epsilon._value) ** 0.5 * sigma._value**6
        b[i] = (4 * epsilon._value) ** 0.5 * sigma._value**3
        force.setParticleParameters(i, 0.0, sigma, epsilon)
    excluded = np.zeros((n, n), dtype=bool)
    near = []
    for k in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(k)
        excluded[i, j] = excluded[j, i] = True
        if epsilon._value:
            near.append((i, j, 0.5))
        force.setExceptionParameters(k, i, j, 0.0, sigma, epsilon)
    general = make_pair_force(system)
    apply_geometric_mixing(system)
    return Liquid(
        system, general, prepared.positions / 10, prepared.edge / 10, a, b, excluded, near
    )


def measure(
    system: openmm.System, x: NDArray[np.float64], edge: float, platform: str, *, tail: bool
) -> tuple[float, NDArray[np.float64]]:
    """Energy in kJ/mol and forces in kJ/mol/nm."""
    copy = clone(system)
    copy.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
    for force in copy.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setUseDispersionCorrection(tail)
        elif isinstance(force, openmm.CustomNonbondedForce):
            force.setUseLongRangeCorrection(tail)
    properties = {"Precision": "mixed"} if platform in ("OpenCL", "CUDA", "HIP") else {}
    context = openmm.Context(
        copy,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName(platform),
        properties,
    )
    context.setPositions(x)
    state = context.getState(getEnergy=True, getForces=True)
    return (
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer),
    )


@pytest.mark.parametrize("route", ["ours", "general"])
def test_energy_and_forces(liquid: Liquid, platform: str, route: str) -> None:
    system = getattr(liquid, route)
    energy, forces = measure(system, liquid.x, liquid.edge, platform, tail=False)
    expected, pulls, _ = liquid.sum()
    scale = np.linalg.norm(pulls, axis=1).mean()
    tolerance = TOLERANCE[platform]
    assert energy == pytest.approx(expected, rel=tolerance)
    assert np.linalg.norm(forces - pulls, axis=1).max() < 10 * tolerance * scale


@pytest.mark.parametrize("route", ["ours", "general"])
def test_the_correction_beyond_the_cutoff(liquid: Liquid, platform: str, route: str) -> None:
    system = getattr(liquid, route)
    with_tail, without = (
        measure(system, liquid.x, liquid.edge, platform, tail=tail)[0] for tail in (True, False)
    )
    *_, expected = liquid.sum()
    assert expected < -10
    assert with_tail - without == pytest.approx(expected, rel=1e-4)


def test_the_change_with_volume(liquid: Liquid, platform: str) -> None:
    """-dU/dV of the box and all atoms in it, correction included: the virial."""
    step = 1e-3
    energies: list[list[float]] = [[], [], []]
    for sign in (-1, 1):
        factor = (1 + sign * step) ** (1 / 3)
        energy, _, tail = liquid.sum(factor)
        energies[0].append(energy + tail)
        for row, system in zip(energies[1:], (liquid.ours, liquid.general), strict=True):
            x, edge = liquid.x * factor, liquid.edge * factor
            row.append(measure(system, x, edge, platform, tail=True)[0])
    pressures = [(low - high) / (2 * step * liquid.edge**3) for low, high in energies]
    assert abs(pressures[0]) > 10  # kJ/mol/nm3; 1 is 16.6 bar
    for pressure in pressures[1:]:
        assert pressure == pytest.approx(
            pressures[0], rel=1e-6 if platform == "Reference" else 1e-3
        )


def test_the_barostat_sees_the_same_pressure(liquid: Liquid, platform: str) -> None:
    """The pressure that OpenMM computes for constant-pressure runs, both routes."""
    found = []
    for system in (liquid.ours, liquid.general):
        copy = clone(system)
        barostat = openmm.MonteCarloFlexibleBarostat(1.0, 300.0, 25, False)
        copy.addForce(barostat)
        context = openmm.Context(
            copy, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
        )
        context.setPeriodicBoxVectors(*(liquid.edge * np.eye(3)))
        context.setPositions(liquid.x)
        found.append(np.array(barostat.computeCurrentPressure(context).value_in_unit(unit.bar)))
    scale = np.abs(found[1]).max()
    assert scale > 100
    tolerance = 1e-6 if platform == "Reference" else 1e-4
    assert np.abs(found[0] - found[1]).max() < tolerance * scale


def test_the_box_tells_the_mixing_rules_apart(liquid: Liquid) -> None:
    """What is proved here would be noticed if it were wrong: sigmas differ enough."""
    pairs = itertools.combinations(range(len(liquid.a)), 2)
    s = (liquid.a / liquid.b) ** (1 / 3)
    worst = max(abs((s[i] + s[j]) / 2 / (s[i] * s[j]) ** 0.5 - 1) for i, j in pairs if s[i] * s[j])
    assert worst > 1e-3
