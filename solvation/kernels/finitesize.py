r"""What a periodic box of finite size takes from a diffusion coefficient.

A molecule that moves drags the liquid along, and with it its own images, which hold it back
(Dünweg, Kremer, J. Chem. Phys. 1993, 99, 6983; Yeh, Hummer, J. Phys. Chem. B 2004, 108, 15873,
doi:10.1021/jp0477147). Per direction the missing mobility is that of the periodic Oseen tensor at
its own origin; its mean over the three directions is a third of the trace. The trace of the Oseen
tensor is :math:`2/(\eta k^2)` in reciprocal space where a charge has :math:`4\pi/k^2`, so

.. math:: D_0 = D + \frac{k_B T}{6 \pi \eta}\, w, \qquad
          w = -\Big[\sum_{R \ne 0} \frac1R\Big]_\text{with background}

for *every* shape of the cell, with :math:`w` the lattice sum of unit charges in a neutralizing
background: :math:`w = 2.837297/L` in a cube. In a box that is not a cube, single directions differ
from the mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["lattice_sum"]

Floats = npt.NDArray[np.float64]

_REACH = 6.0
"""Both sums of Ewald end where their terms fall below exp(-36)."""


def lattice_sum(cell: npt.ArrayLike) -> float:
    r"""Return :math:`w` in the inverse unit of the cell, by Ewald's method.

    Parameters
    ----------
    cell
        Box vectors as rows, shape ``(3, 3)``, right-handed.

    Examples
    --------
    >>> round(lattice_sum(2.0 * np.eye(3)) * 2.0, 6)
    2.837297
    """
    matrix = np.asarray(cell, dtype=np.float64)
    volume = float(np.linalg.det(matrix))
    alpha = np.sqrt(np.pi) / volume ** (1.0 / 3.0)
    r = np.linalg.norm(_points(matrix, _REACH / alpha), axis=1)
    inverse = np.asarray(2.0 * np.pi * np.linalg.inv(matrix).T, dtype=np.float64)
    k2 = (_points(inverse, 2.0 * alpha * _REACH) ** 2).sum(axis=1)
    direct = float((special.erfc(alpha * r) / r).sum())
    reciprocal = 4.0 * np.pi / volume * float((np.exp(-k2 / (4.0 * alpha**2)) / k2).sum())
    own = np.pi / (volume * alpha**2) + 2.0 * alpha / np.sqrt(np.pi)
    return float(own - direct - reciprocal)


def _points(matrix: Floats, reach: float) -> Floats:
    """Return all lattice points but the origin within a sphere."""
    # Distance of lattice planes along each axis: how many of them the sphere meets.
    planes = 1.0 / np.linalg.norm(np.linalg.inv(matrix), axis=0)
    sides = [np.arange(-n, n + 1) for n in np.ceil(reach / planes).astype(int)]
    index = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    points = index[index.any(axis=1)] @ matrix
    inside: Floats = points[(points**2).sum(axis=1) <= reach**2]
    return inside
