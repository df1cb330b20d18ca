"""Laws of temperature: exact points, honest errors, and which law is supported."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels.activation import GAS, choose_activation, fit_arrhenius, fit_vogel

T = np.array([260.0, 280.0, 300.0, 320.0, 340.0, 360.0])


def _vogel(t):
    return 50.0 * np.exp(-4.0 / (GAS * (t - 180.0)))


def test_exact_points_give_the_law_back():
    y = 3.0 * np.exp(-18.0 / (GAS * T))
    fit = fit_arrhenius(T, y, 0.05 * y)
    assert (fit.energy, np.exp(fit.log_prefactor)) == pytest.approx((18.0, 3.0))
    other = fit_vogel(T, _vogel(T), 0.05 * _vogel(T))
    assert (other.energy, other.origin) == pytest.approx((4.0, 180.0), rel=1e-3)
    value, error = other.predict([300.0, 310.0])
    np.testing.assert_allclose(value, _vogel(np.array([300.0, 310.0])), rtol=1e-6)
    assert (error > 0.0).all()


def test_viscosity_falls():
    y = 0.01 * np.exp(15.0 / (GAS * T))
    assert fit_arrhenius(T, y, 0.1 * y).energy == pytest.approx(-15.0)


@pytest.mark.parametrize("law", ["arrhenius", "vogel"])
def test_intervals_hold_the_truth(law):
    rng = np.random.default_rng(1)
    truth = 3.0 * np.exp(-18.0 / (GAS * T)) if law == "arrhenius" else _vogel(T)
    exact = 18.0 if law == "arrhenius" else 4.0
    held = 0
    for _ in range(300):
        y = truth * np.exp(rng.normal(scale=0.03, size=len(T)))
        fit = (fit_arrhenius if law == "arrhenius" else fit_vogel)(T, y, 0.03 * y)
        held += abs(fit.energy - exact) < 1.96 * fit.energy_stderr
    assert 0.92 <= held / 300 <= 0.98


def test_points_support_the_law_that_made_them(rng):
    straight = 3.0 * np.exp(-18.0 / (GAS * T)) * np.exp(rng.normal(scale=0.02, size=len(T)))
    bent = _vogel(T) * np.exp(rng.normal(scale=0.02, size=len(T)))
    found = {}
    for name, y in (("straight", straight), ("bent", bent)):
        found[name] = choose_activation(fit_arrhenius(T, y, 0.02 * y), fit_vogel(T, y, 0.02 * y))
    assert found["straight"] in ("arrhenius", "either")
    assert found["bent"] == "vogel"
    # With errors as large as this nobody can tell.
    vague = choose_activation(fit_arrhenius(T, bent, 0.5 * bent), fit_vogel(T, bent, 0.5 * bent))
    assert vague in ("arrhenius", "either")


def test_points_off_every_line_support_neither():
    y = np.array([1.0, 5.0, 1.0, 5.0, 1.0, 5.0])
    assert choose_activation(fit_arrhenius(T, y, 0.01 * y), fit_vogel(T, y, 0.01 * y)) == "neither"
    assert choose_activation(fit_arrhenius(T, y, 0.01 * y), None) == "neither"


def test_straight_points_do_not_limit_the_origin():
    y = 3.0 * np.exp(-18.0 / (GAS * T) + 2e6 * (1.0 / T - 1.0 / 300.0) ** 2)
    fit = fit_vogel(T, y, 0.05 * y)
    assert fit.origin == 0.0
    assert np.isnan(fit.origin_stderr)


def test_too_few_temperatures_are_refused():
    y = np.ones(3)
    with pytest.raises(ValueError, match=r"3 temperatures; a Vogel fit .* needs 4 or more"):
        fit_vogel(T[:3], y, y)
    with pytest.raises(ValueError, match="1 temperatures"):
        fit_arrhenius(T[:1], y[:1], y[:1])
    with pytest.raises(ValueError, match="2 temperatures"):
        fit_vogel([300.0, 300.0, 320.0, 320.0], np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="not above zero"):
        fit_arrhenius(T, np.zeros(6), np.ones(6))


@pytest.fixture
def rng():
    return np.random.default_rng(7)
