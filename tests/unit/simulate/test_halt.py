"""A run that is asked to stop loses nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from solvation.errors import StopError
from solvation.log import read_log
from solvation.simulate.dynamics import run_replica
from solvation.simulate.halt import Halt, heed_signals
from solvation.simulate.loop import StageRun, Tick
from solvation.simulate.snapshot import load_snapshot

from .argon import make_plan, make_stage, write_prepared
from .test_loop import PLAN, STAGES, read_frames


def test_a_deadline() -> None:
    halt = Halt(time.monotonic() + 100)
    assert halt.reason is None
    halt.check()
    late = Halt(time.monotonic() - 1)
    assert late.reason == "time is up"
    with pytest.raises(StopError, match=r"stopped \(time is up\); run the same command") as caught:
        late.check()
    assert caught.value.exit_code == 130


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "asked to by SIGTERM")],
)
def test_signals_ask_and_the_second_interrupts(kind: signal.Signals, reason: str) -> None:
    earlier = signal.getsignal(kind)
    halt = Halt()
    with heed_signals(halt):
        os.kill(os.getpid(), kind)
        assert halt.reason == reason
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), kind)
    assert signal.getsignal(kind) == earlier


@pytest.mark.parametrize("stop", [1, 4, 9, 17, 20, 24])
def test_asked_at_a_report_it_stops_there(tmp_path: Path, stop: int) -> None:
    prepared, halt, count = write_prepared(tmp_path / "build"), Halt(), 0

    def ask(_: Tick) -> None:
        nonlocal count
        count += 1
        if count == stop:
            halt.ask("enough")

    def simulate(halt: Halt | None) -> None:
        run_replica(
            prepared, tmp_path / "run", PLAN, PLAN.replicas[0], inputs="abc",
            platform="Reference", progress=ask, halt=halt,
        )  # fmt: skip

    with pytest.raises(StopError, match="enough"):
        simulate(halt)
    log = read_log(tmp_path / "run/log.csv")
    assert stop <= len(log.step) <= stop + 1, "at once, or at the first step of the next stage"
    snapshot = load_snapshot(tmp_path / "run/checkpoint")
    assert snapshot is not None
    assert snapshot.progress.log_bytes == (tmp_path / "run/log.csv").stat().st_size
    simulate(None)
    times, _ = read_frames(prepared, tmp_path / "run")
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    for stage in STAGES:
        steps = read_log(tmp_path / "run/log.csv").select(stage.name).step
        np.testing.assert_array_equal(steps, 10 * np.arange(1, len(steps) + 1))


def test_asked_between_reports_it_keeps_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of the interval that are done are not done again: bit for bit the same trajectory."""
    stages = (make_stage("heat", 2), make_stage("production", 4))
    prepared = write_prepared(tmp_path / "build")
    plan = make_plan(*stages)
    run_replica(
        prepared, tmp_path / "whole", plan, plan.replicas[0], inputs="abc", platform="Reference"
    )
    monkeypatch.setattr("solvation.simulate.loop._CHUNK", 1e-9)  # one step at a time
    halt, count = Halt(), 0
    keep = StageRun._count

    def ask(self: StageRun, steps: int) -> None:
        nonlocal count
        keep(self, steps)
        count += steps
        if self.stage.name == "production" and count >= 33:
            halt.ask("enough")

    monkeypatch.setattr(StageRun, "_count", ask)
    with pytest.raises(StopError, match="enough"):
        run_replica(
            prepared, tmp_path / "run", plan, plan.replicas[0], inputs="abc",
            platform="Reference", halt=halt,
        )  # fmt: skip
    snapshot = load_snapshot(tmp_path / "run/checkpoint")
    assert snapshot is not None
    assert snapshot.progress.stage == "production"
    assert 0 < snapshot.progress.steps < 10
    monkeypatch.setattr(StageRun, "_count", keep)
    run_replica(
        prepared, tmp_path / "run", plan, plan.replicas[0], inputs="abc", platform="Reference"
    )
    whole, resumed = (read_frames(prepared, tmp_path / name) for name in ("whole", "run"))
    np.testing.assert_array_equal(whole[0], resumed[0])
    np.testing.assert_array_equal(whole[1], resumed[1])
