"""Denticity: through how many atoms a ligand binds, how, and how many cations it joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.contact import list_ions
from solvation.analyze.topology import Scene
from solvation.analyze.way import Way, Ways, list_ligand_species
from solvation.kernels.uncertainty import ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_denticity"]


def measure_denticity(
    scene: Scene,
    ways: Sequence[Way],
    found: Sequence[Ways],
    *,
    events: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Average through how many atoms ligands bind, how, and how many cations they join.

    Parameters
    ----------
    scene
        Species.
    ways, found
        From `find_ways`.
    events
        Exchanges by cation and ligand, e.g. ``"Mg-DME"``, see `ratio_error`.
    """
    import xarray as xr

    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    ligands = list(list_ligand_species(scene))
    pairs = [(c.name, name) for c in scene.list_role("cation") for name in ligands]
    most = max((w.denticity for w in ways), default=1)
    fraction = np.full((len(pairs), most), np.nan)
    error = np.full((len(pairs), most), np.nan)
    number = np.zeros(len(pairs))
    labels: list[tuple[str, str, float, float]] = []
    for row, (cation, ligand) in enumerate(pairs):
        mine = ions.cation_species == names.index(cation)
        own = [k for k, w in enumerate(ways) if w.ligand == ligand]
        counts = {k: [f.counts[:, mine, k] for f in found] for k in own}
        bound = [f.counts[:, mine][..., own].sum(axis=2, dtype=np.int16) for f in found]
        total = sum(int(n.sum()) for n in bound)
        number[row] = total / max(sum(n.size for n in bound), 1)
        if not total:
            continue
        n_events = None if events is None else events.get(f"{cation}-{ligand}", 0)
        for n in range(1, most + 1):
            several = [counts[k] for k in own if ways[k].denticity == n]
            parts = [
                sum((c[i].astype(np.int16) for c in several), np.zeros_like(bound[i]))
                for i in range(len(found))
            ]
            fraction[row, n - 1] = sum(int(p.sum()) for p in parts) / total
            error[row, n - 1] = ratio_error(parts, bound, n_events=n_events)
        for k in own:
            value = sum(int(c.sum()) for c in counts[k]) / total
            if value:
                spread = ratio_error(counts[k], bound, n_events=n_events)
                labels.append((f"{cation}-{ligand}", ways[k].name, value, spread))
    labels.sort(key=lambda one: (one[0], -one[2], one[1]))
    bridging = [_measure_bridging(found, ligand, events) for ligand in ligands]

    def attrs(text: str) -> dict[str, str]:
        return {"units": "1", "long_name": text}

    text = "fraction of coordinated ligands bound through that many atoms"
    return xr.Dataset(
        {
            "fraction": (("pair", "denticity"), fraction, attrs(text)),
            "fraction_stderr": (("pair", "denticity"), error, attrs("standard error of that")),
            "ligands": ("pair", number, attrs("molecules of the ligand per cation")),
            "binding_pair": ("binding", [b[0] for b in labels], attrs("cation and ligand")),
            "binding_name": (
                "binding", [b[1] for b in labels], attrs("donors, and sizes of chelate rings"),
            ),
            "binding_fraction": (
                "binding", [b[2] for b in labels], attrs("fraction of coordinated ligands"),
            ),
            "binding_fraction_stderr": (
                "binding", [b[3] for b in labels], attrs("standard error of that"),
            ),
            "bridging": (
                "ligand", [b[0] for b in bridging],
                attrs("fraction of coordinated molecules that bind two cations or more"),
            ),
            "bridging_stderr": ("ligand", [b[1] for b in bridging], attrs("error of that")),
            "bridging_atom": (
                "ligand", [b[2] for b in bridging],
                attrs("fraction of coordinated molecules with an atom that binds two or more"),
            ),
            "bridging_atom_stderr": ("ligand", [b[3] for b in bridging], attrs("error of that")),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "denticity": np.arange(1, most + 1),
            "ligand": ligands,
        },
    )  # fmt: skip


def _measure_bridging(
    found: Sequence[Ways], ligand: str, events: Mapping[str, int] | None
) -> tuple[float, float, float, float]:
    """Return the fractions of coordinated molecules that bridge, and by one atom, with errors."""
    bound, bridges, shared = ([f.bridges[ligand][k] for f in found] for k in range(3))
    total = sum(int(x.sum()) for x in bound)
    if not total:
        nan = float("nan")
        return nan, nan, nan, nan
    n_events = None
    if events is not None:
        n_events = sum(n for pair, n in events.items() if pair.partition("-")[2] == ligand)
    return (
        sum(int(x.sum()) for x in bridges) / total,
        ratio_error(bridges, bound, n_events=n_events),
        sum(int(x.sum()) for x in shared) / total,
        ratio_error(shared, bound, n_events=n_events),
    )
