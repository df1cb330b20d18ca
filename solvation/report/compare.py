"""This work against what others measured or computed, with sources and a verdict in words.

A system's ``experiment.toml`` is a list of ``[[value]]`` tables, each one `Reference`. A number
that is not converged is never said to agree, whatever its value.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from solvation.errors import RecipeError, UnitError
from solvation.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from solvation.results import Quantity

__all__ = ["Comparison", "Experiment", "Reference", "compare", "load_experiment"]

Expectation = Literal["value", "dominant", "above", "below", "statement"]
"""What a source says of a name: its value, that it is the most frequent of its family, a limit,
or words that no number of ours answers."""

Kind = Literal["experiment", "crystal", "computation", "review"]
"""How the source knows it."""

Tone = Literal["good", "bad", "open", "none"]
"""``good``: agrees. ``bad``: does not. ``open``: cannot be said yet. ``none``: not judged."""

WARM = 10.0
"""Largest difference of temperature, in K, at which numbers are still compared."""

AGREEMENT = 2.0
"""Largest difference, in combined standard errors, that is called an agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One value, limit or statement from a source."""

    name: str
    """Name in ``summary.json``, e.g. ``"density"``; several joined by ``" + "`` are summed."""
    expect: Expectation = "value"
    """What the source says of it."""
    value: float | None = None
    """The number or limit, in `unit`; None for ``"dominant"`` and ``"statement"``."""
    unit: str = "1"
    """Unit of `value`, `stderr` and `tolerance`; ``"1"`` for fractions and counts."""
    stderr: float | None = None
    """One standard error given by the source, in `unit`."""
    tolerance: float | None = None
    """Distance, in `unit`, that is still called an agreement where the source gives no error."""
    temperature: float | None = None
    """Temperature in K."""
    kind: Kind = "experiment"
    """How the source knows it."""
    judged: bool = True
    """False for other electrolytes, other models and second-hand numbers: shown, never judged."""
    conditions: str = ""
    """What it was measured on, in words."""
    citation: str
    """Authors, journal, year."""
    doi: str = ""
    """Digital object identifier, e.g. ``"10.1021/acs.jpcc.6b07733"``."""
    statement: str = ""
    """What the source says, in words."""
    note: str = ""
    """What a reader must know."""

    def __post_init__(self) -> None:
        for name in ("citation", "name"):
            if not getattr(self, name) and not (name == "name" and self.expect == "statement"):
                raise RecipeError(f"{name} is empty; every value needs one")
        for name, allowed in (("expect", get_args(Expectation)), ("kind", get_args(Kind))):
            if getattr(self, name) not in allowed:
                choices = ", ".join(allowed)
                raise RecipeError(f"{name} = {getattr(self, name)!r}: use one of {choices}")
        for name in ("value", "stderr", "tolerance"):
            number = getattr(self, name)
            if number is not None and (isinstance(number, bool) or not _is_finite(number)):
                raise RecipeError(f"{name} = {number!r} is not a finite number")
        if (self.value is None) == (self.expect in ("value", "above", "below")):
            need = "needs a value" if self.value is None else "takes no value"
            raise RecipeError(f'{self.name}: expect = "{self.expect}" {need}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is known of one electrolyte."""

    system: str
    """Name of the shipped system, e.g. ``"mg-tfsi2-dme"``."""
    values: tuple[Reference, ...] = ()
    """In the order a reader wants them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row of *this work vs experiment*."""

    reference: Reference
    """What the source says."""
    quantity: Quantity | None
    """This work's number; None when the run has none."""
    difference: float | None = None
    """This work minus the source, in this work's unit."""
    z: float | None = None
    """`difference` in combined standard errors; None unless both errors are known."""
    verdict: str
    """In words."""
    tone: Tone
    """Whether the verdict is good news."""


def load_experiment(path: Path) -> Experiment:
    """Read an ``experiment.toml``.

    Raises
    ------
    RecipeError
        If the file cannot be read, or has a key, kind or expectation that is not known.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from error
    _refuse_unknown(document, ("system", "value"), f"{path.name}")
    tables = document.get("value", [])
    if not isinstance(tables, list):
        raise RecipeError(f"{path.name}: write [[value]], not [value]")
    values = []
    for number, table in enumerate(tables, start=1):
        place = f"{path.name}, value {number} ({table.get('name', 'no name')})"
        _refuse_unknown(table, tuple(field.name for field in fields(Reference)), place)
        if "temperature" in table:
            table["temperature"] = parse_quantity(table["temperature"], "kelvin", name=place)
        try:
            values.append(Reference(**table))
            if values[-1].unit != "1":
                parse_quantity(f"1 {_spell(values[-1].unit)}", _spell(values[-1].unit), name="unit")
        except (RecipeError, UnitError, TypeError) as error:
            raise RecipeError(f"{place}: {error}") from error
    return Experiment(system=str(document.get("system", path.parent.name)), values=tuple(values))


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
    reference: Reference, table: dict[str, Quantity], temperature: float | None
) -> Comparison:
    def row(quantity: Quantity | None, verdict: str, tone: Tone, **numbers: float) -> Comparison:
        return Comparison(
            reference=reference, quantity=quantity, verdict=verdict, tone=tone, **numbers
        )

    if reference.expect == "statement":
        return row(None, "a statement; not judged", "none")
    quantity = _find(reference.name, table)
    if quantity is None or quantity.value is None or not math.isfinite(quantity.value):
        return row(quantity, "not comparable: this run has no such number", "open")
    if None not in (temperature, reference.temperature):
        apart = abs(float(temperature or 0) - float(reference.temperature or 0))
        if apart > WARM:
            return row(quantity, f"not comparable: {apart:.0f} K apart", "none")
    if reference.expect == "dominant":
        return _judge_dominant(row, quantity, table, reference)
    try:
        factor = _convert(reference.unit, quantity.unit)
    except UnitError:
        words = f"not comparable: {quantity.unit} here, {reference.unit} there"
        return row(quantity, words, "none")
    target = float(reference.value or 0.0) * factor
    difference = quantity.value - target
    if quantity.status == "not_converged":
        return row(quantity, "not converged; no verdict", "open", difference=difference)
    if reference.expect != "value":
        return _judge_limit(row, quantity, difference, reference)
    if quantity.status == "bound":
        return row(quantity, "only a bound is known here", "open", difference=difference)
    if not reference.judged:
        return row(quantity, "for orientation; not judged", "none", difference=difference)
    if reference.stderr is not None and quantity.stderr is not None:
        z = difference / max(math.hypot(reference.stderr * factor, quantity.stderr), 1e-300)
        if abs(z) <= AGREEMENT:
            return row(quantity, f"agrees ({z:+.1f} σ)", "good", difference=difference, z=z)
        return row(quantity, f"differs by {z:+.1f} σ", "bad", difference=difference, z=z)
    if reference.tolerance is not None:
        limit = reference.tolerance * factor
        good = abs(difference) <= limit
        verdict = f"agrees within ± {limit:g}" if good else f"differs by more than {limit:g}"
        return row(quantity, verdict, "good" if good else "bad", difference=difference)
    return row(quantity, "no verdict: the source gives no error", "none", difference=difference)


def _judge_dominant(
    row: Any, quantity: Quantity, table: dict[str, Quantity], reference: Reference
) -> Comparison:
    """Say whether a shell or species is the most frequent of its family, beyond its error."""
    family = reference.name.partition(".")[0] + "."
    rivals = [q for q in table.values() if q.name.startswith(family) and q.name != quantity.name]
    values = [(q.value or 0.0, q.stderr or 0.0, q.name) for q in rivals]
    best, error, name = max(values, default=(0.0, 0.0, ""))
    lead = float(quantity.value or 0.0) - best
    if any(q.status == "not_converged" for q in (quantity, *rivals)):
        words = "most frequent so far" if lead > 0 else f"{name.removeprefix(family)} leads so far"
        result: Comparison = row(quantity, f"not converged; {words}", "open")
    elif not reference.judged:
        result = row(quantity, "for orientation; not judged", "none")
    elif abs(lead) <= AGREEMENT * math.hypot(quantity.stderr or 0.0, error):
        result = row(quantity, f"open: level with {name.removeprefix(family)}", "open")
    elif lead > 0:
        result = row(quantity, "expectation met: most frequent", "good")
    else:
        words = f"expectation not met: {name.removeprefix(family)} is more frequent"
        result = row(quantity, words, "bad")
    return result


def _judge_limit(
    row: Any, quantity: Quantity, difference: float, reference: Reference
) -> Comparison:
    """Say whether a number lies on the right side of a limit, beyond its error."""
    side = 1.0 if reference.expect == "above" else -1.0
    helps = quantity.bound is None or (quantity.bound == "lower") == (side > 0)
    if not reference.judged:
        result: Comparison = row(
            quantity, "for orientation; not judged", "none", difference=difference
        )
    elif not helps or abs(difference) <= (quantity.stderr or 0.0):
        result = row(quantity, "open: within the error of the limit", "open", difference=difference)
    elif side * difference > 0:
        result = row(quantity, "expectation met", "good", difference=difference)
    else:
        result = row(quantity, "expectation not met", "bad", difference=difference)
    return result


def _find(name: str, table: dict[str, Quantity]) -> Quantity | None:
    """Find one quantity, or the sum of several; a sum is worth what its worst part is."""
    parts = [table.get(part.strip()) for part in name.split(" + ")]
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
        stderr=math.fsum(part.stderr or 0.0 for part in found),
    )


def _convert(source: str, target: str) -> float:
    """Find the factor from one unit to another, e.g. ``"cm2/s"`` to ``"m2/s"``."""
    if source == target:
        return 1.0
    a, b = (_spell(unit) for unit in (source, target))
    factor = parse_quantity(f"1.0 {a}", b, name=source)
    return factor if factor >= 1.0 else 1.0 / parse_quantity(f"1.0 {b}", a, name=target)


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float)) and math.isfinite(number)


def _spell(unit: str) -> str:
    """Spell a unit so that pint reads it: ``m2/s`` as ``m**2/s``."""
    return re.sub(r"(?<=[a-zA-Z])(\d)", r"**\1", unit)


def _refuse_unknown(table: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
            raise RecipeError(f"{place}: key {key!r} is not known; {hint}")
