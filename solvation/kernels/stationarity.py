"""Stationarity: from where on a series may be averaged, and whether it still drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.kernels.timecorr import statistical_inefficiency

__all__ = ["Stationary", "judge_stationarity"]

_MIN_SAMPLES = 8.0
"""Independent samples below which nothing is called stationary."""

_SHARE = 0.8
"""Of the most independent samples any cut leaves; with 1, intervals hold the truth less often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationary:
    """What a series says about its own convergence."""

    start: int
    """Index of the first sample after the transient."""
    mean: float
    """Mean of the samples from `start` on."""
    stderr: float
    """Standard error of `mean`, correlation included."""
    n_independent: float
    """Independent samples from `start` on."""
    drift: float
    """Mean of the second half minus mean of the first half, after `start`."""
    drift_stderr: float
    """Standard error of `drift`."""
    stationary: bool
    """Enough independent samples, transient in the first half, no drift beyond two errors."""


def judge_stationarity(series: npt.ArrayLike, *, candidates: int = 20) -> Stationary:
    r"""Find where a series becomes stationary, and whether it has.

    The transient is cut where the number of independent samples left,
    :math:`(n - t_0)/g(t_0)`, is largest (Chodera, J. Chem. Theory Comput. 2016, 12, 1799,
    10.1021/acs.jctc.5b00784), or at the earliest cut that keeps 80 % of that: in a short series
    the largest is often so by chance, and its error too small. What is left is stationary when its
    two halves agree within two standard errors of their difference.

    Parameters
    ----------
    series
        Equally spaced samples, shape ``(n,)``.
    candidates
        How many cuts to try.

    Raises
    ------
    ValueError
        With fewer than 4 samples.

    Examples
    --------
    >>> judge_stationarity(np.linspace(0.0, 1.0, 200)).stationary
    False
    """
    values = np.asarray(series, dtype=float)
    n = len(values)
    if n < 4:
        raise ValueError(f"{n} samples cannot be judged; give at least 4")
    starts = np.unique(np.linspace(0, 0.75 * n, candidates).astype(int))
    inefficiencies = np.array([statistical_inefficiency(values[start:]) for start in starts])
    left = (n - starts) / inefficiencies
    chosen = int(np.flatnonzero(left >= _SHARE * left.max())[0])
    best, most, inefficiency = int(starts[chosen]), float(left[chosen]), inefficiencies[chosen]
    tail = values[best:]
    spread = float(tail.std(ddof=1)) if len(tail) > 1 else 0.0
    stderr = spread * float(inefficiency / len(tail)) ** 0.5
    half = len(tail) // 2
    drift = float(tail[half:].mean() - tail[:half].mean())
    # The mean of a half has twice the variance of the whole's, their difference four times.
    drift_stderr = 2.0 * stderr
    return Stationary(
        start=best,
        mean=float(tail.mean()),
        stderr=stderr,
        n_independent=most,
        drift=drift,
        drift_stderr=drift_stderr,
        stationary=bool(
            most >= _MIN_SAMPLES and best <= n / 2 and abs(drift) <= 2.0 * max(drift_stderr, 1e-300)
        ),
    )
