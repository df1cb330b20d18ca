"""Lineup: several runs side by side, their numbers aligned whatever the cation.

A row of the lineup is one quantity. Where the runs have different cations, ``M`` stands for the
cation of each, so that ``coordination.Mg.total`` and ``coordination.Ca.total`` share a row.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from solvation.report import chart, table, transport
from solvation.report.answer import find_cations
from solvation.report.compare import Comparison, find_quantity
from solvation.report.text import label_quantity, write_counts, write_quantity
from solvation.results import Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solvation.temperature import TemperatureFit

__all__ = ["Entry", "align_quantities", "describe_trend", "render_lineup", "write_experiment_csv",
           "write_quantity_csv"]  # fmt: skip

PAIRED = "speciation.cation.cip + speciation.cation.agg"
"""Cations that touch an anion."""

SECTIONS = {
    "structure": ("rdf.", "coordination.", "speciation.", "species.", "shell.", "denticity.",
                  "shape."),
    "transport": ("residence.", "diffusion.", "conductivity.", "onsager.", "transference.",
                  "viscosity", "permittivity"),
    "liquid": ("density", "concentration."),
}  # fmt: skip
"""Families of names in each table."""

RARE = 0.02
"""A shell or species that no run has more of is left out of the table, not of the CSV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of the lineup."""

    label: str
    """Short and unique, e.g. ``"mg-tfsi2-g2"``."""
    title: str
    """What was simulated."""
    facts: Mapping[str, str]
    """How: force field, charges, temperature, length; by what it is."""
    quantities: Sequence[Quantity]
    """Of ``summary.json``."""
    compared: Sequence[Comparison] = ()
    """Against what others measured."""
    temperature: float | None = None
    """K, if known."""
    system: str = ""
    """The same for runs that differ in nothing but their conditions."""


def align_quantities(entries: Sequence[Entry]) -> dict[str, list[Quantity | None]]:
    """Put the quantities of all runs into rows.

    Returns
    -------
    dict
        By aligned name, one quantity or None per run, in the order of the runs.

    Examples
    --------
    >>> runs = [
    ...     Entry(label=x, title=x, facts={}, quantities=[
    ...         Quantity(name=f"coordination.{x}.total", value=6.0, stderr=0.1, unit="1")])
    ...     for x in ("Mg", "Ca")]
    >>> list(align_quantities(runs))
    ['coordination.M.total']
    """
    rows: dict[str, list[Quantity | None]] = {}
    metals = [_find_metals(entry) for entry in entries]
    differ = len(set(metals)) > 1
    for k, entry in enumerate(entries):
        cation = metals[k][0] if differ and len(metals[k]) == 1 else None
        for quantity in entry.quantities:
            name = _align(quantity.name, cation)
            rows.setdefault(name, [None] * len(entries))[k] = quantity
    return rows


def describe_trend(entries: Sequence[Entry]) -> tuple[str, str]:
    """Say in which order the runs pair, and whether the order may be believed.

    Returns
    -------
    tone, words
        ``"good"`` when every step of the order exceeds twice its error and all is converged,
        else ``"part"``; no words if fewer than two runs know.
    """
    found = [(entry.label, _sum_pairs(entry)) for entry in entries]
    known = [(label, q) for label, q in found if q is not None and q.value is not None]
    if len(known) < 2:
        return "part", ""
    known.sort(key=lambda pair: -(pair[1].value or 0.0))
    order = [f"{label} {write_quantity(q)}" for label, q in known]
    words = f"Cations that touch an anion (CIP + AGG), most first: {'; '.join(order)}."
    late = [label for label, q in known if q.status != "ok"]
    close = [
        f"{a} and {b}"
        for (a, p), (b, q) in itertools.pairwise(known)
        if (p.value or 0.0) - (q.value or 0.0)
        <= 2 * math.hypot(p.stderr or math.inf, q.stderr or math.inf)
    ]
    if late:
        return "part", f"{words} The order is not settled: not converged in {', '.join(late)}."
    if close:
        return "part", f"{words} Within their errors: {', '.join(close)}."
    return "good", f"{words} Every step exceeds twice its error."


def write_quantity_csv(entries: Sequence[Entry]) -> str:
    """Write every number of every run, one per line."""
    rows = [["run", "quantity", "aligned", "value", "stderr", "unit", "status", "bound",
             "n_events", "note"]]  # fmt: skip
    aligned = align_quantities(entries)
    for name, found in aligned.items():
        for entry, q in zip(entries, found, strict=True):
            if q is not None:
                rows.append([entry.label, q.name, name, _cell(q.value), _cell(q.stderr), q.unit,
                             q.status, q.bound or "", _cell(q.n_events), q.note or ""])  # fmt: skip
    return _write_csv(rows)


def write_experiment_csv(entries: Sequence[Entry]) -> str:
    """Write every comparison with experiment of every run, one per line."""
    rows = [["run", "quantity", "value", "stderr", "unit", "status", "expect", "source_value",
             "source_stderr", "source_unit", "difference", "sigma", "z", "verdict", "citation",
             "doi"]]  # fmt: skip
    for entry in entries:
        for row in entry.compared:
            ref, q = row.reference, row.quantity
            ours = ["", "", "", ""]
            if q is not None:
                ours = [_cell(q.value), _cell(q.stderr), q.unit, q.status]
            rows.append([entry.label, ref.name, *ours, ref.expect, _cell(ref.value),
                         _cell(ref.stderr), ref.unit, _cell(row.difference), _cell(row.sigma),
                         _cell(row.z), row.verdict, ref.citation, ref.doi])  # fmt: skip
    return _write_csv(rows)


def render_lineup(
    entries: Sequence[Entry],
    *,
    title: str,
    made: str,
    temperatures: Sequence[TemperatureFit] = (),
) -> str:
    """Render the page as HTML text.

    Parameters
    ----------
    entries
        Two runs or more.
    title
        Heading of the page.
    made
        How it was made: command and version.
    temperatures
        Of a temperature series, from `fit_temperatures`.
    """
    import jinja2

    folder = files("solvation.report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chemical"] = write_counts
    aligned = align_quantities(entries)
    notes = table.Notes()
    compared = []
    for entry in entries:
        rows, sources = table.list_comparison(entry.compared, notes)
        compared.append({"label": entry.label, "rows": rows, "sources": sources})
    keys = list(dict.fromkeys(key for entry in entries for key in entry.facts))
    facts = [(key, [entry.facts.get(key, "—") for entry in entries]) for key in keys]
    differing = [key for key, values in facts if len(set(values)) > 1]
    return environment.get_template("lineup.html.jinja").render(
        title=title,
        made=made,
        css=folder.joinpath("page.css").read_text("utf-8"),
        entries=entries,
        facts=facts,
        differing=differing,
        trend=describe_trend(entries),
        plots=_draw_plots(entries, aligned),
        tables={heading: _list_rows(aligned, families) for heading, families in SECTIONS.items()},
        compared=compared,
        notes=notes,
        temperatures=[
            {"label": label_quantity(fit.name), "words": fit.words} for fit in temperatures
        ],
        ladders=[
            transport.draw_activation(family, fits)
            for family, fits in transport.gather_families(temperatures).items()
        ],
    )


def _find_metals(entry: Entry) -> tuple[str, ...]:
    """Name the cations that are one atom; the others are of an ionic liquid or an additive."""
    return tuple(c for c in find_cations(entry.quantities) if re.fullmatch(r"[A-Z][a-z]?", c))


def _sum_pairs(entry: Entry) -> Quantity | None:
    """Find the share of the cations that touch an anion."""
    return find_quantity(PAIRED, {q.name: q for q in entry.quantities})


def _align(name: str, cation: str | None) -> str:
    """Write ``M`` for the cation, and ``salt`` for the salt."""
    if cation is None:
        return name
    head, _, rest = name.partition(".")
    if head == "concentration" and rest.startswith(cation):
        return "concentration.salt"
    if head in ("coordination", "rdf", "residence", "denticity", "shell", "diffusion",
                "polyhedron", "species"):  # fmt: skip
        rest = re.sub(rf"^(\[?){re.escape(cation)}(?![a-z])", r"\1M", rest)
    return f"{head}.{rest}" if rest else head


def _list_rows(
    aligned: Mapping[str, Sequence[Quantity | None]], families: Sequence[str]
) -> list[dict[str, Any]]:
    """List the rows of one table; what is rare everywhere, or in one run only, is left out."""
    rows = []
    for name, found in aligned.items():
        if not name.startswith(tuple(families)):
            continue
        values = [q.value or 0.0 for q in found if q is not None]
        if name.startswith(("shell.", "species.")):
            if max(values, default=0.0) < RARE:
                continue
        elif len(values) < 2 and len(found) > 1:
            continue
        cells = [table.make_row(q, table.Notes()) for q in found]
        rows.append({"label": label_quantity(name), "cells": cells})
    return rows


def _draw_plots(
    entries: Sequence[Entry], aligned: Mapping[str, Sequence[Quantity | None]]
) -> list[str]:
    """Draw what is comparable: pairing, shells, density, motion."""
    labels = [entry.label for entry in entries]
    classes = {
        name: aligned.get(f"speciation.cation.{name}", [None] * len(entries))
        for name in ("free", "ssip", "cip", "agg")
    }
    plots = []
    if sum(q is not None for q in classes["cip"]) > 1:
        plots.append(chart.draw_stack(labels, classes))
        paired = [_sum_pairs(entry) for entry in entries]
        plots.append(chart.draw_points(labels, paired, key="paired", title="Touching an anion",
                                       axis="fraction of cations"))  # fmt: skip
    wanted = [("density", "Density"), ("conductivity.einstein", "Conductivity, Einstein"),
              ("conductivity.green_kubo", "Conductivity, Green–Kubo")]  # fmt: skip
    wanted += [
        (n, label_quantity(n)) for n in aligned if re.fullmatch(r"coordination\.\w+\.total", n)
    ]
    wanted += [(n, label_quantity(n)) for n in aligned if n.startswith("diffusion.")
               and not n.endswith(".corrected")]  # fmt: skip
    measured = {
        "conductivity.einstein": [_find_measured(entry, "conductivity.") for entry in entries],
        "density": [_find_measured(entry, "density") for entry in entries],
    }
    for name, title in wanted:
        found = aligned.get(name, [])
        if sum(q is not None and q.value is not None for q in found) > 1:
            unit = next(q.unit for q in found if q is not None)
            plots.append(chart.draw_points(labels, found, key=name, title=title, axis=unit,
                                           measured=measured.get(name)))  # fmt: skip
    return plots


def _find_measured(entry: Entry, start: str) -> float | None:
    """Find a measured value to draw beside ours, in our unit."""
    for row in entry.compared:
        ref = row.reference
        if (ref.name.startswith(start) and ref.kind == "experiment" and ref.judged
                and ref.expect == "value" and row.quantity is not None
                and row.difference is not None):  # fmt: skip
            return float(row.quantity.value or 0.0) - row.difference
    return None


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value!r}"


def _write_csv(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
