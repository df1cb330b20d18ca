r"""Modified Seminario: force constants of bonds and angles from a Hessian.

Allen, Payne, Cole, J. Chem. Theory Comput. 2018, 14, 274 (10.1021/acs.jctc.7b00785), after
Seminario, Int. J. Quantum Chem. 1996, 60, 1271. With eigenvalues :math:`\lambda_i` and unit
eigenvectors :math:`\hat v_i` of minus the Hessian's block between atoms A and B,

.. math::
    k_{AB} &= \sum_i \lambda_i |\hat u_{AB} \cdot \hat v_i|, \\
    1/k_\theta &= \frac{s_{AB}}{R_{AB}^2 \sum_i \lambda_i |\hat u_{PA} \cdot \hat v_i|}
    + \frac{s_{CB}}{R_{CB}^2 \sum_i \lambda_i |\hat u_{PC} \cdot \hat v_i|},

where :math:`\hat u_{PA}` is normal to bond AB in the plane of the angle, and s = 1 + the mean of
:math:`|\hat u_{PA} \cdot \hat u_{PA'}|^2` over the other angles that share bond AB. The energy is
k/2 times the square. Å, kJ/mol, radians.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "STRAIGHT",
    "average_classes",
    "compute_angle_constants",
    "compute_bond_constants",
    "measure_angle",
    "measure_dihedral",
]

STRAIGHT = float(np.radians(2.0))
"""An angle nearer to 180° than this is straight, and has no plane of its own: B–C≡N."""

Key = TypeVar("Key", bound=Hashable)


def compute_bond_constants(
    hessian: NDArray[np.float64],
    positions: NDArray[np.float64],
    bonds: Sequence[tuple[int, int]],
) -> NDArray[np.float64]:
    """Force constants of bonds, the mean over both directions.

    Returns
    -------
    array
        kJ/mol/Å2, shape ``(n_bonds,)``.
    """
    constants = []
    for a, b in bonds:
        unit = _unit(positions[b] - positions[a])
        constants.append(0.5 * (_project(hessian, a, b, unit) + _project(hessian, b, a, unit)))
    return np.array(constants)


def compute_angle_constants(
    hessian: NDArray[np.float64],
    positions: NDArray[np.float64],
    angles: Sequence[tuple[int, int, int]],
) -> NDArray[np.float64]:
    """Force constants of angles.

    Parameters
    ----------
    hessian, positions
        kJ/mol/Å2 and Å.
    angles
        Every angle of the molecule, the middle atom in the middle: those that share a bond
        share its stiffness.

    Returns
    -------
    array
        kJ/mol/rad2, shape ``(n_angles,)``.
    """
    normals: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
    for a, b, c in angles:
        for end, other in ((a, c), (c, a)):
            normals.setdefault((end, b), []).append(_in_plane(positions, end, b, other))
    constants = []
    for a, b, c in angles:
        softness = 0.0
        for end, other in ((a, c), (c, a)):
            normal = _in_plane(positions, end, b, other)
            shared = normals[end, b]
            overlap = sum(float(normal @ n) ** 2 for n in shared) - 1.0
            share = 1.0 + max(0.0, overlap) / max(1, len(shared) - 1)
            distance = float(np.linalg.norm(positions[end] - positions[b]))
            softness += share / (distance**2 * _project(hessian, end, b, normal))
        constants.append(1.0 / softness)
    return np.array(constants)


def average_classes(keys: Sequence[Key], values: Sequence[float]) -> Mapping[Key, float]:
    """Average values over equal keys."""
    sums: dict[Key, list[float]] = {}
    for key, value in zip(keys, values, strict=True):
        sums.setdefault(key, []).append(float(value))
    return {key: float(np.mean(found)) for key, found in sums.items()}


def measure_angle(positions: NDArray[np.float64], atoms: Sequence[int]) -> float:
    """Angle at the second of three atoms, radians.

    Positions in Å, shape ``(n_atoms, 3)``.
    """
    a, b, c = positions[list(atoms)]
    return float(np.arccos(np.clip(_unit(a - b) @ _unit(c - b), -1.0, 1.0)))


def measure_dihedral(positions: NDArray[np.float64], atoms: Sequence[int]) -> float:
    """Dihedral of four atoms, radians, 0 for cis.

    Positions in Å, shape ``(n_atoms, 3)``.
    """
    a, b, c, d = positions[list(atoms)]
    axis = c - b
    first, second = np.cross(b - a, axis), np.cross(axis, d - c)
    return float(np.arctan2(np.cross(first, second) @ _unit(axis), first @ second))


def _project(hessian: NDArray[np.float64], a: int, b: int, direction: NDArray[np.float64]) -> float:
    block = -hessian[3 * a : 3 * a + 3, 3 * b : 3 * b + 3]
    values, vectors = np.linalg.eig(block)
    return float(np.real(np.sum(values * np.abs(direction @ vectors))))


def _in_plane(
    positions: NDArray[np.float64], end: int, middle: int, other: int
) -> NDArray[np.float64]:
    """Unit vector normal to a bond, in the plane of the angle; any normal if it is straight."""
    bond = _unit(positions[end] - positions[middle])
    normal = np.cross(_unit(positions[other] - positions[middle]), bond)
    if np.linalg.norm(normal) < np.sin(STRAIGHT):
        normal = np.cross(bond, np.eye(3)[int(np.argmin(np.abs(bond)))])
    return _unit(np.cross(_unit(normal), bond))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))
