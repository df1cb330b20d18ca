"""Values with units: read exactly, or refused in one line."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvation.errors import UnitError
from solvation.units import AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, GAS_CONSTANT, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("298.15 K", "kelvin", 298.15),
        ("25 degC", "kelvin", 298.15),
        ("25 °C", "kelvin", 298.15),
        ("-5 degC", "kelvin", 268.15),
        ("4 fs", "picosecond", 0.004),
        ("4fs", "picosecond", 0.004),
        ("1e-3 ns", "picosecond", 1.0),
        ("  10 ns  ", "picosecond", 10_000.0),
        ("1.2 nm", "angstrom", 12.0),
        ("12 Å", "angstrom", 12.0),
        ("1 / ps", "1/picosecond", 1.0),
        ("1/ps", "1/picosecond", 1.0),
        ("2 ps^-1", "1/picosecond", 2.0),
        ("2 ps**-1", "1/picosecond", 2.0),
        ("1 atm", "bar", 1.01325),
        ("0.5 mol/L", "mole/liter", 0.5),
        ("0.5 M", "mole/liter", 0.5),
        ("500 mol/m^3", "mole/liter", 0.5),
        ("0.6 mol/kg", "mole/kilogram", 0.6),
        ("3 u", "dalton", 3.0),
        (0.5, "dimensionless", 0.5),
        ("50 %", "dimensionless", 0.5),
    ],
)
def test_reads(text: object, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (25, 't = 25 has no unit; write it as "25 K"'),
        ("25", 't = "25" has no unit; write it as "25 K"'),
        ("25 ps", "has the wrong unit; it must convert to K"),
        ("25 Kelvins!", 'unit "Kelvins!" is not known'),
        ("25 quux", 'unit "quux" is not known'),
        ("K", "is not understood"),
        ("hot", "is not understood"),
        ("298,15 K", "is not understood"),
        ("nan K", "is not understood"),
        ("inf K", "is not understood"),
        ("1e999 K", "not a finite number"),
        ("", "is not a value with a unit"),
        (True, "is not a value with a unit"),
        (None, "is not a value with a unit"),
        (float("nan"), "has no unit"),
    ],
)
def test_refuses_in_one_line(text: object, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_quantity(text, "kelvin", name="t")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["1 + 2 K", "3*4 K", "2 3 K", "(1) K", "1 K; 2", "9**9**9 K", "1 K**9**9**9", "1 m**999999999"],
)
def test_evaluates_nothing(text: str) -> None:
    """A recipe is data: no sums, and no power tower that would take minutes."""
    parse_quantity("1 K", "kelvin")  # the unit registry takes a second to load
    started = time.process_time()
    with pytest.raises(UnitError):
        parse_quantity(text, "kelvin")
    assert time.process_time() - started < 1.0


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_a_unit_error(text: str) -> None:
    try:
        value = parse_quantity(text, "kelvin")
    except UnitError:
        return
    assert math.isfinite(value)


@given(st.floats(1e-6, 1e6))
def test_units_convert(value: float) -> None:
    assert parse_quantity(f"{value!r} nm", "angstrom") == pytest.approx(10 * value, rel=1e-9)
    assert parse_quantity(f"{value!r} angstrom", "angstrom") == pytest.approx(value, rel=1e-6)


def test_constants() -> None:
    assert pytest.approx(8.31446261815324e-3) == GAS_CONSTANT
    assert pytest.approx(96485.33212) == AVOGADRO * ELEMENTARY_CHARGE  # Faraday
    assert pytest.approx(25.6926e-3, rel=1e-5) == BOLTZMANN * 298.15 / ELEMENTARY_CHARGE
