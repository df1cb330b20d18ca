"""Amounts: kept as written, known as numbers, and inside their range."""

from __future__ import annotations

import copy
import pickle

import pytest

from solvation.amount import Concentration, Duration, Length, Mass, Pressure, Temperature, Time
from solvation.errors import RecipeError, UnitError


def test_keeps_the_text_and_knows_the_number() -> None:
    amount = Temperature("25 degC")
    assert amount == "25 degC"
    assert amount.magnitude == pytest.approx(298.15)
    assert Length("1 nm").magnitude == 10.0
    assert Mass("3 u").magnitude == pytest.approx(3.0)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))]
)
def test_survives_copying(copied) -> None:
    amount = copied(Concentration("0.6 mol/kg"))
    assert type(amount) is Concentration
    assert (amount, amount.magnitude, amount.per) == ("0.6 mol/kg", 0.6, "kilogram")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Temperature, "0 K", "too small; it must be above 0"),
        (Temperature, "-1 K", "negative"),
        (Time, "0 ps", "too small"),
        (Pressure, "-1 bar", "negative; it must be 0 or above"),
        (Length, "-1 angstrom", "negative"),
        (Concentration, "-0.5 mol/L", "negative; a concentration must be above 0"),
        (Concentration, "0 mol/kg", "zero; a concentration must be above 0"),
    ],
)
def test_refuses_what_cannot_be(kind, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        kind(text)


def test_zero_where_it_means_something() -> None:
    assert Pressure("0 bar").magnitude == 0
    assert Duration("0 ps").magnitude == 0


@pytest.mark.parametrize(
    ("text", "per", "value"),
    [("0.5 mol/L", "liter", 0.5), ("500 mmol/kg", "kilogram", 0.5), ("0.5 M", "liter", 0.5)],
)
def test_concentration_says_per_what(text: str, per: str, value: float) -> None:
    amount = Concentration(text)
    assert amount.per == per
    assert amount.magnitude == pytest.approx(value)


@pytest.mark.parametrize("text", ["0.5", 0.5, "0.5 mol", "0.5 m/s", None])
def test_concentration_without_its_unit(text: object) -> None:
    with pytest.raises(UnitError, match="mol/L"):
        Concentration(text)
