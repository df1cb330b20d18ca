"""Hessians of known springs give the springs back, where the method is exact."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.build.seminario import (
    average_classes,
    compute_angle_constants,
    compute_bond_constants,
    measure_angle,
    measure_dihedral,
)


def differentiate(energy, shape, step=1e-4):
    """Hessian by central differences of an energy."""
    size = shape.size
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a in (1, -1):
                for b in (1, -1):
                    moved = shape.copy()
                    moved.flat[i] += a * step
                    moved.flat[j] += b * step
                    total += a * b * energy(moved)
            hessian[i, j] = total / (4 * step**2)
    return hessian


def test_bonds_of_a_spring_network_come_back():
    shape = np.array([[0, 0, 0], [1.1, 0.2, 0], [0.1, 1.4, 0.3], [0.2, 0.1, 1.6]], dtype=float)
    bonds = ((0, 1), (0, 2), (0, 3))
    springs = (3000.0, 2000.0, 1500.0)
    lengths = [np.linalg.norm(shape[i] - shape[j]) for i, j in bonds]

    def energy(x):
        return sum(
            k / 2 * (np.linalg.norm(x[i] - x[j]) - r) ** 2
            for (i, j), k, r in zip(bonds, springs, lengths, strict=True)
        )

    found = compute_bond_constants(differentiate(energy, shape), shape, bonds)
    np.testing.assert_allclose(found, springs, rtol=1e-4)


@pytest.mark.parametrize("ends", [(1.0, 1.0), (0.9, 1.7)])
def test_right_angle_between_stiff_bonds_comes_back(ends):
    """At 90 degrees the formula is exact in the limit of stiff bonds, for any lengths."""
    shape = np.array([[ends[0], 0, 0], [0, 0, 0], [0, ends[1], 0]])
    stiff, bend = 1e6, 300.0

    def energy(x):
        a = np.linalg.norm(x[0] - x[1]) - ends[0]
        b = np.linalg.norm(x[2] - x[1]) - ends[1]
        return stiff / 2 * (a**2 + b**2) + bend / 2 * (measure_angle(x, (0, 1, 2)) - np.pi / 2) ** 2

    found = compute_angle_constants(differentiate(energy, shape), shape, [(0, 1, 2)])
    assert found[0] == pytest.approx(bend, rel=2e-3)


def test_angles_that_share_a_bond_share_its_stiffness():
    """Two equal angles in one plane on one bond: each feels half, 1/k doubles on that side."""
    shape = np.array([[1.0, 0, 0], [0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]])
    block = np.diag([500.0, 80.0, 80.0])
    hessian = np.zeros((12, 12))
    for end, matrix in (
        (0, block),
        (2, block[[1, 0, 2]][:, [1, 0, 2]]),
        (3, block[[1, 0, 2]][:, [1, 0, 2]]),
    ):
        hessian[3 * end : 3 * end + 3, 3:6] = -matrix
    alone = compute_angle_constants(hessian, shape, [(0, 1, 2)])[0]
    shared = compute_angle_constants(hessian, shape, [(0, 1, 2), (0, 1, 3)])
    assert alone == pytest.approx(40.0)
    np.testing.assert_allclose(shared, 1 / (2 / 80.0 + 1 / 80.0))


def test_straight_angle_has_a_constant():
    shape = np.array([[1.2, 0, 0], [0, 0, 0], [-1.2, 0, 0]])
    hessian = np.zeros((9, 9))
    for end in (0, 2):
        hessian[3 * end : 3 * end + 3, 3:6] = -np.diag([900.0, 50.0, 50.0])
    found = compute_angle_constants(hessian, shape, [(0, 1, 2)])
    assert found[0] == pytest.approx(1.2**2 * 25.0)


def test_measures():
    shape = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 1]], dtype=float)
    assert measure_angle(shape, (0, 1, 2)) == pytest.approx(np.pi / 2)
    assert abs(measure_dihedral(shape, (0, 1, 2, 3))) == pytest.approx(np.pi / 2)
    shape[3] = [1, 1, 0]
    assert measure_dihedral(shape, (0, 1, 2, 3)) == pytest.approx(0.0)
    shape[3] = [-1, 1, 0]
    assert abs(measure_dihedral(shape, (0, 1, 2, 3))) == pytest.approx(np.pi)


def test_classes_are_averaged():
    assert average_classes(["a", "b", "a"], [1.0, 5.0, 3.0]) == {"a": 2.0, "b": 5.0}
