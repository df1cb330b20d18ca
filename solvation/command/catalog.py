"""``solvation systems`` and ``forcefields``: what ships with the package."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors
from solvation.display import show_forcefield, show_table

__all__ = ["forcefields_command", "systems_command"]


def systems_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the shipped electrolytes, or print one with its experimental values."""
    with guard_errors():
        from solvation.library import find_system, list_systems
        from solvation.recipe import load_recipe

        if name is not None:
            path = find_system(name)
            recipe = load_recipe(name)
            experiment = path.with_name("experiment.toml")
            if as_json:
                import tomllib

                values = (
                    tomllib.loads(experiment.read_text("utf-8")) if experiment.is_file() else {}
                )
                print(json.dumps({"recipe": recipe.to_dict(), "experiment": values}, indent=1))
                return
            print(path.read_text(encoding="utf-8"))
            if experiment.is_file():
                print("# experiment.toml\n")
                print(experiment.read_text(encoding="utf-8"))
            return
        recipes = [load_recipe(item) for item in list_systems()]
        if as_json:
            print(json.dumps([recipe.to_dict() for recipe in recipes], indent=1))
            return
        show_table(
            ("name", "what"), [(recipe.name, recipe.title or recipe.name) for recipe in recipes]
        )
        print("\nsolvation systems NAME prints one; solvation run NAME runs it")


def forcefields_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """List force fields, or which species one covers, with sources."""
    with guard_errors():
        from solvation.build.forcefield import load_forcefield
        from solvation.library import list_forcefields

        if name is None:
            fields = [load_forcefield(item) for item in list_forcefields()]
            if as_json:
                rows = [
                    {"name": f.name, "title": f.title, "coverage": list(f.coverage)} for f in fields
                ]
                print(json.dumps(rows, indent=1))
                return
            show_table(
                ("name", "what", "covers"),
                [(f.name, f.title, " ".join(f.coverage)) for f in fields],
            )
            return
        field = load_forcefield(name)
        if as_json:
            print(json.dumps(field.card, indent=1, default=str))
            return
        show_forcefield(field)
