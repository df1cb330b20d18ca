"""Pairing: who is bound to whom in every frame, the class of every ion, and the clusters they form.

Classes are those of the central ion (Tian et al., Chem. Rev. 2021, 121, 1623):

free
    no counter-ion in the first shell and no solvent molecule shared with one;
SSIP
    no counter-ion in the first shell, at least one solvent molecule shared with one;
CIP
    exactly one counter-ion in the first shell;
AGG
    more than one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.binding import Bindings, find_bindings
from solvation.analyze.contact import ContactTable
from solvation.analyze.ion import list_ions
from solvation.analyze.topology import Scene
from solvation.kernels.graph import count_members, label_components
from solvation.kernels.order import narrow, number_rows

__all__ = ["CLASSES", "Pairing", "find_pairing", "join_pairings", "list_ionic", "pair_ions"]

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]

CLASSES = ("free", "ssip", "cip", "agg")
"""Classes of an ion, by what is in its first shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Who is paired with whom in one replica, or a stretch of it."""

    cation_counterions: Shorts
    """Distinct anions bound to each cation, shape ``(n_frames, n_cations)``."""
    anion_counterions: Shorts
    """Distinct cations bound to each anion, shape ``(n_frames, n_anions)``."""
    cation_class: Shorts
    """Index into `CLASSES`, shape ``(n_frames, n_cations)``."""
    anion_class: Shorts
    """Index into `CLASSES`, shape ``(n_frames, n_anions)``."""
    clusters: Ints
    """Ions of each ionic species in each kind of cluster, shape ``(n_kinds, n_ionic)``."""
    cluster_counts: Shorts
    """Clusters of each kind in each frame, shape ``(n_frames, n_kinds)``."""
    cation_cluster: Shorts
    """Kind of the cluster each cation is in, shape ``(n_frames, n_cations)``."""
    anion_cluster: Shorts
    """Kind of the cluster each anion is in, shape ``(n_frames, n_anions)``."""


def find_pairing(scene: Scene, table: ContactTable) -> Pairing:
    """Classify every ion of one replica in every frame, and find the clusters they form."""
    pieces = (
        pair_ions(scene, find_bindings(scene, piece), piece.shared) for piece in table.split()
    )
    return join_pairings(pieces, table.n_frames)


def pair_ions(scene: Scene, bindings: Bindings, shared: npt.NDArray[np.void]) -> Pairing:
    """Do that for a stretch of frames that fits in memory.

    ``shared`` has the shape ``(n_rows,)``.

    Parameters
    ----------
    scene
        Species.
    bindings
        Ligands of the stretch.
    shared
        As in `ContactTable`, of the same frames.
    """
    ions = list_ions(scene)
    n_frames, n_c, n_a = bindings.n_frames, ions.n_cations, ions.n_anions
    number = np.full(scene.n_molecules, -1)
    number[ions.anion_molecules] = np.arange(n_a)
    anion = number[bindings.molecule]
    ionic = np.flatnonzero(anion >= 0)
    frame, cation, anion = bindings.frame[ionic], bindings.cation[ionic], anion[ionic]
    per_cation = np.bincount(frame * n_c + cation, minlength=n_frames * n_c)
    per_anion = np.bincount(frame * n_a + anion, minlength=n_frames * n_a)
    when = shared["frame"].astype(np.int64)
    cation_near = np.zeros(n_frames * n_c, dtype=np.bool_)
    anion_near = np.zeros(n_frames * n_a, dtype=np.bool_)
    cation_near[when * n_c + shared["cation"]] = True
    anion_near[when * n_a + shared["anion"]] = True
    # One graph for all frames: frames have no edges between them.
    n_ions = n_c + n_a
    label = label_components(
        n_frames * n_ions, frame * n_ions + cation, frame * n_ions + n_c + anion
    )
    species = list_ionic(scene)
    kind = np.searchsorted(species, np.concatenate([ions.cation_species, ions.anion_species]))
    members = count_members(label, np.tile(kind, n_frames), len(species))
    clusters, which = number_rows(members)
    home = np.zeros(len(members), dtype=np.int64)
    home[label] = np.repeat(np.arange(n_frames), n_ions)
    counts = np.bincount(home * len(clusters) + which, minlength=n_frames * len(clusters))
    cluster = narrow(which[label]).reshape(n_frames, n_ions)
    return Pairing(
        cation_counterions=narrow(per_cation).reshape(n_frames, n_c),
        anion_counterions=narrow(per_anion).reshape(n_frames, n_a),
        cation_class=_classify(per_cation, cation_near).reshape(n_frames, n_c),
        anion_class=_classify(per_anion, anion_near).reshape(n_frames, n_a),
        clusters=clusters,
        cluster_counts=counts.reshape(n_frames, len(clusters)).astype(
            np.int16 if n_ions <= np.iinfo(np.int16).max else np.int32
        ),
        cation_cluster=cluster[:, :n_c], anion_cluster=cluster[:, n_c:],
    )  # fmt: skip


def join_pairings(pieces: Iterable[Pairing], n_frames: int) -> Pairing:
    """Join consecutive stretches, ``n_frames`` in all, and number the kinds of clusters alike.

    Each piece is copied as it comes, so that no more than one need be in memory.
    """
    plain: dict[str, Shorts] = {}
    kinds, counts, members = [], [], []
    start = 0
    for p in pieces:
        stop = start + len(p.cluster_counts)
        for key in ("cation_counterions", "anion_counterions", "cation_class", "anion_class"):
            part: Shorts = getattr(p, key)
            whole = plain.get(key)
            if whole is None:
                whole = np.empty((n_frames, part.shape[1]), part.dtype)
            if whole.dtype.itemsize < part.dtype.itemsize:
                whole = whole.astype(part.dtype)
            whole[start:stop] = part
            plain[key] = whole
        kinds.append(p.clusters)
        counts.append(p.cluster_counts)
        members.append((p.cation_cluster, p.anion_cluster))
        start = stop
    clusters, which = number_rows(np.concatenate(kinds))
    place = np.split(narrow(which), np.cumsum([len(k) for k in kinds])[:-1])
    spread = np.zeros((n_frames, len(clusters)), dtype=np.result_type(*counts))
    start = 0
    for count, at in zip(counts, place, strict=True):
        spread[start : start + len(count), at] = count
        start += len(count)

    def rename(side: int) -> Shorts:
        return np.concatenate([at[p[side]] for p, at in zip(members, place, strict=True)])

    return Pairing(
        **plain, clusters=clusters, cluster_counts=spread,
        cation_cluster=rename(0), anion_cluster=rename(1),
    )  # fmt: skip


def list_ionic(scene: Scene) -> list[int]:
    """List the indices of the ionic species, ascending."""
    return [i for i, s in enumerate(scene.species) if s.role != "solvent"]


def _classify(bound: Ints, near: Bools) -> Shorts:
    """Return indices into `CLASSES` from counter-ions bound, and whether solvent is shared."""
    return np.where(bound > 0, np.minimum(bound, 2) + 1, near).astype(np.int8)
