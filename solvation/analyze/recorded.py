"""What recordings say: Green–Kubo conductivity and viscosity, permittivity, dielectric spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solvation.analyze.dielectric import measure_dielectric, summarize_dielectric
from solvation.analyze.green_kubo import measure_current_correlation, summarize_current_correlation
from solvation.analyze.recording import load_currents, load_stresses, name_species
from solvation.analyze.viscosity import measure_viscosity, summarize_viscosity

if TYPE_CHECKING:
    import xarray as xr

    from solvation.analyze.topology import Scene
    from solvation.results import Quantity

__all__ = ["add_recordings", "analyze_recordings", "merge_quantities"]


def analyze_recordings(
    scene: Scene, folders: Sequence[Path], *, temperature: float
) -> tuple[dict[str, xr.Dataset], list[Quantity]]:
    """Measure all that the small files of a run allow.

    Parameters
    ----------
    scene
        Names and formal charges of the species.
    folders
        Of the replicas; nothing is measured when one of them has no recording.
    temperature
        K.

    Returns
    -------
    nodes
        ``green_kubo``, ``viscosity`` and ``dielectric``, those that could be had.
    quantities
        ``conductivity.green_kubo``, ``viscosity`` and ``permittivity``.
    """
    nodes: dict[str, xr.Dataset] = {}
    quantities: list[Quantity] = []
    currents = load_currents(folders, names=name_species(scene))
    if currents is not None:
        charge = {species.name: species.charge for species in scene.species}
        flow = measure_current_correlation(currents, charge, temperature=temperature)
        if flow is not None:
            nodes["green_kubo"] = flow
            quantities += summarize_current_correlation(flow)
        dielectric = measure_dielectric(currents, temperature=temperature)
        if dielectric is not None:
            nodes["dielectric"] = dielectric
            quantities += summarize_dielectric(dielectric)
    stresses = load_stresses(folders)
    if stresses is not None:
        viscosity = measure_viscosity(stresses, temperature=temperature)
        if viscosity is not None:
            nodes["viscosity"] = viscosity
            quantities += summarize_viscosity(viscosity)
    return nodes, quantities


def add_recordings(
    scene: Scene, tree: xr.DataTree, folders: Sequence[Path], *, temperature: float
) -> list[Quantity]:
    """Add the nodes of `analyze_recordings` to a tree and return its quantities."""
    nodes, quantities = analyze_recordings(scene, folders, temperature=temperature)
    for name, node in nodes.items():
        tree[name] = type(tree)(node)
    return quantities


def merge_quantities(first: Sequence[Quantity], second: Sequence[Quantity]) -> list[Quantity]:
    """Put two lists together; of two numbers with one name the second stays."""
    known = {item.name for item in second}
    return [*(item for item in first if item.name not in known), *second]
