"""Experiment: what others measured or computed for one electrolyte, with sources.

A system's ``experiment.toml`` says which tier it is of and what is known of it, and lists
``[[value]]`` tables, each one `Reference`.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from solvation.errors import RecipeError, UnitError
from solvation.library import find_system
from solvation.units import parse_quantity

if TYPE_CHECKING:
    from pathlib import Path

    from solvation.amount import Concentration
    from solvation.recipe import Recipe

__all__ = ["Experiment", "Reference", "find_experiment", "load_experiment", "spell_unit"]

Expectation = Literal["value", "dominant", "above", "below", "statement"]
"""What a source says of a name: its value, that it is the most frequent of its family, a limit,
or words that no number of ours answers."""

Tier = Literal["A", "B", "C"]

Kind = Literal["experiment", "crystal", "computation", "review"]
"""How the source knows it."""


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
    factor: float | None = None
    """Ratio, above 1, that is still called an agreement where the source gives no error."""
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
        if self.factor is not None and not (_is_finite(self.factor) and self.factor > 1):
            raise RecipeError(f"factor = {self.factor!r} is not a number above 1")
        if (self.value is None) == (self.expect in ("value", "above", "below")):
            need = "needs a value" if self.value is None else "takes no value"
            raise RecipeError(f'{self.name}: expect = "{self.expect}" {need}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is known of one electrolyte."""

    system: str
    """Name of the shipped system, e.g. ``"mg-tfsi2-dme"``."""
    tier: Tier | None = None
    """``"A"``: Mg and Ca in ethers, and controls; ``"B"``: other solvents, mixtures, ionic liquids;
    ``"C"``: cannot be simulated yet."""
    known: str = ""
    """What is known of its structure, one line."""
    values: tuple[Reference, ...] = ()
    """In the order a reader wants them."""

    def unjudge(self, reason: str) -> Experiment:
        """Keep every value for orientation, none for a verdict."""
        values = tuple(
            replace(value, judged=False, note=f"{reason}. {value.note}".rstrip(". "))
            for value in self.values
        )
        return replace(self, values=values)


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
    _refuse_unknown(document, ("system", "tier", "known", "value"), f"{path.name}")
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
                parse_quantity(
                    f"1 {spell_unit(values[-1].unit)}", spell_unit(values[-1].unit), name="unit"
                )
        except (RecipeError, UnitError, TypeError) as error:
            raise RecipeError(f"{place}: {error}") from error
    tier = document.get("tier")
    if tier not in (None, *get_args(Tier)):
        raise RecipeError(f"{path.name}: tier = {tier!r}: use one of {', '.join(get_args(Tier))}")
    return Experiment(
        system=str(document.get("system", path.parent.name)),
        tier=tier,
        known=str(document.get("known", "")),
        values=tuple(values),
    )


def find_experiment(recipe: Recipe) -> Experiment | None:
    """Find what is shipped for the electrolyte of a recipe, by its name.

    A recipe of that name with other salts, solvents or amounts is another electrolyte: the values
    are then kept for orientation only. None where nothing is shipped.

    Raises
    ------
    RecipeError
        If the file is broken.
    """
    from solvation.recipe import load_recipe

    try:
        path = find_system(recipe.name)
    except RecipeError:
        return None
    file = path.with_name("experiment.toml")
    if not file.is_file():
        return None
    experiment = load_experiment(file)
    if _list_contents(recipe) != _list_contents(load_recipe(path)):
        return experiment.unjudge("This run has another composition than the shipped recipe")
    return experiment


def _list_contents(recipe: Recipe) -> list[tuple[Any, ...]]:
    """List what is in the box and how much of it, whatever it is called."""
    salts = [(salt.formula, salt.solvent_ratio, _weigh(salt.concentration)) for salt in recipe.salt]
    solvents = [(item.label, item.fraction, item.fraction_of) for item in recipe.solvent]
    additives = [
        (item.species.name, item.per_cation, _weigh(item.concentration)) for item in recipe.additive
    ]
    return [*salts, *solvents, *additives]


def _weigh(amount: Concentration | None) -> tuple[float, str] | None:
    """Read an amount whatever unit it is written in."""
    return None if amount is None else (amount.magnitude, amount.per)


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float)) and math.isfinite(number)


def spell_unit(unit: str) -> str:
    """Spell a unit so that pint reads it.

    Examples
    --------
    >>> spell_unit("m2/s")
    'm**2/s'
    """
    return re.sub(r"(?<=[a-zA-Z])(\d)", r"**\1", unit)


def _refuse_unknown(table: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
            raise RecipeError(f"{place}: key {key!r} is not known; {hint}")
