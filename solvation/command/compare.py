"""``solvation compare``: several runs side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors, write_command_line
from solvation.display import show_table

if TYPE_CHECKING:
    from solvation.report.lineup import Entry
    from solvation.temperature import TemperatureFit

__all__ = ["compare_command"]


def compare_command(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or a folder of them.", metavar="RUN...")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the page and CSV.", metavar="DIR")
    ] = Path("runs/comparison"),
    title: Annotated[str | None, typer.Option(help="Heading of the page.", metavar="TEXT")] = None,
    as_json: JsonOption = False,
) -> None:
    """Set finished runs side by side.

    A table is printed; a page and two CSV files go into DIR.

    Example:

      solvation compare runs/mg-tfsi2-g2 runs/ca-tfsi2-g2 runs/li-tfsi-g2 -o runs/g2

    Runs of one electrolyte at several temperatures are a temperature series: Arrhenius and
    Vogel-Tammann-Fulcher fits of D, conductivity and viscosity.
    """
    with guard_errors():
        from dataclasses import asdict

        from solvation.series import compare_runs

        series = compare_runs(runs, output, title=title, command=write_command_line())
        if as_json:
            rows = [
                {
                    "run": entry.label,
                    "title": entry.title,
                    "facts": dict(entry.facts),
                    "quantities": [asdict(quantity) for quantity in entry.quantities],
                    "experiment": [
                        {"name": row.reference.name, "difference": row.difference, "z": row.z,
                         "verdict": row.verdict, "tone": row.tone}
                        for row in entry.compared
                    ],
                }
                for entry in series.entries
            ]  # fmt: skip
            document = {
                "runs": rows,
                "trend": series.trend,
                "page": str(series.page),
                "temperature": [_write_fit(fit) for fit in series.temperatures],
            }
            print(json.dumps(document, indent=1))
            return
        header = ("run", "g/cm3", "CN", "free", "SSIP", "CIP", "AGG", "D(cation)", "mS/cm")
        show_table(header, [_write_row(entry) for entry in series.entries])
        print("? not converged; > and < bounds")
        if series.trend:
            print(f"\n{series.trend}")
        for fit in series.temperatures:
            print(f"{fit.name}: {fit.words}")
        for entry in series.entries:
            for row in entry.compared:
                if row.tone in ("good", "bad"):
                    print(f"{entry.label}: {row.reference.name}: {row.verdict}")
        print(f"\npage: {series.page}")


def _write_fit(fit: TemperatureFit) -> dict[str, Any]:
    """Write one quantity against temperature as plain data."""
    laws: dict[str, Any] = {}
    for law in (fit.arrhenius, fit.vogel):
        if law is not None:
            numbers = {
                "energy": law.energy, "energy_stderr": law.energy_stderr, "t0": law.origin,
                "t0_stderr": law.origin_stderr, "log_prefactor": law.log_prefactor,
                "chi2": law.chi2, "degrees": law.degrees, "aic": law.aic,
            }  # fmt: skip
            laws[law.law] = {k: v if math.isfinite(v) else None for k, v in numbers.items()}
    points = [
        {"run": p.label, "temperature": p.temperature, "value": p.quantity.value,
         "stderr": p.quantity.stderr, "fitted": p.fitted}
        for p in fit.points
    ]  # fmt: skip
    return {"name": fit.name, "unit": fit.unit, "points": points, "supported": fit.supported,
            **laws}  # fmt: skip


def _write_row(entry: Entry) -> tuple[str, ...]:
    """Write the numbers that people ask for first."""
    from solvation.report.answer import find_cations

    table = {quantity.name: quantity for quantity in entry.quantities}
    cation = next(iter(find_cations(entry.quantities)), "")
    names = ["density", f"coordination.{cation}.total"]
    names += [f"speciation.cation.{kind}" for kind in ("free", "ssip", "cip", "agg")]
    names += [f"diffusion.{cation}", "conductivity.einstein"]
    cells = []
    for name in names:
        quantity = table.get(name)
        if quantity is None or quantity.value is None:
            cells.append("-")
            continue
        text = quantity.text().removesuffix(f" {quantity.unit}")
        cells.append(f"{text} ?" if quantity.status == "not_converged" else text)
    return (entry.label, *cells)
