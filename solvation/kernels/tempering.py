r"""Tempering: the temperatures of a walk, its weights, and the choice of the next one.

In simulated tempering (Marinari & Parisi, Europhys. Lett. 1992, 19, 451,
10.1209/0295-5075/19/6/002) one copy of a system wanders between temperatures :math:`T_k` so that

.. math:: p(x, k) \propto e^{g_k - \beta_k U(x)}.

Whatever the weights :math:`g_k`, the configurations at one temperature are those of its canonical
ensemble; the weights only decide how often each temperature is visited.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["GAS", "count_round_trips", "draw_level", "estimate_weights", "space_temperatures"]

Floats = npt.NDArray[np.float64]

GAS = 8.31446261815324e-3
"""kJ/mol/K, CODATA 2018."""
_APART = 1.5
"""Standard deviations of the energy between neighbours: neighbours exchange at 29 %."""
_SMOOTH = 3
"""Temperatures with visits above which a parabola through their energies is meant seriously."""
_DOUBT = 20.0
"""Visits at which a mean counts as much as that parabola."""


def space_temperatures(target: float, hottest: float, freedom: float) -> Floats:
    r"""Choose temperatures between two, close enough for their energies to overlap.

    By equipartition the potential energy has a heat capacity of about :math:`C = R f/2` with
    :math:`f` degrees of freedom, and spreads by :math:`T\sqrt{RC}`; neighbours are 1.5 of these
    apart, :math:`\Delta \ln T = 1.5\sqrt{2/f}`. Of two harmonic systems so far apart
    :math:`\mathrm{erfc}(0.75) = 0.29` of all exchanges are accepted (Kofke, J. Chem. Phys. 2002,
    117, 6911, 10.1063/1.1507776).

    Shape ``(n_levels,)``.

    Parameters
    ----------
    target, hottest
        K.
    freedom
        Degrees of freedom.

    Returns
    -------
    K, from ``target`` to ``hottest``, equal ratios.

    Raises
    ------
    ValueError
        If ``hottest`` is not above ``target``.

    Examples
    --------
    >>> len(space_temperatures(298.15, 480.0, 12000))
    26
    """
    if not hottest > target:
        raise ValueError(f"the hottest temperature, {hottest:g} K, is not above {target:g} K")
    number = math.ceil(math.log(hottest / target) / (_APART * math.sqrt(2 / freedom))) + 1
    return np.asarray(np.geomspace(target, hottest, max(number, 2)))


def estimate_weights(
    temperatures: npt.ArrayLike, counts: npt.ArrayLike, sums: npt.ArrayLike, *, capacity: float
) -> Floats:
    r"""Estimate the weights with which every temperature is visited equally often.

    They are free energies, :math:`g_k = -\ln Z_k`, integrated over mean energies,
    :math:`dg = \bar U d\beta`, by trapezoids (Park & Pande, Phys. Rev. E 2007, 76, 016703,
    10.1103/PhysRevE.76.016703). A temperature without a visit is given
    the energy of the nearest with one, and the heat capacity between. Energies go smoothly with
    temperature, so a mean of few visits is drawn towards the parabola through all.

    Parameters
    ----------
    temperatures
        K, shape ``(n,)``.
    counts, sums
        Visits and summed potential energies (kJ/mol) at each, shape ``(n,)``.
    capacity
        Heat capacity of the potential energy, kJ/mol/K.

    Returns
    -------
    Shape ``(n,)``, the first 0.
    """
    kelvin, visits = np.asarray(temperatures, dtype=float), np.asarray(counts, dtype=float)
    seen = np.flatnonzero(visits)
    if not len(seen):
        return np.zeros(len(kelvin))
    means = np.asarray(sums, dtype=float)[seen] / visits[seen]
    if len(seen) > _SMOOTH:
        fit = np.polynomial.Polynomial.fit(kelvin[seen], means, 2, w=np.sqrt(visits[seen]))
        trust = visits[seen] / (visits[seen] + _DOUBT)
        means = trust * means + (1 - trust) * fit(kelvin[seen])
    nearest = np.abs(kelvin[:, None] - kelvin[seen]).argmin(axis=1)
    energy = means[nearest] + capacity * (kelvin - kelvin[seen][nearest])
    beta = 1.0 / (GAS * kelvin)
    # Beside a constant the energy goes with T, so that beta times the rest hardly changes: the
    # trapezoids are laid there, over ln beta, and are exact for oscillators.
    constant = energy[0] - capacity * kelvin[0]
    rest = beta * (energy - constant)
    steps = constant * np.diff(beta) + np.diff(np.log(beta)) * 0.5 * (rest[1:] + rest[:-1])
    return np.concatenate([[0.0], np.cumsum(steps)])


def draw_level(
    temperatures: npt.ArrayLike, weights: npt.ArrayLike, potential: float, uniform: float
) -> int:
    r"""Draw the next temperature from all of them, :math:`p(k | x) \propto e^{g_k - \beta_k U}`.

    Gibbs sampling (Chodera & Shirts, J. Chem. Phys. 2011, 135, 194110, 10.1063/1.3660669).

    Parameters
    ----------
    temperatures, weights
        K; dimensionless; shape ``(n,)``.
    potential
        Potential energy, kJ/mol.
    uniform
        Random, from 0 to 1.
    """
    exponent = np.asarray(weights, dtype=float) - potential / (
        GAS * np.asarray(temperatures, dtype=float)
    )
    share = np.exp(exponent - exponent.max())
    total = np.cumsum(share)
    return int(min(np.searchsorted(total, uniform * total[-1], side="right"), len(total) - 1))


def count_round_trips(levels: npt.ArrayLike, n_levels: int) -> int:
    """Count the ways from the first temperature to the last and back.

    ``levels`` are numbers of temperatures, shape ``(n_frames,)``.

    Examples
    --------
    >>> count_round_trips([0, 1, 2, 1, 0, 1, 0, 2, 0], 3)
    2
    """
    visited = np.asarray(levels, dtype=int)
    ends = visited[(visited == 0) | (visited == n_levels - 1)]
    turns = ends[np.flatnonzero(np.diff(ends, prepend=-1))]
    back = np.flatnonzero((turns[1:] == 0) & (turns[:-1] != 0))
    return int(len(back) - (len(turns) > 0 and turns[0] != 0))
