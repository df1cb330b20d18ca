"""Shape measures: ideal and distorted shells, published distances, brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from solvation.kernels.polyhedra import LARGEST, SMALLEST, list_polyhedra, measure_shapes

ALL = [p for n in range(SMALLEST, LARGEST + 1) for p in list_polyhedra(n)]

PUBLISHED = {
    ("T-4", "SP-4"): 33.333,
    ("TBPY-5", "SPY-5"): 5.384,
    ("OC-6", "TPR-6"): 16.737,
    ("PBPY-7", "COC-7"): 8.582,
    ("PBPY-7", "CTPR-7"): 6.674,
    ("SAPR-8", "CU-8"): 10.989,
    ("SAPR-8", "TDD-8"): 2.848,
    ("CU-8", "TDD-8"): 7.952,
}
"""Measures between ideal shapes as the SHAPE program gives them; from memory."""


def _named(label):
    return next(p for p in ALL if p.label == label)


@pytest.mark.parametrize("shape", ALL, ids=lambda p: p.label)
def test_an_ideal_shape_is_itself_however_turned_scaled_or_numbered(shape):
    rng = np.random.default_rng(5)
    n = len(shape.vertices)
    assert np.linalg.norm(shape.vertices, axis=1) == pytest.approx(1.0)
    turned = 2.1 * Rotation.random(random_state=3).apply(shape.vertices)[rng.permutation(n)]
    (found,) = measure_shapes([turned])
    labels = [p.label for p in list_polyhedra(n)]
    assert labels[int(found.argmin())] == shape.label
    assert found.min() == pytest.approx(0.0, abs=1e-9)
    assert np.sort(found)[1] > 0.5


@pytest.mark.parametrize(("pair", "value"), PUBLISHED.items(), ids=["-".join(k) for k in PUBLISHED])
def test_distances_between_ideal_shapes(pair, value):
    one, other = (_named(label) for label in pair)
    column = [p.label for p in list_polyhedra(len(one.vertices))].index(other.label)
    assert measure_shapes([one.vertices])[0, column] == pytest.approx(value, abs=2e-3)


def test_octahedron_and_prism_in_closed_form():
    """Planar square in a tetrahedral reference: 100 / 3; stretched axis from the definition."""
    assert measure_shapes([_named("SP-4").vertices])[0, 0] == pytest.approx(100.0 / 3.0)
    # Two opposite ligands at 1 + x: overlap 6 + 2x, size 6 + 4x + 2x^2.
    for x in (0.05, 0.3):
        stretched = _named("OC-6").vertices.copy()
        stretched[:2] *= 1.0 + x
        expected = 100.0 * (1.0 - (6.0 + 2.0 * x) ** 2 / (6.0 * (6.0 + 4.0 * x + 2.0 * x**2)))
        assert measure_shapes([stretched])[0, 0] == pytest.approx(expected, rel=1e-9)


def _brute(points, vertices):
    """Try every numbering, with a singular value decomposition each."""
    q = np.concatenate([np.zeros((1, 3)), points])
    q -= q.mean(axis=0)
    best = 100.0
    for way in permutations(range(len(vertices))):
        p = np.concatenate([np.zeros((1, 3)), vertices[list(way)]])
        p -= p.mean(axis=0)
        overlap = np.linalg.svd(q.T @ p, compute_uv=False).sum()
        best = min(best, 100.0 * (1.0 - overlap**2 / ((q**2).sum() * (p**2).sum())))
    return best


@pytest.mark.parametrize("n", [4, 5, 6])
def test_every_numbering_is_covered(n):
    rng = np.random.default_rng(n)
    shells = [list_polyhedra(n)[-1].vertices + 0.3 * rng.normal(size=(n, 3)) for _ in range(2)]
    shells.append(rng.normal(size=(n, 3)))
    found = measure_shapes(shells)
    for row, shell in zip(found, shells, strict=True):
        expected = [_brute(shell, p.vertices) for p in list_polyhedra(n)]
        np.testing.assert_allclose(row, expected, atol=1e-9)


@pytest.mark.parametrize("n", [7, 8, 9])
def test_no_numbering_does_better(n):
    """Too many to try slowly: random ones, improved by swaps, never beat the minimum found."""
    rng = np.random.default_rng(n)
    shape = list_polyhedra(n)[1]
    shell = shape.vertices + 0.2 * rng.normal(size=(n, 3))
    found = measure_shapes([shell])[0, 1]
    p = np.concatenate([np.zeros((1, 3)), shape.vertices])
    p -= p.mean(axis=0)
    q = np.concatenate([np.zeros((1, 3)), shell])
    q -= q.mean(axis=0)
    sizes = (q**2).sum() * (p**2).sum()

    def measure(way):
        overlap = np.linalg.svd(q.T @ p[np.append(0, way + 1)], compute_uv=False).sum()
        return 100.0 * (1.0 - overlap**2 / sizes)

    tried = [measure(rng.permutation(n)) for _ in range(2000)]
    assert min(tried) > found - 1e-9
    assert measure(np.arange(n)) > found - 1e-9
    assert found == pytest.approx(measure(np.arange(n)), abs=1.0)


def test_turning_and_scaling_a_distorted_shell_changes_nothing():
    rng = np.random.default_rng(1)
    for n in range(SMALLEST, LARGEST + 1):
        shell = list_polyhedra(n)[0].vertices + 0.1 * rng.normal(size=(n, 3))
        turned = 3.0 * Rotation.random(random_state=n).apply(shell)[rng.permutation(n)]
        np.testing.assert_allclose(measure_shapes([turned]), measure_shapes([shell]), atol=1e-9)


def test_there_are_no_references_for_other_numbers():
    assert measure_shapes(np.ones((3, 2, 3))).shape == (3, 0)
    assert measure_shapes(np.empty((0, 6, 3))).shape == (0, 3)
