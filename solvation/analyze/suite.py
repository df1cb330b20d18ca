"""The structural suite: everything that follows from contacts and snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.agreement import compare_starts
from solvation.analyze.binding import find_ways
from solvation.analyze.cluster import measure_clusters
from solvation.analyze.conformation import Units, find_units, measure_conformations
from solvation.analyze.contact import ContactTable
from solvation.analyze.coordination import measure_coordination
from solvation.analyze.cutoff import Cutoff
from solvation.analyze.denticity import measure_denticity
from solvation.analyze.exchange import measure_exchange
from solvation.analyze.geometry import measure_geometry
from solvation.analyze.population import summarize_populations
from solvation.analyze.residence import Memory, count_events, find_stays, measure_residence
from solvation.analyze.shape import measure_shell_shapes
from solvation.analyze.shell import measure_shells
from solvation.analyze.snapshot import Album, Snapshots
from solvation.analyze.speciation import Pairing, find_pairing, measure_speciation
from solvation.analyze.topology import Scene

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["compare_replicas", "measure_suite", "plan_snapshots"]


def plan_snapshots(scene: Scene) -> tuple[Snapshots, tuple[Units, ...]]:
    """Say which atoms the snapshots must hold, and which torsions will be looked at."""
    units = find_units(scene)
    atoms = np.unique(np.concatenate([np.empty(0, np.int64), *(u.atoms.ravel() for u in units)]))
    return Snapshots(atoms=tuple(atoms.tolist())), units


def measure_suite(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    *,
    units: Sequence[Units] = (),
    series: bool = False,
    n_structures: int = 12,
    pairing: Sequence[Pairing] | None = None,
) -> dict[str, xr.Dataset]:
    """Measure coordination, denticity, geometry, speciation, clusters, shells and kinetics.

    Parameters
    ----------
    scene
        Species and sites.
    tables, albums
        Contacts and snapshots, one of each per replica.
    pairs
        Cation species and site, e.g. ``("Mg", "DME.O")``.
    units
        From `plan_snapshots`.
    series
        Whether to keep coordination numbers of every cation in every frame.
    n_structures
        How many kinds of shells get a structure.
    pairing
        From `find_pairing`, if at hand.

    Returns
    -------
    Datasets by the name of their node.
    """
    stays = [find_stays(scene, table) for table in tables]
    residence = measure_residence(scene, tables, stays=stays)
    events = count_events(residence)
    ways = find_ways(scene, tables)
    pairing = pairing or [find_pairing(scene, table) for table in tables]
    nodes = {
        "coordination": measure_coordination(scene, tables, pairs, events=events, series=series),
        "denticity": measure_denticity(scene, *ways, events=events),
        "geometry": measure_geometry(scene, tables, albums, pairs),
        "shapes": measure_shell_shapes(scene, tables, albums, events=events),
        "speciation": measure_speciation(scene, tables, events=events, pairing=pairing),
        "clusters": measure_clusters(scene, tables, albums, events=events, pairing=pairing),
        "shells": measure_shells(
            scene, tables, events=events, ways=ways, n_structures=n_structures
        ),
        "residence": residence,
        "exchange": measure_exchange(scene, tables, stays=stays),
    }
    conformations = measure_conformations(scene, tables, albums, units, events=events)
    if conformations is not None:
        nodes["conformations"] = conformations
    return nodes


def compare_replicas(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    cutoffs: Mapping[tuple[str, str], Cutoff],
    *,
    units: Sequence[Units] = (),
    starts: Sequence[str] | None = None,
) -> xr.Dataset | None:
    """Measure every population for each start alone, and compare the starts.

    Parameters
    ----------
    scene, tables, albums, pairs, units
        As for `measure_suite`.
    cutoffs
        By cation and site.
    starts
        Name of the start of each replica; each its own if not given.

    Returns
    -------
    None with a single start.
    """
    names = list(starts) if starts is not None else [f"replica {t.replica}" for t in tables]
    if len(set(names)) < 2:
        return None
    found, weights = {}, {}
    for start in dict.fromkeys(names):
        mine = [k for k, name in enumerate(names) if name == start]
        nodes = measure_suite(
            scene, [tables[k] for k in mine], [albums[k] for k in mine], pairs, units=units,
            n_structures=0,
        )  # fmt: skip
        # What a start says of itself; whether it may be believed is judged for all together.
        memory = {
            str(pair): Memory(pair=str(pair), forgotten=True, n_events=0, note=None)
            for pair in nodes["residence"]["pair"].values
        }
        found[start] = summarize_populations(scene, nodes, cutoffs, memory)
        weights[start] = float(sum(tables[k].n_frames for k in mine))
    return compare_starts(found, weights)
