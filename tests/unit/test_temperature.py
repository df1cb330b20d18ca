"""Temperature series: what is fitted, what is only drawn, what is said."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from solvation.errors import RecipeError
from solvation.results import Quantity
from solvation.temperature import fit_temperatures, write_temperature_csv

GAS = 8.31446261815324e-3


def _run(t, *, energy=20.0, status="ok", extra=()):
    value = 1e-6 * np.exp(-energy / (GAS * t))
    row = Quantity(name="diffusion.Mg", value=value, stderr=0.05 * value, unit="m2/s",
                   status=status)  # fmt: skip
    return (f"run-{t:g}", t, [row, *extra])


def test_an_arrhenius_series_gives_its_energy():
    (fit,) = fit_temperatures([_run(t) for t in (340.0, 300.0, 280.0, 320.0, 360.0)])
    assert [p.temperature for p in fit.points] == [280.0, 300.0, 320.0, 340.0, 360.0]
    assert fit.arrhenius.energy == pytest.approx(20.0)
    assert fit.supported in ("arrhenius", "either")
    assert "E = 20 ±" in fit.words
    rows = list(csv.DictReader(io.StringIO(write_temperature_csv([fit]))))
    assert [row["law"] for row in rows] == ["arrhenius", "vogel"]
    assert float(rows[0]["energy_kj_mol"]) == pytest.approx(20.0)


def test_fewer_than_four_temperatures_have_no_vogel_fit():
    (fit,) = fit_temperatures([_run(t) for t in (280.0, 300.0, 320.0)])
    assert fit.vogel is None
    assert "needs 4 temperatures" in fit.words
    (two,) = fit_temperatures([_run(t) for t in (280.0, 300.0)])
    assert two.arrhenius is None
    assert two.words == "2 converged temperatures; a fit needs 3 or more."


def test_what_is_not_converged_is_not_fitted():
    runs = [_run(t) for t in (280.0, 300.0, 320.0)]
    wild = _run(340.0, energy=5.0, status="not_converged")
    (fit,) = fit_temperatures([*runs, wild])
    assert [p.fitted for p in fit.points] == [True, True, True, False]
    assert fit.arrhenius.energy == pytest.approx(20.0)


def test_ratios_and_structure_are_left_out():
    others = [
        Quantity(name="conductivity.ionicity", value=0.5, stderr=0.1, unit="1"),
        Quantity(name="coordination.Mg.total", value=6.0, stderr=0.1, unit="1"),
    ]
    fits = fit_temperatures([_run(t, extra=others) for t in (280.0, 300.0, 320.0)])
    assert [fit.name for fit in fits] == ["diffusion.Mg"]
    assert fit_temperatures([_run(300.0), _run(300.0)]) == ()


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(RecipeError, match="must be above zero"):
        fit_temperatures([("cold", 0.0, [])])
