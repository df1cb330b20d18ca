r"""Stiffness: force constants of bonds and angles that give back the whole Hessian.

Near a minimum a bond or angle q with constant k adds :math:`k\,\nabla q\,\nabla q^T` to the
Hessian, which is linear in k, so that constants come out of one least-squares fit (as in Q-Force,
Sami et al., J. Chem. Theory Comput. 2021, 17, 4946, 10.1021/acs.jctc.1c00195). What the other
terms add is taken off first. The Hessian is written in its own vibrations, :math:`H_{ab}`, and an
element counts as :math:`H_{ab}/\sqrt{\lambda_a\lambda_b}`, so that soft vibrations count as much as
stiff ones; those below 200 /cm, which belong to torsions, count less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import lsq_linear

from solvation.build.audit import differentiate_alone
from solvation.build.fitting import list_keys, make_system_of
from solvation.build.seminario import STRAIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from solvation.build.derived import Template

__all__ = ["fit_constants", "project_angle", "project_bond"]

_RANGE = (0.25, 4.0)
"""Fitted constants stay within this of the Seminario ones."""
_SOFT = (200 * 2 * np.pi * 2.99792458e10 / 1e13) ** 2
"""kJ/mol/Å2/u; 200 /cm squared."""
_PULL = 1e-5
"""Weight of staying near them, relative to the diagonal of the fit: only for what the Hessian
does not say."""


def fit_constants(
    template: Template,
    shape: NDArray[np.float64],
    hessian: NDArray[np.float64],
    masses: NDArray[np.float64],
    xml: Path,
) -> Template:
    """Replace the constants of bonds and angles by those that fit the Hessian best.

    Parameters
    ----------
    template
        With constants to start from, and everything else in place.
    shape, hessian, masses
        The reference: Å, kJ/mol/Å2 and u.
    xml
        Scratch file.
    """
    subject = template.subject
    bare = replace(
        template,
        bonds={key: (length, 0.0) for key, (length, _) in template.bonds.items()},
        angles={key: (angle, 0.0) for key, (angle, _) in template.angles.items()},
    )
    rest = differentiate_alone(make_system_of(bare, shape, xml), shape)
    mass_roots = np.repeat(masses, 3) ** -0.5
    strengths, modes = np.linalg.eigh(hessian * np.outer(mass_roots, mass_roots))
    still = np.argsort(np.abs(strengths))[:6]
    modes = np.delete(modes, still, axis=1) * mass_roots[:, None]
    modes /= np.sqrt(np.maximum(np.delete(strengths, still), _SOFT))
    upper = np.triu_indices(modes.shape[1])
    bond_keys, angle_keys = list_keys(subject)
    columns: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for keys, group, project in (
        (bond_keys, subject.bonds, project_bond),
        (angle_keys, subject.angles, project_angle),
    ):
        for key, atoms in zip(keys, group, strict=True):
            gradients = np.atleast_2d(project(shape, atoms)) @ modes
            column = (gradients.T @ gradients)[upper]
            columns[key] = columns[key] + column if key in columns else column
    start = np.array(
        [template.bonds[k][1] if len(k) == 2 else template.angles[k][1] for k in columns]  # type: ignore[index]
    )
    matrix = np.stack(
        [k * column for k, column in zip(start, columns.values(), strict=True)], axis=1
    )
    target = (modes.T @ (hessian - rest) @ modes)[upper]
    pull = np.sqrt(_PULL) * np.linalg.norm(matrix, axis=0)
    factors = lsq_linear(
        np.concatenate([matrix, np.diag(pull)]), np.concatenate([target, pull]), bounds=_RANGE
    ).x
    values = dict(zip(columns, start * factors, strict=True))
    return replace(
        template,
        bonds={k: (length, float(values[k])) for k, (length, _) in template.bonds.items()},
        angles={k: (angle, float(values[k])) for k, (angle, _) in template.angles.items()},
    )


def project_bond(shape: NDArray[np.float64], atoms: Sequence[int]) -> NDArray[np.float64]:
    """Gradient of a bond length, shape ``(3 n_atoms,)``."""
    i, j = atoms
    gradient = np.zeros_like(shape)
    along = shape[i] - shape[j]
    gradient[i] = along / np.linalg.norm(along)
    gradient[j] = -gradient[i]
    return gradient.ravel()


def project_angle(shape: NDArray[np.float64], atoms: Sequence[int]) -> NDArray[np.float64]:
    """Gradient of an angle in radians per Å, shape ``(3 n_atoms,)``.

    A straight one bends in two directions: shape ``(2, 3 n_atoms)``, and the square of its bend is
    the sum of theirs.
    """
    i, j, k = atoms
    a, b = shape[i] - shape[j], shape[k] - shape[j]
    u, v = a / np.linalg.norm(a), b / np.linalg.norm(b)
    cosine = float(u @ v)
    if cosine < -np.cos(STRAIGHT):
        axis = (u - v) / np.linalg.norm(u - v)
        across = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
        across /= np.linalg.norm(across)
        ends = [(across, across), (np.cross(axis, across),) * 2]
    else:
        sine = max(np.sqrt(max(0.0, 1 - cosine**2)), 1e-3)
        ends = [((cosine * u - v) / sine, (cosine * v - u) / sine)]
    gradients = np.zeros((len(ends), *shape.shape))
    for gradient, (first, last) in zip(gradients, ends, strict=True):
        gradient[i], gradient[k] = first / np.linalg.norm(a), last / np.linalg.norm(b)
        gradient[j] = -gradient[i] - gradient[k]
    return gradients.reshape(len(ends), -1).squeeze()
