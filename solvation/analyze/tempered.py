"""Tempered runs: what their walks say, and which numbers they cannot give.

The frames of a tempered production are those at the target temperature, joined; between two of
them the replica may have been anywhere. Populations are those of the target temperature; times are
not, and nothing that needs them is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.kernels.tempering import count_round_trips
from solvation.results import Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.walk import Walk

__all__ = ["KINETIC", "add_walks", "collect_walks", "drop_kinetics", "summarize_walks"]

KINETIC = (
    "residence", "exchange", "diffusion", "conductivity", "onsager", "transference", "viscosity",
    "permittivity", "dielectric", "green_kubo",
)  # fmt: skip
"""Nodes, and first words of names, that need a clock or every moment of the production."""


def add_walks(
    tree: xr.DataTree, quantities: Sequence[Quantity], walks: Mapping[str, Walk]
) -> list[Quantity]:
    """Put the walks of a tempered run into its results, and take out what needs a clock."""
    collected = collect_walks(walks)
    tree["tempering"] = type(tree)(collected)
    return [summarize_walks(collected), *drop_kinetics(tree, quantities)]


def drop_kinetics(tree: xr.DataTree, quantities: Sequence[Quantity]) -> list[Quantity]:
    """Take what needs a clock out of a tree, in place, and out of a summary."""
    for name in KINETIC:
        if name in tree.children:
            del tree[name]
    return [q for q in quantities if q.name.partition(".")[0] not in KINETIC]


def collect_walks(walks: Mapping[str, Walk]) -> xr.Dataset:
    """Count where the replicas were during production.

    Parameters
    ----------
    walks
        By replica; all with the same ladder of temperatures.

    Returns
    -------
    ``visits`` (reports spent at each temperature, from 0 for the target) with dimensions
    ``(replica, temperature)``, ``energy`` (mean potential energy there, kJ/mol) with the same, and
    ``round_trips`` (from the target to the hottest and back) by replica.
    """
    import xarray as xr

    ladder: dict[int, float] = {}
    for walk in walks.values():
        pairs = zip(walk.level.tolist(), walk.temperature.tolist(), strict=True)
        ladder.update(dict(pairs))
    levels = sorted(ladder)
    top = max([*levels, *(int(level) for w in walks.values() for level in w.next_level)])
    visits = np.zeros((len(walks), len(levels)), dtype=np.int64)
    energy = np.full((len(walks), len(levels)), np.nan)
    trips = []
    for row, walk in enumerate(walks.values()):
        made = walk.select("production")
        for column, level in enumerate(levels):
            here = made.level == level
            visits[row, column] = here.sum()
            if here.any():
                energy[row, column] = made.potential_energy[here].mean()
        trips.append(count_round_trips(made.level, top + 1))
    dims = ("replica", "temperature")
    return xr.Dataset(
        {
            "visits": (dims, visits, {"units": "1", "long_name": "reports at this temperature"}),
            "energy": (dims, energy, {"units": "kJ/mol", "long_name": "mean potential energy"}),
            "round_trips": (
                "replica", trips, {"units": "1", "long_name": "ways to the hottest and back"},
            ),
        },
        coords={
            "replica": list(walks),
            "temperature": (
                "temperature", [ladder[k] for k in levels],
                {"units": "K", "long_name": "temperature"},
            ),
        },
    )  # fmt: skip


def summarize_walks(walks: xr.Dataset) -> Quantity:
    """Say how often the replicas came back from the hottest temperature.

    ``not_converged`` where one never did: what it shows at the target it may have brought along.
    """
    trips = walks["round_trips"].values
    lazy = [str(n) for n, k in zip(walks["replica"].values, trips, strict=True) if k == 0]
    return Quantity(
        name="tempering.round_trips",
        value=float(trips.sum()),
        stderr=None,
        unit="1",
        status="not_converged" if lazy else "ok",
        n_events=int(trips.sum()),
        note=f"none in {', '.join(lazy)}; run longer" if lazy else None,
    )
