"""Self-diffusion from mean squared displacements of centres of mass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.centre import Path
from solvation.analyze.topology import Scene
from solvation.kernels.timecorr import mean_squared_displacement
from solvation.kernels.uncertainty import (
    block_error,
    jackknife_error,
    largest_error,
    replica_error,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Slope", "common_lags", "fit_slope", "group_msd", "measure_diffusion", "thin_lags"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

A2_PER_PS = 1e-8
"""Å2/ps in m2/s."""
_GROUPS = 20
"""Groups of molecules per replica, from whose scatter errors come."""
_LONGEST = 0.4
"""Longest lag used, as a share of the run."""
_FEWEST_FRAMES = 20
"""Frames below which no displacement is worth fitting."""
_LAGS = 400
"""Lags kept in the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Long-time slope of a mean squared displacement."""

    slope: float
    """d MSD / d t in the window."""
    stderr: float
    """Standard error of the slope."""
    exponent: float
    """Slope of log MSD over log t in the window; 1 when diffusive."""
    exponent_stderr: float
    """Its standard error."""
    low: float
    """Shortest lag of the window."""
    high: float
    """Longest lag of the window."""

    @property
    def diffusive(self) -> bool:
        """Whether the exponent is known to 0.25 and is 1 within two errors (or 0.02)."""
        known = self.exponent_stderr < 0.25
        return known and abs(self.exponent - 1.0) <= max(2.0 * self.exponent_stderr, 0.02)


def fit_slope(
    lag: Floats,
    samples: Floats,
    *,
    window: tuple[float, float],
    weights: npt.ArrayLike | None = None,
) -> Slope:
    r"""Fit a line to the mean of samples of an MSD inside a window.

    Parameters
    ----------
    lag
        Shape ``(n_lags,)``.
    samples
        Independent samples of the MSD, such as groups of molecules, shape ``(n_samples, n_lags)``.
    window
        Shortest and longest lag.
    weights
        Of the samples, shape ``(n_samples,)``, e.g. molecules in each group.

    Notes
    -----
    Points are weighted by their inverse variance, :math:`1/t^2` for a Gaussian process sampled
    over all origins up to a constant. Points of different lag are strongly correlated, so the
    error is not that of the fit: the whole fit is repeated without each of the samples in turn
    (jackknife).
    """
    share = np.ones(len(samples)) if weights is None else np.asarray(weights, dtype=np.float64)
    inside = np.flatnonzero((lag >= window[0] - 1e-9) & (lag <= window[1] + 1e-9) & (lag > 0.0))
    nan = float("nan")
    if len(inside) < 2 or not samples[:, inside].any():
        return Slope(slope=nan, stderr=nan, exponent=nan, exponent_stderr=nan,
                     low=window[0], high=window[1])  # fmt: skip
    x, y = lag[inside], samples[:, inside]
    mean = np.average(y, axis=0, weights=share)
    slope, exponent = _fit_line(x, mean)
    rest = [
        np.average(np.delete(y, i, axis=0), axis=0, weights=np.delete(share, i))
        for i in range(len(y) if len(y) > 1 else 0)
    ]
    fits = np.array([_fit_line(x, m) for m in rest]).reshape(-1, 2)
    errors = jackknife_error(fits)
    return Slope(
        slope=slope, stderr=float(errors[0]), exponent=exponent, exponent_stderr=float(errors[1]),
        low=float(x[0]), high=float(x[-1]),
    )  # fmt: skip


def _fit_line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the slope of y over x, and of log y over log x."""
    # sqrt(weight) for polyfit is 1 / sigma, and sigma grows like t.
    slope = float(np.polyfit(x, y, 1, w=1.0 / x)[0])
    positive = np.maximum(y, 1e-300)
    exponent = float(np.polyfit(np.log(x), np.log(positive), 1)[0])
    return slope, exponent


def group_msd(positions: Floats, groups: int = _GROUPS) -> tuple[Floats, Floats]:
    """Average MSDs over all origins within groups of molecules.

    Parameters
    ----------
    positions
        Unwrapped, Å, shape ``(n_frames, n_molecules, 3)``.
    groups
        At most this many.

    Returns
    -------
    samples
        Å2, shape ``(n_groups, n_frames)``.
    weights
        Molecules in each group.
    """
    n = positions.shape[1]
    members = [np.arange(i, n, min(groups, n)) for i in range(min(groups, n))]
    samples = [mean_squared_displacement(positions[:, m]).mean(axis=1) for m in members]
    return np.array(samples), np.array([len(m) for m in members], dtype=np.float64)


def find_slope(lag: Floats, samples: Floats, weights: Floats, *, longest: float) -> Slope:
    """Find the earliest window up to ``longest`` in which the MSD is diffusive, and fit there.

    Windows start at 1/20, 1/10, 1/4 and 1/2 of ``longest``. If none is diffusive the one that
    starts at 1/4 is returned; its exponent says what is wrong.
    """
    fallback = None
    for share in (0.05, 0.1, 0.25, 0.5):
        if longest * share < lag[1]:
            continue
        slope = fit_slope(lag, samples, window=(longest * share, longest), weights=weights)
        if slope.diffusive:
            return slope
        if share == 0.25:
            fallback = slope
    return fallback or fit_slope(lag, samples, window=(longest / 4.0, longest), weights=weights)


def measure_diffusion(scene: Scene, paths: Sequence[Path]) -> xr.Dataset | None:
    r"""Measure self-diffusion coefficients of all species.

    .. math:: D = \frac{1}{6} \frac{d}{dt} \langle |r(t) - r(0)|^2 \rangle

    Parameters
    ----------
    scene
        Species.
    paths
        One per replica.

    Returns
    -------
    None if there are too few frames, or displacements cannot be trusted.

    Notes
    -----
    The error is the larger of two: the scatter between groups of molecules (a jackknife, which
    takes molecules, not time origins, as independent) and, with replicas, between their values.
    """
    import xarray as xr

    lag = common_lags(paths)
    if lag is None:
        return None
    keep = thin_lags(len(lag))
    species = scene.species
    msd, msd_error, rows = [], [], []
    for kind in species:
        found = [group_msd(p.positions[:, kind.molecules]) for p in paths]
        samples = np.concatenate([s[:, : len(lag)] for s, _ in found])
        weights = np.concatenate([w for _, w in found])
        longest = _LONGEST * lag[-1]
        slope = find_slope(lag, samples, weights, longest=longest)
        error = slope.stderr
        if len(found) > 1:
            each = [
                fit_slope(lag, s[:, : len(lag)], window=(slope.low, slope.high), weights=w).slope
                for s, w in found
            ]
            error = largest_error(error, replica_error(each, [w.sum() for _, w in found]))
        spans = sum(float(p.times[-1] - p.times[0]) for p in paths)
        rows.append(
            (slope.slope / 6.0 * A2_PER_PS, error / 6.0 * A2_PER_PS, slope.exponent,
             slope.exponent_stderr, slope.low, slope.high,
             kind.n_molecules * spans / slope.high, float(slope.diffusive))
        )  # fmt: skip
        msd.append(np.average(samples, axis=0, weights=weights)[keep])
        msd_error.append(block_error(samples)[keep])
    columns = np.array(rows).T
    text = "mean squared displacement of centres of mass"

    def row(i: int, unit: str, name: str) -> tuple[str, Floats, dict[str, str]]:
        return ("species", columns[i], {"units": unit, "long_name": name})

    dims = ("species", "lag")
    return xr.Dataset(
        {
            "msd": (dims, np.array(msd), {"units": "Å2", "long_name": text}),
            "msd_stderr": (
                dims, np.array(msd_error),
                {"units": "Å2", "long_name": f"standard error of the {text}"},
            ),
            "diffusion": row(0, "m2/s", "self-diffusion coefficient"),
            "diffusion_stderr": row(1, "m2/s", "standard error of the diffusion coefficient"),
            "exponent": row(2, "1", "slope of log MSD over log t in the window"),
            "exponent_stderr": row(3, "1", "standard error of the exponent"),
            "window_low": row(4, "ps", "shortest lag fitted"),
            "window_high": row(5, "ps", "longest lag fitted"),
            "n_independent": row(6, "1", "independent displacements"),
            "diffusive": row(7, "1", "whether the exponent is 1 within its error"),
        },
        coords={
            "species": [s.name for s in species],
            "lag": ("lag", lag[keep], {"units": "ps", "long_name": "lag time"}),
        },
    )  # fmt: skip


def common_lags(paths: Sequence[Path]) -> Floats | None:
    """Return the lags in ps that all replicas have, or None if dynamics cannot be had.

    Shape ``(n_lags,)``.
    """
    steps = [p.timestep for p in paths]
    if not paths or any(p.problem for p in paths) or any(s is None for s in steps):
        return None
    first = steps[0]
    n = min(len(p.times) for p in paths)
    if first is None or n < _FEWEST_FRAMES:
        return None
    if any(abs((s or 0.0) - first) > 0.02 * first for s in steps):
        return None
    return np.arange(n, dtype=np.float64) * first


def thin_lags(n: int) -> Ints:
    """Choose at most about `_LAGS` lags: all at first, then evenly on a logarithm.

    They are numbers of frames, shape ``(n_lags,)``.
    """
    if n <= _LAGS:
        return np.arange(n)
    half = _LAGS // 2
    tail = np.geomspace(half, n - 1, half)
    return np.unique(np.concatenate([np.arange(half), np.round(tail)]).astype(np.int64))
