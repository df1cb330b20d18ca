r"""RESP: charges that reproduce the electrostatic potential around a molecule.

The restrained fit of Bayly, Cieplak, Cornell, Kollman, J. Phys. Chem. 1993, 97, 10269
(10.1021/j100142a004): over points on shells at 1.4 to 2.0 van der Waals radii (Singh & Kollman,
J. Comput. Chem. 1984, 5, 129) minimize, in atomic units,

.. math:: \sum_p (V_p - \sum_i q_i/r_{ip})^2 + a \sum_i (\sqrt{q_i^2 + b^2} - b)

with the total charge exact and symmetry-equivalent atoms equal; hydrogens are not restrained.
Stage one, a = 0.0005, leaves the atoms of CH2 and CH3 groups free of each other; stage two,
a = 0.001, fits those groups again with equal hydrogens and everything else as it is. Several
conformers and orientations count equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Charges", "fit_charges", "make_shells"]

_BOHR = 0.529177210903
_SHELLS = (1.4, 1.6, 1.8, 2.0)
_RADII = {
    "H": 1.2, "B": 2.0, "C": 1.5, "N": 1.5, "O": 1.4, "F": 1.35, "Al": 2.0, "Si": 2.0,
    "P": 1.8, "S": 1.75, "Cl": 1.7,
}  # fmt: skip
"""Å; those of Singh and Kollman, 2.0 for B, Al and Si, which are buried in most ions."""
_WEAK, _STRONG, _TIGHTNESS = 0.0005, 0.001, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Result of a fit."""

    values: NDArray[np.float64]
    """e, shape ``(n_atoms,)``; they sum to the total exactly."""
    rrms: float
    """Root of the squared error of the potential over the squared potential, all points."""
    rrms_sets: tuple[float, ...]
    """The same for each conformer and orientation."""
    rmse: float
    """Root-mean-square error of the potential, kJ/mol/e."""
    n_points: int
    """Points that were fitted."""


def make_shells(
    elements: Sequence[str],
    positions: NDArray[np.float64],
    *,
    generator: np.random.Generator,
    density: float = 1.0,
) -> NDArray[np.float64]:
    """Place points on four shells around a molecule, in a random orientation.

    Parameters
    ----------
    elements, positions
        The molecule; Å.
    generator
        Turns the spheres on which the points lie.
    density
        Points per Å2.

    Returns
    -------
    array
        Å, shape ``(n_points, 3)``.
    """
    radii = np.array([_RADII[element] for element in elements])
    turn, triangle = np.linalg.qr(generator.normal(size=(3, 3)))
    turn *= np.sign(np.diag(triangle))
    kept = []
    for factor in _SHELLS:
        for centre, radius in zip(positions, factor * radii, strict=True):
            sphere = _make_sphere(max(8, round(4 * np.pi * radius**2 * density))) @ turn
            points = centre + radius * sphere
            gaps = np.linalg.norm(points[:, None] - positions[None], axis=2) - factor * radii
            kept.append(points[(gaps > -1e-6).all(axis=1)])
    return np.concatenate(kept)


def fit_charges(
    elements: Sequence[str],
    bonds: Sequence[tuple[int, int]],
    classes: Sequence[int],
    charge: int,
    shapes: Sequence[NDArray[np.float64]],
    points: Sequence[NDArray[np.float64]],
    potentials: Sequence[NDArray[np.float64]],
) -> Charges:
    """Fit charges in two stages.

    Parameters
    ----------
    elements, bonds, classes
        The molecule; atoms of one class get one charge.
    charge
        Total charge in e.
    shapes, points, potentials
        For every conformer and orientation: positions (Å), points (Å), potential there (e/Å).
    """
    normal = np.zeros((len(elements), len(elements)))
    target = np.zeros(len(elements))
    matrices = []
    for shape, where, potential in zip(shapes, points, potentials, strict=True):
        matrix = _BOHR / np.linalg.norm(where[:, None] - shape[None], axis=2)
        matrices.append(matrix)
        normal += matrix.T @ matrix / len(points)
        target += matrix.T @ (potential * _BOHR) / len(points)
    heavy = np.array([element != "H" for element in elements])
    group = _find_alkyl(elements, bonds)
    labels = [(c, i if i in group else -1) for i, c in enumerate(classes)]
    values = _solve(normal, target, labels, charge, heavy, _WEAK, {})
    if group:
        # Groups of one class are equal in the end, whatever they were in stage one.
        frozen = {i: float(values[i]) for i in range(len(elements)) if i not in group}
        values = _solve(normal, target, list(classes), charge, heavy, _STRONG, frozen)
    values = _close(values, classes, charge)
    errors = [m @ values - v * _BOHR for m, v in zip(matrices, potentials, strict=True)]
    sets = [
        float(np.sqrt((e**2).sum() / ((v * _BOHR) ** 2).sum()))
        for e, v in zip(errors, potentials, strict=True)
    ]
    every, whole = np.concatenate(errors), np.concatenate(list(potentials)) * _BOHR
    return Charges(
        values=values,
        rrms=float(np.sqrt((every**2).sum() / (whole**2).sum())),
        rrms_sets=tuple(sets),
        rmse=float(np.sqrt((every**2).mean())) * 2625.499639,
        n_points=len(every),
    )


def _make_sphere(number: int) -> NDArray[np.float64]:
    """Spread points evenly on the unit sphere (a Fibonacci spiral)."""
    index = np.arange(number) + 0.5
    z = 1 - 2 * index / number
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def _find_alkyl(elements: Sequence[str], bonds: Sequence[tuple[int, int]]) -> set[int]:
    """Atoms of CH2 and CH3 groups."""
    hydrogens: dict[int, list[int]] = {}
    for i, j in (*bonds, *((b, a) for a, b in bonds)):
        if elements[i] == "C" and elements[j] == "H":
            hydrogens.setdefault(i, []).append(j)
    groups = [(carbon, *found) for carbon, found in hydrogens.items() if len(found) > 1]
    return {atom for group in groups for atom in group}


def _solve(
    normal: NDArray[np.float64],
    target: NDArray[np.float64],
    labels: Sequence[object],
    charge: float,
    heavy: NDArray[np.bool_],
    weight: float,
    frozen: dict[int, float],
) -> NDArray[np.float64]:
    """Minimize with one charge per label, the total exact, and some atoms frozen."""
    kinds = {label: n for n, label in enumerate(dict.fromkeys(
        label for i, label in enumerate(labels) if i not in frozen))}  # fmt: skip
    spread = np.zeros((len(labels), len(kinds)))
    fixed: NDArray[np.float64] = np.zeros(len(labels))
    for i, label in enumerate(labels):
        if i in frozen:
            fixed[i] = frozen[i]
        else:
            spread[i, kinds[label]] = 1.0
    counts = spread.sum(axis=0)
    size = len(kinds)
    matrix = np.zeros((size + 1, size + 1))
    right = np.zeros(size + 1)
    right[:size] = spread.T @ (target - normal @ fixed)
    right[size] = charge - fixed.sum()
    values: NDArray[np.float64] = np.zeros(size)
    restrained = spread.T @ heavy.astype(float)
    for _ in range(200):
        matrix[:size, :size] = spread.T @ normal @ spread
        matrix[:size, :size] += np.diag(
            0.5 * weight * restrained / np.sqrt(values**2 + _TIGHTNESS**2)
        )
        matrix[size, :size] = matrix[:size, size] = counts
        new = np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0][:size], dtype=np.float64)
        done = float(np.abs(new - values).max()) < 1e-9
        values = new
        if done:
            break
    return np.asarray(fixed + spread @ values)


def _close(
    values: NDArray[np.float64], classes: Sequence[int], charge: float
) -> NDArray[np.float64]:
    """Average over classes, round to six decimals and put the remainder on the rarest class."""
    index = np.array(classes)
    counts = np.bincount(index)
    means = np.round(np.bincount(index, weights=values) / counts, 6)
    rarest = int(np.argmin(counts))
    means[rarest] += (charge - float(counts @ means)) / counts[rarest]
    return np.asarray(means[index])
