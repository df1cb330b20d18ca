"""Loop: one stage of one replica, interval by interval."""

from __future__ import annotations

import logging
import math
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solvation.errors import SimulationError
from solvation.kernels.stationarity import judge_stationarity
from solvation.log import DRUDE_HEADER, LOG_HEADER, read_log
from solvation.simulate.drude import list_pairs, measure_temperatures
from solvation.simulate.engine import Progress, save_snapshot
from solvation.simulate.files import cut_file, writing
from solvation.simulate.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openmm
    from openmm import app

    from solvation.simulate.files import ReplicaFiles
    from solvation.simulate.protocol import Plan, Replica, Stage

__all__ = ["StageRun", "Tick"]

_LOG = logging.getLogger(__name__)


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


class StageRun:
    """The loop of one stage; the one mutable object of this module besides the context."""

    def __init__(
        self,
        context: openmm.Context,
        topology: app.Topology,
        files: ReplicaFiles,
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
            system.getParticleMass(i).value_in_unit(unit.dalton)
            for i in range(system.getNumParticles())
        ]
        self.mass = sum(masses)
        self.pairs = list_pairs(system)
        self.constraints = system.getNumConstraints()
        self.freedom = 3 * sum(mass > 0 for mass in masses) - self.constraints
        self.speed = 0.0
        self.clock = 0.0
        self.writer: app.XTCFile | None = None
        self.recorder: Recorder | None = None
        if stage.name == "production" and (plan.steps_per_record or plan.steps_per_stress):
            self.recorder = Recorder(context, topology, plan, files.trajectory.parent)

    def advance(self, at: Progress) -> Progress:
        """Run the stage to its end from where it stands."""
        stage, plan = self.stage, self.plan
        if stage.name == "production" and at.interval == 0 and at.n_frames == 0:
            cut_file(self.files.trajectory, 0)
            self._write_frame()
            at = self._save(replace(at, n_frames=1))
        if self.recorder is not None:
            self.recorder.begin(at.interval)
        self.clock = time.perf_counter()
        while not self._is_over(at.interval):
            self._set_temperature(stage.temperature_at(min(at.interval, stage.n_intervals - 1)))
            self._step()
            at = replace(at, interval=at.interval + 1)
            self._report(at.interval)
            if stage.name == "production":
                at = replace(at, n_frames=at.n_frames + 1)
                self._write_frame()
            if at.interval % plan.intervals_per_checkpoint == 0:
                at = self._save(at)
        if self.recorder is not None and self.recorder.wall:
            _LOG.info("%s: %s", self.replica.name, self.recorder.describe_cost())
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

        step, size = self.context.getIntegrator().step, self.plan.steps_per_interval
        try:
            if self.recorder is None:
                step(size)
            else:
                self.recorder.advance(size, step)
        except openmm.OpenMMException as error:
            raise SimulationError(self._blew_up(str(error).splitlines()[0])) from error

    def _blew_up(self, reason: str) -> str:
        """Say what happened, where, and what to do."""
        return (
            f"replica {self.replica.name} blew up in stage {self.stage.name} ({reason}); "
            "run again to continue from the last checkpoint, or start in another folder with "
            '--set protocol.timestep="2 fs"'
        )

    def _report(self, interval: int) -> None:
        """Append one line to the log and tell the listener."""
        from openmm import unit

        state = self.context.getState(getEnergy=True)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
        temperature = 2 * kinetic / (self.freedom * unit.MOLAR_GAS_CONSTANT_R.value_in_unit(
            unit.kilojoule_per_mole / unit.kelvin))  # fmt: skip
        drudes = ""
        if self.pairs is not None:
            velocities = self.context.getState(getVelocities=True).getVelocities(asNumpy=True)
            temperature, cold = measure_temperatures(
                velocities.value_in_unit(unit.nanometer / unit.picosecond),
                self.pairs,
                self.constraints,
            )
            drudes = f",{cold:.4f}"
        if not math.isfinite(potential) or temperature > 10 * max(self.stage.temperature):
            raise SimulationError(
                self._blew_up(
                    f"potential energy {potential:.3g} kJ/mol, temperature {temperature:.3g} K"
                )
            )
        density = self.mass / volume * 1.66053906660
        # From report to report: a GPU is still stepping when step() returns, and writing counts.
        started, self.clock = self.clock, time.perf_counter()
        speed = self.plan.interval * 1e-3 / (self.clock - started) * 86400
        self.speed = speed if not self.speed else 0.9 * self.speed + 0.1 * speed
        elapsed = interval * self.plan.interval
        step = interval * self.plan.steps_per_interval
        row = (
            f"{self.stage.name},{step},{elapsed:.4f},{potential:.6f},{kinetic:.6f},"
            f"{temperature:.4f},{volume:.4f},{density:.6f},{speed:.3f}{drudes}\n"
        )
        header = DRUDE_HEADER if drudes else LOG_HEADER
        new = not self.files.log.exists() or self.files.log.stat().st_size == 0
        with writing(self.files.log), self.files.log.open("a", encoding="utf-8") as stream:
            stream.write(header + row if new else row)
        if self.progress is not None:
            self.progress(self._tick(interval, temperature, density))

    def _tick(self, interval: int, temperature: float, density: float) -> Tick:
        """Summarise where the replica stands."""
        stages = self.plan.stages
        before = stages[: [stage.name for stage in stages].index(self.stage.name)]
        total = sum(stage.n_intervals for stage in stages)
        done = sum(stage.n_intervals for stage in before) + min(interval, self.stage.n_intervals)
        rate = self.speed * 1e3 / 86400  # ps per second
        return Tick(
            replica=self.replica.name,
            stage=self.stage.name,
            done=done / total,
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
        with writing(path):
            if self.writer is None:
                self.writer = app.XTCFile(
                    str(path),
                    self.topology,
                    self.plan.timestep * unit.picosecond,
                    interval=self.plan.steps_per_interval,
                    append=path.exists(),
                )
            atoms = state.getPositions(asNumpy=True)[: self.topology.getNumAtoms()]
            self.writer.writeModel(atoms, periodicBoxVectors=state.getPeriodicBoxVectors())

    def _save(self, at: Progress) -> Progress:
        """Flush the files, then write the snapshot that vouches for them."""
        if self.recorder is not None:
            self.recorder.flush()
        at = replace(
            at,
            trajectory_bytes=_flush(self.files.trajectory),
            log_bytes=_flush(self.files.log),
        )
        save_snapshot(self.files.snapshot, self.context, at)
        return at


def _flush(path: Path) -> int:
    """Make sure that a file is on the disk; returns its length in bytes."""
    if not path.exists():
        return 0
    with writing(path), path.open("rb") as stream:
        os.fsync(stream.fileno())
    return path.stat().st_size
