"""Ways in which ligands bind, counted for every cation in every frame, and who bridges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.binding import Bindings, find_bindings, label_binding
from solvation.analyze.contact import ContactTable
from solvation.analyze.ion import list_ions
from solvation.analyze.topology import Scene

__all__ = [
    "Way",
    "WayCounts",
    "Ways",
    "count_ways",
    "find_ways",
    "join_ways",
    "list_ligand_species",
]

Ints = npt.NDArray[np.int64]

_STRETCHES = 500
"""Into how many stretches a replica is cut for the error of bridging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in which ligands bind."""

    ligand: str
    """Species, e.g. ``"DME"``."""
    name: str
    """See `label_binding`."""
    denticity: int
    """Atoms it binds through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How the ligands of one replica are bound, counted."""

    counts: npt.NDArray[np.uint8]
    """Ligands bound in each way, shape ``(n_frames, n_cations, n_ways)``."""
    bridges: dict[str, npt.NDArray[np.int32]]
    """By ligand, sums over stretches of frames of bound molecules, of those that bind several
    cations, and of those that do so by one atom, shape ``(3, n_stretches, n_molecules)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayCounts:
    """How the ligands of some consecutive frames are bound."""

    counts: npt.NDArray[np.uint8]
    """Ligands bound in each way, shape ``(n_frames, n_cations, n_kinds)``."""
    kinds: tuple[Way, ...]
    """Ways of binding that occur; one for every set of atoms, so that some may be equal."""
    first: int
    """Stretch of the first of them, see `_STRETCHES`."""
    bridges: dict[str, npt.NDArray[np.int32]]
    """As in `Ways`, for the stretches from ``first`` on."""


def list_ligand_species(scene: Scene) -> dict[str, int]:
    """List the species that can bind a cation, with the number of their molecules."""
    names = dict.fromkeys(site.species for site in scene.sites)
    return {name: scene.find_species(name).n_molecules for name in names}


def find_ways(scene: Scene, tables: Sequence[ContactTable]) -> tuple[list[Way], list[Ways]]:
    """Count how ligands are bound, going through the tables in bounded memory.

    Returns
    -------
    ways
        All that occur, by ligand and name.
    counts
        One per replica.
    """
    return join_ways(
        scene,
        [
            [
                count_ways(scene, find_bindings(scene, table.cut(*edges)), edges[0], table.n_frames)
                for edges in table.list_stretches()
            ]
            for table in tables
        ],
    )


def count_ways(scene: Scene, bindings: Bindings, start: int, n_frames: int) -> WayCounts:
    """Do that for some consecutive frames.

    Parameters
    ----------
    scene
        Species.
    bindings
        Ligands of the frames, which count from 0.
    start
        The first of them in its replica.
    n_frames
        Frames of the replica.
    """
    species = scene.molecule_species
    codes, example, which = np.unique(bindings.code, return_index=True, return_inverse=True)
    kinds = []
    for k in example.tolist():
        size = int(bindings.denticity[k])
        atoms = bindings.atom[bindings.first[k] : bindings.first[k] + size]
        ligand = scene.species[int(species[bindings.molecule[k]])].name
        kinds.append(Way(ligand=ligand, name=label_binding(scene, atoms), denticity=size))
    shape = (bindings.n_frames, list_ions(scene).n_cations, len(codes))
    place = bindings.frame * shape[1] + bindings.cation
    counts = np.bincount(place * shape[2] + which.reshape(-1), minlength=int(np.prod(shape)))
    length = -(-n_frames // _STRETCHES)
    first = start // length
    last = (start + max(bindings.n_frames, 1) - 1) // length
    stretch = (bindings.frame + start) // length - first
    return WayCounts(
        counts=counts.reshape(shape).astype(np.uint8), kinds=tuple(kinds), first=first,
        bridges={
            ligand: _count_bridges(scene, bindings, ligand, stretch, last - first + 1)
            for ligand in list_ligand_species(scene)
        },
    )  # fmt: skip


def _count_bridges(
    scene: Scene, bindings: Bindings, ligand: str, stretch: Ints, n_stretches: int
) -> npt.NDArray[np.int32]:
    """Count the molecules of a ligand that are bound, that bridge, and that do so by one atom."""
    species = scene.find_species(ligand)
    n = species.n_molecules
    index = np.full(scene.n_molecules, -1, dtype=np.int64)
    index[species.molecules] = np.arange(n)
    mine = np.flatnonzero(index[bindings.molecule] >= 0)
    key = bindings.frame[mine] * n + index[bindings.molecule[mine]]
    order = np.argsort(key, kind="stable")
    mine, key = mine[order], key[order]
    new = np.append(True, np.diff(key) != 0)[: len(key)]
    cations = np.diff(np.append(np.flatnonzero(new), len(key)))
    where = stretch[mine[new]] * n + key[new] % n
    several = np.repeat(cations > 1, cations)
    # Atoms that several cations touch are listed several times in the same frame.
    bridging = mine[several]
    size = bindings.denticity[bridging]
    rows = np.repeat(np.arange(len(bridging)), size)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    atom = bindings.atom[bindings.first[bridging][rows] + offset]
    used = key[several][rows] * scene.n_atoms + atom
    used, times = np.unique(used, return_counts=True)
    shared = np.isin(key[new], used[times > 1] // scene.n_atoms)
    counted = [where, where[cations > 1], where[shared]]
    return np.stack(
        [np.bincount(w, minlength=n_stretches * n).reshape(n_stretches, n) for w in counted]
    ).astype(np.int32)


def join_ways(scene: Scene, pieces: Sequence[Sequence[WayCounts]]) -> tuple[list[Way], list[Ways]]:
    """Join what `count_ways` found in consecutive stretches of each replica."""
    every = {kind for own in pieces for p in own for kind in p.kinds}
    ways = sorted(every, key=lambda w: (w.ligand, w.denticity, w.name))
    place = {way: k for k, way in enumerate(ways)}
    result = []
    for own in pieces:
        n_frames = sum(len(p.counts) for p in own)
        counts = np.zeros((n_frames, own[0].counts.shape[1], len(ways)), dtype=np.uint8)
        start = 0
        for p in own:
            part = counts[start : start + len(p.counts)]
            for k, kind in enumerate(p.kinds):
                part[..., place[kind]] += p.counts[..., k]
            start += len(p.counts)
        bridges = {}
        for ligand, size in list_ligand_species(scene).items():
            n_stretches = max(p.first + p.bridges[ligand].shape[1] for p in own)
            bridges[ligand] = np.zeros((3, n_stretches, size), dtype=np.int32)
            for p in own:
                more = p.bridges[ligand]
                bridges[ligand][:, p.first : p.first + more.shape[1]] += more
        result.append(Ways(counts=counts, bridges=bridges))
    return ways, result
