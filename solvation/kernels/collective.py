"""Collective displacements: how the summed displacements of species go together.

The sums over all molecules of a species are one vector per frame, so everything here is cheap
whatever the number of molecules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, optimize, stats

from solvation.kernels.lagcovariance import displacement_covariance

__all__ = [
    "SlopeWeights",
    "change_frame",
    "count_samples",
    "cross_displacement",
    "functional_error",
    "multiply_steps",
    "weigh_lags",
    "widen_few",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LAGS = 4
"""Lags in a fit: the best weights for more rest on the shortest two, and take the slope there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeWeights:
    """How to read the slope of a curve off some of its points: ``weights @ curve[lags]``."""

    lags: Ints
    """In frames, shape ``(n_lags,)``."""
    weights: Floats
    """Per frame, shape ``(n_lags,)``; they sum to zero, so that a constant does not matter."""
    n_effective: float
    """Independent samples of one Cartesian component that the slope of a walk is worth."""


def cross_displacement(paths: npt.ArrayLike, n_lags: int | None = None) -> Floats:
    r"""Average products of displacements over all time origins, with their sign.

    .. math:: M_{ab}(k) = \frac{1}{n-k} \sum_t
              [x_a(t+k) - x_a(t)] \cdot [x_b(t+k) - x_b(t)]

    Parameters
    ----------
    paths
        Unwrapped vectors, shape ``(n_frames, n, d)``; the last axis is summed.
    n_lags
        Lags to return; all if not given.

    Returns
    -------
    Shape ``(n_lags, n, n)``, symmetric, in the square of the unit of ``paths``, lag 0 first.

    Notes
    -----
    With the FFT, as `mean_squared_displacement`, of which this is the bilinear form.

    Examples
    --------
    >>> apart = [[[0.0], [0.0]], [[1.0], [-1.0]], [[2.0], [-2.0]]]
    >>> cross_displacement(apart)[1].round(9).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    x = np.asarray(paths, dtype=np.float64)
    n = len(x)
    keep = n if n_lags is None else min(n_lags, n)
    # The origin is free: centring keeps the differences of large numbers small.
    x = x - x.mean(axis=0)
    size = fft.next_fast_len(2 * n, real=True)
    transform = fft.rfft(x, size, axis=0)
    power = np.einsum("fak,fbk->fab", transform.conj(), transform).real
    correlation = fft.irfft(power, size, axis=0)[:keep]
    squares = np.einsum("tak,tbk->tab", x, x)
    dropped = np.zeros((keep, *squares.shape[1:]))
    np.cumsum(squares[: keep - 1] + squares[: n - keep : -1], axis=0, out=dropped[1:])
    total = 2.0 * squares.sum(axis=0)
    mean: Floats = (total - dropped - 2.0 * correlation) / np.arange(n, n - keep, -1)[:, None, None]
    mean[0] = 0.0
    return mean


def multiply_steps(paths: npt.ArrayLike, lags: npt.ArrayLike) -> Floats:
    """Average products of displacements at a few lags, for each Cartesian component.

    Parameters
    ----------
    paths
        Unwrapped vectors, shape ``(n_frames, n, d)``.
    lags
        In frames, above zero, shape ``(n_lags,)``.

    Returns
    -------
    Shape ``(n_lags, d, n, n)``; summed over the components it is `cross_displacement`.
    """
    x = np.moveaxis(np.asarray(paths, dtype=np.float64), 2, 0)
    found = []
    for lag in np.asarray(lags, dtype=np.int64):
        step = x[:, lag:] - x[:, :-lag]
        found.append(np.matmul(step.transpose(0, 2, 1), step) / step.shape[1])
    return np.array(found)


def change_frame(counts: npt.ArrayLike, masses: npt.ArrayLike, frame: npt.ArrayLike) -> Floats:
    r"""Return the matrix that refers collective displacements to the motion of some species.

    .. math:: S'_a = S_a - N_a \frac{\sum_{s \in f} m_s S_s}{\sum_{s \in f} m_s N_s}

    so that coefficients become :math:`L' = A L A^T`.

    Parameters
    ----------
    counts
        Molecules of each species, shape ``(n,)``.
    masses
        Of a molecule of each species, shape ``(n,)``.
    frame
        Whether a species is part of the frame, shape ``(n,)``.

    Returns
    -------
    Shape ``(n, n)``.

    Examples
    --------
    >>> change_frame([2, 4], [1.0, 1.0], [False, True]).tolist()
    [[1.0, -0.5], [0.0, 0.0]]
    """
    n = np.asarray(counts, dtype=np.float64)
    m = np.asarray(masses, dtype=np.float64) * np.asarray(frame, dtype=np.float64)
    moved: Floats = np.eye(len(n)) - np.outer(n, m) / float(m @ n)
    return moved


@lru_cache(maxsize=256)
def weigh_lags(n_frames: int, low: int, high: int, offset: float = 0.0) -> SlopeWeights:
    r"""Find the weights with which the slope of a displacement curve has the smallest error.

    Parameters
    ----------
    n_frames
        Frames of the path; all are time origins.
    low, high
        Shortest and longest lag in frames, ``0 < low < high < n_frames``.
    offset
        Frames by which the line is ahead of one through zero: what rattling in cages adds. Below
        zero it lags behind: velocities persist so long, as of an Ornstein–Uhlenbeck particle.

    Notes
    -----
    Generalised least squares of a line with a free intercept, with the covariance that the curve
    of a random walk with noise has between lags (`displacement_covariance`). But for a factor it
    depends on the offset alone, so that one set of weights serves all curves of a run: the slope
    is linear in the curve, and slopes of curves that add up add up exactly. The relative variance
    of the slope is :math:`2/n`, which says how many independent samples it is worth.

    Raises
    ------
    ValueError
        If the lags are not in order or the path is too short.
    """
    if not 0 < low < high < n_frames:
        raise ValueError(f"lags {low} to {high} of {n_frames} frames; 0 < low < high < n_frames")
    lags = np.unique(np.round(np.geomspace(low, high, _LAGS)).astype(np.int64))
    line = offset + np.arange(2 * high + 2, dtype=np.float64)
    line[0] = 0.0
    reach = 1
    if offset < 0.0:
        line -= offset * np.exp(np.arange(len(line)) / offset)
        line[0], reach = 0.0, min(int(np.ceil(-4.0 * offset)), high)
    covariance = displacement_covariance(lags, line, n_frames=n_frames, reach=reach)
    design = np.stack([np.ones(len(lags)), lags.astype(np.float64)], axis=1)
    solved = np.linalg.solve(covariance, design)
    weights = np.asarray(solved @ np.linalg.inv(design.T @ solved)[:, 1], dtype=np.float64)
    variance = float(weights @ covariance @ weights)
    return SlopeWeights(lags=lags, weights=weights, n_effective=2.0 / variance)


def count_samples(n_frames: int, lags: npt.ArrayLike) -> Floats:
    """Return how many independent displacements of a walk there are at each lag.

    Parameters
    ----------
    n_frames
        Frames of the path; all are time origins.
    lags
        In frames, shape ``(n_lags,)``.

    Returns
    -------
    Twice the squared mean over the variance of the mean square, shape ``(n_lags,)``; at lag 0 it
    is infinite.

    Examples
    --------
    >>> count_samples(101, [0, 1, 50]).round(1).tolist()
    [inf, 100.0, 2.0]
    """
    found = []
    for lag in np.asarray(lags, dtype=np.int64):
        one = np.array([max(int(lag), 1)])
        walk = np.arange(float(one[0]) + 2.0)
        variance = float(displacement_covariance(one, walk, n_frames=n_frames, reach=1)[0, 0])
        found.append(2.0 * float(one[0]) ** 2 / variance if lag else np.inf)
    return np.array(found)


def functional_error(matrix: npt.ArrayLike, gradient: npt.ArrayLike, n_effective: float) -> float:
    r"""Return the standard error of a function of a covariance matrix seen a few times.

    The elements of a covariance matrix of Gaussian vectors that is averaged over :math:`n`
    samples are correlated,

    .. math:: \mathrm{cov}(L_{ab}, L_{cd}) = (L_{ac} L_{bd} + L_{ad} L_{bc}) / n

    so that a function with the symmetric gradient :math:`G` has the variance
    :math:`2 \, \mathrm{tr}(G L G L) / n`.

    Parameters
    ----------
    matrix, gradient
        Shape ``(n, n)``.
    n_effective
        Independent samples.

    Examples
    --------
    >>> functional_error([[2.0]], [[1.0]], 8.0)
    1.0
    """
    product = np.asarray(gradient, dtype=np.float64) @ np.asarray(matrix, dtype=np.float64)
    return float(np.sqrt(max(2.0 * np.trace(product @ product) / n_effective, 0.0)))


@lru_cache(maxsize=1024)
def widen_few(n_effective: float) -> float:
    r"""Return by how much to widen the error of a mean square of few Gaussian samples.

    A mean of :math:`n` squares is distributed as :math:`\chi^2_n`, and its error
    :math:`\sqrt{2/n}` is taken of the mean itself: where that comes out small, so does the error.
    The factor makes 1.96 errors about the mean hold the truth in 95 % of cases.

    Examples
    --------
    >>> round(widen_few(10.0), 2), round(widen_few(1000.0), 2)
    (1.75, 1.0)
    """
    n = max(n_effective, 1.0)

    def miss(share: float) -> float:
        high = np.inf if share >= 1.0 else n / (1.0 - share)
        return float(stats.chi2.cdf(high, n) - stats.chi2.cdf(n / (1.0 + share), n)) - 0.95

    share = float(optimize.brentq(miss, 1e-3, 1e4))
    return share / 1.959964 / float(np.sqrt(2.0 / n))
