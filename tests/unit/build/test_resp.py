"""The fit gives back the charges that made the potential; totals and equivalences are exact."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.build.resp import fit_charges, make_shells

WATER = np.array([[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.2400, 0.9266, 0.0]])
METHANOL = ("C", "O", "H", "H", "H", "H")
METHANOL_BONDS = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 5))
METHANOL_CLASSES = (0, 1, 2, 2, 2, 3)
METHANOL_SHAPE = np.array(
    [[0, 0, 0], [1.42, 0, 0], [-0.36, 1.03, 0], [-0.36, -0.51, 0.89], [-0.36, -0.51, -0.89],
     [1.75, 0.90, 0]], dtype=float,
)  # fmt: skip


def make_potential(points, shape, charges):
    return (np.asarray(charges) / np.linalg.norm(points[:, None] - shape, axis=2)).sum(axis=1)


def fit(elements, bonds, classes, charges, shapes, seed=1):
    generator = np.random.default_rng(seed)
    points = [make_shells(elements, shape, generator=generator) for shape in shapes]
    potentials = [make_potential(p, s, charges) for p, s in zip(points, shapes, strict=True)]
    total = round(sum(charges))
    return fit_charges(elements, bonds, classes, total, shapes, points, potentials)


def test_known_charges_come_back():
    charges = (-0.8, 0.4, 0.4)
    found = fit(("O", "H", "H"), ((0, 1), (0, 2)), (0, 1, 1), charges, [WATER])
    # Only the restraint on O stands between the two.
    np.testing.assert_allclose(found.values, charges, atol=2e-3)
    assert found.rrms < 5e-3


def test_ion_with_two_shapes_comes_back():
    charges = (-1.2, 0.1, 0.1)
    found = fit(
        ("O", "H", "H"), ((0, 1), (0, 2)), (0, 1, 1), charges, [WATER, WATER @ np.eye(3)[::-1]]
    )
    np.testing.assert_allclose(found.values, charges, atol=3e-3)
    assert len(found.rrms_sets) == 2


def test_methyl_hydrogens_become_equal_in_the_second_stage():
    charges = (0.15, -0.6, 0.05, 0.01, 0.0, 0.39)
    found = fit(METHANOL, METHANOL_BONDS, METHANOL_CLASSES, charges, [METHANOL_SHAPE]).values
    assert found[2] == found[3] == found[4]
    assert found.sum() == pytest.approx(0, abs=1e-12)
    assert found[1] == pytest.approx(-0.6, abs=0.05)


@pytest.mark.parametrize("total", [-2, -1, 0, 1])
def test_total_is_exact_whatever_the_potential(total):
    rng = np.random.default_rng(total + 5)
    points = [make_shells(METHANOL, METHANOL_SHAPE, generator=rng)]
    noise = [rng.normal(size=len(points[0]))]
    found = fit_charges(
        METHANOL, METHANOL_BONDS, METHANOL_CLASSES, total, [METHANOL_SHAPE], points, noise
    )
    assert found.values.sum() == pytest.approx(total, abs=1e-10)
    assert len(set(found.values[2:5])) == 1


def test_turning_the_molecule_changes_nothing_but_the_points():
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    charges = (-0.8, 0.4, 0.4)
    a = fit(("O", "H", "H"), ((0, 1), (0, 2)), (0, 1, 1), charges, [WATER])
    b = fit(("O", "H", "H"), ((0, 1), (0, 2)), (0, 1, 1), charges, [WATER @ turn], seed=9)
    np.testing.assert_allclose(a.values, b.values, atol=1e-3)


def test_shells_keep_their_distance():
    points = make_shells(("O", "H", "H"), WATER, generator=np.random.default_rng(1))
    gaps = np.linalg.norm(points[:, None] - WATER, axis=2) / np.array([1.4, 1.2, 1.2])
    nearest = gaps.min(axis=1)
    assert nearest.min() >= 1.4 - 1e-6
    assert set(np.round(nearest, 6)) == {1.4, 1.6, 1.8, 2.0}


def test_density_is_the_number_per_area():
    points = make_shells(("C",), np.zeros((1, 3)), generator=np.random.default_rng(1), density=3.0)
    area = sum(4 * np.pi * (f * 1.5) ** 2 for f in (1.4, 1.6, 1.8, 2.0))
    assert len(points) == pytest.approx(3.0 * area, rel=0.01)
