"""Icosahedral cages, as of carboranes: finding them in a bond graph and giving them a shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_icosahedra", "measure_icosahedron"]

_RATIOS = np.array([0.0, 1.0, (1 + 5**0.5) / 2, (2.5 + 5**0.5 / 2) ** 0.5])
"""Distance of two vertices none, one, two, three edges apart, in edges."""


def find_icosahedra(n_atoms: int, bonds: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Find cages of twelve atoms whose bonds to one another are the edges of an icosahedron.

    A connected graph in which the neighbours of every vertex form a pentagon is the icosahedron.
    Atoms outside, at most one to a vertex, may be bonded to it.

    Parameters
    ----------
    n_atoms, bonds
        The bond graph.

    Returns
    -------
    tuple
        The vertices of each cage, ascending.

    Examples
    --------
    >>> find_icosahedra(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    ()
    """
    near: list[set[int]] = [set() for _ in range(n_atoms)]
    for i, j in bonds:
        near[i].add(j)
        near[j].add(i)
    # An atom outside shares no neighbour with its vertex; edges of the cage share two.
    inside = [{j for j in near[i] if len(near[i] & near[j]) == 2} for i in range(n_atoms)]
    found, seen = [], set()
    for first in range(n_atoms):
        if first in seen or len(inside[first]) != 5:
            continue
        cage, edge = {first}, {first}
        while edge and len(cage) <= 12:
            edge = {j for i in edge for j in inside[i]} - cage
            cage |= edge
        if len(cage) == 12 and all(_is_vertex(i, inside, near) for i in cage):
            found.append(tuple(sorted(cage)))
            seen |= cage
    return tuple(found)


def measure_icosahedron(
    vertices: Sequence[int], bonds: Iterable[tuple[int, int]]
) -> NDArray[np.float64]:
    """Distances between the vertices of a regular icosahedron with edges of length 1.

    The distances have no unit.

    Returns
    -------
    array
        Shape ``(12, 12)``, in the order of ``vertices``.
    """
    place = {atom: n for n, atom in enumerate(vertices)}
    near = np.eye(12, dtype=bool)
    for i, j in bonds:
        if i in place and j in place:
            near[place[i], place[j]] = near[place[j], place[i]] = True
    two = (near.astype(int) @ near) > 0
    return np.asarray(_RATIOS[3 - np.eye(12, dtype=int) - near - two])


def _is_vertex(atom: int, inside: Sequence[set[int]], near: Sequence[set[int]]) -> bool:
    """Whether the neighbours in the cage form a pentagon, with one more neighbour at most."""
    around = inside[atom]
    if len(around) != 5 or len(near[atom]) > 6:
        return False
    if any(len(inside[i] & around) != 2 for i in around):
        return False
    start = next(iter(around))
    ring, edge = {start}, {start}
    while edge:
        edge = {j for i in edge for j in inside[i] & around} - ring
        ring |= edge
    return ring == around
