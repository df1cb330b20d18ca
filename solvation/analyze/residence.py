"""Residence times of ligands in the first shell, and what a run may say about populations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.contact import ContactTable, list_ions, list_runs
from solvation.analyze.topology import Scene
from solvation.kernels.survival import lifetime_from_counts

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "FEWEST_EVENTS",
    "TOLERANCE",
    "Memory",
    "count_events",
    "judge_memory",
    "measure_residence",
]

TOLERANCE = 2.0
"""ps: a ligand that leaves and is back within this time has not exchanged (Impey, Madden,
McDonald, J. Phys. Chem. 1983, 87, 5071). With frames further apart it bridges nothing."""
FEWEST_EVENTS = 10
"""Exchanges below which a population is the memory of how the box was packed."""
FEWEST_LIFETIMES = 3.0
"""Residence times that a run must last before its populations are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Whether a run has forgotten its start as far as one ligand is concerned."""

    pair: str
    """E.g. ``"Mg-DME"``."""
    forgotten: bool
    """Whether populations that depend on this exchange are the run's own."""
    n_events: int
    """Contacts seen to break."""
    note: str | None
    """Why not, in one sentence."""


def measure_residence(
    scene: Scene, tables: Sequence[ContactTable], *, tolerance: float = TOLERANCE
) -> xr.Dataset:
    r"""Estimate residence times of molecules in first shells by maximum likelihood.

    Parameters
    ----------
    scene
        Species.
    tables
        Contacts, one table per replica.
    tolerance
        ps; see `TOLERANCE`.

    Notes
    -----
    A contact is one between a cation and a *molecule*, through any of its donors. With contacts
    that break at a constant rate, :math:`\tau` is the summed contact time over the number of
    breaks; contacts that outlast the run count in the former only. Survival is the fraction of
    the contacts of the first frame that never break.
    """
    import xarray as xr

    ions = list_ions(scene)
    index = {s.name: i for i, s in enumerate(scene.species)}
    columns: dict[str, list[float]] = {
        key: [] for key in ("time", "stderr", "low", "high", "n_events", "exposure", "survival")
    }
    pairs = []
    listed = []
    for table in tables:
        dt = find_timestep(table)
        gap = int(tolerance / dt + 1e-6) if dt > 0 else 0
        listed.append((dt, list_runs(scene, table, gap=gap)))
    for cation in scene.list_role("cation"):
        for name in dict.fromkeys(site.species for site in scene.sites):
            events, exposure, started, survived = 0, 0.0, 0, 0
            for dt, runs in listed:
                mine = (
                    ions.cation_species[runs.pair // scene.n_molecules] == index[cation.name]
                ) & (scene.molecule_species[runs.pair % scene.n_molecules] == index[name])
                start, stop, broken = runs.start[mine], runs.stop[mine], runs.broken[mine]
                events += int(broken.sum())
                exposure += (float((stop - start).sum()) + 0.5 * float(broken.sum())) * dt
                first = start == 0
                started += int(first.sum())
                survived += int((first & ~broken).sum())
            life = lifetime_from_counts(events, exposure / 1000.0)
            pairs.append(f"{cation.name}-{name}")
            columns["time"].append(life.value)
            columns["stderr"].append(life.value / math.sqrt(events) if events else math.nan)
            columns["low"].append(life.low)
            columns["high"].append(life.high)
            columns["n_events"].append(events)
            columns["exposure"].append(life.exposure)
            columns["survival"].append(survived / started if started else math.nan)

    def row(key: str, text: str, unit: str) -> tuple[str, list[float], dict[str, str]]:
        return ("pair", columns[key], {"units": unit, "long_name": text})

    return xr.Dataset(
        {
            "residence_time": row("time", "residence time in the first shell", "ns"),
            "residence_time_stderr": row("stderr", "standard error of the residence time", "ns"),
            "low": row("low", "lower end of the 95 % interval", "ns"),
            "high": row("high", "upper end of the 95 % interval", "ns"),
            "n_events": ("pair", np.array(columns["n_events"], dtype=np.int64),
                         {"units": "1", "long_name": "contacts seen to break"}),
            "exposure": row("exposure", "summed time in contact", "ns"),
            "survival": row("survival", "contacts of the first frame that never broke", "1"),
        },
        coords={"pair": pairs},
        attrs={"tolerance": tolerance},
    )  # fmt: skip


def find_timestep(table: ContactTable) -> float:
    """Return the time between frames in ps; 0 for a single frame or frames without times."""
    span = float(table.times[-1] - table.times[0])
    return span / (table.n_frames - 1) if table.n_frames > 1 and span > 0.0 else 0.0


def count_events(residence: xr.Dataset) -> dict[str, int]:
    """Return how often each kind of contact was seen to break, by ``"<cation>-<ligand>"``."""
    pairs, events = residence["pair"].values, residence["n_events"].values
    return {str(pair): int(n) for pair, n in zip(pairs, events, strict=True)}


def judge_memory(residence: xr.Dataset, *, longest: float) -> dict[str, Memory]:
    """Say of each cation–ligand pair whether the run has forgotten its start.

    Parameters
    ----------
    residence
        From `measure_residence`.
    longest
        Length of the longest replica in ps.
    """
    verdicts = {}
    span = f"{longest / 1000.0:.3g} ns"
    for i, pair in enumerate(str(p) for p in residence["pair"].values):
        events = int(residence["n_events"].values[i])
        tau = float(residence["residence_time"].values[i])
        exposure = float(residence["exposure"].values[i])
        note = None
        if not longest > 0.0:
            note = f"without times no {pair} exchange can be seen"
        elif exposure == 0.0:
            note = f"no {pair} contact in {span}: this is the memory of the packing"
        elif events == 0:
            note = f"no {pair} exchange in {span}: this is the memory of the packing"
        elif events < FEWEST_EVENTS:
            word = "exchange" if events == 1 else "exchanges"
            note = f"only {events} {pair} {word} in {span}, fewer than {FEWEST_EVENTS}"
        elif longest / 1000.0 < FEWEST_LIFETIMES * tau:
            note = (
                f"{span} is shorter than {FEWEST_LIFETIMES:g} residence times of {pair} "
                f"({tau:.3g} ns)"
            )
        verdicts[pair] = Memory(pair=pair, forgotten=note is None, n_events=events, note=note)
    return verdicts
