"""The loop: every frame once, parts that add."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from solvation.analyze import frames
from solvation.analyze.driver import run_analyzers, split_frames
from solvation.synthetic import make_ideal_gas


@dataclass(frozen=True)
class Listing:
    name: str = "listing"

    def start(self, scene):
        return Seen()


@dataclass
class Seen:
    rows: tuple = ()

    def add(self, block):
        first = block.start
        self.rows += tuple((block.replica, first + i) for i in range(block.n_frames))

    def __add__(self, other):
        return replace(self, rows=self.rows + other.rows)

    def result(self):
        return self.rows


@pytest.mark.parametrize(("n", "blocks"), [(1, 5), (7, 3), (10, 5), (4, 1)])
def test_stretches_cover_every_frame_once(n, blocks):
    found = split_frames(n, blocks)
    assert [i for a, b in found for i in range(a, b)] == list(range(n))
    sizes = [b - a for a, b in found]
    assert max(sizes) - min(sizes) <= 1


def test_every_frame_is_seen_once_whatever_the_memory(make_scene, rng, monkeypatch):
    scene = make_scene(make_ideal_gas(rng, n=3, n_frames=11), copies=2)
    monkeypatch.setattr(frames, "_BLOCK_BYTES", 24 * 6 * 2)
    told = []
    parts = run_analyzers(
        scene, [Listing()], blocks=3, progress=lambda *news: told.append(news), label="looking"
    )["listing"]
    assert parts.total().rows == tuple((r, f) for r in (0, 1) for f in range(11))
    assert [(p.replica, p.start, p.stop) for p in parts.parts][:3] == [
        (0, 0, 4), (0, 4, 7), (0, 7, 11),
    ]  # fmt: skip
    assert told[-1] == (22, 22, "looking")
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})


def test_names_must_differ(make_scene, rng):
    with pytest.raises(ValueError, match="different names"):
        run_analyzers(make_scene(make_ideal_gas(rng)), [Listing(), Listing()])
