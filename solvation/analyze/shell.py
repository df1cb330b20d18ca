"""Compositions of the first shell, and a real frame that shows each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, find_frame, list_ions, list_ligands
from solvation.analyze.topology import Scene
from solvation.kernels.cell import minimum_image
from solvation.kernels.uncertainty import member_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["count_shells", "extract_shell", "measure_shells", "name_shell"]

Ints = npt.NDArray[np.integer]


def name_shell(cation: str, ligands: Sequence[tuple[str, int]]) -> str:
    """Write the composition of a shell: every count written, so that ``1`` is seen.

    Examples
    --------
    >>> name_shell("Mg", [("DME", 2), ("TFSI", 1)])
    'Mg(DME)2(TFSI)1'
    """
    return cation + "".join(f"({name}){count}" for name, count in ligands if count)


def count_shells(scene: Scene, table: ContactTable) -> Ints:
    """Count the distinct molecules of each species bound to each cation in each frame.

    Returns
    -------
    Shape ``(n_frames, n_cations, n_species)``, species in the order of the scene.
    """
    n_c, n_s = list_ions(scene).n_cations, len(scene.species)
    parts = []
    for piece in table.split():
        ligands, _ = list_ligands(scene, piece)
        species = scene.molecule_species[ligands[:, 2]]
        flat = (ligands[:, 0] * n_c + ligands[:, 1]) * n_s + species
        counts = np.bincount(flat, minlength=piece.n_frames * n_c * n_s)
        parts.append(counts.reshape(piece.n_frames, n_c, n_s).astype(np.int8))
    return np.concatenate(parts)


def measure_shells(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    n_structures: int = 6,
    events: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Rank the compositions of first shells, and draw the most frequent from real frames.

    Parameters
    ----------
    scene
        Species and frames.
    tables
        Contacts, one table per replica.
    n_structures
        How many shells get a structure.
    events
        Exchanges by cation and ligand; the rarest decides how many independent samples there
        are, see `member_error`.
    """
    import xarray as xr

    ions = list_ions(scene)
    counts = [count_shells(scene, table) for table in tables]
    # The cation's own species makes the code of a composition complete.
    own = ions.cation_species.astype(np.int8)
    codes = [
        np.concatenate([np.broadcast_to(own[None, :, None], (*c.shape[:2], 1)), c], axis=2)
        for c in counts
    ]
    flat = np.concatenate([c.reshape(-1, c.shape[2]) for c in codes])
    kinds, which = _number_rows(flat)
    edges = np.cumsum([0, *(c.shape[0] * c.shape[1] for c in codes)])
    kind_of = [
        which.reshape(-1)[a:b].reshape(c.shape[:2])
        for a, b, c in zip(edges[:-1], edges[1:], codes, strict=True)
    ]
    populations = np.bincount(which.reshape(-1), minlength=len(kinds))
    ligand_order = [i for i, s in enumerate(scene.species) if s.role == "solvent"]
    ligand_order += [i for i, s in enumerate(scene.species) if s.role != "solvent"]
    names = [
        name_shell(
            scene.species[row[0]].name,
            [(scene.species[i].name, int(row[1 + i])) for i in ligand_order],
        )
        for row in kinds
    ]
    ranked = sorted(range(len(kinds)), key=lambda k: (-int(populations[k]), names[k]))
    rarest = None if events is None else min(events.values(), default=0)
    share = {i: sum(int(c.sum()) for c in (k_of == i for k_of in kind_of)) for i in ranked}
    size = max(len(flat), 1)
    structures, frames, replicas = [], [], []
    lengths = [_measure_bonds(scene, table) for table in tables]
    for place, k in enumerate(ranked):
        replica, frame, cation = _pick(lengths, kind_of, k)
        wanted = place < n_structures
        structure = extract_shell(scene, tables[replica], frame, cation) if wanted else {}
        structures.append(json.dumps(structure) if wanted else "")
        frames.append(frame)
        replicas.append(tables[replica].replica)
    text = "fraction of cations with this first shell"

    def attrs(long_name: str) -> dict[str, str]:
        return {"units": "1", "long_name": long_name}

    return xr.Dataset(
        {
            "fraction": ("shell", [share[k] / size for k in ranked], attrs(text)),
            "fraction_stderr": (
                "shell", [
                    member_error([k_of == k for k_of in kind_of], n_events=rarest)
                    for k in ranked
                ],
                attrs(f"standard error of the {text}"),
            ),
            "structure": (
                "shell", np.array(structures, dtype=object),
                {"units": "Å", "long_name": "one such shell: elements, positions, bonds (JSON)"},
            ),
            "frame": ("shell", frames, attrs("frame of the structure")),
            "replica": ("shell", replicas, attrs("replica of the structure")),
        },
        coords={"shell": [names[k] for k in ranked]},
    )  # fmt: skip


def _number_rows(rows: Ints) -> tuple[Ints, Ints]:
    """Return the distinct rows in order, and which of them each row is."""
    sizes = rows.max(axis=0, initial=0).astype(np.int64) + 1
    n_keys = float(np.prod(sizes.astype(np.float64)))
    if n_keys > 2.0**62:
        kinds, which = np.unique(rows, axis=0, return_inverse=True)
        return kinds, which.reshape(-1)
    # One integer per row sorts much faster than a row.
    precision: np.dtype[Any] = np.dtype(np.int32 if n_keys < 2.0**31 else np.int64)
    key = np.zeros(len(rows), dtype=precision)
    for column, size in zip(rows.T, sizes.tolist(), strict=True):
        key *= size
        key += column
    kinds, first = np.unique(key, return_index=True)
    return rows[first], np.searchsorted(kinds, key).astype(np.int32)


def _measure_bonds(scene: Scene, table: ContactTable) -> npt.NDArray[np.float32]:
    """Return the mean bond length in Å of each cation in each frame, one after the other."""
    n_c = list_ions(scene).n_cations
    parts = []
    for piece in table.split():
        rows = piece.contacts
        flat = rows["frame"].astype(np.int64) * n_c + rows["cation"]
        size = piece.n_frames * n_c
        bonds = np.bincount(flat, minlength=size)
        total = np.bincount(flat, weights=rows["distance"], minlength=size)
        parts.append((total / np.maximum(bonds, 1)).astype(np.float32))
    return np.concatenate(parts)


def _pick(
    lengths: Sequence[npt.NDArray[np.float32]], kind_of: Sequence[Ints], kind: int
) -> tuple[int, int, int]:
    """Choose the occurrence whose mean bond length is the median: ordinary, and no chance."""
    here = [np.flatnonzero(k_of.reshape(-1) == kind) for k_of in kind_of]
    mean = np.concatenate([x[i] for x, i in zip(lengths, here, strict=True)])
    place = int(np.argsort(mean, kind="stable")[len(mean) // 2])
    replica = 0
    while place >= len(here[replica]):
        place -= len(here[replica])
        replica += 1
    frame, cation = divmod(int(here[replica][place]), kind_of[replica].shape[1])
    return replica, frame, cation


def extract_shell(scene: Scene, table: ContactTable, frame: int, cation: int) -> dict[str, Any]:
    """Cut a cation and the molecules bound to it out of a frame.

    Returns
    -------
    ``elements``, ``positions`` (Å, the cation at the origin, ligands whole), ``bonds`` and
    ``contacts`` (pairs of indices into the former); plain lists, ready for JSON.
    """
    ions = list_ions(scene)
    block = scene.read_frame(table.replica, frame)
    low, high = (find_frame(table.contacts, i) for i in (frame, frame + 1))
    rows = np.array(table.contacts[low:high])
    rows = rows[rows["cation"] == cation]
    centre = int(ions.cation_atoms[cation])
    own = int(ions.cation_molecules[cation])
    order = [m for m in np.unique(scene.molecule[rows["atom"]]) if m != own]
    atoms = [np.flatnonzero(scene.molecule == m) for m in (own, *order)]
    origin = block.positions[0, centre]
    placed = []
    for members in atoms:
        at = block.positions[0, members] - origin
        donors = np.flatnonzero(np.isin(members, rows["atom"]))
        # Move the molecule as a whole, by the image its first donor is bound in.
        anchor = at[donors[0]] if len(donors) else np.zeros(3)
        placed.append(at + (minimum_image(anchor[None, None], block.matrix)[0, 0] - anchor))
    chosen = np.concatenate(atoms)
    index = {int(a): i for i, a in enumerate(chosen)}
    inside = np.isin(scene.bonds[:, 0], chosen)
    positions = np.round(np.concatenate(placed), 3) + 0.0
    return {
        "elements": [str(e) for e in scene.elements[chosen]],
        "positions": positions.tolist(),
        "bonds": [[index[int(i)], index[int(j)]] for i, j in scene.bonds[inside]],
        "contacts": [[index[centre], index[int(a)]] for a in rows["atom"]],
    }
