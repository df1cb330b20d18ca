"""Tables of the page: quantities and arrays as rows of cells, for the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.report import view
from solvation.report.text import (
    STATUS_WORDS,
    explain_quantity,
    label_quantity,
    write_chemical,
    write_number,
    write_pair,
    write_quantity,
    write_unit,
    write_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.experiment import Reference
    from solvation.report.compare import Comparison
    from solvation.results import Quantity

__all__ = [
    "Notes",
    "list_comparison",
    "list_diffusion",
    "list_key_numbers",
    "list_rdf",
    "list_residence",
    "list_shells",
    "list_unsettled",
    "make_row",
]

KEY_NUMBERS = (
    "density", "concentration.", "rdf.*first_peak", "coordination.*total", "speciation.cation.",
    "shell.", "residence.", "diffusion.", "conductivity.", "viscosity", "permittivity",
)  # fmt: skip
"""What the table at the top holds, in its order."""

MOST_SHELLS = 6
"""How many shells are drawn."""


class Notes:
    """Footnotes of one table: equal notes share a letter."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str | None) -> str:
        """Give the letters of a note, one for each of its parts, or nothing if there is none."""
        letters = []
        for part in (text or "").split("; "):
            if part and part not in self.texts:
                self.texts.append(part)
            letters += [self.letter(self.texts.index(part))] if part else []
        return ", ".join(letters)

    def letter(self, index: int) -> str:
        """Name the note at an index: a, b, ..., z, aa, ..."""
        high, low = divmod(index, 26)
        return ("" if not high else chr(96 + high)) + chr(97 + low)

    def items(self) -> list[tuple[str, str]]:
        """List letters and notes."""
        return [(self.letter(k), text) for k, text in enumerate(self.texts)]


def make_row(quantity: Quantity | None, notes: Notes) -> dict[str, Any]:
    """Turn a quantity into the cells of a table row; an absent one into dashes."""
    if quantity is None:
        return {"label": "", "name": "", "value": "—", "unit": "", "status": "", "words": ""}
    return {
        "label": label_quantity(quantity.name),
        "name": quantity.name,
        "value": write_value(quantity),
        "unit": write_unit(quantity.unit),
        "status": quantity.status,
        "words": STATUS_WORDS[quantity.status],
        "events": quantity.n_events,
        "note": notes.mark(quantity.note),
        "noted": quantity.note or "",
        "why": explain_quantity(quantity),
    }


def list_key_numbers(quantities: Sequence[Quantity], notes: Notes) -> list[dict[str, Any]]:
    """Pick the numbers of the table at the top."""
    rows = []
    for key in KEY_NUMBERS:
        head, _, tail = key.partition("*")
        found = [
            q
            for q in quantities
            if q.name.startswith(head) and q.name.endswith(tail) and q.status != "undefined"
        ]
        if head == "shell.":
            found = sorted(found, key=lambda q: -(q.value or 0.0))[:3]
        rows += [make_row(q, notes) for q in found]
    return rows


def list_unsettled(quantities: Sequence[Quantity]) -> list[dict[str, Any]]:
    """Group what is not simply true: by state, and within it by note."""
    groups = []
    states = (("not_converged", None), ("bound", "lower"), ("bound", "upper"), ("undefined", None))
    for status, side in states:
        members = [q for q in quantities if q.status == status and side in (None, q.bound)]
        reasons: dict[str, list[tuple[str, str]]] = {}
        for q in members:
            row = (label_quantity(q.name), write_quantity(q))
            reasons.setdefault(q.note or "", []).append(row)
        if members:
            words, why = STATUS_WORDS[members[0].status], explain_quantity(members[0])
            groups.append({"status": status, "words": words, "why": why, "reasons": reasons})
    return groups


def list_shells(
    tree: xr.DataTree, table: Mapping[str, Quantity], notes: Notes
) -> list[dict[str, Any]]:
    """Describe the most frequent shells, each with a scene from a real frame."""
    if "shells" not in tree.children:
        return []
    shells = tree["shells"].to_dataset()
    cards = []
    for k, name in enumerate(shells["shell"].to_numpy()[:MOST_SHELLS].astype(str)):
        text = str(shells["structure"].to_numpy()[k])
        card: dict[str, Any] = {
            "name": write_chemical(name),
            "row": make_row(table.get(f"shell.{name}"), notes),
        }
        card["scene"] = view.make_shell_scene(text) if text else None
        card["frame"], card["replica"] = (
            int(shells[v].to_numpy()[k]) for v in ("frame", "replica")
        )
        cards.append(card)
    return cards


def list_rdf(
    tree: xr.DataTree, table: Mapping[str, Quantity], notes: Notes
) -> list[dict[str, Any]]:
    """Describe first peak, cutoff, plateau and coordination number of each pair."""
    if "rdf" not in tree.children:
        return []
    rdf = tree["rdf"].to_dataset()
    rows = []
    for pair in rdf["pair"].to_numpy().astype(str):
        low, high = (float(rdf[k].sel(pair=pair)) for k in ("cutoff_low", "cutoff_high"))
        plateau = f"{low:.2f} – {high:.2f}" if np.isfinite(low + high) else "—"
        row: dict[str, Any] = {"pair": write_pair(pair), "plateau": plateau}
        row["peak"] = make_row(table.get(f"rdf.{pair}.first_peak"), Notes())
        row["cutoff"] = make_row(table.get(f"rdf.{pair}.cutoff"), Notes())
        row["number"] = make_row(table.get(f"coordination.{pair}"), notes)
        rows.append(row)
    return rows


def list_residence(
    tree: xr.DataTree, table: Mapping[str, Quantity], notes: Notes
) -> list[dict[str, Any]]:
    """Describe residence time, interval, events and contact time of each pair."""
    if "residence" not in tree.children:
        return []
    data = tree["residence"].to_dataset()
    rows = []
    for pair in data["pair"].to_numpy().astype(str):
        one = {
            name: float(data[name].sel(pair=pair)) for name in data.data_vars
            if data[name].dims == ("pair",)
        }  # fmt: skip
        half = one.get("kaplan_meier_time", float("nan"))
        low, high = one["low"], one["high"]
        interval = f"{low:.3g} – {high:.3g}" if np.isfinite(low + high) else ""
        rows.append(
            {
                "pair": write_pair(pair),
                "row": make_row(table.get(f"residence.{pair}"), notes),
                "interval": interval,
                "events": f"{one['n_events']:.0f}",
                "exposure": f"{one['exposure']:.3g}",
                "kaplan_meier": f"{half:.3g}" if np.isfinite(half) else "",
                "survival": f"{one['survival']:.2f}" if np.isfinite(one["survival"]) else "—",
            }
        )
    return rows


def list_diffusion(
    tree: xr.DataTree, table: Mapping[str, Quantity], notes: Notes
) -> list[dict[str, Any]]:
    """Describe diffusion coefficient, exponent and fit window of each species."""
    if "diffusion" not in tree.children:
        return []
    data = tree["diffusion"].to_dataset()
    rows = []
    for name in data["species"].to_numpy().astype(str):
        one = {
            k: float(data[k].sel(species=name)) for k in ("exponent", "window_low", "window_high")
        }
        corrected = table.get(f"diffusion.{name}.corrected")
        rows.append(
            {
                "species": name,
                "row": make_row(table.get(f"diffusion.{name}"), notes),
                "corrected": make_row(corrected, notes) if corrected else None,
                "exponent": f"{one['exponent']:.2f}" if np.isfinite(one["exponent"]) else "—",
                "window": f"{one['window_low']:.4g} – {one['window_high']:.4g}",
            }
        )
    return rows


def list_comparison(
    rows: Sequence[Comparison], notes: Notes
) -> tuple[list[dict[str, Any]], list[Reference]]:
    """Turn comparisons into cells, and list the sources they cite, numbered from 1."""
    cells: list[dict[str, Any]] = []
    sources: list[Reference] = []
    for row in rows:
        source = row.reference
        cited = [(s.citation, s.doi) for s in sources]
        if (source.citation, source.doi) not in cited:
            cited.append((source.citation, source.doi))
            sources.append(source)
        theirs = "" if source.value is None else write_number(source.value)
        if source.stderr is not None:
            theirs += f" ± {write_number(source.stderr)}"
        sign = {"above": "more than ", "below": "less than "}.get(source.expect, "")
        words = {"dominant": "most frequent"}.get(source.expect, "")
        cells.append(
            {
                "label": label_quantity(source.name) if source.name else "",
                "ours": make_row(row.quantity, notes),
                "theirs": f"{sign}{theirs} {write_unit(source.unit)}".strip() if theirs else words,
                "source": source,
                "cited": cited.index((source.citation, source.doi)) + 1,
                "difference": _write_difference(row),
                "z": _write_z(row),
                "verdict": row.verdict,
                "tone": row.tone,
            }
        )
    return cells, sources


def _write_difference(row: Comparison) -> str:
    """Write this work minus the source, with its unit and in percent of the source."""
    if row.difference is None or row.quantity is None or row.reference.expect != "value":
        return ""
    theirs = float(row.quantity.value or 0.0) - row.difference
    unit = write_unit(row.quantity.unit)
    sign = "+" if row.difference >= 0 else ""
    body = f"{sign}{write_number(float(f'{row.difference:.2g}'))} {unit}".strip()
    if not theirs:
        return body
    percent = 100 * row.difference / abs(theirs)
    share = f"{percent:+.{0 if abs(percent) >= 10 else 1}f} %".replace("-", "−")
    return f"{body} ({share})"


def _write_z(row: Comparison) -> str:
    """Write the difference in combined standard errors, and what they are."""
    if row.z is None or row.sigma is None or row.quantity is None:
        return ""
    unit = write_unit(row.quantity.unit)
    sigma = f"{write_number(float(f'{row.sigma:.2g}'))} {unit}".strip()
    return f"z = {row.z:+.1f}, σ = {sigma} of both".replace("-", "−")
