"""Engine: an OpenMM context for one stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvation.errors import SimulationError
from solvation.simulate.drude import list_pairs, make_drude_integrator
from solvation.simulate.hardware import Hardware, choose_platform, make_properties, pick_platform
from solvation.simulate.snapshot import (
    Progress,
    Snapshot,
    describe_platform,
    load_snapshot,
    restore,
    save_snapshot,
)
from solvation.simulate.stress import add_gauge

if TYPE_CHECKING:
    import openmm

    from solvation.simulate.protocol import Plan, Stage

__all__ = [
    "Progress",
    "Snapshot",
    "choose_platform",
    "describe_platform",
    "load_snapshot",
    "make_context",
    "restore",
    "save_snapshot",
]


def make_context(
    system: openmm.System, plan: Plan, stage: Stage, *, platform: str | Hardware, seed: int
) -> openmm.Context:
    """Make a context for one stage: thermostat, and barostat when the box may change.

    Parameters
    ----------
    system
        Forces; left as it is.
    plan, stage
        Time step, friction and pressure; temperature and ensemble.
    platform
        Name of a platform, ``"auto"``, or all of the hardware.
    seed
        Of noise and barostat.

    Raises
    ------
    SimulationError
        If the platform cannot run this system.
    """
    import openmm
    from openmm import unit

    hardware = Hardware(platform=platform) if isinstance(platform, str) else platform
    clone = openmm.XmlSerializer.clone(system)
    temperature = stage.temperature[0] * unit.kelvin
    if stage.ensemble == "NPT":
        barostat = openmm.MonteCarloBarostat(plan.pressure * unit.bar, temperature, 25)
        barostat.setRandomNumberSeed(seed % 2**30 + 1)
        clone.addForce(barostat)
    elif stage.name == "production" and plan.steps_per_stress:
        add_gauge(clone, stage.temperature[0])
    friction = plan.friction_in(stage)
    if list_pairs(system) is None:
        integrator = openmm.LangevinMiddleIntegrator(
            temperature, friction / unit.picosecond, plan.timestep * unit.picosecond
        )
        integrator.setRandomNumberSeed(seed % 2**30 + 1)
    else:
        integrator = make_drude_integrator(
            stage.temperature[0], friction, plan.timestep, seed=seed % 2**30 + 1
        )
    chosen = pick_platform(hardware)
    try:
        return openmm.Context(clone, integrator, chosen, make_properties(chosen, hardware))
    except openmm.OpenMMException as error:
        text = str(error).strip().splitlines()
        raise SimulationError(
            f"platform {chosen.getName()} cannot run this system: "
            f"{text[0] if text else type(error).__name__}; choose another with --platform"
        ) from error
