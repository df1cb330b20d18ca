"""A quick run of every divalent salt in DME, and of TFSI salts in diglyme, from both starts.

Run ``python benchmarks/measure_survey.py -o FOLDER``. Every system is one ``solvation run`` with
two replicas, one packed solvent-separated and one with contacts, into a folder of its own: what
is finished is not repeated. ``--only PART`` takes the systems with PART in their name, ``--set
KEY=VALUE`` changes the recipes, ``--table`` only prints what is there. The tables of
``docs/explanation/survey.md`` are this output. Shells of divalent ions outlast runs of this
length: what the two starts do not agree on is not known, and the difference between the starts
is part of the error.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.stats

import solvation
from solvation.errors import SolvationError
from solvation.job import Run
from solvation.results import Quantity

PROTOCOL = {
    "heat_time": "10 ps",
    "anneal_time": "10 ps",
    "density_time": "16 ps",
    "density_time_max": "16 ps",
    "report_interval": "0.4 ps",
    "checkpoint_interval": "4 ps",
}
STARTS = ("separated", "contact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One system."""

    system: str
    """Name of a shipped recipe."""
    cations: int
    """Cations in the box; few where the salt is dilute."""
    production: int
    """ps of production in each replica."""


SALTS = (
    Case(system="mg-tfsi2-dme", cations=3, production=30),
    Case(system="mg-otf2-dme", cations=3, production=30),
    Case(system="mg-bh42-dme", cations=1, production=30),
    Case(system="mg-bhfip4-dme", cations=2, production=30),
    Case(system="mg-tpfa-dme", cations=2, production=30),
    Case(system="ca-tfsi2-dme", cations=3, production=30),
    Case(system="ca-bhfip4-dme", cations=2, production=30),
    Case(system="ca-alhfip4-dme", cations=2, production=30),
    Case(system="ca-tpfa-dme", cations=2, production=30),
)
"""Tier A salts of Mg and Ca in DME."""
SERIES = tuple(
    Case(system=name, cations=3, production=40)
    for name in (
        "mg-tfsi2-g2", "ca-tfsi2-g2", "zn-tfsi2-g2", "li-tfsi-g2", "na-tfsi-g2", "k-tfsi-g2",
    )
)  # fmt: skip
"""TFSI in diglyme at 0.4 mol/L."""


def run_case(case: Case, folder: Path, platform: str, settings: Sequence[str] = ()) -> Run:
    """Run one system, or go on with it; ``settings`` come last and win."""
    recipe = solvation.load_recipe(
        case.system,
        settings=[
            f"box.cations={case.cations}",
            f"protocol.starts={list(STARTS)}".replace("'", '"'),
            f"protocol.replicas={len(STARTS)}",
            *(f'protocol.{key}="{value}"' for key, value in PROTOCOL.items()),
            f'protocol.production_time="{case.production} ps"',
            *settings,
        ],
    )
    return solvation.run(
        recipe, folder / case.system, profile="quick", platform=platform, progress=None
    )


@cache
def load_quantities(folder: Path) -> Sequence[Quantity]:
    """Load the numbers of a run."""
    return solvation.open_results(folder).quantities


@cache
def load_starts(folder: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Load the numbers that each start alone has, by quantity and start."""
    node = solvation.open_results(folder).results["agreement"].to_dataset()
    values, errors = node["value"].values, node["value_stderr"].values
    starts = [str(start) for start in node["start"].values]
    return {
        str(name): {
            start: (float(values[i, j]), float(errors[i, j])) for j, start in enumerate(starts)
        }
        for i, name in enumerate(node["quantity"].values)
    }


def read_starts(run: Run, name: str) -> dict[str, tuple[float, float]]:
    """Read a number and its error as each start alone has it."""
    return load_starts(run.folder.path).get(name, {})


def read_overall(run: Run, name: str) -> tuple[float, float] | None:
    """Read a number with the starts' difference in its error."""
    found = next((q for q in load_quantities(run.folder.path) if q.name == name), None)
    if found is None or found.value is None:
        return None
    return found.value, math.nan if found.stderr is None else found.stderr


def rank(run: Run, prefix: str, start: str, *, least: float = 0.1) -> str:
    """List the fractions of one start that are at least ``least``, the largest first."""
    names = [q.name for q in load_quantities(run.folder.path) if q.name.startswith(prefix)]
    found = [(name, read_starts(run, name).get(start, (0.0, 0.0))[0]) for name in names]
    ranked = sorted(found, key=lambda item: -item[1])
    said = [f"{value:.2f} {name.removeprefix(prefix)}" for name, value in ranked if value >= least]
    return ", ".join(said) or "—"


def write_number(value: tuple[float, float] | None, digits: int = 2) -> str:
    """Write a number with its error."""
    if value is None:
        return "—"
    error = f" ± {value[1]:.{digits}f}" if math.isfinite(value[1]) else ""
    return f"{value[0]:.{digits}f}{error}"


def find_cation(run: Run) -> str:
    """Name the cation."""
    return next(
        q.name.split(".")[1]
        for q in load_quantities(run.folder.path)
        if re.fullmatch(r"coordination\.\w+\.total", q.name)
    )


def write_salts(runs: list[Run]) -> str:
    """Write the tables of the salts in DME, two lines per salt in each."""
    shapes = [
        "| system | start | density / (g/cm3) | M–O(solvent) / Å | coordination number "
        "| closest polyhedron |",
        "|" + "---|" * 6,
    ]
    shells = ["| system | start | shells | ions per cation, by charge |", "|" + "---|" * 4]
    for run in runs:
        cation = find_cation(run)
        for start in STARTS:
            density = read_starts(run, "density").get(start) or read_overall(run, "density")
            total = read_starts(run, f"coordination.{cation}.total").get(start)
            length = read_starts(run, f"distance.{cation}-DME.O").get(start)
            name = f"| {run.folder.path.name} | {start} |"
            shapes.append(
                f"{name} {write_number(density, 3)} | {write_number(length)} "
                f"| {write_number(total)} | {rank(run, f'shape.{cation}.', start)} |"
            )
            shells.append(f"{name} {rank(run, 'shell.', start)} | {rank(run, 'species.', start)} |")
    return "\n".join([*shapes, "", *shells])


def write_series(runs: list[Run]) -> str:
    """Write the table of the pairing of TFSI, one line per cation."""
    lines = [
        "| cation | paired cations, separated | contact | together | TFSI per cation, together "
        "| coordination number | ended contacts with TFSI |",
        "|" + "---|" * 7,
    ]
    for run in runs:
        cation = find_cation(run)
        apart = {
            start: tuple(map(sum, zip(*_unpaired(run, start), strict=True))) for start in STARTS
        }
        both = [1.0 - apart[start][0] for start in STARTS]
        centre = sum(both) / 2.0
        spread = abs(both[0] - both[1]) / 2.0
        own = math.hypot(*(apart[start][1] for start in STARTS)) / 2.0
        residence = next(
            (q for q in load_quantities(run.folder.path) if q.name == f"residence.{cation}-TFSI"),
            None,
        )
        events = "—" if residence is None else str(residence.n_events)
        number = read_overall(run, f"coordination.{cation}-TFSI.O")
        total = read_overall(run, f"coordination.{cation}.total")
        lines.append(
            f"| {cation} | {write_number((both[0], apart['separated'][1]))} "
            f"| {write_number((both[1], apart['contact'][1]))} "
            f"| {write_number((centre, max(spread, own)))} | {write_number(number)} "
            f"| {write_number(total)} | {events} |"
        )
    return "\n".join(lines)


def write_groups(runs: list[Run]) -> str:
    """Write how multivalent and monovalent cations pair, box by box, from each start.

    The chance that boxes dealt out anew differ as much is that of all ways to deal them.
    """
    lines = []
    for start in STARTS:
        groups: dict[bool, list[float]] = {True: [], False: []}
        for run in runs:
            groups[find_cation(run) in ("Mg", "Ca", "Zn")] += read_boxes(run, start)
        said = [
            f"{name} {np.mean(boxes):.2f} ± {np.std(boxes, ddof=1) / len(boxes) ** 0.5:.2f} "
            f"({len(boxes)} boxes)"
            for name, boxes in zip(("multivalent", "monovalent"), groups.values(), strict=True)
            if len(boxes) > 1
        ]
        if len(said) < len(groups):
            continue
        chance = scipy.stats.permutation_test(
            tuple(groups.values()), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf
        ).pvalue
        lines.append(f"paired, {start}: {', '.join(said)}, chance {chance:.2g}")
    return "\n".join(lines)


def read_boxes(run: Run, start: str) -> list[float]:
    """Read the paired fraction of the cations in every box of a start."""
    node = solvation.open_results(run.folder.path).results["replicas"].to_dataset()
    here = node["start"].values == start
    unpaired = np.zeros(int(here.sum()))
    for name in ("speciation.cation.free", "speciation.cation.ssip"):
        if name in node["quantity"].values:
            row = node["value"].sel(quantity=name).values[here]
            unpaired += np.nan_to_num(row)  # a class that a box does not have
    return list(1.0 - unpaired)


def _unpaired(run: Run, start: str) -> list[tuple[float, float]]:
    """Return the fractions of free and solvent-separated cations in one start."""
    names = ("speciation.cation.free", "speciation.cation.ssip")
    return [read_starts(run, name).get(start, (0.0, 0.0)) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/survey"))
    parser.add_argument("--only", default="", help="systems with this in their name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--table", action="store_true", help="print what is there and stop")
    arguments = parser.parse_args()
    for cases, write in ((SALTS, write_salts), (SERIES, write_series)):
        runs = []
        for case in cases:
            folder = arguments.output / case.system
            if arguments.only not in case.system:
                continue
            if arguments.table and not (folder / "summary.json").exists():
                continue
            print(f"{case.system} ...", file=sys.stderr, flush=True)
            try:
                if arguments.table:
                    runs.append(solvation.open_results(folder))
                else:
                    runs.append(
                        run_case(case, arguments.output, arguments.platform, arguments.settings)
                    )
            except SolvationError as error:
                print(f"{case.system}: {error}", file=sys.stderr, flush=True)
        if runs:
            print(write(runs) + "\n")
        if runs and cases is SERIES:
            print(write_groups(runs))


if __name__ == "__main__":
    main()
