"""Time correlation: mean squared displacements over all origins, correlation times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = [
    "autocovariance",
    "average_displacement",
    "displacement_product",
    "mean_squared_displacement",
    "statistical_inefficiency",
]

Floats = npt.NDArray[np.float64]


def mean_squared_displacement(path: npt.ArrayLike) -> Floats:
    r"""Average squared displacements over all time origins.

    .. math:: M(k) = \frac{1}{n-k} \sum_{t=0}^{n-k-1} |x(t+k) - x(t)|^2

    Parameters
    ----------
    path
        Unwrapped positions, shape ``(n_frames, ..., d)``; the last axis is summed.

    Returns
    -------
    Shape ``(n_frames, ...)``, in the square of the unit of ``path``, lag 0 first.

    Notes
    -----
    With the FFT, in :math:`O(n \log n)` (Calandrini et al., Collection SFN 2011, 12, 201,
    doi:10.1051/sfn/201112010).

    Examples
    --------
    >>> mean_squared_displacement([[0.0], [1.0], [2.0]]).round(9).tolist()
    [0.0, 1.0, 4.0]
    """
    x = np.asarray(path, dtype=np.float64)
    n = len(x)
    # The origin is free: centring keeps the differences of large numbers small.
    x = x - x.mean(axis=0)
    size = fft.next_fast_len(2 * n, real=True)
    transform = fft.rfft(x, size, axis=0)
    power = transform.real**2 + transform.imag**2
    correlation = fft.irfft(power, size, axis=0)[:n].sum(axis=-1)
    squares = np.einsum("...k,...k->...", x, x)
    shape = (n, *([1] * (squares.ndim - 1)))
    total = 2.0 * squares.sum(axis=0)
    # Sum of x(t)^2 + x(t+k)^2 over the n - k origins: drop one square at each end per lag.
    dropped = np.zeros_like(squares)
    np.cumsum(squares[:-1] + squares[:0:-1], axis=0, out=dropped[1:])
    msd: Floats = (total - dropped - 2.0 * correlation) / np.arange(n, 0, -1).reshape(shape)
    msd[0] = 0.0
    return np.maximum(msd, 0.0)


def average_displacement(path: npt.ArrayLike) -> Floats:
    """Average squared displacements over all time origins and over molecules, by component.

    The unit is the square of that of ``path``.

    Parameters
    ----------
    path
        Unwrapped positions, shape ``(n_frames, n_molecules, 3)``.

    Returns
    -------
    Shape ``(n_frames, 3)``, lag 0 first.

    Notes
    -----
    As `mean_squared_displacement`; power spectra are averaged before they are transformed back.

    Examples
    --------
    >>> average_displacement([[[0.0], [0.0]], [[1.0], [3.0]]]).round(9).tolist()
    [[0.0], [5.0]]
    """
    x = np.asarray(path, dtype=np.float64)
    n, n_molecules = x.shape[:2]
    size = fft.next_fast_len(2 * n, real=True)
    power = np.zeros((size // 2 + 1, x.shape[2]))
    squares = np.zeros((n, x.shape[2]))
    for i in range(n_molecules):
        # One at a time: what is transformed stays in the cache of a core.
        one = x[:, i] - x[:, i].mean(axis=0)
        transform = fft.rfft(one, size, axis=0)
        power += transform.real**2 + transform.imag**2
        squares += one * one
    correlation = fft.irfft(power, size, axis=0)[:n]
    dropped = np.zeros_like(squares)
    np.cumsum(squares[:-1] + squares[:0:-1], axis=0, out=dropped[1:])
    origins = np.arange(n, 0, -1)[:, None]
    msd: Floats = (2.0 * (squares.sum(axis=0) - correlation) - dropped) / origins / n_molecules
    msd[0] = 0.0
    return np.maximum(msd, 0.0)


def displacement_product(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    r"""Average products of two displacements over all time origins; either sign.

    .. math:: M(k) = \frac{1}{n-k} \sum_{t=0}^{n-k-1} [x(t+k) - x(t)]\,[y(t+k) - y(t)]

    Parameters
    ----------
    first, second
        Unwrapped positions, or sums of them, of equal shape ``(n_frames, ...)``; nothing is summed.

    Returns
    -------
    Shape ``(n_frames, ...)``, in the product of the units, lag 0 first.

    Notes
    -----
    With the FFT, as `mean_squared_displacement`.

    Examples
    --------
    >>> displacement_product([0.0, 1.0, 2.0], [0.0, -1.0, -2.0]).round(9).tolist()
    [0.0, -1.0, -4.0]
    """
    x, y = (np.asarray(a, dtype=np.float64) for a in (first, second))
    n = len(x)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    size = fft.next_fast_len(2 * n, real=True)
    one, two = fft.rfft(x, size, axis=0), fft.rfft(y, size, axis=0)
    # The real part of the cross spectrum: x(t) y(t+k) + x(t+k) y(t), halved.
    power = one.real * two.real + one.imag * two.imag
    correlation = fft.irfft(power, size, axis=0)[:n]
    product = x * y
    total = 2.0 * product.sum(axis=0)
    dropped = np.zeros_like(product)
    np.cumsum(product[:-1] + product[:0:-1], axis=0, out=dropped[1:])
    origins = np.arange(n, 0, -1).reshape(n, *([1] * (product.ndim - 1)))
    mean: Floats = (total - dropped - 2.0 * correlation) / origins
    mean[0] = 0.0
    return mean


def autocovariance(series: npt.ArrayLike) -> Floats:
    """Return the unbiased autocovariance of each column about its mean.

    The unit is the square of that of the series.

    Parameters
    ----------
    series
        Shape ``(n_frames, ...)``.

    Returns
    -------
    Shape ``(n_frames, ...)``, lag 0 first.
    """
    x = np.asarray(series, dtype=np.float64)
    n = len(x)
    x = x - x.mean(axis=0)
    size = fft.next_fast_len(2 * n, real=True)
    transform = fft.rfft(x, size, axis=0)
    power = transform.real**2 + transform.imag**2
    raw = fft.irfft(power, size, axis=0)[:n]
    covariance: Floats = raw / np.arange(n, 0, -1).reshape(n, *([1] * (raw.ndim - 1)))
    return covariance


def statistical_inefficiency(series: npt.ArrayLike) -> float:
    r"""Return how many frames make one independent sample, at least 1.

    .. math:: g = 1 + 2 \sum_{k \ge 1} (1 - k/n) \, C(k) / C(0)

    It is a number of frames.

    Parameters
    ----------
    series
        Shape ``(n_frames,)``.

    Notes
    -----
    The sum stops where sums of neighbouring pairs of :math:`C` turn negative, the initial
    positive sequence of Geyer, Statist. Sci. 1992, 7, 473. A constant series gives ``n``:
    nothing in it says that its frames are independent.
    """
    x = np.asarray(series, dtype=np.float64)
    n = len(x)
    if n < 2 or np.ptp(x) <= 1e-12 * max(1.0, float(np.abs(x).max())):
        return float(max(n, 1))
    covariance = autocovariance(x)
    rho = covariance / covariance[0] * (1.0 - np.arange(n) / n)
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0.0)
    stop = int(negative[0]) if len(negative) else len(pairs)
    return float(np.clip(2.0 * pairs[:stop].sum() - 1.0, 1.0, n))
