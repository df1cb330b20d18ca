"""``solvation campaign``: the product of recipes, concentrations, temperatures and models."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solvation.command.choice import AllowScriptsOption, JsonOption
from solvation.command.outcome import guard_errors, leave, write_command_line
from solvation.display import describe_log, show_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from solvation.campaign.plan import Campaign, Point
    from solvation.campaign.schedule import CampaignRun, Standing

__all__ = ["campaign_command"]


def campaign_command(
    file: Annotated[Path, typer.Argument(help="A campaign file (TOML).", metavar="FILE")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder [default: runs/<name>].", metavar="DIR"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers, or jobs at most.", metavar="N")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler that runs already.", metavar="ADDRESS")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(help="auto, CUDA, HIP, OpenCL, CPU or Reference.", metavar="PLATFORM"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the points and the job script; run nothing.")
    ] = False,
    allow_scripts: AllowScriptsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run every combination of what a file lists.

    Recipes, concentrations, temperatures, models and replicas.

    A file as short as this is a campaign of 2 x 2 points with 4 replicas each, on two workers:

      name = "glymes"
      recipes = ["mg-tfsi2-dme", "ca-tfsi2-dme"]
      temperatures = ["298.15 K", "333.15 K"]
      replicas = 4

      [workers]
      number = 2

    Each point is a run folder of its own. A point that fails is tried again, then left, and the
    others go on (exit code 3). Run the same command again to continue: what is done is kept.

    Examples:

      solvation campaign glymes.toml --dry-run

      solvation campaign glymes.toml --workers 4

      solvation campaign glymes.toml --scheduler tcp://node1:8786
    """
    with guard_errors():
        from solvation.campaign.plan import check_points, list_points, load_campaign

        if dry_run:
            campaign = load_campaign(file)
            points = list_points(campaign)
            check_points(points, output or Path("runs") / campaign.name)
            _show_plan(campaign, points, as_json)
            return
        from solvation.campaign.schedule import run_campaign

        with _open_table(as_json) as listen:
            done = run_campaign(
                file,
                output,
                number=workers,
                scheduler=scheduler,
                platform=platform,
                allow_scripts=allow_scripts,
                command=write_command_line(),
                progress=listen,
            )
        _show_outcome(done, as_json)
        if done.n_failed:
            leave(
                f"{done.n_failed} of {len(done.standings)} points failed; run the same command "
                "again to try them again",
                3,
            )


def _show_plan(campaign: Campaign, points: Sequence[Point], as_json: bool) -> None:
    """Print the points, and what a batch system would be given."""
    from solvation.campaign.cluster import write_job_script
    from solvation.simulate.protocol import make_plan

    script = write_job_script(campaign.workers) if campaign.workers.is_batch else None
    rows: list[dict[str, Any]] = [
        {
            "point": point.label,
            "system": point.system,
            "concentration": point.concentration,
            "temperature": point.temperature,
            "model": point.model,
            "replicas": [replica.name for replica in make_plan(point.recipe).replicas],
            "production": str(point.recipe.protocol.production_time),
        }
        for point in points
    ]
    if as_json:
        print(json.dumps({"points": rows, "job_script": script}, indent=1))
        return
    counts = [len(make_plan(point.recipe).replicas) for point in points]
    header = ("point", "concentration", "K", "model", "replicas", "production")
    cells = [
        (point.label, point.concentration, f"{point.temperature:g}", point.model,
         str(count), str(row["production"]))
        for point, row, count in zip(points, rows, counts, strict=True)
    ]  # fmt: skip
    show_table(header, cells)
    total = sum(counts)
    staff = campaign.workers
    who = f"{staff.number} {staff.kind} worker(s)" if staff.address is None else staff.address
    print(f"{len(rows)} points, {total} replicas, on {who}")
    if script is not None:
        print(f"\nscript of each {staff.kind} job:\n\n{script.rstrip()}")
        if staff.gpus and "gpu" not in " ".join(staff.directives).lower():
            print(
                "\nworkers.gpus is true and no line asks the queue for a GPU; add one, such as "
                'directives = ["--gres=gpu:1"]'
            )


def _show_outcome(done: CampaignRun, as_json: bool) -> None:
    """Print what became of every point, and where the results are."""
    if as_json:
        rows = [
            {"point": item.point.label, "folder": str(item.folder), "state": item.state,
             "replicas_done": item.replicas_done, "error": item.error or None}
            for item in done.standings
        ]  # fmt: skip
        places = {
            "results": None if done.results is None else str(done.results),
            "page": None if done.page is None else str(done.page),
        }
        print(json.dumps({"points": rows, **places}, indent=1))
        return
    show_table(("point", "state", "replicas", "what"), [_write_row(i) for i in done.standings])
    if done.results is not None:
        print(f"results: {done.results}")
    if done.page is not None:
        print(f"comparison: {done.page}")


def _write_row(item: Standing) -> tuple[str, str, str, str]:
    """Write where one point stands, with the replica that is least far while it runs."""
    text = item.error
    if item.state == "running":
        logs = sorted(
            (item.folder / "simulate").glob("*/log.csv"), key=lambda path: path.stat().st_mtime
        )
        text = f"{logs[-1].parent.name}: {describe_log(logs[-1])}" if logs else "building"
    counted = f"{item.replicas_done}/{item.n_replicas}"
    return item.point.label, item.state, counted, text


@contextmanager
def _open_table(as_json: bool) -> Iterator[Callable[[Sequence[Standing]], None]]:
    """Show where all points stand on standard error: a live table, or a line when one changes."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    if as_json or not console.is_terminal:
        yield _lines(quiet=as_json)
        return
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        yield lambda standings: live.update(_draw(standings))


def _draw(standings: Sequence[Standing]) -> Table:
    """Draw the live table; on a screen too low for all, what is done or waits is counted only."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("point", "state", "replicas", "what"):
        table.add_column(name, overflow="fold")
    shown = [item for item in standings if item.state in ("running", "failed")]
    if len(standings) <= 20:
        shown = list(standings)
    for item in shown[:40]:
        table.add_row(*_write_row(item))
    states = [item.state for item in standings]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    table.caption = counts
    return table


def _lines(*, quiet: bool) -> Callable[[Sequence[Standing]], None]:
    """Print one line when a point changes, for logs of batch jobs."""
    seen: dict[str, tuple[str, int]] = {}

    def listen(standings: Sequence[Standing]) -> None:
        for item in standings:
            now = (item.state, item.replicas_done)
            if quiet or seen.get(item.point.label) == now:
                continue
            seen[item.point.label] = now
            label, state, counted, text = _write_row(item)
            sys.stderr.write(f"{label}  {state}  {counted} replicas  {text}".rstrip() + "\n")
            sys.stderr.flush()

    return listen
