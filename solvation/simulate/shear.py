r"""Shear: the viscosity from a flow that is driven, as a short stage of its own.

Every particle feels the acceleration :math:`a_x = A \cos(k z)`, :math:`k = 2\pi n/L_z`. In the
steady state the liquid flows with :math:`u_x = V \cos(k z)`, and momentum balance gives

.. math:: \eta(k) = \frac{A \rho}{V k^2}

(Hess, J. Chem. Phys. 2002, 116, 209, 10.1063/1.1421362). No virial is needed, so that it is the
cheaper and the independent route. V is measured every few steps, in the integrator.

The thermostat rescales all velocities relative to the flow by one number (Bussi, Donadio &
Parrinello, J. Chem. Phys. 2007, 126, 014101, 10.1063/1.2408420). It neither slows the flow nor the
motion of single particles, as Langevin friction does, which makes the liquid itself more viscous.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import SimulationError
from solvation.record import FLOW, ROW_TYPE, read_record, write_header
from solvation.simulate.files import writing
from solvation.simulate.hardware import Hardware, make_properties, pick_platform
from solvation.simulate.snapshot import load_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray

    from solvation.simulate.protocol import Plan

__all__ = ["ACCELERATIONS", "COLUMNS", "Drive", "make_shear_integrator", "run_shear"]

_LOG = logging.getLogger(__name__)

ACCELERATIONS = (0.25, 0.5, 1.0)
"""Å/ps2, largest of the acceleration; a liquid of 1 mPa s in a box of 4 nm flows with 0.1, 0.2 and
0.4 Å/ps. Stress relaxes the more slowly the more viscous a liquid is, and the flow is slower in the
same measure: how far it is from linear response depends on the acceleration, not on the liquid."""
COLUMNS = ("flow", "temperature")
"""V in Å/ps and the temperature relative to the flow in K, means over the spacing of rows."""
_RELAXATION = 0.1
"""ps of the thermostat; the heat of the flow is carried off as fast as it comes."""
_EVERY = 5
"""Steps between measurements, each with a rescaling; sums over particles cost most of a step."""
_GAS = 8.31446261815324e-3
"""kJ/(mol K)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One run with one acceleration."""

    acceleration: float
    """A in Å/ps2."""
    time: float
    """ps, from rest."""
    waves: int = 1
    """How many wave lengths the box holds along z."""


def make_shear_integrator(
    temperature: float,
    relaxation: float,
    timestep: float,
    *,
    acceleration: float,
    wave: float,
    mass: float,
    freedom: int,
    seed: int,
    every: int = 1,
    constrained: bool = True,
) -> openmm.CustomIntegrator:
    """Make a leapfrog integrator that drives and measures a cosine flow at constant temperature.

    Parameters
    ----------
    temperature, relaxation, timestep
        K, ps, ps; a deviation of the kinetic energy is forgotten within ``relaxation``.
    acceleration, wave
        A in nm/ps2, k in 1/nm.
    mass
        Of all particles together, u.
    freedom
        Number of degrees of freedom, without constraints and the flow itself.
    seed
        Of the noise.
    every
        Steps between measurements, each with a rescaling.
    constrained
        Whether there are constraints.

    Notes
    -----
    Its global variables ``flow`` (nm/ps) and ``heat`` (kJ/mol, kinetic energy relative to the
    flow, after the rescaling) grow by one value with each measurement, ``count`` by one. The sum
    of ``freedom - 1`` squared normal numbers of the thermostat is drawn as a normal number with
    its mean and variance.
    """
    import openmm

    integrator = openmm.CustomIntegrator(timestep)
    integrator.setRandomNumberSeed(seed)
    integrator.addGlobalVariable("keep", math.exp(-every * timestep / relaxation))
    integrator.addGlobalVariable("aim", 0.5 * _GAS * temperature)
    integrator.addGlobalVariable("push", acceleration * timestep)
    integrator.addGlobalVariable("wave", wave)
    for name in ("turn", "count", "flow", "heat", "speed", "kinetic", "first", "rest", "scale"):
        integrator.addGlobalVariable(name, 0.0)
    along = "vector(speed*_x(cos(wave*_z(x))), 0, 0)"
    integrator.addUpdateContextState()
    integrator.addComputePerDof("v", "v + dt*f/m + vector(push*_x(cos(wave*_z(x))), 0, 0)")
    integrator.addComputePerDof("x", "x + dt*v")
    if constrained:
        integrator.addPerDofVariable("before", 0.0)
        integrator.addComputePerDof("before", "x")
        integrator.addConstrainPositions()
        integrator.addComputePerDof("v", "v + (x-before)/dt")
    integrator.addComputeGlobal("turn", "turn + 1")
    integrator.beginIfBlock(f"turn = {every}")
    # A sum runs over the three components; of a vector of one number it is that three times.
    integrator.addComputeSum("speed", f"m*vector(_x(v)*cos(wave*_z(x)), 0, 0)*{2.0 / mass!r}")
    integrator.addComputeSum("kinetic", f"0.5*m*(v-{along})^2")
    integrator.addComputeGlobal("first", "gaussian")
    integrator.addComputeGlobal(
        "rest", f"max(0, {freedom - 1} + {math.sqrt(2.0 * (freedom - 1))!r}*gaussian)"
    )
    integrator.addComputeGlobal(
        "scale",
        "select(kinetic, sqrt(max(0, keep + ratio*(first^2+rest) + 2*first*sqrt(keep*ratio))), 1);"
        "ratio=(1-keep)*aim/kinetic",
    )
    integrator.addComputePerDof("v", f"scale*v + (1-scale)*{along}")
    integrator.addComputeGlobal("flow", "flow + speed")
    integrator.addComputeGlobal("heat", "heat + scale^2*kinetic")
    integrator.addComputeGlobal("count", "count + 1")
    integrator.addComputeGlobal("turn", "0")
    integrator.endBlock()
    return integrator


def run_shear(
    prepared: Path,
    folder: Path,
    plan: Plan,
    drives: tuple[Drive, ...],
    *,
    temperature: float,
    seed: int,
    platform: str | Hardware = "auto",
    progress: Callable[[float], None] | None = None,
) -> list[Path]:
    """Drive a flow with every acceleration, from the end of the production.

    Parameters
    ----------
    prepared
        Folder with ``system.xml``.
    folder
        Of the replica: ``checkpoint`` is begun from, ``flow-<n>.rec`` are written, one for each
        drive; one that is there already is not run again.
    plan
        Time step, and how many steps lie between rows.
    drives
        Accelerations and times.
    temperature
        K.
    seed
        Of the noise.
    platform
        ``"auto"`` or an OpenMM platform name.
    progress
        Called with the fraction that is done.

    Returns
    -------
    The files.

    Raises
    ------
    SimulationError
        If there is no checkpoint to begin from, or the run blows up.
    """
    paths = [folder / FLOW.format(number=k + 1) for k in range(len(drives))]
    for k, (drive, path) in enumerate(zip(drives, paths, strict=True)):
        if path.exists() and _is_done(path, drive):
            continue
        _LOG.info("%s: driving a flow with %g Å/ps2", folder.name, drive.acceleration)
        rows, about = _drive(
            prepared, folder, plan, drive, temperature=temperature, seed=seed + k,
            platform=platform, progress=progress, done=k / len(drives), share=1.0 / len(drives),
        )  # fmt: skip
        partial = path.with_name(path.name + ".partial")
        with writing(partial):
            write_header(partial, spacing=plan.interval, start=0.0, columns=COLUMNS, about=about)
            with partial.open("ab") as stream:
                stream.write(rows.astype(ROW_TYPE).tobytes())
            partial.replace(path)
    return paths


def _is_done(path: Path, drive: Drive) -> bool:
    """Whether a file is that of a drive, and as long."""
    about = read_record(path).about
    asked = (drive.acceleration, drive.time, drive.waves)
    return (about["acceleration"], about["time"], about["waves"]) == asked


def _drive(
    prepared: Path,
    folder: Path,
    plan: Plan,
    drive: Drive,
    *,
    temperature: float,
    seed: int,
    platform: str | Hardware,
    progress: Callable[[float], None] | None,
    done: float,
    share: float,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Run one drive; return flow and temperature, ``(n_rows, 2)``, and what is needed beside."""
    import openmm
    from openmm import unit

    snapshot = load_snapshot(folder / "checkpoint")
    if snapshot is None:
        raise SimulationError(f"{folder} has no checkpoint; simulate it before a flow is driven")
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text(encoding="utf-8"))
    if any(isinstance(force, openmm.DrudeForce) for force in system.getForces()):
        raise SimulationError(
            "a flow cannot be driven with induced dipoles on springs; use protocol.stress_interval"
        )
    state = openmm.XmlSerializer.deserialize(snapshot.state)
    box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    masses = np.array([system.getParticleMass(i)._value for i in range(system.getNumParticles())])
    wave = 2.0 * math.pi * drive.waves / float(box[2, 2])
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), openmm.CMMotionRemover):
            system.removeForce(index)
    freedom = 3 * int((masses > 0).sum()) - system.getNumConstraints() - 1
    integrator = make_shear_integrator(
        temperature, _RELAXATION, plan.timestep, acceleration=drive.acceleration / 10.0,
        wave=wave, mass=float(masses.sum()), freedom=freedom, seed=seed % 2**30 + 1,
        every=min(_EVERY, plan.steps_per_interval), constrained=system.getNumConstraints() > 0,
    )  # fmt: skip
    hardware = platform if isinstance(platform, Hardware) else Hardware(platform=platform)
    chosen = pick_platform(hardware)
    context = openmm.Context(system, integrator, chosen, make_properties(chosen, hardware))
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocities(state.getVelocities(asNumpy=True))
    rows = []
    size, number = plan.steps_per_interval, max(1, round(drive.time / plan.interval))
    for k in range(number):
        for name in ("flow", "heat", "count"):
            integrator.setGlobalVariableByName(name, 0.0)
        integrator.step(size)
        flow, heat, count = (
            integrator.getGlobalVariableByName(name) for name in ("flow", "heat", "count")
        )
        flow, heat = flow / count, heat / count
        hot = 2.0 * heat / (freedom * _GAS)
        if not math.isfinite(flow) or hot > 5.0 * temperature:
            raise SimulationError(
                f"{folder.name} blew up while driven with {drive.acceleration:g} Å/ps2; "
                "use smaller accelerations"
            )
        rows.append((10.0 * flow, hot))
        if progress is not None:
            progress(done + share * (k + 1) / number)
    about = {
        "acceleration": drive.acceleration, "time": drive.time, "waves": drive.waves,
        "wave": wave / 10.0, "mass": float(masses.sum()),
        "volume": 1e3 * float(np.linalg.det(box)), "temperature": temperature,
    }  # fmt: skip
    return np.array(rows), about
