"""Composition: how many molecules of each kind, in how large a box.

A concentration in mol/L needs the volume before there is one. The guess is ideal mixing: every
solvent keeps its pure density and every ion its apparent molar volume (`library`). The density
that the simulation then finds decides the concentration really reached, which every result states.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from solvation.errors import RecipeError
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from solvation.library import Species
    from solvation.recipe import Recipe

__all__ = ["Composition", "compose", "compute_concentrations", "compute_refractive_index"]

_ANGSTROM3_PER_CM3_MOL = 1e24 / AVOGADRO
_DEFAULT_DENSITY = 0.95
"""g/cm3 for a solvent whose density is not known; only the size of the first box depends on it."""
_MAX_ATOMS = 1_000_000
"""Packmol takes days beyond this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Integer counts and the box they start in."""

    counts: Mapping[str, int]
    """Molecules by species name: cations, then anions, then solvents."""
    salts: Mapping[str, int]
    """Formula units by formula, e.g. ``{"Mg(TFSI)2": 8}``."""
    asked: Mapping[str, str]
    """Amount of each salt as the recipe has it, e.g. ``{"Mg(TFSI)2": "0.5 mol/L"}``."""
    volume: float
    """Ideal-mixing guess in Å3."""
    mass: float
    """Mass of the box in u."""

    @property
    def edge(self) -> float:
        """Edge of the cubic box at the guessed density, in Å."""
        return float(self.volume ** (1 / 3))

    @property
    def n_molecules(self) -> int:
        """Molecules and ions in the box."""
        return sum(self.counts.values())


def compose(recipe: Recipe) -> Composition:
    """Turn amounts into integer counts.

    Parameters
    ----------
    recipe
        A resolved recipe, so that the size of the box is given.

    Raises
    ------
    RecipeError
        If the salts alone fill the volume, amounts of different kinds are mixed, or the box is
        too small for the cutoff.
    """
    solvents = _solvent_moles(recipe)
    salts, total_solvent = _salt_moles(recipe, solvents)
    amounts = {name: share * total_solvent for name, share in solvents.items()}
    scale = _scale(recipe, salts, amounts)
    if salts:  # round one salt, then keep the ratio to it of everything else
        given = next(iter(salts)) if recipe.box.cations else max(salts, key=lambda f: salts[f])
        scale = max(1, round(salts[given] * scale)) / salts[given]
    units = {formula: max(1, round(moles * scale)) for formula, moles in salts.items()}
    cations: dict[str, int] = {}
    anions: dict[str, int] = {}
    for salt in recipe.salt:
        for side, ion, number in zip((cations, anions), salt.ions, salt.stoichiometry, strict=True):
            side[ion.name] = side.get(ion.name, 0) + number * units[salt.formula]
    molecules = {name: max(1, round(moles * scale)) for name, moles in amounts.items()}
    counts = {**cations, **anions, **molecules}
    species = _all_species(recipe)
    charge = sum(species[name].charge * number for name, number in counts.items())
    if charge:
        raise RecipeError(
            f"recipe {recipe.name}: the box would carry {charge:+d} e; check the salts"
        )
    composition = Composition(
        counts=counts,
        salts=units,
        asked={salt.formula: _describe(recipe, index) for index, salt in enumerate(recipe.salt)},
        volume=sum(_volume(species[name]) * number for name, number in counts.items()),
        mass=sum(species[name].mass * number for name, number in counts.items()),
    )
    _check_size(recipe, composition, _list_moles(recipe, salts, amounts), scale)
    return composition


def compute_concentrations(composition: Composition, *, volume: float) -> dict[str, float]:
    """Concentration of each salt in mol/L at a volume in Å3."""
    return {
        formula: number / (volume * 1e-27 * AVOGADRO)
        for formula, number in composition.salts.items()
    }


def compute_refractive_index(recipe: Recipe) -> float:
    r"""Refractive index of the solvent mixture, Lorentz–Lorenz by volume.

    .. math:: \frac{n^2-1}{n^2+2} = \sum_i \phi_i \frac{n_i^2-1}{n_i^2+2}

    Raises
    ------
    RecipeError
        If a solvent has no refractive index in the library.
    """
    moles = _solvent_moles(recipe)
    species = {solvent.species.name: solvent.species for solvent in recipe.solvent}
    volumes = {name: amount * _volume(species[name]) for name, amount in moles.items()}
    total = sum(volumes.values())
    mixed = 0.0
    for name, volume in volumes.items():
        index = species[name].refractive_index
        if index is None:
            raise RecipeError(
                f'model.charge_scale = "ecc" needs the refractive index of {name}, which is not '
                "known; give a number instead, e.g. charge_scale = 0.75"
            )
        mixed += volume / total * (index**2 - 1) / (index**2 + 2)
    return float(((1 + 2 * mixed) / (1 - mixed)) ** 0.5)


def _all_species(recipe: Recipe) -> dict[str, Species]:
    """Species of the recipe by name."""
    ions = [species for salt in recipe.salt for species in salt.ions]
    return {species.name: species for species in (*ions, *(s.species for s in recipe.solvent))}


def _volume(species: Species) -> float:
    """Volume one molecule is guessed to take, in Å3."""
    if species.charge:
        return (species.molar_volume or 0.0) * _ANGSTROM3_PER_CM3_MOL
    return species.mass / (species.density or _DEFAULT_DENSITY) * _ANGSTROM3_PER_CM3_MOL


def _solvent_moles(recipe: Recipe) -> dict[str, float]:
    """Mole fractions of the solvents among themselves."""
    moles = {}
    for solvent in recipe.solvent:
        species = solvent.species
        per_share = {
            "mole": 1.0,
            "mass": 1.0 / species.mass,
            "volume": 1.0 / _volume(species),
        }[solvent.fraction_of]
        moles[species.name] = solvent.fraction * per_share
    total = sum(moles.values())
    return {name: amount / total for name, amount in moles.items()}


def _salt_moles(recipe: Recipe, solvents: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Moles of each salt, and the moles of solvent that go with them."""
    if not recipe.salt:
        return {}, 1.0
    species = _all_species(recipe)
    kinds = {
        "ratio" if salt.concentration is None else salt.concentration.per for salt in recipe.salt
    }
    if len(kinds) > 1:
        raise RecipeError(
            f"recipe {recipe.name}: the salts mix mol/L, mol/kg and solvent_ratio; use one of them"
        )
    kind = kinds.pop()
    moles: dict[str, float] = {}
    if kind == "ratio":
        for salt in recipe.salt:
            moles[salt.formula] = 1.0 / (salt.solvent_ratio or 1.0)
        return moles, 1.0
    for salt in recipe.salt:
        assert salt.concentration is not None
        moles[salt.formula] = salt.concentration.magnitude
    if kind == "kilogram":
        mass = sum(share * species[name].mass for name, share in solvents.items())
        return moles, 1000.0 / mass
    liter = 1000.0 * _ANGSTROM3_PER_CM3_MOL  # per mole of anything: Å3 per mol/mol
    ions = sum(
        moles[salt.formula] * number * _volume(ion)
        for salt in recipe.salt
        for ion, number in zip(salt.ions, salt.stoichiometry, strict=True)
    )
    if ions >= liter:
        raise RecipeError(
            f"recipe {recipe.name}: the ions alone would fill {100 * ions / liter:.0f} % of the "
            "volume; lower the concentration"
        )
    each = sum(share * _volume(species[name]) for name, share in solvents.items())
    return moles, (liter - ions) / each


def _scale(recipe: Recipe, salts: Mapping[str, float], solvents: Mapping[str, float]) -> float:
    """Factor from moles to the number of molecules in the box."""
    if recipe.box.cations is not None:
        first = recipe.salt[0]
        return recipe.box.cations / first.stoichiometry[0] / salts[first.formula]
    per_unit = _list_moles(recipe, salts, solvents)
    if recipe.box.atoms is not None:
        return recipe.box.atoms / sum(amount * kind.n_atoms for amount, kind in per_unit)
    if recipe.box.edge is not None:
        return recipe.box.edge.magnitude**3 / sum(
            amount * _volume(kind) for amount, kind in per_unit
        )
    raise RecipeError(f"recipe {recipe.name}: [box] is empty; give cations, atoms or edge")


def _describe(recipe: Recipe, index: int) -> str:
    """Amount of a salt as the recipe has it."""
    salt = recipe.salt[index]
    if salt.concentration is not None:
        return str(salt.concentration)
    return f"{salt.solvent_ratio:g} solvent molecules per formula unit"


def _list_moles(
    recipe: Recipe, salts: Mapping[str, float], solvents: Mapping[str, float]
) -> list[tuple[float, Species]]:
    """List the moles of every ion of every salt, and of every solvent."""
    species = _all_species(recipe)
    ions = [
        (number * salts[salt.formula], ion)
        for salt in recipe.salt
        for ion, number in zip(salt.ions, salt.stoichiometry, strict=True)
    ]
    return [*ions, *((amount, species[name]) for name, amount in solvents.items())]


def _check_size(
    recipe: Recipe, composition: Composition, moles: list[tuple[float, Species]], scale: float
) -> None:
    """Refuse a box too large to pack, or below twice the cutoff, with room for it to shrink."""
    n_atoms = scale * sum(amount * kind.n_atoms for amount, kind in moles)
    if n_atoms > _MAX_ATOMS:
        raise RecipeError(
            f"recipe {recipe.name}: the box would hold {n_atoms:.0f} atoms, at most {_MAX_ATOMS} "
            "can be packed; make the box smaller or the salt less dilute"
        )
    needed = 2.0 * recipe.model.cutoff.magnitude * 1.03
    if composition.edge >= needed:
        return
    # Rounding may cost half a molecule of each solvent, and half a unit of each salt.
    whole = scale * sum(amount * _volume(kind) for amount, kind in moles)
    volume = needed**3 + sum(_volume(kind) for _, kind in moles)
    if recipe.box.cations is None and composition.salts:
        volume += whole / max(composition.salts.values()) / 2
    factor = volume / whole
    if recipe.box.cations is not None:
        larger = f"box.cations to at least {ceil(recipe.box.cations * factor)}"
    elif recipe.box.atoms is not None:
        larger = f"box.atoms to at least {ceil(n_atoms * factor)}"
    else:
        larger = f"box.edge to at least {ceil(10 * volume ** (1 / 3)) / 10:.1f} angstrom"
    raise RecipeError(
        f"recipe {recipe.name}: the box ({composition.edge:.1f} angstrom, "
        f"{composition.n_molecules} molecules) is too small for the cutoff of "
        f"{recipe.model.cutoff}: raise {larger}, or lower model.cutoff"
    )
