"""SMILES: reading them as RDKit molecules, cages included."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from solvation.errors import RecipeError
from solvation.kernels.icosahedron import find_icosahedra

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["read_smiles"]


@cache
def read_smiles(smiles: str) -> Chem.Mol:
    """Read a SMILES as an RDKit molecule with its hydrogens; do not change what is returned.

    RDKit refuses atoms with too many bonds. Vertices of an icosahedral cage have six and are
    taken as they are, with the hydrogens that the SMILES gives them.

    Raises
    ------
    RecipeError
        If it cannot be read.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles)
        if molecule is None:
            molecule = _read_cage(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise RecipeError(f'SMILES "{smiles}" cannot be read; check it')
    return Chem.AddHs(molecule)


def _read_cage(smiles: str) -> Chem.Mol | None:
    """Read a SMILES in which nothing is wrong but the valences of icosahedral cages."""
    from rdkit import Chem

    molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        return None
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
    vertices = {atom for cage in find_icosahedra(molecule.GetNumAtoms(), bonds) for atom in cage}
    for problem in Chem.DetectChemistryProblems(molecule):
        if problem.GetType() != "AtomValenceException" or problem.GetAtomIdx() not in vertices:
            return None
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    return molecule
