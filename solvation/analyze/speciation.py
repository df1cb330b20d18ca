"""Speciation: free ions, solvent-separated and contact pairs, aggregates, charged species.

Definitions are those of the central ion (Tian et al., Chem. Rev. 2021, 121, 1623):

free
    no counter-ion in the first shell and no solvent molecule shared with one;
SSIP
    no counter-ion in the first shell, at least one solvent molecule shared with one;
CIP
    exactly one counter-ion in the first shell;
AGG
    more than one.

The graph of contacts between cations and anions then gives the charged species.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, Ions, list_ions, list_ligands
from solvation.analyze.topology import Scene
from solvation.errors import TrajectoryError
from solvation.kernels.graph import count_members, label_components
from solvation.kernels.uncertainty import member_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CLASSES", "Pairing", "find_pairing", "measure_speciation", "name_cluster"]

Ints = npt.NDArray[np.integer]

CLASSES = ("free", "ssip", "cip", "agg")
"""Classes of an ion, by what is in its first shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Who is paired with whom in one replica."""

    cation_counterions: Ints
    """Distinct anions bound to each cation, shape ``(n_frames, n_cations)``."""
    anion_counterions: Ints
    """Distinct cations bound to each anion, shape ``(n_frames, n_anions)``."""
    cation_class: Ints
    """Index into `CLASSES`, shape ``(n_frames, n_cations)``."""
    anion_class: Ints
    """Index into `CLASSES`, shape ``(n_frames, n_anions)``."""
    clusters: Ints
    """Ions of each ionic species in each kind of cluster, shape ``(n_kinds, n_ionic)``."""
    cluster_counts: Ints
    """Clusters of each kind in each frame, shape ``(n_frames, n_kinds)``."""
    cation_cluster: Ints
    """Kind of the cluster each cation is in, shape ``(n_frames, n_cations)``."""


def find_pairing(scene: Scene, table: ContactTable) -> Pairing:
    """Classify every ion of one replica in every frame, and find the clusters they form."""
    return _join_pairings([_pair_stretch(scene, piece) for piece in table.split()])


def _join_pairings(pieces: Sequence[Pairing]) -> Pairing:
    """Put stretches one after the other, with common numbers for the kinds of clusters."""
    every = np.concatenate([p.clusters for p in pieces])
    clusters, which = np.unique(every, axis=0, return_inverse=True)
    edges = np.cumsum([0, *(len(p.clusters) for p in pieces)])
    small = np.int16 if len(clusters) < 2**15 else np.int32
    counts, kinds = [], []
    for piece, low, high in zip(pieces, edges[:-1], edges[1:], strict=True):
        number = which.reshape(-1)[low:high]
        count = np.zeros((len(piece.cluster_counts), len(clusters)), dtype=np.int32)
        count[:, number] = piece.cluster_counts
        counts.append(count)
        kinds.append(number.astype(small)[piece.cation_cluster])
    return Pairing(
        cation_counterions=np.concatenate([p.cation_counterions for p in pieces]),
        anion_counterions=np.concatenate([p.anion_counterions for p in pieces]),
        cation_class=np.concatenate([p.cation_class for p in pieces]),
        anion_class=np.concatenate([p.anion_class for p in pieces]),
        clusters=clusters,
        cluster_counts=np.concatenate(counts),
        cation_cluster=np.concatenate(kinds),
    )


def _pair_stretch(scene: Scene, table: ContactTable) -> Pairing:
    """Do so for a stretch of frames that fits into memory."""
    ions = list_ions(scene)
    n_frames, n_c, n_a = table.n_frames, ions.n_cations, ions.n_anions
    ligands, _ = list_ligands(scene, table)
    number = np.full(scene.n_molecules, -1)
    number[ions.anion_molecules] = np.arange(n_a)
    anion = number[ligands[:, 2]]
    frame, cation, anion = ligands[anion >= 0, 0], ligands[anion >= 0, 1], anion[anion >= 0]
    per_cation = np.bincount(frame * n_c + cation, minlength=n_frames * n_c)
    per_anion = np.bincount(frame * n_a + anion, minlength=n_frames * n_a)
    shared = table.shared
    cation_near = np.zeros(n_frames * n_c, dtype=np.bool_)
    anion_near = np.zeros(n_frames * n_a, dtype=np.bool_)
    cation_near[shared["frame"].astype(np.int64) * n_c + shared["cation"]] = True
    anion_near[shared["frame"].astype(np.int64) * n_a + shared["anion"]] = True
    # One graph for all frames: frames have no edges between them.
    n_ions = n_c + n_a
    label = label_components(
        n_frames * n_ions, frame * n_ions + cation, frame * n_ions + n_c + anion
    )
    ionic = _ionic(scene)
    kind = np.tile(
        np.concatenate(
            [_rank(ions.cation_species, ionic), _rank(ions.anion_species, ionic)]
        ),
        n_frames,
    )  # fmt: skip
    members = count_members(label, kind, len(ionic))
    clusters, which = np.unique(members, axis=0, return_inverse=True)
    which = which.reshape(-1)
    home = np.zeros(len(members), dtype=np.int64)
    home[label] = np.repeat(np.arange(n_frames), n_ions)
    small = np.int16 if len(clusters) < 2**15 else np.int32
    counts = np.bincount(home * len(clusters) + which, minlength=n_frames * len(clusters))
    return Pairing(
        cation_counterions=per_cation.reshape(n_frames, n_c).astype(np.int8),
        anion_counterions=per_anion.reshape(n_frames, n_a).astype(np.int8),
        cation_class=_classify(per_cation, cation_near).reshape(n_frames, n_c),
        anion_class=_classify(per_anion, anion_near).reshape(n_frames, n_a),
        clusters=clusters,
        cluster_counts=counts.reshape(n_frames, len(clusters)).astype(np.int32),
        # A copy: a view would keep the numbers of the anions too.
        cation_cluster=which[label].reshape(n_frames, n_ions)[:, :n_c].astype(small),
    )


def _ionic(scene: Scene) -> list[int]:
    return [i for i, s in enumerate(scene.species) if s.role != "solvent"]


def _rank(species: Ints, ionic: Sequence[int]) -> Ints:
    return np.searchsorted(np.array(ionic, dtype=np.int64), species).astype(np.int64)


def _classify(bound: Ints, near: npt.NDArray[np.bool_]) -> Ints:
    result = np.where(bound > 1, 3, np.where(bound == 1, 2, np.where(near, 1, 0)))
    return result.astype(np.int8)


def name_cluster(members: Sequence[tuple[str, int, int]], charge: int) -> str:
    """Write the formula of a cluster with its charge.

    Parameters
    ----------
    members
        Name, number of atoms in the ion, and count of each ionic species; cations first.
    charge
        e.

    Examples
    --------
    >>> name_cluster([("Mg", 1, 2), ("TFSI", 15, 3)], 1)
    '[Mg2(TFSI)3]+'
    >>> name_cluster([("Mg", 1, 1), ("TFSI", 15, 1)], 1)
    '[MgTFSI]+'
    """
    body = "".join(write_member(name, n_atoms, count) for name, n_atoms, count in members if count)
    return f"[{body}]{write_charge(charge)}"


def write_member(name: str, n_atoms: int, count: int) -> str:
    """Write one species of a formula: count over 1 written, parentheses for several atoms."""
    if count == 1:
        return name
    return f"({name}){count}" if n_atoms > 1 else f"{name}{count}"


def write_charge(charge: int) -> str:
    """Write a charge: ``2+``, ``+``, ``0``, ``-``, ``3-``."""
    if charge == 0:
        return "0"
    size = "" if abs(charge) == 1 else str(abs(charge))
    return f"{size}{'+' if charge > 0 else '-'}"


def measure_speciation(
    scene: Scene, tables: Sequence[ContactTable], *, events: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Average fractions of ions by class, by number of counter-ions, and by charged species.

    Parameters
    ----------
    scene
        Species.
    tables
        Contacts, one table per replica.
    events
        Exchanges by cation and ligand, e.g. ``"Mg-TFSI"``; those with anions decide how many
        independent samples there are, see `member_error`.

    Raises
    ------
    TrajectoryError
        If the charges of the species do not sum to that of the ions, or fractions not to 1.
    """
    import xarray as xr

    ions = list_ions(scene)
    pairing = [find_pairing(scene, table) for table in tables]
    anions = {s.name for s in scene.list_role("anion")}
    n_events = None
    if events is not None:
        n_events = sum(n for pair, n in events.items() if pair.partition("-")[2] in anions)
    data: dict[str, tuple[tuple[str, ...], object, dict[str, str]]] = {}

    def put(name: str, dims: tuple[str, ...], values: object, text: str, unit: str = "1") -> None:
        data[name] = (dims, values, {"units": unit, "long_name": text})

    for side in ("cation", "anion"):
        classes = [getattr(p, f"{side}_class") for p in pairing]
        values = [_fraction([c == k for c in classes], n_events) for k in range(4)]
        put(side, ("class",), [v for v, _ in values], f"fraction of {side}s")
        put(f"{side}_stderr", ("class",), [e for _, e in values], f"error of fraction of {side}s")
        counts = [getattr(p, f"{side}_counterions") for p in pairing]
        most = max((int(c.max(initial=0)) for c in counts), default=0)
        values = [_fraction([c == k for c in counts], n_events) for k in range(most + 1)]
        dim = "n_counterions" if side == "cation" else "n_counterions_of_anion"
        text = f"fraction of {side}s with that many counter-ions"
        put(f"{side}_counterions", (dim,), [v for v, _ in values], text)
        put(f"{side}_counterions_stderr", (dim,), [e for _, e in values], f"error of {text}")
    names, charge, fraction, error, number = _sum_species(scene, pairing, n_events)
    put("species_fraction", ("species",), fraction, "fraction of cations in that species")
    put("species_fraction_stderr", ("species",), error, "standard error of that fraction")
    put("species_charge", ("species",), charge, "formal charge of the species", "e")
    put("species_count", ("species",), number, "mean number per frame")
    coords: dict[str, object] = {"class": list(CLASSES), "species": names}
    for side, dim in (("cation", "n_counterions"), ("anion", "n_counterions_of_anion")):
        coords[dim] = np.arange(len(np.asarray(data[f"{side}_counterions"][1])))
    dataset = xr.Dataset(data, coords=coords)
    _check_closure(scene, dataset, ions)
    return dataset


def _fraction(masks: Sequence[npt.NDArray[np.bool_]], n_events: int | None) -> tuple[float, float]:
    """Return the mean over frames and ions, and its error."""
    size = sum(m.size for m in masks)
    if not size:
        return float("nan"), float("nan")
    return sum(int(m.sum()) for m in masks) / size, member_error(masks, n_events=n_events)


def _sum_species(
    scene: Scene, pairing: Sequence[Pairing], n_events: int | None
) -> tuple[list[str], Ints, list[float], list[float], list[float]]:
    """Gather the kinds of clusters of all replicas, most populated first."""
    ionic = [scene.species[i] for i in _ionic(scene)]
    kinds = sorted({tuple(int(n) for n in row) for p in pairing for row in p.clusters})
    n_frames = sum(len(p.cation_class) for p in pairing)
    found = []
    for kind in kinds:
        index = [_index_of(p.clusters, kind) for p in pairing]
        count = sum(
            int(p.cluster_counts[:, i].sum()) for p, i in zip(pairing, index, strict=True) if i >= 0
        )
        masks = [p.cation_cluster == i for p, i in zip(pairing, index, strict=True)]
        has_cation = any(n and s.role == "cation" for n, s in zip(kind, ionic, strict=True))
        value, error = _fraction(masks, n_events) if has_cation else (0.0, float("nan"))
        charge = sum(n * s.charge for n, s in zip(kind, ionic, strict=True))
        members = [(s.name, s.n_atoms, n) for n, s in zip(kind, ionic, strict=True)]
        found.append((-value, name_cluster(members, charge), charge, error, count / n_frames))
    found.sort(key=lambda row: (row[0], row[1]))
    return (
        [row[1] for row in found],
        np.array([row[2] for row in found], dtype=np.int64),
        [-row[0] for row in found],
        [row[3] for row in found],
        [row[4] for row in found],
    )


def _index_of(clusters: Ints, kind: tuple[int, ...]) -> int:
    match = np.flatnonzero((clusters == np.array(kind)).all(axis=1))
    return int(match[0]) if len(match) else -1


def _check_closure(scene: Scene, dataset: xr.Dataset, ions: Ions) -> None:
    """See that every ion was counted once: fractions close to 1, charges to the total."""
    total = sum(s.charge * s.n_molecules for s in scene.species if s.role != "solvent")
    charges = np.asarray(dataset["species_charge"], dtype=np.float64)
    numbers = np.asarray(dataset["species_count"], dtype=np.float64)
    summed = float(charges @ numbers)
    if not math.isclose(summed, total, abs_tol=1e-6 * max(1.0, float(numbers.sum()))):
        raise TrajectoryError(
            f"the species carry {summed:+.6f} e and the ions {total:+d} e: the contact graph does "
            "not close; please report this with the topology"
        )
    sides = {"cation": ions.n_cations, "anion": ions.n_anions}
    for name, n_ions in sides.items():
        closed = float(np.asarray(dataset[name], dtype=np.float64).sum())
        if n_ions and not math.isclose(closed, 1.0, abs_tol=1e-9):
            raise TrajectoryError(
                f"fractions of {name}s sum to {closed:.12f} instead of 1; please report this"
            )
