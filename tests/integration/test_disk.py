"""What disks do to a run: one line, and the last good state stays."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from solvation.errors import WorkspaceError
from solvation.simulate.dynamics import run_replica
from solvation.simulate.loop import Tick
from solvation.simulate.snapshot import load_snapshot
from solvation.workspace import open_run
from tests.unit.simulate.argon import make_plan, make_stage, write_prepared
from tests.unit.simulate.test_loop import read_frames

PLAN = make_plan(make_stage("heat", 4), make_stage("production", 400))
ROOT = Path(__file__).parents[2]


def simulate(prepared: Path, folder: Path, progress=None):
    return run_replica(
        prepared, folder, PLAN, PLAN.replicas[0], inputs="abc", platform="Reference",
        progress=progress,
    )  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def check_left(prepared: Path, folder: Path) -> None:
    """The last checkpoint is whole, and its frames are there."""
    snapshot = load_snapshot(folder / "checkpoint")
    assert snapshot is not None
    assert snapshot.progress.stage == "production"
    assert snapshot.progress.n_frames > 3
    assert (folder / "trajectory.xtc").stat().st_size >= snapshot.progress.trajectory_bytes


def check_continues(prepared: Path, folder: Path) -> None:
    simulate(prepared, folder)
    times, _ = read_frames(prepared, folder)
    np.testing.assert_allclose(times, 0.04 * np.arange(401), atol=1e-4)


def test_a_full_disk_is_one_line_and_with_space_it_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    prepared = write_prepared(tmp_path / "build")
    with pytest.raises(WorkspaceError, match="No space left on device; mend that") as caught:
        simulate(prepared, small_disk / "run")
    assert "\n" not in str(caught.value)
    check_left(prepared, small_disk / "run")
    shutil.copytree(small_disk / "run", tmp_path / "roomy")
    check_continues(prepared, tmp_path / "roomy")


def test_a_disk_that_turns_read_only_is_one_line(tmp_path: Path, small_disk: Path) -> None:
    prepared = write_prepared(tmp_path / "build")
    count = 0

    def seal(_: Tick) -> None:
        nonlocal count
        count += 1
        if count == 20:
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(WorkspaceError, match="Read-only file system; mend that") as caught:
        simulate(prepared, small_disk / "run", seal)
    assert "\n" not in str(caught.value)
    check_left(prepared, small_disk / "run")
    with pytest.raises(WorkspaceError, match=r"cannot write in .*: Read-only file system; choose"):
        open_run(small_disk / "run")


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk stands for it")
    tmp_path.chmod(0o500)
    with pytest.raises(WorkspaceError, match="Permission denied; choose another folder with -o"):
        open_run(tmp_path / "run")


def test_a_quota_is_one_line(tmp_path: Path) -> None:
    """The kernel's limit on the size of a file stands for one; it binds root too."""
    prepared = write_prepared(tmp_path / "build")
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.integration.test_disk import simulate\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
        "from solvation.errors import WorkspaceError\n"
        "try:\n"
        "    simulate(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except WorkspaceError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(prepared), str(tmp_path / "run")],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "cannot write" in done.stdout
    assert "File too large; mend that" in done.stdout
    check_left(prepared, tmp_path / "run")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000
    check_continues(prepared, tmp_path / "run")


def test_a_folder_that_vanishes_is_one_line(tmp_path: Path) -> None:
    prepared = write_prepared(tmp_path / "build")
    count = 0

    def remove(_: Tick) -> None:
        nonlocal count
        count += 1
        if count == 20:
            shutil.rmtree(tmp_path / "run")

    with pytest.raises(WorkspaceError, match="No such file or directory; mend that") as caught:
        simulate(prepared, tmp_path / "run", remove)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["flipped", "cut"])
def test_a_checkpoint_with_flipped_bytes_and_a_truncated_trajectory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """The checkpoint before takes its place, and nothing is missing in the end."""
    prepared, folder, count = write_prepared(tmp_path / "build"), tmp_path / "run", 0

    def stop(_: Tick) -> None:
        nonlocal count
        count += 1
        if count == 41:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(prepared, folder, stop)
    newest = load_snapshot(folder / "checkpoint")
    assert newest is not None
    if what == "flipped":
        data = bytearray((folder / "checkpoint").read_bytes())
        for at in range(200, len(data), 500):
            data[at] ^= 0xFF
        (folder / "checkpoint").write_bytes(data)
    else:
        os.truncate(folder / "trajectory.xtc", newest.progress.trajectory_bytes - 10)
    check_continues(prepared, folder)
    said = "is damaged" if what == "flipped" else "bytes but its checkpoint says"
    assert said in caplog.text
    assert "going on from the checkpoint before" in caplog.text
