"""Speciation: free ions, solvent-separated and contact pairs, aggregates, charged species.

The classes are those of the central ion, see `solvation.analyze.pairing`; the graph of contacts
between cations and anions gives the charged species.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, Ions, list_ions
from solvation.analyze.formula import name_cluster
from solvation.analyze.pairing import CLASSES, Pairing, find_pairing, list_ionic
from solvation.analyze.topology import Scene
from solvation.errors import TrajectoryError
from solvation.kernels.uncertainty import (
    member_error,
    ratio_error,
    smoothed_binomial_error,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_speciation"]

Ints = npt.NDArray[np.int64]


def measure_speciation(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    events: Mapping[str, int] | None = None,
    pairing: Sequence[Pairing] | None = None,
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
    pairing
        From `find_pairing`, if at hand.

    Raises
    ------
    TrajectoryError
        If the charges of the species do not sum to that of the ions, or fractions not to 1.
    """
    import xarray as xr

    ions = list_ions(scene)
    pairing = pairing or [find_pairing(scene, table) for table in tables]
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
    table = _sum_species(scene, pairing, n_events)
    put("species_fraction", ("species",), table.cation, "fraction of cations in that species")
    put("species_fraction_stderr", ("species",), table.cation_error, "error of that fraction")
    put("species_anion_fraction", ("species",), table.anion, "fraction of anions in it")
    put("species_anion_fraction_stderr", ("species",), table.anion_error, "error of that fraction")
    put("species_share", ("species",), table.share, "fraction of clusters")
    put("species_share_stderr", ("species",), table.share_error, "error of that fraction")
    put("species_charge", ("species",), table.charge, "formal charge of the species", "e")
    put("species_count", ("species",), table.number, "mean number per frame")
    coords: dict[str, object] = {"class": list(CLASSES), "species": table.names}
    _put_ions(scene, ions, pairing, n_events, put)
    coords["ion"] = [s.name for s in scene.species if s.role != "solvent"]
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


def _put_ions(
    scene: Scene,
    ions: Ions,
    pairing: Sequence[Pairing],
    n_events: int | None,
    put: Callable[..., None],
) -> None:
    """Put in the classes of every ionic species, and the ions that touch no counter-ion."""
    rows, errors, alone, alone_error = [], [], [], []
    for index, species in enumerate(scene.species):
        if species.role == "solvent":
            continue
        side = species.role
        mine = (ions.cation_species if side == "cation" else ions.anion_species) == index
        classes = [getattr(p, f"{side}_class")[:, mine] for p in pairing]
        values = [_fraction([c == k for c in classes], n_events) for k in range(len(CLASSES))]
        rows.append([v for v, _ in values])
        errors.append([e for _, e in values])
        value, error = _fraction([c < 2 for c in classes], n_events)
        alone.append(value)
        alone_error.append(error)
    put("ion_class", ("ion", "class"), rows, "fraction of the ions of that species")
    put("ion_class_stderr", ("ion", "class"), errors, "standard error of that fraction")
    put("uncoordinated", ("ion",), alone, "fraction without a counter-ion in the first shell")
    put("uncoordinated_stderr", ("ion",), alone_error, "standard error of that fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class _SpeciesTable:
    """Charged species of all replicas, those with most cations first."""

    names: list[str]
    charge: Ints
    cation: list[float]
    cation_error: list[float]
    anion: list[float]
    anion_error: list[float]
    share: list[float]
    share_error: list[float]
    number: list[float]


def _sum_species(scene: Scene, pairing: Sequence[Pairing], n_events: int | None) -> _SpeciesTable:
    """Gather the kinds of clusters of all replicas."""
    ionic = [scene.species[i] for i in list_ionic(scene)]
    kinds = sorted({tuple(int(n) for n in row) for p in pairing for row in p.clusters})
    n_frames = sum(len(p.cation_class) for p in pairing)
    n_ions = sum(s.n_molecules for s in ionic) * len(pairing)
    found: list[tuple[str, int, float, float, float, float, float, float, float]] = []
    for kind in kinds:
        index = [_index_of(p.clusters, kind) for p in pairing]
        count = sum(
            int(p.cluster_counts[:, i].sum()) for p, i in zip(pairing, index, strict=True) if i >= 0
        )
        here = [
            p.cluster_counts[:, [i]] if i >= 0 else np.zeros((len(p.cation_class), 1), np.int64)
            for p, i in zip(pairing, index, strict=True)
        ]
        every = [p.cluster_counts.sum(axis=1, keepdims=True) for p in pairing]
        share = count / sum(int(e.sum()) for e in every)
        # Frozen clusters are samples too, no more than there are ions.
        least = float(smoothed_binomial_error(share, n_ions + 2 * (n_events or 0)))
        sides = []
        for side in ("cation", "anion"):
            cluster = [getattr(p, f"{side}_cluster") for p in pairing]
            masks = [c == i for c, i in zip(cluster, index, strict=True)]
            there = any(n and s.role == side for n, s in zip(kind, ionic, strict=True))
            sides.append(_fraction(masks, n_events) if there else (0.0, float("nan")))
        charge = sum(n * s.charge for n, s in zip(kind, ionic, strict=True))
        members = [(s.name, s.n_atoms, n) for n, s in zip(kind, ionic, strict=True)]
        share_error = max(least, ratio_error(here, every))
        name = name_cluster(members, charge)
        found.append((name, charge, *sides[0], *sides[1], share, share_error, count / n_frames))
    found.sort(key=lambda row: (-row[2], row[0]))
    return _SpeciesTable(
        names=[row[0] for row in found],
        charge=np.array([row[1] for row in found], dtype=np.int64),
        cation=[row[2] for row in found],
        cation_error=[row[3] for row in found],
        anion=[row[4] for row in found],
        anion_error=[row[5] for row in found],
        share=[row[6] for row in found],
        share_error=[row[7] for row in found],
        number=[row[8] for row in found],
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
