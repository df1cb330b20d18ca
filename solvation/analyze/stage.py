"""The analyze stage: from a scene to a tree of results and the numbers people quote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.agreement import widen_errors
from solvation.analyze.centre import Centres, Path
from solvation.analyze.conductivity import measure_conductivity
from solvation.analyze.contact import Contacts, ContactTable, keep_contacts
from solvation.analyze.cutoff import SMOOTHING, Cutoff, contact_limit, find_cutoffs
from solvation.analyze.density import measure_density
from solvation.analyze.diffusion import measure_diffusion
from solvation.analyze.digest import digest_tables
from solvation.analyze.driver import Parts, run_analyzers
from solvation.analyze.liquid import analyze_liquid, label_tree
from solvation.analyze.memory import judge_memory
from solvation.analyze.partial import measure_partial_diffusion
from solvation.analyze.plugin import Plugin, describe_plugins
from solvation.analyze.rdf import R_MAX, WIDTH, PairCounts, collect_rdfs, count_bins, peak_error
from solvation.analyze.reference import ReferenceFrame, describe_frame
from solvation.analyze.replica import compare_replicas
from solvation.analyze.separation import (
    Separations,
    check_rule,
    find_separations,
    replace_shared,
)
from solvation.analyze.snapshot import Album, Snapshots
from solvation.analyze.structure import take_structure
from solvation.analyze.suite import measure_suite
from solvation.analyze.summary import summarize_tree
from solvation.analyze.surrounding import Surroundings, list_counts
from solvation.analyze.topology import Scene
from solvation.analyze.torsion import Torsions, find_units
from solvation.errors import TrajectoryError
from solvation.worker import HERE, Workers

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity

__all__ = ["ROOM_TEMPERATURE", "analyze_scene"]

ROOM_TEMPERATURE = 298.15
"""K, assumed for conductivities when nobody said."""
REACH = 1.0
"""Å beyond `contact_limit` within which contacts are listed before cutoffs are known."""


def analyze_scene(
    scene: Scene,
    *,
    cutoffs: Mapping[str, float] | None = None,
    temperature: float | None = None,
    charge_scale: float = 1.0,
    partial_charges: Mapping[str, Sequence[float]] | None = None,
    blocks: int = 5,
    starts: Sequence[str] | None = None,
    series: bool = False,
    ssip: str = "shared-solvent",
    transport: bool = True,
    plugins: Sequence[Plugin] = (),
    frame: ReferenceFrame = "barycentric",
    workers: Workers = HERE,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[xr.DataTree, list[Quantity]]:
    """Measure everything, in one reading of the trajectory.

    The reading finds g(r), contacts within a generous reach, and the paths of the molecules. From
    g(r) follow the cutoffs, from the contacts within these coordination, speciation, shells and
    residence times, from the paths diffusion and conductivity. Only where a cutoff comes out
    beyond the reach are contacts looked for again, in a second reading. A liquid
    without ions has density, diffusion and permittivity.

    Parameters
    ----------
    scene
        From `open_scene`.
    cutoffs
        First-shell radii in Å by ``"Mg-DME.O"``, ``"Mg"`` or ``"*"``; the others are found.
    temperature
        K; that of the scene, or 298.15 K with a note, if not given.
    charge_scale
        By which the force field scaled the charges of the ions; recorded, not used: currents
        are those of formal charges.
    partial_charges
        e, of one molecule by species, in the order of its atoms; for the permittivity of a liquid
        without ions.
    blocks
        Stretches of time per replica for the errors of g(r).
    starts
        How each replica was packed, e.g. ``"separated"``; replicas of one start share a name. If
        not given, every replica is a start of its own.
    series
        Whether to keep coordination numbers of every cation in every frame.
    ssip
        What separates ions that do not touch into SSIP and free: ``"shared-solvent"``, a molecule
        that touches both, or ``"second-minimum"``, a distance within the second minimum of the
        cation–anion g(r), for which the trajectory is read again.
    transport
        Whether to follow the molecules, for diffusion and conductivity; without, memory hardly
        grows with the length of the trajectory.
    plugins
        Further observables, looked at in the same reading.
    frame
        Against what motion is measured, see `solvation.analyze.reference`.
    workers
        Who looks at frames, see `solvation.worker`; the numbers do not depend on it.
    progress
        Called with frames done, frames in all and a label.

    Returns
    -------
    tree
        A node per observable; see the reference for names and units.
    quantities
        The flat list of numbers with errors and statuses.

    Raises
    ------
    TrajectoryError
        If a frame cannot be read, the contact graph does not close, or g(r) has no second minimum
        where one is asked for.
    RecipeError
        If ``ssip`` is neither.
    """
    rule = check_rule(ssip)
    import xarray as xr

    known = temperature if temperature is not None else scene.temperature
    if not scene.list_role("cation"):
        return analyze_liquid(
            scene, temperature=known, charge_scale=charge_scale, partial_charges=partial_charges,
            blocks=blocks, frame=frame, plugins=plugins, progress=progress,
        )  # fmt: skip
    pairs = [(c.name, s.name) for c in scene.list_role("cation") for s in scene.sites]
    if not pairs:
        found = ", ".join(scene.counts)
        raise TrajectoryError(
            f"nothing among {found} can bind a cation; name a solvent or anion with O, N, F or Cl"
        )
    reach = _guess_reach(scene, pairs, cutoffs)
    separations: dict[tuple[str, str], float] = {}
    units = find_units(scene)
    first = run_analyzers(
        scene,
        [
            Surroundings(reach=reach), Snapshots(), Torsions(units=units),
            Centres(follow=transport, frame=frame), *plugins,
        ],
        blocks=blocks, workers=workers, progress=progress, label="surroundings and paths",
    )  # fmt: skip
    counts = list_counts(scene, first["surroundings"], pairs)
    shells = _find_cutoffs(scene, counts, pairs, cutoffs)
    radii = {pair: cutoff.value for pair, cutoff in shells.items()}
    if any(radius > reach[pair] for pair, radius in radii.items()):
        # A shell wider than any ion's should be: its contacts need a second reading.
        second = run_analyzers(
            scene, [Contacts(cutoffs=radii)], blocks=blocks, workers=workers,
            progress=progress, label="contacts",
        )  # fmt: skip
        tables: tuple[ContactTable, ...] = second["contacts"].total().result()
    else:
        found = first["surroundings"].total().contacts.result()
        tables = tuple(keep_contacts(scene, table, radii) for table in found)
    if rule == "second-minimum":
        separations = find_separations(scene, _add_up(counts, pairs), shells)
        near = run_analyzers(
            scene, [Separations(radii=separations)], blocks=blocks, workers=workers,
            progress=progress, label="separated pairs",
        )["separations"].total().result()  # fmt: skip
        tables = tuple(replace_shared(t, n) for t, n in zip(tables, near, strict=True))
    paths: tuple[Path, ...] = first["centres"].total().result()
    nodes: dict[str, xr.Dataset] = {"rdf": _describe_rdfs(counts, shells)}
    albums: tuple[Album, ...] = first["snapshots"].total().result()
    turns = first["torsions"].total().result()
    digests = digest_tables(scene, tables, workers=workers)
    nodes.update(
        measure_suite(
            scene, digests, albums, pairs, units=units, turns=turns, series=series, workers=workers
        )
    )
    diffusion = measure_diffusion(scene, paths) if transport else None
    if diffusion is not None:
        nodes["diffusion"] = diffusion
        partial = measure_partial_diffusion(scene, paths, [d.pairing for d in digests], diffusion)
        if partial is not None:
            nodes["partial_diffusion"] = partial
        nodes.update(
            measure_conductivity(
                scene, paths, diffusion, temperature=known or ROOM_TEMPERATURE, tables=tables
            )
        )
    nodes["density"] = measure_density(scene, paths)
    nodes["structure"] = take_structure(scene)
    _describe(nodes, radii, frame, separations)
    more, numbers = describe_plugins(plugins, first, [*nodes, "thermo", "agreement"])
    nodes.update(more)
    tree = xr.DataTree.from_dict({f"/{name}": node for name, node in nodes.items()})
    label_tree(tree, scene, paths, temperature=known, charge_scale=charge_scale)
    spans = [float(np.nan_to_num(p.times[-1] - p.times[0])) for p in paths]
    memory = judge_memory(nodes["residence"], longest=max(spans))
    problem = next((p.problem for p in paths if p.problem), None)
    if not transport:
        problem = "molecules were not followed"
    quantities = summarize_tree(scene, tree, shells, memory, problem=problem)
    apart = compare_replicas(
        scene,
        digests,
        albums,
        pairs,
        shells,
        units=units,
        turns=turns,
        starts=starts,
        workers=workers,
    )
    for name, node in apart.items():
        tree[name] = xr.DataTree(node)
    if "agreement" in apart:
        quantities = widen_errors(quantities, apart["agreement"])
    return tree, [*quantities, *numbers]


def _guess_reach(
    scene: Scene, pairs: list[tuple[str, str]], cutoffs: Mapping[str, float] | None
) -> dict[tuple[str, str], float]:
    """Return radii in Å within which every contact will lie, before g(r) is known.

    The user's cutoff where there is one, else `REACH` beyond the longest first peak that can mean
    contact.
    """
    given = dict(cutoffs or {})
    largest = count_bins(scene, R_MAX, WIDTH) * WIDTH
    reach = {}
    for (cation, site), elements in _list_elements(scene, pairs).items():
        chosen = [given[k] for k in (f"{cation}-{site}", cation, "*") if k in given]
        guess = chosen[0] if chosen else contact_limit(*elements) + REACH
        reach[cation, site] = min(guess, largest)
    return reach


def _list_elements(
    scene: Scene, pairs: list[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the elements of cation and donor of each pair."""
    elements = {}
    for cation, site in pairs:
        centre = scene.find_centres(scene.find_species(cation))[0]
        elements[cation, site] = (str(scene.elements[centre]), scene.find_site(site).element)
    return elements


def _find_cutoffs(
    scene: Scene,
    parts: Mapping[str, Parts[PairCounts]],
    pairs: list[tuple[str, str]],
    cutoffs: Mapping[str, float] | None,
) -> dict[tuple[str, str], Cutoff]:
    """Find the cutoffs from the total of all parts."""
    return find_cutoffs(_add_up(parts, pairs), _list_elements(scene, pairs), user=cutoffs)


def _add_up(
    parts: Mapping[str, Parts[PairCounts]], pairs: list[tuple[str, str]]
) -> dict[tuple[str, str], PairCounts]:
    return {pair: parts["-".join(pair)].total() for pair in pairs}


def _describe_rdfs(
    parts: Mapping[str, Parts[PairCounts]], found: Mapping[tuple[str, str], Cutoff]
) -> xr.Dataset:
    """Put g(r) and what was read off it into one node."""
    names = ["-".join(pair) for pair in found]
    dataset = collect_rdfs(parts, names)
    cutoffs = list(found.values())
    errors = [
        peak_error(parts[name], c.first_peak) if np.isfinite(c.first_peak) else float("nan")
        for name, c in zip(names, cutoffs, strict=True)
    ]
    nan = float("nan")
    columns: list[tuple[str, list[float], str, str]] = [
        ("first_peak", [c.first_peak for c in cutoffs], "Å", "first maximum"),
        ("first_peak_stderr", errors, "Å", "standard error of the first maximum"),
        ("cutoff", [c.value if c.defined else nan for c in cutoffs], "Å", "first minimum"),
        ("cutoff_low", [c.low for c in cutoffs], "Å", "lower end of the plateau"),
        ("cutoff_high", [c.high for c in cutoffs], "Å", "upper end of the plateau"),
        ("radius", [c.value for c in cutoffs], "Å", "radius within which contacts are counted"),
        ("defined", [float(c.defined) for c in cutoffs], "1", "whether there is a first minimum"),
    ]
    dataset = dataset.assign(
        {k: ("pair", v, {"units": u, "long_name": text}) for k, v, u, text in columns}
    )
    notes = {"-".join(pair): c.note for pair, c in found.items() if c.note}
    dataset.attrs["smoothing"] = f"Gaussian, {SMOOTHING} Å"
    dataset.attrs.update({f"note {name}": note for name, note in notes.items()})
    sources = {name: cutoff.source for name, cutoff in zip(names, cutoffs, strict=True)}
    dataset.attrs["sources"] = json.dumps(sources)
    return dataset


def _describe(
    nodes: dict[str, xr.Dataset],
    cutoffs: Mapping[tuple[str, str], float],
    frame: ReferenceFrame,
    separations: Mapping[tuple[str, str], float],
) -> None:
    """Say in each node how it was made."""
    radii, near = (
        json.dumps({"-".join(k): round(v, 4) for k, v in found.items()})
        for found in (cutoffs, separations)
    )
    for name in (
        "coordination", "denticity", "geometry", "shapes", "speciation", "clusters", "shells",
        "residence", "exchange",
    ):  # fmt: skip
        nodes[name].attrs["contact"] = f"donor atom within (Å): {radii}"
    nodes["speciation"].attrs["ssip"] = (
        f"no counter-ion touches, and one is within the second minimum of g(r) (Å): {near}"
        if separations
        else "no counter-ion touches, and one shares a solvent molecule: one bound to the cation, "
        "any atom of which is within the sum of the van der Waals radii + 0.5 Å of a donor atom "
        "of the anion"
    )
    for name in ("diffusion", "partial_diffusion"):
        if name in nodes:
            nodes[name].attrs["frame"] = describe_frame(frame)
