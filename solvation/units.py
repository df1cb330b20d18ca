"""Units at the borders: text such as ``"298.15 K"`` in, plain floats inside.

Inside the package: Å, ps, kJ/mol, e, u, K. `parse_quantity` is the only door for values with
units; the constants below convert results on their way out.
"""

from __future__ import annotations

from functools import cache
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
    import math

    import pint

    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if unit == "dimensionless":
            return float(text)
        raise UnitError(f'{name} = {text} has no unit; write it as "{text} {_short(unit)}"')
    if not isinstance(text, str) or not text.strip():
        raise UnitError(
            f'{name} = {text!r} is not a value with a unit; write e.g. "1 {_short(unit)}"'
        )
    registry = _registry()
    head, _, tail = text.strip().partition(" ")
    try:
        quantity = registry.Quantity(float(head), tail) if tail else registry.Quantity(text)
    except ValueError:
        try:
            quantity = registry.Quantity(text)
        except Exception as error:
            raise UnitError(
                f'{name} = "{text}" is not understood; write e.g. "1 {_short(unit)}"'
            ) from error
    except (
        pint.UndefinedUnitError,
        pint.DefinitionSyntaxError,
        AttributeError,
        TypeError,
    ) as error:
        raise UnitError(
            f'{name} = "{text}": unit "{tail}" is not known; write e.g. "1 {_short(unit)}"'
        ) from error
    if quantity.dimensionless and unit != "dimensionless":
        raise UnitError(f'{name} = "{text}" has no unit; write it as "{text} {_short(unit)}"')
    try:
        value = float(quantity.to(unit).magnitude)
    except pint.DimensionalityError as error:
        raise UnitError(
            f'{name} = "{text}" has the wrong unit; it must convert to {_short(unit)}'
        ) from error
    if not math.isfinite(value):
        raise UnitError(f'{name} = "{text}" is not a finite number; give a finite one')
    return round(value, 12)


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
    }.get(unit, unit)
