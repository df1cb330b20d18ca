"""Subject: the ion or molecule that is to be parametrized, and its conformers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build.molecule import embed_molecule
from solvation.errors import RecipeError
from solvation.kernels.icosahedron import find_icosahedra
from solvation.library import Species
from solvation.smiles import read_smiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ELEMENTS", "Subject", "embed_conformers", "estimate_volume", "read_subject"]

ELEMENTS = ("H", "B", "C", "N", "O", "F", "Al", "Si", "P", "S", "Cl")
"""Elements with a row in the Lennard-Jones table (`analogy`)."""

_MOST_NEIGHBOURS = {"H": 1, "B": 4, "Al": 4, "C": 4}
"""More neighbours than this only in an icosahedral cage."""
_VOLUME_PER_VDW = 1.6
"""Packing guess of an ion's molar volume over its van der Waals volume, as for TFSI and BF4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is parametrized: a bond graph with a charge."""

    name: str
    """Name of the species and of its residue."""
    smiles: str
    """SMILES; atoms come in its order, hydrogens last."""
    charge: int
    """Formal charge in e."""
    elements: tuple[str, ...]
    """Element of every atom."""
    numbers: tuple[int, ...]
    """Atomic number of every atom."""
    bonds: tuple[tuple[int, int], ...]
    """Bonded pairs."""
    ring_bonds: frozenset[tuple[int, int]]
    """Those of `bonds` that lie in a ring."""
    classes: tuple[int, ...]
    """Symmetry class of every atom, from 0: atoms that the bond graph cannot tell apart."""
    start: NDArray[np.float64] | None = None
    """Å, shape ``(n_atoms, 3)``: the shape that a file gave, if one did."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.elements)

    @property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """Atoms bonded to every atom, in ascending order."""
        found: list[list[int]] = [[] for _ in self.elements]
        for i, j in self.bonds:
            found[i].append(j)
            found[j].append(i)
        return tuple(tuple(sorted(atoms)) for atoms in found)

    @property
    def cages(self) -> tuple[tuple[int, ...], ...]:
        """Icosahedral cages; their thirty edges hold them, without angles or torsions."""
        return find_icosahedra(self.n_atoms, self.bonds)

    @property
    def cage_bonds(self) -> frozenset[tuple[int, int]]:
        """Those of `bonds` that are edges of a cage."""
        cages = [set(cage) for cage in self.cages]
        return frozenset(bond for bond in self.bonds if any(set(bond) <= cage for cage in cages))

    @property
    def angles(self) -> tuple[tuple[int, int, int], ...]:
        """Triples ``(i, j, k)`` with j in the middle, those inside a cage left out."""
        left_out = set(self.cage_angles)
        return tuple(angle for angle in self._every_angle if angle not in left_out)

    @property
    def cage_angles(self) -> tuple[tuple[int, int, int], ...]:
        """Angles of which all three atoms are in one cage."""
        cages = [set(cage) for cage in self.cages]
        return tuple(
            angle for angle in self._every_angle if any(set(angle) <= cage for cage in cages)
        )

    @property
    def _every_angle(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(
            (a, j, b)
            for j, atoms in enumerate(self.neighbours)
            for n, a in enumerate(atoms)
            for b in atoms[n + 1 :]
        )

    @property
    def torsions(self) -> tuple[tuple[int, int, int, int], ...]:
        """Quadruples ``(i, j, k, l)`` along bonds, those about the edge of a cage left out."""
        around, edges = self.neighbours, self.cage_bonds
        return tuple(
            (i, j, k, m)
            for j, k in self.bonds
            if (j, k) not in edges
            for i in around[j]
            for m in around[k]
            if i != k and m not in (j, i)
        )


def read_subject(source: str, *, charge: int, name: str) -> Subject:
    """Read a SMILES or an SDF file and check that it can be parametrized.

    Raises
    ------
    RecipeError
        If it cannot be read, has another charge, is a radical, a salt or a metal complex.
    """
    from rdkit import Chem, rdBase

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*", name):
        raise RecipeError(f'--name "{name}" must start with a letter and have no spaces or dots')
    with rdBase.BlockLogs():
        given = _read_file(Path(source)) if source.lower().endswith((".sdf", ".mol")) else None
        smiles = source if given is None else Chem.MolToSmiles(Chem.RemoveHs(given))
    try:
        mol = read_smiles(smiles)
    except RecipeError as error:
        raise RecipeError(f'"{source}" is neither a SMILES nor an SDF file; check it') from error
    _check(mol, smiles, charge)
    bonds = tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds())
    rings = frozenset(
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds() if b.IsInRing()
    )
    start = None
    if given is not None and given.GetNumConformers() and given.GetConformer().Is3D():
        match = given.GetSubstructMatch(mol)
        if len(match) == mol.GetNumAtoms() == given.GetNumAtoms():
            start = np.array(given.GetConformer().GetPositions(), dtype=float)[list(match)]
    return Subject(
        name=name,
        smiles=smiles,
        charge=charge,
        elements=tuple(atom.GetSymbol() for atom in mol.GetAtoms()),
        numbers=tuple(atom.GetAtomicNum() for atom in mol.GetAtoms()),
        bonds=bonds,
        ring_bonds=rings,
        classes=_find_classes(mol),
        start=start,
    )


def embed_conformers(subject: Subject, number: int, *, seed: int) -> list[NDArray[np.float64]]:
    """Place the atoms in several ways by distance geometry; the file's own shape comes first.

    Each has positions in Å, shape ``(n_atoms, 3)``.

    Raises
    ------
    RecipeError
        If no shape is found.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom

    shapes = [] if subject.start is None else [subject.start]
    if subject.cages:
        return [*shapes, embed_molecule(_make_species(subject), seed=seed).positions]
    mol = Chem.Mol(read_smiles(subject.smiles))
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.useRandomCoords = True
    parameters.pruneRmsThresh = 0.3
    with rdBase.BlockLogs():
        for index in rdDistGeom.EmbedMultipleConfs(mol, number, parameters):
            shapes.append(np.array(mol.GetConformer(index).GetPositions(), dtype=float))
    if not shapes:
        raise RecipeError(f"no shape found for {subject.smiles}; give an SDF file with one")
    return shapes


def estimate_volume(subject: Subject, positions: NDArray[np.float64]) -> float:
    """Guess the molar volume of an ion in cm3/mol, to pack it.

    Positions in Å, shape ``(n_atoms, 3)``.
    """
    from rdkit import Chem
    from rdkit.Chem import AllChem
    from rdkit.Geometry import Point3D

    mol: Any = Chem.Mol(read_smiles(subject.smiles))
    conformer = Chem.Conformer(subject.n_atoms)
    for index, place in enumerate(positions):
        conformer.SetAtomPosition(index, Point3D(*(float(x) for x in place)))
    mol.AddConformer(conformer)
    compute: Any = AllChem.ComputeMolVolume
    volume = float(compute(mol))
    return float(round(volume * 0.60221 * _VOLUME_PER_VDW))


def _make_species(subject: Subject) -> Species:
    return Species(
        name=subject.name, title=subject.name, smiles=subject.smiles, charge=subject.charge
    )


def _read_file(path: Path) -> Any:
    from rdkit import Chem

    if not path.is_file():
        raise RecipeError(f"{path} is not a file; give a SMILES or an SDF file")
    mol = next(iter(Chem.SDMolSupplier(str(path), removeHs=False)), None)
    if mol is None:
        raise RecipeError(f"{path} holds no molecule that can be read; check it")
    return mol


def _check(mol: Any, smiles: str, charge: int) -> None:
    from rdkit import Chem

    if len(Chem.GetMolFrags(mol)) > 1:
        raise RecipeError(
            f'"{smiles}" has several parts; parametrize one ion or molecule at a time'
        )
    formal = Chem.GetFormalCharge(mol)
    if formal != charge:
        raise RecipeError(f'"{smiles}" has the formal charge {formal:+d}, not {charge:+d}')
    electrons = sum(atom.GetAtomicNum() for atom in mol.GetAtoms()) - charge
    radicals = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    if electrons % 2 or radicals:
        raise RecipeError(
            f'"{smiles}" with charge {charge:+d} has unpaired electrons ({electrons} in all); '
            "only closed shells are parametrized, check the charge and the hydrogens"
        )
    if mol.GetNumAtoms() < 2:
        raise RecipeError(f'"{smiles}" is a single atom; its parameters come from experiment')
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    vertices = {atom for cage in find_icosahedra(mol.GetNumAtoms(), bonds) for atom in cage}
    for atom in mol.GetAtoms():
        element, degree = atom.GetSymbol(), atom.GetDegree()
        if element not in ELEMENTS:
            raise RecipeError(
                f'"{smiles}": {element} has no Lennard-Jones parameters here and metal complexes '
                f"are not parametrized; the elements are {', '.join(ELEMENTS)}"
            )
        if degree > _MOST_NEIGHBOURS.get(element, 6) and atom.GetIdx() not in vertices:
            raise RecipeError(
                f'"{smiles}": {element} with {degree} neighbours; of cages only icosahedra of '
                "twelve atoms are parametrized"
            )


def _find_classes(mol: Any) -> tuple[int, ...]:
    """Rank atoms by elements and connectivity, which is all that a residue template knows."""
    from rdkit import Chem

    plain = Chem.RWMol()
    for atom in mol.GetAtoms():
        copy = Chem.Atom(atom.GetAtomicNum())
        copy.SetNoImplicit(True)
        plain.AddAtom(copy)
    for bond in mol.GetBonds():
        plain.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    plain.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(plain)
    ranks = list(Chem.CanonicalRankAtoms(plain, breakTies=False, includeChirality=False))
    order = {rank: number for number, rank in enumerate(dict.fromkeys(ranks))}
    return tuple(order[rank] for rank in ranks)
