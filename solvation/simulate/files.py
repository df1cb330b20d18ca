"""Files of a replica: cut back to what the checkpoint vouches for, and written with care."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ReplicaFiles", "cut_file", "writing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFiles:
    """Paths of one replica."""

    trajectory: Path
    """Unwrapped frames of the production."""
    log: Path
    """One line per report, all stages."""
    snapshot: Path
    """The last checkpoint."""


def cut_file(path: Path, length: int) -> None:
    """Cut a file back to the length that its checkpoint vouches for.

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
