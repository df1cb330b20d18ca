"""Pairs of molecules that touch: any atom of one within a distance of any atom of the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.kernels.pairs import (
    find_neighbours,
    find_vectors,
    largest_cutoff,
    measure_pairs,
)

__all__ = ["find_touching"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_CHUNK = 65_536
"""Pairs of atoms looked at together."""
_MARGIN = 1e-4
"""Å by which single precision may be wrong over the size of two molecules, and far more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Molecules of one kind in a block of frames."""

    centres: Floats
    """Å, shape ``(n_frames, n_molecules, 3)``."""
    radii: Floats
    """Å, of the sphere about the centre that holds all atoms, shape ``(n_frames, n_molecules)``."""
    atoms: npt.NDArray[np.float32]
    """Å from the centre, shape ``(3, n_atoms, n_frames * n_molecules)``."""


def find_touching(
    a: Floats, b: Floats, matrix: Floats, reach: Floats, *, present: Bools | None = None
) -> tuple[Ints, Ints, Ints]:
    """Find the molecules of ``a`` that touch molecules of ``b``.

    Parameters
    ----------
    a, b
        Positions in Å of whole molecules, shapes ``(n_frames, n_a, p, 3)`` and
        ``(n_frames, n_b, q, 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    reach
        Å, shape ``(p, q)``: within this distance the two atoms touch; at most `largest_cutoff`.
    present
        Which molecules of ``a`` are there in which frame, shape ``(n_frames, n_a)``; all if None.

    Returns
    -------
    Frame, molecule of ``a`` and molecule of ``b`` of each touching pair, sorted in this order.

    Notes
    -----
    Only molecules whose enclosing spheres come near are looked at atom by atom, in single
    precision; what that leaves in doubt is measured in double precision.
    """
    if not (a.size and b.size):
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, empty
    here, there = _group(a), _group(b)
    furthest = float(here.radii.max() + there.radii.max()) + float(reach.max()) + _MARGIN
    simple = furthest < largest_cutoff(matrix)
    if simple:
        frame, first, second = _find_near(here, there, matrix, float(reach.max()), furthest)
    else:
        # Beyond half the box the nearest image of a centre need not be that of an atom.
        shape = (len(a), a.shape[1], b.shape[1])
        frame, first, second = (i.reshape(-1) for i in np.indices(shape))
    if present is not None:
        keep = np.flatnonzero(present[frame, first])
        frame, first, second = frame[keep], first[keep], second[keep]
    step = max(1, _CHUNK // reach.size)
    touching: list[Bools] = []
    for i in range(0, len(frame), step):
        pairs = frame[i : i + step], first[i : i + step], second[i : i + step]
        if simple:
            touching.append(_touch(a, b, here, there, matrix, reach, *pairs))
        else:
            close = _measure(a, b, matrix, reach, *pairs)
            touching.append(np.asarray(close.any(axis=(1, 2))))
    found = np.flatnonzero(np.concatenate([np.empty(0, dtype=np.bool_), *touching]))
    return frame[found], first[found], second[found]


def _group(x: Floats) -> _Group:
    """Find centres and sizes."""
    n_frames, n, p = x.shape[:3]
    # Molecules last: loops over three axes or a few atoms would be short.
    atoms = np.array(x.reshape(-1, p, 3).transpose(2, 1, 0), dtype=np.float64, order="C")
    centres = atoms.mean(axis=1)
    atoms -= centres[:, None]
    squares = atoms[0] ** 2 + atoms[1] ** 2 + atoms[2] ** 2
    return _Group(
        centres=np.ascontiguousarray(centres.T).reshape(n_frames, n, 3),
        radii=np.sqrt(squares.max(axis=0)).reshape(n_frames, n),
        atoms=atoms.astype(np.float32),
    )


def _find_near(
    a: _Group, b: _Group, matrix: Floats, reach: float, furthest: float
) -> tuple[Ints, Ints, Ints]:
    """List pairs of molecules whose enclosing spheres are closer than ``reach``."""
    found = find_neighbours(a.centres, b.centres, matrix, furthest)
    size = a.radii[found.frame, found.first] + b.radii[found.frame, found.second]
    near = np.flatnonzero(found.distance < size + (reach + _MARGIN))
    return found.frame[near], found.first[near], found.second[near]


def _touch(
    a: Floats, b: Floats, here: _Group, there: _Group, matrix: Floats, reach: Floats,
    frame: Ints, first: Ints, second: Ints,
) -> Bools:  # fmt: skip
    """Tell which pairs of molecules have atoms within reach."""
    apart = find_vectors(here.centres[frame, first], there.centres[frame, second], frame, matrix)
    y = there.atoms[:, :, frame * b.shape[1] + second]
    y += apart.T.astype(np.float32)[:, None]
    # Most atoms of b are far from all of a: leave those out first.
    radius = here.radii[frame, first].astype(np.float32)
    limit = radius + (reach.max(axis=0) + _MARGIN).astype(np.float32)[:, None]
    atom, pair = np.nonzero(y[0] ** 2 + y[1] ** 2 + y[2] ** 2 < limit * limit)
    y = y[:, atom, pair]
    x = here.atoms[:, :, (frame * a.shape[1] + first)[pair]]
    squares = y[0] - x[0]
    squares *= squares
    for axis in (1, 2):
        step = y[axis] - x[axis]
        step *= step
        squares += step
    squares -= (reach**2).astype(np.float32)[:, atom]
    closest = squares.min(axis=0)
    doubt = 2.0 * float(reach.max()) * _MARGIN
    touching = np.zeros(len(frame), dtype=np.bool_)
    touching[pair[closest < -doubt]] = True
    perhaps = np.zeros(len(frame), dtype=np.bool_)
    perhaps[pair[closest < doubt]] = True
    doubtful = np.flatnonzero(perhaps & ~touching)
    if len(doubtful):
        pairs = frame[doubtful], first[doubtful], second[doubtful]
        touching[doubtful] = _measure(a, b, matrix, reach, *pairs).any(axis=(1, 2))
    return touching


def _measure(
    a: Floats, b: Floats, matrix: Floats, reach: Floats, frame: Ints, first: Ints, second: Ints
) -> Bools:
    """Tell which atoms of pairs of molecules are within reach, shape ``(n_pairs, p, q)``."""
    p, q = reach.shape
    shape = (len(frame), p, q, 3)
    one = np.broadcast_to(a[frame, first][:, :, None], shape).reshape(-1, 3)
    other = np.broadcast_to(b[frame, second][:, None], shape).reshape(-1, 3)
    distance = measure_pairs(one, other, np.repeat(frame, p * q), matrix)
    close: Bools = distance.reshape(-1, p, q) <= reach
    return close
