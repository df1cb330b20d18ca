"""Tempering: one replica that wanders over temperatures, for shells that will not exchange.

After every report interval a temperature is drawn from all of them, given the potential energy;
velocities are scaled to it. The weights are learnt in the stage ``temper`` and fixed in the
production, where frames are written at the target temperature only. All that a walk is follows from
``walk.csv`` and the seed: random numbers are those of the interval, not of a generator with a
memory, so that a run that was killed goes on as if it had not been.

OpenMM's own `ExpandedEnsembleSampler` does the same moves; it draws from Python's global random
numbers, keeps its state in pickles and goes on changing its weights, so it is not used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import SimulationError, WorkspaceError
from solvation.kernels.tempering import GAS, draw_level, estimate_weights, space_temperatures
from solvation.simulate.files import writing
from solvation.walk import WALK_HEADER, Walk, read_walk

if TYPE_CHECKING:
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray

    from solvation.simulate.protocol import Plan, Replica, Stage

__all__ = ["TEMPERED", "Wanderer", "check_frames", "open_walk"]

TEMPERED = ("temper", "production")
"""Stages in which the temperature changes; the first learns the weights."""
_FEWEST = 4
"""Frames at the target temperature below which nothing can be measured."""


class Wanderer:
    """Where a tempered replica is; mutable, like the context that it steers."""

    def __init__(
        self, path: Path, plan: Plan, stage: Stage, replica: Replica, *, freedom: int, interval: int
    ) -> None:
        assert plan.tempering is not None
        self.path = path
        self.stage = stage.name
        self.seed = [replica.seed, TEMPERED.index(stage.name)]
        self.temperatures = space_temperatures(stage.temperature[1], plan.tempering, freedom)
        self.capacity = 0.5 * GAS * freedom
        self.learnt: list[tuple[int, float]] = []
        """Levels and potential energies (kJ/mol) of the stage that learns."""
        self.level = 0
        walk = _cut_walk(path, stage.name, interval)
        if walk is not None:
            rows = walk.select(TEMPERED[0])
            self.learnt = list(
                zip(rows.level.tolist(), rows.potential_energy.tolist(), strict=True)
            )
            if len(walk.next_level):
                self.level = int(walk.next_level[-1])

    @property
    def temperature(self) -> float:
        """Where it is now, K."""
        return float(self.temperatures[self.level])

    def move(self, context: openmm.Context, interval: int, potential: float) -> None:
        """Note the end of an interval, and draw the next temperature.

        Parameters
        ----------
        context
            Its velocities are scaled.
        interval
            Report intervals done in the stage.
        potential
            kJ/mol.
        """
        before = self.level
        if self.stage == TEMPERED[0]:
            self.learnt.append((before, potential))
        uniform = float(np.random.default_rng([*self.seed, interval]).random())
        self.level = draw_level(self.temperatures, self._weigh(), potential, uniform)
        row = (
            f"{self.stage},{interval},{before},{self.temperatures[before]:.4f},{potential:.6f},"
            f"{self.level}\n"
        )
        new = not self.path.exists()
        with writing(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(WALK_HEADER + row if new else row)
        if self.level != before:
            velocities = context.getState(getVelocities=True).getVelocities(asNumpy=True)
            factor = (self.temperatures[self.level] / self.temperatures[before]) ** 0.5
            context.setVelocities(velocities * float(factor))

    def _weigh(self) -> NDArray[np.float64]:
        """Weights from what was learnt, its first half forgotten: it knows the start too well."""
        levels, energies = np.array(self.learnt[len(self.learnt) // 2 :]).reshape(-1, 2).T
        places = levels.astype(int)
        n = len(self.temperatures)
        return estimate_weights(
            self.temperatures,
            np.bincount(places, minlength=n),
            np.bincount(places, weights=energies, minlength=n),
            capacity=self.capacity,
        )


def open_walk(
    folder: Path, plan: Plan, stage: Stage, replica: Replica, *, freedom: int, interval: int
) -> Wanderer | None:
    """Start to wander, or go on; None where the plan or the stage has one temperature.

    Parameters
    ----------
    folder
        Of the replica; gets ``walk.csv``.
    plan, stage, replica
        Temperatures and seed.
    freedom
        Degrees of freedom of the system.
    interval
        Report intervals that are done in this stage.

    Raises
    ------
    WorkspaceError
        If ``walk.csv`` does not reach as far as the checkpoint.
    """
    if plan.tempering is None or stage.name not in TEMPERED:
        return None
    path = folder / "walk.csv"
    return Wanderer(path, plan, stage, replica, freedom=freedom, interval=interval)


def check_frames(number: int, plan: Plan, replica: Replica) -> None:
    """Make sure that a tempered production has been at the target temperature.

    Raises
    ------
    SimulationError
        If there are too few frames to measure anything.
    """
    if plan.tempering is not None and number < _FEWEST:
        raise SimulationError(
            f"replica {replica.name} was at the target temperature in {number} frames only, while "
            f"it wandered up to {plan.tempering:g} K; make protocol.production_time or "
            "density_time_max longer, or protocol.tempering lower"
        )


def _cut_walk(path: Path, stage: str, interval: int) -> Walk | None:
    """Cut a walk back to what the checkpoint vouches for; None where there is none."""
    if not path.exists():
        if interval:
            raise WorkspaceError(f"{path} is gone; remove {path.parent} to run this replica again")
        return None
    walk = read_walk(path)
    order = [TEMPERED.index(name) for name in walk.stage.tolist()]
    here = TEMPERED.index(stage)
    kept = [
        n
        for n, (number, at) in enumerate(zip(order, walk.interval.tolist(), strict=True))
        if number < here or (number == here and at <= interval)
    ]
    done = sum(order[n] == here for n in kept)
    if done != interval:
        raise WorkspaceError(
            f"{path} has {done} reports of stage {stage} but the checkpoint says {interval}; "
            f"remove {path.parent} to run this replica again"
        )
    if len(kept) < len(order):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        with writing(path):
            path.write_text("".join([lines[0], *(lines[n + 1] for n in kept)]), encoding="utf-8")
    return read_walk(path)
