"""Residence times of ligands in the first shell, and what a run may say about populations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions, list_ligands
from solvation.analyze.topology import Scene
from solvation.kernels.survival import (
    Runs,
    Steps,
    Survival,
    count_steps,
    count_survival,
    estimate_lifetime,
    find_runs,
    join_runs,
    kaplan_meier,
    lifetime_from_counts,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "FEWEST_EVENTS",
    "TOLERANCE",
    "Memory",
    "Stays",
    "count_events",
    "find_stays",
    "judge_memory",
    "list_pairs",
    "measure_residence",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """How long molecules stayed in first shells, in one replica; one row per stay."""

    cation: Ints
    """As in `Ions`, shape ``(n_stays,)``."""
    molecule: Ints
    """Of the scene, shape ``(n_stays,)``."""
    runs: Runs
    """First and last frame, and whether the end was seen."""
    bare: Runs
    """The same without tolerance: every absence, however short, ends a stay."""
    bare_species: Ints
    """Index of the pair of each of these, as `species`."""
    species: Ints
    """Index into `list_pairs` of each stay, shape ``(n_stays,)``."""
    n_frames: int
    """Frames observed."""
    dt: float
    """ps between frames; 0 for a single frame or frames without times."""


def list_pairs(scene: Scene) -> list[tuple[str, str]]:
    """List every cation species with every species that can bind one."""
    ligands = dict.fromkeys(site.species for site in scene.sites)
    return [(cation.name, name) for cation in scene.list_role("cation") for name in ligands]


def find_stays(scene: Scene, table: ContactTable, *, tolerance: float = TOLERANCE) -> Stays:
    """Find how long each molecule stayed at each cation.

    Parameters
    ----------
    scene
        Species.
    table
        Contacts of one replica.
    tolerance
        ps; an absence no longer than this does not end a stay.
    """
    dt = find_timestep(table)
    gap = int(tolerance / dt + 1e-6) if dt > 0 else 0
    pieces, first = [], 0
    for piece in table.split():
        ligands, _ = list_ligands(scene, piece)
        key = ligands[:, 1] * scene.n_molecules + ligands[:, 2]
        pieces.append(find_runs(key, ligands[:, 0] + first, first + piece.n_frames))
        first += piece.n_frames
    bare = join_runs(pieces, table.n_frames)
    runs = join_runs([bare], table.n_frames, gap=gap) if gap else bare
    pairs = list_pairs(scene)
    names = [s.name for s in scene.species]
    code = np.full((len(names), len(names)), -1, dtype=np.int64)
    for i, (cation, ligand) in enumerate(pairs):
        code[names.index(cation), names.index(ligand)] = i
    kind = list_ions(scene).cation_species
    species = scene.molecule_species

    def classify(which: Runs) -> tuple[Ints, Ints, Ints]:
        centre, molecule = np.divmod(which.pair, scene.n_molecules)
        return centre, molecule, code[kind[centre], species[molecule]]

    centre, molecule, found = classify(runs)
    return Stays(
        cation=centre, molecule=molecule, runs=runs, bare=bare, bare_species=classify(bare)[2],
        species=found, n_frames=table.n_frames, dt=dt,
    )  # fmt: skip


def _select(runs: Runs, mask: npt.NDArray[np.bool_]) -> Runs:
    return Runs(
        pair=runs.pair[mask], start=runs.start[mask], stop=runs.stop[mask], broken=runs.broken[mask]
    )


def measure_residence(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    tolerance: float = TOLERANCE,
    stays: Sequence[Stays] | None = None,
    n_lags: int = 60,
) -> xr.Dataset:
    r"""Estimate residence times of molecules in first shells, and draw their survival.

    Parameters
    ----------
    scene
        Species.
    tables
        Contacts, one table per replica.
    tolerance
        ps; see `TOLERANCE`.
    stays
        From `find_stays`, if at hand.
    n_lags
        Points of the survival curves, evenly spaced in the logarithm.

    Notes
    -----
    A contact is one between a cation and a *molecule*, through any of its donors. With contacts
    that break at a constant rate, :math:`\tau` is the summed contact time over the number of
    breaks; contacts that outlast the run count in the former only. The Kaplan–Meier estimate
    assumes no rate: it is the time after which 1/e of the contacts are left, counted from when
    each was first seen. For a constant rate the two agree. The variable ``survival`` is the
    fraction of the contacts of the first frame that never break.
    """
    import xarray as xr

    found = stays or [find_stays(scene, table, tolerance=tolerance) for table in tables]
    longest = max(s.n_frames for s in found)
    dt = max((s.dt for s in found), default=0.0)
    lags = _space_lags(longest, n_lags)
    columns: dict[str, list[float]] = {
        key: []
        for key in (
            "time", "stderr", "low", "high", "n_events", "exposure", "survival", "n_contacts",
            "km_time", "km_low", "km_high",
        )
    }  # fmt: skip
    curves: dict[str, list[Floats]] = {
        key: [] for key in ("kaplan_meier", "kaplan_meier_stderr", "continuous", "bridged",
                            "intermittent")
    }  # fmt: skip
    pairs = list_pairs(scene)
    for number in range(len(pairs)):
        runs = [_select(s.runs, s.species == number) for s in found]
        bare = [_select(s.bare, s.bare_species == number) for s in found]
        lives = [estimate_lifetime(r, s.dt / 1000.0) for r, s in zip(runs, found, strict=True)]
        events = sum(int(r.broken.sum()) for r in runs)
        life = lifetime_from_counts(events, sum(one.exposure for one in lives))
        first = [r.start == 0 for r in runs]
        started = sum(int(f.sum()) for f in first)
        survived = sum(int((f & ~r.broken).sum()) for f, r in zip(first, runs, strict=True))
        columns["time"].append(life.value)
        columns["stderr"].append(life.value / math.sqrt(events) if events else math.nan)
        columns["low"].append(life.low)
        columns["high"].append(life.high)
        columns["n_events"].append(events)
        columns["exposure"].append(life.exposure)
        columns["survival"].append(survived / started if started else math.nan)
        columns["n_contacts"].append(sum(len(r.pair) for r in runs))
        steps = Steps(at_risk=np.zeros(1, dtype=np.int64), broken=np.zeros(1, dtype=np.int64))
        for r, s in zip(runs, found, strict=True):
            steps = steps + count_steps(r, s.n_frames)
        survival, stderr = kaplan_meier(steps)
        time = np.arange(len(survival), dtype=np.float64) * (dt / 1000.0)
        columns["km_time"].append(_find_crossing(time, survival))
        columns["km_low"].append(_find_crossing(time, survival - 1.96 * stderr))
        columns["km_high"].append(_find_crossing(time, survival + 1.96 * stderr))
        curves["kaplan_meier"].append(survival[lags])
        curves["kaplan_meier_stderr"].append(stderr[lags])
        bridged = _sum_survival(runs, found, lags)
        curves["bridged"].append(bridged.continuous())
        plain = _sum_survival(bare, found, lags)
        curves["continuous"].append(plain.continuous())
        curves["intermittent"].append(plain.intermittent())

    def row(key: str, text: str, unit: str) -> tuple[str, list[float], dict[str, str]]:
        return ("pair", columns[key], {"units": unit, "long_name": text})

    def curve(key: str, text: str) -> tuple[tuple[str, str], Floats, dict[str, str]]:
        values = np.array(curves[key]).reshape(len(pairs), len(lags))
        return (("pair", "lag"), values, {"units": "1", "long_name": text})

    def count(key: str, text: str) -> tuple[str, Ints, dict[str, str]]:
        values = np.array(columns[key], dtype=np.int64)
        return ("pair", values, {"units": "1", "long_name": text})

    return xr.Dataset(
        {
            "residence_time": row("time", "residence time in the first shell", "ns"),
            "residence_time_stderr": row("stderr", "standard error of the residence time", "ns"),
            "low": row("low", "lower end of the 95 % interval", "ns"),
            "high": row("high", "upper end of the 95 % interval", "ns"),
            "n_events": count("n_events", "contacts seen to break"),
            "n_contacts": count("n_contacts", "contacts seen"),
            "exposure": row("exposure", "summed time in contact", "ns"),
            "survival": row("survival", "contacts of the first frame that never broke", "1"),
            "kaplan_meier_time": row("km_time", "time until 1/e of the contacts are left", "ns"),
            "kaplan_meier_low": row("km_low", "lower end of its 95 % interval", "ns"),
            "kaplan_meier_high": row("km_high", "upper end of its 95 % interval", "ns"),
            "kaplan_meier": curve("kaplan_meier", "contacts left, by time since first seen"),
            "kaplan_meier_stderr": curve("kaplan_meier_stderr", "standard error of that"),
            "continuous": curve("continuous", "uninterrupted contact, all time origins"),
            "bridged": curve("bridged", "the same, absences within the tolerance bridged"),
            "intermittent": curve("intermittent", "in contact again or still, all time origins"),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "lag": ("lag", lags * dt, {"units": "ps", "long_name": "time"}),
        },
        attrs={"tolerance": f"{tolerance:g} ps"},
    )  # fmt: skip


def _space_lags(n_frames: int, most: int) -> Ints:
    """Space lags evenly in the logarithm, from 0 to the last frame."""
    if n_frames < 2:
        return np.zeros(1, dtype=np.int64)
    return np.unique(np.append(0, np.rint(np.geomspace(1, n_frames - 1, most)).astype(np.int64)))


def _sum_survival(runs: Sequence[Runs], stays: Sequence[Stays], lags: Ints) -> Survival:
    """Add the counts of all replicas; one that is shorter than a lag has no part in it."""
    zero = np.zeros(len(lags), dtype=np.int64)
    total = Survival(uninterrupted=zero, again=zero, origins=zero)
    for r, s in zip(runs, stays, strict=True):
        fits = lags < s.n_frames
        one = count_survival(r, s.n_frames, lags[fits])
        padded = [np.zeros(len(lags), dtype=np.int64) for _ in range(3)]
        for target, source in zip(padded, (one.uninterrupted, one.again, one.origins), strict=True):
            target[fits] = source
        total = total + Survival(uninterrupted=padded[0], again=padded[1], origins=padded[2])
    return total


def _find_crossing(time: Floats, survival: Floats) -> float:
    """Find when a falling curve reaches 1/e; infinite when it does not, nan when there is none."""
    level = math.exp(-1.0)
    known = np.flatnonzero(np.isfinite(survival))
    if not len(known):
        return math.nan
    below = known[survival[known] <= level]
    if not len(below):
        return math.inf
    k = int(below[0])
    if k == 0:
        return float(time[0])
    fall = survival[k - 1] - survival[k]
    return float(time[k - 1] + (survival[k - 1] - level) / fall * (time[k] - time[k - 1]))


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
