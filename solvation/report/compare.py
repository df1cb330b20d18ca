"""This work against what others measured or computed, with a verdict in words.

Every comparison says the difference, the combined error of both sides where both are known, the
difference in units of it (z), and a verdict. A number that is not converged is never said to
agree, whatever its value; neither is one whose error is so large that it agrees with anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from solvation.errors import UnitError
from solvation.experiment import Experiment, Reference, spell_unit
from solvation.results import Quantity
from solvation.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["AGREEMENT", "Comparison", "compare", "find_quantity"]

Tone = Literal["good", "bad", "open", "none"]
"""``good``: agrees. ``bad``: does not. ``open``: cannot be said yet. ``none``: not judged."""

WARM = 10.0
"""Largest difference of temperature, in K, at which numbers are still compared."""

AGREEMENT = 2.0
"""Largest difference, in combined standard errors, that is called an agreement."""

BLUNT = 0.5
"""Combined standard error, relative to the source's value, above which z says nothing."""

_CLASSES = ("free", "ssip", "cip", "agg")
"""Of the ions of one kind; together they are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row of *this work vs experiment*."""

    reference: Reference
    """What the source says."""
    quantity: Quantity | None
    """This work's number; None when the run has none."""
    difference: float | None = None
    """This work minus the source, in this work's unit."""
    sigma: float | None = None
    """Standard errors of both, combined, in this work's unit; None unless both are known and this
    work's number is converged."""
    verdict: str
    """In words."""
    tone: Tone
    """Whether the verdict is good news."""

    @property
    def z(self) -> float | None:
        """`difference` in units of `sigma`; None where there is none."""
        if self.difference is None or not self.sigma:
            return None
        return self.difference / self.sigma


def compare(
    quantities: Sequence[Quantity], experiment: Experiment, *, temperature: float | None = None
) -> tuple[Comparison, ...]:
    """Set each value of the sources beside this work's, and say how they compare.

    Parameters
    ----------
    quantities
        The summary of the run.
    experiment
        The sources.
    temperature
        Of the run, in K; a source more than 10 K away is not compared.
    """
    table = {quantity.name: quantity for quantity in quantities}
    return tuple(_judge(reference, table, temperature) for reference in experiment.values)


def _judge(
    reference: Reference, table: Mapping[str, Quantity], temperature: float | None
) -> Comparison:
    """Compare one value."""
    quantity = None if reference.expect == "statement" else find_quantity(reference.name, table)

    def row(
        verdict: str, tone: Tone, *, difference: float | None = None, sigma: float | None = None
    ) -> Comparison:
        return Comparison(
            reference=reference, quantity=quantity, verdict=verdict, tone=tone,
            difference=difference, sigma=sigma,
        )  # fmt: skip

    if reference.expect == "statement":
        return row("a statement; not judged", "none")
    if quantity is None or quantity.value is None or not math.isfinite(quantity.value):
        return row("not comparable: this run has no such number", "open")
    if temperature is not None and reference.temperature is not None:
        apart = abs(temperature - reference.temperature)
        if apart > WARM:
            return row(f"not comparable: {apart:.0f} K apart", "none")
    if reference.expect == "dominant":
        return row(*_judge_dominant(quantity, table, reference))
    try:
        factor = _convert(reference.unit, quantity.unit)
    except UnitError:
        return row(f"not comparable: {quantity.unit} here, {reference.unit} there", "none")
    target = float(reference.value or 0.0) * factor
    difference = quantity.value - target
    sigma = None
    if reference.expect == "value" and quantity.status == "ok":
        sigma = _combine(reference.stderr, quantity.stderr, factor)
    if quantity.status == "not_converged":
        words: tuple[str, Tone] = ("not converged; no verdict", "open")
    elif not reference.judged:
        words = ("for orientation; not judged", "none")
    elif reference.expect != "value":
        words = _judge_limit(quantity, difference, reference)
    elif quantity.status == "bound":
        words = _judge_bound(quantity, difference, _find_margin(reference, factor))
    elif sigma is not None:
        words = _judge_error(difference, sigma, target)
    elif reference.factor is not None:
        words = _judge_factor(quantity, target, reference.factor)
    elif reference.tolerance is not None:
        words = _judge_tolerance(quantity, difference, reference.tolerance * factor)
    elif reference.stderr is None:
        words = ("no verdict: the source gives no error", "none")
    else:
        words = ("no verdict: this run gives no error", "open")
    return row(*words, difference=difference, sigma=sigma)


def _combine(theirs: float | None, ours: float | None, factor: float) -> float | None:
    """Combine the errors of both, if both are known and not zero."""
    if theirs is None or ours is None:
        return None
    return math.hypot(theirs * factor, ours) or None


def _judge_error(difference: float, sigma: float, target: float) -> tuple[str, Tone]:
    """Judge by the errors of both."""
    z = difference / sigma
    if abs(z) > AGREEMENT:
        return f"differs by {z:+.1f} σ", "bad"
    if target and sigma > BLUNT * abs(target):
        return f"cannot tell: the errors are {100 * sigma / abs(target):.0f} % of the value", "open"
    return f"agrees ({z:+.1f} σ)", "good"


def _judge_factor(quantity: Quantity, target: float, factor: float) -> tuple[str, Tone]:
    """Judge by a ratio, where the source gives no error."""
    value, error = float(quantity.value or 0.0), quantity.stderr or 0.0
    if target <= 0 or value <= 0:
        return "no verdict: a ratio needs two positive numbers", "none"
    if any(abs(value - limit) <= error for limit in (target * factor, target / factor)):
        return f"open: within its error of a factor of {factor:g}", "open"
    if target / factor <= value <= target * factor:
        return f"agrees within a factor of {factor:g}", "good"
    ratio = value / target
    words = f"{ratio:.2g} times larger" if ratio > 1 else f"{1 / ratio:.2g} times smaller"
    return f"differs by more than a factor of {factor:g}: {words}", "bad"


def _judge_tolerance(quantity: Quantity, difference: float, limit: float) -> tuple[str, Tone]:
    """Judge by a distance, where the source gives no error."""
    if abs(abs(difference) - limit) <= (quantity.stderr or 0.0):
        return f"open: within its error of ± {limit:g}", "open"
    if abs(difference) <= limit:
        return f"agrees within ± {limit:g}", "good"
    return f"differs by more than {limit:g}", "bad"


def _find_margin(reference: Reference, factor: float) -> tuple[float, float]:
    """Find how far below and above the source a number may lie, in this work's unit."""
    value = float(reference.value or 0.0) * factor
    if reference.factor is not None and value > 0:
        return value * (1 - 1 / reference.factor), value * (reference.factor - 1)
    if reference.stderr is not None:
        return (AGREEMENT * reference.stderr * factor,) * 2
    return ((reference.tolerance or math.inf) * factor,) * 2


def _judge_bound(
    quantity: Quantity, difference: float, margin: tuple[float, float]
) -> tuple[str, Tone]:
    """Judge a limit of ours: it can rule a value out, and confirm none."""
    if quantity.bound == "lower" and difference > margin[1]:
        return "differs: ours is larger than that", "bad"
    if quantity.bound == "upper" and -difference > margin[0]:
        return "differs: ours is smaller than that", "bad"
    return "only a bound is known here, which allows it", "open"


def _judge_dominant(
    quantity: Quantity, table: Mapping[str, Quantity], reference: Reference
) -> tuple[str, Tone]:
    """Say whether a shell or species is the most frequent of its family, beyond its error."""
    family, rivals = _list_family(reference.name, table)
    values = [(q.value or 0.0, q.stderr or 0.0, q.name) for q in rivals]
    best, error, name = max(values, default=(0.0, 0.0, ""))
    lead = float(quantity.value or 0.0) - best
    if any(q.status == "not_converged" for q in (quantity, *rivals)):
        leader = "most frequent" if lead > 0 else f"{name.removeprefix(family)} leads"
        return f"not converged; {leader} so far", "open"
    if not reference.judged:
        return "for orientation; not judged", "none"
    if abs(lead) <= AGREEMENT * math.hypot(quantity.stderr or 0.0, error):
        return f"open: level with {name.removeprefix(family)}", "open"
    if lead > 0:
        return "expectation met: most frequent", "good"
    return f"expectation not met: {name.removeprefix(family)} is more frequent", "bad"


def _judge_limit(quantity: Quantity, difference: float, reference: Reference) -> tuple[str, Tone]:
    """Say whether a number lies on the right side of a limit, beyond its error."""
    side = 1.0 if reference.expect == "above" else -1.0
    met = side * difference > 0
    if quantity.bound is not None:  # a limit of ours settles only what lies beyond it
        ours = 1.0 if quantity.bound == "lower" else -1.0
        if ours * difference <= 0:
            return "open: only a bound is known here", "open"
    elif abs(difference) <= (quantity.stderr or 0.0):
        return "open: within the error of the limit", "open"
    return ("expectation met", "good") if met else ("expectation not met", "bad")


def find_quantity(name: str, table: Mapping[str, Quantity]) -> Quantity | None:
    """Find one quantity, or the sum of several; a sum is worth what its worst part is."""
    parts = [_find_one(part.strip(), table) for part in name.split(" + ")]
    found = [part for part in parts if part is not None and part.value is not None]
    if len(found) < len(parts):
        return None
    if len(found) == 1:
        return found[0]
    order = ("ok", "bound", "not_converged", "undefined")
    worst = max(found, key=lambda part: order.index(part.status))
    return replace(
        worst,
        name=name,
        value=math.fsum(part.value or 0.0 for part in found),
        stderr=_add_errors(found, _list_rest([part.name for part in found], table)),
    )


def _add_errors(parts: Sequence[Quantity], rest: Sequence[Quantity]) -> float | None:
    """Add errors, which is the most that they can come to; of what is left of one, if smaller."""
    sums = [
        math.fsum(part.stderr or 0.0 for part in group)
        for group in (parts, rest)
        if group and all(part.stderr is not None for part in group)
    ]
    return min(sums) if sums and all(part.stderr is not None for part in parts) else None


def _list_rest(names: Sequence[str], table: Mapping[str, Quantity]) -> list[Quantity]:
    """List the classes of an ion that with these make one; none if they are something else."""
    head = names[0].rpartition(".")[0]
    classes = [f"{head}.{name}" for name in _CLASSES]
    if not head.startswith("speciation.") or not set(names) < set(classes) <= set(table):
        return []
    return [table[name] for name in classes if name not in names]


def _find_one(name: str, table: Mapping[str, Quantity]) -> Quantity | None:
    """Find a quantity; a shell or species that never occurred among others is 0 of the cations."""
    if name in table:
        return table[name]
    family, others = _list_family(name, table)
    if family not in ("shell.", "species.") or not others:
        return None
    late = next((q for q in others if q.status == "not_converged"), others[0])
    return replace(late, name=name, value=0.0, stderr=0.0, note="never seen in this run")


def _list_family(name: str, table: Mapping[str, Quantity]) -> tuple[str, list[Quantity]]:
    """List the other shells of the same cation, or whatever else shares the first word."""
    head, _, rest = name.partition(".")
    family = f"{head}."
    cation = rest.partition("(")[0] + "(" if head == "shell" else ""
    start = family + cation
    if head in ("denticity", "shape"):
        start = family + rest.rpartition(".")[0] + "."
    return family, [q for q in table.values() if q.name.startswith(start) and q.name != name]


def _convert(source: str, target: str) -> float:
    """Find the factor from one unit to another, e.g. ``"cm2/s"`` to ``"m2/s"``."""
    if source == target:
        return 1.0
    a, b = (spell_unit(unit) for unit in (source, target))
    factor = parse_quantity(f"1.0 {a}", b, name=source)
    return factor if factor >= 1.0 else 1.0 / parse_quantity(f"1.0 {b}", a, name=target)
