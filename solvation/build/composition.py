"""Composition: how many molecules of each kind, in how large a box.

A concentration in mol/L needs the volume before there is one. The guess is ideal mixing: every
solvent keeps its pure density and every ion its apparent molar volume (`library`). The density
that the simulation then finds decides the concentration really reached, which every result states.

One factor, `scale`, makes molecules of the moles of a `mixture`. Every salt and additive comes out
within half a unit of its amount times the factor; one of which there would be less than half a
unit is refused, with the size of box that would hold one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

from solvation.build.mixture import Mixture, compute_volume, list_asked, weigh_mixture
from solvation.errors import RecipeError
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from solvation.recipe import Recipe

__all__ = ["Composition", "compose", "compute_concentrations", "compute_refractive_index"]

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
    """Amount of each salt and additive as asked for, e.g. ``{"Mg(TFSI)2": "0.5 mol/L"}``."""
    volume: float
    """Ideal-mixing guess in Å3."""
    mass: float
    """Mass of the box in u."""
    additives: Mapping[str, int] = field(default_factory=dict)
    """Molecules of each additive by name, e.g. ``{"TMP": 8}``."""

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
        If the ions alone fill the volume, amounts of different kinds are mixed, the box is too
        small for the cutoff, or so small that less than half a unit of something would be in it.
    """
    mixture = weigh_mixture(recipe)
    scale = _scale(recipe, mixture)
    if mixture.salts:  # round one salt, then keep the ratio to it of everything else
        given = next(iter(mixture.salts))
        if not recipe.box.cations:
            given = max(mixture.salts, key=lambda formula: mixture.salts[formula])
        scale = max(1, _round(mixture.salts[given] * scale)) / mixture.salts[given]
    units = {name: _round(moles * scale) for name, moles in mixture.moles.items()}
    units |= {name: max(1, units[name]) for name in mixture.solvents}
    species = mixture.species
    counts = dict.fromkeys(species, 0)
    for name, number in units.items():
        for kind, each in mixture.parts[name]:
            counts[kind.name] += number * each
    charge = sum(species[name].charge * number for name, number in counts.items())
    if charge:
        raise RecipeError(
            f"recipe {recipe.name}: the box would carry {charge:+d} e; check the salts"
        )
    composition = Composition(
        counts=counts,
        salts={name: units[name] for name in mixture.salts},
        additives={name: units[name] for name in mixture.additives},
        asked=list_asked(recipe),
        volume=sum(compute_volume(species[name]) * number for name, number in counts.items()),
        mass=sum(species[name].mass * number for name, number in counts.items()),
    )
    _check_size(recipe, composition, mixture, scale)
    _check_traces(recipe, composition, mixture, scale)
    return composition


def compute_concentrations(composition: Composition, *, volume: float) -> dict[str, float]:
    """Concentration of each salt in mol/L at a volume in Å3."""
    return {
        formula: number / (volume * 1e-27 * AVOGADRO)
        for formula, number in composition.salts.items()
    }


def compute_refractive_index(recipe: Recipe) -> float:
    r"""Refractive index of the solvent mixture with its additives, Lorentz–Lorenz by volume.

    .. math:: \frac{n^2-1}{n^2+2} = \sum_i \phi_i \frac{n_i^2-1}{n_i^2+2}

    Raises
    ------
    RecipeError
        If a solvent has no refractive index in the library.
    """
    mixture = weigh_mixture(recipe)
    volumes = {
        name: mixture.measure(compute_volume, [name])
        for name in (*mixture.solvents, *mixture.additives)
    }
    total = sum(volumes.values())
    mixed = 0.0
    for name, volume in volumes.items():
        kinds = [kind for kind, _ in mixture.parts[name]]
        index = kinds[0].refractive_index if len(kinds) == 1 else None
        if index is None:
            raise RecipeError(
                f'model.charge_scale = "ecc" needs the refractive index of {name}, which is not '
                "known; give a number instead, e.g. charge_scale = 0.75"
            )
        mixed += volume / total * (index**2 - 1) / (index**2 + 2)
    return float(((1 + 2 * mixed) / (1 - mixed)) ** 0.5)


def _round(number: float) -> int:
    """Round to the nearest whole number, halves up."""
    return floor(number + 0.5 + 1e-9)


def _scale(recipe: Recipe, mixture: Mixture) -> float:
    """Factor from moles to the number of molecules in the box."""
    if recipe.box.cations is not None:
        first = recipe.salt[0]
        return recipe.box.cations / first.stoichiometry[0] / mixture.salts[first.formula]
    if recipe.box.atoms is not None:
        return recipe.box.atoms / mixture.measure(lambda kind: kind.n_atoms)
    if recipe.box.edge is not None:
        return recipe.box.edge.magnitude**3 / mixture.measure(compute_volume)
    raise RecipeError(f"recipe {recipe.name}: [box] is empty; give cations, atoms or edge")


def _check_size(recipe: Recipe, composition: Composition, mixture: Mixture, scale: float) -> None:
    """Refuse a box too large to pack, or below twice the cutoff, with room for it to shrink."""
    n_atoms = scale * mixture.measure(lambda kind: kind.n_atoms)
    if n_atoms > _MAX_ATOMS:
        raise RecipeError(
            f"recipe {recipe.name}: the box would hold {n_atoms:.0f} atoms, at most {_MAX_ATOMS} "
            "can be packed; make the box smaller or the salt less dilute"
        )
    needed = 2.0 * recipe.model.cutoff.magnitude * 1.03
    if composition.edge >= needed:
        return
    # Rounding may cost half a molecule of each solvent, and half a unit of each salt.
    whole = scale * mixture.measure(compute_volume)
    volume = needed**3 + sum(
        abs(number * compute_volume(kind))
        for name in mixture.moles
        for kind, number in mixture.parts[name]
    )
    if recipe.box.cations is None and composition.salts:
        volume += whole / max(composition.salts.values()) / 2
    raise RecipeError(
        f"recipe {recipe.name}: the box ({composition.edge:.1f} angstrom, "
        f"{composition.n_molecules} molecules) is too small for the cutoff of "
        f"{recipe.model.cutoff}: raise {_say_size(recipe, mixture, scale * volume / whole)}, "
        "or lower model.cutoff"
    )


def _check_traces(recipe: Recipe, composition: Composition, mixture: Mixture, scale: float) -> None:
    """Refuse a salt or additive of which the box would hold less than half a unit."""
    for name, amount in {**mixture.salts, **mixture.additives}.items():
        if _round(amount * scale):
            continue
        enough = 0.5 / amount
        if recipe.box.cations is None and mixture.salts:  # rounding the others may shrink the box
            enough += 0.5 / max(mixture.salts.values())
        raise RecipeError(
            f"recipe {recipe.name}: {composition.asked[name]} of {name} is {amount * scale:.2g} "
            f"units in this box, which would be none: raise {_say_size(recipe, mixture, enough)}"
        )


def _say_size(recipe: Recipe, mixture: Mixture, scale: float) -> str:
    """Write the key of ``[box]`` that the recipe has, with the value it needs."""
    if recipe.box.cations is not None:
        first = recipe.salt[0]
        cations = mixture.salts[first.formula] * first.stoichiometry[0] * scale
        return f"box.cations to at least {ceil(cations - 1e-7)}"
    if recipe.box.atoms is not None:
        atoms = mixture.measure(lambda kind: kind.n_atoms) * scale
        return f"box.atoms to at least {ceil(atoms + 1e-6)}"
    edge = (mixture.measure(compute_volume) * scale) ** (1 / 3)
    return f"box.edge to at least {ceil(10 * edge + 1e-6) / 10:.1f} angstrom"
