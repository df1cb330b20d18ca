"""Contacts once: one table of (frame, cation, atom), from which all structure follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from solvation.analyze.cutoff import touch_distance
from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene
from solvation.kernels.pairs import find_neighbours

__all__ = ["ContactTable", "Contacts", "Ions", "list_ions", "list_ligands"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CONTACT = np.dtype([("frame", "i4"), ("cation", "i4"), ("atom", "i4"), ("distance", "f4")])
"""16 bytes per contact; the frame counts within its replica."""
_SHARED = np.dtype([("frame", "i4"), ("cation", "i4"), ("anion", "i4"), ("solvent", "i4")])
"""16 bytes per cation, anion and the solvent molecule that touches both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ions:
    """The cations and the anions of a scene, numbered."""

    cation_atoms: Ints
    """Central atom of each cation, shape ``(n_cations,)``."""
    cation_species: Ints
    """Index into ``scene.species`` of each cation."""
    cation_molecules: Ints
    """Molecule of each cation."""
    anion_molecules: Ints
    """Molecule of each anion, shape ``(n_anions,)``."""
    anion_species: Ints
    """Index into ``scene.species`` of each anion."""

    @property
    def n_cations(self) -> int:
        """Number of cations."""
        return len(self.cation_atoms)

    @property
    def n_anions(self) -> int:
        """Number of anions."""
        return len(self.anion_molecules)


def list_ions(scene: Scene) -> Ions:
    """Number the ions of a scene, species by species."""
    empty = np.empty(0, dtype=np.int64)
    index = {s.name: i for i, s in enumerate(scene.species)}
    cations, anions = scene.list_role("cation"), scene.list_role("anion")
    return Ions(
        cation_atoms=np.concatenate([empty, *(scene.find_centres(s) for s in cations)]),
        cation_species=np.repeat([index[s.name] for s in cations], [s.n_molecules for s in cations])
        .astype(np.int64),
        cation_molecules=np.concatenate([empty, *(s.molecules for s in cations)]),
        anion_molecules=np.concatenate([empty, *(s.molecules for s in anions)]),
        anion_species=np.repeat([index[s.name] for s in anions], [s.n_molecules for s in anions])
        .astype(np.int64),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTable:
    """All contacts of one replica, sorted by frame, cation, atom."""

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
        return ContactRows(scene=scene, ions=list_ions(scene), cutoffs=dict(self.cutoffs),
                           wants_shared=self.shared)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class ContactRows:
    """Rows of the contact table, in chunks; adds."""

    scene: Scene
    """Where the frames come from."""
    ions: Ions
    """Its ions, numbered."""
    cutoffs: dict[tuple[str, str], float]
    """Å, by cation species and site."""
    wants_shared: bool
    """Whether to look for shared solvent."""
    chunks: tuple[ContactTable, ...] = field(default=())
    """What was found, one table per block; frames count within the replica."""

    def add(self, block: Block) -> None:
        """Find the contacts of a block."""
        rows = self._find_contacts(block)
        shared = self._find_shared(block, rows) if self.wants_shared else np.empty(0, _SHARED)
        rows["frame"] += block.start
        shared["frame"] += block.start
        table = ContactTable(
            replica=block.replica, n_frames=block.n_frames, times=block.times, contacts=rows,
            shared=shared,
        )  # fmt: skip
        self.chunks = (*self.chunks, table)

    def __add__(self, other: ContactRows) -> ContactRows:
        return replace(self, chunks=self.chunks + other.chunks)

    def result(self) -> tuple[ContactTable, ...]:
        """Return one table per replica, in order of time."""
        tables = []
        for replica in sorted({c.replica for c in self.chunks}):
            own = [c for c in self.chunks if c.replica == replica]
            own.sort(key=lambda c: (float(c.times[0]), c.contacts["frame"][:1].tolist()))
            tables.append(
                ContactTable(
                    replica=replica,
                    n_frames=sum(c.n_frames for c in own),
                    times=np.concatenate([c.times for c in own]),
                    contacts=_sorted(np.concatenate([c.contacts for c in own])),
                    shared=_sorted(np.concatenate([c.shared for c in own])),
                )
            )
        return tuple(tables)

    def _find_contacts(self, block: Block) -> npt.NDArray[np.void]:
        parts = [np.empty(0, _CONTACT)]
        for (cation, site), cutoff in self.cutoffs.items():
            index = [s.name for s in self.scene.species].index(cation)
            which = np.flatnonzero(self.ions.cation_species == index)
            donors = self.scene.find_site(site).atoms
            centres = block.positions[:, self.ions.cation_atoms[which]]
            found = find_neighbours(centres, block.positions[:, donors], block.matrix, cutoff)
            rows = np.empty(len(found.frame), _CONTACT)
            rows["frame"], rows["cation"] = found.frame, which[found.first]
            rows["atom"], rows["distance"] = donors[found.second], found.distance
            parts.append(rows)
        return _sorted(np.concatenate(parts))

    def _find_shared(self, block: Block, rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """Find solvent molecules of the first shells that touch an anion."""
        scene, ions = self.scene, self.ions
        anions = {s.name for s in scene.list_role("anion")}
        donors = np.concatenate(
            [np.empty(0, np.int64), *(s.atoms for s in scene.sites if s.species in anions)]
        )
        is_solvent = np.array([s.role == "solvent" for s in scene.species])[scene.molecule_species]
        bound = np.stack(
            [rows["frame"], rows["cation"], scene.molecule[rows["atom"]]], axis=1
        ).astype(np.int64)
        bound = np.unique(bound[is_solvent[bound[:, 2]]], axis=0)
        if not len(bound) or not len(donors):
            return np.empty(0, _SHARED)
        codes, table = _touch_table(scene)
        reach = float(table[np.unique(codes[donors])].max())
        number = np.full(scene.n_molecules, -1)
        number[ions.anion_molecules] = np.arange(ions.n_anions)
        order = np.argsort(scene.molecule, kind="stable")
        first = np.searchsorted(scene.molecule[order], np.arange(scene.n_molecules + 1))
        parts = [np.empty(0, _SHARED)]
        edges = np.searchsorted(bound[:, 0], np.arange(block.n_frames + 1))
        for frame in range(block.n_frames):
            pairs = bound[edges[frame] : edges[frame + 1]]
            molecules = np.unique(pairs[:, 2])
            if not len(molecules):
                continue
            atoms = np.concatenate([order[first[m] : first[m + 1]] for m in molecules])
            here = slice(frame, frame + 1)
            found = find_neighbours(
                block.positions[here, donors], block.positions[here, atoms],
                block.matrix[here], reach,
            )  # fmt: skip
            a, b = donors[found.first], atoms[found.second]
            close = found.distance <= table[codes[a], codes[b]]
            ends = scene.molecule[b[close]], number[scene.molecule[a[close]]]
            touching = np.unique(np.stack(ends, axis=1), axis=0)
            parts.append(_join(frame, pairs, touching))
        return np.concatenate(parts)


def _join(frame: int, pairs: Ints, touching: Ints) -> npt.NDArray[np.void]:
    """Join (cation, solvent) with (solvent, anion) on the solvent molecule."""
    low = np.searchsorted(touching[:, 0], pairs[:, 2], side="left")
    high = np.searchsorted(touching[:, 0], pairs[:, 2], side="right")
    count = high - low
    rows = np.empty(int(count.sum()), _SHARED)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    rows["frame"] = frame
    rows["cation"] = np.repeat(pairs[:, 1], count)
    rows["solvent"] = np.repeat(pairs[:, 2], count)
    rows["anion"] = touching[np.repeat(low, count) + offset, 1]
    return rows


def _touch_table(scene: Scene) -> tuple[Ints, Floats]:
    """Number the elements of all atoms, and return touching distances in Å by these numbers."""
    symbols, codes = np.unique(scene.elements, return_inverse=True)
    table = np.array([[touch_distance(str(a), str(b)) for b in symbols] for a in symbols])
    return codes.astype(np.int64), table


def _sorted(rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Sort rows by their first three columns."""
    names = rows.dtype.names
    assert names is not None
    order = np.lexsort([rows[n] for n in reversed(names[:3])])
    sorted_rows: npt.NDArray[np.void] = rows[order]
    return sorted_rows


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
