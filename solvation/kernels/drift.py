r"""Drift: the slope of a quantity that should be conserved or stationary, with its error.

The slope of a straight line through the means of blocks, whose scatter about the line gives the
error, exact for independent blocks; blocks are long compared to the correlation of the series,
or else the error is too small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fit_drift"]


def fit_drift(
    time: NDArray[np.float64], values: NDArray[np.float64], *, blocks: int = 10
) -> tuple[float, float]:
    r"""Slope of values against time, and its standard error.

    Parameters
    ----------
    time
        Shape ``(n,)``, rising.
    values
        Shape ``(n,)``.
    blocks
        Means that the line is fitted to.

    Returns
    -------
    tuple of float
        Slope :math:`b = \sum (t-\bar t)(y-\bar y)/\sum (t-\bar t)^2` of the block means and its
        standard error :math:`\sqrt{\sum r^2/((n-2) \sum (t-\bar t)^2)}` from the residuals
        :math:`r`; both NaN with fewer than three values, the error alone where the line has none
        left.

    Examples
    --------
    >>> import numpy as np
    >>> slope, stderr = fit_drift(np.arange(40.0), 3.0 + 0.5 * np.arange(40.0))
    >>> round(slope, 6), round(stderr, 6)
    (0.5, 0.0)
    """
    n = min(blocks, len(values))
    if n < 3:
        return float("nan"), float("nan")
    t = np.array([part.mean() for part in np.array_split(time, n)])
    y = np.array([part.mean() for part in np.array_split(values, n)])
    t = t - t.mean()
    spread = float((t**2).sum())
    slope = float((t * (y - y.mean())).sum()) / spread
    rest = y - y.mean() - slope * t
    return slope, float(np.sqrt((rest**2).sum() / (n - 2) / spread))
