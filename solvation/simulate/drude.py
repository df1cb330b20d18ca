"""Drude: what a system with induced dipoles on springs needs of a simulation.

The light particles are kept near 1 K in the frame of their cores, so that they follow the atoms as
electrons do, and no farther from them than a hard wall (Lamoureux & Roux, J. Chem. Phys. 2003, 119,
3025, 10.1063/1.1589749; Chowdhary et al., J. Phys. Chem. B 2013, 117, 9142, 10.1021/jp402860e).
They come after all atoms; files hold atoms alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import openmm
    from numpy.typing import NDArray

__all__ = [
    "DRUDE_TEMPERATURE",
    "Pairs",
    "list_pairs",
    "make_drude_integrator",
    "measure_temperatures",
    "relax_drudes",
    "set_velocities",
]

DRUDE_TEMPERATURE = 1.0
"""K."""
_DRUDE_FRICTION = 20.0
"""1/ps."""
_WALL = 0.02
"""nm; farthest that a Drude particle may be from its core."""
_GAS = 8.31446261815324e-3
"""kJ/mol/K."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Drude particles of a system with their cores."""

    drude: NDArray[np.int64]
    """Indices of the Drude particles, shape ``(n_drudes,)``."""
    core: NDArray[np.int64]
    """Indices of their cores, shape ``(n_drudes,)``."""
    mass: NDArray[np.float64]
    """Masses of all particles in u, shape ``(n_particles,)``."""


def list_pairs(system: openmm.System) -> Pairs | None:
    """List the Drude particles of a system; None when it has none."""
    import openmm
    from openmm import unit

    force = next((f for f in system.getForces() if isinstance(f, openmm.DrudeForce)), None)
    if force is None or not force.getNumParticles():
        return None
    both = np.array([force.getParticleParameters(k)[:2] for k in range(force.getNumParticles())])
    masses = [
        system.getParticleMass(k).value_in_unit(unit.dalton)
        for k in range(system.getNumParticles())
    ]
    return Pairs(drude=both[:, 0], core=both[:, 1], mass=np.array(masses))


def make_drude_integrator(
    temperature: float, friction: float, timestep: float, *, seed: int
) -> openmm.DrudeLangevinIntegrator:
    """Make a Langevin integrator with a bath for the atoms (K, 1/ps) and a cold one for dipoles."""
    import openmm
    from openmm import unit

    integrator = openmm.DrudeLangevinIntegrator(
        temperature * unit.kelvin,
        friction / unit.picosecond,
        DRUDE_TEMPERATURE * unit.kelvin,
        _DRUDE_FRICTION / unit.picosecond,
        timestep * unit.picosecond,
    )
    integrator.setMaxDrudeDistance(_WALL * unit.nanometer)
    integrator.setRandomNumberSeed(seed)
    return integrator


def relax_drudes(context: openmm.Context, pairs: Pairs) -> None:
    """Let the dipoles of a context adapt while all atoms are held."""
    import openmm
    from openmm import unit

    frozen = openmm.XmlSerializer.clone(context.getSystem())
    for index in reversed(range(frozen.getNumConstraints())):
        frozen.removeConstraint(index)
    light = set(pairs.drude.tolist())
    for index in range(frozen.getNumParticles()):
        if index not in light:
            frozen.setParticleMass(index, 0.0)
    for index in reversed(range(frozen.getNumForces())):
        if isinstance(frozen.getForce(index), openmm.MonteCarloBarostat):
            frozen.removeForce(index)
    state = context.getState(getPositions=True)
    helper = openmm.Context(frozen, openmm.VerletIntegrator(0.001), context.getPlatform())
    helper.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    helper.setPositions(state.getPositions(asNumpy=True))
    tolerance = 1.0 * unit.kilojoule_per_mole / unit.nanometer
    openmm.LocalEnergyMinimizer.minimize(helper, tolerance, 200)
    context.setPositions(helper.getState(getPositions=True).getPositions(asNumpy=True))


def set_velocities(context: openmm.Context, pairs: Pairs, temperature: float, *, seed: int) -> None:
    """Give the atoms velocities of a temperature (K), and every Drude particle its core's."""
    from openmm import unit

    context.setVelocitiesToTemperature(temperature * unit.kelvin, seed)
    velocities = context.getState(getVelocities=True).getVelocities(asNumpy=True)
    v = np.array(velocities.value_in_unit(unit.nanometer / unit.picosecond))
    light, heavy = pairs.mass[pairs.drude], pairs.mass[pairs.core]
    v[pairs.core] *= np.sqrt(heavy / (heavy + light))[:, None]
    v[pairs.drude] = v[pairs.core]
    context.setVelocities(v)


def measure_temperatures(
    velocities: NDArray[np.float64], pairs: Pairs, n_constraints: int
) -> tuple[float, float]:
    """Temperatures in K of atoms with their dipoles, and of dipoles in the frame of their cores.

    Parameters
    ----------
    velocities
        nm/ps, shape ``(n_particles, 3)``.
    pairs
        Who belongs to whom.
    n_constraints
        Constraints of the system, all between atoms.
    """
    light, heavy = pairs.mass[pairs.drude], pairs.mass[pairs.core]
    apart = velocities[pairs.drude] - velocities[pairs.core]
    inner = float((light * heavy / (light + heavy) * (apart**2).sum(axis=1)).sum())
    whole = float((pairs.mass * (velocities**2).sum(axis=1)).sum())
    n_atoms = len(pairs.mass) - len(pairs.drude)
    freedom = 3 * n_atoms - n_constraints
    return (whole - inner) / (freedom * _GAS), inner / (3 * len(pairs.drude) * _GAS)
