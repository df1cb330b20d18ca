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
    "find_bindings",
    "label_binding",
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


def find_bindings(
    scene: Scene, table: ContactTable, *, number: npt.NDArray[np.uint64] | None = None
) -> Bindings:
    """Group the contacts of one replica by frame, cation and molecule.

    ``number`` has the shape ``(n_atoms,)``.

    Parameters
    ----------
    scene, table
        Contacts.
    number
        From `number_donors`, if at hand.
    """
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
    if number is None:
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

    ``atoms`` are indices, shape ``(n_bound,)``.

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
