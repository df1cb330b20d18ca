"""Polarization: what a card's ``[drude]`` table says of induced dipoles.

A polarizable card gives atomic polarizabilities by species and element, with those of the
hydrogens merged into their heavy atoms; how the Lennard-Jones epsilon between fragments is
reduced, because induction is now explicit; and which ions' charges are smeared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solvation.errors import ForceFieldError
from solvation.library import find_species

if TYPE_CHECKING:
    from solvation.build.forcefield import ForceField

__all__ = ["Polarization", "check_drude", "read_polarization"]

_NUMBERS = ("force_constant", "mass", "thole", "hydrogen")
_KEYS = (*_NUMBERS, "alpha", "fragment", "factor", "damping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polarization:
    """Induced dipoles of a force field, as charges on springs."""

    force_constant: float
    """Of the spring between core and Drude particle, kJ/mol/nm2; E = k/2 x2."""
    mass: float
    """Of a Drude particle, taken from its core, u."""
    thole: float
    """Screening parameter of a pair of dipoles, dimensionless."""
    hydrogen: float
    """Polarizability of a hydrogen, merged into its heavy atom, Å3."""
    alpha: Mapping[str, Mapping[str, float]]
    """Polarizability by species and element, Å3; an ion without any is not polarizable."""
    fragment: Mapping[str, str]
    """Kind of fragment by species."""
    factor: Mapping[frozenset[str], float]
    """Factor on the Lennard-Jones epsilon by pair of kinds."""
    damping: Mapping[str, float]
    """``b`` (1/nm) and ``c`` of the Tang–Toennies function."""
    damped: tuple[str, ...]
    """Ions whose charges are smeared for the dipoles around them."""

    def alpha_of(self, species: str, element: str, hydrogens: int) -> float:
        """Polarizability in Å3 of a heavy atom with its hydrogens; 0 where there is none."""
        heavy = self.alpha[species].get(element, 0.0)
        return heavy + hydrogens * self.hydrogen if heavy else 0.0

    def factor_of(self, first: str, second: str) -> float:
        """Factor on epsilon between two species; 1 where the card has none."""
        return self.factor.get(frozenset((self.fragment[first], self.fragment[second])), 1.0)


def read_polarization(forcefield: ForceField) -> Polarization | None:
    """Read the ``[drude]`` table of a card; None when the force field is not polarizable."""
    table = forcefield.card.get("drude")
    if table is None:
        return None
    return Polarization(
        **{key: float(table[key]) for key in _NUMBERS},
        alpha=table["alpha"],
        fragment=table["fragment"],
        factor={frozenset(row["pair"]): float(row["k"]) for row in table["factor"]},
        damping={key: float(table["damping"][key]) for key in ("b", "c")},
        damped=tuple(table["damping"]["ions"]),
    )


def check_drude(card: Mapping[str, Any], place: str) -> None:
    """Check the ``[drude]`` table of a card.

    Raises
    ------
    ForceFieldError
        What is wrong with it.
    """
    if "drude" not in card:
        return
    table = card["drude"]
    where = f"{place}: [drude]"
    if differing := sorted(set(table) ^ set(_KEYS)):
        verb = "lacks" if differing[0] in _KEYS else "has the unknown key"
        raise ForceFieldError(f"{where} {verb} {differing[0]}; use {', '.join(_KEYS)}")
    for key in _NUMBERS:
        if not isinstance(table[key], float) or table[key] <= 0:
            raise ForceFieldError(f"{where} {key} = {table[key]!r} must be a positive number")
    coverage: Sequence[str] = card["coverage"]
    for key in ("alpha", "fragment"):
        if missing := [name for name in coverage if name not in table[key]]:
            raise ForceFieldError(f"{where} {key} has no {missing[0]}; add it")
    if set(table["damping"]) != {"b", "c", "ions", "source"}:
        raise ForceFieldError(f"{where} damping must have b, c, ions and source")
    known = set()
    for row in table["factor"]:
        if set(row) != {"pair", "k", "source"} or not 0 < row["k"] <= 1:
            raise ForceFieldError(f"{where} factor {row} must have pair, k (0 to 1) and source")
        known.add(frozenset(row["pair"]))
    for first in coverage:
        for second in coverage:
            pair = frozenset((table["fragment"][first], table["fragment"][second]))
            if pair not in known and not _needs_none(first, second):
                raise ForceFieldError(f"{where} factor has no pair {' and '.join(sorted(pair))}")


def _needs_none(first: str, second: str) -> bool:
    """Whether CL&Pol scales nothing: ions of like charge; ours: ions of a single atom."""
    one, other = find_species(first), find_species(second)
    like = one.charge * other.charge > 0
    return like or any(s.n_atoms == 1 and s.charge > 0 for s in (one, other))
