"""Boxes, images, whole molecules and unwrapped paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from solvation.kernels.cell import (
    box_matrix,
    box_volume,
    is_orthorhombic,
    make_whole,
    minimum_image,
    perpendicular_widths,
    unwrap_centres,
    walk_bonds,
    wrap,
)

BOXES = [[10.0, 12.0, 14.0, 90.0, 90.0, 90.0], [10.0, 11.0, 12.0, 75.0, 80.0, 65.0]]


@pytest.mark.parametrize("box", BOXES)
def test_matrix_has_the_lengths_and_angles_of_the_box(box):
    a, b, c = box_matrix(box)
    lengths = [np.linalg.norm(v) for v in (a, b, c)]
    angles = [
        np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
        for u, v in ((b, c), (a, c), (a, b))
    ]
    np.testing.assert_allclose([*lengths, *angles], box, rtol=1e-12)
    np.testing.assert_allclose(box_volume(box_matrix(box)), abs(np.linalg.det([a, b, c])))
    assert is_orthorhombic(box_matrix(box)) == (box[3:] == [90.0] * 3)


@pytest.mark.parametrize("box", BOXES)
def test_minimum_image_is_the_nearest_of_all_images_below_half_the_width(box):
    rng = np.random.default_rng(3)
    matrix = box_matrix(box)
    vectors = rng.normal(scale=30.0, size=(1, 4000, 3))
    shifts = np.array(list(itertools.product(range(-12, 13), repeat=3))) @ matrix
    reach = perpendicular_widths(matrix).min() / 2.0
    found = minimum_image(vectors, matrix[None])[0]
    short = np.linalg.norm(found, axis=1) < reach
    assert short.sum() > 200
    near = [np.linalg.norm(vectors[0, i] + shifts, axis=1).min() for i in range(300)]
    lengths = np.linalg.norm(found[:300], axis=1)
    for nearest, length in zip(near, lengths, strict=True):
        assert length >= nearest - 1e-9
        if nearest < reach:
            assert length == pytest.approx(nearest, abs=1e-9)


@pytest.mark.parametrize("box", BOXES)
def test_wrap_moves_by_lattice_vectors_into_the_cell(box):
    rng = np.random.default_rng(4)
    matrix = box_matrix(box)[None]
    positions = rng.normal(scale=40.0, size=(1, 50, 3))
    inside = wrap(positions, matrix)
    fractions = inside @ np.linalg.inv(matrix[0])
    assert fractions.min() >= -1e-12
    assert fractions.max() < 1.0
    images = (positions - inside) @ np.linalg.inv(matrix[0])
    np.testing.assert_allclose(images, np.round(images), atol=1e-9)


def test_walk_bonds_numbers_molecules_by_their_lowest_atom():
    tree = walk_bonds(6, [(4, 1), (5, 4), (0, 3)])
    assert tree.molecule.tolist() == [0, 1, 2, 0, 1, 1]
    reached = np.concatenate([level[0] for level in tree.levels])
    assert sorted(reached.tolist()) == [3, 4, 5]


@pytest.mark.parametrize("box", BOXES)
def test_broken_molecules_become_whole_and_whole_ones_are_left_alone(box):
    rng = np.random.default_rng(5)
    matrix = np.repeat(box_matrix(box)[None], 4, axis=0)
    chain = np.cumsum(rng.normal(scale=0.8, size=(4, 12, 3)), axis=1)
    tree = walk_bonds(12, [(i, i + 1) for i in range(11)])
    assert make_whole(chain, matrix, tree) is chain
    whole = make_whole(wrap(chain, matrix), matrix, tree)
    np.testing.assert_allclose(np.diff(whole, axis=1), np.diff(chain, axis=1), atol=1e-9)


def test_unwrapping_restores_displacements():
    rng = np.random.default_rng(6)
    matrix = np.repeat(box_matrix(BOXES[1])[None], 200, axis=0)
    path = np.cumsum(rng.normal(scale=0.7, size=(200, 5, 3)), axis=0)
    found = unwrap_centres(wrap(path, matrix), matrix)
    np.testing.assert_allclose(found - found[0], path - path[0], atol=1e-8)


def test_unwrapping_a_breathing_box_does_not_make_resting_molecules_move():
    rng = np.random.default_rng(7)
    edges = 20.0 + 0.2 * rng.normal(size=500)
    matrix = np.array([box_matrix([e, e, e, 90.0, 90.0, 90.0]) for e in edges])
    # At rest in the middle of a box that breathes about the origin, many images away.
    rest = np.array([[7.0, 9.0, 11.0]])
    images = 5.0 * edges[:, None, None]
    found = unwrap_centres(rest[None] + images, matrix)
    assert np.abs(found - found[0]).max() < 1e-9


def test_a_step_across_the_boundary_is_taken_in_the_later_box():
    matrix = np.array([box_matrix([e, e, e, 90.0, 90.0, 90.0]) for e in (20.0, 22.0)])
    found = unwrap_centres(np.array([[[19.5, 5.0, 5.0]], [[0.3, 5.0, 5.0]]]), matrix)
    assert found[1, 0, 0] - found[0, 0, 0] == pytest.approx(0.3 - 19.5 + 22.0)
