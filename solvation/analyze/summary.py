"""From the tree of results to the flat list of numbers, each with its status.

What a run cannot know is marked here: a population that depends on an exchange which hardly
happened is ``not_converged``, whatever its error bar says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.conductivity import summarize_conductivity
from solvation.analyze.cutoff import Cutoff
from solvation.analyze.dipole import summarize_permittivity
from solvation.analyze.exchange import MECHANISMS
from solvation.analyze.memory import FEWEST_EVENTS, Memory
from solvation.analyze.onsager import summarize_onsager
from solvation.analyze.partial import summarize_partial_diffusion
from solvation.analyze.population import judge_memories, summarize_populations
from solvation.analyze.topology import Scene
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["summarize_tree"]

_FEWEST_SAMPLES = 10.0
"""Independent samples below which a transport coefficient is not converged."""


_UNEVEN = 0.001
"""Probability below which the axes of a diffusion coefficient are said to differ."""
_BIN = 0.025
"""Å: no cutoff is known better than a bin of g(r)."""


def summarize_tree(
    scene: Scene,
    tree: xr.DataTree,
    cutoffs: Mapping[tuple[str, str], Cutoff],
    memory: Mapping[str, Memory],
    *,
    problem: str | None = None,
) -> list[Quantity]:
    """List every number of the tree that has a name.

    Parameters
    ----------
    scene
        Species, roles and sites.
    tree
        Results; without ions it has no ``"rdf"`` and what follows from it.
    cutoffs
        By cation and site.
    memory
        By pair, from `judge_memory`.
    problem
        Why dynamics cannot be had, if so.
    """
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    ionic = [] if "rdf" not in nodes else [
        *_summarize_rdf(nodes["rdf"], cutoffs),
        *summarize_populations(scene, nodes, cutoffs, memory),
        *_summarize_residence(nodes["residence"], memory),
        *_summarize_exchange(nodes["exchange"]),
    ]  # fmt: skip
    moving = _summarize_transport(
        scene,
        nodes,
        memory,
        problem=problem,
        assumed=not math.isfinite(float(tree.attrs["temperature"])),
    )
    return [
        *_summarize_density(nodes["density"]),
        *ionic,
        *(summarize_permittivity(nodes["permittivity"]) if "permittivity" in nodes else ()),
        *moving,
        *_summarize_partial(nodes, moving),
    ]


def _summarize_partial(
    nodes: Mapping[str, xr.Dataset], moving: Sequence[Quantity]
) -> list[Quantity]:
    """List the diffusion of ions by state; what is doubtful of the ion is of its states."""
    if "partial_diffusion" not in nodes:
        return []
    doubts = {
        q.name.removeprefix("diffusion."): q.note or q.status
        for q in moving
        if q.name.startswith("diffusion.") and q.status != "ok"
    }
    return summarize_partial_diffusion(nodes["partial_diffusion"], doubts)


def _summarize_density(node: xr.Dataset) -> list[Quantity]:
    density = Quantity(
        name="density", value=float(node["density"]), stderr=float(node["density_stderr"]),
        unit="g/cm3", note=None if float(node["density_stderr"]) else "constant volume",
    )  # fmt: skip
    if "concentration" not in node:
        return [density]
    salt = Quantity(
        name=f"concentration.{node.attrs['salt']}", value=float(node["concentration"]),
        stderr=float(node["concentration_stderr"]), unit="mol/L",
        note=None if float(node["density_stderr"]) else "constant volume",
    )  # fmt: skip
    return [density, salt]


def _summarize_rdf(node: xr.Dataset, cutoffs: Mapping[tuple[str, str], Cutoff]) -> list[Quantity]:
    rows = []
    for i, ((cation, site), cutoff) in enumerate(cutoffs.items()):
        name = f"rdf.{cation}-{site}"
        if math.isfinite(cutoff.first_peak):
            spread = _finite(float(node["first_peak_stderr"].values[i]))
            rows.append(
                Quantity(
                    name=f"{name}.first_peak", value=cutoff.first_peak, stderr=spread, unit="Å"
                )
            )
        else:
            rows.append(_undefined(f"{name}.first_peak", "Å", cutoff.note))
        if not cutoff.defined:
            rows.append(_undefined(f"{name}.cutoff", "Å", cutoff.note))
            continue
        width = cutoff.high - cutoff.low
        error: float | None = None
        note = cutoff.note
        if cutoff.source == "user":
            error, note = 0.0, "given by the user"
        elif math.isfinite(width):
            # Anywhere on the plateau is as good: the error is that of a uniform distribution.
            error = max(width, _BIN) / math.sqrt(12.0)
            note = f"plateau {cutoff.low:.2f} to {cutoff.high:.2f} Å"
        rows.append(
            Quantity(name=f"{name}.cutoff", value=cutoff.value, stderr=error, unit="Å", note=note)
        )
    return rows


def _summarize_residence(node: xr.Dataset, memory: Mapping[str, Memory]) -> list[Quantity]:
    rows = []
    for i, pair in enumerate(str(p) for p in node["pair"].values):
        one = {str(k): float(v.values[i]) for k, v in node.data_vars.items() if v.ndim == 1}
        name, events = f"residence.{pair}", int(one["n_events"])
        if not one["exposure"] > 0.0:
            rows.append(_undefined(name, "ns", memory[pair].note, events=events))
        elif events == 0:
            rows.append(
                Quantity(
                    name=name, value=one["low"], stderr=None, unit="ns", status="bound",
                    n_events=0, bound="lower",
                    note=f"95 % bound: none broke in {one['exposure']:.4g} ns of contact",
                )
            )  # fmt: skip
        else:
            interval = f"95 % interval {one['low']:.3g} to {one['high']:.3g} ns"
            few = events < FEWEST_EVENTS
            rows.append(
                Quantity(
                    name=name, value=one["residence_time"], stderr=one["residence_time_stderr"],
                    unit="ns", status="not_converged" if few else "ok", n_events=events,
                    note=f"{interval}{f'; fewer than {FEWEST_EVENTS} events' if few else ''}",
                )
            )  # fmt: skip
            rows += _summarize_lifetime(name, one, few)
    return rows


def _summarize_lifetime(name: str, one: Mapping[str, float], few: bool) -> list[Quantity]:
    """Give the Kaplan–Meier time where something broke: a value, or what it exceeds."""
    value, low, high = (one[f"kaplan_meier_{k}"] for k in ("time", "low", "high"))
    name, events = f"{name}.kaplan_meier", int(one["n_events"])
    if math.isfinite(value) and math.isfinite(high):
        return [
            Quantity(
                name=name, value=value, stderr=(high - low) / 3.92, unit="ns",
                status="not_converged" if few else "ok", n_events=events,
                note="time until 1/e of the contacts are left"
                + (f"; fewer than {FEWEST_EVENTS} events" if few else ""),
            )
        ]  # fmt: skip
    if math.isfinite(low):
        return [
            Quantity(
                name=name, value=low, stderr=None, unit="ns", status="bound", n_events=events,
                bound="lower", note="95 % bound of the time until 1/e of the contacts are left",
            )
        ]  # fmt: skip
    note = "too few contacts broke to see when 1/e of them are left"
    return [_undefined(name, "ns", note, events=events)]


def _summarize_exchange(node: xr.Dataset) -> list[Quantity]:
    rows = []
    for i, pair in enumerate(str(p) for p in node["pair"].values):
        events = int(node["departures"].values[i])
        if not events:
            continue
        few = events < FEWEST_EVENTS
        note = f"of {events} departures" + (f", fewer than {FEWEST_EVENTS}" if few else "")
        rows += [
            Quantity(
                name=f"exchange.{pair}.{mechanism}", value=float(node["fraction"].values[i, k]),
                stderr=float(node["fraction_stderr"].values[i, k]), unit="1", n_events=events,
                status="not_converged" if few else "ok", note=note,
            )
            for k, mechanism in enumerate(MECHANISMS)
        ]  # fmt: skip
    return rows


def _summarize_transport(
    scene: Scene,
    nodes: Mapping[str, xr.Dataset],
    memory: Mapping[str, Memory],
    *,
    problem: str | None,
    assumed: bool,
) -> list[Quantity]:
    why = problem or "too few frames for dynamics"
    kinds = [s.name for s in scene.species]
    if "diffusion" not in nodes:
        names = [f"diffusion.{n}" for n in kinds]
        sigma = ["nernst_einstein", "cluster_nernst_einstein", "einstein"]
        sigma = sigma if any(s.charge for s in scene.species) else []
        return [
            *(_undefined(n, "m2/s", why) for n in names),
            *(_undefined(f"conductivity.{n}", "mS/cm", why) for n in sigma),
        ]
    anions = {s.name for s in scene.list_role("anion")}
    _, _, exchange = judge_memories(m for p, m in memory.items() if p.partition("-")[2] in anions)
    node = nodes["diffusion"]
    rows, worst = [], []
    for i, name in enumerate(kinds):
        own = {str(k): v for k, v in node.data_vars.items() if "species" in v.dims}
        one = {k: np.asarray(v.values[i]) for k, v in own.items()}
        notes = _doubt(one)
        if scene.find_species(name).role != "solvent":
            notes += [exchange] if exchange else []
            worst += [f"{name}: {n}" for n in _doubt(one)]
        rows.append(
            _transport(f"diffusion.{name}", "m2/s", float(one["diffusion"]),
                       float(one["diffusion_stderr"]), notes,
                       always=_describe_samples(one, str(node.attrs.get("frame", ""))))
        )  # fmt: skip
    worst += [exchange] if exchange else []
    charges = "formal charges"
    if "conductivity" in nodes:
        if assumed:
            charges += f"; {nodes['conductivity'].attrs['temperature']:g} K assumed"
        rows += summarize_conductivity(
            nodes["conductivity"], single=worst, exchange=[exchange] if exchange else [],
            always=[charges],
        )  # fmt: skip
    if "onsager" in nodes:
        rows += summarize_onsager(
            scene, nodes["onsager"], doubts=[exchange] if exchange else [], always=[charges]
        )
    return rows


def _describe_samples(
    one: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]], frame: str
) -> str:
    """Say how many samples there are, in which frame, and whether the axes differ."""
    parts = [f"n_effective = {float(one['n_effective']):.3g}"]
    parts += [f"frame: {frame}"] if frame else []
    if float(one["isotropy"]) < _UNEVEN:
        x, y, z = (float(d) for d in one["component"])
        parts.append(f"along x, y, z {x:.3g}, {y:.3g}, {z:.3g}")
    return "; ".join(parts)


def _doubt(one: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> list[str]:
    """Say what is wrong with a slope."""
    notes = []
    exponent, error = float(one["exponent"]), float(one["exponent_stderr"])
    if not float(one["diffusive"]):
        notes.append(f"not diffusive: MSD grows with power {exponent:.2f} ± {error:.2f}")
    if float(one["n_effective"]) < _FEWEST_SAMPLES:
        notes.append("fewer than 10 independent displacements")
    return notes


def _transport(
    name: str, unit: str, value: float, error: float, doubts: list[str], *, always: str = ""
) -> Quantity:
    """Write one transport coefficient with what is doubtful about it."""
    if not math.isfinite(value):
        return _undefined(name, unit, "; ".join(doubts) or "too few frames")
    note = "; ".join([*([always] if always else []), *doubts]) or None
    return Quantity(
        name=name, value=value, stderr=_finite(error), unit=unit,
        status="not_converged" if doubts else "ok", note=note,
    )  # fmt: skip


def _undefined(name: str, unit: str, note: str | None, *, events: int | None = None) -> Quantity:
    return Quantity(
        name=name, value=None, stderr=None, unit=unit, status="undefined", n_events=events,
        note=note,
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
