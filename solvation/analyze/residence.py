"""Residence times of ligands in the first shell, and how contacts survive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable
from solvation.analyze.stay import TOLERANCE, Stays, find_stays, list_pairs
from solvation.analyze.topology import Scene
from solvation.kernels.survival import (
    Runs,
    Steps,
    Survival,
    count_steps,
    count_survival,
    estimate_lifetime,
    kaplan_meier,
    lifetime_from_counts,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "count_events",
    "measure_residence",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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


def count_events(residence: xr.Dataset) -> dict[str, int]:
    """Return how often each kind of contact was seen to break, by ``"<cation>-<ligand>"``."""
    pairs, events = residence["pair"].values, residence["n_events"].values
    return {str(pair): int(n) for pair, n in zip(pairs, events, strict=True)}
