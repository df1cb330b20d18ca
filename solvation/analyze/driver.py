"""The one loop over frames.

An `Analyzer` says what to look at; its accumulators look, and *add*: ``a + b`` has seen what both
saw. `run_analyzers` reads every frame once, shows it to all, and keeps one accumulator per replica
and time block: values come from the sum of the parts, errors from their scatter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene

__all__ = ["Accumulator", "Analyzer", "Part", "Parts", "Progress", "run_analyzers", "split_frames"]

Progress = Callable[[int, int, str], None]
"""Called with frames done, frames in all, and what is being done."""

A = TypeVar("A", bound="Accumulator")


class Accumulator(Protocol):
    """What an analyzer has seen so far."""

    def add(self, block: Block) -> None:
        """Look at a block of frames."""

    def __add__(self: A, other: A) -> A:
        """Return one that has seen what both saw."""

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
    progress
        Called after every block of frames.
    label
        What `progress` is told that is being done.

    Returns
    -------
    Parts by the name of the analyzer.
    """
    wanted: Sequence[Analyzer] = tuple(analyzers)
    names = [a.name for a in wanted]
    if len(set(names)) != len(names):
        raise ValueError(f"analyzers must have different names, got {names}")
    parts: dict[str, list[Part[Any]]] = {name: [] for name in names}
    total = sum(source.n_frames for source in scene.sources)
    done = 0
    for replica, source in enumerate(scene.sources):
        for start, stop in split_frames(source.n_frames, blocks):
            accumulators = {a.name: a.start(scene) for a in wanted}
            for block in scene.iterate(replica, start, stop):
                for accumulator in accumulators.values():
                    accumulator.add(block)
                done += block.n_frames
                if progress is not None:
                    progress(done, total, label)
            for name, accumulator in accumulators.items():
                parts[name].append(
                    Part(replica=replica, start=start, stop=stop, accumulator=accumulator)
                )
    return {name: Parts(name=name, parts=tuple(found)) for name, found in parts.items()}
