"""Mixture: how much of everything there is, as moles, before there are molecules.

The moles are per mole of solvent units, per kilogram of solvent or per liter, whichever the
recipe speaks of. A liter needs volumes: ideal mixing, see `composition`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvation.errors import RecipeError
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from solvation.library import Species
    from solvation.recipe import Recipe

__all__ = ["Mixture", "compute_volume", "list_asked", "weigh_mixture"]

_ANGSTROM3_PER_CM3_MOL = 1e24 / AVOGADRO
_DEFAULT_DENSITY = 0.95
"""g/cm3 for a solvent whose density is not known; only the size of the first box depends on it."""

Parts = tuple[tuple["Species", int], ...]
"""What a unit is made of: one molecule, or the ions of a formula unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Amounts on one scale, by formula of salt or name of molecule."""

    salts: Mapping[str, float]
    """Moles of formula units."""
    solvents: Mapping[str, float]
    """Moles of molecules, or of formula units of ionic liquids."""
    additives: Mapping[str, float]
    """Moles of molecules."""
    parts: Mapping[str, Parts]
    """What a unit of each is made of."""

    @property
    def moles(self) -> dict[str, float]:
        """Moles of everything."""
        return {**self.salts, **self.solvents, **self.additives}

    @property
    def species(self) -> dict[str, Species]:
        """Ions and molecules by name: cations, then anions, then molecules."""
        found = {kind.name: kind for name in self.moles for kind, _ in self.parts[name]}
        order = {"cation": 0, "anion": 1, "solvent": 2}
        return dict(sorted(found.items(), key=lambda item: order[item[1].role]))

    def measure(self, quantity: Callable[[Species], float], of: Iterable[str] = ()) -> float:
        """Sum a property of species over the moles of everything, or of some."""
        moles = self.moles
        return math.fsum(
            moles[name] * number * quantity(kind)
            for name in (of or moles)
            for kind, number in self.parts[name]
        )


def weigh_mixture(recipe: Recipe) -> Mixture:
    """Find the moles of salts, solvents and additives of a recipe.

    Raises
    ------
    RecipeError
        If amounts of different kinds are mixed, or the ions alone fill the volume.
    """
    shares = _share_solvents(recipe)
    salts: dict[str, float] = {}
    for salt in recipe.salt:
        if salt.concentration is None:
            salts[salt.formula] = 1.0 / (salt.solvent_ratio or 1.0)
        else:
            salts[salt.formula] = salt.concentration.magnitude
    cations = sum(salts[salt.formula] * salt.stoichiometry[0] for salt in recipe.salt)
    additives = {
        item.species.name: (item.per_cation or 0.0) * cations
        if item.concentration is None
        else item.concentration.magnitude
        for item in recipe.additive
    }
    one = Mixture(salts=salts, solvents=shares, additives=additives, parts=_list_parts(recipe))
    total, kind = 1.0, _find_kind(recipe)
    if kind == "kilogram":
        total = 1000.0 / one.measure(lambda species: species.mass, shares)
    if kind == "liter":
        liter = 1000.0 * _ANGSTROM3_PER_CM3_MOL  # per mole of anything: Å3 per mol/mol
        taken = one.measure(compute_volume, [*salts, *additives])
        if taken >= liter:
            what = "ions and additives" if additives else "ions"
            raise RecipeError(
                f"recipe {recipe.name}: the {what} alone would fill {100 * taken / liter:.0f} % of "
                "the volume; lower the concentration"
            )
        total = (liter - taken) / one.measure(compute_volume, shares)
    solvents = {name: share * total for name, share in shares.items()}
    return Mixture(salts=salts, solvents=solvents, additives=additives, parts=one.parts)


def list_asked(recipe: Recipe) -> dict[str, str]:
    """List the amount of every salt and additive as the recipe has it."""
    asked = {}
    for salt in recipe.salt:
        ratio = f"{salt.solvent_ratio:g} solvent molecules per formula unit" if (
            salt.solvent_ratio
        ) else ""  # fmt: skip
        asked[salt.formula] = ratio or str(salt.concentration)
    for item in recipe.additive:
        each = f"{item.per_cation:g} per cation" if item.per_cation else ""
        asked[item.species.name] = each or str(item.concentration)
    return asked


def compute_volume(species: Species) -> float:
    """Volume one molecule or ion is guessed to take, in Å3."""
    if species.charge:
        return (species.molar_volume or 0.0) * _ANGSTROM3_PER_CM3_MOL
    return species.mass / (species.density or _DEFAULT_DENSITY) * _ANGSTROM3_PER_CM3_MOL


def _find_kind(recipe: Recipe) -> str:
    """Find what all amounts are given per: ``"liter"``, ``"kilogram"`` or ``"ratio"``."""
    given = [salt.concentration for salt in recipe.salt]
    given += [item.concentration for item in recipe.additive if item.per_cation is None]
    kinds = {"ratio" if amount is None else amount.per for amount in given}
    if len(kinds) > 1:
        who = "salts and additives" if recipe.additive else "salts"
        raise RecipeError(
            f"recipe {recipe.name}: the {who} mix mol/L, mol/kg and solvent_ratio; use one of them"
        )
    return kinds.pop() if kinds else "ratio"


def _list_parts(recipe: Recipe) -> dict[str, Parts]:
    """List what a unit of every salt, solvent and additive is made of."""
    salts = {s.formula: tuple(zip(s.ions, s.stoichiometry, strict=True)) for s in recipe.salt}
    solvents = {solvent.label: solvent.parts for solvent in recipe.solvent}
    additives = {item.species.name: ((item.species, 1),) for item in recipe.additive}
    return {**salts, **solvents, **additives}


def _share_solvents(recipe: Recipe) -> dict[str, float]:
    """Mole fractions of the solvents among themselves."""
    moles = {}
    for solvent in recipe.solvent:
        volume = sum(number * compute_volume(kind) for kind, number in solvent.parts)
        mass = sum(number * kind.mass for kind, number in solvent.parts)
        unit = {"mole": 1.0, "mass": mass, "volume": volume}[solvent.fraction_of]
        if unit <= 0:
            raise RecipeError(
                f"recipe {recipe.name}: the volume of {solvent.label} is not known; "
                'give its share with fraction_of = "mole" or "mass"'
            )
        moles[solvent.label] = solvent.fraction / unit
    total = sum(moles.values())
    return {name: amount / total for name, amount in moles.items()}
