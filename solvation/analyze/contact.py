"""Contacts once: one table of (frame, cation, atom), from which all structure follows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.frames import Block
from solvation.analyze.ion import Ions, list_ions
from solvation.analyze.search import Search
from solvation.analyze.spool import Spool, release
from solvation.analyze.topology import Scene
from solvation.kernels.order import sort_unique

__all__ = [
    "STRETCH",
    "ContactRows",
    "ContactTable",
    "Contacts",
    "Ions",
    "find_frame",
    "keep_contacts",
    "list_ions",
    "list_ligands",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRETCH = 500
"""Frames whose rows are held in memory at once."""
_ROWS = 100_000
"""Rows of a map looked at before it is let go of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTable:
    """All contacts of one replica, sorted by frame, cation, atom.

    The rows of a long trajectory lie on disk: the arrays are then maps of a file, of which a page
    is in memory only once it is touched. `split` goes through them in bounded memory.
    """

    replica: int
    """Which trajectory."""
    n_frames: int
    """Frames looked at."""
    times: Floats
    """ps, shape ``(n_frames,)``."""
    contacts: npt.NDArray[np.void]
    """Rows ``(frame, cation, atom, distance in Å)``; the cation counts as in `Ions`."""
    shared: npt.NDArray[np.void]
    """Rows ``(frame, cation, anion, solvent)``: a solvent molecule that binds the cation through
    a donor and touches the anion; the solvent is a molecule of the scene."""

    def split(self, n_frames: int = STRETCH) -> Iterator[ContactTable]:
        """Go through the table in stretches of ``n_frames``, held in memory one at a time.

        In each the frames count from 0. Whatever is worked out per frame from the stretches, and
        concatenated, is the same as from the whole table.
        """
        for start, stop in self.list_stretches(n_frames):
            yield self.cut(start, stop)

    def list_stretches(self, n_frames: int = STRETCH) -> list[tuple[int, int]]:
        """List first frame and one past the last of every stretch."""
        edges = [*range(0, max(self.n_frames, 1), n_frames), self.n_frames]
        return list(pairwise(edges))

    def cut(self, start: int, stop: int) -> ContactTable:
        """Copy some frames into memory, which then count from 0."""
        return replace(
            self, n_frames=stop - start, times=self.times[start:stop],
            contacts=_cut(self.contacts, start, stop), shared=_cut(self.shared, start, stop),
        )  # fmt: skip

    def pick(self, frames: Ints) -> ContactTable:
        """Copy single frames, ascending, into memory; the first of them becomes frame 0.

        Shared solvent is left out.
        """
        pieces = []
        for k, frame in enumerate(frames.tolist()):
            low, high = (find_frame(self.contacts, i) for i in (frame, frame + 1))
            piece = np.array(self.contacts[low:high])
            piece["frame"] = k
            pieces.append(piece)
            release(self.contacts)
        return replace(
            self, n_frames=len(pieces), times=self.times[frames],
            contacts=np.concatenate([np.empty(0, self.contacts.dtype), *pieces]),
            shared=self.shared[:0],
        )  # fmt: skip

    def find_longest(self) -> float:
        """Return the length of the longest contact in Å, 0 without any, in bounded memory."""
        longest = 0.0
        for start in range(0, len(self.contacts), _ROWS):
            rows = self.contacts[start : start + _ROWS]
            longest = max(longest, float(rows["distance"].max()))
            release(self.contacts)
        return longest


def find_frame(rows: npt.NDArray[np.void], frame: int) -> int:
    """Return the first row of a frame or a later one; reads a few rows of a map, not all.

    ``rows`` have the shape ``(n_rows,)`` and are sorted by their number of the frame.
    """
    return bisect_left(range(len(rows)), frame, key=lambda i: int(rows[i]["frame"]))


def _cut(rows: npt.NDArray[np.void], start: int, stop: int) -> npt.NDArray[np.void]:
    """Copy the rows of some frames, which then count from 0."""
    piece = np.array(rows[find_frame(rows, start) : find_frame(rows, stop)])
    piece["frame"] -= start
    release(rows)
    return piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Contacts of every cation with donor atoms, and solvent molecules shared with anions.

    A *contact* is a donor atom within the cutoff of a cation. A solvent molecule is *shared* when
    it has a contact with a cation and any of its atoms is within `touch_distance` (the sum of
    the van der Waals radii plus 0.5 Å) of a donor atom of an anion.
    """

    cutoffs: Mapping[tuple[str, str], float]
    """Å, by cation species and site, e.g. ``("Mg", "DME.O")``."""
    shared: bool = True
    """Whether to look for shared solvent."""
    name: str = "contacts"
    """Of the analyzer."""

    def start(self, scene: Scene) -> ContactRows:
        """Return an empty accumulator."""
        return ContactRows(search=Search.prepare(scene, self.cutoffs, shared=self.shared))


@dataclass(slots=True, kw_only=True)
class ContactRows:
    """Rows of the contact table, in chunks; adds."""

    search: Search | None = None
    """How contacts are found; None in what comes back from another process."""
    chunks: tuple[ContactTable, ...] = ()
    """What was found, consecutive frames each; frames count within the replica."""
    starts: tuple[int, ...] = ()
    """First frame of each chunk."""
    spool: Spool | None = field(default=None, repr=False)
    """Where rows are kept that are not in memory."""

    def add(self, block: Block) -> None:
        """Find the contacts of a block."""
        assert self.search is not None
        found = self.search.find(block.positions, block.matrix)
        self.append(block, *self.search.select(block.positions, block.matrix, found))

    def append(
        self, block: Block, contacts: npt.NDArray[np.void], shared: npt.NDArray[np.void]
    ) -> None:
        """Take rows whose frames count within the block.

        Both arrays are structured, shape ``(n_rows,)``.
        """
        contacts["frame"] += block.start
        shared["frame"] += block.start
        table = ContactTable(
            replica=block.replica, n_frames=block.n_frames, times=block.times, contacts=contacts,
            shared=shared,
        )  # fmt: skip
        self.chunks = (*self.chunks, table)
        self.starts = (*self.starts, block.start)

    def spill(self, spool: Spool) -> None:
        """Move the rows to disk, those of consecutive blocks together."""
        if not self.chunks:
            return
        contacts = np.concatenate([c.contacts for c in self.chunks])
        shared = np.concatenate([c.shared for c in self.chunks])
        table = ContactTable(
            replica=self.chunks[0].replica,
            n_frames=sum(c.n_frames for c in self.chunks),
            times=np.concatenate([c.times for c in self.chunks]),
            contacts=spool.store("contacts", contacts),
            shared=spool.store("shared", shared),
        )
        self.chunks, self.starts, self.spool = (table,), self.starts[:1], spool

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.chunks, self.starts

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.search, self.spool = None, None
        self.chunks, self.starts = state

    def __add__(self, other: ContactRows) -> ContactRows:
        return replace(
            self, chunks=self.chunks + other.chunks, starts=self.starts + other.starts,
            spool=self.spool or other.spool,
        )  # fmt: skip

    def result(self) -> tuple[ContactTable, ...]:
        """Return one table per replica, in order of time."""
        tables = []
        for replica in sorted({c.replica for c in self.chunks}):
            own = [(s, c) for s, c in zip(self.starts, self.chunks, strict=True)
                   if c.replica == replica]  # fmt: skip
            pieces = [chunk for _, chunk in sorted(own, key=lambda item: item[0])]
            spool = self.spool or Spool()
            tables.append(
                ContactTable(
                    replica=replica,
                    n_frames=sum(c.n_frames for c in pieces),
                    times=np.concatenate([c.times for c in pieces]),
                    contacts=spool.join("contacts", [c.contacts for c in pieces]),
                    shared=spool.join("shared", [c.shared for c in pieces]),
                )
            )
        return tuple(tables)


def keep_contacts(
    scene: Scene, table: ContactTable, cutoffs: Mapping[tuple[str, str], float]
) -> ContactTable:
    """Keep the contacts within cutoffs, and the shared solvent molecules that still bind.

    Parameters
    ----------
    scene, table
        Contacts within at least these cutoffs.
    cutoffs
        Å, by cation species and site.
    """
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    longest = np.zeros((len(scene.species), scene.n_atoms), dtype=np.float32)
    for (cation, site), cutoff in cutoffs.items():
        longest[names.index(cation), scene.find_site(site).atoms] = cutoff
    spool = Spool()
    contacts: list[npt.NDArray[np.void]] = []
    shared: list[npt.NDArray[np.void]] = []
    for i, piece in enumerate(table.split()):
        rows = piece.contacts
        rows = rows[rows["distance"] < longest[ions.cation_species[rows["cation"]], rows["atom"]]]
        bound = sort_unique(_number(scene, ions, rows, scene.molecule[rows["atom"]]))
        both = piece.shared
        number = _number(scene, ions, both, both["solvent"])
        place = np.minimum(np.searchsorted(bound, number), max(len(bound) - 1, 0))
        both = both[bound[place] == number] if len(bound) else both[:0]
        for kept, kind, target in ((rows, "contacts", contacts), (both, "shared", shared)):
            kept["frame"] += i * STRETCH
            target.append(spool.store(kind, kept))
    return replace(
        table, contacts=spool.join("contacts", contacts), shared=spool.join("shared", shared)
    )


def _number(scene: Scene, ions: Ions, rows: npt.NDArray[np.void], molecule: Any) -> Ints:
    """Write frame, cation and molecule as one integer."""
    owner = rows["frame"].astype(np.int64) * ions.n_cations + rows["cation"]
    return np.asarray(owner * scene.n_molecules + molecule, dtype=np.int64)


def list_ligands(scene: Scene, table: ContactTable) -> tuple[Ints, Ints]:
    """List the distinct molecules bound to each cation in each frame.

    Returns
    -------
    ligands
        Rows ``(frame, cation, molecule)``, sorted, shape ``(n_ligands, 3)``.
    denticity
        Through how many atoms each is bound, shape ``(n_ligands,)``.
    """
    rows = table.contacts
    molecule = scene.molecule[rows["atom"]]
    # One integer per (frame, cation, molecule) sorts much faster than rows of three.
    n_cations = int(rows["cation"].max(initial=-1)) + 1
    owner = rows["frame"].astype(np.int64) * n_cations + rows["cation"]
    key = owner * scene.n_molecules + molecule
    unique, denticity = np.unique(key, return_counts=True)
    left, molecules = np.divmod(unique, scene.n_molecules)
    frame, cation = np.divmod(left, max(n_cations, 1))
    return np.stack([frame, cation, molecules], axis=1), denticity
