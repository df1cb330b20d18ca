"""Digest: what the table of contacts says frame by frame, from one pass over it.

The stretches of all tables are gone through once, by as many processes as there are, and each
bound ligand is grouped once for everything that follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from solvation.analyze.binding import find_bindings, number_donors
from solvation.analyze.contact import STRETCH, ContactTable
from solvation.analyze.coordination import count_donors
from solvation.analyze.ion import list_ions
from solvation.analyze.pairing import Pairing, join_pairings, pair_ions
from solvation.analyze.stay import Stays, join_stays, list_runs
from solvation.analyze.topology import Scene
from solvation.analyze.way import Way, WayCounts, Ways, count_ways, join_ways
from solvation.kernels.survival import Runs
from solvation.worker import HERE, Workers, iter_together

__all__ = ["Digest", "digest_tables"]

_WORTH_FORKS = 5_000
"""Frames below which processes would cost more than they save: 500 take some 0.02 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Of one replica."""

    table: ContactTable
    """Its contacts."""
    donors: npt.NDArray[np.integer]
    """From `count_donors`, shape ``(n_frames, n_cations, n_sites)``."""
    pairing: Pairing
    """Classes and clusters of the ions."""
    stays: Stays
    """How long ligands stayed."""
    kinds: tuple[Way, ...]
    """Ways in which ligands bind, in any replica."""
    ways: Ways
    """How often they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """The same of a stretch of frames."""

    donors: npt.NDArray[np.integer]
    pairing: Pairing
    runs: Runs
    ways: WayCounts


def digest_tables(
    scene: Scene, tables: Sequence[ContactTable], *, workers: Workers = HERE
) -> list[Digest]:
    """Go through the tables once.

    Parameters
    ----------
    scene
        Species and sites.
    tables
        Contacts within the cutoffs, one table per replica.
    workers
        Who goes through them; the numbers do not depend on it.
    """
    _, number = number_donors(scene)
    total = sum(table.n_frames for table in tables)
    if total < _WORTH_FORKS:
        workers = HERE
    # Stretches of about the same length, a few for every process.
    longest = min(STRETCH, -(-total // (3 * workers.forks))) if workers.forks > 1 else STRETCH
    edges = [table.list_stretches(max(longest, 1)) for table in tables]
    tasks = [
        partial(_digest_piece, scene, table, start, stop, number)
        for table, own in zip(tables, edges, strict=True)
        for start, stop in own
    ]
    pieces = iter_together(workers, tasks)
    joined = [_join(scene, table, own, pieces) for table, own in zip(tables, edges, strict=True)]
    kinds, ways = join_ways(scene, [counts for *_, counts in joined])
    return [
        Digest(
            table=table, donors=donors, pairing=pairing, stays=stays, kinds=tuple(kinds),
            ways=counted,
        )
        for table, (donors, pairing, stays, _), counted in zip(tables, joined, ways, strict=True)
    ]  # fmt: skip


def _join(
    scene: Scene, table: ContactTable, edges: Sequence[tuple[int, int]], pieces: Iterator[_Piece]
) -> tuple[npt.NDArray[np.integer], Pairing, Stays, list[WayCounts]]:
    """Join the pieces of one replica as they come."""
    shape = table.n_frames, list_ions(scene).n_cations, len(scene.sites)
    donors = np.empty(shape, dtype=np.int8)
    runs: list[tuple[int, Runs]] = []
    ways: list[WayCounts] = []

    def take() -> Iterator[Pairing]:
        for start, stop in edges:
            piece = next(pieces)
            donors[start:stop] = piece.donors
            runs.append((start, piece.runs))
            ways.append(piece.ways)
            yield piece.pairing

    pairing = join_pairings(take(), table.n_frames)
    return donors, pairing, join_stays(scene, table, runs), ways


def _digest_piece(
    scene: Scene, table: ContactTable, start: int, stop: int, number: npt.NDArray[np.uint64]
) -> _Piece:
    piece = table.cut(start, stop)
    bindings = find_bindings(scene, piece, number=number)
    return _Piece(
        donors=count_donors(scene, piece),
        pairing=pair_ions(scene, bindings, piece.shared),
        runs=list_runs(scene, bindings),
        ways=count_ways(scene, bindings, start, table.n_frames),
    )
