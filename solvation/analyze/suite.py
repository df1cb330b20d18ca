"""The structural suite: everything that follows from contacts and snapshots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from solvation.analyze.cluster import measure_clusters
from solvation.analyze.conformation import measure_conformations
from solvation.analyze.coordination import measure_coordination
from solvation.analyze.denticity import measure_denticity
from solvation.analyze.digest import Digest
from solvation.analyze.exchange import measure_exchange
from solvation.analyze.geometry import measure_geometry
from solvation.analyze.residence import count_events, measure_residence
from solvation.analyze.shape import measure_shell_shapes
from solvation.analyze.shell import measure_shells
from solvation.analyze.snapshot import Album, pick_shots
from solvation.analyze.speciation import measure_speciation
from solvation.analyze.topology import Scene
from solvation.analyze.torsion import Turns, Units
from solvation.worker import HERE, Workers, do_together

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["OBSERVABLES", "measure_suite"]

OBSERVABLES = (
    "coordination", "denticity", "geometry", "shapes", "speciation", "clusters", "shells",
    "residence", "exchange", "conformations",
)  # fmt: skip
"""Nodes of the suite; the last is there if a solvent has a unit that turns."""


def measure_suite(
    scene: Scene,
    digests: Sequence[Digest],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    *,
    units: Sequence[Units] = (),
    turns: Sequence[Sequence[Turns]] = (),
    series: bool = False,
    n_structures: int = 12,
    workers: Workers = HERE,
) -> dict[str, xr.Dataset]:
    """Measure coordination, denticity, geometry, speciation, clusters, shells and kinetics.

    Parameters
    ----------
    scene
        Species and sites.
    digests, albums
        Contacts and snapshots, one of each per replica.
    pairs
        Cation species and site, e.g. ``("Mg", "DME.O")``.
    units, turns
        From `find_units`, and how they are turned in each replica.
    series
        Whether to keep coordination numbers of every cation in every frame.
    n_structures
        How many kinds of shells get a structure.
    workers
        Who measures; the numbers do not depend on it.

    Returns
    -------
    Datasets by the name of their node.
    """
    tables = [d.table for d in digests]
    stays = [d.stays for d in digests]
    pairing = [d.pairing for d in digests]
    ways = (digests[0].kinds, [d.ways for d in digests])
    shots = pick_shots(tables, albums)
    picked, flat = ([t for t, _ in shots], [a for _, a in shots])
    residence = measure_residence(scene, tables, stays=stays)
    events = count_events(residence)
    # Shells are drawn from frames, which this process reads: the first is done here.
    tasks: dict[str, Callable[[], xr.Dataset | None]] = {
        "shells": lambda: measure_shells(
            scene, tables, events=events, ways=ways, n_structures=n_structures
        ),
        "conformations": lambda: measure_conformations(
            scene, picked, flat, units, turns, events=events
        ),
        "geometry": lambda: measure_geometry(scene, tables, albums, pairs, shots=shots),
        "clusters": lambda: measure_clusters(scene, picked, flat, events=events, pairing=pairing),
        "shapes": lambda: measure_shell_shapes(scene, picked, flat, events=events),
        "coordination": lambda: measure_coordination(
            scene, tables, pairs, events=events, series=series, donors=[d.donors for d in digests]
        ),
        "speciation": lambda: measure_speciation(scene, tables, events=events, pairing=pairing),
        "denticity": lambda: measure_denticity(scene, *ways, events=events),
        "exchange": lambda: measure_exchange(scene, tables, stays=stays),
    }
    nodes = dict(zip(tasks, do_together(workers, list(tasks.values())), strict=True))
    nodes["residence"] = residence
    found = {name: nodes[name] for name in OBSERVABLES}
    return {name: node for name, node in found.items() if node is not None}
