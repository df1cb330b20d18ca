"""The loop: every report and every frame once, however often it is broken off."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import MDAnalysis as mda
import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.errors import SimulationError, StopError, WorkspaceError
from solvation.log import read_log
from solvation.simulate.dynamics import Outcome, run_replica
from solvation.simulate.engine import load_snapshot, make_context
from solvation.simulate.halt import Halt
from solvation.simulate.hardware import Hardware
from solvation.simulate.loop import StageRun, Tick
from solvation.simulate.protocol import Plan
from solvation.simulate.snapshot import find_previous

from .argon import make_plan, make_stage, write_prepared

STAGES = (
    make_stage("heat", 4, hot=150.0),
    make_stage("anneal", 5, hot=150.0),
    make_stage("density", 8, 40),
    make_stage("production", 12),
)
PLAN = make_plan(*STAGES)


class Killed(Exception):
    """What a kill is to the files: nothing after it happens."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("argon") / "build")


def simulate(
    prepared: Path, folder: Path, plan: Plan = PLAN, progress: Callable[[Tick], None] | None = None
) -> Outcome:
    return run_replica(
        prepared, folder, plan, plan.replicas[0], inputs="abc", platform="Reference",
        progress=progress,
    )  # fmt: skip


def read_frames(prepared: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    universe = mda.Universe(
        str(prepared / "topology.pdb"),
        str(folder / "trajectory.xtc"),
        to_guess=(),
        refresh_offsets=True,
    )
    frames = [(frame.time, frame.positions.copy()) for frame in universe.trajectory]
    return np.array([time for time, _ in frames]), np.array([x for _, x in frames])


@pytest.fixture(scope="module")
def whole(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, list]:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("argon") / "random-1"
    ticks: list[Tick] = []
    return folder, simulate(prepared, folder, progress=ticks.append), ticks


def test_the_log_has_every_report_of_every_stage(whole) -> None:
    log = read_log(whole[0] / "log.csv")
    assert list(dict.fromkeys(log.stage)) == ["heat", "anneal", "density", "production"]
    for stage in STAGES:
        part = log.select(stage.name)
        assert stage.n_intervals <= len(part.step) <= stage.n_intervals_max
        np.testing.assert_array_equal(part.step, 10 * np.arange(1, len(part.step) + 1))
        np.testing.assert_allclose(part.time, 0.04 * np.arange(1, len(part.step) + 1))
    mass = 64 * 39.948 * 1.66053906660
    np.testing.assert_allclose(log.density, mass / log.volume, rtol=1e-5)
    np.testing.assert_allclose(
        log.temperature, 2 * log.kinetic_energy / (3 * 64 * 8.31446e-3), rtol=1e-4
    )
    assert (log.speed > 0).all()
    for name in ("heat", "production"):
        assert np.ptp(log.select(name).volume) == 0
    assert np.ptp(log.select("density").volume) > 0


def test_production_runs_at_the_mean_volume_of_the_density_stage(whole) -> None:
    from solvation.kernels.stationarity import judge_stationarity

    log = read_log(whole[0] / "log.csv")
    volumes = log.select("density").volume
    mean = volumes[judge_stationarity(volumes).start :].mean()
    assert log.select("production").volume[0] == pytest.approx(mean, rel=1e-5)


def test_the_trajectory_has_every_frame_and_the_time_of_it(prepared: Path, whole) -> None:
    times, positions = read_frames(prepared, whole[0])
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    steps = np.abs(np.diff(positions, axis=0))
    assert steps.max() < 2.0, "unwrapped: no atom jumps across the box"


def test_the_outcome_says_how_it_went(whole) -> None:
    outcome = whole[1]
    assert outcome.replica == "random-1"
    assert outcome.production == pytest.approx(12 * 0.04)
    assert outcome.platform.startswith("Reference OpenMM 8")
    speeds = read_log(whole[0] / "log.csv").select("production").speed
    assert outcome.speed == pytest.approx(len(speeds) / (1 / speeds).sum(), rel=1e-6)


def test_ticks_tell_where_it_stands(whole) -> None:
    ticks: list[Tick] = whole[2]
    assert len(ticks) == len(read_log(whole[0] / "log.csv").step)
    done = [tick.done for tick in ticks]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert ticks[-1].remaining == 0
    assert all(0 < tick.time <= tick.time_total + 1e-9 for tick in ticks)
    assert all(math.isfinite(tick.speed) and tick.remaining >= 0 for tick in ticks)
    assert ticks[-1].time == ticks[-1].time_total == pytest.approx(0.48)


def test_the_density_stage_ends_when_density_and_energy_are_stationary(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for the first time at its least length, then at every tenth of it.

    The energy is asked for once the density says yes; it says yes one tenth later.
    """
    asked: list[int] = []

    def judge(series):
        asked.append(len(series))
        return replace(real(series), stationary=len(asked) in (3, 5, 6))

    from solvation.kernels.stationarity import judge_stationarity as real

    monkeypatch.setattr("solvation.simulate.loop.judge_stationarity", judge)
    plan = make_plan(make_stage("density", 20, 60), make_stage("production", 4))
    simulate(prepared, tmp_path, plan)
    assert asked == [20, 22, 24, 24, 26, 26]
    assert len(read_log(tmp_path / "log.csv").select("density").step) == 26


def test_a_density_that_drifts_ends_at_the_most(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvation.kernels.stationarity import judge_stationarity as real

    monkeypatch.setattr(
        "solvation.simulate.loop.judge_stationarity",
        lambda series: replace(real(series), stationary=False),
    )
    plan = make_plan(make_stage("density", 6, 9), make_stage("production", 4))
    simulate(prepared, tmp_path, plan)
    assert len(read_log(tmp_path / "log.csv").select("density").step) == 9


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 9, 10, 16, 18, 19, 24])
def test_broken_off_anywhere_it_goes_on(prepared: Path, tmp_path: Path, stop: int) -> None:
    """After the log line, before the frame: the worst moment for both files."""
    count = 0

    def kill(_: Tick) -> None:
        nonlocal count
        count += 1
        if count == stop:
            raise Killed

    with pytest.raises(Killed):
        simulate(prepared, tmp_path, progress=kill)
    outcome = simulate(prepared, tmp_path)
    assert outcome.production == pytest.approx(0.48)
    times, _ = read_frames(prepared, tmp_path)
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    log = read_log(tmp_path / "log.csv")
    for stage in STAGES:
        steps = log.select(stage.name).step
        np.testing.assert_array_equal(steps, 10 * np.arange(1, len(steps) + 1))
    assert list(dict.fromkeys(log.stage)) == ["heat", "anneal", "density", "production"]


def test_broken_off_again_and_again(prepared: Path, tmp_path: Path) -> None:
    """Every start gets four reports far; checkpoints come every three."""
    for _ in range(40):
        count = 0

        def kill(_: Tick) -> None:
            nonlocal count
            count += 1
            if count == 4:
                raise Killed

        try:
            simulate(prepared, tmp_path, progress=kill)
            break
        except Killed:
            continue
    times, _ = read_frames(prepared, tmp_path)
    np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)


def test_a_finished_replica_is_left_alone(prepared: Path, whole) -> None:
    before = (whole[0] / "trajectory.xtc").read_bytes(), (whole[0] / "log.csv").read_bytes()
    simulate(prepared, whole[0])
    assert before == (
        (whole[0] / "trajectory.xtc").read_bytes(), (whole[0] / "log.csv").read_bytes()
    )  # fmt: skip


def test_the_checkpoint_before_is_another_moment(prepared: Path, whole) -> None:
    """Also after the run was called again and did nothing."""
    simulate(prepared, whole[0])
    newest = load_snapshot(whole[0] / "checkpoint")
    before = load_snapshot(find_previous(whole[0] / "checkpoint"))
    assert newest is not None
    assert before is not None
    assert (newest.progress.interval, before.progress.interval) == (12, 9)


def test_a_longer_production_goes_on_from_the_shorter(prepared: Path, tmp_path: Path) -> None:
    simulate(prepared, tmp_path)
    before, first = read_frames(prepared, tmp_path)
    longer = make_plan(*STAGES[:3], make_stage("production", 20))
    simulate(prepared, tmp_path, longer)
    times, positions = read_frames(prepared, tmp_path)
    np.testing.assert_allclose(times, 0.04 * np.arange(21), atol=1e-5)
    np.testing.assert_array_equal(positions[: len(before)], first)


def test_same_seed_same_trajectory(prepared: Path, tmp_path: Path, whole) -> None:
    simulate(prepared, tmp_path)
    assert (tmp_path / "trajectory.xtc").read_bytes() == (whole[0] / "trajectory.xtc").read_bytes()


def interrupt(reports: int, halt: Halt | None) -> Callable[[Tick], None]:
    """Kill after so many reports, or ask to stop."""
    left = reports

    def count(_: Tick) -> None:
        nonlocal left
        left -= 1
        if left == 0 and halt is None:
            raise Killed
        if left == 0 and halt is not None:
            halt.ask("no more time")

    return count


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_deterministic_and_killed_it_has_the_same_bits(
    prepared: Path, tmp_path: Path, platform: str
) -> None:
    """After every five reports killed, or asked to stop; the clock in the log aside."""
    hardware = Hardware(platform=platform, deterministic=True, threads=1)
    kind = {"inputs": "abc", "platform": hardware}
    long = make_plan(*STAGES[:2], make_stage("density", 8, 16), make_stage("production", 60))
    folders = tmp_path / "whole", tmp_path / "killed"
    run_replica(prepared, folders[0], long, long.replicas[0], **kind)
    kills = 0
    while True:
        halt = Halt()
        kill = interrupt(5, halt if kills % 2 else None)
        try:
            run_replica(
                prepared, folders[1], long, long.replicas[0], progress=kill, halt=halt, **kind
            )
            break
        except (Killed, StopError):
            kills += 1
    assert kills > 10
    frames, other = (read_frames(prepared, folder)[1] for folder in folders)
    np.testing.assert_array_equal(frames, other)
    logs = [
        [line.split(",")[:8] for line in (folder / "log.csv").read_text().splitlines()]
        for folder in folders
    ]
    assert logs[0] == logs[1]


def test_every_part_of_a_stage_has_its_own_noise(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU platform does not keep its random numbers in a checkpoint."""
    seeds: list[int] = []

    def record(*args: Any, seed: int, **others: Any) -> openmm.Context:
        seeds.append(seed)
        return make_context(*args, seed=seed, **others)

    def kill(tick: Tick) -> None:
        if tick.stage == "production" and tick.time > 0.3:
            raise Killed

    monkeypatch.setattr("solvation.simulate.dynamics.make_context", record)
    with pytest.raises(Killed):
        simulate(prepared, tmp_path, progress=kill)
    simulate(prepared, tmp_path)
    assert len(seeds) == 5
    assert len(set(seeds)) == 5


# What goes wrong ----------------------------------------------------------------------------


def test_other_inputs_are_refused(prepared: Path, whole) -> None:
    with pytest.raises(WorkspaceError, match="belongs to another recipe or force field"):
        run_replica(
            prepared, whole[0], PLAN, PLAN.replicas[0], inputs="other", platform="Reference"
        )


def test_lost_frames_are_refused(prepared: Path, tmp_path: Path) -> None:
    simulate(prepared, tmp_path)
    (tmp_path / "trajectory.xtc").write_bytes(b"")
    with pytest.raises(WorkspaceError, match=r"has 0 bytes but its checkpoint says \d+"):
        simulate(prepared, tmp_path)


def test_a_run_that_blows_up_says_so_and_keeps_its_checkpoint(
    prepared: Path, tmp_path: Path
) -> None:
    hot = replace(PLAN, timestep=0.2)
    with pytest.raises(SimulationError, match="replica random-1 blew up in stage heat") as caught:
        simulate(prepared, tmp_path, hot)
    assert "\n" not in str(caught.value)
    assert "protocol.timestep" in str(caught.value)
    assert caught.value.exit_code == 3


def test_an_energy_that_is_no_number_blows_up_too(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log and the checkpoint must never hold it."""
    steps = StageRun._step

    def spoil(self: StageRun, done: int = 0) -> int:
        done = steps(self, done)
        if self.stage.name == "density":
            x = self.context.getState(getPositions=True).getPositions(asNumpy=True)
            x = x.value_in_unit(unit.nanometer).copy()
            x[0] = x[1]
            self.context.setPositions(x)
        return done

    monkeypatch.setattr(StageRun, "_step", spoil)
    with pytest.raises(SimulationError, match="blew up in stage density"):
        simulate(prepared, tmp_path)
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    assert snapshot.progress.stage == "anneal"
    log = read_log(tmp_path / "log.csv")
    assert np.isfinite(log.potential_energy).all()
    assert "density" not in log.stage


def test_a_full_disk_is_one_line(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openmm.app.XTCFile, "writeModel", full)
    with pytest.raises(WorkspaceError, match=r"cannot write .*trajectory.xtc: No space left"):
        simulate(prepared, tmp_path)
