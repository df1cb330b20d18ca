r"""Stress: the instantaneous pressure tensor, for the viscosity.

OpenMM knows no virial; a barostat that never acts differentiates the potential energy with respect
to a strain of the box, molecules moved as wholes, and adds the momentum that their centres carry.
With molecules as wholes no constraint force enters (the molecular virial, e.g. Allen & Tildesley,
Computer Simulation of Liquids, 2nd ed., section 2.4), and its time integral is that of the atomic
one: both belong to the same momentum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import SimulationError

if TYPE_CHECKING:
    import openmm
    from numpy.typing import NDArray

__all__ = ["COMPONENTS", "add_gauge", "find_gauge", "measure_stress"]

COMPONENTS = ("xx", "yy", "zz", "xy", "xz", "yz")
"""Order of the numbers of a row."""


def add_gauge(system: openmm.System, temperature: float) -> None:
    """Add a barostat with frequency zero to a system: it measures and never acts."""
    import openmm
    from openmm import unit

    gauge = openmm.MonteCarloFlexibleBarostat(1.0 * unit.bar, temperature * unit.kelvin, 0, True)
    system.addForce(gauge)


def find_gauge(context: openmm.Context) -> openmm.MonteCarloFlexibleBarostat:
    """Find it again.

    Raises
    ------
    SimulationError
        If the context was made without one.
    """
    import openmm

    for force in context.getSystem().getForces():
        if isinstance(force, openmm.MonteCarloFlexibleBarostat):
            return force
    raise SimulationError("this context was made without a gauge of the pressure tensor")


def measure_stress(
    context: openmm.Context, gauge: openmm.MonteCarloFlexibleBarostat
) -> NDArray[np.float64]:
    """Measure the pressure tensor in bar, pressure positive, in the order of `COMPONENTS`.

    Shape ``(6,)``.
    """
    from openmm import unit

    tension = gauge.computeStressTensor(context, True)
    if unit.is_quantity(tension):
        tension = tension.value_in_unit(unit.bar)
    return -np.array([float(x / unit.bar if unit.is_quantity(x) else x) for x in tension])
