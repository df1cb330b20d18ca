"""Neighbours by tree and by brute force, and their histogram."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels import pairs
from solvation.kernels.cell import box_matrix
from solvation.kernels.pairs import count_distances, find_neighbours, largest_cutoff

BOXES = [[10.0, 12.0, 14.0, 90.0, 90.0, 90.0], [10.0, 11.0, 12.0, 75.0, 80.0, 65.0]]


def _count_by_hand(a, b, matrix, cutoff):
    found = set()
    shifts = np.array(np.meshgrid(*[range(-2, 3)] * 3)).reshape(3, -1).T
    for frame in range(len(a)):
        for i, x in enumerate(a[frame]):
            for j, y in enumerate(b[frame]):
                r = np.linalg.norm(y - x + shifts @ matrix[frame], axis=1).min()
                if r < cutoff:
                    found.add((frame, i, j, round(r, 9)))
    return found


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("chunk", [1, 10**6])
def test_all_pairs_are_found_once(box, chunk, monkeypatch):
    monkeypatch.setattr(pairs, "_CHUNK", chunk)
    rng = np.random.default_rng(1)
    matrix = np.repeat(box_matrix(box)[None], 2, axis=0)
    a, b = (rng.random((2, n, 3)) @ matrix for n in (6, 9))
    cutoff = largest_cutoff(matrix)
    found = find_neighbours(a, b, matrix, cutoff)
    rows = zip(found.frame, found.first, found.second, found.distance.round(9), strict=True)
    rows = [(int(f), int(i), int(j), float(r)) for f, i, j, r in rows]
    assert rows == sorted(rows)
    assert set(rows) == _count_by_hand(a, b, matrix, cutoff)
    assert len(rows) == len(set(rows))


def test_the_tree_and_brute_force_agree():
    rng = np.random.default_rng(2)
    matrix = np.repeat(box_matrix(BOXES[0])[None], 3, axis=0)
    a, b = rng.normal(scale=30, size=(3, 150, 3)), rng.normal(scale=30, size=(3, 250, 3))
    fast = find_neighbours(a, b, matrix, 3.0)
    slow = pairs._search_all(0, a, b, matrix, 3.0)
    for name, column in zip(("frame", "first", "second"), slow[:3], strict=True):
        np.testing.assert_array_equal(getattr(fast, name), column)
    np.testing.assert_allclose(fast.distance, slow[3], atol=1e-9)


def test_counts_leave_out_a_point_itself():
    points = np.array([[[0.0, 0, 0], [1.0, 0, 0], [9.5, 0, 0]]])
    matrix = box_matrix([10.0] * 3 + [90.0] * 3)[None]
    counts = count_distances(points, points, matrix, r_max=2.0, bins=4, same=True)
    assert counts.tolist() == [0.0, 2.0, 2.0, 2.0]


def test_nothing_is_found_among_nothing():
    matrix = box_matrix([10.0] * 3 + [90.0] * 3)[None]
    found = find_neighbours(np.empty((1, 0, 3)), np.zeros((1, 1, 3)), matrix, 3.0)
    assert len(found.frame) == 0
