"""Digest: what the table of contacts says frame by frame, from one pass over it.

The stretches of all tables are gone through once, by as many processes as there are, and each
bound ligand is grouped once for everything that follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from solvation.analyze.binding import find_bindings, number_donors
from solvation.analyze.contact import STRETCH, ContactTable
from solvation.analyze.coordination import count_donors
from solvation.analyze.pairing import Pairing, join_pairings, pair_ions
from solvation.analyze.stay import Stays, join_stays, list_runs
from solvation.analyze.topology import Scene
from solvation.analyze.way import Way, WayCounts, Ways, count_ways, join_ways
from solvation.kernels.survival import Runs
from solvation.worker import HERE, Workers, do_together

__all__ = ["Digest", "digest_tables"]


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
    # Stretches of about the same length, a few for every process.
    total = sum(table.n_frames for table in tables)
    longest = min(STRETCH, -(-total // (3 * workers.forks))) if workers.forks > 1 else STRETCH
    edges = [table.list_stretches(max(longest, 1)) for table in tables]
    tasks = [
        partial(_digest_piece, scene, table, start, stop, number)
        for table, own in zip(tables, edges, strict=True)
        for start, stop in own
    ]
    pieces = iter(do_together(workers, tasks))
    found = [[next(pieces) for _ in own] for own in edges]
    kinds, ways = join_ways(scene, [[p.ways for p in own] for own in found])
    return [
        Digest(
            table=table,
            donors=np.concatenate([p.donors for p in own]),
            pairing=join_pairings([p.pairing for p in own]),
            stays=join_stays(
                scene, table, [(start, p.runs) for (start, _), p in zip(at, own, strict=True)]
            ),
            kinds=tuple(kinds),
            ways=counted,
        )
        for table, own, at, counted in zip(tables, found, edges, ways, strict=True)
    ]


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
