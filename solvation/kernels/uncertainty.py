"""Standard errors that know about correlation, small samples and replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from solvation.kernels.timecorr import statistical_inefficiency

__all__ = [
    "block_error",
    "jackknife_error",
    "largest_error",
    "member_error",
    "poisson_interval",
    "ratio_error",
    "replica_error",
    "series_error",
    "smoothed_binomial_error",
]

Floats = npt.NDArray[np.float64]

_HELD = 100_000
"""Numbers in double precision worked on at once."""


def block_error(blocks: npt.ArrayLike) -> Floats:
    """Return the standard error of the mean of independent block means along the first axis.

    One block says nothing about its error: ``nan``.

    Blocks have the shape ``(n_blocks, ...)``; the error has the shape ``(...)`` and their unit.
    """
    values = np.asarray(blocks, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    error: Floats = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return error


def jackknife_error(leave_one_out: npt.ArrayLike) -> Floats:
    r"""Return the standard error from estimates that each leave one of ``n`` parts out.

    .. math:: \sigma^2 = \frac{n-1}{n} \sum_i (\theta_{(i)} - \bar\theta)^2

    Estimates have the shape ``(n, ...)``; the error has the shape ``(...)`` and their unit.
    """
    values = np.asarray(leave_one_out, dtype=np.float64)
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.nan)
    error: Floats = np.sqrt((n - 1) * values.var(axis=0))
    return error


def largest_error(*errors: float) -> float:
    """Return the largest of several estimates of one error, without those that are nan."""
    return max((e for e in errors if not np.isnan(e)), default=float("nan"))


def poisson_interval(n_events: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the expected number of events, given ``n_events``.

    Examples
    --------
    >>> low, high = poisson_interval(10)
    >>> round(low, 3), round(high, 3)
    (4.795, 18.39)
    """
    tail = (1.0 - level) / 2.0
    low = float(stats.chi2.ppf(tail, 2 * n_events)) / 2.0 if n_events else 0.0
    return low, float(stats.chi2.ppf(1.0 - tail, 2 * n_events + 2)) / 2.0


def smoothed_binomial_error(fraction: npt.ArrayLike, n: float) -> Floats:
    """Return the standard error of a fraction seen in ``n`` independent samples, never zero.

    Two successes and two failures are added first (Agresti, Coull, Am. Stat. 1998, 52, 119), so
    that a fraction of exactly 0 or 1 in a small sample does not claim to be exact.

    Any shape ``(...)``, without a unit.
    """
    p = (np.asarray(fraction, dtype=np.float64) * n + 2.0) / (n + 4.0)
    error: Floats = np.sqrt(p * (1.0 - p) / (n + 4.0))
    return error


def series_error(series: npt.ArrayLike) -> float:
    """Return the standard error of the mean of a correlated series ``(n_frames,)``.

    It has the unit of the series.
    """
    x = np.asarray(series, dtype=np.float64)
    if len(x) < 2:
        return float("nan")
    return float(x.std(ddof=1) * np.sqrt(statistical_inefficiency(x) / len(x)))


def replica_error(means: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """Return the standard error of the weighted mean of independent replicas; nan for one.

    Means and weights have the shape ``(n_replicas,)``; the error has the unit of the means.
    """
    x, w = np.asarray(means, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if len(x) < 2:
        return float("nan")
    w = w / w.sum()
    centre = (w * x).sum()
    n_effective = 1.0 / (w**2).sum()
    return float(np.sqrt((w * (x - centre) ** 2).sum() / max(n_effective - 1.0, 1e-9)))


def member_error(replicas: Sequence[npt.ArrayLike], *, n_events: int | None = None) -> float:
    r"""Return the standard error of a mean over members (ions) and frames.

    Parameters
    ----------
    replicas
        One array ``(n_frames, n_members)`` per replica: a number, or 0 and 1, per ion and frame.
    n_events
        How often the members were seen to change for good (exchanges), in all replicas.

    Notes
    -----
    Four estimates see four kinds of correlation, and the largest is returned:

    1. *time*: the per-frame mean as a correlated series, which sees ions that act together;
    2. *members*: the scatter of the ions' own time averages, which sees frozen ions — a shell
       that never exchanges is one sample however long the run;
    3. *replicas*: the scatter of the replicas' means, which sees the memory of the start;
    4. *samples*: the smoothed binomial error of the commonest value in as many independent
       samples as there are members, plus two for every event (one exchange ends a state and
       begins another). Eight frozen ions that all look alike are eight samples and not an exact
       result; a short-lived contact between them does not make it one. Without ``n_events`` it
       is used only where everything came out the same.
    """
    arrays = [np.asarray(x) for x in replicas]
    arrays = [x for x in arrays if x.size]
    if not arrays:
        return float("nan")
    means = [
        _Means(in_time=x.mean(axis=1), of_members=x.mean(axis=0), of_all=float(x.mean()))
        for x in arrays
    ]
    largest = _scatter(means)
    if largest > 0.0 and n_events is None:
        return largest
    n_members = sum(x.shape[1] for x in arrays)
    counts = _count_values(arrays)
    samples = n_members + 2 * (n_events or 0)
    return max(largest, float(smoothed_binomial_error(counts.max() / counts.sum(), samples)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """Of the numbers of one replica, ``(n_frames, n_members)``."""

    in_time: Floats
    """Over members, in every frame."""
    of_members: Floats
    """Over frames, of every member."""
    of_all: float
    """Over both."""


def _scatter(means: Sequence[_Means]) -> float:
    """Return the largest of the first three estimates of `member_error`."""
    sizes = np.array([len(m.in_time) for m in means], dtype=np.float64)
    share = sizes / sizes.sum()
    in_time = [series_error(m.in_time) for m in means]
    time = float(np.sqrt(np.nansum((share * np.array(in_time)) ** 2)))
    members = 0.0
    own = np.concatenate([m.of_members for m in means])
    if len(own) > 1:
        members = float(own.std(ddof=1) / np.sqrt(len(own)))
    between = replica_error([m.of_all for m in means], sizes) if len(means) > 1 else 0.0
    return max(time, members, between)


def ratio_error(
    counted: Sequence[npt.ArrayLike],
    out_of: Sequence[npt.ArrayLike],
    *,
    n_events: int | None = None,
) -> float:
    r"""Return the standard error of a ratio of sums over members and frames.

    For a fraction of something whose number itself varies, such as the ligands bound in one way
    out of all that are bound. The ratio is linearized,
    :math:`r + (x - r y)/\bar y`, and the error is that of the mean of this (`member_error`).

    Parameters
    ----------
    counted, out_of
        Arrays ``(n_frames, n_members)``, one of each per replica; ``counted`` is part of
        ``out_of``.
    n_events
        As for `member_error`.
    """
    x, y = [np.asarray(a) for a in counted], [np.asarray(a) for a in out_of]
    total = sum(float(a.sum()) for a in y)
    if not total:
        return float("nan")
    ratio = sum(float(a.sum(dtype=np.float64)) for a in x) / total
    mean = total / sum(a.size for a in y)

    def linearize(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Floats:
        part: Floats = np.multiply(b, -ratio, dtype=np.float64)
        part += a
        part /= mean
        # Rounded, so that members that all look alike are seen to.
        return np.round(part, 9, out=part)

    pairs = [(a, b) for a, b in zip(x, y, strict=True) if b.size]
    found = [_average(a, b, linearize) for a, b in pairs]
    error = _scatter([means for means, _, _ in found])
    size = sum(a.shape[1] for a in y)
    if not error:
        low, high = min(f[1] for f in found), max(f[2] for f in found)
        if low == high:
            error = float(smoothed_binomial_error(1.0, size))
        else:
            error = member_error([linearize(a, b) for a, b in pairs])
    seen = [float((b.sum(axis=0) > 0).sum()) for b in y]
    if n_events is None:
        return error
    # Members that never took part are no samples of it.
    samples = sum(seen) + 2 * n_events
    smallest = float(smoothed_binomial_error(max(ratio, 1.0 - ratio), samples))
    return max(error, smallest) if size else float("nan")


def _average(
    a: npt.NDArray[Any], b: npt.NDArray[Any], linearize: Callable[[Any, Any], Floats]
) -> tuple[_Means, float, float]:
    """Average what follows from two arrays, a stretch at a time; also its least and most."""
    step = max(1, _HELD // b.shape[1])
    in_time, total = np.empty(len(b)), np.zeros(b.shape[1])
    low, high = np.inf, -np.inf
    for start in range(0, len(b), step):
        part = linearize(a[start : start + step], b[start : start + step])
        in_time[start : start + step] = part.mean(axis=1)
        total += part.sum(axis=0)
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    means = _Means(in_time=in_time, of_members=total / len(b), of_all=float(total.sum()) / b.size)
    return means, low, high


def _count_values(arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.int64]:
    """Count how often each value occurs in all arrays; small whole numbers without sorting."""
    flat = [x.ravel() for x in arrays]
    if all(x.dtype.kind in "bui" and x.dtype.itemsize <= 2 and x.min() >= 0 for x in flat):
        values = range(max(int(x.max()) for x in flat) + 1)
        return np.array([sum(int(np.count_nonzero(x == v)) for x in flat) for v in values])
    _, found = np.unique(np.concatenate(flat), return_counts=True)
    return found
