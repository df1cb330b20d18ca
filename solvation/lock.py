"""Lock: one process at a time in a folder, on a local disk or on that of a cluster.

The kernel's own lock (``flock``) vanishes with its process, so it is never stale. Some file
systems of clusters have none; there a file that names its owner stands for it. Its owner touches it
every `_BEAT` seconds, and who finds it untouched for `_STALE`, or its process gone from this
machine, takes it over and says so.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["lock_folder"]

_LOG = logging.getLogger(__name__)

_BEAT = 30.0
"""s."""
_STALE = 300.0
"""s; clocks of two machines may differ by less than this."""
_WITHOUT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})
"""What a file system answers that has no locks."""


@contextmanager
def lock_folder(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes out of a folder.

    Parameters
    ----------
    folder
        Which one; the lock is its file ``.lock``.
    patience
        Seconds to wait for another process to leave.

    Raises
    ------
    WorkspaceError
        If another process works in the folder, or it cannot be written.
    """
    path = folder / ".lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise WorkspaceError(
            f"cannot lock {folder}: {error.strerror}; choose another folder with -o"
        ) from error
    until = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise _refuse(folder, _read_owner(path)) from error
                time.sleep(0.05)
            except OSError as error:
                if error.errno not in _WITHOUT:
                    raise WorkspaceError(
                        f"cannot lock {folder}: {error.strerror}; choose another folder with -o, "
                        "on a disk of this machine"
                    ) from error
                with _own(folder, until):
                    yield
                return
        with suppress(OSError):  # a full disk: the lock holds, only its owner stays unknown
            os.ftruncate(handle, 0)
            os.write(handle, _sign())
        yield
    finally:
        os.close(handle)


@contextmanager
def _own(folder: Path, until: float) -> Iterator[None]:
    """Hold a file that stands for a lock, and keep it fresh."""
    path = folder / ".lock.owner"
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            break
        except FileExistsError as error:
            owner = _read_owner(path)
            if _is_stale(path, owner):
                _LOG.warning(
                    "%s was locked by %s, which is gone; taking over", folder, _name(owner)
                )
                path.unlink(missing_ok=True)
            elif time.monotonic() > until:
                raise _refuse(folder, owner) from error
            else:
                time.sleep(0.05)
        except OSError as error:
            raise WorkspaceError(
                f"cannot lock {folder}: {error.strerror}; choose another folder with -o"
            ) from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(_sign())
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_BEAT):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)


def _sign() -> bytes:
    """Say who holds a lock."""
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode() + b"\n"


def _read_owner(path: Path) -> dict[str, object]:
    """Read who holds a lock; empty when that cannot be read."""
    with suppress(OSError, ValueError):
        owner = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        if isinstance(owner, dict):
            return owner
    return {}


def _is_stale(path: Path, owner: dict[str, object]) -> bool:
    """Whether the owner of a lock file is gone."""
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False  # just released; the next try gets it
    if age > _STALE:
        return True
    pid = owner.get("pid")
    if owner.get("host") != socket.gethostname() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _name(owner: dict[str, object]) -> str:
    """Name the owner of a lock."""
    host = owner.get("host", socket.gethostname())
    where = "" if host == socket.gethostname() else f" on {host}"
    return f"process {owner.get('pid', 'unknown')}{where}"


def _refuse(folder: Path, owner: dict[str, object]) -> WorkspaceError:
    """Say who is there."""
    return WorkspaceError(
        f"{folder} is in use by {_name(owner)}; wait for it, or choose another folder with -o"
    )
