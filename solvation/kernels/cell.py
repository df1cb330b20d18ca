r"""Periodic cells: box vectors, minimum images, whole molecules, unwrapped paths.

Cells are given as six numbers (three lengths in Å, three angles in degrees) at the border and as
matrices ``(n_frames, 3, 3)`` inside, whose *rows* are the box vectors, lower triangular. A
fractional coordinate is ``f = x @ inv(matrix)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

__all__ = [
    "BondTree",
    "box_matrix",
    "box_volume",
    "is_orthorhombic",
    "make_whole",
    "minimum_image",
    "perpendicular_widths",
    "unwrap_centres",
    "walk_bonds",
    "wrap",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def box_matrix(box: npt.ArrayLike) -> Floats:
    """Turn lengths (Å) and angles (degrees), shape ``(..., 6)``, into vectors ``(..., 3, 3)``.

    Examples
    --------
    >>> box_matrix([2.0, 3.0, 4.0, 90.0, 90.0, 90.0])
    array([[2., 0., 0.],
           [0., 3., 0.],
           [0., 0., 4.]])
    """
    box = np.asarray(box, dtype=np.float64)
    lengths, angles = box[..., :3], box[..., 3:]
    # cos(90 degrees) is 6e-17 in floating point; a rectangular box must stay exactly so.
    cosine = np.where(np.abs(angles - 90.0) < 1e-5, 0.0, np.cos(np.radians(angles)))
    alpha, beta, gamma = cosine[..., 0], cosine[..., 1], cosine[..., 2]
    sine = np.sqrt(1.0 - gamma**2)
    matrix = np.zeros((*box.shape[:-1], 3, 3))
    matrix[..., 0, 0] = lengths[..., 0]
    matrix[..., 1, 0] = lengths[..., 1] * gamma
    matrix[..., 1, 1] = lengths[..., 1] * sine
    matrix[..., 2, 0] = lengths[..., 2] * beta
    across = (alpha - beta * gamma) / sine
    matrix[..., 2, 1] = lengths[..., 2] * across
    matrix[..., 2, 2] = lengths[..., 2] * np.sqrt(np.maximum(1.0 - beta**2 - across**2, 0.0))
    return matrix


def box_volume(matrix: Floats) -> Floats:
    """Return the volumes in Å3, shape ``(...)``, of lower-triangular cells ``(..., 3, 3)``."""
    volume: Floats = matrix[..., 0, 0] * matrix[..., 1, 1] * matrix[..., 2, 2]
    return volume


def is_orthorhombic(matrix: Floats) -> bool:
    """Tell whether every cell ``(..., 3, 3)`` is rectangular."""
    off = (matrix[..., 1, 0], matrix[..., 2, 0], matrix[..., 2, 1])
    return not any(bool(x.any()) for x in off)


def perpendicular_widths(matrix: Floats) -> Floats:
    """Return the distances in Å, shape ``(..., 3)``, between opposite faces of the cells."""
    if is_orthorhombic(matrix):
        return np.diagonal(matrix, axis1=-2, axis2=-1)
    inverse = _invert(matrix)
    widths: Floats = 1.0 / np.linalg.norm(inverse, axis=-2)
    return widths


def minimum_image(vectors: Floats, matrix: Floats) -> Floats:
    r"""Return difference vectors shifted to their nearest image.

    Parameters
    ----------
    vectors
        Differences in Å, shape ``(n_frames, ..., 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.

    Notes
    -----
    Fractional coordinates are rounded. In a triclinic cell the result is the nearest image
    whenever that is shorter than half the smallest perpendicular width :math:`w`: then
    :math:`|f_i| \le r / w_i < 1/2`. Longer vectors may come out longer than the nearest image,
    never shorter, so nothing is counted within :math:`w/2` that is not there.
    """
    return vectors + image_shift(vectors, matrix)


def image_shift(vectors: Floats, matrix: Floats) -> Floats:
    """Return the lattice vectors in Å, like ``vectors``, that `minimum_image` would add."""
    axes = (slice(None), *([None] * (vectors.ndim - 2)))
    if is_orthorhombic(matrix):
        lengths = np.diagonal(matrix, axis1=-2, axis2=-1)[axes]
        shift: Floats = -np.round(vectors / lengths) * lengths
        return shift
    fractions = _matmul(vectors, _invert(matrix))
    return -_matmul(np.round(fractions), matrix)


def _invert(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _matmul(vectors: Floats, matrix: Floats) -> Floats:
    """Multiply row vectors ``(n_frames, ..., 3)`` by one matrix per frame."""
    flat = vectors.reshape(len(vectors), -1, 3)
    product: Floats = np.matmul(flat, matrix).reshape(vectors.shape)
    return product


def wrap(positions: Floats, matrix: Floats) -> Floats:
    """Return positions ``(n_frames, ..., 3)`` moved into the cell at the origin."""
    fractions = _matmul(positions, _invert(matrix))
    fractions -= np.floor(fractions)
    # A tiny negative fraction becomes exactly 1; that is the other face, not a place inside.
    fractions[fractions >= 1.0] = 0.0
    return _matmul(fractions, matrix)


@dataclass(frozen=True, slots=True, kw_only=True)
class BondTree:
    """The order in which atoms are reached by walking bonds, level by level."""

    molecule: Ints
    """Molecule of each atom, shape ``(n_atoms,)``, numbered by lowest atom."""
    parent: Ints
    """The atom each was reached from, shape ``(n_atoms,)``; itself if first of its molecule."""
    levels: tuple[tuple[Ints, Ints], ...]
    """Per level: the atoms reached, and the atom each was reached from."""


def walk_bonds(n_atoms: int, bonds: npt.ArrayLike) -> BondTree:
    """Find the molecules and a spanning tree of each.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        Pairs of atom indices, shape ``(n_bonds, 2)``.
    """
    pairs = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
    # A virtual root bonded to one atom of every molecule makes one walk reach everything.
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n_atoms, n_atoms))
    _, label = connected_components(graph, directed=False)
    _, first, molecule = np.unique(label, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    molecule = rank[molecule].astype(np.int64)
    roots = np.sort(first)
    row = np.concatenate([pairs[:, 0], np.full(len(roots), n_atoms)])
    column = np.concatenate([pairs[:, 1], roots])
    rooted = coo_array(
        (np.ones(len(row), dtype=np.int8), (row, column)), shape=(n_atoms + 1, n_atoms + 1)
    ).tocsr()
    order, parent = breadth_first_order(rooted, n_atoms, directed=False)
    depth = np.zeros(n_atoms + 1, dtype=np.int64)
    for atom in order[1:]:
        depth[atom] = depth[parent[atom]] + 1
    levels = []
    for level in range(2, int(depth.max(initial=0)) + 1):
        atoms = np.flatnonzero(depth == level).astype(np.int64)
        levels.append((atoms, parent[atoms].astype(np.int64)))
    came_from = parent[:n_atoms].astype(np.int64)
    came_from[roots] = roots
    return BondTree(molecule=molecule, parent=came_from, levels=tuple(levels))


def make_whole(positions: Floats, matrix: Floats, tree: BondTree) -> Floats:
    """Return positions in which no bond crosses the cell.

    Parameters
    ----------
    positions
        Å, shape ``(n_frames, n_atoms, 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    tree
        From `walk_bonds`.

    Notes
    -----
    The first atom of each molecule stays where it is. Molecules that are whole already are
    returned to the last bit as they came; only the others are walked.
    """
    if not tree.levels:
        return positions
    bond = np.take(positions, tree.parent, axis=1)
    np.subtract(positions, bond, out=bond)
    np.abs(bond, out=bond)
    # No component above half the smallest width over sqrt(3): no bond is longer than half of it.
    longest = perpendicular_widths(matrix).min(axis=-1) / 2.0
    if not is_orthorhombic(matrix):
        longest = longest / np.sqrt(3.0)
    longest = (longest * (1.0 - 1e-5)).astype(bond.dtype)
    if float(bond.max(initial=0.0)) < longest.min():
        return positions
    long = bond >= longest[:, None, None]
    broken = np.zeros(int(tree.molecule.max()) + 1, dtype=np.bool_)
    broken[tree.molecule[long.any(axis=(0, 2))]] = True
    whole = positions.astype(np.float64)
    for atoms, parents in tree.levels:
        mine = broken[tree.molecule[atoms]]
        ends = atoms[mine], parents[mine]
        whole[:, ends[0]] += image_shift(whole[:, ends[0]] - whole[:, ends[1]], matrix)
    return whole


def unwrap_centres(centres: Floats, matrix: Floats) -> Floats:
    r"""Return continuous paths from wrapped ones, also when the box changes size.

    Parameters
    ----------
    centres
        Å, shape ``(n_frames, n_molecules, 3)``, consecutive frames.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.

    Notes
    -----
    Each step is the minimum image, in the later box, of the difference between wrapped
    positions, and steps are summed. Adding lattice vectors of a fluctuating box to positions
    instead would turn box fluctuations into displacements that grow with the distance from the
    origin (von Bülow, Bullerjahn, Hummer, J. Chem. Phys. 2020, 153, 021101).
    """
    if len(centres) < 2:
        return centres.copy()
    inside = wrap(centres, matrix)
    steps = minimum_image(np.diff(inside, axis=0), matrix[1:])
    path = np.empty_like(centres)
    path[0] = centres[0]
    np.cumsum(steps, axis=0, out=path[1:])
    path[1:] += centres[0]
    return path
