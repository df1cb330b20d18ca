"""Choices that several commands share: arguments, options and their help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowScriptsOption",
    "AtOnceOption",
    "DeviceOption",
    "ExtendOption",
    "JobsOption",
    "JsonOption",
    "MaxHoursOption",
    "OutputOption",
    "PlatformOption",
    "PluginOption",
    "Profile",
    "ProfileOption",
    "RecipeArgument",
    "ReplicasOption",
    "SchedulerOption",
    "SeriesOption",
    "SetOption",
    "Spread",
    "SpreadOption",
    "SsipOption",
    "SsipRule",
    "Stage",
    "StrictOption",
]


class Profile(StrEnum):
    """How long to simulate."""

    quick = "quick"
    standard = "standard"
    production = "production"


class Stage(StrEnum):
    """The four stages."""

    build = "build"
    simulate = "simulate"
    analyze = "analyze"
    report = "report"


class Spread(StrEnum):
    """What replicas at the same time are."""

    processes = "processes"
    threads = "threads"


RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A shipped electrolyte (see `solvation systems`), a recipe file, or a run folder.",
        metavar="RECIPE",
    ),
]
JobsOption = Annotated[int, typer.Option(min=1, help="Processes that look at frames.", metavar="N")]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(help="Observable of your own, see the how-to; repeatable.", metavar="FILE:CLASS"),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Dask scheduler whose workers look at frames.", metavar="ADDRESS"),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Run folder [default: runs/<name>].", metavar="DIR"),
]
ProfileOption = Annotated[
    Profile | None,
    typer.Option(
        help="quick: minutes, shows the road; standard: structure; production: transport."
    ),
]
PlatformOption = Annotated[
    str, typer.Option(help="auto, CUDA, HIP, OpenCL, CPU or Reference.", metavar="PLATFORM")
]
DeviceOption = Annotated[
    str,
    typer.Option(
        help="Number of the GPU, or several, over which replicas are spread: 0,1.", metavar="N"
    ),
]
AtOnceOption = Annotated[
    int | None,
    typer.Option(
        "--at-once",
        min=1,
        help="Replicas at the same time [default: as many as pay].",
        metavar="N",
    ),
]
SpreadOption = Annotated[Spread, typer.Option(help="What replicas that run at the same time are.")]
MaxHoursOption = Annotated[
    float | None,
    typer.Option(
        "--max-hours", help="Stop at a checkpoint after so many hours, exit code 130.", metavar="H"
    ),
]
ExtendOption = Annotated[
    str | None,
    typer.Option(
        help='Make the production of a finished run longer, e.g. "50 ns".', metavar="TIME"
    ),
]
ReplicasOption = Annotated[
    int | None,
    typer.Option(min=1, help="Independent runs, from different starts in turn.", metavar="N"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change one key of the recipe, e.g. box.cations=24 or protocol.seed=7.",
        metavar="KEY=VALUE",
    ),
]
AllowScriptsOption = Annotated[
    bool,
    typer.Option(
        "--allow-scripts", help="Let the force field's files run Python code; read them first."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


class SsipRule(StrEnum):
    """What makes a solvent-separated pair."""

    shared_solvent = "shared-solvent"
    second_minimum = "second-minimum"


SsipOption = Annotated[
    SsipRule | None,
    typer.Option(
        help="Solvent-separated: a solvent molecule touches both ions (default), or their distance "
        "is within the second minimum of g(r).",
    ),
]
SeriesOption = Annotated[
    bool, typer.Option("--series", help="Keep coordination numbers of every cation and frame.")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with code 4 when a number is not converged.")
]
