"""What recordings say: Green–Kubo conductivity and viscosity, permittivity, dielectric spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.dielectric import measure_dielectric, summarize_dielectric
from solvation.analyze.driven import (
    load_flows,
    measure_driven_viscosity,
    summarize_driven_viscosity,
)
from solvation.analyze.green_kubo import measure_current_correlation, summarize_current_correlation
from solvation.analyze.recording import load_currents, load_stresses, name_species
from solvation.analyze.viscosity import measure_viscosity, summarize_viscosity
from solvation.results import Quantity
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    import xarray as xr

    from solvation.analyze.topology import Scene

__all__ = ["add_recordings", "analyze_recordings", "merge_quantities", "multiply_walden"]


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
        ``green_kubo``, ``dielectric``, ``viscosity`` and ``driven``, those that could be had.
    quantities
        ``conductivity.green_kubo``, ``permittivity``, ``viscosity``, ``viscosity.driven`` and
        ``walden``; where only a flow was driven, it gives ``viscosity``.
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
    driven = measure_driven_viscosity(load_flows(folders))
    if driven is not None:
        nodes["driven"] = driven
        quantities += summarize_driven_viscosity(driven)
        if "viscosity" not in nodes:
            quantities.append(replace(quantities[-1], name="viscosity"))
    if currents is not None:
        quantities += multiply_walden(scene, quantities, currents.volume)
    return nodes, quantities


def multiply_walden(
    scene: Scene, quantities: Sequence[Quantity], volume: float
) -> tuple[Quantity, ...]:
    r"""Multiply molar conductivity and viscosity: :math:`\sigma \eta / c`, per mole of cations.

    Parameters
    ----------
    scene
        Numbers of ions.
    quantities
        ``conductivity.green_kubo`` (mS/cm) and ``viscosity`` (mPa s), if they are there.
    volume
        Å3.
    """
    known = {item.name: item for item in quantities}
    sigma, eta = known.get("conductivity.green_kubo"), known.get("viscosity")
    cations = sum(species.n_molecules for species in scene.list_role("cation"))
    if sigma is None or eta is None or not cations or not sigma.value or not eta.value:
        return ()
    concentration = cations / (volume * 1e-27 * AVOGADRO)
    value = sigma.value * eta.value / concentration
    relative = np.hypot((sigma.stderr or 0.0) / sigma.value, (eta.stderr or 0.0) / eta.value)
    sound = sigma.status == eta.status == "ok"
    return (
        Quantity(
            name="walden", value=value, stderr=abs(value) * float(relative),
            unit="S cm2 mPa s/mol", status="ok" if sound else "not_converged",
            note="Green-Kubo conductivity times viscosity, per mole of cations",
        ),
    )  # fmt: skip


def add_recordings(
    scene: Scene, tree: xr.DataTree, folders: Sequence[Path], *, temperature: float
) -> list[Quantity]:
    """Add the nodes of `analyze_recordings` to a tree and return its quantities."""
    nodes, quantities = analyze_recordings(scene, folders, temperature=temperature)
    for name, node in nodes.items():
        tree[name] = type(tree)(node)
    return quantities


def merge_quantities(first: Sequence[Quantity], second: Sequence[Quantity]) -> list[Quantity]:
    """Put two lists together; of two numbers with one name the second stays.

    A spectrum extrapolates to zero frequency from what the run resolves, and looks smooth however
    slow the motion is that was not resolved. So what is recorded is not converged as long as a
    diffusion coefficient of the first list is not.
    """
    known = {item.name for item in second}
    slow = [
        item.name.removeprefix("diffusion.")
        for item in first
        if item.name.startswith("diffusion.") and item.status in ("not_converged", "undefined")
        and item.name.count(".") == 1
    ]  # fmt: skip
    judged = [_doubt_slow(item, slow) for item in second]
    return [*(item for item in first if item.name not in known), *judged]


def _doubt_slow(item: Quantity, slow: Sequence[str]) -> Quantity:
    """Mark a number that rests on motion the run did not see to its end."""
    if not slow or item.name == "permittivity":
        return item
    said = f"{', '.join(slow)} did not reach diffusion"
    note = "; ".join([*([item.note] if item.note else []), said])
    return replace(item, status="not_converged", note=note)
