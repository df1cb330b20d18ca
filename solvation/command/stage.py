"""``solvation run``, ``build``, ``simulate`` and ``report``: the stages of a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solvation.command.choice import (
    AllowScriptsOption,
    JsonOption,
    OutputOption,
    PlatformOption,
    Profile,
    ProfileOption,
    RecipeArgument,
    ReplicasOption,
    SetOption,
    Stage,
    StrictOption,
)
from solvation.command.outcome import finish_run, guard_errors, write_command_line
from solvation.display import open_display
from solvation.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvation.event import StageName

__all__ = ["build_command", "report_command", "run_command", "run_stages", "simulate_command"]


def run_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    replicas: ReplicasOption = None,
    until: Annotated[Stage, typer.Option(help="Stop after this stage.")] = Stage.report,
    settings: SetOption = None,
    allow_scripts: AllowScriptsOption = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do all four stages: build, simulate, analyze, report.

    Run the same command again to continue; nothing whose inputs are unchanged is repeated.

    Examples:

      solvation run mg-tfsi2-dme --profile quick

      solvation run mg-tfsi2-dme --set salt.0.concentration="0.3 mol/L" -o runs/mg-0.3

      solvation run runs/mg-tfsi2-dme
    """
    run_stages(
        recipe,
        output,
        profile,
        platform,
        replicas,
        until,
        settings,
        strict,
        as_json,
        allow_scripts=allow_scripts,
    )


def build_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    replicas: ReplicasOption = None,
    settings: SetOption = None,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pack the boxes and put the force field on them."""
    run_stages(
        recipe,
        output,
        profile,
        "auto",
        replicas,
        Stage.build,
        settings,
        False,
        as_json,
        allow_scripts=allow_scripts,
    )


def simulate_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    replicas: ReplicasOption = None,
    settings: SetOption = None,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the replicas, building first what is not built."""
    run_stages(
        recipe,
        output,
        profile,
        platform,
        replicas,
        Stage.simulate,
        settings,
        False,
        as_json,
        allow_scripts=allow_scripts,
    )


def report_command(
    recipe: RecipeArgument, output: OutputOption = None, as_json: JsonOption = False
) -> None:
    """Write the page of a finished run again."""
    run_stages(
        recipe, output, None, "auto", None, Stage.report, None, False, as_json,
        since=Stage.report,
    )  # fmt: skip


def run_stages(
    recipe: str,
    output: Path | None,
    profile: Profile | None,
    platform: str,
    replicas: int | None,
    until: Stage,
    settings: Sequence[str] | None,
    strict: bool,
    as_json: bool,
    since: Stage = Stage.build,
    allow_scripts: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
) -> None:
    """Load a recipe or a run folder and run the pipeline."""
    with guard_errors():
        from solvation.pipeline import rewrite_report, run
        from solvation.recipe import load_recipe

        folder = Path(recipe)
        source: str | Path = recipe
        if folder.is_dir():
            if not (folder / "recipe.toml").is_file():
                if since is Stage.report and (folder / "summary.json").is_file():
                    finish_run(rewrite_report(folder), strict, as_json)
                    return
                hint = " (or --topology and --trajectory)" if since is Stage.analyze else ""
                raise RecipeError(
                    f"{folder} holds no recipe.toml; give a run folder or a recipe{hint}"
                )
            source = folder / "recipe.toml"
            is_run = (folder / "manifest.json").is_file()
            output = output or (folder if is_run else None)
        loaded = load_recipe(source, settings=settings or ())
        stage: StageName = until.value
        with open_display(as_json) as listen:
            done = run(
                loaded,
                output,
                profile=profile.value if profile else None,
                platform=platform,
                replicas=replicas,
                since=since.value,
                until=stage,
                allow_scripts=allow_scripts,
                jobs=jobs,
                scheduler=scheduler,
                command=write_command_line(),
                progress=listen,
            )
        if until in (Stage.analyze, Stage.report):
            finish_run(done, strict, as_json)
        elif as_json:
            print(json.dumps(done.folder.read_manifest(), indent=1))
        else:
            print(f"{until.value} done: {done.folder.path}")
