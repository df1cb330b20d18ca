"""Cages in three dimensions: icosahedra, which RDKit's distance geometry does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.kernels.icosahedron import find_icosahedra, measure_icosahedron

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["bound_cages", "find_cages", "open_cages"]

_CAGE_EDGE = 1.78
"""Å; B-B in CB11H12- (DF-B3LYP/6-31G*: 1.773 to 1.789), to pack one."""


def find_cages(mol: Any) -> list[dict[tuple[int, int], float]]:
    """Find icosahedral cages: distances between all atoms of each, what they carry included.

    Edges of 1.78 Å, the B-B bond of CB11H12-; single atoms outside, on the axes of their vertices.
    """
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    cages = []
    for vertices in find_icosahedra(mol.GetNumAtoms(), bonds):
        square = (_CAGE_EDGE * measure_icosahedron(vertices, bonds)) ** 2
        gram = -0.5 * (square - square.mean(axis=0) - square.mean(axis=1)[:, None] + square.mean())
        size, axes = np.linalg.eigh(gram)
        corners = axes[:, -3:] * np.sqrt(size[-3:])
        places = dict(zip(vertices, corners, strict=True))
        for vertex, corner in zip(vertices, corners, strict=True):
            for outside in mol.GetAtomWithIdx(vertex).GetNeighbors():
                if outside.GetDegree() == 1:
                    inner = mol.GetAtomWithIdx(vertex).GetAtomicNum()
                    length = table.GetRcovalent(inner) + table.GetRcovalent(outside.GetAtomicNum())
                    radius = np.linalg.norm(corner)
                    places[outside.GetIdx()] = corner * (1 + length / radius)
        cages.append(
            {
                (i, j): float(np.linalg.norm(places[i] - places[j]))
                for i in places
                for j in places
                if i < j
            }
        )
    return cages


def open_cages(mol: Any, cages: Sequence[Mapping[tuple[int, int], float]]) -> Any:
    """Take out the bonds of cages, with which RDKit's own bounds make no sense."""
    from rdkit import Chem

    opened = Chem.RWMol(mol)
    for cage in cages:
        for i, j in cage:
            opened.RemoveBond(i, j)
    opened.UpdatePropertyCache(strict=False)
    Chem.GetSymmSSSR(opened)
    return opened


def bound_cages(
    bounds: NDArray[np.float64], cages: Sequence[Mapping[tuple[int, int], float]]
) -> None:
    """Set the bounds inside cages, in place.

    ``bounds`` is RDKit's matrix of distances in Å, shape ``(n_atoms, n_atoms)``, largest above the
    diagonal and smallest below.
    """
    for cage in cages:
        for (i, j), distance in cage.items():
            bounds[i, j], bounds[j, i] = distance + 0.01, distance - 0.01
