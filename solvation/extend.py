"""Extend: a run made longer, and a run that starts where another ended."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from solvation.errors import RecipeError, WorkspaceError
from solvation.inputs import hash_build, hash_simulation, hash_text
from solvation.recipe import Recipe, load_recipe, parse_recipe
from solvation.units import parse_quantity
from solvation.workspace import RunFolder, open_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

__all__ = ["branch_run", "extend_recipe", "find_longest", "set_production"]

_LOG = logging.getLogger(__name__)


def set_production(recipe: Recipe, length: float | str) -> Recipe:
    """Change the length of the production, in ps or as text with its unit."""
    data = recipe.to_dict()
    text = length if isinstance(length, str) else f"{length:.12g} ps"
    data["protocol"] = {**data.get("protocol", {}), "production_time": text}
    return parse_recipe(data, where=f"recipe {recipe.name}")


def find_longest(recipe: Recipe, folder: RunFolder) -> Recipe:
    """Keep the longer production of a resolved recipe and of what its folder was run with.

    A run that was extended is not cut short when the command that began it is typed again.
    """
    if not folder.recipe.exists():
        return recipe
    there = load_recipe(folder.recipe).protocol.production_time
    here = recipe.protocol.production_time
    if there is None or here is None or there.magnitude <= here.magnitude:
        return recipe
    return set_production(recipe, str(there))


def extend_recipe(recipe: Recipe, folder: RunFolder, more: str) -> Recipe:
    """Make the production of a resolved recipe longer, once the present one is finished.

    Parameters
    ----------
    recipe
        As it was run, see `find_longest`.
    folder
        Where.
    more
        How much longer, with its unit.

    Returns
    -------
    Recipe
        The same when the present production is not finished: an extension that was interrupted
        is finished, not extended again.

    Raises
    ------
    RecipeError
        If there is no run to extend, or the length is none.
    """
    if not folder.recipe.exists():
        raise RecipeError(f"--extend: {folder.path} holds no run; leave it out to start one")
    extra = parse_quantity(more, "picosecond", name="--extend")
    if not extra > 0:
        raise RecipeError(f'--extend "{more}" must be above zero')
    there = recipe.protocol.production_time
    assert there is not None
    length = hash_text([hash_simulation(recipe), str(there)])
    stages: Mapping[str, Any] = folder.read_manifest().get("stages", {})
    mine = {key: entry for key, entry in stages.items() if key.startswith("simulate/")}
    done = [
        entry.get("state") == "done" and entry.get("inputs") == length for entry in mine.values()
    ]
    if not done or not all(done):
        _LOG.warning("%s is not finished yet: finishing its %s first", folder.path, there)
        return recipe
    return set_production(recipe, there.magnitude + extra)


def branch_run(source: Path, target: Path, settings: Iterable[str]) -> Recipe:
    """Prepare a run that starts where another ended, at other conditions or with another model.

    Parameters
    ----------
    source
        A run folder in production, or finished.
    target
        Folder of the new run. One that was branched before is left as it is.
    settings
        What differs, ``"key=value"``.

    Returns
    -------
    Recipe
        Of the new run: heating, where packing is forgotten, is left out, and annealing begins at
        the temperature of the source.

    Raises
    ------
    RecipeError
        If the settings are wrong or change what is in the box.
    WorkspaceError
        If the source has no checkpoint to begin from, or the target holds something else.
    """
    old = load_recipe(source / "recipe.toml")
    asked = list(settings)
    keys = {item.partition("=")[0].strip() for item in asked}
    warm = old.conditions.temperature.magnitude
    for key, value in (("heat_time", "0 ps"), ("heat_temperature", f"{warm:g} K")):
        if f"protocol.{key}" not in keys:
            asked.append(f"protocol.{key}={value}")
    new = load_recipe(source / "recipe.toml", settings=asked).resolve()
    changed = {key.split(".")[0] for key in keys} & {"salt", "solvent", "additive", "box"}
    if changed:
        raise RecipeError(
            f"--branch keeps the molecules; --set {sorted(changed)[0]}... changes them: "
            "start a run of its own"
        )
    folder = open_run(target)
    if folder.recipe.exists():
        return new  # the pipeline refuses it when it is another run
    replicas = sorted(path.parent for path in (source / "simulate").glob("*/checkpoint"))
    wanted = new.protocol.replicas or len(new.protocol.starts or ("separated",))
    if not replicas:
        raise WorkspaceError(f"{source} has no checkpoint to branch from; run it first")
    _check_ends(source, replicas)
    if wanted > len(replicas):
        raise RecipeError(
            f"protocol.replicas = {wanted}, but {source} has {len(replicas)} to branch from"
        )
    for path in replicas:
        there = folder.simulate(path.name)
        there.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / "checkpoint", there / "origin")
    manifest = RunFolder(path=source).read_manifest()
    if hash_build(old) == hash_build(new):  # the same boxes: nothing to pack again
        built = {f"build/{path.name}": path for path in (source / "build").glob("*/")}
        for key, path in built.items():
            shutil.copytree(path, folder.path / key, dirs_exist_ok=True)
        entries = manifest.get("stages", {})
        folder.update_manifest(stages={key: entries[key] for key in built if key in entries})
    folder.update_manifest(
        branched_from={
            "folder": str(source),
            "recipe_hash": old.hash,
            "name": manifest.get("name"),
            "production_ps": {
                name: entry.get("production_ps")
                for name, entry in manifest.get("replicas", {}).items()
            },
        }
    )
    return new


def _check_ends(source: Path, replicas: list[Path]) -> None:
    """Make sure that every replica reached production, where the packing is forgotten."""
    from solvation.simulate.snapshot import load_snapshot

    for path in replicas:
        snapshot = load_snapshot(path / "checkpoint")
        if snapshot is None or snapshot.progress.stage != "production":
            stage = "start" if snapshot is None else snapshot.progress.stage
            raise WorkspaceError(
                f"{path.name} of {source} is in stage {stage}; branch when it is in production"
            )
