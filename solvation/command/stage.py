"""``solvation run``, ``build``, ``simulate`` and ``report``: the stages of a recipe."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solvation.command.choice import (
    AllowScriptsOption,
    AtOnceOption,
    DeviceOption,
    ExtendOption,
    JsonOption,
    MaxHoursOption,
    OutputOption,
    PlatformOption,
    Profile,
    ProfileOption,
    RecipeArgument,
    ReplicasOption,
    SetOption,
    Spread,
    SpreadOption,
    Stage,
    StrictOption,
)
from solvation.command.outcome import finish_run, guard_errors, leave, write_command_line
from solvation.display import open_display
from solvation.errors import RecipeError, StopError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvation.analyze.plugin import Plugin
    from solvation.event import StageName
    from solvation.job import Run

__all__ = [
    "Effort",
    "build_command",
    "report_command",
    "run_command",
    "run_stages",
    "simulate_command",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """On what, for how long and until when replicas run."""

    platform: str = "auto"
    device: str = ""
    at_once: int | None = None
    spread: Spread = Spread.processes
    max_hours: float | None = None
    extend: str | None = None
    branch: Path | None = None
    targets: tuple[str, ...] = ()
    cap: str | None = None


def run_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    device: DeviceOption = "",
    replicas: ReplicasOption = None,
    at_once: AtOnceOption = None,
    spread: SpreadOption = Spread.processes,
    until: Annotated[Stage, typer.Option(help="Stop after this stage.")] = Stage.report,
    max_hours: MaxHoursOption = None,
    extend: ExtendOption = None,
    branch: Annotated[
        Path | None,
        typer.Option(
            help="Start a run in this folder where that of RECIPE ended; --set says what differs.",
            metavar="DIR",
        ),
    ] = None,
    until_converged: Annotated[
        list[str] | None,
        typer.Option(
            "--until-converged",
            help="Make the run longer until a number is known so well: conductivity:10%, "
            "residence.Ca-DME:10events.",
            metavar="TARGET",
        ),
    ] = None,
    cap: Annotated[
        str | None,
        typer.Option(
            help="Longest production with --until-converged [default: 10 times the first].",
            metavar="TIME",
        ),
    ] = None,
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

      solvation run runs/mg-tfsi2-dme --extend "50 ns" --max-hours 23.5

      solvation run runs/mg-tfsi2-dme --branch runs/mg-320K --set conditions.temperature="320 K"
    """
    effort = Effort(
        platform=platform,
        device=device,
        at_once=at_once,
        spread=spread,
        max_hours=max_hours,
        extend=extend,
        branch=branch,
        targets=tuple(until_converged or ()),
        cap=cap,
    )
    run_stages(
        recipe,
        output,
        profile=profile,
        effort=effort,
        replicas=replicas,
        until=until,
        settings=settings,
        strict=strict,
        as_json=as_json,
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
        profile=profile,
        replicas=replicas,
        until=Stage.build,
        settings=settings,
        as_json=as_json,
        allow_scripts=allow_scripts,
    )


def simulate_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    device: DeviceOption = "",
    replicas: ReplicasOption = None,
    at_once: AtOnceOption = None,
    spread: SpreadOption = Spread.processes,
    max_hours: MaxHoursOption = None,
    extend: ExtendOption = None,
    settings: SetOption = None,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the replicas, building first what is not built."""
    run_stages(
        recipe,
        output,
        profile=profile,
        effort=Effort(
            platform=platform,
            device=device,
            at_once=at_once,
            spread=spread,
            max_hours=max_hours,
            extend=extend,
        ),
        replicas=replicas,
        until=Stage.simulate,
        settings=settings,
        as_json=as_json,
        allow_scripts=allow_scripts,
    )


def report_command(
    recipe: RecipeArgument, output: OutputOption = None, as_json: JsonOption = False
) -> None:
    """Write the page of a finished run again."""
    run_stages(recipe, output, until=Stage.report, as_json=as_json, since=Stage.report)


def run_stages(
    recipe: str,
    output: Path | None,
    *,
    until: Stage,
    since: Stage = Stage.build,
    profile: Profile | None = None,
    effort: Effort | None = None,
    replicas: int | None = None,
    settings: Sequence[str] | None = None,
    strict: bool = False,
    as_json: bool = False,
    allow_scripts: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    plugins: Sequence[Plugin] = (),
) -> None:
    """Load a recipe or a run folder and run the pipeline."""
    effort, began = effort or Effort(), time.monotonic()
    with guard_errors():
        from solvation.extend import branch_run
        from solvation.pipeline import rewrite_report, run
        from solvation.recipe import load_recipe
        from solvation.target import parse_target, reach_targets
        from solvation.units import parse_quantity

        targets = [parse_target(text) for text in effort.targets]
        cap = None if effort.cap is None else parse_quantity(effort.cap, "picosecond", name="--cap")
        if cap is not None and not targets:
            raise RecipeError("--cap goes with --until-converged")
        if targets and until is not Stage.report:
            raise RecipeError("--until-converged needs results; leave out --until")
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
        if effort.branch is not None:
            if source == recipe:
                raise RecipeError("--branch starts where a run ended; give the folder of that run")
            loaded, output = branch_run(folder, effort.branch, settings or ()), effort.branch
        else:
            loaded = load_recipe(source, settings=settings or ())
        stage: StageName = until.value
        with open_display(as_json) as listen:

            def go(extend: str | None) -> Run:
                spent = (time.monotonic() - began) / 3600
                hours = None if effort.max_hours is None else effort.max_hours - spent
                if hours is not None and extend is not None and hours <= 0:
                    raise StopError("stopped (time is up); run the same command again to continue")
                return run(
                    loaded,
                    output,
                    profile=profile.value if profile else None,
                    platform=effort.platform,
                    device=effort.device,
                    replicas=replicas,
                    at_once=effort.at_once,
                    spread=effort.spread.value,
                    max_hours=hours,
                    extend=extend,
                    since=since.value,
                    until=stage,
                    allow_scripts=allow_scripts,
                    jobs=jobs,
                    scheduler=scheduler,
                    plugins=plugins,
                    command=write_command_line(),
                    progress=listen,
                )

            done, missed = go(effort.extend), []
            if targets:
                missed = reach_targets(
                    lambda more: done if more is None else go(more),
                    targets, cap=cap, progress=listen,
                )  # fmt: skip
        if until in (Stage.analyze, Stage.report):
            finish_run(done, strict, as_json)
        elif as_json:
            print(json.dumps(done.folder.read_manifest(), indent=1))
        else:
            print(f"{until.value} done: {done.folder.path}")
        if missed:
            names = ", ".join(target.text for target in missed)
            leave(f"not reached: {names}; the run is as long as --cap allows", 4)
