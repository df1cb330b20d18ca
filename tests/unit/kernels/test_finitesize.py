"""Lattice sums of cells against the energies of Wigner crystals, which are known."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels.finitesize import lattice_sum

CUBE = np.eye(3)
BODY = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]) * 2.0 ** (1.0 / 3.0)
FACE = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]) * 4.0 ** (1.0 / 3.0)


@pytest.mark.parametrize(("cell", "value"), [(CUBE, 1.760119), (BODY, 1.791859), (FACE, 1.791747)])
def test_cells_of_volume_one_are_wigner_crystals(cell, value):
    """In units of the Wigner–Seitz radius: twice 0.880059, 0.895929 and 0.895874."""
    radius = (3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    assert lattice_sum(cell) * radius == pytest.approx(value, abs=2e-6)


def test_a_cube_has_the_factor_of_yeh_and_hummer():
    assert lattice_sum(31.7 * CUBE) * 31.7 == pytest.approx(2.837297, abs=1e-6)


def test_the_choice_of_vectors_does_not_matter():
    skewed = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
    assert lattice_sum(skewed) == pytest.approx(lattice_sum(CUBE), abs=1e-9)


def test_a_long_box_holds_back_less_than_a_cube_of_its_volume():
    long = np.diag([1.0, 1.0, 2.0]) / 2.0 ** (1.0 / 3.0)
    assert 0.0 < lattice_sum(long) < lattice_sum(CUBE)
