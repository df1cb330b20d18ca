"""Run folder: what was done stays known, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from solvation.errors import WorkspaceError
from solvation.workspace import RunFolder, collect_versions, open_run, write_atomic


def test_paths_are_those_of_the_design() -> None:
    folder = RunFolder(path=Path("runs/x"))
    assert folder.recipe.as_posix() == "runs/x/recipe.toml"
    assert folder.manifest.as_posix() == "runs/x/manifest.json"
    assert folder.results.as_posix() == "runs/x/results.nc"
    assert folder.summary.as_posix() == "runs/x/summary.json"
    assert folder.report.as_posix() == "runs/x/report.html"
    assert folder.build("contact").as_posix() == "runs/x/build/contact"
    assert folder.simulate("contact-1").as_posix() == "runs/x/simulate/contact-1"


# Manifest -----------------------------------------------------------------------------------


def test_tables_are_merged_one_level_deep(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run")
    assert folder.read_manifest() == {}
    folder.update_manifest(name="x", stages={"a": {"state": "done", "inputs": "1"}})
    folder.update_manifest(stages={"b": {"state": "running"}}, seed=3)
    folder.update_manifest(stages={"a": {"state": "failed"}})
    assert folder.read_manifest() == {
        "name": "x",
        "seed": 3,
        "stages": {"a": {"state": "failed"}, "b": {"state": "running"}},
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}}'])
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    folder = open_run(tmp_path)
    folder.manifest.write_text(text)
    with pytest.raises(WorkspaceError, match="remove it to start this run again") as caught:
        folder.read_manifest()
    assert "\n" not in str(caught.value)


def test_a_stage_is_done_only_from_the_same_inputs(tmp_path: Path) -> None:
    folder = open_run(tmp_path)
    assert not folder.is_done("build", "abc")
    with folder.record_stage("build", "abc"):
        assert folder.read_manifest()["stages"]["build"]["state"] == "running"
        assert not folder.is_done("build", "abc")
    assert folder.is_done("build", "abc")
    assert not folder.is_done("build", "other")
    assert not folder.is_done("simulate", "abc")


@pytest.mark.parametrize("kind", [ValueError, MemoryError])
def test_a_stage_that_ends_badly_is_failed(tmp_path: Path, kind: type[BaseException]) -> None:
    folder = open_run(tmp_path)
    with pytest.raises(kind), folder.record_stage("build", "abc"):
        raise kind
    assert folder.read_manifest()["stages"]["build"]["state"] == "failed"
    assert not folder.is_done("build", "abc")


def test_wall_time_adds_up_over_restarts_of_the_same_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves only when it is told to."""

    class Clock:
        seconds = 0.0

        @classmethod
        def now(cls, zone: tzinfo) -> datetime:
            return datetime(2026, 1, 1, tzinfo=zone) + timedelta(seconds=cls.seconds)

    monkeypatch.setattr("solvation.workspace.datetime", Clock)
    folder = open_run(tmp_path)
    for _ in range(2):
        with folder.record_stage("simulate", "abc"):
            Clock.seconds += 1.5
    assert folder.read_manifest()["stages"]["simulate"]["wall_s"] == 3.0
    with folder.record_stage("simulate", "other"):
        assert folder.read_manifest()["stages"]["simulate"]["wall_s"] == 0.0
        Clock.seconds += 0.5
    assert folder.read_manifest()["stages"]["simulate"]["wall_s"] == 0.5


# Lock ---------------------------------------------------------------------------------------


def test_another_process_is_kept_out_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    folder = open_run(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from solvation.workspace import RunFolder\n"
        f"with RunFolder(path=Path({str(tmp_path)!r})).lock():\n"
        "    print('locked', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        message = f"in use by process {process.pid}; wait for it"
        with pytest.raises(WorkspaceError, match=message), folder.lock():
            pass
        process.kill()
    with folder.lock():
        pass


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(WorkspaceError, match="cannot lock"), RunFolder(path=tmp_path).lock():
        pass


# Files --------------------------------------------------------------------------------------


def test_open_run_makes_the_folder_and_leaves_no_probe(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "a" / "b")
    assert folder.path.is_dir()
    assert list(folder.path.iterdir()) == []


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(WorkspaceError, match=r"cannot write in .* choose another folder"):
            open_run(path)


def test_write_atomic_replaces_or_leaves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    write_atomic(path, "Å")
    assert path.read_bytes() == "Å".encode()
    write_atomic(path, b"new")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(WorkspaceError, match=r"cannot write .* No space left on device"):
        write_atomic(path, "newer")
    assert path.read_bytes() == b"new"


def test_versions_name_what_numbers_depend_on() -> None:
    versions = collect_versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"solvation", "openmm", "MDAnalysis", "rdkit", "packmol", "numpy"} <= set(versions)
    assert versions["openmm"][0].isdigit()


def test_an_interrupted_stage_says_so(tmp_path: Path) -> None:
    folder = RunFolder(path=tmp_path)
    with pytest.raises(KeyboardInterrupt), folder.record_stage("simulate/a", "x"):
        raise KeyboardInterrupt
    assert folder.read_manifest()["stages"]["simulate/a"]["state"] == "interrupted"
    assert not folder.is_done("simulate/a", "x")
