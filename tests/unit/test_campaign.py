"""``solvation campaign``: what it prints, its exit codes, and its script for a batch system."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from solvation.campaign import plan, schedule
from solvation.campaign.plan import list_points, load_campaign
from solvation.campaign.schedule import CampaignRun, Standing
from solvation.cli import main

Call = Callable[..., tuple[int, str, str]]

FILE = """
name = "two"
recipes = ["mg-tfsi2-dme", "ca-tfsi2-dme"]
temperatures = ["298.15 K"]
replicas = 3
profile = "quick"
[workers]
kind = "slurm"
queue = "gpu"
gpus = true
directives = ["--gres=gpu:1"]
"""


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command line beside the campaign file: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    (tmp_path / "two.toml").write_text(FILE, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["solvation", "campaign", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capfd.readouterr()
        return int(done.value.code or 0), out, err

    return run


def make_outcome(*states: str) -> CampaignRun:
    points = list_points(load_campaign("two.toml"))
    standings = tuple(
        Standing(
            point=point,
            folder=Path("runs/two") / point.label,
            state=state,  # type: ignore[arg-type]
            replicas_done=3 if state == "done" else 1,
            n_replicas=3,
            error="replica contact-1 blew up" if state == "failed" else "",
        )
        for point, state in zip(points, states, strict=True)
    )
    return CampaignRun(
        path=Path("runs/two"), standings=standings, results=Path("runs/two/results.nc"), page=None
    )


def test_dry_run_prints_points_and_script_and_does_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    code, out, err = call("two.toml", "--dry-run")
    assert (code, err) == (0, "")
    assert "2 points, 6 replicas, on 1 slurm worker(s)" in out
    for text in ("mg-tfsi2-dme-298.15K", "ca-tfsi2-dme-298.15K", "#SBATCH --gres=gpu:1",
                 "#SBATCH -p gpu", "--resources GPU=1"):  # fmt: skip
        assert text in out
    assert "no line asks the queue for a GPU" not in out
    assert not (tmp_path / "runs").exists()
    monkeypatch.setattr(plan, "check_points", lambda *_: None)
    code, out, _ = call("two.toml", "--dry-run", "--json")
    document = json.loads(out)
    assert code == 0
    assert [row["temperature"] for row in document["points"]] == [298.15, 298.15]
    assert len(document["points"][0]["replicas"]) == 3
    assert document["job_script"].startswith("#!/usr/bin/env bash")


def test_gpus_that_no_job_asks_for_are_said(call: Call, tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "two.toml").write_text(FILE.replace("directives", "# "), encoding="utf-8")
    _, out, _ = call("two.toml", "--dry-run")
    assert "no line asks the queue for a GPU" in out


@pytest.mark.parametrize(("states", "code"), [(("done", "done"), 0), (("done", "failed"), 3)])
def test_exit_code_and_table(
    call: Call, monkeypatch: pytest.MonkeyPatch, states: tuple[str, str], code: int
) -> None:
    def run(*_: object, progress: Callable, **choices: object) -> CampaignRun:
        assert choices["number"] == 4
        outcome = make_outcome(*states)
        progress(outcome.standings)
        progress(outcome.standings)
        return outcome

    monkeypatch.setattr(schedule, "run_campaign", run)
    got, out, err = call("two.toml", "--workers", "4")
    assert got == code
    assert "mg-tfsi2-dme-298.15K" in out
    assert "results: runs/two/results.nc" in out
    assert err.count("mg-tfsi2-dme-298.15K  done  3/3 replicas") == 1
    if code:
        assert "replica contact-1 blew up" in out
        assert "1 of 2 points failed; run the same command again" in err
    got, out, _ = call("two.toml", "--workers", "4", "--json")
    assert got == code
    rows = json.loads(out)["points"]
    assert [row["state"] for row in rows] == list(states)


def test_a_wrong_file_is_exit_code_2(call: Call) -> None:
    code, _, err = call("none.toml")
    assert code == 2
    assert err.startswith("solvation: cannot read none.toml")


def test_help_teaches(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    for text in ("recipes =", "[workers]", "--dry-run", "Run the same command again"):
        assert text in out
