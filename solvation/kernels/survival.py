"""Contacts that form and break: runs, exposure, events, and the rates they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from solvation.kernels.order import sort_unique
from solvation.kernels.uncertainty import poisson_interval

__all__ = [
    "Lifetime",
    "Runs",
    "Steps",
    "Survival",
    "count_steps",
    "count_survival",
    "estimate_lifetime",
    "find_runs",
    "join_runs",
    "kaplan_meier",
    "lifetime_from_counts",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


_POINTS = 100_000
"""Points of all series transformed at once; each takes some 40 bytes."""


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

    Times are counted in frames.

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
    pair, frame = np.asarray(pair, dtype=np.int64), np.asarray(frame, dtype=np.int64)
    key = sort_unique(pair * n_frames + frame)
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
    """Join runs that touch, or lie up to ``gap`` frames apart, into one.

    The runs of consecutive stretches of a trajectory, joined, are the runs of the whole; runs
    found without a gap, joined with one, are those found with it.

    Parameters
    ----------
    pieces
        Runs whose frames count from the beginning of the whole.
    n_frames
        Frames of the whole.
    gap
        As in `find_runs`.

    Examples
    --------
    >>> one, two = find_runs([0, 0], [0, 1], 4), find_runs([0], [2], 4)
    >>> join_runs([one, two], 4).stop.tolist()
    [2]
    """
    pair, start, stop = (
        np.concatenate([np.empty(0, dtype=np.int64), *(getattr(p, key) for p in pieces)])
        for key in ("pair", "start", "stop")
    )
    order = np.lexsort((start, pair))
    pair, start, stop = pair[order], start[order], stop[order]
    new = np.ones(len(pair), dtype=np.bool_)
    new[1:] = (np.diff(pair) != 0) | (start[1:] - stop[:-1] > gap + 1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(pair))[: len(first)] - 1
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


# Kaplan–Meier ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Contacts at risk and broken, by the number of steps since they were first seen; adds."""

    at_risk: Ints
    """Contacts watched through that step, shape ``(n_frames,)``; step 0 is the first sight."""
    broken: Ints
    """Contacts that broke in it, shape ``(n_frames,)``."""

    def __add__(self, other: Steps) -> Steps:
        size = max(len(self.at_risk), len(other.at_risk))

        def join(a: Ints, b: Ints) -> Ints:
            total: Ints = np.pad(a, (0, size - len(a))) + np.pad(b, (0, size - len(b)))
            return total

        return Steps(
            at_risk=join(self.at_risk, other.at_risk), broken=join(self.broken, other.broken)
        )


def count_steps(runs: Runs, n_frames: int) -> Steps:
    """Count, for every number of steps, the runs still watched and those that broke then."""
    length = runs.stop - runs.start
    broken = np.bincount(length[runs.broken] + 1, minlength=n_frames + 1)[: n_frames + 1]
    watched = np.bincount(length + runs.broken, minlength=n_frames + 1)[: n_frames + 1]
    at_risk = np.cumsum(watched[::-1])[::-1]
    return Steps(at_risk=at_risk.astype(np.int64), broken=broken.astype(np.int64))


def kaplan_meier(steps: Steps) -> tuple[Floats, Floats]:
    r"""Estimate the survival function with censored contacts.

    .. math:: S(k) = \prod_{i \le k} \left(1 - \frac{d_i}{n_i}\right)

    Returns
    -------
    survival, stderr
        Shape ``(n_steps,)``, at 0, 1, ... steps after a contact was first seen; nan beyond the
        longest watch. Errors by Greenwood's formula (Kaplan, Meier, J. Am. Stat. Assoc. 1958,
        53, 457, doi:10.1080/01621459.1958.10501452).

    Examples
    --------
    >>> runs = find_runs([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0], 3)
    >>> kaplan_meier(count_steps(runs, 3))[0].round(4).tolist()
    [1.0, 0.6667, 0.3333, nan]
    """
    n, d = steps.at_risk.astype(np.float64), steps.broken.astype(np.float64)
    seen = n > 0
    seen[:1] = n[:1] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(seen, d / n, np.nan)
        term = np.where(d < n, d / (n * (n - d)), np.where(seen, 0.0, np.nan))
    hazard[0] = term[0] = 0.0 if seen[0] else np.nan
    survival = np.asarray(np.cumprod(1.0 - hazard), dtype=np.float64)
    return survival, np.asarray(survival * np.sqrt(np.cumsum(term)), dtype=np.float64)


# Survival of contacts over all time origins ------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """Contacts that are still, or again, there after a lag, over all time origins; adds."""

    uninterrupted: Ints
    """Pairs in contact at the origin and ever since, shape ``(n_lags,)``."""
    again: Ints
    """Pairs in contact at the origin and after the lag, shape ``(n_lags,)``."""
    origins: Ints
    """Pairs in contact at an origin after which the lag fits, shape ``(n_lags,)``."""

    def __add__(self, other: Survival) -> Survival:
        return Survival(
            uninterrupted=self.uninterrupted + other.uninterrupted,
            again=self.again + other.again,
            origins=self.origins + other.origins,
        )

    def continuous(self) -> Floats:
        r"""Return the chance that a contact has lasted through the lag without a break.

        A probability at each lag, shape ``(n_lags,)``.
        """
        return self.uninterrupted / np.where(self.origins > 0, self.origins, np.nan)

    def intermittent(self) -> Floats:
        r"""Return the chance that a pair is in contact after the lag, breaks allowed.

        A probability at each lag, shape ``(n_lags,)``.
        """
        return self.again / np.where(self.origins > 0, self.origins, np.nan)


def count_survival(runs: Runs, n_frames: int, lags: npt.ArrayLike) -> Survival:
    r"""Count contacts that survive lags, over all origins that the run is long enough for.

    .. math:: C(k) = \frac{\sum_t h(t) h(t+k)}{\sum_t h(t)}, \quad t \le n - 1 - k,

    with h = 1 in contact; the continuous one asks for h = 1 all the way (Rapaport, Mol. Phys.
    1983, 50, 1151, doi:10.1080/00268978300102931).

    Lags have the shape ``(n_lags,)``.

    Parameters
    ----------
    runs
        From `find_runs`, of one replica.
    n_frames
        Its frames.
    lags
        In frames, below ``n_frames``.
    """
    k = np.asarray(lags, dtype=np.int64)
    length = runs.stop - runs.start + 1
    edges = np.bincount(runs.start, minlength=n_frames + 1)[: n_frames + 1]
    edges = edges - np.bincount(runs.stop + 1, minlength=n_frames + 1)[: n_frames + 1]
    occupied = np.cumsum(np.cumsum(edges)[:n_frames])
    origins = occupied[n_frames - 1 - k] if len(k) else np.empty(0, dtype=np.int64)
    # Sum over runs of max(0, length - k): two sums over the histogram of lengths, from the top.
    longer = np.cumsum(np.bincount(length, minlength=n_frames + 2)[::-1])[::-1]
    uninterrupted = np.append(np.cumsum(longer[::-1])[::-1], 0)[k + 1]
    return Survival(
        uninterrupted=uninterrupted.astype(np.int64),
        again=(uninterrupted + _count_returns(runs, n_frames)[k]).astype(np.int64),
        origins=origins.astype(np.int64),
    )


def _count_returns(runs: Runs, n_frames: int) -> Ints:
    """Count, by lag, pairs in contact at both ends but in different runs; only these cost."""
    total = np.zeros(n_frames, dtype=np.int64)
    same = np.diff(runs.pair) == 0
    several = np.append(same, False) | np.insert(same, 0, False)
    if not len(runs.pair) or not several.any():
        return total
    pair, start, stop = runs.pair[several], runs.start[several], runs.stop[several]
    _, row = np.unique(pair, return_inverse=True)
    size = fft.next_fast_len(2 * n_frames, real=True)
    step = max(1, _POINTS // size)
    for first in range(0, int(row.max()) + 1, step):
        mine = (row >= first) & (row < first + step)
        edges = np.zeros((min(step, int(row.max()) + 1 - first), n_frames + 1))
        np.add.at(edges, (row[mine] - first, start[mine]), 1.0)
        np.add.at(edges, (row[mine] - first, stop[mine] + 1), -1.0)
        there = np.cumsum(edges, axis=1)[:, :n_frames]
        spectrum = fft.rfft(there, size, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
        total += np.rint(fft.irfft(power, size)[:n_frames]).astype(np.int64)
    length = stop - start + 1
    longer = np.cumsum(np.bincount(length, minlength=n_frames + 2)[::-1])[::-1]
    own = np.append(np.cumsum(longer[::-1])[::-1], 0)[1 : n_frames + 1]
    returns: Ints = total - own
    return returns
