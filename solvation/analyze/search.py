"""Search: donor atoms around cations, and solvent molecules between cations and anions.

Everything that depends on the scene alone is prepared once; then one search per block of frames
serves g(r) and contacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.cutoff import touch_distance
from solvation.analyze.ion import Ions, list_ions
from solvation.analyze.topology import Scene
from solvation.kernels.order import sort_unique
from solvation.kernels.pairs import Neighbours, find_neighbours
from solvation.kernels.touch import find_touching

__all__ = ["CONTACT", "SHARED", "Search"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

CONTACT = np.dtype([("frame", "i4"), ("cation", "i4"), ("atom", "i4"), ("distance", "f4")])
"""16 bytes per contact; the frame counts within its replica."""
SHARED = np.dtype([("frame", "i4"), ("cation", "i4"), ("anion", "i4"), ("solvent", "i4")])
"""16 bytes per cation, anion and the solvent molecule that touches both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solvent:
    """Molecules of one species that may be shared."""

    atoms: Ints
    """Shape ``(n_molecules, n_atoms)``, elements in the same order in every row."""
    molecules: Ints
    """Of the scene."""
    anions: tuple[tuple[Ints, Ints, Floats], ...]
    """Per anion species: donor atoms ``(n_anions, n_donors)``, numbers of the anions, and
    touching distances in Å, shape ``(n_atoms, n_donors)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for around the cations of a scene."""

    ions: Ions
    """Cations and anions."""
    donors: Ints
    """Donor atoms, ascending, shape ``(n_donors,)``."""
    pair: Ints
    """Index of the pair, shape ``(n_cations, n_donors)`` by number of the cation and place in
    `donors`; -1 where there is none."""
    reach: Floats
    """Å, of each pair: contacts are within it."""
    solvents: tuple[Solvent, ...]
    """Species that may be shared; none if they are not wanted."""
    molecule: Ints
    """Molecule of each atom."""

    @classmethod
    def prepare(
        cls, scene: Scene, reach: Mapping[tuple[str, str], float], *, shared: bool = True
    ) -> Search:
        """Prepare the search for contacts within ``reach`` (Å) by cation species and site."""
        ions = list_ions(scene)
        names = [s.name for s in scene.species]
        sites = list(dict.fromkeys(site for _, site in reach))
        atoms = [scene.find_site(site).atoms for site in sites]
        donors = np.concatenate([np.empty(0, dtype=np.int64), *atoms])
        site_of = np.repeat(np.arange(len(sites)), [len(a) for a in atoms])
        order = np.argsort(donors, kind="stable")
        table = np.full((len(names), max(len(sites), 1)), -1)
        for i, (cation, site) in enumerate(reach):
            table[names.index(cation), sites.index(site)] = i
        return cls(
            ions=ions,
            donors=donors[order],
            pair=table[ions.cation_species[:, None], site_of[order][None, :]],
            reach=np.array(list(reach.values()), dtype=np.float64),
            solvents=_prepare_solvents(scene, ions) if shared else (),
            molecule=scene.molecule,
        )

    def find(self, positions: Floats, matrix: Floats, radius: float | None = None) -> Neighbours:
        """Find donor atoms within ``radius`` (Å; the largest reach if None) of cations."""
        return find_neighbours(
            positions[:, self.ions.cation_atoms], positions[:, self.donors], matrix,
            float(self.reach.max(initial=0.0)) if radius is None else radius,
        )  # fmt: skip

    def select(self, positions: Floats, matrix: Floats, found: Neighbours) -> tuple[Rows, Rows]:
        """Return contacts and shared solvent molecules as rows; frames count within the block."""
        pair = self.pair[found.first, found.second]
        close = np.flatnonzero((found.distance < self.reach[pair]) & (pair >= 0))
        rows = np.empty(len(close), CONTACT)
        rows["frame"], rows["cation"] = found.frame[close], found.first[close]
        rows["atom"] = self.donors[found.second[close]]
        rows["distance"] = found.distance[close]
        return rows, self._find_shared(positions, matrix, rows)

    def _find_shared(self, positions: Floats, matrix: Floats, rows: Rows) -> Rows:
        """Find solvent molecules of the first shells that touch an anion."""
        n_frames, n_molecules = len(positions), int(self.molecule.max(initial=0)) + 1
        parts = [np.empty(0, SHARED)]
        key = rows["frame"].astype(np.int64) * n_molecules + self.molecule[rows["atom"]]
        for solvent in self.solvents:
            place = np.full(n_molecules, -1)
            place[solvent.molecules] = np.arange(len(solvent.molecules))
            mine = np.flatnonzero(place[key % n_molecules] >= 0)
            bound = sort_unique(key[mine])
            if not len(bound):
                continue
            frame, which = bound // n_molecules, place[bound % n_molecules]
            count = np.bincount(frame, minlength=n_frames)
            rank = np.arange(len(bound)) - np.repeat(np.cumsum(count) - count, count)
            # As many places in each frame as the fullest needs; the rest stay empty.
            chosen = np.zeros((n_frames, int(count.max())), dtype=np.int64)
            chosen[frame, rank] = which
            present = np.arange(chosen.shape[1]) < count[:, None]
            frames = np.arange(n_frames)[:, None, None]
            molecules = positions[frames, solvent.atoms[chosen]]
            touching = []
            for donors, numbers, reach in solvent.anions:
                f, i, j = find_touching(
                    molecules, positions[:, donors], matrix, reach, present=present
                )
                owner = f * n_molecules + solvent.molecules[chosen[f, i]]
                touching.append((owner, numbers[j]))
            owner, anion = (np.concatenate(c) for c in zip(*touching, strict=True))
            order = np.lexsort((anion, owner))
            n_cations = self.ions.n_cations
            both = sort_unique(key[mine] * n_cations + rows["cation"][mine])
            pairs = np.divmod(both, n_cations)
            parts.append(_join(pairs[0], pairs[1], owner[order], anion[order], n_molecules))
        return _sorted(np.concatenate(parts))


def _prepare_solvents(scene: Scene, ions: Ions) -> tuple[Solvent, ...]:
    """Arrange atoms and touching distances of solvents and anions."""
    number = np.full(scene.n_molecules, -1)
    number[ions.anion_molecules] = np.arange(ions.n_anions)
    anions = []
    for species in scene.list_role("anion"):
        sites = [s.atoms for s in scene.sites if s.species == species.name]
        if sites:
            donor = np.isin(species.atoms, np.concatenate(sites))
            shape = (species.n_molecules, int(donor[0].sum()))
            anions.append((species.atoms[donor].reshape(shape), number[species.molecules]))
    found = []
    for species in scene.list_role("solvent"):
        if not anions or not any(s.species == species.name for s in scene.sites):
            continue
        atoms = _order(scene, species.atoms)
        others = []
        for donors, numbers in anions:
            ordered = _order(scene, donors)
            reach = [[touch_distance(str(scene.elements[d]), str(scene.elements[a]))
                      for d in ordered[0]] for a in atoms[0]]  # fmt: skip
            others.append((ordered, numbers, np.array(reach)))
        found.append(Solvent(atoms=atoms, molecules=species.molecules, anions=tuple(others)))
    return tuple(found)


def _order(scene: Scene, atoms: Ints) -> Ints:
    """Put the elements of every row in the same order."""
    order = np.argsort(scene.elements[atoms], axis=1, kind="stable")
    return np.take_along_axis(atoms, order, axis=1)


def _join(bound: Ints, cation: Ints, owner: Ints, anion: Ints, n_molecules: int) -> Rows:
    """Join (solvent, cation) with (solvent, anion) on the solvent molecule of a frame."""
    low = np.searchsorted(owner, bound, side="left")
    count = np.searchsorted(owner, bound, side="right") - low
    rows = np.empty(int(count.sum()), SHARED)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    frame, solvent = np.divmod(bound, n_molecules)
    rows["frame"], rows["cation"] = np.repeat(frame, count), np.repeat(cation, count)
    rows["solvent"] = np.repeat(solvent, count)
    rows["anion"] = anion[np.repeat(low, count) + offset]
    return rows


def _sorted(rows: Rows) -> Rows:
    """Sort rows by frame, cation, anion, solvent."""
    names = rows.dtype.names
    assert names is not None
    sorted_rows: Rows = rows[np.lexsort([rows[n] for n in reversed(names)])]
    return sorted_rows
