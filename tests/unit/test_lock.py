"""A folder serves one process, with the kernel's lock or without one."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from solvation.errors import WorkspaceError
from solvation.lock import lock_folder


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system of a cluster that has no locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)


def write_owner(folder: Path, *, pid: int, host: str | None = None, age: float = 0.0) -> Path:
    path = folder / ".lock.owner"
    path.write_text(json.dumps({"pid": pid, "host": host or socket.gethostname()}))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def find_dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_the_owner_is_named_with_its_machine(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        owner = json.loads((tmp_path / ".lock").read_text())
        assert owner == {"pid": os.getpid(), "host": socket.gethostname()}
        (tmp_path / ".lock").write_text('{"pid": 77, "host": "node3"}')
        with (
            pytest.raises(WorkspaceError, match="in use by process 77 on node3; wait"),
            lock_folder(tmp_path),
        ):
            pass


def test_patience_waits_for_the_other_to_leave(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from solvation.lock import lock_folder\n"
        f"with lock_folder(Path({str(tmp_path)!r})):\n"
        "    print('locked', flush=True); time.sleep(0.3)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with lock_folder(tmp_path, patience=3600):
            pass


def test_without_the_kernels_lock_a_file_stands_for_it(tmp_path: Path, no_flock: None) -> None:
    with lock_folder(tmp_path):
        assert json.loads((tmp_path / ".lock.owner").read_text())["pid"] == os.getpid()
        with (
            pytest.raises(WorkspaceError, match=f"in use by process {os.getpid()}; wait"),
            lock_folder(tmp_path),
        ):
            pass
    assert not (tmp_path / ".lock.owner").exists()


@pytest.mark.parametrize("how", ["dead", "silent"])
def test_a_stale_lock_is_taken_over_and_said(
    tmp_path: Path, no_flock: None, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    if how == "dead":
        pid = find_dead_pid()
        write_owner(tmp_path, pid=pid)
        name = f"process {pid}"
    else:
        write_owner(tmp_path, pid=5, host="node7", age=400)
        name = "process 5 on node7"
    with caplog.at_level(logging.WARNING), lock_folder(tmp_path):
        assert json.loads((tmp_path / ".lock.owner").read_text())["pid"] == os.getpid()
    assert f"was locked by {name}, which is gone; taking over" in caplog.text


def test_a_lock_of_another_machine_is_respected_while_it_is_fresh(
    tmp_path: Path, no_flock: None
) -> None:
    write_owner(tmp_path, pid=find_dead_pid(), host="node7", age=60)
    with pytest.raises(WorkspaceError, match="on node7"), lock_folder(tmp_path):
        pass
