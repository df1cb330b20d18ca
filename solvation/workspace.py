"""Run folder: where the files of a run are, and what has been done in it.

``manifest.json`` keeps, for every stage, the hash of what went in; a stage whose inputs have not
changed is not repeated. Files are written beside and renamed, so a killed job leaves either the
old file or the new one.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import StopError, WorkspaceError
from solvation.lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["RunFolder", "collect_versions", "open_run", "write_atomic"]

_PACKAGES = ("solvation", "openmm", "MDAnalysis", "rdkit", "packmol", "numpy", "scipy", "xarray")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Paths of one run, and its manifest.

    Examples
    --------
    >>> RunFolder(path=Path("runs/x")).build("separated").as_posix()
    'runs/x/build/separated'
    """

    path: Path
    """The folder."""

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def manifest(self) -> Path:
        """What was done, from what, with which versions."""
        return self.path / "manifest.json"

    @property
    def results(self) -> Path:
        """The `xarray.DataTree`."""
        return self.path / "results.nc"

    @property
    def summary(self) -> Path:
        """The flat list of numbers."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def build(self, start: str) -> Path:
        """Folder of the box packed in one way."""
        return self.path / "build" / start

    def simulate(self, replica: str) -> Path:
        """Folder of one replica."""
        return self.path / "simulate" / replica

    def read_manifest(self) -> dict[str, Any]:
        """Read the manifest; empty when there is none yet.

        Raises
        ------
        WorkspaceError
            If the file is there and cannot be read.
        """
        try:
            document: Any = json.loads(self.manifest.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"cannot read {self.manifest}: {error}; remove it to start this run again"
            ) from error
        if not isinstance(document, dict):
            raise WorkspaceError(
                f"{self.manifest} is not a table; remove it to start this run again"
            )
        return document

    def update_manifest(self, **changes: Any) -> dict[str, Any]:
        """Merge changes into the manifest; tables are merged one level deep."""
        document = self.read_manifest()
        for key, value in changes.items():
            old = document.get(key)
            document[key] = (
                {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            )
        write_atomic(self.manifest, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return document

    def is_done(self, stage: str, inputs: str) -> bool:
        """Whether a stage was finished from exactly these inputs."""
        entry = self.read_manifest().get("stages", {}).get(stage, {})
        return bool(entry.get("state") == "done" and entry.get("inputs") == inputs)

    @contextmanager
    def record_stage(self, stage: str, inputs: str) -> Iterator[None]:
        """Note in the manifest that a stage runs, and how it ended."""
        started = datetime.now(UTC)
        earlier = self.read_manifest().get("stages", {}).get(stage, {})
        before = earlier.get("wall_s", 0.0) if earlier.get("inputs") == inputs else 0.0
        entry: dict[str, Any] = {
            "inputs": inputs,
            "started": started.isoformat(timespec="seconds"),
            "wall_s": before,
        }
        self.update_manifest(stages={stage: {**entry, "state": "running"}})
        state = "failed"
        try:
            yield
            state = "done"
        except (KeyboardInterrupt, StopError):
            state = "interrupted"
            raise
        finally:
            seconds = (datetime.now(UTC) - started).total_seconds()
            entry["wall_s"] = round(before + seconds, 1)
            if self.path.is_dir():
                self.update_manifest(stages={stage: {**entry, "state": state}})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out of the folder; a killed process leaves no lock behind.

        Raises
        ------
        WorkspaceError
            If another process works in the folder.
        """
        with lock_folder(self.path):
            yield


def open_run(path: str | Path) -> RunFolder:
    """Make sure that a run folder exists and can be written.

    Raises
    ------
    WorkspaceError
        If it cannot.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError(
            f"cannot write in {folder}: {reason}; choose another folder with -o"
        ) from error
    return RunFolder(path=folder)


def write_atomic(path: Path, content: str | bytes, *, keep: Path | None = None) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part.

    Parameters
    ----------
    path
        File to write.
    content
        What to write.
    keep
        Where the old content goes; for a moment, it alone is there.

    Raises
    ------
    WorkspaceError
        If the disk is full, or the folder is gone or read-only; the old content is still there.
    """
    partial = path.with_name(path.name + ".partial")
    data = content.encode() if isinstance(content, str) else content
    try:
        try:
            with partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if keep is not None and path.exists():
                path.replace(keep)
            partial.replace(path)
        except OSError:
            with suppress(OSError):  # on a full disk the part would be in the way of the rest
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error.strerror or error}; mend that, then run again"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def collect_versions() -> Mapping[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
