"""Neighbours by a grid and by looking at all pairs, and their histogram."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels import grid, pairs
from solvation.kernels.cell import box_matrix
from solvation.kernels.grid import worth_a_grid
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


@pytest.mark.parametrize("box", [*BOXES, [40.0, 9.0, 30.0, 90.0, 90.0, 90.0]])
@pytest.mark.parametrize("cutoff", [1.5, 3.0])
def test_the_grid_and_all_pairs_agree(box, cutoff, monkeypatch):
    rng = np.random.default_rng(2)
    # Boxes that breathe: no two frames have the same cells.
    matrix = box_matrix(np.array(box) * np.array([[1.0] * 6, [1.03] * 3 + [1.0] * 3] * 3))
    a, b = rng.normal(scale=30, size=(6, 150, 3)), rng.normal(scale=30, size=(6, 250, 3))
    found = []
    for choice in (True, False):
        monkeypatch.setattr(pairs, "worth_a_grid", lambda *_, choice=choice: choice)
        monkeypatch.setattr(grid, "_CANDIDATES", 20_000)
        found.append(find_neighbours(a, b, matrix, cutoff))
    for name in ("frame", "first", "second", "distance"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))
    assert len(found[0].frame) > 100


def test_a_grid_is_taken_where_it_pays():
    matrix = box_matrix([100.0] * 3 + [90.0] * 3)[None]
    assert worth_a_grid(300, 15_000, matrix, 4.0)
    assert not worth_a_grid(30, 1500, matrix, 4.0)
    assert not worth_a_grid(300, 15_000, matrix, 40.0)


@pytest.mark.parametrize("box", BOXES)
def test_distances_do_not_depend_on_the_image(box):
    rng = np.random.default_rng(3)
    matrix = box_matrix(box)[None]
    a, b = rng.random((1, 20, 3)) @ matrix, rng.random((1, 30, 3)) @ matrix
    near = find_neighbours(a, b, matrix, 4.0)
    far = find_neighbours(a + 7 * matrix[:, 1], b - 1000 * matrix[:, 2], matrix, 4.0)
    np.testing.assert_array_equal(near.second, far.second)
    np.testing.assert_allclose(near.distance, far.distance, atol=1e-9)


def test_counts_leave_out_a_point_itself():
    points = np.array([[[0.0, 0, 0], [1.0, 0, 0], [9.5, 0, 0]]])
    matrix = box_matrix([10.0] * 3 + [90.0] * 3)[None]
    counts = count_distances(points, points, matrix, r_max=2.0, bins=4, same=True)
    assert counts.tolist() == [0.0, 2.0, 2.0, 2.0]


def test_nothing_is_found_among_nothing():
    matrix = box_matrix([10.0] * 3 + [90.0] * 3)[None]
    found = find_neighbours(np.empty((1, 0, 3)), np.zeros((1, 1, 3)), matrix, 3.0)
    assert len(found.frame) == 0
