"""Crew: several replicas at once, each in a process or thread of its own.

A GPU is seldom filled by one box of an electrolyte, and cores scale badly over many threads; so
replicas run beside one another wherever that pays. Each is a process by default: then one that
crashes, whatever crashes it, stops none of the others. Processes are started with a fresh
interpreter (a fork would take a GPU's context along, which cannot be shared so), are told by a pipe
what to do and when to stop, and stop by themselves when the pipe breaks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from solvation.errors import SimulationError, SolvationError, StopError
from solvation.simulate.halt import Halt
from solvation.simulate.hardware import GPU_PLATFORMS, count_cores, list_devices, pick_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solvation.simulate.dynamics import Outcome
    from solvation.simulate.hardware import Hardware
    from solvation.simulate.loop import Tick
    from solvation.simulate.protocol import Plan, Replica

__all__ = ["Spread", "Task", "plan_slots", "receive", "run_crew", "run_task", "send"]

_LOG = logging.getLogger(__name__)

Spread = Literal["processes", "threads"]
"""What replicas that run at once are."""

FULL = 100_000
"""Atoms that keep one GPU busy, all replicas on it together."""
MOST = 8
"""Replicas on one GPU, at most."""
PATIENCE = 60.0
"""s to wait for a process of an earlier run that is still writing its last checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One replica to run."""

    prepared: Path
    """Folder of its box."""
    folder: Path
    """Where its files go."""
    plan: Plan
    """Stages and time step."""
    replica: Replica
    """Which one."""
    inputs: str
    """Hash of what decides the trajectory."""


def plan_slots(
    hardware: Hardware, n_tasks: int, n_atoms: int, *, at_once: int | None = None
) -> tuple[Hardware, ...]:
    """Lay out where replicas run at the same time.

    Parameters
    ----------
    hardware
        What was asked for.
    n_tasks
        Replicas to run.
    n_atoms
        Atoms of one.
    at_once
        Replicas at the same time; None for as many as pay.

    Returns
    -------
    tuple of Hardware
        One entry per place: on GPUs the devices in turn, as many rounds as fill them (`FULL`
        atoms, at most `MOST` replicas each); on CPUs the cores are split.

    Raises
    ------
    SimulationError
        If a GPU was asked for that is not there.
    """
    name = pick_platform(hardware).getName()
    if name not in GPU_PLATFORMS:
        cores = hardware.threads or count_cores()
        number = max(1, min(n_tasks, at_once or cores))
        share, more = divmod(cores, number)
        return tuple(
            replace(hardware, threads=max(1, share + (index < more))) for index in range(number)
        )
    there = list_devices(name)
    devices = hardware.devices or tuple(str(index) for index in range(len(there)))
    missing = [device for device in devices if int(device) >= len(there)]
    if missing:
        raise SimulationError(
            f"platform {name} has no device {missing[0]}; there are {len(there)}: "
            f"{', '.join(f'{index} {device}' for index, device in enumerate(there))}"
        )
    rounds = max(1, min(MOST, FULL // max(n_atoms, 1)))
    number = max(1, min(n_tasks, at_once or rounds * len(devices)))
    return tuple(replace(hardware, device=devices[index % len(devices)]) for index in range(number))


def run_crew(
    tasks: Sequence[Task],
    slots: Sequence[Hardware],
    *,
    halt: Halt,
    spread: Spread = "processes",
    on_start: Callable[[str], None] = lambda _: None,
    on_end: Callable[[str, Outcome | SolvationError], None] = lambda *_: None,
    on_tick: Callable[[Tick], None] = lambda _: None,
) -> None:
    """Run tasks, as many at a time as there are slots; one that fails stops no other.

    Parameters
    ----------
    tasks
        What to run.
    slots
        Where.
    halt
        Asked whether to stop; then every replica writes a checkpoint and ends.
    spread
        Whether each runs in a process or a thread. A single slot is this thread.
    on_start, on_end, on_tick
        Called in this thread with the name of a replica, with how it ended, with its reports.
    """
    waiting, free = deque(tasks), deque(slots)
    if len(slots) == 1:
        for task in waiting:
            if halt.reason is not None:
                break
            on_start(task.replica.name)
            on_end(task.replica.name, _run_here(task, slots[0], on_tick, halt))
        return
    news: queue.Queue[tuple[str, object]] = queue.Queue()
    running: dict[str, tuple[Hardware, _Runner]] = {}
    try:
        while waiting or running:
            while waiting and free and halt.reason is None:
                task, slot = waiting.popleft(), free.popleft()
                runner = (_Child if spread == "processes" else _Thread)(task, slot, news)
                running[task.replica.name] = slot, runner
                on_start(task.replica.name)
            if halt.reason is not None:
                waiting.clear()
                for _, runner in running.values():
                    runner.stop(halt.reason)
            try:
                name, item = news.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(item, str):
                _LOG.warning("%s: %s", name, item)
            elif type(item).__name__ == "Tick":
                on_tick(item)  # type: ignore[arg-type]
            else:
                slot, runner = running.pop(name)
                runner.join()
                free.append(slot)
                on_end(name, item)  # type: ignore[arg-type]
    finally:
        for _, runner in running.values():  # something went wrong here: leave nothing behind
            runner.stop("interrupted")
        for _, runner in running.values():
            runner.join()


def run_task(
    task: Task, hardware: Hardware, on_tick: Callable[[Tick], None], halt: Halt
) -> Outcome:
    """Run one task in this thread; see `solvation.simulate.dynamics.run_replica`.

    Raises
    ------
    SimulationError
        If the replica fails.
    """
    from solvation.lock import lock_folder
    from solvation.simulate.dynamics import run_replica

    try:
        task.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulationError(f"cannot make {task.folder}: {error.strerror or error}") from error
    with lock_folder(task.folder, patience=PATIENCE):
        return run_replica(
            task.prepared, task.folder, task.plan, task.replica,
            inputs=task.inputs, platform=hardware, progress=on_tick, halt=halt,
        )  # fmt: skip


def _run_here(
    task: Task, hardware: Hardware, on_tick: Callable[[Tick], None], halt: Halt
) -> Outcome | SolvationError:
    """Run one task in this thread; its error is a value."""
    try:
        return run_task(task, hardware, on_tick, halt)
    except SolvationError as error:
        return error


class _Thread:
    """A replica in a thread of this process."""

    def __init__(
        self, task: Task, hardware: Hardware, news: queue.Queue[tuple[str, object]]
    ) -> None:
        self.halt = Halt()
        name = task.replica.name

        def work() -> None:
            try:
                ended: object = _run_here(
                    task, hardware, lambda tick: news.put((name, tick)), self.halt
                )
            except Exception as error:  # a thread must say how it ended
                ended = SimulationError(f"replica {name} failed: {error!r}; report this as a bug")
            news.put((name, ended))

        self.thread = threading.Thread(target=work, name=name)
        self.thread.start()

    def stop(self, reason: str) -> None:
        """Ask it to stop."""
        self.halt.ask(reason)

    def join(self) -> None:
        """Wait for its end."""
        self.thread.join()


class _Child:
    """A replica in a process of its own."""

    def __init__(
        self, task: Task, hardware: Hardware, news: queue.Queue[tuple[str, object]]
    ) -> None:
        home = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "solvation.simulate.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.asked = False
        name, pipe = task.replica.name, self.process.stdout
        with contextlib.suppress(OSError):  # a process that is gone already is seen below
            send(self.process.stdin, (task, hardware))

        def listen() -> None:
            ended: object = None
            while (item := receive(pipe)) is not None:
                if isinstance(item, str) or type(item).__name__ == "Tick":
                    news.put((name, item))
                else:
                    ended = item
            news.put((name, ended or _explain_death(name, self.process.wait(), self.asked)))

        self.thread = threading.Thread(target=listen, name=name, daemon=True)
        self.thread.start()

    def stop(self, reason: str) -> None:
        """Ask it to stop."""
        if not self.asked and self.process.stdin is not None:
            self.asked = True
            with contextlib.suppress(OSError):
                send(self.process.stdin, reason)

    def join(self) -> None:
        """Wait for its end."""
        self.process.wait()
        self.thread.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


_Runner = _Thread | _Child


def _explain_death(name: str, code: int, asked: bool) -> SolvationError:
    """Say how a process ended that could not say so itself."""
    if asked and code in (-signal.SIGINT, -signal.SIGTERM):
        return StopError(f"replica {name} was interrupted; run again to continue")
    if code < 0:
        try:
            how = f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            how = f"was killed by signal {-code}"
        if -code == signal.SIGKILL:
            how += ", perhaps for want of memory"
    else:
        how = f"ended with exit code {code}"
    return SimulationError(
        f"replica {name}: its process {how}; run again to continue from its last checkpoint"
    )


def send(stream: IO[bytes], item: object) -> None:
    """Write one item into a pipe."""
    data = pickle.dumps(item)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> object | None:
    """Read one item from a pipe; None when it is closed."""
    try:
        head = stream.read(8)
        if len(head) < 8:
            return None
        (size,) = struct.unpack("<Q", head)
        data = stream.read(size)
    except (OSError, ValueError):
        return None
    if len(data) < size:
        return None
    item: object = pickle.loads(data)
    return item
