"""Replicas: what each says alone, and whether those that were packed differently agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.agreement import compare_starts
from solvation.analyze.cutoff import Cutoff
from solvation.analyze.digest import Digest
from solvation.analyze.memory import Memory
from solvation.analyze.population import summarize_populations
from solvation.analyze.snapshot import Album
from solvation.analyze.suite import measure_suite
from solvation.analyze.topology import Scene
from solvation.analyze.torsion import Turns, Units
from solvation.results import Quantity
from solvation.worker import HERE, Workers, do_together

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["compare_replicas"]


def compare_replicas(
    scene: Scene,
    digests: Sequence[Digest],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    cutoffs: Mapping[tuple[str, str], Cutoff],
    *,
    units: Sequence[Units] = (),
    turns: Sequence[Sequence[Turns]] = (),
    starts: Sequence[str] | None = None,
    workers: Workers = HERE,
) -> dict[str, xr.Dataset]:
    """Measure every population for each replica alone, and for each start, and compare the starts.

    Parameters
    ----------
    scene, digests, albums, pairs, units, turns
        As for `measure_suite`.
    cutoffs
        By cation and site.
    starts
        Name of the start of each replica; each its own if not given.
    workers
        Who measures; the numbers do not depend on it.

    Returns
    -------
    Datasets by the name of their node: ``"replicas"``, with a dimension of that name, if there
    are several replicas, and ``"agreement"`` if there are several starts.
    """
    n = len(digests)
    if n < 2:
        return {}
    names = list(starts) if starts is not None else [f"replica {d.table.replica}" for d in digests]
    by_start = {
        start: tuple(k for k, name in enumerate(names) if name == start)
        for start in dict.fromkeys(names)
    }
    groups = list(dict.fromkeys([*((k,) for k in range(n)), *by_start.values()]))
    if len(by_start) == 1:
        groups = groups[:n]  # all together have been measured
    tasks = [
        partial(_measure_alone, scene, digests, albums, pairs, cutoffs, units, turns, group)
        for group in groups
    ]
    found = dict(zip(groups, do_together(workers, tasks), strict=True))
    labels = [source.label for source in scene.sources]
    nodes = {"replicas": _tabulate([found[k,] for k in range(n)], names, labels)}
    if len(by_start) > 1:
        populations = {
            start: [q for q in found[group] if not q.name.startswith("residence.")]
            for start, group in by_start.items()
        }
        frames = {
            start: float(sum(digests[k].table.n_frames for k in group))
            for start, group in by_start.items()
        }
        nodes["agreement"] = compare_starts(populations, frames)
    return nodes


def _measure_alone(
    scene: Scene,
    digests: Sequence[Digest],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    cutoffs: Mapping[tuple[str, str], Cutoff],
    units: Sequence[Units],
    turns: Sequence[Sequence[Turns]],
    group: Sequence[int],
) -> list[Quantity]:
    """List what some replicas say without the others."""
    nodes = measure_suite(
        scene, [digests[k] for k in group], [albums[k] for k in group], pairs, units=units,
        turns=[turns[k] for k in group] if units else (), n_structures=0,
    )  # fmt: skip
    residence = nodes["residence"]
    # What a replica says of itself; whether it may be believed is judged for all together.
    memory = {
        str(pair): Memory(pair=str(pair), forgotten=True, n_events=0, note=None)
        for pair in residence["pair"].values
    }
    times = (residence[key].values for key in ("pair", "residence_time", "residence_time_stderr"))
    return [
        *summarize_populations(scene, nodes, cutoffs, memory),
        *(
            Quantity(
                name=f"residence.{pair}", value=float(time), unit="ns",
                stderr=float(error) if math.isfinite(error) else None,
            )
            for pair, time, error in zip(*times, strict=True)
            if math.isfinite(time)
        ),
    ]  # fmt: skip


def _tabulate(
    found: Sequence[Sequence[Quantity]], starts: Sequence[str], labels: Sequence[str]
) -> xr.Dataset:
    """Put the numbers of every replica side by side; nan where a replica lacks one."""
    import xarray as xr

    tables = [{q.name: q for q in own} for own in found]
    units = {name: q.unit for table in tables for name, q in table.items()}
    shape = (len(units), len(tables))
    value, error = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, name in enumerate(units):
        for j, table in enumerate(tables):
            q = table.get(name)
            if q is not None and q.value is not None:
                value[i, j] = q.value
                error[i, j] = math.nan if q.stderr is None else q.stderr
    dims = ("quantity", "replica")
    own = {"units": "of the quantity", "long_name": "value of each replica alone"}
    return xr.Dataset(
        {
            "value": (dims, value, own),
            "value_stderr": (dims, error, {**own, "long_name": "standard error of that"}),
            "unit": ("quantity", list(units.values()), {"units": "1", "long_name": "unit"}),
        },
        coords={
            "quantity": list(units),
            "replica": np.arange(len(tables)),
            "start": ("replica", list(starts)),
            "trajectory": ("replica", list(labels)),
        },
    )
