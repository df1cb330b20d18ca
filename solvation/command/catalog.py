"""``solvation forcefields``: which there are and what they cover."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from solvation.command.choice import AllowScriptsOption, JsonOption
from solvation.command.outcome import guard_errors
from solvation.display import show_forcefield, show_table

__all__ = ["forcefields_command"]


def forcefields_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """List force fields, or print one with its sources."""
    with guard_errors():
        from solvation.build.forcefield import load_forcefield
        from solvation.library import list_forcefields

        if name is None:
            fields = [
                load_forcefield(item, allow_scripts=allow_scripts) for item in list_forcefields()
            ]
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
        field = load_forcefield(name, allow_scripts=allow_scripts)
        if as_json:
            print(json.dumps(field.card, indent=1, default=str))
            return
        show_forcefield(field)
