"""Integral of a correlation function, by STACIE: the home of that library.

A model is fitted to the low-frequency end of the power spectrum, whose limit at zero is the
integral; how far up it is fitted is decided by cross-validation and averaged over, so that no
cut-off in time is chosen by hand and the error follows from the known statistics of a spectrum
(Toraman, Fauconnier, Verstraelen, STACIE, https://molmod.github.io/stacie/).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = ["FEWEST_ROWS", "Integral", "integrate_correlation", "run_integral"]

Floats = npt.NDArray[np.float64]

FEWEST_ROWS = 400
"""Samples per sequence below which no fit is tried."""
_CUTOFF_STEP = 1.0
"""Spacing of trial cut-offs, twice STACIE's: half the time, and on a dozen known spectra the same
values and errors to a hundredth of the error."""
_TWO_SIDED = 1.959964
"""Standard errors of a normal distribution on each side of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integral:
    """What STACIE found; units are those of the prefactor times the square of the sequences, ps."""

    value: float
    """Integral from zero to infinity."""
    stderr: float
    """Its standard error, of the fit and of the choice of the cut-off: 1.96 of them reach as far up
    as the 95 % interval of the logarithm."""
    cutoff: float
    """Frequency up to which the model was fitted, 1/ps."""
    n_points: float
    """Effective number of frequencies in the fit, of each sequence."""
    cost_zscore: float
    """How much worse the model fits than noise explains, in standard deviations."""
    criterion_zscore: float
    """How much worse the two halves of the fitted range agree than noise explains."""
    frequency: Floats
    """1/ps, shape ``(n_frequencies,)``, up to twice the cut-off."""
    spectrum: Floats
    """Mean power spectrum there."""
    fit: Floats
    """Model there; nan where it was not fitted."""


def integrate_correlation(
    sequences: npt.ArrayLike,
    *,
    prefactor: float,
    spacing: float,
    shape: Literal["smooth", "lorentz"] = "smooth",
) -> Integral:
    """Integrate the autocorrelation function of equivalent, independent sequences.

    Parameters
    ----------
    sequences
        Shape ``(n_sequences, n_rows)``; their mean is known to be zero.
    prefactor
        Of the integral.
    spacing
        ps between rows.
    shape
        What the spectrum is like near zero: an even power series in its logarithm, or a peak with
        a constant below (a correlation that ends exponentially).

    Raises
    ------
    ValueError
        If the sequences are shorter than `FEWEST_ROWS`, or nothing could be fitted.
    """
    from stacie import ExpPolyModel, PadeModel, compute_spectrum, estimate_acint

    x = np.asarray(sequences, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < FEWEST_ROWS:
        raise ValueError(f"sequences have shape {x.shape}; {FEWEST_ROWS} rows or more are needed")
    if not np.all(np.ptp(x, axis=1) > 0.0):
        raise ValueError("a sequence is constant; its correlation has no integral")
    spectrum = compute_spectrum(x, prefactors=prefactor, timestep=spacing)
    model = ExpPolyModel([0, 2]) if shape == "smooth" else PadeModel([0, 2], [2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trial fits that are then discarded
        result = estimate_acint(
            spectrum, model, neff_min=10 * model.npar, fcut_spacing=_CUTOFF_STEP
        )
    keep = spectrum.freqs <= 2.0 * result.fcut
    fitted = np.asarray(result.props["amplitudes_model"][0], dtype=np.float64)
    fit = np.full(len(spectrum.freqs), np.nan)
    fit[: len(fitted)] = fitted
    fit[spectrum.freqs > 1.2 * result.fcut] = np.nan
    value, stderr = float(result.acint), float(result.acint_std)
    return Integral(
        value=value, stderr=widen_proportional_error(value, stderr), cutoff=float(result.fcut),
        n_points=float(result.neff), cost_zscore=float(result.props["cost_zscore"]),
        criterion_zscore=float(result.props["criterion_zscore"]),
        frequency=np.asarray(spectrum.freqs[keep]), spectrum=np.asarray(spectrum.amplitudes[keep]),
        fit=fit[keep],
    )  # fmt: skip


def widen_proportional_error(value: float, stderr: float) -> float:
    """Widen an error that is proportional to the value it belongs to, so that 95 % mean 95 %.

    A spectrum scatters in proportion to what it really is: its logarithm has the symmetric error
    r = stderr / value, and a value that came out low by chance says too small an error of itself.
    The error returned is that of which 1.96 reach up to value exp(1.96 r), where the interval of
    the logarithm ends; its lower end, value exp(-1.96 r), is nearer.

    Examples
    --------
    >>> round(widen_proportional_error(10.0, 1.0), 3), round(widen_proportional_error(10.0, 0.1), 3)
    (1.105, 0.101)
    """
    r = _TWO_SIDED * stderr / abs(value) if value else 0.0
    return stderr * math.expm1(min(r, 700.0)) / r if 0.0 < r < math.inf else stderr


def run_integral(
    sequences: npt.ArrayLike, *, prefactor: float, spacing: float, longest: float
) -> tuple[Floats, Floats]:
    """Return lags (ps) and the running integral of the mean autocorrelation, to look at.

    Both have the shape ``(n_lags,)``.

    Parameters
    ----------
    sequences, prefactor, spacing
        As for `integrate_correlation`.
    longest
        ps.
    """
    x = np.asarray(sequences, dtype=np.float64)
    n = x.shape[1]
    n_lags = max(2, min(n // 2, round(longest / spacing) + 1))
    size = fft.next_fast_len(n + n_lags, real=True)
    total = np.zeros(n_lags)
    for row in x:
        transform = fft.rfft(row, size)
        total += fft.irfft(transform.real**2 + transform.imag**2, size)[:n_lags]
    correlation = prefactor * total / len(x) / np.arange(n, n - n_lags, -1)
    middle = 0.5 * (correlation[1:] + correlation[:-1]) * spacing
    return np.arange(n_lags) * spacing, np.concatenate([[0.0], np.cumsum(middle)])
