"""Candidates for neighbours from a grid of cells, for large boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from solvation.kernels.cell import is_orthorhombic, perpendicular_widths

__all__ = ["list_candidates", "worth_a_grid"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Whole = npt.NDArray[np.uint32]

_CANDIDATES = 400_000
"""Candidates listed at once."""
_FEWEST_PAIRS = 200_000
"""In a frame; looking at all pairs of fewer takes less than a millisecond."""
_MOST_CELLS = 64
"""Along each axis."""


def count_cells(matrix: Floats, reach: float) -> tuple[int, int, int]:
    """Return how many cells at least ``reach`` wide fit along each axis in all frames."""
    widths = perpendicular_widths(matrix).min(axis=0)
    x, y, z = np.clip(widths / reach, 1, _MOST_CELLS).astype(int).tolist()
    return x, y, z


def worth_a_grid(n_a: int, n_b: int, matrix: Floats, reach: float) -> bool:
    """Tell whether a grid costs less than looking at all pairs.

    ``matrix`` has box vectors as rows in Å, shape ``(n_frames, 3, 3)``.
    """
    if n_a * n_b < _FEWEST_PAIRS:
        return False
    share = 1.0
    for n in count_cells(matrix, reach):
        share *= min(1.0, 3.0 / n)
    # A candidate from the grid costs about thirty times a pair looked at in order, and so does
    # each point that is sorted into it.
    return 30.0 * (share * n_a * n_b + n_b) < n_a * n_b


def list_candidates(a: Whole, b: Whole, matrix: Floats, reach: float) -> tuple[Ints, Ints, Ints]:
    """List all pairs closer than about ``reach``, from cells next to each other.

    Parameters
    ----------
    a, b
        Fractional coordinates as integers, 2**32 to the cell, shapes ``(3, n_frames, n)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    reach
        Å; no pair closer than this is left out.

    Returns
    -------
    Frame, first and second point of each pair, in this order, sorted.
    """
    n_frames, n_a, n_b = a.shape[1], a.shape[2], b.shape[2]
    cells = count_cells(matrix, reach)
    size = cells[0] * cells[1] * cells[2]
    offsets = [np.arange(-1, 2) if n >= 3 else np.arange(n) for n in cells]
    around = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1).reshape(-1, 3)
    expected = max(1, n_a * n_b * len(around) // size)
    step = max(1, _CANDIDATES // expected)
    parts = []
    for start in range(0, n_frames, step):
        stop = min(start + step, n_frames)
        home = [_find_cell(b[k, start:stop], n) for k, n in enumerate(cells)]
        frames = np.arange(stop - start)
        cell = frames[:, None] * size + (home[0] * cells[1] + home[1]) * cells[2] + home[2]
        order = np.argsort(cell, axis=None, kind="stable")
        edges = np.zeros((stop - start) * size + 1, dtype=np.int64)
        np.cumsum(np.bincount(cell.reshape(-1), minlength=len(edges) - 1), out=edges[1:])
        near = [
            (_find_cell(a[k, start:stop], n)[:, :, None] + around[:, k]) % n
            for k, n in enumerate(cells)
        ]
        wanted = frames[:, None, None] * size
        wanted = (wanted + (near[0] * cells[1] + near[1]) * cells[2] + near[2]).reshape(-1)
        count = edges[wanted + 1] - edges[wanted]
        row = np.repeat(np.arange(len(wanted)) // len(around), count)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        second = order[np.repeat(edges[wanted], count) + offset] % n_b
        near_enough = _measure(a[:, start:stop], b[:, start:stop], matrix[start:stop], row, second)
        keep = np.flatnonzero(near_enough < np.float32(reach * reach))
        # One integer per pair sorts faster than three columns.
        key = np.sort(row[keep] * n_b + second[keep])
        left, second = np.divmod(key, n_b)
        frame, first = np.divmod(left, n_a)
        parts.append((frame + start, first, second))
    frame, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
    return frame, first, second


def _measure(
    a: Whole, b: Whole, matrix: Floats, row: Ints, second: Ints
) -> npt.NDArray[np.float32]:
    """Return squared nearest distances in Å2 of pairs, in single precision."""
    n_frames, n_a, n_b = a.shape[1], a.shape[2], b.shape[2]
    frame = row // n_a
    scale = (matrix * 2.0**-32).astype(np.float32)
    flat_a, flat_b = a.reshape(3, -1), b.reshape(3, -1)
    there = frame * n_b + second
    x, y, z = (
        (flat_b[k][there] - flat_a[k][row]).view(np.int32).astype(np.float32) for k in range(3)
    )
    m = scale[frame] if n_frames > 1 else scale[0]
    if not is_orthorhombic(matrix):
        x, y = (
            x * m[..., 0, 0] + y * m[..., 1, 0] + z * m[..., 2, 0],
            y * m[..., 1, 1] + z * m[..., 2, 1],
        )
    else:
        x, y = x * m[..., 0, 0], y * m[..., 1, 1]
    z = z * m[..., 2, 2]
    total: npt.NDArray[np.float32] = x * x + y * y + z * z
    return total


def _find_cell(whole: Whole, n: int) -> Ints:
    """Return the cell of each coordinate, of ``n`` along the axis."""
    return (whole.astype(np.int64) * n) >> 32
