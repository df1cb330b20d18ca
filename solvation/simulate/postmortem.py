"""Post-mortem: where and why a run blew up, found by stepping into it once more.

What is left in the folder ``blow-up``: the last frames as ``frames.xtc`` (open it with the
``topology.pdb`` of the start) and ``report.json`` with the atoms under the largest forces, the
force term that is largest on each, the nearest neighbour, and the energy term by term.
"""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import SimulationError
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray
    from openmm import app

__all__ = ["BlowUpError", "examine"]

_FRAMES = 10
"""Frames that are kept."""
_ATOMS = 5
"""Atoms that are named."""
_LOOKS = 200
"""How often is looked at energies on the way to the blow-up."""


class BlowUpError(SimulationError):
    """A stage of a replica whose energies are no numbers any more, or far too high."""

    def __init__(self, message: str, *, stage: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        """Name of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Something that could be written down before it was too late."""

    positions: NDArray[np.float64]
    """nm, shape ``(n_particles, 3)``."""
    velocities: NDArray[np.float64]
    """nm/ps, shape ``(n_particles, 3)``."""
    box: NDArray[np.float64]
    """nm, shape ``(3, 3)``."""
    step: int
    """Time steps since the last good moment."""


def examine(
    context: openmm.Context,
    good: openmm.State,
    n_steps: int,
    topology: app.Topology,
    folder: Path,
    *,
    reason: str,
    hottest: float,
) -> str:
    """Step into a blow-up again, and save what it looks like.

    Parameters
    ----------
    context
        The one that blew up; it is of no use afterwards.
    good
        The last good moment, with positions and velocities.
    n_steps
        Time steps from there to the blow-up.
    topology
        Names of the atoms.
    folder
        Where to write.
    reason
        What was seen.
    hottest
        K; beyond this it has blown up.

    Returns
    -------
    str
        What it was, a few words.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written.
    """
    import openmm

    context.setPeriodicBoxVectors(*good.getPeriodicBoxVectors())
    context.setPositions(good.getPositions(asNumpy=True))
    context.setVelocities(good.getVelocities(asNumpy=True))
    freedom = _count_freedom(context.getSystem())
    kept: deque[_Moment] = deque(maxlen=_FRAMES)

    def walk(length: int, stride: int) -> bool:
        """Go on until it happens; whether it did."""
        for _ in range(max(1, length // stride)):
            done = kept[-1].step if kept else 0
            try:
                context.getIntegrator().step(stride)
                state = context.getState(getEnergy=True, getPositions=True, getVelocities=True)
            except openmm.OpenMMException:
                return True
            if not _is_sane(state, freedom, hottest):
                return True
            kept.append(_note(state, done + stride))
        return False

    kept.append(_note(good, 0))
    stride = max(1, n_steps // _LOOKS)
    again = walk(2 * n_steps, stride)
    if again and stride > 1:
        last = kept[-1]
        context.setPeriodicBoxVectors(*last.box)
        context.setPositions(last.positions)
        context.setVelocities(last.velocities)
        walk(2 * stride, 1)
    last = kept[-1]
    terms, forces = _split_forces(context.getSystem(), last)
    total = sum(forces.values())
    assert not isinstance(total, int)
    size = np.linalg.norm(total, axis=1)
    names = [f"{a.residue.name}{a.residue.id}.{a.name}" for a in topology.atoms()]
    n_atoms = len(names)
    worst = np.argsort(-size[:n_atoms])[:_ATOMS]
    atoms = [_describe_atom(int(k), names, size, forces, last) for k in worst]
    document: dict[str, Any] = {
        "reason": reason,
        "happened_again": again,
        "steps_after_the_last_good_moment": last.step,
        "atoms": atoms,
        "energies_kJ_mol": terms,
        "temperature_K": _measure_temperature(context.getSystem(), last, freedom),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report.json", json.dumps(document, indent=1) + "\n")
    _write_frames(folder / "frames.xtc", kept, topology)
    if not again:
        return f"it did not happen again from the last good moment; frames are in {folder}"
    first = atoms[0]
    return (
        f"{first['term']} on {first['name']}, {first['force']:.3g} kJ/mol/nm, "
        f"{first['distance']:.2f} angstrom from {first['neighbour']}; see {folder}"
    )


def _note(state: openmm.State, step: int) -> _Moment:
    """Write a state down."""
    from openmm import unit

    velocity = unit.nanometer / unit.picosecond
    return _Moment(
        positions=state.getPositions(asNumpy=True).value_in_unit(unit.nanometer),
        velocities=state.getVelocities(asNumpy=True).value_in_unit(velocity),
        box=state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer),
        step=step,
    )


def _is_sane(state: openmm.State, freedom: int, hottest: float) -> bool:
    """Whether a state could be one of a liquid."""
    from openmm import unit

    potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    gas = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
    return math.isfinite(potential) and 2 * kinetic / (freedom * gas) < hottest


def _count_freedom(system: openmm.System) -> int:
    """Count degrees of freedom."""
    from openmm import unit

    moving = sum(
        system.getParticleMass(k).value_in_unit(unit.dalton) > 0
        for k in range(system.getNumParticles())
    )
    return int(max(1, 3 * moving - system.getNumConstraints()))


def _measure_temperature(system: openmm.System, moment: _Moment, freedom: int) -> float:
    """Temperature of a moment, K."""
    from openmm import unit

    mass = np.array(
        [system.getParticleMass(k).value_in_unit(unit.dalton) for k in range(len(moment.positions))]
    )
    gas = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
    return float((mass[:, None] * moment.velocities**2).sum() / (freedom * gas))


def _split_forces(
    system: openmm.System, moment: _Moment
) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    """Energies in kJ/mol and forces in kJ/mol/nm by force term, in double precision."""
    import openmm
    from openmm import unit

    clone = openmm.XmlSerializer.clone(system)
    names: dict[int, str] = {}
    for index, force in enumerate(clone.getForces()):
        group = min(index, 31)
        force.setForceGroup(group)
        if isinstance(force, openmm.NonbondedForce):
            force.setReciprocalSpaceForceGroup(group)
        if not isinstance(force, openmm.MonteCarloBarostat):
            label = force.getName()
            names[group] = label if label not in names.values() else f"{label} {index}"
    context = openmm.Context(
        clone, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPeriodicBoxVectors(*moment.box)
    context.setPositions(moment.positions)
    per = unit.kilojoule_per_mole / unit.nanometer
    energies, forces = {}, {}
    for group, name in names.items():
        state = context.getState(getEnergy=True, getForces=True, groups={group})
        energies[name] = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        forces[name] = state.getForces(asNumpy=True).value_in_unit(per)
    return energies, forces


def _describe_atom(
    index: int,
    names: list[str],
    size: NDArray[np.float64],
    forces: dict[str, NDArray[np.float64]],
    moment: _Moment,
) -> dict[str, Any]:
    """Say what pulls at an atom and what is nearest to it."""
    rays = moment.positions[: len(names)] - moment.positions[index]
    rays -= np.round(rays @ np.linalg.inv(moment.box)) @ moment.box
    distances = np.linalg.norm(rays, axis=1)
    distances[index] = np.inf
    near = int(np.argmin(distances))
    pulls = {name: float(np.linalg.norm(force[index])) for name, force in forces.items()}
    return {
        "index": index,
        "name": names[index],
        "force": float(size[index]),
        "term": max(pulls, key=lambda name: pulls[name]),
        "forces_kJ_mol_nm": pulls,
        "neighbour": names[near],
        "distance": 10 * float(distances[near]),
    }


def _write_frames(path: Path, kept: deque[_Moment], topology: app.Topology) -> None:
    """Write the last frames; their times count time steps in ps."""
    import openmm
    from openmm import app, unit

    path.unlink(missing_ok=True)
    writer = app.XTCFile(str(path), topology, 1.0 * unit.picosecond)
    n_atoms = topology.getNumAtoms()
    for moment in kept:
        writer.writeModel(
            moment.positions[:n_atoms] * unit.nanometer,
            periodicBoxVectors=[openmm.Vec3(*row) for row in moment.box.tolist()] * unit.nanometer,
        )
