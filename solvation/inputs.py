"""Inputs: hashes that say whether a stage must be done again, and what differs between recipes."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError
from solvation.library import find_forcefield, find_system

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from solvation.recipe import Recipe

__all__ = [
    "find_experiment",
    "hash_analysis",
    "hash_build",
    "hash_simulation",
    "hash_text",
    "list_differences",
]

_PROSE = frozenset(
    [
        "title",
        "licence",
        "units",
        "coverage",
        "files",
        "adds",
        "block",
        "left_out",
        "failings",
        "validation",
        "cite",
        "doi",
        "note",
        "source",
        "reason",
    ]
)
"""Keys of a card that decide no box; files and coverage tell by what they bring."""
_FREE_KEYS = ("title", "note", "analysis", "protocol.production_time", "protocol.replicas",
              "protocol.checkpoint_interval", "protocol.profile", "protocol.precision",
              "protocol.deterministic", "protocol.record_interval",
              "protocol.stress_interval", "protocol.shear_time")  # fmt: skip
"""What may change between two runs into one folder: a run can be made longer or wider, and what
is written beside the trajectory does not change it."""


def hash_build(recipe: Recipe) -> str:
    """Hash of everything that decides the boxes."""
    data = recipe.to_dict()
    protocol = data.get("protocol", {})
    kept = {key: protocol.get(key) for key in ("seed", "hydrogen_mass")}
    names = _list_species(recipe)
    files = [
        text
        for folder in _list_folders(recipe.model.forcefield)
        for path in sorted(folder.glob("*"))
        if path.is_file() and (text := _read_what_counts(path, names)) is not None
    ]
    files += [
        (Path(folder) / name).read_bytes().decode("latin-1")
        for folder in recipe.model.species
        for name in ("card.toml", "species.toml")
    ]
    files += [
        file.read_bytes().decode("latin-1")
        for folder in recipe.model.species
        for file in sorted(Path(folder).glob("*.xml"))
    ]
    parts = [
        json.dumps(data.get(key), sort_keys=True) for key in ("salt", "solvent", "model", "box")
    ]
    if "additive" in data:
        parts.append(json.dumps(data["additive"], sort_keys=True))
    return hash_text([*parts, json.dumps(kept), *files])


def find_experiment(name: str) -> Path | None:
    """Find the experimental values that are shipped with a recipe of this name."""
    try:
        path = find_system(name).with_name("experiment.toml")
    except RecipeError:
        return None
    return path if path.is_file() else None


def _list_species(recipe: Recipe) -> set[str]:
    """List the canonical names of all that is in the box."""
    species = [ion for salt in recipe.salt for ion in salt.ions]
    species += [part for solvent in recipe.solvent for part, _ in solvent.parts]
    species += [additive.species for additive in recipe.additive]
    return {one.name for one in species}


def _read_what_counts(path: Path, names: set[str]) -> str | None:
    """Read a file of a force field: a card without its prose, and no XML of another species alone.

    What is written about a force field, and what it covers besides, decides no box. Files of
    several species may hold atom types that others share, so they always count.
    """
    text = path.read_bytes().decode("latin-1")
    if path.suffix == ".xml":
        residues = re.findall(r'<Residue\s[^>]*?name="([^"]+)"', text)
        return None if len(residues) == 1 and residues[0] not in names else text
    if path.name != "card.toml":
        return text
    try:
        return json.dumps(_drop_prose(tomllib.loads(text)), sort_keys=True, default=str)
    except ValueError:  # said better where the card is checked
        return text


def _drop_prose(table: Any) -> Any:
    """Leave out the keys of a card that nothing is computed from."""
    if not isinstance(table, dict):
        return table
    return {key: _drop_prose(value) for key, value in table.items() if key not in _PROSE}


def _list_folders(forcefield: str) -> list[Path]:
    """List the folder of a force field and those that its card extends or takes files from."""
    names, folders = [forcefield], []
    for name in names:  # grows while it is read
        folders.append(find_forcefield(name))
        try:
            card = tomllib.loads((folders[-1] / "card.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # said better where the card is checked
            continue
        others = [str(card["extends"])] if "extends" in card else []
        entries = [*card.get("files", ()), *card.get("adds", ())]
        replaces = card.get("replaces")
        entries += replaces.values() if isinstance(replaces, dict) else ()
        others += [str(e).split("/")[0] for e in entries if "/" in str(e)]
        names += [other for other in dict.fromkeys(others) if other not in names]
    return folders


def hash_simulation(recipe: Recipe) -> str:
    """Hash of everything that decides a trajectory, but not how long it is."""
    data = recipe.to_dict()
    for key in _FREE_KEYS:
        table, _, name = key.rpartition(".")
        (data.get(table, {}) if table else data).pop(name, None)
    return hash_text([json.dumps(data, sort_keys=True), hash_build(recipe)])


def hash_analysis(recipe: Recipe, parts: Sequence[str]) -> str:
    """Hash of everything that decides what is found in trajectories.

    Parameters
    ----------
    recipe
        What was simulated, and how it is looked at.
    parts
        What tells these trajectories, and this version, from others.
    """
    asked = recipe.to_dict().get("analysis", {})
    inputs = hash_text([hash_simulation(recipe), *parts])
    return hash_text([inputs, json.dumps(asked, sort_keys=True)]) if asked else inputs


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List what differs between two recipes and may not."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        name = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if name in _FREE_KEYS or a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            found += list_differences(a, b, f"{name}.")
        else:
            found.append(f"{name} is {a} there, {b} here")
    return found


def hash_text(parts: Sequence[str]) -> str:
    """Hash text to sixteen hex digits."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
