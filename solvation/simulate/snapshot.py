"""Snapshot: a moment of a run, in OpenMM's own form and in one that any platform reads.

A snapshot is written beside, flushed to the disk and renamed; the one before it is kept. Whatever
happens to the newest, by a crash or a bad disk, the run goes on from the other.
"""

from __future__ import annotations

import io
import json
import logging
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from solvation.errors import SimulationError, WorkspaceError
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openmm

__all__ = [
    "Progress",
    "Snapshot",
    "describe_platform",
    "find_previous",
    "load_latest",
    "load_snapshot",
    "restore",
    "save_snapshot",
]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a replica stands: what a snapshot must agree with."""

    stage: str
    """Name of the current stage; ``"start"`` before the first."""
    interval: int
    """Report intervals done in it."""
    n_frames: int
    """Frames in the trajectory."""
    trajectory_bytes: int
    """Length of the trajectory that belongs to this snapshot."""
    log_bytes: int
    """Length of the log that belongs to it."""
    inputs: str
    """Hash of system and protocol that it was made from."""
    platform: str
    """Platform, device and OpenMM version that wrote the binary checkpoint."""
    steps: int = 0
    """Time steps done since the last report; above zero only where a run was asked to stop."""
    retried: tuple[str, ...] = ()
    """Stages that blew up and go on with half the time step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A moment of a run, as OpenMM's own checkpoint and in a form any platform reads."""

    progress: Progress
    """How far the replica is."""
    checkpoint: bytes
    """OpenMM's own, for the same kind of device."""
    state: str
    """OpenMM's XML of positions, velocities and box, for any."""


def describe_platform(context: openmm.Context) -> str:
    """Name platform, device and OpenMM version: a binary checkpoint is only good on the same."""
    import openmm

    platform = context.getPlatform()
    parts = [platform.getName()]
    for key in ("DeviceName", "Precision"):
        if key in platform.getPropertyNames():
            parts.append(platform.getPropertyValue(context, key))
    return " ".join([*parts, f"OpenMM {openmm.version.full_version}"])


def find_previous(path: Path) -> Path:
    """Name the file that the snapshot before this one is kept in."""
    return path.with_name(path.name + ".previous")


def save_snapshot(path: Path, context: openmm.Context, progress: Progress) -> None:
    """Write a snapshot, complete or not at all, and keep the one before it."""
    import openmm

    state = context.getState(getPositions=True, getVelocities=True, getParameters=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("progress.json", json.dumps(asdict(progress)))
        archive.writestr("checkpoint", context.createCheckpoint())
        archive.writestr(
            "state.xml", openmm.XmlSerializer.serialize(state), zipfile.ZIP_DEFLATED, 1
        )
    write_atomic(path, buffer.getvalue(), keep=find_previous(path))


def load_snapshot(path: Path) -> Snapshot | None:
    """Read a snapshot; None when there is none.

    Raises
    ------
    WorkspaceError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read("progress.json"))
            document["retried"] = tuple(document.get("retried", ()))
            return Snapshot(
                progress=Progress(**document),
                checkpoint=archive.read("checkpoint"),
                state=archive.read("state.xml").decode(),
            )
    except Exception as error:  # zipfile and zlib raise a dozen kinds for damaged bytes
        raise WorkspaceError(
            f"{path} is damaged ({_one_line(error)}); remove it to run this replica from its start"
        ) from error


def load_latest(path: Path, check: Callable[[Progress], None]) -> Snapshot | None:
    """Read the newest snapshot that is whole and whose files are; None when there is none.

    Parameters
    ----------
    path
        Where the newest should be.
    check
        Raises `WorkspaceError` when the files are not those of a snapshot.

    Raises
    ------
    WorkspaceError
        If there are snapshots and none can be gone on from.
    """
    first: WorkspaceError | None = None
    for candidate in (path, find_previous(path)):
        try:
            snapshot = load_snapshot(candidate)
            if snapshot is None:
                continue
            check(snapshot.progress)
        except WorkspaceError as error:
            first = first or error
            continue
        if first is not None:
            _LOG.warning(
                "%s: going on from the checkpoint before, %s interval %d",
                str(first).partition(";")[0], snapshot.progress.stage, snapshot.progress.interval,
            )  # fmt: skip
        return snapshot
    if first is not None:
        raise first
    return None


def restore(context: openmm.Context, snapshot: Snapshot) -> None:
    """Put a context where a snapshot was taken; falls back to the portable state.

    Raises
    ------
    SimulationError
        If neither form fits the system.
    """
    import openmm

    if snapshot.progress.platform == describe_platform(context):
        try:
            context.loadCheckpoint(snapshot.checkpoint)
            return
        except openmm.OpenMMException as error:
            _LOG.warning(
                "binary checkpoint refused (%s); using the portable state", _one_line(error)
            )
    else:
        _LOG.warning(
            "checkpoint was written on %s; continuing from the portable state on %s",
            snapshot.progress.platform,
            describe_platform(context),
        )
    restore_portable(context, snapshot)


def restore_portable(context: openmm.Context, snapshot: Snapshot) -> None:
    """Put a context at the positions, velocities and box of a snapshot.

    Raises
    ------
    SimulationError
        If they do not fit the system.
    """
    import openmm

    try:
        state = openmm.XmlSerializer.deserialize(snapshot.state)
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocities(state.getVelocities(asNumpy=True))
    except (openmm.OpenMMException, ValueError) as error:
        raise SimulationError(
            f"the checkpoint does not fit this system ({_one_line(error)}); remove it to start "
            "again"
        ) from error


def _one_line(error: BaseException) -> str:
    """First line of a message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
