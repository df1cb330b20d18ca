"""Coverage: which species a force field has parameters for, and what would supply the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvation.errors import MissingParameterError
from solvation.library import find_species, list_species

if TYPE_CHECKING:
    from collections.abc import Iterable

    from solvation.build.forcefield import ForceField

__all__ = ["check_coverage", "describe_gaps", "suggest_remedy"]


def check_coverage(forcefield: ForceField, species: Iterable[str]) -> None:
    """Check that every species has parameters.

    Parameters
    ----------
    forcefield
        The force field.
    species
        Names or aliases of the species that are needed.

    Raises
    ------
    MissingParameterError
        If one has none. The message gives the force field's reason if its card has one.
    """
    missing = {find_species(name).name: None for name in species}
    missing = {name: None for name in missing if name not in forcefield.coverage}
    if not missing:
        return
    reasons = forcefield.card.get("left_out", {})
    why = " ".join(f"({name}: {reasons[name]})" for name in missing if name in reasons)
    raise MissingParameterError(
        f"force field {forcefield.name} has no parameters for {', '.join(missing)}; it covers "
        f"{len(forcefield.coverage)} others, which `solvation forcefields {forcefield.name}` lists"
        f"{why and ' '}{why}; {suggest_remedy(forcefield, missing)}"
    )


def suggest_remedy(forcefield: ForceField, missing: Iterable[str]) -> str:
    """Say what would supply parameters for species that a force field does not cover."""
    if "drude" in forcefield.card:
        return (
            "rows under [drude.alpha] and [drude.fragment] in a card that extends "
            f"{forcefield.name} would supply them; opls-clp needs none"
        )
    kinds = [find_species(name) for name in missing]
    large = [kind for kind in kinds if kind.n_atoms > 1]
    remedies = []
    if large:
        commands = " and ".join(
            f'solvation parametrize "{kind.smiles}" --charge {kind.charge} --name {kind.name}'
            for kind in large
        )
        folders = ", ".join(f'"{kind.name}"' for kind in large)
        remedies.append(f"{commands}, then species = [{folders}] under [model], would supply them")
    if single := [kind.name for kind in kinds if kind.n_atoms == 1]:
        remedies.append(f"a card that extends it can add {', '.join(single)} (CONTRIBUTING.md)")
    return "; ".join(remedies)


def describe_gaps(forcefield: ForceField) -> tuple[str, ...]:
    """Say of every species with a name that has no parameters why, and what would supply them.

    Returns
    -------
    lines
        One for each reason that the card gives, then one for all others.
    """
    reasons = forcefield.card.get("left_out", {})
    missing = [one.name for one in list_species() if one.name not in forcefield.coverage]
    said = [name for name in missing if name in reasons]
    groups = [[name] for name in said] + [[name for name in missing if name not in reasons]]
    lines = []
    for names in filter(None, groups):
        why = f"{reasons[names[0]].rstrip('.')}; " if names[0] in reasons else ""
        lines.append(f"{', '.join(names)}: {why}{suggest_remedy(forcefield, names)}")
    return tuple(lines)
