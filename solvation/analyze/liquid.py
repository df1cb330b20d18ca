"""A liquid without ions, and what every tree of results says of its origin."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.centre import Centres, Path
from solvation.analyze.density import measure_density
from solvation.analyze.diffusion import measure_diffusion
from solvation.analyze.dipole import BoxDipole, describe_permittivity, spread_charges
from solvation.analyze.driver import run_analyzers
from solvation.analyze.plugin import Plugin, describe_plugins
from solvation.analyze.reference import ReferenceFrame, describe_frame
from solvation.analyze.structure import take_structure
from solvation.analyze.summary import summarize_tree
from solvation.analyze.topology import Scene

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity

__all__ = ["analyze_liquid", "label_tree"]


def analyze_liquid(
    scene: Scene,
    *,
    temperature: float | None,
    charge_scale: float = 1.0,
    partial_charges: Mapping[str, Sequence[float]] | None = None,
    blocks: int = 5,
    plugins: Sequence[Plugin] = (),
    frame: ReferenceFrame = "barycentric",
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[xr.DataTree, list[Quantity]]:
    """Measure what a liquid without ions has: density, diffusion, permittivity, in one reading.

    Parameters and returns are those of `analyze_scene`. Shells, species, residence times and
    conductivities are those of ions; they are left out, not reported as zero. The permittivity
    needs a temperature and the partial charges.
    """
    import xarray as xr

    charges = spread_charges(scene, partial_charges or {})
    dipole = [] if charges is None else [BoxDipole(charges=tuple(charges.tolist()))]
    parts = run_analyzers(
        scene,
        [Centres(frame=frame), *dipole, *plugins],
        blocks=blocks,
        progress=progress,
        label="paths",
    )
    paths: tuple[Path, ...] = parts["centres"].total().result()
    nodes: dict[str, xr.Dataset] = {}
    diffusion = measure_diffusion(scene, paths)
    if diffusion is not None:
        nodes["diffusion"] = diffusion
        nodes["diffusion"].attrs["frame"] = describe_frame(frame)
    if dipole and temperature is not None:
        series = parts["dipole"].total().result()
        permittivity = describe_permittivity(series, temperature=temperature)
        if permittivity is not None:
            nodes["permittivity"] = permittivity
    nodes["density"] = measure_density(scene, paths)
    nodes["structure"] = take_structure(scene)
    more, numbers = describe_plugins(plugins, parts, [*nodes, "thermo"])
    nodes.update(more)
    tree = xr.DataTree.from_dict({f"/{name}": node for name, node in nodes.items()})
    label_tree(tree, scene, paths, temperature=temperature, charge_scale=charge_scale)
    problem = next((path.problem for path in paths if path.problem), None)
    return tree, [*summarize_tree(scene, tree, {}, {}, problem=problem), *numbers]


def label_tree(
    tree: xr.DataTree,
    scene: Scene,
    paths: Sequence[Path],
    *,
    temperature: float | None,
    charge_scale: float,
) -> None:
    """Write into the attributes of a tree what was analyzed, and how much of it."""
    spans = [float(np.nan_to_num(path.times[-1] - path.times[0])) for path in paths]
    tree.attrs.update(
        name=scene.name,
        kind="trajectory",
        n_frames=sum(len(path.times) for path in paths),
        time_total=sum(spans),
        n_replicas=scene.n_replicas,
        temperature=float("nan") if temperature is None else float(temperature),
        volume=float(np.concatenate([path.volume for path in paths]).mean()),
        counts=json.dumps(scene.counts),
        charges=json.dumps({s.name: s.charge for s in scene.species}),
        roles=json.dumps({s.name: s.role for s in scene.species}),
        charge_scale=float(charge_scale),
        notes=json.dumps(list(scene.notes)),
    )
