"""Frames in blocks, from wherever they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from solvation.errors import TrajectoryError
from solvation.kernels.cell import BondTree, box_matrix, make_whole

__all__ = [
    "ArraySource",
    "Block",
    "FrameSource",
    "JoinedSource",
    "iterate_blocks",
    "join_sources",
]

Floats = npt.NDArray[np.float64]

_BLOCK_BYTES = 2_400_000
"""Positions held in one block: large enough for numpy, small enough for the cache of a core."""


class FrameSource(Protocol):
    """One trajectory that can be read from any frame on."""

    @property
    def label(self) -> str:
        """What to call it in messages, e.g. the file name."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Read positions (Å, ``(n, n_atoms, 3)``), boxes (Å, degrees, ``(n, 6)``), times (ps)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySource:
    """A trajectory held in memory."""

    positions: Floats
    """Å, shape ``(n_frames, n_atoms, 3)``."""
    boxes: Floats
    """Lengths in Å and angles in degrees, shape ``(n_frames, 6)`` or ``(6,)``."""
    times: Floats
    """ps, shape ``(n_frames,)``."""
    label: str = "array"
    """What to call it in messages."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.positions)

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Return the frames from ``start`` up to, not including, ``stop``."""
        boxes = np.broadcast_to(self.boxes, (self.n_frames, 6))
        return self.positions[start:stop], boxes[start:stop], self.times[start:stop]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSource:
    """One trajectory in several pieces, one after the other."""

    pieces: tuple[FrameSource, ...]
    """In order of time."""
    skipped: tuple[int, ...]
    """Frames at the beginning of each piece that the one before it has too."""
    dt: float | None
    """Time between frames in ps, over the files'."""

    @property
    def label(self) -> str:
        """Names of the pieces."""
        return "+".join(piece.label for piece in self.pieces)

    @property
    def n_frames(self) -> int:
        """Number of frames of all pieces together."""
        return sum(p.n_frames - s for p, s in zip(self.pieces, self.skipped, strict=True))

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Read frames from all pieces that have some between ``start`` and ``stop``.

        Positions in Å, shape ``(n, n_atoms, 3)``; boxes in Å and degrees, ``(n, 6)``; times in ps,
        ``(n,)``.
        """
        parts = []
        first = 0
        for piece, skipped in zip(self.pieces, self.skipped, strict=True):
            after = first + piece.n_frames - skipped
            low, high = max(start, first), min(stop, after)
            if low < high:
                parts.append(piece.read(low - first + skipped, high - first + skipped))
            first = after
        positions, boxes, times = (np.concatenate(column) for column in zip(*parts, strict=True))
        if self.dt is not None:
            times = self.dt * np.arange(start, stop, dtype=np.float64)
        return positions, boxes, times


def join_sources(pieces: Sequence[FrameSource], *, dt: float | None = None) -> FrameSource:
    """Join the pieces of one trajectory, without the frames that two of them have.

    Parameters
    ----------
    pieces
        In order of time.
    dt
        Time between frames in ps, over the files'; then nothing is taken as repeated.

    Raises
    ------
    TrajectoryError
        If a piece does not go on where the one before it ends.
    """
    if len(pieces) == 1:
        return pieces[0]
    skipped = [0]
    for before, piece in pairwise(pieces):
        start, end = (float(before.read(i, i + 1)[2][0]) for i in (0, before.n_frames - 1))
        count = 0
        if dt is None and np.isfinite(end):
            while count < piece.n_frames and piece.read(count, count + 1)[2][0] <= end:
                count += 1
            first = float(piece.read(0, 1)[2][0])
            if count == piece.n_frames or (count and first <= start):
                raise TrajectoryError(
                    f"{piece.label} starts at {first:g} ps and does not continue {before.label}, "
                    f"which ends at {end:g} ps; give replicas as --trajectory each, or --dt"
                )
        skipped.append(count)
    return JoinedSource(pieces=tuple(pieces), skipped=tuple(skipped), dt=dt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive frames of one replica, molecules whole."""

    replica: int
    """Which trajectory of the scene."""
    start: int
    """Number of the first frame in its trajectory."""
    positions: Floats
    """Å, shape ``(n_frames, n_atoms, 3)``; no bond crosses the cell. In single precision where the
    file has no more: differences and sums are to be taken in double."""
    matrix: Floats
    """Box vectors as rows in Å, shape ``(n_frames, 3, 3)``."""
    times: Floats
    """ps, shape ``(n_frames,)``."""

    @property
    def n_frames(self) -> int:
        """Number of frames in the block."""
        return len(self.positions)


def iterate_blocks(
    source: FrameSource, tree: BondTree, *, replica: int, start: int, stop: int
) -> Iterator[Block]:
    """Read frames ``start`` to ``stop`` in blocks of bounded memory, and make molecules whole.

    Raises
    ------
    TrajectoryError
        If a frame has no box or a position that is not a number.
    """
    n_atoms = len(tree.molecule)
    step = max(1, _BLOCK_BYTES // (24 * max(n_atoms, 1)))
    # About as long, all of them: a short one costs nearly as much.
    count = -(-(stop - start) // step)
    edges = [start + (stop - start) * i // count for i in range(count + 1)] if count > 0 else []
    for first, last in pairwise(edges):
        positions, boxes, times = source.read(first, last)
        if positions.shape[1] != n_atoms:
            raise TrajectoryError(
                f"{source.label} has {positions.shape[1]} atoms, the topology has {n_atoms}; "
                "give the topology that belongs to the trajectory"
            )
        flat = np.flatnonzero((boxes[:, :3] <= 0.0).any(axis=1) | ~np.isfinite(boxes).all(axis=1))
        if len(flat):
            bad = first + int(flat[0])
            raise TrajectoryError(
                f'{source.label} has no box in frame {bad}; give one with --box "A B C"'
            )
        finite = np.isfinite(positions).all(axis=(1, 2))
        if not finite.all():
            bad = first + int(np.flatnonzero(~finite)[0])
            raise TrajectoryError(
                f"{source.label}: frame {bad} has positions that are not numbers; "
                "the run blew up or the file is damaged"
            )
        matrix = box_matrix(boxes)
        whole = make_whole(positions, matrix, tree)
        yield Block(replica=replica, start=first, positions=whole, matrix=matrix, times=times)
