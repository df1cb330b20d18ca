"""Pairs of points closer than a cutoff under periodic boundaries, and their histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from solvation.kernels.cell import is_orthorhombic, minimum_image, perpendicular_widths, wrap

__all__ = ["Neighbours", "count_distances", "find_neighbours", "largest_cutoff"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHUNK = 1_000_000
"""Distances held in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Pairs within a cutoff, sorted by frame, then first, then second point."""

    frame: Ints
    """Index of the frame in the block, shape ``(n_pairs,)``."""
    first: Ints
    """Index into the first set of points, shape ``(n_pairs,)``."""
    second: Ints
    """Index into the second set of points, shape ``(n_pairs,)``."""
    distance: Floats
    """Å, shape ``(n_pairs,)``."""


def largest_cutoff(matrix: Floats) -> float:
    """Return half the smallest perpendicular width in Å: no image is counted twice below it."""
    return float(perpendicular_widths(matrix).min() / 2.0)


def find_neighbours(a: Floats, b: Floats, matrix: Floats, cutoff: float) -> Neighbours:
    """Find all pairs of a point of ``a`` and a point of ``b`` closer than ``cutoff``.

    Parameters
    ----------
    a, b
        Positions in Å, shapes ``(n_frames, n_a, 3)`` and ``(n_frames, n_b, 3)``, wrapped or not.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    cutoff
        Å; at most `largest_cutoff`.

    Notes
    -----
    A tree per frame where it pays (rectangular boxes, many points), otherwise all distances in
    chunks of bounded memory.
    """
    n_a, n_b = a.shape[1], b.shape[1]
    if len(a) == 0 or n_a == 0 or n_b == 0:
        empty = np.empty(0, dtype=np.int64)
        return Neighbours(frame=empty, first=empty, second=empty, distance=np.empty(0))
    if is_orthorhombic(matrix) and n_a * n_b > 60 * (n_a + n_b):
        parts = [_search_tree(i, a, b, matrix, cutoff) for i in range(len(a))]
    else:
        step = max(1, _CHUNK // (n_a * n_b))
        parts = [
            _search_all(i, a[i : i + step], b[i : i + step], matrix[i : i + step], cutoff)
            for i in range(0, len(a), step)
        ]
    frame, first, second, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Neighbours(frame=frame, first=first, second=second, distance=distance)


def _search_all(
    start: int, a: Floats, b: Floats, matrix: Floats, cutoff: float
) -> tuple[Ints, Ints, Ints, Floats]:
    squares = _squares(a, b, matrix)
    frame, first, second = np.nonzero(squares < cutoff * cutoff)
    return frame + start, first, second, np.sqrt(squares[frame, first, second])


def _squares(a: Floats, b: Floats, matrix: Floats) -> Floats:
    """Return squared minimum-image distances, Å2, shape ``(n_frames, n_a, n_b)``."""
    if not is_orthorhombic(matrix):
        vectors = minimum_image(b[:, None, :, :] - a[:, :, None, :], matrix)
        total: Floats = np.einsum("...k,...k->...", vectors, vectors)
        return total
    # One axis at a time: three passes over contiguous memory are faster than one over triples.
    total = np.zeros((len(a), a.shape[1], b.shape[1]))
    for axis in range(3):
        length = matrix[:, axis, axis][:, None, None]
        difference = b[:, None, :, axis] - a[:, :, None, axis]
        difference -= length * np.rint(difference / length)
        total += difference * difference
    return total


def _search_tree(
    index: int, a: Floats, b: Floats, matrix: Floats, cutoff: float
) -> tuple[Ints, Ints, Ints, Floats]:
    cell = matrix[index : index + 1]
    lengths = np.diagonal(cell[0])
    trees = [cKDTree(wrap(x[index : index + 1], cell)[0], boxsize=lengths) for x in (a, b)]
    found = trees[0].sparse_distance_matrix(trees[1], cutoff, output_type="ndarray")
    found = found[found["v"] < cutoff]
    order = np.lexsort((found["j"], found["i"]))
    found = found[order]
    first, second = found["i"].astype(np.int64), found["j"].astype(np.int64)
    return np.full(len(found), index, dtype=np.int64), first, second, found["v"]


def count_distances(
    a: Floats, b: Floats, matrix: Floats, *, r_max: float, bins: int, same: bool = False
) -> Floats:
    """Histogram the distances between two sets of points, summed over frames.

    Parameters
    ----------
    a, b
        Positions in Å, shapes ``(n_frames, n_a, 3)`` and ``(n_frames, n_b, 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    r_max
        Upper edge of the last bin in Å; at most `largest_cutoff`.
    bins
        Number of bins, from zero.
    same
        Whether ``a`` and ``b`` are the same points; then a point is not its own neighbour.

    Returns
    -------
    Counts of ordered pairs, shape ``(bins,)``.
    """
    found = find_neighbours(a, b, matrix, r_max)
    distance = found.distance[found.first != found.second] if same else found.distance
    counts = np.bincount(
        np.minimum((distance * (bins / r_max)).astype(np.int64), bins - 1), minlength=bins
    )
    return counts.astype(np.float64)
