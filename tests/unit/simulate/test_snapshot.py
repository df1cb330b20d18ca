"""Two generations of snapshots: whatever happens to the newest, the run goes on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import openmm
import pytest

from solvation.errors import WorkspaceError
from solvation.simulate.engine import make_context
from solvation.simulate.snapshot import (
    Progress,
    describe_platform,
    find_previous,
    load_latest,
    load_snapshot,
    save_snapshot,
)

from .argon import make_plan, make_positions, make_stage, make_system

NVT = make_stage("production", 4)


@pytest.fixture(scope="module")
def context() -> openmm.Context:
    context = make_context(make_system(), make_plan(NVT), NVT, platform="Reference", seed=1)
    context.setPositions(make_positions())
    return context


@pytest.fixture
def path(tmp_path: Path, context: openmm.Context) -> Path:
    """Two snapshots, after 1 and 2 intervals."""
    path = tmp_path / "checkpoint"
    for interval in (1, 2):
        save_snapshot(path, context, make_progress(context, interval))
    return path


def make_progress(context: openmm.Context, interval: int) -> Progress:
    return Progress(
        stage="production", interval=interval, n_frames=interval, trajectory_bytes=100 * interval,
        log_bytes=10 * interval, inputs="abc", platform=describe_platform(context),
    )  # fmt: skip


def accept(_: Progress) -> None:
    """The files are all there."""


def find_interval(path: Path) -> int:
    snapshot = load_latest(path, accept)
    assert snapshot is not None
    return snapshot.progress.interval


def test_the_one_before_is_kept(path: Path) -> None:
    previous = load_snapshot(find_previous(path))
    assert previous is not None
    assert previous.progress.interval == 1
    assert find_interval(path) == 2
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "checkpoint", "checkpoint.previous",
    ]  # fmt: skip


def test_killed_between_the_two_renamings(path: Path) -> None:
    path.replace(find_previous(path))
    assert find_interval(path) == 2


def test_a_damaged_one_gives_way_to_the_one_before_and_says_so(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert find_interval(path) == 1
    assert "is damaged" in caplog.text
    assert "going on from the checkpoint before, production interval 1" in caplog.text


def test_so_does_one_whose_frames_are_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def check(progress: Progress) -> None:
        if progress.trajectory_bytes > 150:
            raise WorkspaceError("x.xtc has 150 bytes but its checkpoint says 200; remove it")

    with caplog.at_level(logging.WARNING):
        snapshot = load_latest(path, check)
    assert snapshot is not None
    assert snapshot.progress.interval == 1
    assert "has 150 bytes" in caplog.text


def test_when_both_are_damaged_nothing_is_made_up(path: Path) -> None:
    path.write_bytes(b"")
    find_previous(path).write_bytes(b"")
    with pytest.raises(WorkspaceError, match=f"{path} is damaged"):
        load_latest(path, accept)


def test_none_is_none(tmp_path: Path) -> None:
    assert load_latest(tmp_path / "checkpoint", accept) is None


def test_a_snapshot_that_cannot_be_written_leaves_both(
    path: Path, context: openmm.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes(), find_previous(path).read_bytes()
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        save_snapshot(path, context, make_progress(context, 3))
    assert (path.read_bytes(), find_previous(path).read_bytes()) == before
    assert not path.with_name("checkpoint.partial").exists()


def test_stages_that_were_retried_are_remembered(path: Path, context: openmm.Context) -> None:
    progress = replace(make_progress(context, 3), retried=("density",), steps=7)
    save_snapshot(path, context, progress)
    snapshot = load_snapshot(path)
    assert snapshot is not None
    assert snapshot.progress == progress
