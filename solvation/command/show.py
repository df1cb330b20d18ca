"""``solvation show``: how far a run is, or what came out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from solvation.command.choice import JsonOption, StrictOption
from solvation.command.outcome import finish_run, guard_errors
from solvation.display import describe_log

__all__ = ["show_command"]


def show_command(
    directory: Annotated[Path, typer.Argument(help="A run folder.", metavar="DIR")],
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the numbers of a run, or how far it is."""
    with guard_errors():
        from solvation.errors import WorkspaceError
        from solvation.job import open_results
        from solvation.workspace import RunFolder

        folder = RunFolder(path=directory)
        if not directory.is_dir():
            raise WorkspaceError(f"{directory} is not a folder; give the folder of a run")
        if folder.summary.exists():
            run = open_results(directory)
            finish_run(run, strict, as_json)
            return
        manifest = folder.read_manifest()
        if not manifest:
            raise WorkspaceError(f"{directory} holds no run; start one with `solvation run`")
        if as_json:
            print(json.dumps(manifest, indent=1))
            return
        for stage, entry in manifest.get("stages", {}).items():
            print(f"{stage:28} {entry.get('state', '?'):12} {entry.get('wall_s', 0):10.1f} s")
        for path in sorted(directory.glob("simulate/*/log.csv")):
            print(f"{path.parent.name}: {describe_log(path)}")
