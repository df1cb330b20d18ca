"""Bonds that a topology lacks, guessed from distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from solvation.analyze.frames import FrameSource
from solvation.errors import TrajectoryError
from solvation.kernels.cell import box_matrix
from solvation.kernels.pairs import find_neighbours

__all__ = ["guess_bonds"]

Ints = npt.NDArray[np.int64]

_RADII = {"H": 0.31, "B": 0.84, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57, "Si": 1.11,
          "P": 1.07, "S": 1.05, "Cl": 1.02, "Br": 1.20, "I": 1.39, "Al": 1.21}  # fmt: skip
"""Covalent radii in Å (Cordero et al., Dalton Trans. 2008, 2832), to guess absent bonds."""


def guess_bonds(elements: npt.NDArray[np.str_], residue: Ints, source: FrameSource) -> Ints:
    """Bond atoms of one residue that are closer than 1.25 sums of their covalent radii.

    Elements and residues have the shape ``(n_atoms,)``; the bonds are pairs of atom indices, shape
    ``(n_bonds, 2)``. Radii and distances are in Å.

    Parameters
    ----------
    elements
        Symbol of every atom.
    residue
        Residue of every atom.
    source
        Frames, of which the first is used.

    Raises
    ------
    TrajectoryError
        If all atoms are in one residue: then nothing tells the molecules apart.
    """
    if len(np.unique(residue)) < 2 < len(residue):
        raise TrajectoryError(
            "the topology has no bonds and no residues, so molecules cannot be told apart; "
            "give one with bonds (LAMMPS data, PSF, TPR, PRMTOP, PDB with CONECT)"
        )
    positions, boxes, _ = source.read(0, 1)
    matrix = box_matrix(boxes)
    radius = np.array([_RADII.get(str(e), 0.0) for e in elements])
    found = find_neighbours(positions, positions, matrix, 2.5 * float(radius.max(initial=0.4)))
    i, j = found.first, found.second
    reach = 1.25 * (radius[i] + radius[j])
    keep = (i < j) & (residue[i] == residue[j]) & (found.distance < reach)
    keep &= (radius[i] > 0.0) & (radius[j] > 0.0)
    keep &= ~((elements[i] == "H") & (elements[j] == "H"))
    return np.stack([i[keep], j[keep]], axis=1)
