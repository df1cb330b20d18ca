"""``solvation export``: a built system for GROMACS, LAMMPS or AMBER."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from solvation.command.choice import AllowScriptsOption, JsonOption, SetOption
from solvation.command.outcome import guard_errors, write_command_line
from solvation.display import open_display, show_table

__all__ = ["export_command"]


class Target(StrEnum):
    """Programs."""

    gromacs = "gromacs"
    lammps = "lammps"
    amber = "amber"


def export_command(
    run: Annotated[
        str, typer.Argument(help="A run folder, or a recipe to build.", metavar="RUN|RECIPE")
    ],
    to: Annotated[Target, typer.Option("--to", help="The program to write for.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write [default: <TO>].", metavar="DIR"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start or replica whose positions are taken [default: the first start].",
            metavar="NAME",
        ),
    ] = None,
    settings: SetOption = None,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a built system for another program.

    What was written is read back, and every energy term is compared.

    Examples:

      solvation export runs/mg-tfsi2-dme --to gromacs -o gromacs

      solvation export mg-tfsi2-dme --to lammps --from separated-1
    """
    with guard_errors():
        from solvation.errors import RecipeError
        from solvation.export.delivery import export_run

        target = output or Path(to.value)
        folder = Path(run)
        if not (folder / "manifest.json").is_file():
            from solvation.pipeline import run as run_pipeline
            from solvation.recipe import load_recipe

            loaded = load_recipe(run, settings=settings or ())
            folder = target / "run"
            with open_display(as_json) as listen:
                run_pipeline(
                    loaded,
                    folder,
                    until="build",
                    allow_scripts=allow_scripts,
                    command=write_command_line(),
                    progress=listen,
                )
        elif settings:
            raise RecipeError("--set goes with a recipe, not with a run folder")
        done = export_run(
            folder, target, target=to.value, source=source, allow_scripts=allow_scripts
        )
        if as_json:
            rows = [
                {"term": row.term, "here": row.here, "back": row.back, "unit": "kJ/mol"}
                for row in done.energies
            ]
            what = {"files": [str(file) for file in done.files], "notes": list(done.notes)}
            print(json.dumps({"target": done.target, **what, "energies": rows}, indent=1))
            return
        for file in done.files:
            print(file)
        for note in done.notes:
            print(f"note: {note}")
        show_table(
            ("energy (kJ/mol)", "here", "read back", "difference"),
            [
                (row.term, f"{row.here:.5f}", f"{row.back:.5f}", f"{row.difference:+.1e}")
                for row in done.energies
            ],
        )
