"""``solvation analyze``: a run, or a trajectory that some other program made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solvation.command.choice import (
    JobsOption,
    JsonOption,
    OutputOption,
    PluginOption,
    SchedulerOption,
    SeriesOption,
    SsipOption,
    Stage,
    StrictOption,
)
from solvation.command.outcome import finish_run, guard_errors, write_command_line
from solvation.command.stage import run_stages
from solvation.display import open_display
from solvation.errors import RecipeError
from solvation.option import (
    read_charge,
    read_choice,
    read_number,
    read_positive,
    split_pairs,
    split_pieces,
)

__all__ = ["analyze_command"]


def analyze_command(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A run folder or recipe; none with --topology.", metavar="RECIPE"),
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option(
            help="Topology with bonds: LAMMPS data, PDB, TPR, PRMTOP, ...", metavar="FILE"
        ),
    ] = None,
    trajectory: Annotated[
        list[Path] | None,
        typer.Option(
            help="Trajectory; several are replicas, FILE+FILE are pieces of one.",
            metavar="FILE[+FILE]",
        ),
    ] = None,
    output: OutputOption = None,
    cation: Annotated[
        str | None, typer.Option(help="MDAnalysis selection of the cations.", metavar="SEL")
    ] = None,
    anion: Annotated[
        str | None, typer.Option(help="MDAnalysis selection of the anions.", metavar="SEL")
    ] = None,
    solvent: Annotated[
        list[str] | None, typer.Option(help="Name and selection of a solvent.", metavar="NAME=SEL")
    ] = None,
    charge: Annotated[
        list[str] | None,
        typer.Option(help="Formal charge of a species, e.g. Mg=2.", metavar="NAME=Q"),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(help='First-shell cutoff, e.g. "Mg-DME.O=2.9 angstrom".', metavar="PAIR=R"),
    ] = None,
    dt: Annotated[
        str | None, typer.Option(help='Time between frames, e.g. "50 ps".', metavar="TIME")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(
            help='Box in angstrom and degrees: "A B C [alpha beta gamma]".', metavar="BOX"
        ),
    ] = None,
    temperature: Annotated[
        str | None, typer.Option(help='Temperature, e.g. "298.15 K".', metavar="T")
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(
            help="What motion is measured against: barycentric, solvent or volume.", metavar="FRAME"
        ),
    ] = None,
    viscosity: Annotated[
        str | None,
        typer.Option(
            help='Viscosity of the model, for diffusion without a box, e.g. "0.5 mPa s".',
            metavar="ETA",
        ),
    ] = None,
    structure_only: Annotated[
        bool, typer.Option("--structure-only", help="No diffusion and no conductivity.")
    ] = False,
    plugin: PluginOption = None,
    ssip: SsipOption = None,
    series: SeriesOption = False,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Analyze a run, or any trajectory that MDAnalysis reads.

    Species are recognised from bonds, elements and charges; the options override what was found.

    Examples:

      solvation analyze runs/mg-tfsi2-dme

      solvation analyze --topology topology.data --trajectory traj.xtc -o my-analysis
    """
    with guard_errors():
        from solvation.analyze.plugin import load_plugin

        plugins = [load_plugin(text) for text in plugin or []]
        if (recipe is None) == (topology is None):
            raise RecipeError(
                "give either a run folder or --topology with --trajectory, one of the two"
            )
        if recipe is not None:
            if trajectory:
                raise RecipeError("--trajectory goes with --topology, not with a run folder")
            chosen = {"analysis.frame": frame, "analysis.viscosity": viscosity}
            settings = [f"{key}={value}" for key, value in chosen.items() if value is not None]
            settings += [f"analysis.ssip={ssip.value}"] if ssip else []
            settings += ["analysis.series=true"] if series else []
            run_stages(
                recipe, output, until=Stage.analyze, since=Stage.analyze, settings=settings,
                strict=strict, as_json=as_json, jobs=jobs, scheduler=scheduler,
                plugins=plugins,
            )  # fmt: skip
            return
        if not trajectory:
            raise RecipeError("--topology needs --trajectory FILE")
        assert topology is not None
        from solvation.analyze.reference import FRAMES
        from solvation.pipeline import analyze_trajectory
        from solvation.units import parse_quantity

        target = output or Path("runs") / f"{topology.resolve().parent.name}-analysis"
        with open_display(as_json) as listen:
            run = analyze_trajectory(
                topology,
                [split_pieces(path) for path in trajectory],
                target,
                transport=not structure_only,
                plugins=plugins,
                frame=read_choice("frame", frame or FRAMES[0], FRAMES),
                viscosity=read_positive("viscosity", viscosity, "millipascal * second"),
                series=series,
                ssip=ssip.value if ssip else "shared-solvent",
                jobs=jobs,
                scheduler=scheduler,
                cation=cation,
                anion=anion,
                solvent=split_pairs("solvent", solvent),
                charges={
                    key: read_charge(key, text)
                    for key, text in split_pairs("charge", charge).items()
                },
                cutoffs={
                    key: parse_quantity(text, "angstrom", name=f"--cutoff {key}")
                    for key, text in split_pairs("cutoff", cutoff).items()
                },
                dt=read_positive("dt", dt, "picosecond"),
                box=None if box is None else [read_number("box", part) for part in box.split()],
                temperature=read_positive("temperature", temperature, "kelvin"),
                command=write_command_line(),
                progress=listen,
            )
        finish_run(run, strict, as_json)
