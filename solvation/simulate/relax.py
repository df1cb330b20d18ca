"""Relaxation: packed molecules are pushed apart before they move."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openmm

    from solvation.simulate.halt import Halt

__all__ = ["relax"]

_LOG = logging.getLogger(__name__)

_TOLERANCE = 20.0
"""kJ/(mol nm), root mean square force at which the packed box is relaxed enough to heat."""
_ITERATIONS = 400
"""At most, with each strength of the springs that stand for constraints."""
_SPACING = 10.0
"""s of wall time between lines about it."""


def relax(context: openmm.Context, *, name: str, halt: Halt | None = None) -> None:
    """Minimise the potential energy of a packed box.

    Of 100 000 atoms that takes half an hour on one core: it tells how far it is, and stops when it
    is asked to.

    Parameters
    ----------
    context
        At the packed positions.
    name
        Of the replica, for what is logged.
    halt
        Asked after every iteration whether to stop.

    Raises
    ------
    StopError
        If it was asked to stop; nothing is kept of the relaxation.
    """
    import openmm
    from openmm import unit

    class Watch(openmm.MinimizationReporter):  # type: ignore[misc]  # OpenMM has no types
        """Counts iterations and says whether to stop."""

        iterations = 0
        said = time.monotonic()

        def report(self, _iteration: int, _x: object, _gradient: object, found: object) -> bool:
            self.iterations += 1
            if time.monotonic() - self.said > _SPACING:
                self.said = time.monotonic()
                energy = found["system energy"]  # type: ignore[index]
                _LOG.info("%s: relaxing, %d iterations, %.5g kJ/mol", name, self.iterations, energy)
            return halt is not None and halt.reason is not None

    openmm.LocalEnergyMinimizer.minimize(
        context, _TOLERANCE * unit.kilojoule_per_mole / unit.nanometer, _ITERATIONS, Watch()
    )
    if halt is not None:
        halt.check()
