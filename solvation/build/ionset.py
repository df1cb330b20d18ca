"""Ion sets: other Lennard-Jones parameters for the divalent ions of a force field.

A card's ``[ions.<set>]`` holds sigma and epsilon of ions as published, with the mixing rule they
were published for; ``[ions.default]`` says which set each ion of the XML is from. A set for
Lorentz–Berthelot mixing is converted for a force field with geometric mixing. A 12-6-4 set has
a C4 too, for the dipoles that the ion induces, and needs the card's ``[polarizability]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solvation.errors import ForceFieldError, RecipeError

if TYPE_CHECKING:
    from solvation.build.forcefield import ForceField

__all__ = [
    "Induction",
    "check_ions",
    "choose_induction",
    "choose_ions",
    "convert_sigma",
    "keep_ions",
    "list_ions",
]

_WORDS = ("title", "cite", "doi", "mixing", "note", "scaled", "water_polarizability")
"""Keys of a set that are not ions."""
_ROW = {"sigma", "epsilon", "source"}
_MIXINGS = ("geometric", "lorentz-berthelot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Induction:
    """The r^-4 term of a 12-6-4 set."""

    c4: Mapping[str, float]
    """C4 with water by ion, kJ/mol nm4, for the charge that the ion carries here."""
    water: float
    """Polarizability of water in nm3, for which C4 holds."""
    polarizabilities: Mapping[str, float]
    """nm3, by element and number of bonds, e.g. ``"O2"``; of water ``"water_O"``, ``"water_H"``."""


def convert_sigma(sigma: float, *, oxygen: float) -> float:
    r"""Sigma that keeps, under geometric mixing, the ion–oxygen contact of Lorentz–Berthelot.

    .. math:: \sigma' = \frac{\left((\sigma + \sigma_O)/2\right)^2}{\sigma_O}

    Examples
    --------
    >>> round(convert_sigma(0.24856074, oxygen=0.29), 4)
    0.25
    """
    return ((sigma + oxygen) / 2) ** 2 / oxygen


def list_ions(forcefield: ForceField) -> dict[str, tuple[str, ...]]:
    """List the ion sets that a recipe may choose, with their ions; ``default`` comes first."""
    sets = forcefield.card.get("ions", {})
    found = {name: _ions(rows) for name, rows in sets.items() if "scaled" not in rows}
    return {"default": found.pop("default", ()), **found}


def choose_ions(
    forcefield: ForceField, name: str, species: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """Choose sigma and epsilon of the divalent ions in a box.

    Parameters
    ----------
    forcefield
        Its card lists the sets.
    name
        ``model.ions`` of the recipe.
    species
        Canonical names of the species in the box.

    Returns
    -------
    dict
        Sigma (nm) and epsilon (kJ/mol) for the force field's own mixing rule, by ion; empty for
        ``"default"``, whose numbers are in the XML. A polarizable force field has its ions from
        another one's XML, so there ``"default"`` is what its card says.

    Raises
    ------
    RecipeError
        If the set is unknown, lacks an ion of the box, or carries scaled charges.
    """
    sets = forcefield.card.get("ions", {})
    known = list_ions(forcefield)
    if name in sets and "scaled" in sets[name]:
        charge = sets[name]["scaled"]
        raise RecipeError(
            f'model.ions = "{name}" has charges that are already scaled (x {charge:g}) and may not '
            f"be scaled again; choose one of {', '.join(known)}"
        )
    if name not in known:
        raise RecipeError(
            f'model.ions = "{name}" is no ion set of {forcefield.name}; choose one of '
            f"{', '.join(known)}"
        )
    if name == "default" and "drude" not in forcefield.card:
        return {}
    choosable = {ion for ions in known.values() for ion in ions}
    chosen = {}
    for ion in dict.fromkeys(species):
        if ion not in choosable:
            continue
        if ion not in known[name]:
            others = [other for other, ions in known.items() if ion in ions]
            raise RecipeError(
                f'model.ions = "{name}" has no {ion}; choose one of {", ".join(others)}'
            )
        rows = sets[sets[name][ion] if name == "default" else name]
        row = rows[ion]
        sigma, epsilon = float(row["sigma"]), float(row["epsilon"])
        if forcefield.mixing == "geometric" and rows["mixing"] == "lorentz-berthelot":
            sigma = convert_sigma(sigma, oxygen=forcefield.card["conversion"]["sigma_oxygen"])
        chosen[ion] = (sigma, epsilon)
    return chosen


def choose_induction(
    forcefield: ForceField, name: str, species: Iterable[str], *, charge_scale: float
) -> Induction | None:
    r"""Choose the r^-4 term of the ions in a box; None when the set has none.

    C4 stands for the energy of the dipoles that the ion induces,
    :math:`-\tfrac12 \alpha q^2/(4\pi\epsilon_0)^2 r^4` and what a fit made of it, so that it is
    multiplied by the square of ``charge_scale``.
    """
    rows = forcefield.card.get("ions", {}).get(name, {})
    c4 = {
        ion: rows[ion]["c4"] * charge_scale**2
        for ion in dict.fromkeys(species)
        if ion in _ions(rows) and "c4" in rows[ion]
    }
    if name == "default" or not c4:
        return None
    table = forcefield.card["polarizability"]
    return Induction(
        c4=c4,
        water=rows["water_polarizability"] * 1e-3,
        polarizabilities={key: a * 1e-3 for key, a in table.items() if key != "source"},
    )


def keep_ions(sets: Mapping[str, Any], coverage: Iterable[str]) -> dict[str, Any]:
    """Leave the ions that are not covered out of the sets of a card, and sets without any."""
    covered = set(coverage)
    kept = {
        name: {key: row for key, row in rows.items() if key in _WORDS or key in covered}
        for name, rows in sets.items()
    }
    return {name: rows for name, rows in kept.items() if _ions(rows)}


def check_ions(card: Mapping[str, Any], place: str) -> None:
    """Check the ``[ions.<set>]`` tables of a card.

    Raises
    ------
    ForceFieldError
        What is wrong with which set.
    """
    sets: Mapping[str, Any] = card.get("ions", {})
    for name, rows in sets.items():
        where = f"{place}: [ions.{name}]"
        for ion in _ions(rows):
            if ion not in card["coverage"]:
                raise ForceFieldError(f"{where} has {ion}, which is not in the coverage; add it")
            row = rows[ion]
            if name == "default":
                if ion not in sets.get(row, {}):
                    raise ForceFieldError(f'{where} {ion} = "{row}" is no set with {ion}')
            elif not isinstance(row, Mapping) or set(row) - {"c4"} != _ROW:
                raise ForceFieldError(
                    f"{where} {ion} must be {{ sigma = (nm), epsilon = (kJ/mol), source = (text) }}"
                )
        if name == "default":
            continue
        if missing := [key for key in ("title", "cite", "doi", "mixing") if key not in rows]:
            raise ForceFieldError(f"{where} lacks the key {missing[0]}; add it")
        if rows["mixing"] not in _MIXINGS:
            raise ForceFieldError(f"{where}: mixing must be {' or '.join(_MIXINGS)}")
        induced = any("c4" in rows[ion] for ion in _ions(rows))
        if induced and not ("polarizability" in card and "water_polarizability" in rows):
            raise ForceFieldError(
                f"{where} has c4, which needs [polarizability] and water_polarizability; add them"
            )
        converted = (card["mixing"], rows["mixing"]) == ("geometric", "lorentz-berthelot")
        if converted and "sigma_oxygen" not in card.get("conversion", {}):
            raise ForceFieldError(f"{where} needs [conversion] sigma_oxygen; add it")
        if card["mixing"] == "lorentz-berthelot" and rows["mixing"] == "geometric":
            raise ForceFieldError(f"{where} is for geometric mixing, the force field is not")


def _ions(rows: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the ions in a set."""
    return tuple(key for key in rows if key not in _WORDS)
