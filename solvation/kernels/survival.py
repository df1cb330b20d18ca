"""Contacts that form and break: runs, exposure, events, and the rates they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.kernels.uncertainty import poisson_interval

__all__ = [
    "Lifetime",
    "Runs",
    "estimate_lifetime",
    "find_runs",
    "join_runs",
    "lifetime_from_counts",
]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Uninterrupted contacts, one row each."""

    pair: Ints
    """Which pair, shape ``(n_runs,)``."""
    start: Ints
    """First frame in contact, shape ``(n_runs,)``."""
    stop: Ints
    """Last frame in contact, shape ``(n_runs,)``."""
    broken: npt.NDArray[np.bool_]
    """Whether the contact was seen to break, shape ``(n_runs,)``; otherwise it is censored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Maximum-likelihood lifetime of contacts that break at a constant rate."""

    value: float
    """Exposure / events; ``inf`` when nothing broke, ``nan`` when nothing was ever bound."""
    low: float
    """Lower end of the 95 % interval; with no event, the one-sided 95 % bound."""
    high: float
    """Upper end of the 95 % interval; ``inf`` when nothing broke."""
    n_events: int
    """Contacts seen to break."""
    exposure: float
    """Summed time in contact."""


def find_runs(pair: npt.ArrayLike, frame: npt.ArrayLike, n_frames: int, *, gap: int = 0) -> Runs:
    """Group contacts into runs, bridging absences of up to ``gap`` frames.

    Parameters
    ----------
    pair, frame
        One row per contact of a pair in a frame, shape ``(n_contacts,)``, in any order.
    n_frames
        Frames observed, 0 to ``n_frames - 1``.
    gap
        A contact absent for at most this many frames and then back has not been broken. A run
        that ends within ``gap`` frames of the last one is censored: it may yet come back.
    """
    key = np.sort(np.asarray(pair, dtype=np.int64) * n_frames + np.asarray(frame, dtype=np.int64))
    if len(key):
        key = key[np.append(True, key[1:] != key[:-1])]
    pairs, frames = np.divmod(key, n_frames)
    if len(key) == 0:
        empty = np.empty(0, dtype=np.int64)
        return Runs(pair=empty, start=empty, stop=empty, broken=np.empty(0, dtype=np.bool_))
    new = np.empty(len(key), dtype=np.bool_)
    new[0] = True
    new[1:] = (np.diff(pairs) != 0) | (np.diff(frames) > gap + 1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(key)) - 1
    stop = frames[last]
    return Runs(pair=pairs[first], start=frames[first], stop=stop, broken=n_frames - 1 - stop > gap)


def join_runs(pieces: Sequence[Runs], n_frames: int, *, gap: int = 0) -> Runs:
    """Join the runs of consecutive stretches of frames, as if they had been found in one go.

    Parameters
    ----------
    pieces
        From `find_runs`, their frames counted from the beginning of the whole.
    n_frames, gap
        As in `find_runs`, of the whole.
    """
    pair, start, stop = (
        np.concatenate([np.empty(0, dtype=np.int64), *(getattr(p, name) for p in pieces)])
        for name in ("pair", "start", "stop")
    )
    order = np.lexsort((start, pair))
    pair, start, stop = pair[order], start[order], stop[order]
    new = np.ones(len(pair), dtype=np.bool_)
    new[1:] = (np.diff(pair) != 0) | (start[1:] - stop[:-1] > gap + 1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(pair)) - 1 if len(pair) else first
    end = stop[last]
    return Runs(pair=pair[first], start=start[first], stop=end, broken=n_frames - 1 - end > gap)


def estimate_lifetime(runs: Runs, dt: float) -> Lifetime:
    r"""Estimate the mean lifetime from runs, counting the censored ones rightly.

    .. math:: \tau = \frac{\text{exposure}}{\text{events}}

    Parameters
    ----------
    runs
        From `find_runs`.
    dt
        Time between frames; results are in its unit.

    Notes
    -----
    A contact that breaks does so midway between two frames: that half step makes the estimate
    that of a discretely observed decay to second order in ``dt``. The interval is the exact
    Poisson interval of the number of events. With no event the value is unbounded and ``low``
    is ``exposure / 3.0``, since :math:`-\ln 0.05 = 3.0`.
    """
    n_events = int(runs.broken.sum())
    exposure = float((runs.stop - runs.start).sum() + 0.5 * n_events) * dt
    return lifetime_from_counts(n_events, exposure)


def lifetime_from_counts(n_events: int, exposure: float) -> Lifetime:
    """Estimate the mean lifetime from the number of events and the summed exposure."""
    if exposure <= 0.0:
        nan = float("nan")
        return Lifetime(value=nan, low=nan, high=nan, n_events=n_events, exposure=0.0)
    if n_events == 0:
        infinity = float("inf")
        bound = exposure / -float(np.log(0.05))
        return Lifetime(value=infinity, low=bound, high=infinity, n_events=0, exposure=exposure)
    fewest, most = poisson_interval(n_events)
    return Lifetime(
        value=exposure / n_events,
        low=exposure / most,
        high=exposure / fewest,
        n_events=n_events,
        exposure=exposure,
    )
