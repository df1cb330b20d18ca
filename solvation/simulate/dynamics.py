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
from solvation.simulate.engine import Progress, describe_platform, make_context, restore
from solvation.simulate.files import ReplicaFiles, cut_file
from solvation.simulate.hardware import Hardware
from solvation.simulate.loop import StageRun, Tick
from solvation.simulate.origin import load_origin, place_origin
from solvation.simulate.postmortem import BlowUpError
from solvation.simulate.protocol import halve_timestep
from solvation.simulate.relax import relax
from solvation.simulate.shear import ACCELERATIONS, Drive, run_shear
from solvation.simulate.snapshot import load_latest, restore_portable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openmm
    from openmm import app

    from solvation.simulate.halt import Halt
    from solvation.simulate.protocol import Plan, Replica, Stage
    from solvation.simulate.snapshot import Snapshot

__all__ = ["Outcome", "Tick", "run_replica"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a replica ended."""

    replica: str
    """Its name."""
    platform: str
    """Platform, device and version."""
    speed: float
    """ns/day over the production, reporting and checkpoints included."""
    density_stationary: bool
    """Whether the density stopped drifting before production; true where it was given."""
    energy_stationary: bool
    """Whether the potential energy did."""
    production: float
    """ps."""
    retried: tuple[str, ...] = ()
    """Stages that blew up once and went on with half the time step."""


def run_replica(
    prepared: Path,
    folder: Path,
    plan: Plan,
    replica: Replica,
    *,
    inputs: str,
    platform: str | Hardware = "auto",
    progress: Callable[[Tick], None] | None = None,
    halt: Halt | None = None,
) -> Outcome:
    """Run one replica to its end, or go on with it.

    A stage that blows up is tried once more from the last checkpoint, with half the time step.

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
        ``"auto"``, an OpenMM platform name, or all of the hardware.
    progress
        Called after every report.
    halt
        Asked between steps whether to stop.

    Raises
    ------
    SimulationError
        If the run blows up twice or no platform can run it.
    StopError
        If it was asked to stop; a checkpoint was written, unless the box was still being relaxed
        or the run is deterministic, which goes on from the checkpoint before.
    WorkspaceError
        If files are damaged or belong to other inputs.
    """
    import openmm
    from openmm import app

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"cannot make {folder}: {error.strerror or error}") from error
    for name in ("system.xml", "state.xml", "topology.pdb"):
        if not (prepared / name).is_file():
            raise WorkspaceError(
                f"{prepared / name} is gone; run `solvation build` on this folder again"
            )
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text(encoding="utf-8"))
    job = _Job(
        prepared=prepared,
        files=ReplicaFiles(
            trajectory=folder / "trajectory.xtc",
            log=folder / "log.csv",
            snapshot=folder / "checkpoint",
        ),
        system=system,
        topology=app.PDBFile(str(prepared / "topology.pdb")).topology,
        plan=plan,
        replica=replica,
        inputs=inputs,
        platform=platform,
        progress=progress,
        halt=halt,
    )
    retried: tuple[str, ...] = ()
    while True:
        try:
            at = _run_stages(job, retried)
            break
        except BlowUpError as error:
            stage = error.stage
            if stage in retried or stage in _read_retried(job):
                raise
            retried = (*retried, stage)
            _LOG.warning(
                "%s; trying once more from the last checkpoint with %g fs",
                str(error).partition("; run again")[0], 500 * plan.timestep,
            )  # fmt: skip
    if plan.shear_time:
        run_shear(
            prepared, folder, plan,
            tuple(Drive(acceleration=a, time=plan.shear_time) for a in ACCELERATIONS),
            temperature=plan.stages[-1].temperature[1], seed=replica.seed + len(plan.stages),
            platform=platform,
        )  # fmt: skip
    log = read_log(job.files.log)
    settling = log.select("density")
    density, energy = settling.density, settling.potential_energy
    production = log.select("production")
    return Outcome(
        replica=replica.name,
        platform=at.platform,
        speed=float(1.0 / np.mean(1.0 / np.maximum(production.speed, 1e-3))),
        density_stationary=not len(density) or judge_stationarity(density).stationary,
        energy_stationary=not len(energy) or judge_stationarity(energy).stationary,
        production=at.interval * plan.interval,
        retried=at.retried,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What `run_replica` was asked for, with its files opened."""

    prepared: Path
    files: ReplicaFiles
    system: openmm.System
    topology: app.Topology
    plan: Plan
    replica: Replica
    inputs: str
    platform: str | Hardware
    progress: Callable[[Tick], None] | None
    halt: Halt | None


def _load(job: _Job) -> Snapshot | None:
    """Read the last snapshot that can be gone on from."""
    snapshot = load_latest(job.files.snapshot, job.files.check)
    if snapshot is not None and snapshot.progress.inputs != job.inputs:
        raise WorkspaceError(
            f"{job.files.snapshot} belongs to another recipe or force field; choose another "
            f"folder with -o, or remove {job.files.snapshot.parent}"
        )
    return snapshot


def _read_retried(job: _Job) -> tuple[str, ...]:
    """List the stages that go on with half the time step already."""
    snapshot = _load(job)
    return snapshot.progress.retried if snapshot is not None else ()


def _run_stages(job: _Job, retried: tuple[str, ...]) -> Progress:
    """Run every stage that is left, from the last snapshot."""
    files, replica = job.files, job.replica
    snapshot = _load(job)
    at = snapshot.progress if snapshot else Progress(
        stage=job.plan.stages[0].name, interval=0, n_frames=0, trajectory_bytes=0, log_bytes=0,
        inputs=job.inputs, platform="",
    )  # fmt: skip
    cut_file(files.trajectory, at.trajectory_bytes)
    cut_file(files.log, at.log_bytes)
    at, again = replace(at, retried=tuple(dict.fromkeys([*at.retried, *retried]))), bool(retried)
    names: list[str] = [stage.name for stage in job.plan.stages]
    context: openmm.Context | None = None
    for index in range(names.index(at.stage), len(names)):
        stage = job.plan.stages[index]
        if stage.name != at.stage:
            at = replace(at, stage=stage.name, interval=0)
        plan = job.plan
        if stage.name in at.retried:
            plan = halve_timestep(plan)
        previous, context = context, _make_context(job, plan, stage, at, again=again)
        if previous is not None:
            _hand_over(previous, context)
            if names[index - 1] == "density":
                _set_mean_volume(context, files.log)
        elif snapshot is not None:
            if again:
                # Other noise, and a time step that a binary checkpoint might bring back.
                restore_portable(context, snapshot)
                if stage.name in set(at.retried) - set(snapshot.progress.retried):
                    at = replace(at, steps=2 * at.steps)
            else:
                restore(context, snapshot)
        else:
            _start(context, job, stage)
        del previous
        at = replace(at, platform=describe_platform(context))
        pausing = isinstance(job.platform, Hardware) and job.platform.deterministic
        while True:
            run = StageRun(
                context, job.topology, files, plan, stage, replica, job.progress, halt=job.halt,
                pausing=pausing,
            )  # fmt: skip
            at = run.advance(at)
            if not pausing or run.is_over(at.interval):
                break
            # From here on as a run that is killed now will go on: the same bits.
            context = _make_context(job, plan, stage, at, again=again)
            snapshot = _load(job)
            assert snapshot is not None
            restore(context, snapshot)
    return at


def _make_context(
    job: _Job, plan: Plan, stage: Stage, at: Progress, *, again: bool
) -> openmm.Context:
    """Make a context for what is left of a stage, with noise that no other part of it has.

    The noise of a seed, used again after every restart, draws trajectories together (Sindhikara et
    al., J. Chem. Theory Comput. 2009, 5, 1624, 10.1021/ct800573m).
    """
    index = job.plan.stages.index(stage)
    seed = job.replica.seed + index + 1000 * again
    if at.interval or at.steps:
        seed = int(np.random.SeedSequence([seed, at.interval, at.steps]).generate_state(1)[0])
    return make_context(job.system, plan, stage, platform=job.platform, seed=seed)


def _start(context: openmm.Context, job: _Job, stage: Stage) -> None:
    """Put the packed molecules into a context, relax them and give them velocities."""
    import openmm
    from openmm import unit

    replica = job.replica
    origin = load_origin(job.files.snapshot.parent)
    if origin is not None and place_origin(context, origin, job.topology.getNumAtoms()):
        _LOG.info("%s: going on from where another run ended", replica.name)
        return
    pairs = list_pairs(context.getSystem())
    if origin is None:
        packed = openmm.XmlSerializer.deserialize(
            (job.prepared / "state.xml").read_text(encoding="utf-8")
        )
        context.setPeriodicBoxVectors(*packed.getPeriodicBoxVectors())
        context.setPositions(packed.getPositions(asNumpy=True))
    if pairs is not None:
        relax_drudes(context, pairs)
    relax(context, name=replica.name, halt=job.halt)
    seed = replica.seed % 2**30 + 1
    if pairs is None:
        context.setVelocitiesToTemperature(stage.temperature[0] * unit.kelvin, seed)
    else:
        set_velocities(context, pairs, stage.temperature[0], seed=seed)
    _LOG.info("%s: relaxed, heating for %g ps", replica.name, stage.n_intervals * job.plan.interval)


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
