r"""What the friction of the thermostat does to diffusion, at least.

A particle that meets the friction :math:`kT/(m D_0)` of its liquid meets that of a Langevin
thermostat too, so that :math:`1/D = 1/D_0 + \gamma m/(kT)`. Exact for Brownian particles, as in the
Langevin equation (Zwanzig, Nonequilibrium Statistical Mechanics, Oxford 2001, chapter 1). In a
liquid friction also slows the motion of the neighbours that carries a molecule along: in DME
1/ps cost twice as much (``docs/explanation/protocol.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from solvation.units import AVOGADRO, BOLTZMANN

if TYPE_CHECKING:
    from solvation.analyze.topology import Scene
    from solvation.results import Quantity

__all__ = ["estimate_slowing", "note_friction"]

WORTH_SAYING = 0.02
"""Shares below go without saying."""


def estimate_slowing(
    diffusion: float, *, mass: float, friction: float, temperature: float
) -> float:
    r"""Return by what share friction lowered a diffusion coefficient, at least.

    That is :math:`\gamma m D/(kT)`, with nothing but the molecule itself slowed.

    Parameters
    ----------
    diffusion
        As measured, m2/s.
    mass
        Of one molecule, u.
    friction
        1/ps.
    temperature
        K.

    Examples
    --------
    DME that diffuses with 3e-9 m2/s:

    >>> round(estimate_slowing(3e-9, mass=90.1, friction=1.0, temperature=298.15), 3)
    0.109

    A particle that meets no other friction is slowed by all of it:

    >>> free = 8.314462618 * 298.15 / (0.0901 * 1e12)
    >>> round(estimate_slowing(free, mass=90.1, friction=1.0, temperature=298.15), 6)
    1.0
    """
    kilograms = mass * 1e-3 / AVOGADRO
    return friction * 1e12 * kilograms * diffusion / (BOLTZMANN * temperature)


def note_friction(
    scene: Scene, quantities: Sequence[Quantity], friction: float, *, temperature: float
) -> list[Quantity]:
    """Say in the notes of diffusion coefficients how much the thermostat slowed them.

    Parameters
    ----------
    scene
        Masses of the species.
    quantities
        Of the run; to every ``diffusion.<species>`` that friction lowered by 2 % or more that is
        said.
    friction
        Of its production, 1/ps.
    temperature
        K.
    """
    mass = {f"diffusion.{species.name}": species.mass for species in scene.species}
    noted = []
    for item in quantities:
        share = 0.0
        if item.name in mass and item.value is not None:
            share = estimate_slowing(
                item.value, mass=mass[item.name], friction=friction, temperature=temperature
            )
        said = [f"friction of {friction:g}/ps slows it by {100 * share:.0f} % or more"]
        notes = [*([item.note] if item.note else []), *(said if share >= WORTH_SAYING else [])]
        noted.append(replace(item, note="; ".join(notes) or None))
    return noted
