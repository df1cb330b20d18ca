"""Protocol: what to simulate after what, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from solvation.errors import RecipeError

if TYPE_CHECKING:
    from solvation.recipe import Recipe
    from solvation.section import Protocol

__all__ = ["SETTLING_FRICTION", "Plan", "Replica", "Stage", "halve_timestep", "make_plan"]

SETTLING_FRICTION = 1.0
"""1/ps, at least, wherever no motion is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of dynamics under constant orders."""

    name: Literal["heat", "anneal", "density", "temper", "production"]
    """What it is for."""
    ensemble: Literal["NVT", "NPT"]
    """Whether the box may change."""
    temperature: tuple[float, float]
    """At the beginning and at the end, K; linear between."""
    n_intervals: int
    """Length in report intervals, at least."""
    n_intervals_max: int
    """Length at most; above `n_intervals` only for a stage that ends when it is stationary."""

    def temperature_at(self, interval: int) -> float:
        """Temperature of one report interval, K."""
        first, last = self.temperature
        return first + (last - first) * (interval + 1) / self.n_intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One independent run."""

    name: str
    """Folder, e.g. ``"separated-1"``."""
    start: str
    """How its box was packed."""
    seed: int
    """Of velocities, noise and barostat."""

    @property
    def packing(self) -> int:
        """Which packing of its start, from 0: replicas of one start are packed each anew."""
        number = self.name.rpartition("-")[2]
        return int(number) - 1 if number.isdecimal() and int(number) > 0 else 0

    @property
    def box(self) -> str:
        """Folder of its packed box: the start's, from the second packing on its own name."""
        return self.name if self.packing else self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the engine must know of a recipe."""

    stages: tuple[Stage, ...]
    """In order."""
    replicas: tuple[Replica, ...]
    """Independent runs."""
    timestep: float
    """ps."""
    friction: float
    """Of the production, 1/ps; `friction_in` knows that of every stage."""
    pressure: float
    """bar."""
    steps_per_interval: int
    """Time steps between reports."""
    intervals_per_checkpoint: int
    """Reports between checkpoints."""
    steps_per_record: int = 0
    """Time steps between rows of currents and dipoles; 0 for none."""
    steps_per_stress: int = 0
    """Time steps between rows of the pressure tensor; 0 for none."""
    shear_time: float = 0.0
    """ps that a flow is driven with each acceleration after the production; 0 for none."""
    tempering: float | None = None
    """Hottest temperature that a replica wanders to in its production, K; None to stay."""
    n_halvings: int = 0
    """How often the time step was halved after a blow-up; reports stay where they are."""

    @property
    def interval(self) -> float:
        """Time between reports, ps."""
        return self.timestep * self.steps_per_interval

    def friction_in(self, stage: Stage) -> float:
        """Langevin friction of a stage, 1/ps.

        Weak where motion is measured, which it slows; at least 1/ps where only the equilibrium
        counts, which is reached sooner, and where the temperature wanders.
        """
        if stage.name == "production" and self.tempering is None:
            return self.friction
        return max(self.friction, SETTLING_FRICTION)


def halve_timestep(plan: Plan) -> Plan:
    """Halve the time step; everything that is counted in time steps happens at the same times."""
    counts = {
        field.name: 2 * getattr(plan, field.name)
        for field in fields(plan)
        if field.name.startswith("steps_per_")
    }
    return replace(plan, timestep=plan.timestep / 2, n_halvings=plan.n_halvings + 1, **counts)


def make_plan(recipe: Recipe) -> Plan:
    """Lay out the stages of a resolved recipe.

    minimise -> NVT at high temperature, where the packing is forgotten -> NPT cooling to the
    target -> NPT until the density is stationary -> NVT production at the mean density; with
    tempering, between the last two NVT at wandering temperature, to learn its weights. Production
    is NVT because a barostat disturbs the dynamics that diffusion and conductivity are read from.

    Raises
    ------
    RecipeError
        If times are inconsistent.
    """
    protocol = recipe.protocol
    timestep = _magnitude(protocol, "timestep")
    report = _magnitude(protocol, "report_interval")
    steps = round(report / timestep)
    if steps < 1:
        raise RecipeError(
            f"protocol.report_interval = {protocol.report_interval} is shorter than the time step "
            f"{protocol.timestep}; make it longer"
        )
    if abs(steps * timestep - report) > 1e-6 * report:
        raise RecipeError(
            f"protocol.report_interval = {protocol.report_interval} is not a whole number of time "
            f"steps of {protocol.timestep}; use {steps * timestep:g} ps"
        )

    def count(key: str) -> int:
        length = _magnitude(protocol, key)
        return max(1, round(length / report)) if length else 0

    target = recipe.conditions.temperature.magnitude
    hot = max(_magnitude(protocol, "heat_temperature"), target)
    shortest, longest = count("density_time"), count("density_time_max")
    production = count("production_time")
    for key, number in (("density_time", shortest), ("production_time", production)):
        if number < 4:
            raise RecipeError(
                f"protocol.{key} = {getattr(protocol, key)} holds {number} report intervals of "
                f"{protocol.report_interval}; make it at least 4"
            )
    tempering = protocol.tempering.magnitude if protocol.tempering is not None else None
    if tempering is not None and tempering <= target:
        raise RecipeError(
            f"protocol.tempering = {protocol.tempering} is not above the temperature of "
            f"{recipe.conditions.temperature}; give the hottest to wander to, or leave it out"
        )
    stages = (
        Stage(
            name="heat", ensemble="NVT", temperature=(hot, hot),
            n_intervals=count("heat_time"), n_intervals_max=count("heat_time"),
        ),
        Stage(
            name="anneal", ensemble="NPT", temperature=(hot, target),
            n_intervals=count("anneal_time"), n_intervals_max=count("anneal_time"),
        ),
        Stage(
            name="density", ensemble="NPT", temperature=(target, target),
            n_intervals=shortest, n_intervals_max=max(shortest, longest),
        ),
        Stage(
            name="temper", ensemble="NVT", temperature=(target, target),
            n_intervals=longest if tempering is not None else 0,
            n_intervals_max=longest if tempering is not None else 0,
        ),
        Stage(
            name="production", ensemble="NVT", temperature=(target, target),
            n_intervals=production, n_intervals_max=production,
        ),
    )  # fmt: skip
    return Plan(
        stages=tuple(stage for stage in stages if stage.n_intervals),
        replicas=_list_replicas(protocol),
        timestep=timestep,
        friction=_magnitude(protocol, "friction"),
        pressure=recipe.conditions.pressure.magnitude,
        steps_per_interval=steps,
        intervals_per_checkpoint=count("checkpoint_interval"),
        steps_per_record=_divide(steps, _magnitude(protocol, "record_interval"), timestep),
        steps_per_stress=_divide(steps, _magnitude(protocol, "stress_interval"), timestep),
        shear_time=_magnitude(protocol, "shear_time"),
        tempering=tempering,
    )


def _list_replicas(protocol: Protocol) -> tuple[Replica, ...]:
    """Name the replicas and give each its own seed."""
    import numpy as np

    starts = protocol.starts or ("separated",)
    number = protocol.replicas or len(starts)
    seeds = np.random.SeedSequence(protocol.seed).generate_state(number)
    return tuple(
        Replica(
            name=f"{starts[index % len(starts)]}-{index // len(starts) + 1}",
            start=starts[index % len(starts)],
            seed=int(seeds[index] % 2**31) or 1,
        )
        for index in range(number)
    )


def _divide(steps: int, spacing: float, timestep: float) -> int:
    """Most time steps that are no longer than a spacing (ps) and divide a report interval."""
    if spacing <= 0.0:
        return 0
    most = max(1, math.floor(spacing / timestep * (1.0 + 1e-9)))
    return max(k for k in range(1, min(most, steps) + 1) if steps % k == 0)


def _magnitude(protocol: Protocol, key: str) -> float:
    """Read one amount of a resolved protocol."""
    amount = getattr(protocol, key)
    if amount is None:
        raise RecipeError(f"protocol.{key} is not set; call recipe.resolve() first")
    return float(amount.magnitude)
