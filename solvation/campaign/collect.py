"""Collect: the numbers of all points as one tree, whose dimensions are those of the campaign.

The root holds, for every quantity of ``summary.json``, the value from all replicas of a point, with
dimensions ``(system, concentration, temperature, model)``; the node ``replicas`` holds the values
of each replica alone, with ``replica`` as the last. ``<name>_stderr`` and ``<name>_status`` lie
beside each; points that the product does not have, or that are not done, are NaN and -1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.results import load_summary
from solvation.workspace import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from solvation.campaign.plan import Point
    from solvation.results import Quantity

__all__ = ["STATUSES", "combine_points"]

STATUSES = ("ok", "bound", "not_converged", "undefined")
"""What ``<name>_status`` counts from 0; -1 is no such number."""

_DIMS = ("system", "concentration", "temperature", "model")


def combine_points(folders: Mapping[Point, Path], *, name: str) -> xr.DataTree:
    """Put the summaries of finished points into one tree.

    Parameters
    ----------
    folders
        Run folder of each point.
    name
        Of the campaign.

    Raises
    ------
    WorkspaceError
        If a summary cannot be read.
    """
    import xarray as xr

    axes: dict[str, list[Any]] = {
        dim: list(dict.fromkeys(getattr(point, dim) for point in folders)) for dim in _DIMS
    }
    axes["temperature"].sort()
    whole: dict[tuple[int, ...], Sequence[Quantity]] = {}
    single: dict[tuple[int, ...], Sequence[Quantity]] = {}
    replicas: list[str] = []
    for point, folder in folders.items():
        place = tuple(axes[dim].index(getattr(point, dim)) for dim in _DIMS)
        whole[place] = load_summary(folder / "summary.json")[1]
        for path in sorted(RunFolder(path=folder).simulate("x").parent.glob("*/summary.json")):
            replica = path.parent.name
            if replica not in replicas:
                replicas.append(replica)
            single[(*place, replicas.index(replica))] = load_summary(path)[1]
    coordinates = {
        dim: (dim, values, _DESCRIBED[dim]) for dim, values in axes.items()
    }  # every coordinate says what it is
    root = xr.Dataset(_fill(whole, axes, _DIMS), coords=coordinates)
    axes["replica"] = replicas
    alone = xr.Dataset(
        _fill(single, axes, (*_DIMS, "replica")),
        coords={**coordinates, "replica": ("replica", replicas, _DESCRIBED["replica"])},
    )
    tree = xr.DataTree.from_dict({"/": root, "/replicas": alone})
    points = {point.label: folder.name for point, folder in folders.items()}
    tree.attrs.update(name=name, kind="campaign", points=json.dumps(points))
    return tree


_DESCRIBED = {
    "system": {"units": "1", "long_name": "recipe"},
    "concentration": {"units": "1", "long_name": "concentration asked for"},
    "temperature": {"units": "K", "long_name": "temperature"},
    "model": {"units": "1", "long_name": "model"},
    "replica": {"units": "1", "long_name": "start and number of the replica"},
}


def _fill(
    table: Mapping[tuple[int, ...], Sequence[Quantity]],
    axes: Mapping[str, Sequence[Any]],
    dims: Sequence[str],
) -> dict[str, Any]:
    """Write quantities by place into arrays by name."""
    shape = tuple(len(axes[dim]) for dim in dims)
    values: dict[str, Any] = {}
    for place, quantities in table.items():
        for q in quantities:
            if q.name not in values:
                about = {"units": q.unit, "long_name": q.name}
                values[q.name] = (dims, np.full(shape, np.nan), about)
                values[f"{q.name}_stderr"] = (
                    dims,
                    np.full(shape, np.nan),
                    {"units": q.unit, "long_name": f"standard error of {q.name}"},
                )
                values[f"{q.name}_status"] = (
                    dims,
                    np.full(shape, -1, dtype=np.int8),
                    {
                        "units": "1",
                        "long_name": f"status of {q.name}",
                        "flag_meanings": " ".join(STATUSES),
                    },
                )
            if q.value is not None:
                values[q.name][1][place] = q.value
            if q.stderr is not None:
                values[f"{q.name}_stderr"][1][place] = q.stderr
            values[f"{q.name}_status"][1][place] = STATUSES.index(q.status)
    return values
