"""Command line: ``solvation run mg-tfsi2-dme`` and its parts."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import warnings
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from solvation.display import (
    describe_log,
    open_display,
    show_forcefield,
    show_quantities,
    show_table,
)
from solvation.errors import RecipeError, SolvationError
from solvation.option import read_charge, read_number, read_positive, split_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from solvation.event import StageName
    from solvation.job import Run

__all__ = ["app", "main"]

app = typer.Typer(
    name="solvation",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "What does this Ca2+ or Mg2+ salt do in this ether?\n\n"
        "One command takes a recipe to a report:\n\n"
        "  solvation run mg-tfsi2-dme --profile quick\n\n"
        "Run it again after anything went wrong: it continues where it stopped. "
        "A trajectory that another program made is analyzed with:\n\n"
        "  solvation analyze --topology TOPOLOGY --trajectory TRAJECTORY\n\n"
        "Exit codes: 0 done, 2 the input is wrong, 3 the simulation failed, "
        "4 done but not converged (with --strict), 130 interrupted."
    ),
)


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


RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A shipped electrolyte (see `solvation systems`), a recipe file, or a run folder.",
        metavar="RECIPE",
    ),
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
JsonOption = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with code 4 when a number is not converged.")
]


@app.command("run")
def run_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    replicas: ReplicasOption = None,
    until: Annotated[Stage, typer.Option(help="Stop after this stage.")] = Stage.report,
    settings: SetOption = None,
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
    _run(recipe, output, profile, platform, replicas, until, settings, strict, as_json)


@app.command("build")
def build_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    replicas: ReplicasOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack the boxes and put the force field on them."""
    _run(recipe, output, profile, "auto", replicas, Stage.build, settings, False, as_json)


@app.command("simulate")
def simulate_command(
    recipe: RecipeArgument,
    output: OutputOption = None,
    profile: ProfileOption = None,
    platform: PlatformOption = "auto",
    replicas: ReplicasOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the replicas, building first what is not built."""
    _run(recipe, output, profile, platform, replicas, Stage.simulate, settings, False, as_json)


@app.command("analyze")
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
        typer.Option(help="Trajectory; several are replicas of one system.", metavar="FILE"),
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
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Analyze a run, or any trajectory that MDAnalysis reads.

    Species are recognised from bonds, elements and charges; the options override what was found.

    Examples:

      solvation analyze runs/mg-tfsi2-dme

      solvation analyze --topology topology.data --trajectory traj.xtc -o my-analysis
    """
    with _guard():
        if (recipe is None) == (topology is None):
            raise RecipeError(
                "give either a run folder or --topology with --trajectory, one of the two"
            )
        if recipe is not None:
            if trajectory:
                raise RecipeError("--trajectory goes with --topology, not with a run folder")
            _run(
                recipe, output, None, "auto", None, Stage.analyze, None, strict, as_json,
                since=Stage.analyze,
            )  # fmt: skip
            return
        if not trajectory:
            raise RecipeError("--topology needs --trajectory FILE")
        assert topology is not None
        from solvation.pipeline import analyze_trajectory
        from solvation.units import parse_quantity

        target = output or Path("runs") / f"{topology.resolve().parent.name}-analysis"
        with open_display(as_json) as listen:
            run = analyze_trajectory(
                topology,
                trajectory,
                target,
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
                command=_command_line(),
                progress=listen,
            )
        _finish(run, strict, as_json)


@app.command("report")
def report_command(
    recipe: RecipeArgument, output: OutputOption = None, as_json: JsonOption = False
) -> None:
    """Write the page of a finished run again."""
    _run(
        recipe, output, None, "auto", None, Stage.report, None, False, as_json,
        since=Stage.report,
    )  # fmt: skip


@app.command("show")
def show_command(
    directory: Annotated[Path, typer.Argument(help="A run folder.", metavar="DIR")],
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print the summary of a finished run, or how far a running one is."""
    with _guard():
        from solvation.errors import WorkspaceError
        from solvation.job import open_results
        from solvation.workspace import RunFolder

        folder = RunFolder(path=directory)
        if not directory.is_dir():
            raise WorkspaceError(f"{directory} is not a folder; give the folder of a run")
        if folder.summary.exists():
            run: Run = open_results(directory)
            _finish(run, strict, as_json)
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


@app.command("systems")
def systems_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the shipped electrolytes, or print one with its experimental values."""
    with _guard():
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


@app.command("forcefields")
def forcefields_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """List force fields, or which species one covers, with sources."""
    with _guard():
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


@app.command("parametrize")
def parametrize_command(
    source: Annotated[
        str, typer.Argument(help="SMILES, or an SDF file.", metavar="SMILES|FILE.sdf")
    ],
    charge: Annotated[int, typer.Option(help="Formal charge in e.", metavar="Q")],
    name: Annotated[str, typer.Option(help="Name of the species, for recipes.", metavar="NAME")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write [default: NAME].", metavar="DIR"),
    ] = None,
    method: Annotated[
        str, typer.Option(help="gfn2 or b3lyp: geometry, Hessian, scans.", metavar="METHOD")
    ] = "gfn2",
    conformers: Annotated[
        int, typer.Option(min=1, help="Shapes in the fit of the charges.", metavar="N")
    ] = 2,
    orientations: Annotated[
        int, typer.Option(min=1, help="Orientations of the points around each.", metavar="N")
    ] = 2,
    threads: Annotated[int, typer.Option(min=1, help="For HF/6-31G*.", metavar="N")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of conformers and points.")] = 2026,
    as_json: JsonOption = False,
) -> None:
    """Derive parameters for an ion or molecule that no force field here covers.

    Run it again to continue; finished steps lie in DIR/derivation. Use the result in a recipe
    with `species = ["DIR"]` in [model].

    Example:

      solvation parametrize "[B-](F)(F)(F)C#N" --charge -1 --name BF3CN -o mine
    """
    with _guard():
        from dataclasses import asdict

        from solvation.build.parametrize import parametrize

        done = parametrize(
            source,
            charge=charge,
            name=name,
            output=output or Path(name),
            method=method,
            conformers=conformers,
            orientations=orientations,
            threads=threads,
            seed=seed,
            listen=lambda text: None if as_json else print(text, file=sys.stderr, flush=True),
        )
        if as_json:
            print(json.dumps(asdict(done), indent=1, default=str))
            return
        at = done.agreement
        print(f"heavy atoms within {at.rmsd:.3f} angstrom of the reference, RRMS {done.rrms:.4f}")
        print(
            f"vibrations within {at.frequency_rms:.0f} /cm ({at.frequency_relative_rms:.0%}), rms"
        )
        for flag in done.flags:
            print(f"doubtful: {flag}")


def main() -> None:
    """Entry point: run the command line, with one line for whatever the user can mend."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("MDAnalysis").setLevel(logging.ERROR)
    if not sys.flags.dev_mode and not sys.warnoptions:
        warnings.simplefilter("ignore", DeprecationWarning)
    try:
        code = app(standalone_mode=False)
    except typer.Exit as done:
        code = done.exit_code
    except KeyboardInterrupt:
        code = _say("interrupted; run the same command again to continue", 130)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # how typer reports a misspelt option
        if usage is None or not hasattr(error, "exit_code"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(0)
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "solvation"
        code = _say(f"{usage().replace('Value error, ', '')} (`{path} --help` explains)", 2)
    sys.exit(code or 0)


def _run(
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
) -> None:
    """Load a recipe or a run folder and run the pipeline."""
    with _guard():
        from solvation.pipeline import rewrite_report, run
        from solvation.recipe import load_recipe

        folder = Path(recipe)
        source: str | Path = recipe
        if folder.is_dir():
            if not (folder / "recipe.toml").is_file():
                if since is Stage.report and (folder / "summary.json").is_file():
                    _finish(rewrite_report(folder), strict, as_json)
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
                command=_command_line(),
                progress=listen,
            )
        if until in (Stage.analyze, Stage.report):
            _finish(done, strict, as_json)
        elif as_json:
            print(json.dumps(done.folder.read_manifest(), indent=1))
        else:
            print(f"{until.value} done: {done.folder.path}")


def _finish(run: Run, strict: bool, as_json: bool) -> None:
    """Print the numbers, and where the page is."""
    quantities = run.quantities
    if as_json:
        print(run.folder.summary.read_text(encoding="utf-8"), end="")
    else:
        show_quantities(quantities)
        if run.report.exists():
            print(f"\nreport: {run.report}")
    doubtful = sum(quantity.status == "not_converged" for quantity in quantities)
    if strict and doubtful:
        _fail(f"{doubtful} of {len(quantities)} quantities are not converged; run longer", 4)


@contextmanager
def _guard() -> Iterator[None]:
    """Turn the package's errors into one line and an exit code."""
    try:
        yield
    except SolvationError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted; run the same command again to continue", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def _fail(message: str, code: int) -> NoReturn:
    """Say one line on standard error and leave."""
    raise typer.Exit(_say(message, code))


def _say(message: str, code: int) -> int:
    """Print one line on standard error; returns the exit code."""
    print(f"solvation: {' '.join(message.split())}", file=sys.stderr)
    return code


def _command_line() -> str:
    """Write what the user typed."""
    return shlex.join(["solvation", *sys.argv[1:]])
