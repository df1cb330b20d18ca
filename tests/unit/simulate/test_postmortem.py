"""What blew up is named, tried once more with a smaller step, and then given up."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import MDAnalysis as mda
import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.log import read_log
from solvation.simulate.dynamics import run_replica
from solvation.simulate.loop import StageRun
from solvation.simulate.postmortem import BlowUpError, examine
from solvation.simulate.protocol import halve_timestep
from solvation.simulate.snapshot import load_snapshot

from .argon import make_positions, make_system, make_topology, write_prepared
from .test_loop import PLAN, read_frames, simulate


def make_close() -> tuple[openmm.Context, openmm.State]:
    """Atoms 5 and 9 run into one another, and a bond that is stronger yet pulls at 20 and 21."""
    system = make_system()
    system.addForce(openmm.HarmonicBondForce())
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.004),
        openmm.Platform.getPlatformByName("Reference"),
    )
    x = make_positions()
    x[9] = x[5] + np.array([0.0, 0.2, 0.0])
    v = np.zeros((64, 3))
    v[9] = [0, -3.0, 0]
    context.setPositions(x)
    context.setVelocities(v)
    return context, context.getState(getPositions=True, getVelocities=True)


def test_atoms_and_force_term_are_named(tmp_path: Path) -> None:
    context, good = make_close()
    text = examine(
        context, good, 50, make_topology(), tmp_path / "blow-up", reason="test", hottest=900.0
    )
    report = json.loads((tmp_path / "blow-up/report.json").read_text())
    assert report["happened_again"]
    assert {report["atoms"][0]["index"], report["atoms"][1]["index"]} == {5, 9}
    assert report["atoms"][0]["term"] == "NonbondedForce"
    assert report["atoms"][0]["neighbour"] in ("Ar6.Ar", "Ar10.Ar")
    assert report["atoms"][0]["distance"] < 2.5
    assert report["atoms"][0]["force"] > 1e4
    assert set(report["energies_kJ_mol"]) == {"NonbondedForce", "HarmonicBondForce"}
    assert text.startswith("NonbondedForce on Ar")
    frames = mda.Universe.empty(64, trajectory=True)
    frames.load_new(str(tmp_path / "blow-up/frames.xtc"))
    assert 1 <= len(frames.trajectory) <= 10


def test_what_does_not_happen_again_is_said(tmp_path: Path) -> None:
    context = make_close()[0]
    context.setPositions(make_positions())
    context.setVelocities(np.zeros((64, 3)))
    calm = context.getState(getPositions=True, getVelocities=True)
    text = examine(context, calm, 20, make_topology(), tmp_path, reason="test", hottest=900.0)
    assert "did not happen again" in text
    assert json.loads((tmp_path / "report.json").read_text())["happened_again"] is False


def test_half_the_time_step_reports_at_the_same_times() -> None:
    half = halve_timestep(PLAN)
    assert half.timestep == PLAN.timestep / 2
    assert half.interval == PLAN.interval
    assert half.n_halvings == 1
    assert half.stages == PLAN.stages


def spoil(monkeypatch: pytest.MonkeyPatch, times: int, stage: str, after: int) -> list[float]:
    """Put two atoms on one another, some times; returns the time steps that stages ran with."""
    steps, used, done = StageRun._step, [], 0

    def step(self: StageRun, started: int = 0) -> int:
        nonlocal done
        used.append(self.plan.timestep)
        ended = steps(self, started)
        count = len(read_log(self.files.log).select(stage).step) if self.files.log.exists() else 0
        if self.stage.name == stage and count >= after and done < times:
            done += 1
            x = self.context.getState(getPositions=True).getPositions(asNumpy=True)
            x = x.value_in_unit(unit.nanometer).copy()
            x[0] = x[1]
            self.context.setPositions(x)
        return ended

    monkeypatch.setattr(StageRun, "_step", step)
    return used


def test_a_stage_is_tried_once_more_with_half_the_time_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = write_prepared(tmp_path / "build")
    used = spoil(monkeypatch, 1, "production", after=5)
    with caplog.at_level(logging.WARNING):
        outcome = simulate(prepared, tmp_path / "run")
    assert outcome.retried == ("production",)
    assert "blew up in stage production" in caplog.text
    assert "trying once more from the last checkpoint with 2 fs" in caplog.text
    assert sorted(set(used)) == [0.002, 0.004]
    assert used[-1] == 0.002
    times, _ = read_frames(prepared, tmp_path / "run")
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    log = read_log(tmp_path / "run/log.csv").select("production")
    np.testing.assert_allclose(log.time, 0.04 * np.arange(1, 13))
    np.testing.assert_array_equal(log.step, 10 * np.arange(1, 13))
    assert (tmp_path / "run/blow-up/report.json").exists()
    snapshot = load_snapshot(tmp_path / "run/checkpoint")
    assert snapshot is not None
    assert snapshot.progress.retried == ("production",)


def test_the_second_time_it_is_given_up_and_stays_resumable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = write_prepared(tmp_path / "build")
    spoil(monkeypatch, 2, "production", after=5)
    with pytest.raises(BlowUpError, match="blew up in stage production") as caught:
        simulate(prepared, tmp_path / "run")
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    snapshot = load_snapshot(tmp_path / "run/checkpoint")
    assert snapshot is not None
    assert snapshot.progress.stage == "production"
    assert np.isfinite(read_log(tmp_path / "run/log.csv").potential_energy).all()
    outcome = run_replica(
        prepared, tmp_path / "run", replace(PLAN), PLAN.replicas[0], inputs="abc",
        platform="Reference",
    )  # fmt: skip
    times, _ = read_frames(prepared, tmp_path / "run")
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    assert outcome.production == pytest.approx(0.48)
