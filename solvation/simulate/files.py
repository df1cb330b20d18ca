"""Files of a replica: cut back to what the checkpoint vouches for, and written with care."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from solvation.simulate.snapshot import Progress

__all__ = ["ReplicaFiles", "check_frame", "check_length", "cut_file", "explain_failure", "flush",
           "writing"]  # fmt: skip

_PROBE = 2**16
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFiles:
    """Paths of one replica."""

    trajectory: Path
    """Unwrapped frames of the production."""
    log: Path
    """One line per report, all stages."""
    snapshot: Path
    """The last checkpoint; the one before it lies beside it."""

    def check(self, progress: Progress) -> None:
        """Make sure that the files hold what a snapshot vouches for; `WorkspaceError` if not."""
        check_length(self.trajectory, progress.trajectory_bytes)
        check_length(self.log, progress.log_bytes)


def check_length(path: Path, length: int) -> int:
    """Make sure that a file is as long as its checkpoint vouches for; returns its length in bytes.

    Raises
    ------
    WorkspaceError
        If the file is shorter than that.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise WorkspaceError(
            f"{path} has {size} bytes but its checkpoint says {length}; remove {path.parent} to "
            "run this replica again"
        )
    return size


def check_frame(path: Path, before: int) -> int:
    """Make sure that the last frame of an XTC file is whole; returns the file's length in bytes.

    The library that writes XTC files does not say when the disk is full.

    Parameters
    ----------
    path
        Trajectory.
    before
        Its length before the frame was written, bytes.

    Raises
    ------
    OSError
        If the frame is not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(before)
        head = stream.read(92)
    n_atoms = int.from_bytes(head[52:56], "big")
    if n_atoms <= 9:  # not compressed
        expected = 56 + 12 * n_atoms
    else:
        packed = int.from_bytes(head[88:92], "big")
        expected = 92 + (packed + 3) // 4 * 4
    if len(head) < min(92, expected) or size - before != expected:
        raise OSError(errno.ENOSPC, f"only {size - before} bytes of a frame were written")
    return size


def explain_failure(path: Path, error: Exception) -> OSError:
    """Find out why a library could not write a file, which only says that it could not.

    What is written here to find out lies behind what the checkpoint vouches for, and is cut off.
    """
    if not path.parent.is_dir():
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        with path.open("ab") as stream:
            stream.write(b"\0" * _PROBE)
            stream.flush()
            os.fsync(stream.fileno())
        if shutil.disk_usage(path.parent).free < _PROBE:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as found:
        return found
    if isinstance(error, OSError):
        return error
    return OSError(errno.EIO, str(error).strip() or "unknown reason")


def cut_file(path: Path, length: int) -> None:
    """Cut a file back to the length that its checkpoint vouches for.

    Raises
    ------
    WorkspaceError
        If the file is shorter than that.
    """
    size = check_length(path, length)
    with writing(path):
        if length == 0:
            path.unlink(missing_ok=True)
        elif size > length:
            os.truncate(path, length)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into one line.

    Raises
    ------
    WorkspaceError
        Naming the file, and what the system said.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error.strerror or error}; mend that, then run again: it "
            "continues from the last checkpoint"
        ) from error


def flush(path: Path) -> int:
    """Make sure that a file is on the disk; returns its length in bytes."""
    if not path.exists():
        return 0
    with writing(path), path.open("rb") as stream:
        os.fsync(stream.fileno())
    return path.stat().st_size
