"""Clusters of ions: how large, how charged, and whether one spans the box.

A cluster is a connected part of the graph of cation–anion contacts, single ions included. It
*percolates* when walking along contacts from an ion leads to one of its own periodic images: then
it has no size and no charge of its own, and the box is too small to tell how large it would be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.pairing import Pairing, find_pairing
from solvation.analyze.snapshot import Album, find_vectors
from solvation.analyze.topology import Scene
from solvation.kernels.graph import label_components
from solvation.kernels.order import number_rows
from solvation.kernels.uncertainty import (
    member_error,
    ratio_error,
    smoothed_binomial_error,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["find_percolation", "measure_clusters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def find_percolation(scene: Scene, table: ContactTable, album: Album) -> Ints:
    """Find in how many independent directions a cluster repeats itself, in each snapshot.

    Returns
    -------
    0 (no cluster spans the box) to 3, shape ``(n_snapshots,)``.

    Notes
    -----
    Every contact carries the lattice shift between the images of its two ends. Ions are placed
    one after the other along a tree of contacts; a contact that closes a ring with a shift that
    is not zero leads to an image.
    """
    ions = list_ions(scene)
    rows, shot, vectors = find_vectors(scene, table, album)
    number = np.full(scene.n_molecules, -1, dtype=np.int64)
    number[ions.anion_molecules] = ions.n_cations + np.arange(ions.n_anions)
    cation = table.contacts["cation"][rows].astype(np.int64)
    atom = table.contacts["atom"][rows]
    anion = number[scene.molecule[atom]]
    ionic = anion >= 0
    cation, anion, shot, atom = cation[ionic], anion[ionic], shot[ionic], atom[ionic]
    ends = [album.positions[shot, album.column[a]] for a in (ions.cation_atoms[cation], atom)]
    lattice = np.linalg.inv(album.matrix)[shot]
    shift = np.rint(np.einsum("ni,nij->nj", vectors[ionic] - (ends[1] - ends[0]), lattice))
    edges = np.concatenate(
        [shot[:, None], cation[:, None], anion[:, None], shift.astype(np.int64)], axis=1
    )
    edges, _ = number_rows(edges)
    n_shots, n_ions = len(album.frames), ions.n_cations + ions.n_anions
    # A forest has as many contacts as ions less trees; one more closes a ring.
    label = label_components(
        n_shots * n_ions, edges[:, 0] * n_ions + edges[:, 1], edges[:, 0] * n_ions + edges[:, 2]
    )
    _, first = np.unique(label, return_index=True)
    trees = np.bincount(first // n_ions, minlength=n_shots)
    rings = np.bincount(edges[:, 0], minlength=n_shots) - (n_ions - trees)
    limits = np.searchsorted(edges[:, 0], np.arange(n_shots + 1))
    result = np.zeros(n_shots, dtype=np.int64)
    for k in np.flatnonzero(rings > 0).tolist():
        result[k] = _count_directions(edges[limits[k] : limits[k + 1], 1:])
    return result


def _count_directions(edges: Ints) -> int:
    """Walk one snapshot's contacts; return the rank of the shifts found around its rings."""
    neighbours: dict[int, list[tuple[int, Ints]]] = {}
    for row in edges:
        i, j, shift = int(row[0]), int(row[1]), row[2:]
        neighbours.setdefault(i, []).append((j, shift))
        neighbours.setdefault(j, []).append((i, -shift))
    place: dict[int, Ints] = {}
    loops = []
    for start in neighbours:
        if start in place:
            continue
        place[start] = np.zeros(3, dtype=np.int64)
        front = [start]
        while front:
            ion = front.pop()
            for other, shift in neighbours[ion]:
                there = place[ion] + shift
                if other not in place:
                    place[other] = there
                    front.append(other)
                elif (place[other] != there).any():
                    loops.append(place[other] - there)
    return int(np.linalg.matrix_rank(np.array(loops))) if loops else 0


def measure_clusters(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    *,
    events: Mapping[str, int] | None = None,
    pairing: Sequence[Pairing] | None = None,
) -> xr.Dataset:
    """Average sizes and charges of clusters, over clusters, cations and anions.

    Parameters
    ----------
    scene
        Species.
    tables, albums
        Contacts and snapshots, one of each per replica.
    events
        Exchanges by cation and ligand; those with anions count, see `member_error`.
    pairing
        From `find_pairing`, if at hand.
    """
    import xarray as xr

    found = pairing or [find_pairing(scene, table) for table in tables]
    ionic = [s for s in scene.species if s.role != "solvent"]
    anions = {s.name for s in scene.list_role("anion")}
    n_events = None
    if events is not None:
        n_events = sum(n for pair, n in events.items() if pair.partition("-")[2] in anions)
    n_ions = sum(s.n_molecules for s in ionic) * len(found)
    charges = np.array([s.charge for s in ionic], dtype=np.int64)
    columns: dict[str, tuple[tuple[str, ...], object, dict[str, str]]] = {}
    coords: dict[str, object] = {}

    def attrs(text: str, unit: str = "1") -> dict[str, str]:
        return {"units": unit, "long_name": text}

    for what in ("size", "charge"):
        values = [p.clusters.sum(axis=1) if what == "size" else p.clusters @ charges for p in found]
        levels = np.unique(np.concatenate(values))
        unit = "e" if what == "charge" else "1"
        coords[what] = (what, levels, attrs(f"{what} of the cluster", unit))
        for side in ("cluster", "cation", "anion"):
            rows = []
            for level in levels:
                if side == "cluster":
                    here = [p.cluster_counts[:, v == level].sum(axis=1, keepdims=True)
                            for p, v in zip(found, values, strict=True)]  # fmt: skip
                    every = [p.cluster_counts.sum(axis=1, keepdims=True) for p in found]
                    share = sum(int(h.sum()) for h in here) / max(
                        sum(int(e.sum()) for e in every), 1
                    )
                    # Frozen clusters are samples too, no more than there are ions.
                    least = float(smoothed_binomial_error(share, n_ions + 2 * (n_events or 0)))
                    rows.append((share, max(least, ratio_error(here, every))))
                else:
                    masks = [(v == level)[getattr(p, f"{side}_cluster")]
                             for p, v in zip(found, values, strict=True)]  # fmt: skip
                    size = max(sum(m.size for m in masks), 1)
                    rows.append((sum(int(m.sum()) for m in masks) / size,
                                 member_error(masks, n_events=n_events)))  # fmt: skip
            text = f"fraction of {side}s by {what} of their cluster"
            text = f"fraction of clusters by {what}" if side == "cluster" else text
            columns[f"{what}_{side}"] = ((what,), [r[0] for r in rows], attrs(text))
            columns[f"{what}_{side}_stderr"] = (
                (what,), [r[1] for r in rows], attrs("standard error of that"),
            )  # fmt: skip
    spans = [find_percolation(scene, t, a) for t, a in zip(tables, albums, strict=True)]
    masks = [(s > 0)[:, None] for s in spans]
    columns["percolation"] = (
        (), sum(int(m.sum()) for m in masks) / max(sum(m.size for m in masks), 1),
        attrs("fraction of snapshots with a cluster that spans the box"),
    )  # fmt: skip
    columns["percolation_stderr"] = (
        (), member_error(masks, n_events=n_events or 0), attrs("standard error of that"),
    )  # fmt: skip
    columns["directions"] = (
        (), int(max((int(s.max(initial=0)) for s in spans), default=0)),
        attrs("most directions in which a cluster spans the box"),
    )  # fmt: skip
    columns["largest"] = (
        (), int(max(int(p.clusters.sum(axis=1).max(initial=0)) for p in found)),
        attrs("ions in the largest cluster seen"),
    )  # fmt: skip
    return xr.Dataset(columns, coords=coords)
