"""The one loop over frames.

An `Analyzer` says what to look at; its accumulators look, and *add*: ``a + b`` has seen what both
saw. `run_analyzers` reads every frame once, shows it to all, and keeps one accumulator per replica
and time block: values come from the sum of the parts, errors from their scatter. The loop runs
here or in the workers of an executor; either way the same frames come in the same order, and what
accumulators add is exact, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

import pickle
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from solvation.analyze.frames import Block
from solvation.analyze.spool import Spool
from solvation.analyze.topology import Scene
from solvation.worker import HERE, Workers

__all__ = ["Accumulator", "Analyzer", "Part", "Parts", "Progress", "run_analyzers", "split_frames"]

Progress = Callable[[int, int, str], None]
"""Called with frames done, frames in all, and what is being done."""

A = TypeVar("A", bound="Accumulator")


_TASKS_PER_WORKER = 16
"""Pieces that each worker gets, so that all are done at about the same time."""
_TASK_FRAMES = 250
"""Most frames in a piece, which bounds what a worker holds and sends back."""


class Accumulator(Protocol):
    """What an analyzer has seen so far.

    One that grows with the number of frames may have a method ``spill(spool)``, which moves rows
    to disk; it is called after every piece. One that refers to the scene should leave it out of
    its pickled state: what comes back from a worker is added to one that knows it.
    """

    def add(self, block: Block) -> None:
        """Look at a block of frames."""

    def __add__(self: A, other: A) -> A:
        """Return a new one that has seen what both saw, and leave both as they are."""

    def result(self) -> Any:
        """Return what was seen, as a frozen noun or a dataset."""


class Analyzer(Protocol):
    """A frozen description of one observable."""

    @property
    def name(self) -> str:
        """Unique within a run."""

    def start(self, scene: Scene) -> Any:
        """Return an empty accumulator for this scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[A]):
    """What one analyzer saw in one stretch of one replica."""

    replica: int
    """Which trajectory."""
    start: int
    """First frame."""
    stop: int
    """One past the last frame."""
    accumulator: A
    """What was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Generic[A]):
    """What one analyzer saw, in pieces."""

    name: str
    """Of the analyzer."""
    parts: tuple[Part[A], ...]
    """By replica, then by time."""

    def total(self) -> A:
        """Return the sum of all parts."""
        return reduce(lambda a, b: a + b, (part.accumulator for part in self.parts))

    def split(self) -> tuple[A, ...]:
        """Return the parts alone."""
        return tuple(part.accumulator for part in self.parts)


def split_frames(n_frames: int, blocks: int) -> tuple[tuple[int, int], ...]:
    """Split frames into at most ``blocks`` stretches that differ by at most one frame.

    Examples
    --------
    >>> split_frames(7, 3)
    ((0, 2), (2, 5), (5, 7))
    """
    blocks = max(1, min(blocks, n_frames))
    edges = [round(i * n_frames / blocks) for i in range(blocks + 1)]
    return tuple(pairwise(edges))


def run_analyzers(
    scene: Scene,
    analyzers: Iterable[Analyzer],
    *,
    blocks: int = 5,
    workers: Workers = HERE,
    progress: Progress | None = None,
    label: str = "frames",
) -> dict[str, Parts[Any]]:
    """Show every frame of every replica to every analyzer.

    Parameters
    ----------
    scene
        Frames and molecules.
    analyzers
        What to look at; names must differ.
    blocks
        Stretches of time per replica, from whose scatter errors are found.
    workers
        Who looks, see `solvation.worker.open_workers`.
    progress
        Called after every piece.
    label
        What `progress` is told that is being done.

    Returns
    -------
    Parts by the name of the analyzer.

    Raises
    ------
    ValueError
        If two analyzers have the same name.
    """
    wanted: Sequence[Analyzer] = tuple(analyzers)
    names = [a.name for a in wanted]
    if len(set(names)) != len(names):
        raise ValueError(f"analyzers must have different names, got {names}")
    parts: dict[str, list[Part[Any]]] = {name: [] for name in names}
    empty = {a.name: a.start(scene) for a in wanted}
    total = sum(source.n_frames for source in scene.sources)
    longest = min(_TASK_FRAMES, -(-total // (_TASKS_PER_WORKER * workers.number)))
    longest = longest if workers.executor else _TASK_FRAMES
    tasks = _list_tasks(scene, blocks, longest, workers.number)
    spool = Spool()
    done = 0
    for task, seen in _look_everywhere(scene, wanted, tasks, workers):
        done += task.stop - task.start
        for analyzer, accumulator in zip(wanted, seen, strict=True):
            if hasattr(accumulator, "spill"):
                accumulator.spill(spool)
            known = parts[analyzer.name]
            if task.first:
                before, start = empty[analyzer.name], task.start
            else:
                before, start = known[-1].accumulator, known[-1].start
                del known[-1]
            known.append(
                Part(
                    replica=task.replica, start=start, stop=task.stop,
                    accumulator=before + accumulator,
                )
            )  # fmt: skip
        if progress is not None:
            progress(done, total, label)
    return {name: Parts(name=name, parts=tuple(found)) for name, found in parts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A piece of a stretch, looked at in one go."""

    replica: int
    start: int
    stop: int
    first: bool
    """Whether a stretch begins with it."""


def _list_tasks(scene: Scene, blocks: int, longest: int, together: int) -> list[_Task]:
    """Cut the stretches of all replicas into pieces of at most ``longest`` frames.

    Their number is a multiple of those looked at ``together``, so that nobody is left over.
    """
    tasks = []
    for replica, source in enumerate(scene.sources):
        for start, stop in split_frames(source.n_frames, blocks):
            rounds = -(-(stop - start) // (max(longest, 1) * together))
            pieces = split_frames(stop - start, rounds * together)
            tasks += [
                _Task(replica=replica, start=start + a, stop=start + b, first=a == 0)
                for a, b in pieces
            ]
    return tasks


def _look_everywhere(
    scene: Scene,
    analyzers: Sequence[Analyzer],
    tasks: Sequence[_Task],
    workers: Workers,
) -> Iterator[tuple[_Task, list[Any]]]:
    """Look at all pieces, here or in workers, and yield what was seen in order."""
    if workers.executor is None:
        empty = [a.start(scene) for a in analyzers]
        for task in tasks:
            yield task, _look(scene, empty, task)
        return
    waiting: deque[tuple[_Task, Future[list[Any]]]] = deque()
    with _hand_out(scene, analyzers, workers) as look:
        try:
            for task in tasks:
                # A few pieces ahead keep workers busy; more would only fill the memory here.
                if len(waiting) >= 2 * workers.number + 2:
                    first, future = waiting.popleft()
                    yield first, future.result()
                waiting.append((task, workers.executor.submit(look, task)))
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def _hand_out(
    scene: Scene, analyzers: Sequence[Analyzer], workers: Workers
) -> Iterator[Callable[[_Task], list[Any]]]:
    """Say how workers look: with what lies in a file of this machine, or comes with every piece."""
    packed = pickle.dumps((scene, tuple(analyzers)), protocol=pickle.HIGHEST_PROTOCOL)
    if workers.forks < 2:
        yield partial(_look_packed, packed)
        return
    with tempfile.NamedTemporaryFile(prefix="solvation-") as file:
        file.write(packed)
        file.flush()
        # The name alone may come again.
        yield partial(_look_stored, file.name, uuid.uuid4().hex)


def _look(scene: Scene, empty: Sequence[Any], task: _Task) -> list[Any]:
    """Show a piece to accumulators that have seen nothing yet, and leave these so."""
    # The sum of two that have seen nothing has seen nothing.
    accumulators = [one + one for one in empty]
    for block in scene.iterate(task.replica, task.start, task.stop):
        for accumulator in accumulators:
            accumulator.add(block)
    return accumulators


def _look_packed(packed: bytes, task: _Task) -> list[Any]:
    """Do the same in a worker."""
    scene, empty = _unpack(packed)
    return _look(scene, empty, task)


def _look_stored(path: str, key: str, task: _Task) -> list[Any]:
    """Do the same in a worker on this machine."""
    scene, empty = _load(path, key)
    return _look(scene, empty, task)


@lru_cache(maxsize=1)
def _unpack(packed: bytes) -> tuple[Scene, list[Any]]:
    """Unpack once what comes with every piece, and start the accumulators."""
    scene, analyzers = pickle.loads(packed)
    return scene, [a.start(scene) for a in analyzers]


@lru_cache(maxsize=1)
def _load(path: str, key: str) -> tuple[Scene, list[Any]]:
    """Do that with a file; only this run knows the key."""
    return _unpack.__wrapped__(Path(path).read_bytes())
