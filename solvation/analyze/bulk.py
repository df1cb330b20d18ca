"""Bulk: what the logs of a run say, put beside what was measured of its trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvation.analyze.equilibration import measure_equilibration
from solvation.analyze.tempered import add_walks
from solvation.analyze.thermo import collect_thermo, summarize_composition, summarize_density

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.log import Log
    from solvation.results import Quantity
    from solvation.walk import Walk

__all__ = ["add_bulk"]


def add_bulk(
    tree: xr.DataTree,
    quantities: Sequence[Quantity],
    logs: Mapping[str, Log],
    audit: Mapping[str, Any],
    *,
    starts: Sequence[str],
    walks: Mapping[str, Walk] | None = None,
) -> tuple[list[Quantity], list[Quantity]]:
    """Add density, composition, equilibration and walks to the results of a run.

    Parameters
    ----------
    tree
        Gets nodes, and loses those that a tempered run cannot have.
    quantities
        Of the trajectory.
    logs
        By replica.
    audit
        Of the box.
    starts
        How each replica was packed.
    walks
        Of a tempered run, by replica.

    Returns
    -------
    reached, quantities
        The concentrations alone; all numbers in the order a reader wants them.
    """
    tree["thermo"] = type(tree)(collect_thermo(logs))
    if walks:
        quantities = add_walks(tree, quantities, walks)
    nodes, (density, *settled) = measure_equilibration(
        logs, starts, summarize_density(logs),
        n_molecules=sum(audit["residues"].values()), tempered=bool(walks),
    )  # fmt: skip
    for name, node in nodes.items():
        tree[name] = type(tree)(node)
    units = {**audit["salts"], **audit.get("additives", {})}
    reached = list(summarize_composition(logs, units, audit["asked"], density))
    known = {"density", *(item.name for item in reached)}
    others = [item for item in quantities if item.name not in known]
    return reached, [density, *reached, *settled, *others]
