"""Stopped, extended, branched, and bereft of its boxes: a run goes on."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import solvation
from solvation.errors import StopError, WorkspaceError
from solvation.extend import branch_run
from solvation.log import read_log
from solvation.recipe import load_recipe, parse_recipe
from solvation.simulate.snapshot import load_snapshot

from .test_resume import REPLICAS, _count_reports, _times


@pytest.fixture
def copy(tiny_run, tmp_path: Path) -> Path:
    """A finished run of two replicas, 8 ps, without what MDAnalysis remembers of the files."""
    ignore = shutil.ignore_patterns(".*_offsets.*")
    shutil.copytree(tiny_run.folder.path, tmp_path / "run", ignore=ignore)
    return tmp_path / "run"


def test_a_run_is_extended(copy: Path) -> None:
    recipe = load_recipe(copy / "recipe.toml")
    first = read_log(copy / "simulate/contact-1/log.csv").select("production").potential_energy
    run = solvation.run(recipe, copy, extend="0.8 ps", until="simulate")
    for start in ("separated", "contact"):
        assert _times(copy, start) == pytest.approx(np.arange(45) * 0.2, abs=1e-4)
    energy = read_log(copy / "simulate/contact-1/log.csv").select("production").potential_energy
    np.testing.assert_array_equal(energy[: len(first)], first)
    assert load_recipe(copy / "recipe.toml").protocol.production_time == "8.8 ps"
    manifest = run.folder.read_manifest()
    assert manifest["replicas"]["contact-1"]["production_ps"] == pytest.approx(8.8)
    # The command that began it keeps what was added.
    before = (copy / "simulate/contact-1/trajectory.xtc").stat()
    solvation.run(recipe, copy, until="simulate")
    after = (copy / "simulate/contact-1/trajectory.xtc").stat()
    assert (before.st_size, before.st_mtime) == (after.st_size, after.st_mtime)


def test_the_manifest_says_how_it_was_made(tiny_run) -> None:
    manifest = tiny_run.folder.read_manifest()
    assert manifest["hardware"]["why"].split(",")[0].split()[0] in ("CUDA", "HIP", "OpenCL", "CPU")
    assert manifest["hardware"]["precision"] == "mixed"
    assert manifest["hardware"]["machine"]["cores"] >= 1
    assert len(manifest["inputs"]["build/separated/system.xml"]) == 64
    assert manifest["inputs"]["recipe"] == manifest["recipe_hash"]
    for entry in manifest["replicas"].values():
        assert entry["retried"] == []
        assert list(entry["stages"]) == ["heat", "anneal", "density", "production"]
        production = entry["stages"]["production"]
        assert production["ps"] == pytest.approx(8)
        assert production["ns_per_day"] > 0
        assert production["wall_s"] > 0
        assert np.isfinite(production["energy_drift"])


BRIEF = [
    "protocol.production_time=0.8 ps", "protocol.density_time=0.8 ps",
    "protocol.density_time_max=0.8 ps", "protocol.anneal_time=0.4 ps",
]  # fmt: skip


def test_a_branch_begins_where_the_other_ended(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "warm"
    recipe = branch_run(copy, target, ["conditions.temperature=320 K", *BRIEF])
    built = (target / "build/contact/system.xml").read_bytes()
    assert built == (copy / "build/contact/system.xml").read_bytes(), "nothing is packed again"
    run = solvation.run(recipe, target, until="simulate")
    log = read_log(target / "simulate/contact-1/log.csv")
    assert list(dict.fromkeys(log.stage)) == ["anneal", "density", "production"]
    old = read_log(copy / "simulate/contact-1/log.csv").select("production")
    assert log.potential_energy[0] == pytest.approx(old.potential_energy[-1], abs=10 * 60)
    assert log.volume[0] == pytest.approx(old.volume[-1], rel=0.03)
    manifest = run.folder.read_manifest()
    assert manifest["branched_from"]["folder"] == str(copy)
    assert manifest["branched_from"]["production_ps"]["contact-1"] == pytest.approx(8)
    assert "simulate/contact-1/origin" in manifest["inputs"]
    # Typed again it is done; with other settings it is another run.
    again = branch_run(copy, target, ["conditions.temperature=320 K", *BRIEF])
    assert again == recipe
    other = branch_run(copy, target, ["conditions.temperature=330 K", *BRIEF])
    with pytest.raises(WorkspaceError, match="holds another run"):
        solvation.run(other, target, until="simulate")


@pytest.mark.slow
def test_a_branch_to_another_model_keeps_positions(copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "full"
    recipe = branch_run(copy, target, ["model.charge_scale=1.0", "protocol.replicas=1", *BRIEF])
    solvation.run(recipe, target, until="simulate")
    assert _times(target) == pytest.approx(np.arange(5) * 0.2, abs=1e-4)
    audit = json.loads((target / "build/separated/audit.json").read_text())
    assert audit["charge_scale"] == 1.0
    old = read_log(copy / "simulate/separated-1/log.csv").select("production")
    log = read_log(target / "simulate/separated-1/log.csv")
    assert log.volume[0] == pytest.approx(old.volume[-1], rel=0.05)


def test_boxes_that_were_lost_are_built_again(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And used when they are the same to the last bit."""
    before = (copy / "build/contact/system.xml").read_bytes()
    shutil.rmtree(copy / "build/contact")
    recipe = load_recipe(copy / "recipe.toml")
    with caplog.at_level(logging.WARNING):
        solvation.run(recipe, copy, until="build")
    assert "build/contact was lost; built again, and the same as before" in caplog.text
    assert (copy / "build/contact/system.xml").read_bytes() == before
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["inputs"]["build/contact/system.xml"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    shutil.rmtree(copy / "build/contact")
    message = r"build/contact was lost, and what is built now is not the same \(system.xml\)"
    with pytest.raises(WorkspaceError, match=message):
        solvation.run(recipe, copy, until="build")


def test_a_shortened_trajectory_is_refused(copy: Path) -> None:
    """Neither the last checkpoint nor the one before has its frames."""
    os.truncate(copy / "simulate/separated-1/trajectory.xtc", 1000)
    recipe = load_recipe(copy / "recipe.toml", settings=['protocol.production_time="9 ps"'])
    with pytest.raises(WorkspaceError, match="1000 bytes"):
        solvation.run(recipe, copy, until="simulate")


# Stopped ------------------------------------------------------------------------------------


class Job:
    """A run on the command line, in a process group of its own."""

    def __init__(self, folder: Path, production: float) -> None:
        protocol = {**REPLICAS["protocol"], "production_time": f"{production} ps"}
        self.recipe = parse_recipe({**REPLICAS, "protocol": protocol})
        (folder / "tiny.toml").write_text(self.recipe.to_toml())
        self.folder, self.production = folder / "run", production
        self.command = [
            sys.executable, "-m", "solvation", "run", str(folder / "tiny.toml"),
            "-o", str(self.folder), "--at-once", "2", "--until", "simulate",
        ]  # fmt: skip

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *more], text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, "OPENMM_CPU_THREADS": "1"}, start_new_session=True,
        )  # fmt: skip

    def check_stopped(self, process: subprocess.Popen[str], reason: str) -> None:
        """One line, exit code 130, and checkpoints that hold all that is in the logs."""
        error = process.communicate()[1].strip().splitlines()[-1]
        assert process.returncode == 130, error
        assert error == f"solvation: stopped ({reason}); run the same command again to continue"
        states = json.loads((self.folder / "manifest.json").read_text())["stages"]
        for start in ("separated", "contact"):
            assert states[f"simulate/{start}-1"]["state"] == "interrupted"
            place = self.folder / f"simulate/{start}-1"
            snapshot = load_snapshot(place / "checkpoint")
            assert snapshot is not None
            log = place / "log.csv"
            assert snapshot.progress.log_bytes == (log.stat().st_size if log.exists() else 0)


def test_sigterm_stops_cleanly_and_a_second_process_is_kept_out(tmp_path: Path) -> None:
    job = Job(tmp_path, production=2000)  # never reached, however fast the machine
    process = job.start()
    while _count_reports(job.folder) < 12:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    second = job.start()
    assert f"is in use by process {process.pid}; wait for it" in second.communicate()[1]
    assert second.returncode == 2
    process.send_signal(signal.SIGTERM)
    job.check_stopped(process, "asked to by SIGTERM")


def test_hours_that_are_over_stop_it_and_it_goes_on(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension much longer than its time; typed again it is not extended again."""
    reports: list[str] = []

    def listen(event) -> None:
        if "ns/day" in event.text:
            reports.append(event.text)

    class Clock:
        """After a few reports it is an hour later."""

        @staticmethod
        def monotonic() -> float:
            return time.monotonic() + (3600 if len(reports) > 4 else 0)

    monkeypatch.setattr("solvation.simulate.halt.time", Clock)
    recipe = load_recipe(copy / "recipe.toml")
    longer = recipe.protocol.production_time.magnitude + 400
    done = _count_reports(copy)
    for _ in range(2):
        reports.clear()
        with pytest.raises(StopError, match=r"stopped \(time is up\); run the same command again"):
            solvation.run(
                recipe, copy, extend="400 ps", until="simulate", max_hours=0.9, progress=listen
            )
        assert _count_reports(copy) > done
        done = _count_reports(copy)
    assert load_recipe(copy / "recipe.toml").protocol.production_time.magnitude == longer
    states = json.loads((copy / "manifest.json").read_text())["stages"]
    assert "interrupted" in {states[f"simulate/{s}-1"]["state"] for s in ("separated", "contact")}
    for start in ("separated", "contact"):
        log = read_log(copy / f"simulate/{start}-1/log.csv").select("production")
        assert (np.diff(log.step) == 50).all()
        assert _times(copy, start) == pytest.approx(np.arange(len(log.step) + 1) * 0.2, abs=1e-3)


@pytest.mark.slow
def test_the_hours_of_the_manual(tmp_path: Path) -> None:
    """72 s, and 72 s more."""
    job = Job(tmp_path, production=400)
    process = job.start("--max-hours", "0.02")
    began = time.monotonic()
    job.check_stopped(process, "time is up")
    assert 70 < time.monotonic() - began < 100
    done = _count_reports(job.folder)
    assert done > 0
    job.check_stopped(job.start("--max-hours", "0.02"), "time is up")
    assert _count_reports(job.folder) > done
