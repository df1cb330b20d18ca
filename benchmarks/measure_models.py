"""Mg(TFSI)2 and Ca(TFSI)2 in DME in several models and from two starts: which model to trust.

Run ``python benchmarks/measure_models.py -o FOLDER``. Every case is one ``solvation run`` into a
folder of its own, so that a run that was stopped goes on where it was, and what is finished is
not repeated. ``--only PART`` runs the cases with PART in their name, ``--table`` only prints what
is there. ``models.json`` in the folder has every number with its error and status; the Markdown
table is printed. Shells of divalent ions outlast runs of this length: what the two starts do not
agree on is not known.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import solvation
from solvation.errors import SolvationError
from solvation.job import Run

STARTS = ("separated", "contact")
MODELS: dict[str, dict[str, str]] = {
    "full": {"charge_scale": "1.0"},
    "ecc": {"charge_scale": '"ecc"'},
    "x0.80": {"charge_scale": "0.8"},
}
"""Both cations, ions as the force field has them (Mg lm-iod, Ca lm-cm)."""
LEADS: dict[str, dict[str, str]] = {
    "x0.725 lm-iod": {"charge_scale": "0.725", "ions": '"lm-iod"'},
    "x0.80 aqvist1990": {"charge_scale": "0.8", "ions": '"aqvist1990"'},
}
"""Mg only."""
POLARIZABLE: dict[str, dict[str, str]] = {"drude": {"forcefield": '"clpol-drude"'}}
"""Both cations, where the force field is there."""
PROTOCOL = {
    "report_interval": "0.4 ps",
    "checkpoint_interval": "4 ps",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run."""

    cation: str
    model: str
    start: str
    settings: dict[str, str]

    @property
    def key(self) -> str:
        """Name of the run folder."""
        return f"{self.cation}-{self.model}-{self.start}".replace(" ", "-")


def list_cases() -> list[Case]:
    """List the cases: both salts in every model from both starts, and the leads."""
    polarizable = POLARIZABLE if "clpol-drude" in solvation.list_forcefields() else {}
    cases = [
        Case(cation=cation, model=model, start=start, settings=settings)
        for model, settings in {**MODELS, **polarizable}.items()
        for cation in ("Mg", "Ca")
        for start in STARTS
    ]
    leads = [
        Case(cation="Mg", model=model, start="separated", settings=settings)
        for model, settings in LEADS.items()
    ]
    return [*cases, *leads]


def run_case(case: Case, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one case, or go on with it, and read the numbers."""
    heat, anneal, density = arguments.before
    protocol = {
        **PROTOCOL,
        "heat_time": f"{heat:g} ps",
        "anneal_time": f"{anneal:g} ps",
        "density_time": f"{density:g} ps",
        "density_time_max": f"{density:g} ps",
        "production_time": f"{arguments.production:g} ps",
    }
    recipe = solvation.load_recipe(
        "mg-tfsi2-dme",
        settings=[
            f'name="{case.cation.lower()}-tfsi2-dme"',
            f'salt.0.cation="{case.cation}"',
            f"box.cations={arguments.cations}",
            f'protocol.starts=["{case.start}"]',
            "protocol.replicas=1",
            *(f'protocol.{key}="{value}"' for key, value in protocol.items()),
            *(f"model.{key}={value}" for key, value in case.settings.items()),
        ],
    )
    run = solvation.run(
        recipe, folder / case.key, profile="quick", platform=arguments.platform,
        until="analyze", progress=None,
    )  # fmt: skip
    return {
        "case": case.key, "cation": case.cation, "model": case.model, "start": case.start,
        "charge_scale": run.results.attrs["charge_scale"], "ions": run.results.attrs["ions"],
        "cations": arguments.cations, "production_ps": arguments.production,
        **read_numbers(run, case.cation),
    }  # fmt: skip


def read_numbers(run: Run, cation: str) -> dict[str, Any]:
    """Read density, distance to the ether oxygens, shells and anions per cation."""
    quantities = {item.name: item for item in run.quantities}
    shells = {
        name.removeprefix("shell."): item
        for name, item in quantities.items()
        if name.startswith(f"shell.{cation}") and item.value is not None
    }
    oxygen = f"{cation}-DME.O"
    tfsi = sum(_count_anions(shell) * (item.value or 0.0) for shell, item in shells.items())
    exchange = {
        name.removeprefix("residence."): item.n_events
        for name, item in quantities.items()
        if name.startswith(f"residence.{cation}")
    }

    def pick(name: str) -> list[float | None]:
        item = quantities.get(name)
        return [None, None] if item is None else [item.value, item.stderr]

    return {
        "density": pick("density"),
        "concentration": pick(f"concentration.{cation}(TFSI)2"),
        "first_peak": pick(f"rdf.{oxygen}.first_peak"),
        "cutoff": pick(f"rdf.{oxygen}.cutoff"),
        "mean_distance": measure_mean_distance(run, oxygen),
        "coordination": pick(f"coordination.{cation}.total"),
        "coordination_dme": pick(f"coordination.{oxygen}"),
        "tfsi_per_cation": tfsi,
        "free_of_tfsi": sum(i.value or 0.0 for s, i in shells.items() if "TFSI" not in s),
        "shells": {s: [i.value, i.stderr] for s, i in shells.items()},
        "events": exchange,
        "status": sorted({item.status for item in shells.values()}),
    }


def _count_anions(shell: str) -> int:
    """Count TFSI in the name of a shell, e.g. ``"Mg(DME)2(TFSI)1"``."""
    found = re.search(r"\(TFSI\)(\d+)", shell)
    return int(found[1]) if found else 0


def measure_mean_distance(run: Run, pair: str) -> float | None:
    r"""Mean distance in the first shell, :math:`\int r\,dn/n`, in Å."""
    node = run.results["rdf"].to_dataset()
    row = [str(p) for p in node["pair"].values].index(pair)
    radius = float(node["radius"].values[row])
    r, running = node["r"].values, node["running"].values[row]
    inside = r <= radius
    added = np.diff(running[inside], prepend=0.0)
    return float((r[inside] * added).sum() / added.sum()) if added.sum() > 0 else None


def write_table(rows: list[dict[str, Any]]) -> str:
    """Write Markdown, one line per case."""
    head = (
        "| salt | model | start | density | M–O(DME) first peak, mean | free of TFSI | "
        "TFSI per M | shells | M–TFSI ended |"
    )
    lines = [head, "|" + "---|" * 9]
    for row in rows:
        cation = row["cation"]
        ranked = sorted(row["shells"].items(), key=lambda item: -item[1][0])
        shells = ", ".join(f"{value:.2f} {name}" for name, (value, _) in ranked if value >= 0.1)
        density, error = row["density"]
        peak, mean = row["first_peak"][0], row["mean_distance"]
        ended = row["events"].get(f"{cation}-TFSI")
        lines.append(
            f"| {cation} | {row['model']} | {row['start']} | {density:.3f} ± {error:.3f} | "
            f"{_number(peak)}, {_number(mean)} | {row['free_of_tfsi']:.2f} | "
            f"{row['tfsi_per_cation']:.2f} | {shells} | {'—' if ended is None else ended} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/models"))
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--cations", type=int, default=4)
    parser.add_argument("--production", type=float, default=40.0, help="ps")
    parser.add_argument(
        "--before", type=float, nargs=3, default=(10.0, 10.0, 16.0),
        metavar=("HEAT", "ANNEAL", "DENSITY"), help="ps before production",
    )  # fmt: skip
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--table", action="store_true", help="print what is there and stop")
    arguments = parser.parse_args()
    cases = [case for case in list_cases() if arguments.only in case.key]
    if arguments.list:
        print("\n".join(case.key for case in cases))
        return
    store = arguments.output / "models.json"
    arguments.output.mkdir(parents=True, exist_ok=True)
    for case in [] if arguments.table else cases:
        print(f"{case.key} ...", file=sys.stderr, flush=True)
        try:
            row = run_case(case, arguments.output, arguments)
        except SolvationError as error:
            print(f"{case.key}: {error}", file=sys.stderr, flush=True)
            continue
        known = json.loads(store.read_text()) if store.exists() else {}
        known[case.key] = row
        store.write_text(json.dumps(known, indent=1) + "\n")
    known = json.loads(store.read_text()) if store.exists() else {}
    print(write_table([known[case.key] for case in list_cases() if case.key in known]))


if __name__ == "__main__":
    main()
