"""Supplement: a force field with the species that a recipe brings along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from solvation.build.forcefield import ForceField, load_card, load_forcefield
from solvation.errors import ForceFieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from solvation.recipe import Recipe

__all__ = ["load_model", "supplement_forcefield"]


def load_model(recipe: Recipe, *, allow_scripts: bool = False) -> ForceField:
    """Load ``model.forcefield`` with every folder of ``model.species``."""
    base = load_forcefield(recipe.model.forcefield, allow_scripts=allow_scripts)
    return supplement_forcefield(base, recipe.model.species, allow_scripts=allow_scripts)


def supplement_forcefield(
    base: ForceField, folders: Iterable[str | Path], *, allow_scripts: bool = False
) -> ForceField:
    """Add the species of folders to a force field; theirs replace equal names of its own.

    Raises
    ------
    ForceFieldError
        If a folder is broken, has another mixing rule or other 1-4 factors, or the force field is
        polarizable, which a folder's species are not.
    """
    field = base
    for entry in folders:
        folder = Path(entry).expanduser().resolve()
        card, files, scale_14 = load_card(folder, allow_scripts=allow_scripts)
        if "drude" in base.card:
            raise ForceFieldError(
                f"{folder} has no polarizabilities for {', '.join(card['coverage'])}, which "
                f"{base.name} needs; use opls-clp, or a card that extends {base.name}"
            )
        if card["mixing"] != base.mixing or scale_14 != base.scale_14:
            raise ForceFieldError(
                f"{folder} is made for {card['mixing']} mixing and 1-4 factors {scale_14}, "
                f"{base.name} has {base.mixing} and {base.scale_14}; they do not go together"
            )
        theirs = set(card["coverage"])
        added = tuple(name for name in card["coverage"] if name not in field.coverage)
        field = replace(
            field,
            files=_leave_out(field.files, theirs),
            coverage=(*field.coverage, *added),
            extra=(*_leave_out(field.extra, theirs), *files),
        )
    return field


def _leave_out(files: Iterable[Path], names: set[str]) -> tuple[Path, ...]:
    """Leave out files that hold nothing but species that are replaced.

    Two files for one species, as written by ``solvation parametrize``, would define its atom
    types twice.
    """
    kept = []
    for file in files:
        held = {node.get("name") for node in ElementTree.parse(file).iterfind("Residues/Residue")}
        if not held or held - names:
            kept.append(file)
    return tuple(kept)
