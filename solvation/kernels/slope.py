r"""Long-time slopes of displacement curves, with errors that hold: where, how steep, how sure.

A displacement curve is a mean over all time origins of a product of displacements: a mean squared
displacement, or a cross term :math:`\langle \Delta x\,\Delta y \rangle` of either sign. Its slope
is twice a transport coefficient. One way serves all of them:

1. put what was measured into `Curves` (per Cartesian component, averaged over components);
2. `solvation.kernels.regime.find_slope` chooses the window, `fit_slope` takes a given one; both
   return a `Slope`;
3. `solvation.kernels.regime.scan_windows` says how the slope depends on that choice.

Self-diffusion, 50 ions, ``path`` of shape ``(n_frames, 50, 3)``: every molecule is a sample, the
mean over its three components is three copies, and D is half the slope::

    samples = mean_squared_displacement(path).T / 3.0          # (50, n_frames)
    curves = Curves(timestep=dt, samples=samples, n_frames=len(path), copies=3.0)
    D = find_slope(curves).slope / 2.0

Collective coefficients, charge or species displacements ``P``, ``M`` of shape ``(n_frames, 3)``,
one of each per replica: every component of every replica is a sample of its own::

    pp, mm, pm = (displacement_product(a, b) for a, b in ((P, P), (M, M), (P, M)))   # (n_frames, 3)
    curves = Curves(timestep=dt, samples=pm.T, n_frames=len(P),
                    partners=(pp.mean(axis=1), mm.mean(axis=1)))
    L = find_slope(curves).slope / 2.0

Terms that are to add up (the parts of a conductivity) must be fitted in one window: find it for
each, take the latest ``low``, and give it to `fit_slope`, together with ``weights_of=`` the slope
of their sum: with one set of weights the slopes add up as the curves do.

The line :math:`a + b t` is fitted by generalised least squares. The covariance of the points is
that of a Gaussian process (`solvation.kernels.lagcovariance`) whose curve is the observed one
below the window and the fitted line in it, found in two rounds. The intercept takes up what
happens at short times. The error follows from the same covariance and is widened where the samples,
or other independent parts (replicas, blocks of time), scatter more than it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from solvation.kernels.lagcovariance import displacement_covariance

__all__ = ["LONGEST", "Curves", "Slope", "fit_slope"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LONGEST = 0.4
"""Longest lag used, as a share of the path."""
TOLERANCE = 0.02
"""Deviation of the exponent from 1 that is let pass however well it is known; the intercept of the
line takes up what causes it, if it fades."""
_POINTS = 10
"""Lags in a window, evenly on a logarithm."""
_SMALLEST = 1e-5
"""Smallest eigenvalue of a matrix of correlations, as a share of the largest."""
_PRIOR = 2.0
"""Degrees of freedom with which the model's own variance stands against an observed scatter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Independent samples of one displacement curve, per Cartesian component."""

    timestep: float
    """ps between lags."""
    samples: Floats
    """Curves from lag 0 on, shape ``(n_samples, n_lags)``; each is averaged over all origins."""
    n_frames: int | Ints
    """Frames each sample was averaged over, one number or shape ``(n_samples,)``."""
    copies: float | Floats = 1.0
    """Independent displacements (molecules times components) that each sample is the mean of at
    every origin, one number or shape ``(n_samples,)``."""
    partners: tuple[Floats, Floats] | None = None
    """For a cross term: the curves of its two displacements, shape ``(n_lags,)`` each."""
    parts: Sequence[Curves] = field(default=())
    """The same data cut otherwise, into replicas or blocks of time, each a sample: only their
    scatter is used, for the error."""

    @property
    def counts(self) -> tuple[Ints, Floats]:
        """Frames and copies of each sample, shape ``(n_samples,)``."""
        n = len(self.samples)
        frames = np.broadcast_to(np.asarray(self.n_frames, dtype=np.int64), n)
        return frames, np.broadcast_to(np.asarray(self.copies, dtype=np.float64), n)

    @property
    def mean(self) -> Floats:
        """Mean over the samples, shape ``(n_lags,)``."""
        frames, copies = self.counts
        mean: Floats = np.average(self.samples, axis=0, weights=frames * copies)
        return mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Long-time slope of a displacement curve in one window."""

    slope: float
    """Of the curve per component; twice the transport coefficient."""
    stderr: float
    """Standard error of the slope."""
    intercept: float
    """Of the line at lag 0."""
    exponent: float
    """Slope of log curve over log t in the window, 1 when diffusive; nan where the curve is not
    above zero."""
    exponent_stderr: float
    """Its standard error."""
    low: float
    """Shortest lag of the window in ps."""
    high: float
    """Longest lag of the window in ps."""
    n_effective: float
    """Independent displacement vectors (three components) that would give this error."""
    scale: float
    """Slope for which the error was found: the line's, or curve over lag where that is more; for a
    cross term the geometric mean of its partners'."""
    inflation: float
    """Factor by which the scatter of samples or parts widened the model's error; at least 1."""
    steady: bool = True
    """Whether later windows give the same slope within errors."""
    lags: Ints
    """Lags of the fit in frames, shape ``(n_points,)``."""
    weights: Floats
    """The slope is ``weights @ curve[lags]``, shape ``(n_points,)``."""

    @property
    def diffusive(self) -> bool:
        """Whether the exponent is 1 within two errors, where there is one, and the slope steady."""
        if not np.isfinite(self.exponent):
            return self.steady
        known = self.exponent_stderr < 0.25
        near = abs(self.exponent - 1.0) <= max(2.0 * self.exponent_stderr, TOLERANCE)
        return self.steady and known and near


def choose_lags(low: float, high: float, timestep: float, n_lags: int) -> Ints:
    """Choose at most ten lags in frames between two times in ps, evenly on a logarithm."""
    first = max(1, round(low / timestep))
    last = min(n_lags - 1, round(high / timestep))
    if last < first + 1:
        return np.empty(0, dtype=np.int64)
    return np.unique(np.round(np.geomspace(first, last, _POINTS)).astype(np.int64))


def fit_slope(
    curves: Curves, *, window: tuple[float, float], weights_of: Slope | None = None
) -> Slope:
    """Fit a line to a displacement curve inside a window by generalised least squares.

    Parameters
    ----------
    curves
        What was measured.
    window
        Shortest and longest lag in ps.
    weights_of
        A slope whose weights are used instead of the best ones, so that slopes of parts add up
        to that of the whole.

    Returns
    -------
    With ``nan`` for all numbers if fewer than two lags lie inside.
    """
    mean = curves.mean
    lags = choose_lags(*window, curves.timestep, len(mean))
    if weights_of is not None:
        lags = weights_of.lags
    nan = float("nan")
    if len(lags) < 2:
        return Slope(
            slope=nan, stderr=nan, intercept=nan, exponent=nan, exponent_stderr=nan, low=window[0],
            high=window[1], n_effective=0.0, scale=nan, inflation=1.0, steady=False, lags=lags,
            weights=np.empty(0),
        )  # fmt: skip
    x = lags * curves.timestep
    low, high = float(x[0]), float(x[-1])
    scales = [np.abs(c[lags]).max() for c in (curves.partners or (mean,))]
    if min(scales) <= 0.0:
        # Nothing moves: opposite charges in rigid pairs carry exactly no current.
        return Slope(
            slope=0.0, stderr=0.0, intercept=0.0, exponent=nan, exponent_stderr=nan, low=low,
            high=high, n_effective=nan, scale=0.0, inflation=1.0, lags=lags,
            weights=np.zeros(len(lags)),
        )  # fmt: skip
    design = np.stack([np.ones(len(x)), x], axis=1)
    model = _find_model(curves, lags, design)
    covariance = model.covariance(*curves.counts)
    fit = _solve(design, covariance)
    weights = fit[1] if weights_of is None else weights_of.weights
    slope = float(weights @ mean[lags])
    variance = float(weights @ covariance @ weights)
    inflation = max([1.0, *(_scatter(c, model, weights, lags) for c in (curves, *curves.parts))])
    variance *= inflation
    exponent, exponent_stderr = _fit_exponent(lags, mean[lags], model.line, covariance)
    ideal = _ideal_variance(slope, model)
    return Slope(
        slope=slope, stderr=float(np.sqrt(variance)),
        intercept=float(fit[0] @ mean[lags]),
        exponent=exponent, exponent_stderr=exponent_stderr * float(np.sqrt(inflation)),
        low=low, high=high,
        n_effective=ideal / variance / 3.0 if variance > 0.0 else nan,
        scale=float(np.sqrt(abs(model.slopes[-1] * model.slopes[len(model.slopes) // 2]))),
        inflation=float(np.sqrt(inflation)), lags=lags, weights=weights,
    )  # fmt: skip


class _Model:
    """Covariance of the points from the curve itself: observed below the window, a line in it."""

    def __init__(self, lags: Ints, curves: Sequence[Floats], slopes: Sequence[float]) -> None:
        self.lags, self.curves, self.slopes = lags, curves, slopes
        self.line = curves[0][lags]
        self._known: dict[int, Floats] = {}

    def covariance(self, frames: Ints, copies: Floats) -> Floats:
        """Return that of the mean of samples that have so many frames and copies each."""
        total = float((frames * copies).sum())
        sum_ = np.zeros((len(self.lags), len(self.lags)))
        for n in np.unique(frames):
            weight = float(copies[frames == n].sum()) * (n / total) ** 2
            sum_ += weight * self.single(int(n))
        return sum_

    def single(self, n_frames: int) -> Floats:
        """Return that of one component of one displacement over a path of ``n_frames``."""
        if n_frames not in self._known:
            first, *others = self.curves
            covariance = displacement_covariance(
                self.lags, first, n_frames=n_frames, reach=int(self.lags[0]),
                partners=(others[0], others[1]) if others else None,
            )  # fmt: skip
            self._known[n_frames] = _regularize(covariance)
        return self._known[n_frames]


def _find_model(curves: Curves, lags: Ints, design: Floats) -> _Model:
    """Find the lines in two rounds: with weights 1/t², then with the covariance this gives."""
    mean = curves.mean
    known = (mean,) if curves.partners is None else (mean, *curves.partners)
    fit = _solve(design, np.diag(design[:, 1] ** 2))
    model = _draw_lines(known, lags, fit, curves.timestep)
    fit = _solve(design, model.covariance(*curves.counts))
    return _draw_lines(known, lags, fit, curves.timestep)


def _draw_lines(known: Sequence[Floats], lags: Ints, fit: Floats, timestep: float) -> _Model:
    """Continue each curve from the first lag on by its line, bent before to meet it."""
    first, last = int(lags[0]), int(lags[-1])
    times = np.arange(first, last + first + 2) * timestep
    drawn, slopes = [], []
    for i, curve in enumerate(known):
        start, slope = (float(x) for x in fit @ curve[lags])
        if i or len(known) == 1:
            # How far it got is better known than how steep it ends; a line that came out flat by
            # chance would claim to be precise.
            whole = float(np.mean(curve[lags] / (lags * timestep)))
            start, slope = (0.0, whole) if slope < whole else (start, slope)
        straight = start + slope * times
        bend = (straight[0] - curve[first]) * np.arange(first) / first
        drawn.append(np.concatenate([curve[:first] + bend, straight]))
        slopes.append(slope)
    return _Model(lags, drawn, slopes)


def _ideal_variance(slope: float, model: _Model) -> float:
    """Return the variance of the slope from a single displacement of one component."""
    if len(model.slopes) == 1:
        return 2.0 * slope**2
    return abs(model.slopes[1] * model.slopes[2]) + slope**2


def _solve(design: Floats, covariance: Floats) -> Floats:
    """Return the matrix that turns values into coefficients by generalised least squares."""
    scale = np.sqrt(np.diag(covariance))
    value, vector = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = vector / np.sqrt(np.maximum(value, _SMALLEST * value[-1]))
    half = root.T @ (design / scale[:, None])
    fit: Floats = np.linalg.lstsq(half, root.T / scale, rcond=None)[0]
    return fit


def _regularize(covariance: Floats) -> Floats:
    """Lift eigenvalues, of the correlations, that an estimated curve made too small or negative."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12 * np.diag(covariance).max()))
    value, vector = np.linalg.eigh(covariance / np.outer(scale, scale))
    lifted = np.maximum(value, _SMALLEST * value[-1])
    whole: Floats = (vector * lifted) @ vector.T * np.outer(scale, scale)
    return whole


def _scatter(curves: Curves, model: _Model, weights: Floats, lags: Ints) -> float:
    """Return how much more than the model says the samples' slopes vary, as a ratio of variances.

    A few samples say little of their variance; the model's stands against it with the weight of
    two degrees of freedom.
    """
    if len(curves.samples) < 2:
        return 1.0
    frames, copies = curves.counts
    inside = int(np.searchsorted(lags, LONGEST * int(frames.min()), side="right"))
    inside = min(inside, int(np.searchsorted(lags, curves.samples.shape[1])))
    if inside < 3:
        return 1.0
    single: dict[int, tuple[Floats, float]] = {}
    for n in np.unique(frames):
        part = model.single(int(n))[:inside, :inside]
        if inside < len(lags):
            x = lags[:inside].astype(np.float64)
            fit = _solve(np.stack([np.ones(inside), x], axis=1), part)[1]
            single[int(n)] = (fit, float(fit @ part @ fit))
        else:
            single[int(n)] = (weights, float(weights @ part @ weights))
    values = np.array([
        single[int(n)][0] @ sample[lags[:inside]]
        for n, sample in zip(frames, curves.samples, strict=True)
    ])  # fmt: skip
    precision = copies / np.array([single[int(n)][1] for n in frames])
    centre = float(precision @ values / precision.sum())
    degrees = len(values) - 1
    ratio = float(precision @ (values - centre) ** 2) / degrees
    return (_PRIOR + degrees * ratio) / (_PRIOR + degrees)


def _fit_exponent(x: Ints, y: Floats, line: Floats, covariance: Floats) -> tuple[float, float]:
    """Return the slope of log y over log x and its error; nan if y is not above zero."""
    if not (y > 0.0).all() or not (line > 0.0).all():
        return float("nan"), float("nan")
    relative: Floats = covariance / np.outer(line, line)
    design = np.stack([np.ones(len(x)), np.log(x)], axis=1)
    fit = _solve(design, relative)[1]
    return float(fit @ np.log(y)), float(np.sqrt(fit @ relative @ fit))
