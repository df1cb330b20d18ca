"""Dynamics: one replica, from packed molecules to the end of production, killable at any moment.

The trajectory and the log grow between snapshots; a snapshot says how long both were when it was
taken. On the next start both are cut back to that length and the run goes on from there, so every
frame is there once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import WorkspaceError
from solvation.kernels.stationarity import judge_stationarity
from solvation.log import read_log
from solvation.simulate.drude import list_pairs, relax_drudes, set_velocities
from solvation.simulate.engine import (
    Progress,
    describe_platform,
    load_snapshot,
    make_context,
    restore,
)
from solvation.simulate.files import ReplicaFiles, cut_file
from solvation.simulate.loop import StageRun, Tick
from solvation.simulate.shear import ACCELERATIONS, Drive, run_shear

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openmm

    from solvation.simulate.protocol import Plan, Replica, Stage

__all__ = ["Outcome", "Tick", "run_replica"]

_LOG = logging.getLogger(__name__)

_MINIMISE_TOLERANCE = 20.0
"""kJ/(mol nm), root mean square force at which the packed box is relaxed enough to heat."""
_MINIMISE_ITERATIONS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a replica ended."""

    replica: str
    platform: str
    """Platform, device and version."""
    speed: float
    """ns/day over the production, reporting and checkpoints included."""
    density_stationary: bool
    """Whether the density stopped drifting before production."""
    production: float
    """ps."""


def run_replica(
    prepared: Path,
    folder: Path,
    plan: Plan,
    replica: Replica,
    *,
    inputs: str,
    platform: str = "auto",
    progress: Callable[[Tick], None] | None = None,
) -> Outcome:
    """Run one replica to its end, or go on with it.

    Parameters
    ----------
    prepared
        Folder with ``system.xml``, ``state.xml`` and ``topology.pdb``.
    folder
        Where ``trajectory.xtc``, ``log.csv`` and ``checkpoint`` go.
    plan
        Stages and time step.
    replica
        Which one.
    inputs
        Hash of everything that decides the trajectory; a checkpoint made from other inputs is
        refused.
    platform
        ``"auto"`` or an OpenMM platform name.
    progress
        Called after every report.

    Raises
    ------
    SimulationError
        If the run blows up or no platform can run it.
    WorkspaceError
        If files are damaged or belong to other inputs.
    """
    import openmm
    from openmm import app

    folder.mkdir(parents=True, exist_ok=True)
    files = ReplicaFiles(
        trajectory=folder / "trajectory.xtc", log=folder / "log.csv", snapshot=folder / "checkpoint"
    )
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text(encoding="utf-8"))
    topology = app.PDBFile(str(prepared / "topology.pdb")).topology
    snapshot = load_snapshot(files.snapshot)
    if snapshot is not None and snapshot.progress.inputs != inputs:
        raise WorkspaceError(
            f"{files.snapshot} belongs to another recipe or force field; choose another folder "
            f"with -o, or remove {folder}"
        )
    at = snapshot.progress if snapshot else Progress(
        stage=plan.stages[0].name, interval=0, n_frames=0, trajectory_bytes=0, log_bytes=0,
        inputs=inputs, platform="",
    )  # fmt: skip
    cut_file(files.trajectory, at.trajectory_bytes)
    cut_file(files.log, at.log_bytes)
    names: list[str] = [stage.name for stage in plan.stages]
    context: openmm.Context | None = None
    for index in range(names.index(at.stage), len(names)):
        stage = plan.stages[index]
        if stage.name != at.stage:
            at = replace(at, stage=stage.name, interval=0)
        previous, context = (
            context,
            make_context(system, plan, stage, platform=platform, seed=replica.seed + index),
        )
        if previous is not None:
            _hand_over(previous, context)
            if stage.name == "production" and "density" in names:
                _set_mean_volume(context, files.log)
        elif snapshot is not None:
            restore(context, snapshot)
        else:
            _start(
                context, (prepared / "state.xml").read_text(encoding="utf-8"), stage, replica, plan
            )
        del previous
        at = replace(at, platform=describe_platform(context))
        run = StageRun(context, topology, files, plan, stage, replica, progress)
        at = run.advance(at)
    assert context is not None
    if plan.shear_time:
        run_shear(
            prepared, folder, plan,
            tuple(Drive(acceleration=a, time=plan.shear_time) for a in ACCELERATIONS),
            temperature=plan.stages[-1].temperature[1], seed=replica.seed + len(names),
            platform=platform,
        )  # fmt: skip
    log = read_log(files.log)
    settled = "density" not in names or judge_stationarity(log.select("density").density).stationary
    production = log.select("production")
    return Outcome(
        replica=replica.name,
        platform=at.platform,
        speed=float(1.0 / np.mean(1.0 / np.maximum(production.speed, 1e-3))),
        density_stationary=settled,
        production=at.interval * plan.interval,
    )


def _start(context: openmm.Context, state: str, stage: Stage, replica: Replica, plan: Plan) -> None:
    """Put the packed molecules into a context, relax them and give them velocities."""
    import openmm
    from openmm import unit

    packed = openmm.XmlSerializer.deserialize(state)
    context.setPeriodicBoxVectors(*packed.getPeriodicBoxVectors())
    context.setPositions(packed.getPositions(asNumpy=True))
    pairs = list_pairs(context.getSystem())
    if pairs is not None:
        relax_drudes(context, pairs)
    openmm.LocalEnergyMinimizer.minimize(
        context,
        _MINIMISE_TOLERANCE * unit.kilojoule_per_mole / unit.nanometer,
        _MINIMISE_ITERATIONS,
    )
    seed = replica.seed % 2**30 + 1
    if pairs is None:
        context.setVelocitiesToTemperature(stage.temperature[0] * unit.kelvin, seed)
    else:
        set_velocities(context, pairs, stage.temperature[0], seed=seed)
    _LOG.info("%s: relaxed, heating for %g ps", replica.name, stage.n_intervals * plan.interval)


def _hand_over(previous: openmm.Context, context: openmm.Context) -> None:
    """Copy box, positions and velocities from one stage to the next."""
    state = previous.getState(getPositions=True, getVelocities=True)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocities(state.getVelocities(asNumpy=True))


def _set_mean_volume(context: openmm.Context, log: Path) -> None:
    """Scale the box to the mean volume of the density stage, moving molecules as wholes."""
    from openmm import unit

    volumes = read_log(log).select("density").volume
    target = float(volumes[judge_stationarity(volumes).start :].mean())
    state = context.getState(getPositions=True)
    vectors = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    factor = (target / (1e3 * float(np.linalg.det(vectors)))) ** (1 / 3)
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    for molecule in context.getMolecules():
        atoms = list(molecule)
        centre = positions[atoms].mean(axis=0)
        positions[atoms] += centre * (factor - 1)
    context.setPeriodicBoxVectors(*(vectors * factor))
    context.setPositions(positions)
