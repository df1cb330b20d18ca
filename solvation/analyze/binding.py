"""Ways of binding: which atoms of a ligand touch a cation, and which chelate rings that closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.topology import Scene

__all__ = [
    "Bindings",
    "Way",
    "Ways",
    "find_bindings",
    "find_ways",
    "label_binding",
    "list_ligand_species",
    "number_donors",
]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """Ligands of one replica with the atoms they bind through; one row per bound molecule."""

    frame: Ints
    """Shape ``(n_bindings,)``, sorted."""
    cation: Ints
    """As in `Ions`, shape ``(n_bindings,)``."""
    molecule: Ints
    """Of the scene, shape ``(n_bindings,)``."""
    denticity: Ints
    """Atoms it binds through, shape ``(n_bindings,)``."""
    code: npt.NDArray[np.uint64]
    """Equal for equal sets of atoms of equal molecules, shape ``(n_bindings,)``."""
    first: Ints
    """Row of its first contact in the sorted ``atom``, shape ``(n_bindings,)``."""
    atom: Ints
    """Donor atoms, binding after binding, shape ``(n_contacts,)``."""
    n_frames: int
    """Frames looked at."""


def number_donors(scene: Scene) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Number the atoms of each molecule, and give each kind of place a random number.

    Returns
    -------
    place
        Place of each atom in its molecule, shape ``(n_atoms,)``.
    number
        Equal for atoms at the same place of molecules whose atoms come in the same order, shape
        ``(n_atoms,)``. Sums of these tell sets of atoms apart.
    """
    place = np.zeros(scene.n_atoms, dtype=np.int64)
    kind = np.zeros(scene.n_molecules, dtype=np.int64)
    ends = scene.bonds
    owner = scene.molecule[ends[:, 0]] if len(ends) else np.empty(0, dtype=np.int64)
    largest, next_kind = 1, 0
    for species in scene.species:
        n, n_molecules = species.n_atoms, species.n_molecules
        largest = max(largest, n)
        by_molecule = np.argsort(species.molecules)
        place[species.atoms] = np.arange(n)
        mine = np.isin(owner, species.molecules)
        local = np.sort(place[ends[mine]], axis=1)
        code = local[:, 0] * n + local[:, 1]
        bonds = code[np.lexsort((code, owner[mine]))].reshape(n_molecules, -1)
        _, elements = np.unique(scene.elements[species.atoms], return_inverse=True)
        rows = np.concatenate([bonds, elements.reshape(n_molecules, n)[by_molecule]], axis=1)
        variant = np.zeros(n_molecules, dtype=np.int64)
        if (rows != rows[0]).any():
            variant = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
        kind[species.molecules[by_molecule]] = next_kind + variant
        next_kind += int(variant.max()) + 1
    rng = np.random.default_rng(0)
    table = rng.integers(1, 2**63, size=(next_kind, largest), dtype=np.uint64)
    return place, table[kind[scene.molecule], place]


def find_bindings(scene: Scene, table: ContactTable) -> Bindings:
    """Group the contacts of one replica by frame, cation and molecule."""
    rows = table.contacts
    n_cations = max(list_ions(scene).n_cations, 1)
    atom = rows["atom"].astype(np.int64)
    molecule = scene.molecule[atom]
    owner = rows["frame"].astype(np.int64) * n_cations + rows["cation"]
    key = owner * scene.n_molecules + molecule
    order = np.argsort(key, kind="stable")
    key, atom = key[order], atom[order]
    new = np.append(True, np.diff(key) != 0)[: len(key)]
    first = np.flatnonzero(new)
    _, number = number_donors(scene)
    code = np.add.reduceat(number[atom], first) if len(first) else np.empty(0, dtype=np.uint64)
    left, molecules = np.divmod(key[first], scene.n_molecules)
    frame, cation = np.divmod(left, n_cations)
    return Bindings(
        frame=frame, cation=cation, molecule=molecules, code=code, first=first, atom=atom,
        denticity=np.diff(np.append(first, len(key))), n_frames=table.n_frames,
    )  # fmt: skip


def label_binding(scene: Scene, atoms: Ints) -> str:
    """Name a way of binding: the donors, and the chelate rings they close with the cation.

    ``"O2 (5)"`` is two oxygens that close a five-membered ring, ``"O3 (5+5)"`` three in a row,
    ``"O2 (8, skips)"`` two with an oxygen between them that is not bound.

    Parameters
    ----------
    scene
        Bonds and donor sites.
    atoms
        Donor atoms of one molecule that are bound.
    """
    elements, counts = np.unique(scene.elements[atoms], return_counts=True)
    order = sorted(range(len(elements)), key=lambda i: (elements[i] != "O", str(elements[i])))
    name = "".join(f"{elements[i]}{counts[i] if counts[i] > 1 else ''}" for i in order)
    if len(atoms) == 1:
        return name
    molecule = int(scene.molecule[atoms[0]])
    inside = scene.bonds[scene.molecule[scene.bonds[:, 0]] == molecule]
    neighbours: dict[int, list[int]] = {}
    for i, j in inside.tolist():
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    every = np.concatenate([site.atoms for site in scene.sites])
    idle = set(every[scene.molecule[every] == molecule].tolist()) - set(atoms.tolist())
    paths = {}
    for start in atoms.tolist():
        reached = _walk(neighbours, start)
        for end in atoms.tolist():
            if end > start and end in reached:
                paths[start, end] = reached[end]
    # The fewest rings that hold all donors together: a tree of the shortest paths.
    joined = {int(atoms[0])}
    sizes, skips = [], False
    while len(joined) < len(atoms):
        best = min(
            (pair for pair in paths if (pair[0] in joined) != (pair[1] in joined)),
            key=lambda pair: (len(paths[pair]), len(idle & set(paths[pair])), pair),
            default=None,
        )
        if best is None:
            break
        joined |= set(best)
        sizes.append(len(paths[best]) + 1)
        passed = {str(scene.elements[a]) for a in idle & set(paths[best][1:-1])}
        skips |= bool(passed & {str(scene.elements[a]) for a in best})
    rings = "+".join(str(n) for n in sorted(sizes))
    return f"{name} ({rings}{', skips' if skips else ''})"


def _walk(neighbours: Mapping[int, Sequence[int]], start: int) -> dict[int, tuple[int, ...]]:
    """Find the shortest path, ends included, from an atom to every other of its molecule."""
    paths: dict[int, tuple[int, ...]] = {start: (start,)}
    front = [start]
    while front:
        following = []
        for atom in front:
            for other in sorted(neighbours.get(atom, ())):
                if other not in paths:
                    paths[other] = (*paths[atom], other)
                    following.append(other)
        front = following
    return paths


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
    bridges: dict[str, Ints]
    """By ligand, sums over stretches of frames of bound molecules, of those that bind several
    cations, and of those that do so by one atom, shape ``(3, n_stretches, n_molecules)``."""


def find_ways(scene: Scene, tables: Sequence[ContactTable]) -> tuple[list[Way], list[Ways]]:
    """Count how ligands are bound, going through the tables in bounded memory.

    Returns
    -------
    ways
        All that occur, by ligand and name.
    counts
        One per replica.
    """
    names: dict[int, Way] = {}
    found = []
    for table in tables:
        pieces, first = [], 0
        stretch = -(-table.n_frames // _STRETCHES)
        bridges = {
            ligand: np.zeros((3, -(-table.n_frames // stretch), size), dtype=np.int64)
            for ligand, size in list_ligand_species(scene).items()
        }
        for piece in table.split():
            bindings = find_bindings(scene, piece)
            pieces.append((bindings.frame.astype(np.int32) + first, bindings.cation,
                           _name_new(scene, bindings, names)))  # fmt: skip
            for ligand, sums in bridges.items():
                _add_bridges(scene, bindings, ligand, (bindings.frame + first) // stretch, sums)
            first += piece.n_frames
        found.append((table.n_frames, pieces, bridges))
    ways = sorted(set(names.values()), key=lambda w: (w.ligand, w.denticity, w.name))
    codes = np.array(sorted(names), dtype=np.uint64)
    place = np.array([ways.index(names[int(c)]) for c in codes], dtype=np.int64)
    n_cations = list_ions(scene).n_cations
    result = []
    for n_frames, pieces, bridges in found:
        counts = np.zeros((n_frames, n_cations, len(ways)), dtype=np.uint8)
        for frame, cation, code in pieces:
            np.add.at(counts, (frame, cation, place[np.searchsorted(codes, code)]), 1)
        result.append(Ways(counts=counts, bridges=bridges))
    return ways, result


_STRETCHES = 500
"""Into how many stretches a replica is cut for the error of bridging."""


def list_ligand_species(scene: Scene) -> dict[str, int]:
    """List the species that can bind a cation, with the number of their molecules."""
    names = dict.fromkeys(site.species for site in scene.sites)
    return {name: scene.find_species(name).n_molecules for name in names}


def _name_new(scene: Scene, bindings: Bindings, names: dict[int, Way]) -> npt.NDArray[np.uint64]:
    """Name the sets of atoms not seen before, and return the code of every binding."""
    kinds = scene.molecule_species
    codes, example = np.unique(bindings.code, return_index=True)
    for code, k in zip(codes.tolist(), example.tolist(), strict=True):
        if code not in names:
            size = int(bindings.denticity[k])
            atoms = bindings.atom[bindings.first[k] : bindings.first[k] + size]
            ligand = scene.species[int(kinds[bindings.molecule[k]])].name
            names[code] = Way(ligand=ligand, name=label_binding(scene, atoms), denticity=size)
    return bindings.code


def _add_bridges(scene: Scene, bindings: Bindings, ligand: str, stretch: Ints, sums: Ints) -> None:
    """Add the molecules of a ligand that are bound, that bridge, and that do so by one atom."""
    species = scene.find_species(ligand)
    index = np.full(scene.n_molecules, -1, dtype=np.int64)
    index[species.molecules] = np.arange(species.n_molecules)
    mine = np.flatnonzero(index[bindings.molecule] >= 0)
    key = bindings.frame[mine] * species.n_molecules + index[bindings.molecule[mine]]
    where, first, cations = np.unique(key, return_index=True, return_counts=True)
    molecule, when = where % species.n_molecules, stretch[mine][first]
    np.add.at(sums[0], (when, molecule), 1)
    np.add.at(sums[1], (when[cations > 1], molecule[cations > 1]), 1)
    # Atoms that several cations touch are listed several times in the same frame.
    size = bindings.denticity[mine]
    rows = np.repeat(np.arange(len(mine)), size)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    atom = bindings.atom[bindings.first[mine][rows] + offset]
    used, times = np.unique(bindings.frame[mine][rows] * scene.n_atoms + atom, return_counts=True)
    frame, atom = np.divmod(used[times > 1], scene.n_atoms)
    shared = np.isin(where, frame * species.n_molecules + index[scene.molecule[atom]])
    np.add.at(sums[2], (when[shared], molecule[shared]), 1)
