"""Static permittivity from the fluctuations of the dipole of a box."""

from __future__ import annotations

from math import pi

import numpy as np
import numpy.typing as npt

from solvation.kernels.uncertainty import series_error

__all__ = ["measure_permittivity"]

_COULOMB = 138.935457644 * 10.0
"""1 / (4 pi eps0) in kJ Å / (mol e2)."""
_GAS = 8.31446261815324e-3
"""kJ/(mol K)."""


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
    factor = 4.0 * pi * _COULOMB / (3.0 * volume * _GAS * temperature)
    square = (m**2).sum(axis=1)
    return 1.0 + factor * float(square.mean()), factor * series_error(square)
