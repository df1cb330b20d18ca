"""Draft: a new recipe as commented TOML, for people to go on from."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, WorkspaceError
from solvation.recipe import Recipe, parse_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["draft_recipe", "save_draft"]


def draft_recipe(
    name: str,
    *,
    salts: Sequence[Mapping[str, Any]],
    solvents: Sequence[Mapping[str, Any]],
    additives: Sequence[Mapping[str, Any]] = (),
    temperature: str = "298.15 K",
    forcefield: str = "opls-clp",
    species: Sequence[str] = (),
) -> tuple[str, Recipe]:
    """Write a recipe with what each key means, and read it back.

    Parameters
    ----------
    name
        Of the recipe and its run folder.
    salts, solvents, additives
        Tables as `formula` reads them.
    temperature
        With its unit.
    forcefield
        Its name.
    species
        Folders with species of the user's own.

    Returns
    -------
    text, recipe
        The TOML, and what it means.

    Raises
    ------
    RecipeError
        If the recipe is not valid.

    Examples
    --------
    >>> text, recipe = draft_recipe(
    ...     "mine",
    ...     salts=[{"cation": "Ca", "anion": "TFSI", "concentration": "0.25 mol/L"}],
    ...     solvents=[{"name": "DME"}],
    ... )
    >>> recipe.title
    '0.25 mol/L Ca(TFSI)2 in DME'
    """
    ionic = any("cation" in solvent for solvent in solvents)
    data: dict[str, Any] = {
        "name": name,
        "salt": [dict(table) for table in salts],
        "solvent": [dict(table) for table in solvents],
        "additive": [dict(table) for table in additives],
    }
    if species:
        data["model"] = {"species": list(species)}
    recipe = parse_recipe(data, where=name)
    lines = [
        "# Keys and defaults: docs/reference/recipe.md. Run with: solvation run THIS_FILE",
        f'name = "{name}"',
        f"title = {_quote(_write_title(recipe))}",
    ]
    for table in salts:
        lines += ["", "[[salt]]", *_write_table(table, _SALT)]
    for table in solvents:
        lines += ["", "[[solvent]]", *_write_table(table, _SOLVENT)]
    for table in additives:
        lines += ["", "[[additive]]", *_write_table(table, _ADDITIVE)]
    lines += [
        "",
        "[conditions]",
        f'temperature = "{temperature}"',
        'pressure = "1 bar"',
        "",
        "[model]",
        f'forcefield = "{forcefield}"  # solvation forcefields lists them',
    ]
    if species:
        folders = ", ".join(_quote(folder) for folder in species)
        lines.append(f"species = [{folders}]  # folders that solvation parametrize wrote")
    lines += [
        "charge_scale = 0.7  # near 1/n_D of ionic liquids; ours to choose, and yours"
        if ionic
        else 'charge_scale = "ecc"  # 1/n_D of the solvent; 1.0 for full charges',
        "",
        "# [box]",
        "# cations = 16  # or atoms, or edge; without it the profile decides",
        "",
        "[protocol]",
        'profile = "standard"  # quick shows the road, production is for transport',
        "seed = 2026",
    ]
    text = "\n".join(lines) + "\n"
    return text, parse_recipe(tomllib.loads(text), where=name)


def save_draft(text: str, path: Path) -> None:
    """Write a recipe where nothing is yet.

    Raises
    ------
    WorkspaceError
        If there is something, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise WorkspaceError(
            f"{path} is there already and is left as it is; choose another name, or -o FILE"
        ) from error
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {error}; choose another with -o") from error


_SALT = {
    "cation": "solvation forcefields opls-clp lists the ions",
    "concentration": "per L of solution or per kg of solvent",
    "solvent_ratio": "solvent molecules per formula unit",
}
_SOLVENT = {"fraction": "of the solvent; all add up to 1", "fraction_of": "volume, mole or mass"}
_ADDITIVE = {
    "concentration": "per L of solution or per kg of solvent",
    "per_cation": "molecules per cation of the salts",
}


def _write_table(table: Mapping[str, Any], comments: Mapping[str, str]) -> list[str]:
    """Write the keys of a table, each with what it means."""
    rows = []
    for key, value in table.items():
        comment = f"  # {comments[key]}" if key in comments else ""
        rows.append(f"{key} = {_quote(value) if isinstance(value, str) else value}{comment}")
    return rows


def _quote(text: str) -> str:
    """Write text as TOML."""
    import json

    if any(ord(letter) < 32 for letter in text):
        raise RecipeError(f"{text!r} has a control character; leave it out")
    return json.dumps(text, ensure_ascii=False)


def _write_title(recipe: Recipe) -> str:
    """Say what is in it."""
    salts = [
        f"{salt.concentration} {salt.formula}"
        if salt.concentration
        else f"{salt.formula} 1:{salt.solvent_ratio:g}"
        for salt in recipe.salt
    ]
    solvents = [
        f"{100 * solvent.fraction:.3g} % {solvent.label}"
        if len(recipe.solvent) > 1
        else solvent.label
        for solvent in recipe.solvent
    ]
    added = [additive.species.name for additive in recipe.additive]
    more = f" with {', '.join(added)}" if added else ""
    lead = f"{', '.join(salts)} in " if salts else ""
    return f"{lead}{', '.join(solvents)}{more}"
