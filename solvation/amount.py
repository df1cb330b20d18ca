"""Amounts: values of a recipe with their unit, kept as written and known as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from solvation.errors import RecipeError, UnitError
from solvation.units import parse_quantity

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = [
    "Amount",
    "Concentration",
    "Duration",
    "Length",
    "Mass",
    "Pressure",
    "Rate",
    "Temperature",
    "Time",
    "Viscosity",
]


class Amount(str):
    """A value with its unit, kept as written; ``magnitude`` is the number in `unit`."""

    __slots__ = ("magnitude",)

    unit: str = "dimensionless"
    """Unit of `magnitude`, in pint's spelling."""
    minimum: float = 0.0
    """Smallest value allowed; itself allowed only when `inclusive`."""
    inclusive: bool = False
    """Whether `minimum` itself is allowed."""

    magnitude: float
    """The number, in `unit`."""

    def __new__(cls, text: object) -> Amount:
        """Parse ``text``; raises `UnitError` or `RecipeError`."""
        value = parse_quantity(text, cls.unit)
        if value < cls.minimum or (value == cls.minimum and not cls.inclusive):
            word = "negative" if value < 0 else "too small"
            least = f"{cls.minimum:g} or above" if cls.inclusive else f"above {cls.minimum:g}"
            raise RecipeError(f'"{text}" is {word}; it must be {least}')
        self = super().__new__(cls, str(text))
        self.magnitude = value
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Teach pydantic to read text through the constructor and to write the text back."""
        from pydantic_core import core_schema

        def read(text: object) -> Amount:
            try:
                return text if isinstance(text, cls) else cls(text)
            except (UnitError, RecipeError) as error:
                raise ValueError(str(error)) from error

        return core_schema.no_info_plain_validator_function(read)


class Temperature(Amount):
    """A temperature in K."""

    unit = "kelvin"


class Pressure(Amount):
    """A pressure in bar; zero is allowed."""

    unit = "bar"
    inclusive = True


class Time(Amount):
    """A time in ps."""

    unit = "picosecond"


class Duration(Amount):
    """A time in ps that may be zero."""

    unit = "picosecond"
    inclusive = True


class Length(Amount):
    """A length in Å."""

    unit = "angstrom"


class Rate(Amount):
    """A rate in 1/ps."""

    unit = "1/picosecond"


class Viscosity(Amount):
    """A shear viscosity in mPa s."""

    unit = "millipascal * second"


class Mass(Amount):
    """A mass in u."""

    unit = "dalton"


class Concentration(Amount):
    """A concentration, in mol/L or in mol per kg of solvent."""

    __slots__ = ("per",)

    per: Literal["liter", "kilogram"]
    """Whether it is per liter of solution or per kilogram of solvent."""

    def __new__(cls, text: object) -> Concentration:
        """Parse ``text`` as mol/L, or else as mol/kg."""
        errors = []
        for per, unit in (("liter", "mole/liter"), ("kilogram", "mole/kilogram")):
            try:
                value = parse_quantity(text, unit)
            except UnitError as error:
                errors.append(error)
                continue
            if value <= 0:
                word = "negative" if value < 0 else "zero"
                raise RecipeError(f'"{text}" is {word}; a concentration must be above 0')
            self = str.__new__(cls, str(text))
            self.magnitude = value
            self.per = per  # type: ignore[assignment]
            return self
        raise UnitError(str(errors[0]))
