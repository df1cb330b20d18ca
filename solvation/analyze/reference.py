r"""Reference frames: against what the motion of molecules is measured.

The centre of mass of a simulated box drifts, or is kept from drifting, for reasons that have
nothing to do with diffusion; so positions are given relative to a weighted mean of all molecules,

.. math:: r_0(t) = \sum_i w_i r_i(t) \Big/ \sum_i w_i

- ``barycentric``: :math:`w_i = m_i`, the centre of mass of the whole system. The default.
- ``solvent``: the mass of solvent molecules, 0 for ions: the frame in which transference numbers
  are measured (Hittorf). Without ions it is the barycentric one.
- ``volume``: the volume of the molecules, estimated from the van der Waals radii of their atoms.
  Strictly these are partial molar volumes, which a single run does not give; what counts is their
  ratio.

The drift of each *species* is never removed: it takes out motion that is diffusion, a share
:math:`1/N` of it if ions move independently and much more for those that move together.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from solvation.analyze.cutoff import VDW_RADII
from solvation.analyze.topology import Scene
from solvation.errors import TrajectoryError

__all__ = ["FRAMES", "ReferenceFrame", "describe_frame", "weigh_molecules"]

Floats = npt.NDArray[np.float64]

ReferenceFrame = Literal["barycentric", "solvent", "volume"]
"""Against what motion is measured."""
FRAMES: tuple[ReferenceFrame, ...] = get_args(ReferenceFrame)
"""All that there are."""

_OVERLAP = 5.92
"""Å3 that a bond takes from the volume of two spheres (Zhao, Abraham, Zissimos, J. Org. Chem.
2003, 68, 7368, doi:10.1021/jo034808o; from memory)."""


def weigh_molecules(scene: Scene, frame: ReferenceFrame = "barycentric") -> Floats:
    """Return the weight of every molecule in the mean position, shape ``(n_molecules,)``.

    Parameters
    ----------
    scene
        Molecules.
    frame
        One of `FRAMES`.

    Raises
    ------
    TrajectoryError
        If there is no such frame.
    """
    if frame not in FRAMES:
        raise TrajectoryError(f'reference frame "{frame}" is not known; choose {", ".join(FRAMES)}')
    if frame == "volume":
        radii = np.array([VDW_RADII.get(str(e), 0.0) for e in scene.elements])
        spheres = 4.0 / 3.0 * np.pi * radii**3
        bonds = np.bincount(scene.molecule[scene.bonds[:, 0]], minlength=scene.n_molecules)
        volume = np.bincount(scene.molecule, weights=spheres, minlength=scene.n_molecules)
        return np.maximum(volume - _OVERLAP * bonds, 0.0)
    mass = np.bincount(scene.molecule, weights=scene.masses, minlength=scene.n_molecules)
    if frame == "solvent" and scene.list_role("solvent"):
        keep = np.zeros(scene.n_molecules)
        for species in scene.list_role("solvent"):
            keep[species.molecules] = 1.0
        return mass * keep
    return np.asarray(mass, dtype=np.float64)


def describe_frame(frame: ReferenceFrame) -> str:
    """Say in words what a frame is.

    Examples
    --------
    >>> describe_frame("barycentric")
    'centre of mass of the system'
    """
    return {
        "barycentric": "centre of mass of the system",
        "solvent": "centre of mass of the solvent",
        "volume": "centre of volume (van der Waals volumes)",
    }[frame]
