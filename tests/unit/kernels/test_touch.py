"""Molecules that touch, against all images of all atoms."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels.cell import box_matrix
from solvation.kernels.touch import find_touching

BOXES = [[20.0, 22.0, 24.0, 90.0, 90.0, 90.0], [24.0, 25.0, 26.0, 75.0, 80.0, 65.0]]


def _touch_by_hand(a, b, matrix, reach):
    shifts = np.array(np.meshgrid(*[range(-3, 4)] * 3)).reshape(3, -1).T
    found = []
    for frame in range(len(a)):
        images = shifts @ matrix[frame]
        for i, one in enumerate(a[frame]):
            for j, other in enumerate(b[frame]):
                apart = other[None, :, None] - one[:, None, None] + images
                distance = np.linalg.norm(apart, axis=-1).min(axis=-1)
                if (distance <= reach).any():
                    found.append((frame, i, j))
    return found


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("size", [0.8, 4.0], ids=["small", "as large as half the box"])
def test_all_that_touch_are_found_once(box, size):
    rng = np.random.default_rng(5)
    matrix = box_matrix(np.array(box) * np.array([[1.0] * 6, [1.05] * 3 + [1.0] * 3]))
    a, b = (
        (rng.random((2, n, 1, 3)) * 3.0 - 1.0) @ matrix[:, None]
        + rng.normal(scale=size, size=(2, n, m, 3))
        for n, m in ((12, 5), (15, 3))
    )
    reach = 2.0 + rng.random((5, 3))
    found = find_touching(a, b, matrix, reach)
    expected = _touch_by_hand(a, b, matrix, reach)
    assert list(zip(*(x.tolist() for x in found), strict=True)) == expected
    assert 3 < len(expected) < 2 * 12 * 15


def test_molecules_that_are_not_there_touch_nothing():
    matrix = box_matrix(BOXES[0])[None]
    a = np.zeros((1, 2, 1, 3))
    frame, first, _ = find_touching(
        a, a, matrix, np.array([[1.0]]), present=np.array([[False, True]])
    )
    assert (frame.tolist(), first.tolist()) == ([0, 0], [1, 1])


@pytest.mark.parametrize("step", [-1e-9, 1e-9])
def test_a_hair_decides(step):
    """Single precision cannot tell these apart; the answer is that of double precision."""
    matrix = box_matrix([40.0] * 3 + [90.0] * 3)[None]
    a = np.array([[[[100.0, 3.0, 7.0]]]])
    b = a + np.array([3.12 + step, 0.0, 0.0]) - np.array([400.0, 40.0, 0.0])
    frame, _, _ = find_touching(a, b, matrix, np.array([[3.12]]))
    assert len(frame) == (step < 0.0)
