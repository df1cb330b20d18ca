r"""Permittivity and dielectric spectrum from the dipole of a box, with ions or without.

The dipole of a box with ions has a part that turns and is bounded, :math:`D`, the sum of the
molecules' own dipoles about their centres of mass, and one that travels, :math:`J`, the sum of
their charges times their centres. Both follow from the current density of all charges,
:math:`\dot D + \dot J`; its response at frequency zero is the conductivity, and what is left,
divided by the frequency, is the permittivity (Caillol, Levesque, Weis, J. Chem. Phys. 1986, 85,
6645, 10.1063/1.451446; Schröder, Haberler, Steinhauser, J. Chem. Phys. 2008, 128, 134501,
10.1063/1.2868752; both from memory). In time: with :math:`M = D + J`, unwrapped, and

.. math:: G(t) = \tfrac12 \langle |M(t) - M(0)|^2 \rangle \to A + 3 V k T \sigma\, t,

the slope is the conductivity and the intercept the permittivity,
:math:`\varepsilon = 1 + A / (3 \varepsilon_0 V k T)`. Without ions :math:`A = \langle M^2
\rangle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
import numpy.typing as npt

from solvation.kernels.timecorr import mean_squared_displacement
from solvation.kernels.uncertainty import series_error

__all__ = [
    "Relaxation",
    "dielectric_factor",
    "find_relaxation",
    "measure_permittivity",
    "transform_relaxation",
]

Floats = npt.NDArray[np.float64]

_COULOMB = 138.935457644 * 10.0
"""1 / (4 pi eps0) in kJ Å / (mol e2)."""
_GAS = 8.31446261815324e-3
"""kJ/(mol K)."""


def dielectric_factor(*, volume: float, temperature: float) -> float:
    r""":math:`1/(3 \varepsilon_0 V k T)` in 1/(e Å)2, volume in Å3, temperature in K."""
    return 4.0 * pi * _COULOMB / (3.0 * volume * _GAS * temperature)


def measure_permittivity(
    dipoles: npt.ArrayLike, *, volume: float, temperature: float
) -> tuple[float, float]:
    r"""Static relative permittivity of an isotropic liquid of fixed charges, and its error.

    .. math:: \varepsilon = 1 + \frac{\langle M^2\rangle}{3\varepsilon_0 V k T}

    for lattice sums with a conducting surrounding, as PME is (Neumann, Mol. Phys. 1983, 50, 841,
    10.1080/00268978300102721). The mean dipole of an isotropic liquid is zero; it is not taken
    from the run, where it is what has not been averaged away yet and subtracting it would bias
    the result downwards. The error is that of :math:`\langle M^2\rangle` as a correlated series;
    a run shorter than some tens of dipole relaxation times does not know its error either.

    Parameters
    ----------
    dipoles
        Dipole of the box in e Å, shape ``(n_frames, 3)``, molecules whole.
    volume
        Å3.
    temperature
        K.

    Returns
    -------
    permittivity, stderr

    Raises
    ------
    ValueError
        If the shape is another, or there are fewer than two frames.
    """
    m = np.asarray(dipoles, dtype=np.float64)
    if m.ndim != 2 or m.shape[1] != 3 or len(m) < 2:
        raise ValueError(f"dipoles have shape {m.shape}; give (n_frames, 3), two frames or more")
    factor = dielectric_factor(volume=volume, temperature=temperature)
    square = (m**2).sum(axis=1)
    return 1.0 + factor * float(square.mean()), factor * series_error(square)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """How the dipole of one stretch of a run relaxes, part by part; all sums over x, y, z."""

    lag: Floats
    """ps, shape ``(n_lags,)``."""
    rotation: Floats
    """``<D(0) D(t)>`` in (e Å)2, shape ``(n_lags,)``."""
    cross: Floats
    """What ``<[D(t)-D(0)] [J(t)-J(0)]>`` still lacks to its limit, (e Å)2."""
    translation: Floats
    """What half the displacement of ``J``, less its straight line, still lacks, (e Å)2."""
    slope: float
    """Of half the squared displacement of ``J``, (e Å)2/ps: 3 V k T sigma."""

    @property
    def strength(self) -> Floats:
        """Values at zero time, ``(3,)``: rotation, cross, translation; their sum is A."""
        return np.array([self.rotation[0], self.cross[0], self.translation[0]])


def find_relaxation(
    dipole: npt.ArrayLike, moment: npt.ArrayLike, *, spacing: float, window: tuple[float, float]
) -> Relaxation:
    """Find how the turning and the travelling dipole of a box relax.

    Parameters
    ----------
    dipole
        ``D`` in e Å, shape ``(n_frames, k)``; its mean is taken as zero.
    moment
        ``J`` in e Å, unwrapped, same shape.
    spacing
        ps between frames.
    window
        Lags in ps, beyond all relaxation, between which the line and the limit are fitted.

    Raises
    ------
    ValueError
        If fewer than four lags lie in the window.
    """
    d, j = np.asarray(dipole, dtype=np.float64), np.asarray(moment, dtype=np.float64)
    j = j - j[0]
    first, last = (round(edge / spacing) for edge in window)
    if last - first < 4 or last >= len(d):
        raise ValueError(
            f"a window of {window[0]:g} to {window[1]:g} ps does not fit {len(d)} frames "
            f"every {spacing:g} ps; record a longer run"
        )
    lag: Floats = np.arange(last + 1, dtype=np.float64) * spacing
    own = 0.5 * mean_squared_displacement(d)[: last + 1]
    travel = 0.5 * mean_squared_displacement(j)[: last + 1]
    both = 0.5 * mean_squared_displacement(d + j)[: last + 1] - own - travel
    late = slice(first, last + 1)
    slope, intercept = np.polyfit(lag[late], travel[late], 1)
    rotation = float((d**2).sum(axis=1).mean()) - own
    return Relaxation(
        lag=lag, rotation=rotation, cross=float(both[late].mean()) - both,
        translation=float(intercept) - (travel - slope * lag), slope=float(slope),
    )  # fmt: skip


def transform_relaxation(
    lag: npt.ArrayLike, relaxation: npt.ArrayLike, frequency: npt.ArrayLike
) -> npt.NDArray[np.complex128]:
    r"""Turn a relaxation function into a susceptibility.

    .. math:: \chi(\omega) = R(0) + i\omega \int_0^\infty R(t)\, e^{i\omega t}\, dt

    so that :math:`R = e^{-t/\tau}` gives Debye's :math:`1/(1 - i\omega\tau)`, its imaginary part
    positive.

    Parameters
    ----------
    lag, relaxation
        Equally spaced times and R, shape ``(n_lags,)``; the last half is brought to zero smoothly.
    frequency
        Of oscillation, not angular, in the inverse unit of `lag`, shape ``(n_frequencies,)``.

    Notes
    -----
    Between the points R is a straight line, integrated exactly against the oscillation (Filon),
    so that frequencies near 1 / spacing do no harm.
    """
    t = np.asarray(lag, dtype=np.float64)
    r = np.asarray(relaxation, dtype=np.float64)
    half = len(t) // 2
    taper = np.ones(len(t))
    taper[half:] = np.cos(0.5 * pi * np.linspace(0.0, 1.0, len(t) - half)) ** 2
    r = r * taper
    w = 2.0 * pi * np.asarray(frequency, dtype=np.float64)
    step = t[1] - t[0]
    x = w * step
    out = np.empty(len(w), dtype=np.complex128)
    small = np.abs(x) < 1e-4
    safe = np.where(small, 1.0, x)
    # Integrals of the two halves of a hat function times exp(i x s).
    ends = np.where(small, 0.5 + 1j * x / 6.0, (1.0 + 1j * safe - np.exp(1j * safe)) / safe**2)
    hat = np.where(small, 1.0 - x**2 / 12.0, 2.0 * (1.0 - np.cos(safe)) / safe**2)
    for k, one in enumerate(w):
        wave = np.exp(1j * one * t)
        integral = step * (hat[k] * (r[1:-1] @ wave[1:-1]) + ends[k] * r[0])
        out[k] = r[0] + 1j * one * integral
    return out
