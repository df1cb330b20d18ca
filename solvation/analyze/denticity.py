"""Denticity: through how many atoms a ligand binds, through which, and which rings that closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, Ions, list_ions
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Bindings", "find_bindings", "label_binding", "measure_denticity",
           "name_bindings", "number_donors"]  # fmt: skip

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


def name_bindings(scene: Scene, found: Sequence[Bindings]) -> tuple[list[str], list[Ints]]:
    """Name the way of every binding; each set of atoms is looked at once.

    Returns
    -------
    names
        Of the ways that occur, sorted; see `label_binding`.
    kinds
        Index into ``names`` of every binding, one array per replica.
    """
    names: dict[int, str] = {}
    for b in found:
        codes, example = np.unique(b.code, return_index=True)
        for code, k in zip(codes.tolist(), example.tolist(), strict=True):
            if code not in names:
                atoms = b.atom[b.first[k] : b.first[k] + b.denticity[k]]
                names[code] = label_binding(scene, atoms)
    codes = np.array(sorted(names), dtype=np.uint64)
    labels = sorted(set(names.values()))
    index = np.array([labels.index(names[int(c)]) for c in codes], dtype=np.int64)
    return labels, [index[np.searchsorted(codes, b.code)] for b in found]


def measure_denticity(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    events: Mapping[str, int] | None = None,
    bindings: Sequence[Bindings] | None = None,
) -> xr.Dataset:
    """Average through how many atoms ligands bind, how, and how many cations they join.

    Parameters
    ----------
    scene
        Species.
    tables
        Contacts, one table per replica.
    events
        Exchanges by cation and ligand, e.g. ``"Mg-DME"``, see `ratio_error`.
    bindings
        From `find_bindings`, if at hand.
    """
    import xarray as xr

    found = bindings or [find_bindings(scene, table) for table in tables]
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    ligands = list(dict.fromkeys(site.species for site in scene.sites))
    pairs = [(c.name, name) for c in scene.list_role("cation") for name in ligands]
    most = max((int(b.denticity.max(initial=1)) for b in found), default=1)
    fraction = np.full((len(pairs), most), np.nan)
    error = np.full((len(pairs), most), np.nan)
    number = np.zeros(len(pairs))
    labels: list[tuple[str, str, float, float]] = []
    kinds = scene.molecule_species
    ways, kind = name_bindings(scene, found)
    for row, (cation, ligand) in enumerate(pairs):
        mine = ions.cation_species == names.index(cation)
        chosen = [mine[b.cation] & (kinds[b.molecule] == names.index(ligand)) for b in found]
        bound = [_count(b, c, ions)[:, mine] for b, c in zip(found, chosen, strict=True)]
        total = sum(int(n.sum()) for n in bound)
        number[row] = total / max(sum(n.size for n in bound), 1)
        if not total:
            continue
        n_events = None if events is None else events.get(f"{cation}-{ligand}", 0)

        def share(
            masks: Sequence[npt.NDArray[np.bool_]],
            bound: Sequence[Ints] = bound,
            mine: npt.NDArray[np.bool_] = mine,
            n_events: int | None = n_events,
        ) -> tuple[float, float]:
            parts = [_count(b, m, ions)[:, mine] for b, m in zip(found, masks, strict=True)]
            value = sum(int(p.sum()) for p in parts) / sum(int(n.sum()) for n in bound)
            return value, ratio_error(parts, bound, n_events=n_events)

        for n in range(1, most + 1):
            masks = [c & (b.denticity == n) for b, c in zip(found, chosen, strict=True)]
            fraction[row, n - 1], error[row, n - 1] = share(masks)
        used = np.unique(np.concatenate([k[c] for k, c in zip(kind, chosen, strict=True)]))
        for i in used.tolist():
            masks = [c & (k == i) for k, c in zip(kind, chosen, strict=True)]
            labels.append((f"{cation}-{ligand}", ways[i], *share(masks)))
    labels.sort(key=lambda one: (one[0], -one[2], one[1]))
    bridging = [_measure_bridging(scene, found, ligand, events) for ligand in ligands]

    def attrs(text: str) -> dict[str, str]:
        return {"units": "1", "long_name": text}

    text = "fraction of coordinated ligands bound through that many atoms"
    return xr.Dataset(
        {
            "fraction": (("pair", "denticity"), fraction, attrs(text)),
            "fraction_stderr": (("pair", "denticity"), error, attrs("standard error of that")),
            "ligands": ("pair", number, attrs("molecules of the ligand per cation")),
            "binding_pair": ("binding", [b[0] for b in labels], attrs("cation and ligand")),
            "binding_name": (
                "binding", [b[1] for b in labels], attrs("donors, and sizes of chelate rings"),
            ),
            "binding_fraction": (
                "binding", [b[2] for b in labels], attrs("fraction of coordinated ligands"),
            ),
            "binding_fraction_stderr": (
                "binding", [b[3] for b in labels], attrs("standard error of that"),
            ),
            "bridging": (
                "ligand", [b[0] for b in bridging],
                attrs("fraction of coordinated molecules that bind two cations or more"),
            ),
            "bridging_stderr": ("ligand", [b[1] for b in bridging], attrs("error of that")),
            "bridging_atom": (
                "ligand", [b[2] for b in bridging],
                attrs("fraction of coordinated molecules with an atom that binds two or more"),
            ),
            "bridging_atom_stderr": ("ligand", [b[3] for b in bridging], attrs("error of that")),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "denticity": np.arange(1, most + 1),
            "ligand": ligands,
        },
    )  # fmt: skip


def _count(bindings: Bindings, mask: npt.NDArray[np.bool_], ions: Ions) -> Ints:
    """Count chosen bindings by frame and cation."""
    n_c = ions.n_cations
    flat = bindings.frame[mask] * n_c + bindings.cation[mask]
    counts = np.bincount(flat, minlength=bindings.n_frames * n_c)
    return counts.reshape(bindings.n_frames, n_c).astype(np.int64)


def _measure_bridging(
    scene: Scene, found: Sequence[Bindings], ligand: str, events: Mapping[str, int] | None
) -> tuple[float, float, float, float]:
    """Return the fractions of coordinated molecules that bridge, and by one atom, with errors."""
    species = scene.find_species(ligand)
    index = np.full(scene.n_molecules, -1, dtype=np.int64)
    index[species.molecules] = np.arange(species.n_molecules)
    bound, bridges, shared = [], [], []
    for b in found:
        shape = (b.n_frames, species.n_molecules)
        mine = index[b.molecule] >= 0
        flat = b.frame[mine] * shape[1] + index[b.molecule[mine]]
        cations = np.bincount(flat, minlength=shape[0] * shape[1])
        rows = np.repeat(np.flatnonzero(mine), b.denticity[mine])
        last = np.cumsum(b.denticity[mine])
        offset = np.arange(len(rows)) - np.repeat(last - b.denticity[mine], b.denticity[mine])
        atom = b.atom[b.first[rows] + offset]
        used, times = np.unique(b.frame[rows] * scene.n_atoms + atom, return_counts=True)
        frame, atom = np.divmod(used[times > 1], scene.n_atoms)
        both = np.zeros(shape[0] * shape[1], dtype=np.bool_)
        both[frame * shape[1] + index[scene.molecule[atom]]] = True
        bound.append((cations > 0).reshape(shape).astype(np.int64))
        bridges.append((cations > 1).reshape(shape).astype(np.int64))
        shared.append(both.reshape(shape).astype(np.int64))
    total = sum(int(x.sum()) for x in bound)
    if not total:
        nan = float("nan")
        return nan, nan, nan, nan
    n_events = None
    if events is not None:
        n_events = sum(n for pair, n in events.items() if pair.partition("-")[2] == ligand)
    return (
        sum(int(x.sum()) for x in bridges) / total,
        ratio_error(bridges, bound, n_events=n_events),
        sum(int(x.sum()) for x in shared) / total,
        ratio_error(shared, bound, n_events=n_events),
    )
