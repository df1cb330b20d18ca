"""Display: tables and progress bars on the terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from solvation.build.forcefield import ForceField
    from solvation.event import Event
    from solvation.experiment import Experiment
    from solvation.results import Quantity

__all__ = [
    "describe_log",
    "open_display",
    "show_experiment",
    "show_forcefield",
    "show_quantities",
    "show_table",
]


def show_forcefield(field: ForceField) -> None:
    """Print what a force field covers, where it is from, and what is wrong with it."""
    from solvation.build.coverage import describe_gaps
    from solvation.build.ionset import list_ions
    from solvation.library import find_species

    console = _console()
    console.print(f"{field.name}: {field.title}\n")
    console.print(f"mixing {field.mixing}; licence {field.licence}\n")
    blocks: dict[str, list[str]] = {}
    for row in field.card["block"]:
        for item in row.get("species", ()):
            source = f"{row.get('cite', '')} [{row.get('doi', 'no DOI')}]"
            blocks.setdefault(item, []).append(source)
    sources = []
    for item in field.coverage:
        species, source = find_species(item), "; ".join(blocks[item])
        sources.append((species.name, f"{species.charge:+d}", species.title, source))
    show_table(("species", "charge", "what", "source"), sources)
    if sets := field.card.get("ions"):
        default = ", ".join(f"{ion} {key}" for ion, key in sets.get("default", {}).items())
        show_table(
            ("model.ions", "for", "what"),
            [
                (key, " ".join(ions), sets.get(key, {}).get("title", default))
                for key, ions in list_ions(field).items()
            ],
        )
    for block in field.card["block"]:
        fitted = f" Fitted to: {block['fitted_to']}." if "fitted_to" in block else ""
        console.print(f"{block.get('name', '')}:{fitted} {block.get('note', '')}".rstrip() + "\n")
    for table in ("conversion", "failings"):
        for key, text in field.card.get(table, {}).items():
            console.print(f"{table.replace('_', ' ')}, {key}: {text}")
    for line in describe_gaps(field):
        console.print(f"not covered, {line}")
    console.print(f"\nEvery row names its source: {', '.join(str(file) for file in field.files)}")


def show_experiment(experiment: Experiment) -> None:
    """Print what others measured or computed, each value with its source."""
    rows = []
    for item in experiment.values:
        sign = {"above": "> ", "below": "< ", "dominant": "most frequent"}.get(item.expect, "")
        value = "" if item.value is None else f"{item.value:g} {item.unit}".removesuffix(" 1")
        error = "" if item.stderr is None else f" ± {item.stderr:g}"
        warm = "" if item.temperature is None else f"{item.temperature:g} K"
        judged = "" if item.judged or item.expect == "statement" else "for orientation"
        about = [item.statement, item.conditions, warm, item.note, judged]
        source = f"{item.citation} [{item.doi or 'no DOI'}]"
        text = "; ".join(part.rstrip(".") for part in about if part)
        rows.append((item.name or "-", f"{sign}{value}{error}", item.kind, text, source))
    show_table(("quantity", "value", "from", "what", "source"), rows)


def show_quantities(quantities: Sequence[Quantity]) -> None:
    """Print the summary as a table."""
    marks = {"ok": "", "bound": "bound", "not_converged": "not converged", "undefined": "undefined"}
    show_table(
        ("quantity", "value", "status"),
        [(quantity.name, quantity.text(), marks[quantity.status]) for quantity in quantities],
    )
    if any(quantity.status == "not_converged" for quantity in quantities):
        _console().print(
            "not converged: the run is too short to know; the reasons are in the report"
        )


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; colours and wrapping only on a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def describe_log(path: Path) -> str:
    """Say how far a replica is, from the last whole line of its log, which may be growing."""
    from solvation.log import LOG_HEADER

    width = LOG_HEADER.count(",") + 1
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    rows = [row for row in (line.split(",") for line in lines[-2:]) if len(row) == width]
    if not rows:
        return "no report yet"
    stage, _, time, _, _, temperature, _, density, speed = rows[-1]
    return f"{stage} {time} ps, {temperature} K, {density} g/cm3, {speed} ns/day"


def _console() -> Console:
    """Open standard output, wide enough not to break lines in files."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=140)


@contextmanager
def open_display(as_json: bool) -> Iterator[Callable[[Event], None]]:
    """Show progress on standard error: bars on a terminal, now and then a line elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    if as_json or not console.is_terminal:
        yield _lines(quiet=as_json)
        return
    tasks: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.fields[stage]:8}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
    ) as bars:

        def listen(event: Event) -> None:
            if event.stage not in tasks:
                tasks[event.stage] = bars.add_task("", total=1.0, stage=event.stage)
            bars.update(tasks[event.stage], completed=event.done, description=event.text)

        yield listen


def _lines(*, quiet: bool) -> Callable[[Event], None]:
    """Print one line per ten percent of a stage, for logs of batch jobs."""
    seen: dict[str, int] = {}

    def listen(event: Event) -> None:
        tenth = int(event.done * 10)
        if not quiet and seen.get(event.stage) != tenth:
            seen[event.stage] = tenth
            sys.stderr.write(f"{event.stage:8} {100 * event.done:3.0f} %  {event.text}\n")
            sys.stderr.flush()

    return listen
