"""Snapshots: evenly spaced frames, of the atoms whose geometry is looked at closely.

Counting contacts needs every frame; angles, torsions and shapes of shells change in every frame
and are averages over many ions, so that some hundred frames know as much. The frames are chosen
by their number alone, so that it does not matter in which parts the trajectory is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene
from solvation.kernels.cell import minimum_image

__all__ = [
    "Album",
    "Snapshots",
    "choose_frames",
    "find_rows",
    "find_vectors",
    "pick_shots",
    "space_frames",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST = 200
"""Snapshots of a replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Snapshots of one replica."""

    replica: int
    """Which trajectory."""
    frames: Ints
    """Numbers of the frames, shape ``(n,)``."""
    column: Ints
    """Column of each atom of the scene in `positions`, -1 for none, shape ``(n_atoms,)``."""
    positions: Floats
    """Å, molecules whole, shape ``(n, n_kept, 3)``."""
    matrix: Floats
    """Box vectors as rows in Å, shape ``(n, 3, 3)``."""


def space_frames(scene: Scene, most: int = MOST) -> tuple[int, ...]:
    """Say every how many frames a snapshot is taken, by replica, so that there are ``most``."""
    return tuple(-(-source.n_frames // most) for source in scene.sources)


def choose_frames(block: Block, strides: tuple[int, ...]) -> Ints:
    """Choose the frames of a block whose turn it is."""
    stride = strides[block.replica]
    return np.arange(-block.start % stride, block.n_frames, stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Keep some frames of cations and donors."""

    most: int = MOST
    """Frames to keep of each replica, at most."""
    name: str = "snapshots"
    """Of the analyzer."""

    def start(self, scene: Scene) -> SnapshotFrames:
        """Return an empty accumulator."""
        cations = list_ions(scene).cation_atoms
        kept = np.unique(np.concatenate([cations, *(site.atoms for site in scene.sites)]))
        column = np.full(scene.n_atoms, -1, dtype=np.int64)
        column[kept] = np.arange(len(kept))
        return SnapshotFrames(column=column, kept=kept, strides=space_frames(scene, self.most))


@dataclass(slots=True, kw_only=True)
class SnapshotFrames:
    """Frames kept so far; adds."""

    column: Ints
    """Column of each atom of the scene, -1 for one that is not kept."""
    kept: Ints
    """Atoms kept."""
    strides: tuple[int, ...]
    """Every how many frames one is kept, by replica."""
    albums: tuple[Album, ...] = field(default=())
    """One per block of frames."""

    def add(self, block: Block) -> None:
        """Keep the frames of a block whose turn it is."""
        chosen = choose_frames(block, self.strides)
        if not len(chosen):
            return
        album = Album(
            replica=block.replica,
            frames=block.start + chosen,
            column=self.column,
            positions=block.positions[chosen][:, self.kept],
            matrix=block.matrix[chosen],
        )
        self.albums = (*self.albums, album)

    def __add__(self, other: SnapshotFrames) -> SnapshotFrames:
        return replace(self, albums=self.albums + other.albums)

    def result(self) -> tuple[Album, ...]:
        """Return one album per replica, in order of time."""
        joined = []
        for replica in sorted({album.replica for album in self.albums}):
            own = [album for album in self.albums if album.replica == replica]
            own.sort(key=lambda album: int(album.frames[0]))
            joined.append(
                Album(
                    replica=replica,
                    frames=np.concatenate([album.frames for album in own]),
                    column=own[0].column,
                    positions=np.concatenate([album.positions for album in own]),
                    matrix=np.concatenate([album.matrix for album in own]),
                )
            )
        return tuple(joined)


def pick_shots(
    tables: Sequence[ContactTable], albums: Sequence[Album]
) -> list[tuple[ContactTable, Album]]:
    """Pick the contacts of the snapshots: tables in memory, whose frames are the snapshots.

    Parameters
    ----------
    tables, albums
        Contacts and snapshots, one of each per replica.

    Returns
    -------
    Tables and albums that belong together as the given ones do.
    """
    return [
        (table.pick(album.frames), replace(album, frames=np.arange(len(album.frames))))
        for table, album in zip(tables, albums, strict=True)
    ]


def find_rows(table: ContactTable, album: Album) -> tuple[Ints, Ints]:
    """Find the rows of the contact table that lie in a snapshot, and the snapshot of each."""
    low = np.searchsorted(table.contacts["frame"], album.frames, side="left")
    count = np.searchsorted(table.contacts["frame"], album.frames, side="right") - low
    shot = np.repeat(np.arange(len(low)), count)
    return np.repeat(low - np.cumsum(count) + count, count) + np.arange(len(shot)), shot


def find_vectors(scene: Scene, table: ContactTable, album: Album) -> tuple[Ints, Ints, Floats]:
    """Find the vectors from cations to the donors they touch, in the snapshots.

    Returns
    -------
    rows
        Rows of ``table.contacts`` that lie in a snapshot, sorted, shape ``(n,)``.
    shots
        Snapshot of each, shape ``(n,)``.
    vectors
        Å, the nearest image, shape ``(n, 3)``.
    """
    contacts = table.contacts
    rows, shot = find_rows(table, album)
    centres = list_ions(scene).cation_atoms[contacts["cation"][rows]]
    ends = [
        album.positions[shot, album.column[atoms]] for atoms in (centres, contacts["atom"][rows])
    ]
    vectors = minimum_image((ends[1] - ends[0])[:, None], album.matrix[shot])[:, 0]
    return rows, shot, vectors
