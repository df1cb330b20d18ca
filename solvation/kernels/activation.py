r"""How a transport coefficient depends on temperature: Arrhenius, and Vogel–Tammann–Fulcher.

.. math:: y = A\,e^{-E / RT} \qquad \text{and} \qquad y = A\,e^{-B / (T - T_0)}

(Vogel, Phys. Z. 1921, 22, 645; Fulcher, J. Am. Ceram. Soc. 1925, 8, 339; Tammann, Hesse, Z. Anorg.
Allg. Chem. 1926, 156, 245). Both are fitted to the logarithm, each point weighted by its own
relative error, so that :math:`\chi^2` says whether the line passes through the points within
their errors and Akaike's criterion which of the two the points support.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

__all__ = ["Activation", "choose_activation", "fit_arrhenius", "fit_vogel"]

Floats = npt.NDArray[np.float64]

GAS = 8.31446261815324e-3
"""kJ/(mol K), CODATA 2018, exact."""
_CLOSEST = 0.98
"""Most of the lowest temperature that T0 may be."""
_DECISIVE = 2.0
"""Difference of Akaike's criterion below which neither law is supported over the other (Burnham,
Anderson, Sociol. Methods Res. 2004, 33, 261)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A law fitted to values at several temperatures."""

    law: Literal["arrhenius", "vogel"]
    """Which."""
    log_prefactor: float
    """Of the values' unit."""
    log_prefactor_stderr: float
    """Its standard error."""
    energy: float
    """kJ/mol: E, or B times the gas constant; negative for what falls with temperature."""
    energy_stderr: float
    """Its standard error."""
    origin: float
    """:math:`T_0` in K; 0 for Arrhenius."""
    origin_stderr: float
    """Its standard error; nan where the points do not limit it, 0 for Arrhenius."""
    chi2: float
    """Sum of squared deviations over errors."""
    degrees: int
    """Points less parameters."""
    covariance: Floats
    """Of log prefactor, energy and, for Vogel, origin."""

    @property
    def aic(self) -> float:
        """Akaike's criterion, with errors that are known: chi2 + 2 parameters."""
        return self.chi2 + 2.0 * (2 if self.law == "arrhenius" else 3)

    @property
    def p_value(self) -> float:
        """How often points with these errors would lie this far off, were the law true."""
        return float(stats.chi2.sf(self.chi2, self.degrees)) if self.degrees else float("nan")

    def predict(self, temperature: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return values and their errors at temperatures in K, same shape."""
        t = np.asarray(temperature, dtype=np.float64)
        shifted = t - self.origin
        log = self.log_prefactor - self.energy / GAS / shifted
        slope = [np.ones_like(t), -1.0 / (GAS * shifted)]
        if self.law == "vogel":
            slope.append(-self.energy / GAS / shifted**2)
        design = np.stack(slope, axis=-1)
        variance = np.einsum("...i,ij,...j->...", design, self.covariance, design)
        value = np.exp(log)
        return value, value * np.sqrt(np.maximum(variance, 0.0))


def fit_arrhenius(
    temperatures: npt.ArrayLike, values: npt.ArrayLike, errors: npt.ArrayLike
) -> Activation:
    """Fit Arrhenius' law.

    Parameters
    ----------
    temperatures
        K, shape ``(n,)``.
    values, errors
        Above zero, in one unit, shape ``(n,)``.

    Raises
    ------
    ValueError
        If there are fewer than two temperatures, or a value or an error is not above zero.

    Examples
    --------
    >>> t = [280.0, 300.0, 320.0]
    >>> y = [float(np.exp(-20.0 / (GAS * x))) for x in t]
    >>> fit = fit_arrhenius(t, y, [0.1 * x for x in y])
    >>> round(fit.energy, 6), round(fit.chi2, 6)
    (20.0, 0.0)
    """
    t, log, sigma = _take_points(temperatures, values, errors, 2, "an Arrhenius fit")
    best, covariance, chi2 = _solve(np.stack([np.ones(len(t)), -1.0 / (GAS * t)], 1), log, sigma)
    spread = np.sqrt(np.diag(covariance))
    return Activation(
        law="arrhenius", log_prefactor=float(best[0]), log_prefactor_stderr=float(spread[0]),
        energy=float(best[1]), energy_stderr=float(spread[1]), origin=0.0, origin_stderr=0.0,
        chi2=chi2, degrees=len(t) - 2, covariance=covariance,
    )  # fmt: skip


def fit_vogel(
    temperatures: npt.ArrayLike, values: npt.ArrayLike, errors: npt.ArrayLike
) -> Activation:
    """Fit the Vogel–Tammann–Fulcher law, whose T0 lies between 0 and the lowest temperature.

    Parameters
    ----------
    temperatures
        K, shape ``(n,)``, four different ones or more.
    values, errors
        Above zero, in one unit, shape ``(n,)``.

    Raises
    ------
    ValueError
        If there are fewer than four temperatures, or a value or an error is not above zero.

    Notes
    -----
    For a given T0 the logarithm is linear in the other two, so T0 alone is searched for. Where
    the best T0 is at an end of its range its error is nan: the points do not limit it.
    """
    t, log, sigma = _take_points(temperatures, values, errors, 4, "a Vogel fit (three parameters)")

    def fit(origin: float) -> tuple[Floats, Floats, float]:
        return _solve(np.stack([np.ones(len(t)), -1.0 / (GAS * (t - origin))], 1), log, sigma)

    highest = _CLOSEST * float(t.min())
    grid = np.linspace(0.0, highest, 60)
    start = int(np.argmin([fit(float(x))[2] for x in grid]))
    low, high = float(grid[max(start - 1, 0)]), float(grid[min(start + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        lambda x: fit(float(x))[2], bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    origin = min([0.0, float(found.x), highest], key=lambda x: fit(x)[2])
    best, _, chi2 = fit(origin)
    shifted = t - origin
    design = np.stack(
        [np.ones(len(t)), -1.0 / (GAS * shifted), -best[1] / GAS / shifted**2], axis=1
    )
    weighted = design / sigma[:, None]
    covariance = np.asarray(np.linalg.pinv(weighted.T @ weighted, rcond=1e-14), dtype=np.float64)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    inside = 1e-3 < origin < highest - 1e-3
    return Activation(
        law="vogel", log_prefactor=float(best[0]), log_prefactor_stderr=float(spread[0]),
        energy=float(best[1]), energy_stderr=float(spread[1]), origin=origin,
        origin_stderr=float(spread[2]) if inside else float("nan"), chi2=chi2, degrees=len(t) - 3,
        covariance=covariance,
    )  # fmt: skip


def choose_activation(arrhenius: Activation, vogel: Activation | None) -> str:
    """Say which law the points support.

    Returns
    -------
    ``"arrhenius"``, ``"vogel"``, or ``"either"`` where Akaike's criterion differs by less than 2;
    ``"neither"`` where the better one misses the points (p below 0.01).
    """
    if vogel is None:
        return "neither" if arrhenius.p_value < 0.01 else "arrhenius"
    better = min(arrhenius, vogel, key=lambda a: a.aic)
    if better.p_value < 0.01:
        return "neither"
    if abs(arrhenius.aic - vogel.aic) < _DECISIVE:
        return "either"
    return better.law


def _take_points(
    temperatures: npt.ArrayLike, values: npt.ArrayLike, errors: npt.ArrayLike, least: int, what: str
) -> tuple[Floats, Floats, Floats]:
    """Return temperatures, logarithms of the values and their errors."""
    t, y, e = (np.asarray(x, dtype=np.float64) for x in (temperatures, values, errors))
    different = len(np.unique(np.round(t, 3)))
    if different < least:
        raise ValueError(f"{different} temperatures; {what} needs {least} or more")
    if not (np.isfinite(y) & (y > 0.0)).all() or not (np.isfinite(e) & (e > 0.0)).all():
        raise ValueError("a value or an error is not above zero; leave that temperature out")
    return t, np.log(y), e / y


def _solve(design: Floats, log: Floats, sigma: Floats) -> tuple[Floats, Floats, float]:
    """Return the weighted least-squares solution, its covariance, and chi2."""
    weighted = design / sigma[:, None]
    covariance = np.asarray(np.linalg.inv(weighted.T @ weighted), dtype=np.float64)
    best = np.asarray(covariance @ (weighted.T @ (log / sigma)), dtype=np.float64)
    chi2 = float((((log - design @ best) / sigma) ** 2).sum())
    return best, covariance, chi2
