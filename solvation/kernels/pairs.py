"""Pairs of points closer than a cutoff under periodic boundaries, and their histogram.

The search has two steps. Candidates come from fractional coordinates written as 32-bit integers:
a difference of two wraps around by itself and *is* the nearest image, and single precision then
suffices for a radius that is a little too large. The distances of the few candidates are computed
in double precision from the positions as they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.kernels.cell import is_orthorhombic, perpendicular_widths
from solvation.kernels.grid import list_candidates, worth_a_grid

__all__ = [
    "Neighbours",
    "bin_distances",
    "count_distances",
    "find_neighbours",
    "find_vectors",
    "largest_cutoff",
    "measure_pairs",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHUNK = 65_536
"""Squared distances held at once: a few such arrays fit the cache of a core."""


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
    """Return half the smallest perpendicular width in Å: no image is counted twice below it.

    ``matrix`` has box vectors as rows, shape ``(..., 3, 3)``.
    """
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
    A grid where it pays (many points in a box of many cutoffs), otherwise all pairs.
    """
    n_a, n_b = a.shape[1], b.shape[1]
    if len(a) == 0 or n_a == 0 or n_b == 0:
        empty = np.empty(0, dtype=np.int64)
        return Neighbours(frame=empty, first=empty, second=empty, distance=np.empty(0))
    inverse: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    here, there = _to_integers(a, inverse), _to_integers(b, inverse)
    # Single precision is good to 1e-7 of the box; the margin is a hundred times that.
    reach = cutoff * (1.0 + 1e-6) + 1e-5 * float(np.abs(matrix).sum(axis=(-2, -1)).max())
    if worth_a_grid(n_a, n_b, matrix, reach):
        frame, first, second = list_candidates(here, there, matrix, reach)
    else:
        frame, first, second = _search_all(here, there, matrix, reach)
    one, other = _pick(a, frame, first), _pick(b, frame, second)
    distance = measure_pairs(one, other, frame, matrix)
    keep = np.flatnonzero(distance < cutoff)
    return Neighbours(
        frame=frame[keep], first=first[keep], second=second[keep], distance=distance[keep]
    )


def measure_pairs(a: Floats, b: Floats, frame: Ints, matrix: Floats) -> Floats:
    """Return the distances in Å, shape ``(n_pairs,)``, between nearest images of pairs of points.

    Parameters are those of `find_vectors`.
    """
    vector = find_vectors(a, b, frame, matrix)
    vector *= vector
    total = vector[:, 0] + vector[:, 1]
    total += vector[:, 2]
    distance: Floats = np.sqrt(total)
    return distance


def find_vectors(a: Floats, b: Floats, frame: Ints, matrix: Floats) -> Floats:
    """Return the vectors in Å, shape ``(n_pairs, 3)``, to the nearest image of other points.

    Parameters
    ----------
    a, b
        Positions in Å, shape ``(n_pairs, 3)`` each.
    frame
        Index into ``matrix`` of each pair, shape ``(n_pairs,)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.

    Notes
    -----
    Right below half the smallest width of the cell, see `solvation.kernels.cell.minimum_image`.
    """
    vector: Floats = np.subtract(b, a, dtype=np.float64)
    if is_orthorhombic(matrix):
        lengths = np.diagonal(matrix, axis1=-2, axis2=-1)
        # At constant volume all frames have the same box.
        lengths = lengths[0] if (lengths == lengths[0]).all() else lengths[frame]
        images = vector / lengths
        np.rint(images, out=images)
        images *= lengths
        vector -= images
        return vector
    m, w = matrix[frame], np.linalg.inv(matrix)[frame]
    x, y, z = vector[:, 0], vector[:, 1], vector[:, 2]
    n = [np.rint(x * w[:, 0, k] + y * w[:, 1, k] + z * w[:, 2, k]) for k in range(3)]
    for k in range(3):
        vector[:, k] -= n[0] * m[:, 0, k] + n[1] * m[:, 1, k] + n[2] * m[:, 2, k]
    return vector


def _pick(x: Floats, frame: Ints, point: Ints) -> Floats:
    """Return points of frames, shape ``(n, 3)``; one index is faster than two."""
    picked: Floats = x.reshape(-1, 3).take(frame * x.shape[1] + point, axis=0)
    return picked


def _to_integers(x: npt.NDArray[Any], inverse: Floats) -> npt.NDArray[np.uint32]:
    """Write fractional coordinates as integers, 2**32 to the cell, shape ``(3, n_frames, n)``."""
    fractions = np.matmul(x.astype(np.float64, copy=False), inverse)
    fractions -= np.floor(fractions)
    # A tiny negative fraction becomes exactly 1, that is 2**32, and wraps to 0.
    whole = (fractions * 4294967296.0).astype(np.uint64).astype(np.uint32)
    return np.ascontiguousarray(np.moveaxis(whole, -1, 0))


def _search_all(
    a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], matrix: Floats, reach: float
) -> tuple[Ints, Ints, Ints]:
    """List the pairs closer than about ``reach``, looking at all of them."""
    n_frames, n_a, n_b = a.shape[1], a.shape[2], b.shape[2]
    rows = max(1, min(n_a, _CHUNK // n_b))
    frames = max(1, _CHUNK // (n_a * n_b)) if rows == n_a else 1
    skewed = not is_orthorhombic(matrix)
    found = []
    for start in range(0, n_frames, frames):
        stop = min(start + frames, n_frames)
        for row in range(0, n_a, rows):
            squares = _square(a[:, start:stop, row : row + rows], b[:, start:stop],
                              matrix[start:stop], skewed=skewed)  # fmt: skip
            flat = np.flatnonzero(squares.reshape(-1) < np.float32(reach * reach))
            left, second = np.divmod(flat, n_b)
            frame, first = np.divmod(left, squares.shape[1])
            found.append((frame + start, first + row, second))
    frame, first, second = (np.concatenate(column) for column in zip(*found, strict=True))
    return frame, first, second


def _square(
    a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], matrix: Floats, *, skewed: bool
) -> npt.NDArray[np.float32]:
    """Return squared nearest distances in Å2, shape ``(n_frames, n_a, n_b)``."""
    shape = (a.shape[1], a.shape[2], b.shape[2])
    scale = (matrix * 2.0**-32).astype(np.float32)[:, :, :, None, None]
    ints = np.empty(shape, dtype=np.uint32)
    total = np.empty(shape, dtype=np.float32)
    work = np.empty(shape, dtype=np.float32)
    steps = []
    for axis in range(3):
        np.subtract(b[axis][:, None, :], a[axis][:, :, None], out=ints)
        step = work if not skewed else np.empty(shape, dtype=np.float32)
        np.copyto(step, ints.view(np.int32), casting="unsafe")
        if skewed:
            steps.append(step)
            continue
        step *= scale[:, axis, axis]
        np.multiply(step, step, out=step)
        if axis:
            total += step
        else:
            total, work = step, total
    if skewed:
        # Rows of the matrix are box vectors, lower triangular.
        x = steps[0] * scale[:, 0, 0] + steps[1] * scale[:, 1, 0] + steps[2] * scale[:, 2, 0]
        y = steps[1] * scale[:, 1, 1] + steps[2] * scale[:, 2, 1]
        z = steps[2] * scale[:, 2, 2]
        total = x * x + y * y + z * z
    return total


def count_distances(
    a: Floats,
    b: Floats,
    matrix: Floats,
    *,
    r_max: float,
    bins: int,
    same: bool = False,
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
    counts = np.bincount(bin_distances(distance, r_max=r_max, bins=bins), minlength=bins)
    return counts.astype(np.float64)


def bin_distances(distance: Floats, *, r_max: float, bins: int) -> Ints:
    """Return the bin of each distance below ``r_max``, shape ``(n_pairs,)``."""
    return np.minimum((distance * (bins / r_max)).astype(np.int64), bins - 1)
