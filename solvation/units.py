"""Units at the borders: text such as ``"298.15 K"`` in, plain floats inside.

Inside the package: Å, ps, kJ/mol, e, u, K. `parse_quantity` is the only door for values with
units; the constants below convert results on their way out.
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from solvation.errors import UnitError

if TYPE_CHECKING:
    import pint

__all__ = ["AVOGADRO", "BOLTZMANN", "ELEMENTARY_CHARGE", "GAS_CONSTANT", "parse_quantity"]

AVOGADRO = 6.02214076e23
"""Avogadro constant in 1/mol (CODATA 2018, exact)."""
BOLTZMANN = 1.380649e-23
"""Boltzmann constant in J/K (CODATA 2018, exact)."""
ELEMENTARY_CHARGE = 1.602176634e-19
"""Elementary charge in C (CODATA 2018, exact)."""
GAS_CONSTANT = AVOGADRO * BOLTZMANN / 1000.0
"""Gas constant in kJ/(mol K)."""

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\d.,_])(.*)", re.ASCII)
"""A number, and the rest, which is a unit."""
_UNIT = re.compile(r"[^\W\d_][\w\s*/^().°%-]*|°[A-Z]|%|1?\s*/[\w\s*/^().°-]*")
"""What a unit may be written with: text is read, never evaluated."""
_POWER_OF_NUMBER = re.compile(r"\d\s*(?:\*\*|\^)|\d{3}")
"""Numbers that a parser would have to work on for minutes, such as 9**9**9."""


@cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(cache_folder=None)
    registry.define("cubic_angstrom = angstrom**3")
    return registry


def parse_quantity(text: object, unit: str, *, name: str = "value") -> float:
    """Read a value with its unit, such as ``"0.5 mol/L"``, as a float in ``unit``.

    Parameters
    ----------
    text
        A number and a unit in one string. A bare number is refused unless ``unit`` is
        ``"dimensionless"``: a number without a unit is a mistake waiting to happen.
    unit
        The unit of the result, in pint's spelling.
    name
        What the value is called, for the message.

    Raises
    ------
    UnitError
        If there is no unit, an unknown one, or one of another dimension.

    Examples
    --------
    >>> parse_quantity("25 degC", "kelvin")
    298.15
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if unit == "dimensionless" and math.isfinite(text):
            return float(text)
        raise UnitError(f'{name} = {text} has no unit; write it as "{text} {_short(unit)}"')
    if not isinstance(text, str) or not text.strip():
        raise UnitError(
            f'{name} = {text!r} is not a value with a unit; write e.g. "1 {_short(unit)}"'
        )
    return _read_text(text, unit, name)


@lru_cache(maxsize=1024)
def _read_text(text: str, unit: str, name: str) -> float:
    """What `parse_quantity` does with text; the profiles bring the same values again and again."""
    parts = _NUMBER.match(text)
    if parts is None:
        raise UnitError(f'{name} = "{text}" is not understood; write e.g. "1 {_short(unit)}"')
    quantity = _attach(float(parts[1]), parts[2].strip())
    if quantity is None:
        raise UnitError(
            f'{name} = "{text}": unit "{parts[2].strip()}" is not known; '
            f'write e.g. "1 {_short(unit)}"'
        )
    if quantity.dimensionless and unit != "dimensionless":
        raise UnitError(f'{name} = "{text}" has no unit; write it as "{text} {_short(unit)}"')
    if not quantity.is_compatible_with(unit):
        raise UnitError(f'{name} = "{text}" has the wrong unit; it must convert to {_short(unit)}')
    value = float(quantity.to(unit).magnitude)
    if not math.isfinite(value):
        raise UnitError(f'{name} = "{text}" is not a finite number; give a finite one')
    return round(value, 12)


def _attach(number: float, text: str) -> pint.Quantity[float] | None:
    """Give a number its unit; None when the unit is not understood."""
    if not text:
        return _registry().Quantity(number, "dimensionless")
    if not _UNIT.fullmatch(text) or _POWER_OF_NUMBER.search(text):
        return None
    try:
        return _registry().Quantity(number, f"1{text}" if text.startswith("/") else text)
    except Exception:  # pint's parser raises a dozen kinds, some of them from tokenize
        return None


def _short(unit: str) -> str:
    """Spell a unit the way people write it."""
    return {
        "kelvin": "K",
        "angstrom": "angstrom",
        "picosecond": "ps",
        "femtosecond": "fs",
        "mole/liter": "mol/L",
        "mole/kilogram": "mol/kg",
        "1/picosecond": "1/ps",
        "millipascal * second": "mPa s",
    }.get(unit, unit)
