"""Loop: one stage of one replica, interval by interval."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from solvation.kernels.stationarity import judge_stationarity
from solvation.log import DRUDE_HEADER, LOG_HEADER, read_log
from solvation.simulate.drude import list_pairs, measure_temperatures
from solvation.simulate.engine import Progress, save_snapshot
from solvation.simulate.files import check_frame, cut_file, explain_failure, flush, writing
from solvation.simulate.halt import Halt
from solvation.simulate.postmortem import BlowUpError, examine
from solvation.simulate.recorder import Recorder
from solvation.simulate.tempering import Wanderer, check_frames, open_walk
from solvation.simulate.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Callable

    import openmm
    from openmm import app

    from solvation.simulate.files import ReplicaFiles
    from solvation.simulate.protocol import Plan, Replica, Stage

__all__ = ["StageRun", "Tick"]

_LOG = logging.getLogger(__name__)
_CHUNK = 0.5
"""s of wall time between looks at whether to stop."""
_MEMORY = 5.0
"""s of wall time between moments kept for a post-mortem."""


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
        halt: Halt | None = None,
        *,
        pausing: bool = False,
    ) -> None:
        from openmm import unit

        self.context = context
        self.topology = topology
        self.files = files
        self.plan = plan
        self.stage = stage
        self.replica = replica
        self.progress = progress
        self.halt = halt or Halt()
        self.pausing = pausing
        """Whether `advance` comes back at every checkpoint, and takes none between."""
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
        self.pace = 0.0
        """Time steps per second, while a stage runs."""
        self.stepped = 0
        """Time steps since the last report in this process."""
        self.good: tuple[openmm.State, int] | None = None
        """Last moment that was kept, and time steps since."""
        self.kept = 0.0
        self.saved: Progress | None = None
        """What the last snapshot vouches for."""
        self.writer: app.XTCFile | None = None
        self.recorder: Recorder | None = None
        recorded = plan.steps_per_record or plan.steps_per_stress
        if stage.name == "production" and recorded and plan.tempering is None:
            self.recorder = Recorder(context, topology, plan, files.trajectory.parent)
        self.wanderer: Wanderer | None = None

    def advance(self, at: Progress) -> Progress:
        """Run the stage from where it stands to its end, or to the next checkpoint."""
        stage, plan = self.stage, self.plan
        self.wanderer = open_walk(
            self.files.log.parent, plan, stage, self.replica,
            freedom=self.freedom, interval=at.interval,
        )  # fmt: skip
        self.saved = at if at.interval or at.steps else None
        if stage.name == "production" and at.interval == 0 and at.n_frames == 0:
            cut_file(self.files.trajectory, 0)
            at = self._save(self._keep_frame(at))
        if self.recorder is not None:
            self.recorder.begin(at.interval, at.steps)
        self.clock = time.perf_counter()
        while not self.is_over(at.interval):
            ordered = stage.temperature_at(min(at.interval, stage.n_intervals - 1))
            self._set_temperature(self.wanderer.temperature if self.wanderer else ordered)
            done = self._step(at.steps)
            if done < plan.steps_per_interval:
                self._check()
                if not self.pausing:
                    self._save(replace(at, steps=done))
                self.halt.check()
            at = replace(at, interval=at.interval + 1, steps=0)
            self._report(at.interval)
            if stage.name == "production":
                at = self._keep_frame(at)
            stop = self.halt.reason is not None
            save = at.interval % plan.intervals_per_checkpoint == 0 or (stop and not self.pausing)
            if save:
                at = self._save(at)
            if stop and not self.is_over(at.interval):
                self.halt.check()
            if save and self.pausing and not self.is_over(at.interval):
                return at
        if self.recorder is not None and self.recorder.wall:
            _LOG.info("%s: %s", self.replica.name, self.recorder.describe_cost())
        if stage.name == "production":
            check_frames(at.n_frames, plan, self.replica)
        # Saved twice, the same moment would push the one before it out.
        return at if at == self.saved else self._save(at)

    def _keep_frame(self, at: Progress) -> Progress:
        """Write a frame of the production, unless the replica is away from its temperature."""
        if self.wanderer is not None and self.wanderer.level:
            return at
        self._write_frame()
        return replace(at, n_frames=at.n_frames + 1)

    def is_over(self, interval: int) -> bool:
        """Whether the stage has run long enough."""
        stage = self.stage
        if interval < stage.n_intervals:
            return False
        if interval >= stage.n_intervals_max:
            return True
        every = max(1, stage.n_intervals // 10)
        if (interval - stage.n_intervals) % every:
            return False
        log = read_log(self.files.log).select(stage.name)
        series = (log.density, log.potential_energy)
        return all(judge_stationarity(values).stationary for values in series)

    def _set_temperature(self, temperature: float) -> None:
        """Order a temperature from thermostat and barostat."""
        import openmm
        from openmm import unit

        self.context.getIntegrator().setTemperature(temperature * unit.kelvin)
        if self.stage.ensemble == "NPT":
            self.context.setParameter(openmm.MonteCarloBarostat.Temperature(), temperature)

    def _step(self, done: int = 0) -> int:
        """Integrate what is left of a report interval, unless asked to stop.

        Parameters
        ----------
        done
            Time steps of the interval that are done.

        Returns
        -------
        int
            Time steps of the interval that are done now.
        """
        import openmm

        size, step = self.plan.steps_per_interval, self.context.getIntegrator().step
        unit = self.recorder.period if self.recorder is not None else 1
        while done < size and (done == 0 or self.halt.reason is None):
            self._keep()
            chunk = max(1, int(self.pace * _CHUNK)) if self.pace else 10
            chunk = min(size - done, -(-chunk // unit) * unit)
            began = time.perf_counter()
            try:
                if self.recorder is None:
                    step(chunk)
                else:
                    self.recorder.advance(chunk, step)
            except openmm.OpenMMException as error:
                self._count(chunk)
                raise self._blow_up(str(error).splitlines()[0]) from error
            pace = chunk / max(time.perf_counter() - began, 1e-6)
            self.pace = pace if not self.pace else min(0.5 * (self.pace + pace), 4 * self.pace)
            self._count(chunk)
            done += chunk
        return done

    def _keep(self) -> None:
        """Keep a moment now and then, to step into a blow-up again from there."""
        now = time.monotonic()
        if self.good is None or now - self.kept > _MEMORY:
            self.good = self.context.getState(getPositions=True, getVelocities=True), 0
            self.kept = now

    def _count(self, steps: int) -> None:
        """Count time steps since the last moment that was kept."""
        self.stepped += steps
        if self.good is not None:
            self.good = self.good[0], self.good[1] + steps

    def _check(self) -> None:
        """Make sure that energies are those of a liquid before a moment is written down."""
        from openmm import unit

        state = self.context.getState(getEnergy=True)
        self._judge(
            state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
            self._temperature(state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)),
        )

    def _temperature(self, kinetic: float) -> float:
        """Temperature in K of a kinetic energy in kJ/mol."""
        from openmm import unit

        gas = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
        return float(2 * kinetic / (self.freedom * gas))

    def _judge(self, potential: float, temperature: float) -> None:
        """Raise `BlowUpError` if an energy is no number, or a temperature (K) far too high."""
        if not math.isfinite(potential) or not temperature <= self._hottest:
            raise self._blow_up(
                f"potential energy {potential:.3g} kJ/mol, temperature {temperature:.3g} K"
            )

    @property
    def _hottest(self) -> float:
        """Temperature beyond which a stage has blown up, K."""
        return 10 * max(*self.stage.temperature, self.plan.tempering or 0.0)

    def _blow_up(self, reason: str) -> BlowUpError:
        """Find out what happened, save it, and say what to do."""
        found = ""
        if self.good is not None:
            try:
                found = ": " + examine(
                    self.context, *self.good, self.topology,
                    self.files.trajectory.parent / "blow-up",
                    reason=reason, hottest=self._hottest,
                )  # fmt: skip
            except Exception as error:  # what blew up must be said, whatever this runs into
                found = f" (not examined: {str(error).splitlines()[0] if str(error) else error!r})"
        return BlowUpError(
            f"replica {self.replica.name} blew up in stage {self.stage.name} ({reason}){found}; "
            "run again to continue from the last checkpoint, or start in another folder with "
            '--set protocol.timestep="2 fs"',
            stage=self.stage.name,
        )

    def _report(self, interval: int) -> None:
        """Append one line to the log and tell the listener."""
        from openmm import unit

        state = self.context.getState(getEnergy=True)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
        temperature = self._temperature(kinetic)
        drudes = ""
        if self.pairs is not None:
            velocities = self.context.getState(getVelocities=True).getVelocities(asNumpy=True)
            temperature, cold = measure_temperatures(
                velocities.value_in_unit(unit.nanometer / unit.picosecond),
                self.pairs,
                self.constraints,
            )
            drudes = f",{cold:.4f}"
        self._judge(potential, temperature)
        density = self.mass / volume * 1.66053906660
        # From report to report: a GPU is still stepping when step() returns, and writing counts.
        started, self.clock = self.clock, time.perf_counter()
        speed = self.stepped * self.plan.timestep * 1e-3 / (self.clock - started) * 86400
        self.stepped = 0
        self.speed = speed if not self.speed else 0.9 * self.speed + 0.1 * speed
        elapsed = interval * self.plan.interval
        step = interval * self.plan.steps_per_interval >> self.plan.n_halvings
        row = (
            f"{self.stage.name},{step},{elapsed:.4f},{potential:.6f},{kinetic:.6f},"
            f"{temperature:.4f},{volume:.4f},{density:.6f},{speed:.3f}{drudes}\n"
        )
        header = DRUDE_HEADER if drudes else LOG_HEADER
        new = not self.files.log.exists() or self.files.log.stat().st_size == 0
        with writing(self.files.log), self.files.log.open("a", encoding="utf-8") as stream:
            stream.write(header + row if new else row)
        if self.wanderer is not None:
            self.wanderer.move(self.context, interval, potential)
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
        atoms = state.getPositions(asNumpy=True)[: self.topology.getNumAtoms()]
        with writing(path):
            before = path.stat().st_size if path.exists() else 0
            try:
                if self.writer is None:
                    # Steps are counted in frames: in time steps they outgrow 32 bits some day.
                    self.writer = app.XTCFile(
                        str(path),
                        self.topology,
                        self.plan.interval * unit.picosecond,
                        append=path.exists(),
                    )
                self.writer.writeModel(atoms, periodicBoxVectors=state.getPeriodicBoxVectors())
                check_frame(path, before)
            except (RuntimeError, OSError) as error:
                raise explain_failure(path, error) from error

    def _save(self, at: Progress) -> Progress:
        """Flush the files, then write the snapshot that vouches for them."""
        if self.recorder is not None:
            self.recorder.flush()
        if self.wanderer is not None:
            flush(self.wanderer.path)
        at = replace(
            at,
            trajectory_bytes=flush(self.files.trajectory),
            log_bytes=flush(self.files.log),
        )
        save_snapshot(self.files.snapshot, self.context, at)
        self.saved = at
        return at
