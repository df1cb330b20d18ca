"""Rows on disk: what grows with the length of a trajectory need not stay in memory."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["Spool", "release"]


class Spool:
    """Arrays one after the other in files without a name, which vanish with their last reader.

    They lie where the `tempfile` module puts them: in ``TMPDIR`` if that is set.

    Examples
    --------
    >>> spool = Spool()
    >>> first, second = spool.store("n", np.arange(3)), spool.store("n", np.arange(3, 5))
    >>> spool.join("n", [first, second]).tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(self) -> None:
        self._files: dict[str, IO[bytes]] = {}

    def __del__(self) -> None:
        # Maps hold on to what they show.
        for file in self._files.values():
            file.close()

    def store(self, kind: str, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Write an array behind those of its kind, and return it as a read-only map of the file.

        Rows have the shape ``(n_rows, ...)`` and any unit.
        """
        if not rows.size:
            return rows
        if kind not in self._files:
            self._files[kind] = tempfile.TemporaryFile(prefix="solvation-")  # noqa: SIM115
        file = self._files[kind]
        start = file.tell()
        file.write(np.ascontiguousarray(rows).data)
        file.flush()
        return self._map(file, rows.dtype, start, rows.shape)

    def join(self, kind: str, pieces: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Concatenate arrays; without reading them if they were stored one after the other.

        Pieces have the shape ``(n_rows, ...)`` and any unit; only their number of rows may differ.
        """
        stored = [p for p in pieces if p.size]
        starts = [p.offset for p in stored if isinstance(p, np.memmap)]
        ends = [s + p.nbytes for s, p in zip(starts, stored, strict=False)]
        if not starts or len(starts) < len(stored) or starts[1:] != ends[:-1]:
            return np.concatenate(pieces)
        shape = (sum(len(p) for p in stored), *stored[0].shape[1:])
        return self._map(self._files[kind], stored[0].dtype, starts[0], shape)

    @staticmethod
    def _map(
        file: IO[bytes], dtype: np.dtype[Any], start: int, shape: tuple[int, ...]
    ) -> npt.NDArray[Any]:
        """Map a part of a file; writing goes on where it was."""
        end = file.tell()
        rows: npt.NDArray[Any] = np.memmap(file, dtype=dtype, mode="r", offset=start, shape=shape)
        file.seek(end)
        return rows


def release(rows: npt.NDArray[Any]) -> None:
    """Let go of the pages of a map that were read; does nothing to an array in memory.

    Any shape and unit.
    """
    held = getattr(rows, "_mmap", None)
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)
