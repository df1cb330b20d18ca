"""The answer in two or three sentences, made from the numbers and their states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvation.report.text import write_chemical, write_pair, write_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvation.results import Quantity

__all__ = ["find_cations", "write_answer", "write_convergence"]

_ROUTES = {
    "green_kubo": "Green–Kubo",
    "einstein": "Einstein",
    "nernst_einstein": "Nernst–Einstein, ions moving independently",
}
"""Ways to the conductivity, the best first."""


def find_cations(quantities: Sequence[Quantity]) -> tuple[str, ...]:
    """Name the cations that the summary speaks of, e.g. ``("Mg",)``."""
    names = [q.name.split(".") for q in quantities]
    return tuple(n[1] for n in names if n[0] == "coordination" and n[-1] == "total")


def write_answer(quantities: Sequence[Quantity]) -> tuple[str, ...]:
    """Say what surrounds the cations, what carries the charge and what the box conducts.

    Every sentence rests on quantities of the summary; one whose numbers are missing is left out.
    """
    table = {q.name: q for q in quantities if q.value is not None}
    sentences = (_describe_shell(table, find_cations(quantities)), _describe_pairing(table))
    return tuple(s for s in (*sentences, _describe_transport(table)) if s)


def write_convergence(quantities: Sequence[Quantity]) -> tuple[str, str]:
    """Say whether the numbers may be believed: ``"good"``, ``"part"`` or ``"bad"``, and words."""
    judged = [q for q in quantities if q.status != "undefined"]
    late = [q for q in judged if q.status == "not_converged"]
    if not judged:
        return "bad", "This run has no numbers to judge."
    frozen = [
        q.name.removeprefix("residence.")
        for q in quantities
        if q.name.startswith("residence.") and q.n_events == 0
    ]
    why = ""
    if frozen:
        pairs = " and ".join(write_pair(pair) for pair in frozen)
        why = (
            f" No {pairs} exchange was seen: the shells remember how the box was packed, and the"
            " populations below are not an equilibrium."
        )
    if late:
        tone = "bad" if 2 * len(late) > len(judged) else "part"
        return tone, f"Not converged: {len(late)} of {len(judged)} numbers must not be quoted.{why}"
    if frozen:
        return "part", f"Every number with a value is steady, but shells are frozen.{why}"
    return "good", f"Converged: all {len(judged)} numbers may be quoted with their errors."


def _describe_shell(table: dict[str, Quantity], cations: tuple[str, ...]) -> str:
    shells = [q for name, q in table.items() if name.startswith("shell.")]
    if not cations:
        return ""
    total = table.get(f"coordination.{cations[0]}.total")
    around = "" if total is None else f"{cations[0]} touches {write_quantity(total)} donor atoms"
    if not shells:
        return f"{around}." if around else ""
    best = max(shells, key=lambda q: q.value or 0.0)
    share = _write_percent(best)
    shell = write_chemical(best.name.removeprefix("shell."))
    first = f"The most frequent shell is {shell}, around {share} of the {cations[0]}"
    if best.status == "not_converged":
        first = f"So far the most frequent shell is {shell}, around {share} of the {cations[0]}"
    return f"{first}; on average {around}." if around else f"{first}."


def _describe_pairing(table: dict[str, Quantity]) -> str:
    parts = {c: table.get(f"speciation.cation.{c}") for c in ("free", "ssip", "cip", "agg")}
    words = {
        "free": "free",
        "ssip": "in solvent-separated pairs",
        "cip": "in contact with one anion",
        "agg": "in contact with several",
    }
    found = [f"{_write_percent(q)} {words[c]}" for c, q in parts.items() if q is not None]
    if len(found) < 2:
        return ""
    doubtful = any(q is not None and q.status == "not_converged" for q in parts.values())
    lead = "So far, of the cations" if doubtful else "Of the cations"
    return f"{lead}, {', '.join(found[:-1])} and {found[-1]}."


def _describe_transport(table: dict[str, Quantity]) -> str:
    """Name the conductivity if a route is steady, else say that it is not known."""
    found = [(key, table.get(f"conductivity.{key}")) for key in _ROUTES]
    routes = {key: q for key, q in found if q is not None}
    steady = {key: q.status != "not_converged" for key, q in routes.items()}
    written = {
        key: f"{write_quantity(q)} ({_ROUTES[key]}{'' if steady[key] else ', not converged'})"
        for key, q in routes.items()
    }
    if not routes:
        return ""
    # Independent ions are a comparison, not the conductivity.
    best = next((key for key, well in steady.items() if well and key != "nernst_einstein"), None)
    if best is None:
        return f"What it conducts is not known from this run: {', '.join(written.values())}."
    first = written.pop(best)
    others = f"; to compare, {', '.join(written.values())}" if written else ""
    return f"The conductivity is {first}{others}."


def _write_percent(quantity: Quantity) -> str:
    value = 100 * (quantity.value or 0.0)
    error = 100 * (quantity.stderr or 0.0)
    if error:
        places = 0 if error >= 0.95 else 1
        return f"{value:.{places}f} ± {error:.{places}f} %"
    return f"{value:.3g} %"
