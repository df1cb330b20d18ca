"""Dynamics: one replica, from packed molecules to the end of production, killable at any moment.

The trajectory and the log grow between snapshots; a snapshot says how long both were when it was
taken. On the next start both are cut back to that length and the run goes on from there, so every
frame is there once.
"""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import SimulationError, WorkspaceError
from solvation.kernels.stationarity import judge_stationarity
from solvation.log import LOG_HEADER, read_log
from solvation.simulate.engine import (
    Progress,
    describe_platform,
    load_snapshot,
    make_context,
    restore,
    save_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import openmm
    from openmm import app

    from solvation.simulate.protocol import Plan, Replica, Stage

__all__ = ["Outcome", "Tick", "run_replica"]

_LOG = logging.getLogger(__name__)

_MINIMISE_TOLERANCE = 20.0
"""kJ/(mol nm), root mean square force at which the packed box is relaxed enough to heat."""
_MINIMISE_ITERATIONS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What is going on, for a progress display; one per report."""

    replica: str
    stage: str
    done: float
    """Fraction of the replica that is done, 0 to 1."""
    time: float
    """ps in this stage."""
    time_total: float
    """ps this stage lasts, at most."""
    speed: float
    """ns/day."""
    remaining: float
    """Seconds left for this replica at this speed."""
    temperature: float
    """K."""
    density: float
    """g/cm3."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """Paths of one replica."""

    trajectory: Path
    log: Path
    snapshot: Path


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
    files = _Files(
        trajectory=folder / "trajectory.xtc", log=folder / "log.csv", snapshot=folder / "checkpoint"
    )
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text(encoding="utf-8"))
    topology = app.PDBFile(str(prepared / "topology.pdb")).topology
    snapshot = load_snapshot(files.snapshot)
    if snapshot is not None and snapshot.progress.inputs != inputs:
        raise WorkspaceError(
            f"{files.snapshot} belongs to another recipe or force field; choose another folder with -o, "
            f"or remove {folder}"
        )
    at = snapshot.progress if snapshot else Progress(
        stage=plan.stages[0].name, interval=0, n_frames=0, trajectory_bytes=0, log_bytes=0,
        inputs=inputs, platform="",
    )  # fmt: skip
    _cut(files.trajectory, at.trajectory_bytes)
    _cut(files.log, at.log_bytes)
    names = [stage.name for stage in plan.stages]
    context = None
    for index in range(names.index(at.stage), len(names)):
        stage = plan.stages[index]
        if stage.name != at.stage:
            at = replace(at, stage=stage.name, interval=0)
        previous, context = context, make_context(
            system, plan, stage, platform=platform, seed=replica.seed + index
        )
        if previous is not None:
            _hand_over(previous, context)
            if stage.name == "production":
                _set_mean_volume(context, files.log)
        elif snapshot is not None:
            restore(context, snapshot)
        else:
            _start(context, (prepared / "state.xml").read_text(encoding="utf-8"), stage, replica, plan)
        del previous
        at = replace(at, platform=describe_platform(context))
        run = _StageRun(context, topology, files, plan, stage, replica, progress)
        at = run.advance(at)
    assert context is not None
    log = read_log(files.log)
    density = log.select("density")
    production = log.select("production")
    return Outcome(
        replica=replica.name,
        platform=at.platform,
        speed=float(np.median(production.speed)),
        density_stationary=judge_stationarity(density.density).stationary,
        production=at.interval * plan.interval,
    )


class _StageRun:
    """The loop of one stage; the one mutable object of this module besides the context."""

    def __init__(
        self,
        context: openmm.Context,
        topology: app.Topology,
        files: _Files,
        plan: Plan,
        stage: Stage,
        replica: Replica,
        progress: Callable[[Tick], None] | None,
    ) -> None:
        from openmm import unit

        self.context = context
        self.topology = topology
        self.files = files
        self.plan = plan
        self.stage = stage
        self.replica = replica
        self.progress = progress
        system = context.getSystem()
        masses = [
            system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(system.getNumParticles())
        ]
        self.mass = sum(masses)
        self.freedom = 3 * sum(mass > 0 for mass in masses) - system.getNumConstraints()
        self.speed = 0.0
        self.writer: app.XTCFile | None = None

    def advance(self, at: Progress) -> Progress:
        """Run the stage to its end from where it stands."""
        stage, plan = self.stage, self.plan
        if stage.name == "production" and at.interval == 0 and at.n_frames == 0:
            _cut(self.files.trajectory, 0)
            self._write_frame()
            at = self._save(replace(at, n_frames=1))
        while not self._is_over(at.interval):
            self._set_temperature(stage.temperature_at(min(at.interval, stage.n_intervals - 1)))
            started = time.perf_counter()
            self._step()
            at = replace(at, interval=at.interval + 1)
            self._report(at.interval, time.perf_counter() - started)
            if stage.name == "production":
                at = replace(at, n_frames=at.n_frames + 1)
                self._write_frame()
            if at.interval % plan.intervals_per_checkpoint == 0:
                at = self._save(at)
        return self._save(at)

    def _is_over(self, interval: int) -> bool:
        """Whether the stage has run long enough."""
        stage = self.stage
        if interval < stage.n_intervals:
            return False
        if interval >= stage.n_intervals_max:
            return True
        every = max(1, stage.n_intervals // 10)
        if (interval - stage.n_intervals) % every:
            return False
        return judge_stationarity(read_log(self.files.log).select(stage.name).density).stationary

    def _set_temperature(self, temperature: float) -> None:
        """Order a temperature from thermostat and barostat."""
        import openmm
        from openmm import unit

        self.context.getIntegrator().setTemperature(temperature * unit.kelvin)
        if self.stage.ensemble == "NPT":
            self.context.setParameter(openmm.MonteCarloBarostat.Temperature(), temperature)

    def _step(self) -> None:
        """Integrate one report interval."""
        import openmm

        try:
            self.context.getIntegrator().step(self.plan.steps_per_interval)
        except openmm.OpenMMException as error:
            raise SimulationError(self._blew_up(str(error).splitlines()[0])) from error

    def _blew_up(self, reason: str) -> str:
        """Say what happened, where, and what to do."""
        return (
            f"replica {self.replica.name} blew up in stage {self.stage.name} ({reason}); "
            'run again to continue from the last checkpoint, or with --set protocol.timestep="2 fs"'
        )

    def _report(self, interval: int, seconds: float) -> None:
        """Append one line to the log and tell the listener."""
        from openmm import unit

        state = self.context.getState(getEnergy=True)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
        temperature = 2 * kinetic / (self.freedom * unit.MOLAR_GAS_CONSTANT_R.value_in_unit(
            unit.kilojoule_per_mole / unit.kelvin))  # fmt: skip
        if not math.isfinite(potential) or temperature > 10 * max(self.stage.temperature):
            raise SimulationError(
                self._blew_up(f"potential energy {potential:.3g} kJ/mol, temperature {temperature:.3g} K")
            )
        density = self.mass / volume * 1.66053906660
        speed = self.plan.interval * 1e-3 / seconds * 86400
        self.speed = speed if not self.speed else 0.9 * self.speed + 0.1 * speed
        elapsed = interval * self.plan.interval
        step = interval * self.plan.steps_per_interval
        row = (
            f"{self.stage.name},{step},{elapsed:.4f},{potential:.6f},{kinetic:.6f},"
            f"{temperature:.4f},{volume:.4f},{density:.6f},{speed:.3f}\n"
        )
        new = not self.files.log.exists() or self.files.log.stat().st_size == 0
        with _writing(self.files.log), self.files.log.open("a", encoding="utf-8") as stream:
            stream.write(LOG_HEADER + row if new else row)
        if self.progress is not None:
            self.progress(self._tick(interval, temperature, density))

    def _tick(self, interval: int, temperature: float, density: float) -> Tick:
        """Summarise where the replica stands."""
        stages = self.plan.stages
        before = stages[: [stage.name for stage in stages].index(self.stage.name)]
        total = sum(max(stage.n_intervals, interval if stage is self.stage else 0) for stage in stages)
        done = sum(stage.n_intervals for stage in before) + interval
        rate = self.speed * 1e3 / 86400  # ps per second
        return Tick(
            replica=self.replica.name,
            stage=self.stage.name,
            done=min(1.0, done / total),
            time=interval * self.plan.interval,
            time_total=max(interval, self.stage.n_intervals) * self.plan.interval,
            speed=self.speed,
            remaining=(total - done) * self.plan.interval / rate,
            temperature=temperature,
            density=density,
        )

    def _write_frame(self) -> None:
        """Append an unwrapped frame."""
        from openmm import app, unit

        state = self.context.getState(getPositions=True)
        path = self.files.trajectory
        with _writing(path):
            if self.writer is None:
                self.writer = app.XTCFile(
                    str(path),
                    self.topology,
                    self.plan.timestep * unit.picosecond,
                    interval=self.plan.steps_per_interval,
                    append=path.exists(),
                )
            self.writer.writeModel(
                state.getPositions(asNumpy=True), periodicBoxVectors=state.getPeriodicBoxVectors()
            )

    def _save(self, at: Progress) -> Progress:
        """Flush the files, then write the snapshot that vouches for them."""
        lengths = {}
        for key, path in (("trajectory_bytes", self.files.trajectory), ("log_bytes", self.files.log)):
            if path.exists():
                with _writing(path), path.open("rb") as stream:
                    os.fsync(stream.fileno())
                lengths[key] = path.stat().st_size
        at = replace(at, **lengths)
        save_snapshot(self.files.snapshot, self.context, at)
        return at


def _start(
    context: openmm.Context, state: str, stage: Stage, replica: Replica, plan: Plan
) -> None:
    """Put the packed molecules into a context, relax them and give them velocities."""
    import openmm
    from openmm import unit

    packed = openmm.XmlSerializer.deserialize(state)
    context.setPeriodicBoxVectors(*packed.getPeriodicBoxVectors())
    context.setPositions(packed.getPositions(asNumpy=True))
    openmm.LocalEnergyMinimizer.minimize(
        context,
        _MINIMISE_TOLERANCE * unit.kilojoule_per_mole / unit.nanometer,
        _MINIMISE_ITERATIONS,
    )
    context.setVelocitiesToTemperature(stage.temperature[0] * unit.kelvin, replica.seed % 2**30 + 1)
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


def _cut(path: Path, length: int) -> None:
    """Cut a file back to the length that the snapshot vouches for."""
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise WorkspaceError(
            f"{path} has {size} bytes but its checkpoint says {length}; remove {path.parent} to run "
            "this replica again"
        )
    with _writing(path):
        if length == 0:
            path.unlink(missing_ok=True)
        elif size > length:
            os.truncate(path, length)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a failed write into one line."""
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error.strerror or error}; free space or permissions, then run again"
        ) from error
