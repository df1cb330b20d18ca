"""The diffusive regime: from which lag on a displacement curve is a straight line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from solvation.kernels.slope import LONGEST, Curves, Slope, fit_slope

__all__ = ["choose_window", "find_slope", "list_windows", "scan_windows"]

Floats = npt.NDArray[np.float64]


def list_windows(curves: Curves, longest: float | None = None) -> list[tuple[float, float]]:
    """List windows in ps that start at 1, 2, 4, ... lags, up to half of the longest, and end there.

    Parameters
    ----------
    curves, longest
        As for `find_slope`.
    """
    if longest is None:
        longest = LONGEST * int(curves.counts[0].min()) * curves.timestep
    longest = min(longest, (curves.samples.shape[1] - 1) * curves.timestep)
    last = max(1, int(longest / 2.0 / curves.timestep + 1e-9))
    starts = np.geomspace(1, last, max(2, int(np.ceil(np.log2(last))) + 1))
    return [(float(n) * curves.timestep, longest) for n in np.unique(np.round(starts))]


def choose_window(slopes: Sequence[Slope]) -> Slope:
    """Choose the earliest window from which on the motion is diffusive.

    Parameters
    ----------
    slopes
        Of one curve, from `scan_windows`.

    Returns
    -------
    The first whose exponent is 1 within its error and from which later windows, one in the middle
    and the last, do not deviate; if there is none, the last, with `Slope.steady` false.

    Notes
    -----
    An early window is much more precise than a late one and contains it, so if both hold, the
    variance of their difference is the difference of their variances (Hausman, Econometrica 1978,
    46, 1251). Beyond 2.5 of its roots the early one is refused.
    """
    return _choose(slopes.__getitem__, len(slopes))


def _choose(fit: Callable[[int], Slope], n: int) -> Slope:
    """Choose among windows that are fitted when they are looked at."""
    for i in range(n):
        later = {(i + n) // 2, n - 1} - {i}
        # A curve without an exponent is only known to be straight by comparison.
        known = bool(later) or np.isfinite(fit(i).exponent)
        if known and fit(i).diffusive and all(_agree(fit(i), fit(k)) for k in later):
            return fit(i)
    return replace(fit(n - 1), steady=False)


def _agree(early: Slope, late: Slope) -> bool:
    """Tell whether a window and a later one that it contains give one slope."""
    # Errors are in proportion to what they are of: if the early slope is right, so is its scale.
    share = early.scale / late.scale if late.scale else 1.0
    spread = (late.stderr * max(1.0, share)) ** 2 - early.stderr**2
    apart = abs(late.slope - early.slope)
    return bool(apart <= 2.5 * np.sqrt(max(spread, 0.25 * early.stderr**2)))


def find_slope(curves: Curves, *, longest: float | None = None) -> Slope:
    """Find the diffusive regime and fit a line there.

    Parameters
    ----------
    curves
        What was measured.
    longest
        Longest lag used in ps; 0.4 of the shortest path if not given.

    Returns
    -------
    Whose `Slope.diffusive` says whether there was such a regime; if not, the slope is that of the
    last window and should not be believed.
    """
    windows = list_windows(curves, longest)

    @cache
    def fit(i: int) -> Slope:
        return fit_slope(curves, window=windows[i])

    return _choose(fit, len(windows))


def scan_windows(curves: Curves, *, longest: float | None = None) -> list[Slope]:
    """Fit in windows that start later and later and end at the longest lag.

    Parameters
    ----------
    curves, longest
        As for `find_slope`.
    """
    return [fit_slope(curves, window=window) for window in list_windows(curves, longest)]
