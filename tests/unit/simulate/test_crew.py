"""Replicas beside one another: all places used, and none in the way of the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvation.errors import RecipeError, SimulationError, SolvationError, StopError, WorkspaceError
from solvation.simulate import crew, hardware
from solvation.simulate.crew import Spread, Task, plan_slots, run_crew
from solvation.simulate.dynamics import Outcome
from solvation.simulate.halt import Halt
from solvation.simulate.hardware import Hardware
from solvation.simulate.loop import Tick
from solvation.simulate.protocol import Plan, Replica

from .argon import make_plan, make_stage, write_prepared
from .test_loop import read_frames

HERE = Hardware(platform="Reference")
STAGES = (make_stage("heat", 4), make_stage("density", 8), make_stage("production", 12))


def make_tasks(folder: Path, number: int, plan: Plan | None = None) -> list[Task]:
    prepared = write_prepared(folder / "build")
    return [
        Task(
            prepared=prepared,
            folder=folder / f"random-{index}",
            plan=plan or make_plan(*STAGES),
            replica=Replica(name=f"random-{index}", start="random", seed=index),
            inputs="abc",
        )
        for index in range(1, number + 1)
    ]


def run_all(tasks: list[Task], n_slots: int, spread: Spread, **listeners: Any) -> dict[str, Any]:
    ended: dict[str, Outcome | SolvationError] = {}
    run_crew(
        tasks, [HERE] * n_slots, halt=listeners.pop("halt", Halt()), spread=spread,
        on_end=ended.__setitem__, **listeners,
    )  # fmt: skip
    return ended


# Places -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "n_tasks", "at_once", "threads"),
    [
        (16, 4, None, (4, 4, 4, 4)),
        (16, 3, None, (6, 5, 5)),
        (2, 4, None, (1, 1)),
        (1, 4, None, (1,)),
        (8, 4, 2, (4, 4)),
        (8, 1, None, (8,)),
    ],
)
def test_cores_are_split(
    cores: int, n_tasks: int, at_once: int | None, threads: tuple[int, ...]
) -> None:
    slots = plan_slots(
        Hardware(platform="CPU", threads=cores), n_tasks, 5000, at_once=at_once
    )  # fmt: skip
    assert tuple(slot.threads for slot in slots) == threads


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    class Platform:
        def getName(self) -> str:
            return "CUDA"

    monkeypatch.setattr(crew, "pick_platform", lambda _: Platform())
    monkeypatch.setattr(crew, "list_devices", lambda _: ("A", "B"))


@pytest.mark.parametrize(
    ("device", "n_tasks", "n_atoms", "at_once", "devices"),
    [
        ("", 4, 5000, None, "0101"),
        ("1", 3, 5000, None, "111"),
        ("", 40, 5000, None, "01" * 8),
        ("", 40, 30_000, None, "01" * 3),
        ("", 4, 200_000, None, "01"),
        ("", 4, 200_000, 4, "0101"),
        ("", 1, 5000, None, "0"),
    ],
)
def test_gpus_are_shared_and_taken_in_turn(
    two_gpus: None, device: str, n_tasks: int, n_atoms: int, at_once: int | None, devices: str
) -> None:
    slots = plan_slots(Hardware(device=device), n_tasks, n_atoms, at_once=at_once)
    assert "".join(slot.device for slot in slots) == devices


def test_a_gpu_that_is_not_there(two_gpus: None) -> None:
    with pytest.raises(SimulationError, match="no device 3; there are 2: 0 A, 1 B"):
        plan_slots(Hardware(device="3"), 1, 5000)


def test_choices_that_cannot_be() -> None:
    with pytest.raises(RecipeError, match='precision "half" is not known'):
        Hardware(precision="half")
    with pytest.raises(RecipeError, match='device "gpu0" is not understood'):
        Hardware(device="gpu0")
    cpu = hardware.choose_platform("CPU")
    with pytest.raises(RecipeError, match="has no devices to choose from"):
        hardware.make_properties(cpu, Hardware(device="0"))
    with pytest.raises(RecipeError, match="platform CPU computes in mixed precision"):
        hardware.choose_platform("CPU", precision="double")


def test_properties_of_the_cpu() -> None:
    cpu = hardware.choose_platform("CPU")
    chosen = Hardware(platform="CPU", deterministic=True, threads=3)
    assert hardware.make_properties(cpu, chosen) == {
        "Threads": "3",
        "DeterministicForces": "true",
    }


def test_double_precision_without_a_gpu_is_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        hardware, "find_fault", lambda name: None if name in ("CPU", "Reference") else "none"
    )
    hardware.choose_platform.cache_clear()
    text = hardware.explain_platform(Hardware(precision="double"))
    hardware.choose_platform.cache_clear()
    assert text.startswith("Reference, double precision: the fastest that works")
    assert "no CUDA: none" in text
    assert "CPU has no double precision" in text


# Running ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spread", "n_slots"), [("threads", 1), ("threads", 2), ("processes", 2)])
def test_one_that_fails_stops_no_other(tmp_path: Path, spread: Spread, n_slots: int) -> None:
    tasks = make_tasks(tmp_path, 3)
    tasks[0] = replace(tasks[0], prepared=tmp_path / "nowhere")
    started: list[str] = []
    ticks: list[Tick] = []
    ended = run_all(tasks, n_slots, spread, on_start=started.append, on_tick=ticks.append)
    assert started == ["random-1", "random-2", "random-3"]
    assert isinstance(ended["random-1"], WorkspaceError)
    assert "system.xml is gone; run `solvation build`" in str(ended["random-1"])
    for name in ("random-2", "random-3"):
        assert isinstance(ended[name], Outcome)
        times, _ = read_frames(tmp_path / "build", tmp_path / name)
        np.testing.assert_allclose(times, 0.04 * np.arange(13), atol=1e-5)
    assert {tick.replica for tick in ticks} == {"random-2", "random-3"}


@pytest.mark.slow
def test_side_by_side_the_bits_are_those_of_one_after_the_other(tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path, 2)
    run_all(tasks, 1, "processes")
    bits = [(task.folder / "trajectory.xtc").read_bytes() for task in tasks]
    assert bits[0] != bits[1], "replicas differ in their seeds"
    again = [replace(task, folder=tmp_path / f"again-{task.replica.name}") for task in tasks]
    run_all(again, 2, "processes")
    assert bits == [(task.folder / "trajectory.xtc").read_bytes() for task in again]


LONG = make_plan(make_stage("heat", 4), make_stage("production", 100_000))


@pytest.mark.parametrize("spread", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_asked_to_stop_all_write_a_checkpoint(tmp_path: Path, spread: Spread) -> None:
    tasks, halt = make_tasks(tmp_path, 3, LONG), Halt()
    seen: set[str] = set()

    def on_tick(tick: Tick) -> None:
        seen.add(tick.replica)
        if len(seen) == 2:
            halt.ask("enough")

    ended = run_all(tasks, 2, spread, halt=halt, on_tick=on_tick)
    assert set(ended) == seen == {"random-1", "random-2"}, "the third was not begun"
    assert all(isinstance(error, StopError) for error in ended.values())
    assert all((tmp_path / name / "checkpoint").exists() for name in seen)


def find_children() -> list[int]:
    """Processes of replicas that this process started."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid)
        for pid in children
        if b"solvation.simulate.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_process_that_is_killed_is_one_line_and_the_other_goes_on(tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path, 2)
    tasks[0] = replace(tasks[0], plan=LONG)
    killed: list[int] = []

    def on_tick(tick: Tick) -> None:
        if tick.replica == "random-1" and not killed:
            killed.append(min(find_children()))  # it was started first
            os.kill(killed[0], signal.SIGKILL)

    ended = run_all(tasks, 2, "processes", on_tick=on_tick)
    assert isinstance(ended["random-2"], Outcome)
    error = ended["random-1"]
    assert isinstance(error, SimulationError)
    assert "was killed by SIGKILL, perhaps for want of memory; run again" in str(error)


def test_when_the_main_process_dies_the_others_save_and_end(tmp_path: Path) -> None:
    task = make_tasks(tmp_path, 1, LONG)[0]
    root = Path(__file__).parents[3]
    code = (
        "import pickle, sys\n"
        "from solvation.simulate.crew import run_crew\n"
        "from solvation.simulate.halt import Halt\n"
        "tasks, slots = pickle.load(sys.stdin.buffer)\n"
        "run_crew(tasks, slots, halt=Halt(), on_tick=lambda _: print('tick', flush=True))\n"
    )
    import pickle

    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pickle.dumps(([task], [HERE, HERE])))
        process.stdin.close()
        assert process.stdout.readline() == b"tick\n"
        process.kill()
    # The lock is free when the other has ended; the short plan then finds its checkpoint.
    longer = replace(task, plan=make_plan(make_stage("heat", 4), make_stage("production", 8)))
    ended = run_all([longer], 1, "threads")
    assert isinstance(ended["random-1"], Outcome)
    assert ended["random-1"].production >= 0.32
    deadline = time.monotonic() + 600
    while find_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not find_children()
