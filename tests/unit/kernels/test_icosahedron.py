"""Icosahedra are found among the atoms of a molecule, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvation.kernels.icosahedron import find_icosahedra, measure_icosahedron

PHI = (1 + 5**0.5) / 2
CORNERS = np.array(
    [np.roll([0, a, b * PHI], turn) for a in (-1, 1) for b in (-1, 1) for turn in range(3)]
) / 2  # fmt: skip
"""Vertices of an icosahedron with edges of length 1."""
LENGTHS = np.linalg.norm(CORNERS[:, None] - CORNERS, axis=-1)
EDGES = [(i, j) for i in range(12) for j in range(i) if LENGTHS[i, j] < 1.01]


def test_an_icosahedron_is_found_and_measured() -> None:
    assert len(EDGES) == 30
    assert find_icosahedra(12, EDGES) == (tuple(range(12)),)
    np.testing.assert_allclose(measure_icosahedron(range(12), EDGES), LENGTHS, atol=1e-12)


@given(order=st.permutations(range(26)))
def test_with_atoms_around_it_in_any_order(order: list[int]) -> None:
    # One atom on every vertex, and a tail of two more on the first.
    bonds = [*EDGES, *((i, i + 12) for i in range(12)), (12, 24), (24, 25)]
    moved = [(order[i], order[j]) for i, j in bonds]
    (cage,) = find_icosahedra(26, moved)
    assert cage == tuple(sorted(order[i] for i in range(12)))
    inverse = [order.index(atom) for atom in cage]
    np.testing.assert_allclose(
        measure_icosahedron(cage, moved), LENGTHS[np.ix_(inverse, inverse)], atol=1e-12
    )


def test_two_cages_joined_by_a_bond_are_two() -> None:
    second = [(i + 12, j + 12) for i, j in EDGES]
    assert len(find_icosahedra(24, [*EDGES, *second, (0, 12)])) == 2


@pytest.mark.parametrize(
    "bonds",
    [
        EDGES[1:],
        [*EDGES, (0, 12), (0, 13)],  # a vertex with seven neighbours
        [(i, (i + k) % 12) for i in range(12) for k in (1, 2)] + [(i, i + 6) for i in range(6)],
        [(i, j) for i in range(12) for j in range(i)],
        [],
    ],
    ids=["an edge missing", "too crowded", "another 5-regular graph", "complete", "nothing"],
)
def test_what_is_no_icosahedron(bonds: list[tuple[int, int]]) -> None:
    assert find_icosahedra(14, bonds) == ()
