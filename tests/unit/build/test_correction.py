"""Corrections of a bond: the curve is the difference, and the corrected surface has its forces."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.build.correction import (
    check_rest,
    correct_surface,
    fit_correction,
    parse_bond,
)
from solvation.build.parametrize import parametrize
from solvation.build.subject import read_subject
from solvation.errors import RecipeError, SimulationError

LENGTHS = np.linspace(1.4, 1.8, 5)


def morse(length, depth, rest, width=2.0):
    return depth * (1 - np.exp(-width * (length - rest))) ** 2


def bond_surface(curve):
    """Energy of the distance of atoms 0 and 1, and its gradient; the other atoms are free."""

    def evaluate(positions):
        along = positions[0] - positions[1]
        length = np.linalg.norm(along)
        slope = (curve(length + 1e-5) - curve(length - 1e-5)) / 2e-5
        gradient = np.zeros_like(positions)
        gradient[0], gradient[1] = slope * along / length, -slope * along / length
        return float(curve(length)), gradient

    return evaluate


def test_a_cubic_comes_back_and_goes_on_as_a_straight_line():
    curve = np.polynomial.Polynomial([3.0, -20.0, 40.0, 15.0])
    found = fit_correction((0, 1), LENGTHS, curve(LENGTHS - 1.6))
    assert found.error < 1e-9
    for length in (1.43, 1.6, 1.78):
        energy, slope = found.evaluate(length)
        assert slope == pytest.approx(curve.deriv()(length - 1.6))
        assert energy - found.evaluate(1.6)[0] == pytest.approx(curve(length - 1.6) - 3.0)
    for end, beyond in ((1.4, 1.2), (1.8, 2.5)):
        energy, slope = found.evaluate(end)
        assert found.evaluate(beyond) == pytest.approx((energy + slope * (beyond - end), slope))


def test_the_corrected_bond_rests_where_the_reference_does():
    def loose(length):
        return morse(length, 20.0, 1.68)

    def tight(length):
        return morse(length, 300.0, 1.55)

    correction = fit_correction((0, 1), LENGTHS, tight(LENGTHS) - loose(LENGTHS))
    assert correction.error < 0.3
    surface = correct_surface(bond_surface(loose), correction)
    lengths = np.linspace(1.45, 1.7, 251)
    energies = [surface(np.array([[0.0, 0, 0], [0, 0, r]]))[0] for r in lengths]
    assert lengths[int(np.argmin(energies))] == pytest.approx(1.55, abs=0.005)
    near = np.abs(lengths - 1.55) < 0.03
    stiffness = 2 * np.polyfit(lengths[near], np.array(energies)[near], 2)[0]
    assert stiffness == pytest.approx(2 * 300.0 * 2.0**2, rel=0.1)


def test_a_bond_that_does_not_rest_is_refused():
    check_rest("ion, B-O", [1.4, 1.5, 1.6], [3.0, 0.0, 1.0])
    with pytest.raises(SimulationError, match=r"ion, B-O: .* 1\.44 and 1\.74 .* be longer; leave"):
        check_rest("ion, B-O", [1.44, 1.59, 1.74], [0.0, -16.7, -34.3])
    with pytest.raises(SimulationError, match="be shorter"):
        check_rest("ion, B-O", [1.44, 1.59, 1.74], [-1.0, 0.0, 2.0])


def test_forces_are_minus_the_gradient():
    correction = fit_correction((2, 0), LENGTHS, morse(LENGTHS, 300.0, 1.55))
    surface = correct_surface(bond_surface(lambda r: morse(r, 20.0, 1.68)), correction)
    x = np.array([[0.0, 0.1, 0.0], [0.3, 0.0, 1.5], [1.3, 0.2, -0.8]])
    energy, gradient = surface(x)
    for atom, axis in np.ndindex(3, 3):
        sides = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[atom, axis] += step
            sides.append(surface(moved)[0])
        assert gradient[atom, axis] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-4)
    assert surface(x + 3.0)[0] == pytest.approx(energy)
    assert gradient.sum(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_bond_that_is_none_is_refused_with_those_there_are(tmp_path):
    subject = read_subject("C[B-](F)(F)F", charge=-1, name="X")
    assert parse_bond("1-0", subject) == parse_bond("0-1", subject) == (0, 1)
    for text in ("0-2", "0", "a-b", "0-99"):
        with pytest.raises(RecipeError, match=f'"{text}" is no bond; choose .*1-2 .B-F.') as error:
            parse_bond(text, subject)
        assert "\n" not in str(error.value)
    with pytest.raises(RecipeError, match=r"1-2 is one of 3 equal bonds; .* --method b3lyp"):
        parse_bond("1-2", subject)
    with pytest.raises(RecipeError, match="--stretch mends GFN2-xTB"):
        parametrize(
            "C[B-](F)(F)F", charge=-1, name="X", output=tmp_path, method="b3lyp", stretch="0-1"
        )
