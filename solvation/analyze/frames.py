"""Frames in blocks, from wherever they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from solvation.errors import TrajectoryError
from solvation.kernels.cell import BondTree, box_matrix, make_whole

__all__ = ["ArraySource", "Block", "FrameSource", "iterate_blocks"]

Floats = npt.NDArray[np.float64]

_BLOCK_BYTES = 24_000_000
"""Positions held in one block: large enough for numpy, small enough for the cache and a laptop."""


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
class Block:
    """Consecutive frames of one replica, molecules whole."""

    replica: int
    """Which trajectory of the scene."""
    start: int
    """Number of the first frame in its trajectory."""
    positions: Floats
    """Å, shape ``(n_frames, n_atoms, 3)``; no bond crosses the cell."""
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
    for first in range(start, stop, step):
        positions, boxes, times = source.read(first, min(first + step, stop))
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
