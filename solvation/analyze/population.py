"""Populations of the summary: fractions and numbers that depend on exchanges, each judged.

A population that depends on an exchange which hardly happened is ``not_converged``, whatever its
error bar says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.cutoff import Cutoff
from solvation.analyze.memory import Memory
from solvation.analyze.shape import OTHER
from solvation.analyze.topology import Scene
from solvation.results import Quantity, Status

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["judge_memories", "summarize_populations"]

LEAST = 0.005
"""Motifs and conformations rarer than this are in ``results.nc`` only."""


def summarize_populations(
    scene: Scene,
    nodes: Mapping[str, xr.Dataset],
    cutoffs: Mapping[tuple[str, str], Cutoff],
    memory: Mapping[str, Memory],
) -> list[Quantity]:
    """List every population that has a name.

    Parameters
    ----------
    scene
        Species, roles and sites.
    nodes
        From `solvation.analyze.suite.measure_suite`.
    cutoffs
        By cation and site.
    memory
        By pair, from `solvation.analyze.memory.judge_memory`.
    """
    rows = [
        *_summarize_coordination(scene, nodes["coordination"], cutoffs, memory),
        *_summarize_geometry(scene, nodes, memory),
        *_summarize_denticity(nodes["denticity"], memory),
        *_summarize_speciation(scene, nodes["speciation"], nodes["clusters"], memory),
        *_summarize_shells(nodes["shells"], memory),
    ]
    if "conformations" in nodes:
        rows += _summarize_conformations(nodes["conformations"], memory)
    return rows


def judge_memories(memory: Iterable[Memory]) -> tuple[Status, int | None, str | None]:
    """Join the verdicts on all exchanges that a number depends on."""
    bad = [m for m in memory if not m.forgotten]
    if not bad:
        return "ok", None, None
    worst = min(bad, key=lambda m: m.n_events)
    # What never touched the cation is the weaker reason when something bound never left.
    notes = sorted({m.note for m in bad if m.note}, key=lambda n: ("contact" in n, n))
    return "not_converged", worst.n_events, "; ".join(notes)


def _make(
    name: str, value: float, error: float, memory: Iterable[Memory], *, note: str | None = None,
    unit: str = "1",
) -> Quantity:  # fmt: skip
    status, events, why = judge_memories(memory)
    said = "; ".join(x for x in (note, why) if x) or None
    return Quantity(
        name=name, value=float(value), stderr=float(error) if math.isfinite(error) else None,
        unit=unit, status=status, n_events=events, note=said,
    )  # fmt: skip


def _rows(node: xr.Dataset, value: str, dim: str) -> list[tuple[str, float, float]]:
    """List labels, values and errors along one dimension."""
    columns = (node[dim].values, node[value].values, node[f"{value}_stderr"].values)
    return [(str(k), float(v), float(e)) for k, v, e in zip(*columns, strict=True)]


def _of_cation(memory: Mapping[str, Memory], cation: str) -> list[Memory]:
    return [m for pair, m in memory.items() if pair.partition("-")[0] == cation]


def _of_ligand(memory: Mapping[str, Memory], ligand: str) -> list[Memory]:
    return [m for pair, m in memory.items() if pair.partition("-")[2] == ligand]


def _list_bound(scene: Scene, node: xr.Dataset, cation: str) -> list[str]:
    """List the pairs of a cation that touch at all."""
    return sorted({
        f"{cation}-{scene.find_site(pair.partition('-')[2]).species}"
        for pair, number, _ in _rows(node, "number", "pair")
        if pair.startswith(f"{cation}-") and number > 0.0
    })  # fmt: skip


def _summarize_coordination(
    scene: Scene,
    node: xr.Dataset,
    cutoffs: Mapping[tuple[str, str], Cutoff],
    memory: Mapping[str, Memory],
) -> list[Quantity]:
    rows = []
    for pair, value, error in _rows(node, "number", "pair"):
        cation, _, site = pair.partition("-")
        cutoff = cutoffs[cation, site]
        radius = f"no first shell in g(r), counted within {cutoff.value:.2f} Å"
        rows.append(
            _make(
                f"coordination.{pair}", value, error,
                [memory[f"{cation}-{scene.find_site(site).species}"]],
                note=None if cutoff.defined else radius,
            )
        )  # fmt: skip
    for cation, value, error in _rows(node, "total", "cation"):
        bound = [memory[p] for p in _list_bound(scene, node, cation)]
        rows.append(_make(f"coordination.{cation}.total", value, error, bound))
    return rows


def _summarize_geometry(
    scene: Scene, nodes: Mapping[str, xr.Dataset], memory: Mapping[str, Memory]
) -> list[Quantity]:
    node = nodes["geometry"]
    rows = [
        _make(f"distance.{pair}", value, error, [], unit="Å")
        for pair, value, error in _rows(node, "length", "pair")
        if math.isfinite(value)
    ]
    rows += [
        _make(f"bite.{pair}", value, error, [], unit="degree")
        for pair, value, error in _rows(node, "bite", "chelate")
    ]
    shapes = nodes["shapes"]
    keys = ("cation", "label", "name", "fraction", "fraction_stderr", "measure")
    for cation, label, name, value, error, measure in zip(
        *(shapes[key].values for key in keys), strict=True
    ):
        if not value and str(label) != OTHER:
            continue
        bound = [memory[p] for p in _list_bound(scene, nodes["coordination"], str(cation))]
        note = f"{name}, mean shape measure {measure:.2f}" if math.isfinite(measure) else str(name)
        rows.append(_make(f"shape.{cation}.{label}", value, error, bound, note=note))
    return rows


def _summarize_denticity(node: xr.Dataset, memory: Mapping[str, Memory]) -> list[Quantity]:
    rows = []
    numbers = node["denticity"].values
    for i, pair in enumerate(str(p) for p in node["pair"].values):
        values = node["fraction"].values[i], node["fraction_stderr"].values[i]
        for n, value, error in zip(numbers, *values, strict=True):
            if math.isfinite(value):
                rows.append(_make(f"denticity.{pair}.{n}", value, error, [memory[pair]]))
    for ligand, value, error in _rows(node, "bridging", "ligand"):
        if math.isfinite(value):
            rows.append(_make(f"bridging.{ligand}", value, error, _of_ligand(memory, ligand)))
    return rows


def _summarize_speciation(
    scene: Scene, node: xr.Dataset, clusters: xr.Dataset, memory: Mapping[str, Memory]
) -> list[Quantity]:
    anions = {s.name for s in scene.list_role("anion")}
    pairs = [m for pair, m in memory.items() if pair.partition("-")[2] in anions]
    if not anions:
        return []
    rows = [
        _make(f"speciation.{side}.{name}", value, error, pairs)
        for side in ("cation", "anion")
        for (name, value, error) in _rows(node, side, "class")
    ]
    ions = [str(ion) for ion in node["ion"].values]
    for i, ion in enumerate(ions):
        role = scene.find_species(ion).role
        mine = _of_cation(memory, ion) if role == "cation" else _of_ligand(memory, ion)
        mine = [m for m in mine if m.pair.partition("-")[2] in anions]
        if len(scene.list_role(role)) > 1:
            for k, name in enumerate(str(c) for c in node["class"].values):
                value, error = (
                    float(node[key].values[i, k]) for key in ("ion_class", "ion_class_stderr")
                )
                rows.append(_make(f"speciation.{ion}.{name}", value, error, mine))
        if role == "anion":
            value, error = (
                float(node[key].values[i]) for key in ("uncoordinated", "uncoordinated_stderr")
            )
            rows.append(_make(f"uncoordinated.{ion}", value, error, mine))
    rows += [
        _make(f"species.{name}", value, error, pairs)
        for name, value, error in _rows(node, "species_fraction", "species")
        if math.isfinite(error)
    ]
    value, error = float(clusters["percolation"]), float(clusters["percolation_stderr"])
    return [*rows, _make("percolation", value, error, pairs)]


def _summarize_shells(node: xr.Dataset, memory: Mapping[str, Memory]) -> list[Quantity]:
    rows = [
        _make(f"shell.{name}", value, error, _of_cation(memory, name.partition("(")[0]))
        for name, value, error in _rows(node, "fraction", "shell")
    ]
    for name, value, error in _rows(node, "motif_fraction", "motif"):
        if value >= LEAST:
            mine = _of_cation(memory, name.partition("(")[0])
            rows.append(_make(f"motif.{name}", value, error, mine))
    return rows


def _summarize_conformations(node: xr.Dataset, memory: Mapping[str, Memory]) -> list[Quantity]:
    rows = []
    values, errors = node["fraction"].values, node["fraction_stderr"].values
    for (i, j, k), value in np.ndenumerate(values):
        if not value >= LEAST:
            continue
        species, binding, name = (
            str(node[dim].values[at])
            for dim, at in (("species", i), ("binding", j), ("conformation", k))
        )
        mine = [] if binding == "free" else _of_ligand(memory, species)
        label = f"conformation.{species}.{binding}.{name}"
        rows.append(_make(label, float(value), float(errors[i, j, k]), mine))
    return rows
