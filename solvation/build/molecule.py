"""Molecules in three dimensions: single ones, and cations with a full first shell.

Distance geometry (RDKit ETKDG; Riniker & Landrum, J. Chem. Inf. Model. 2015, 55, 2562,
10.1021/acs.jcim.5b00654) places atoms; the force field decides everything finer later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build.cage import bound_cages, find_cages, open_cages
from solvation.errors import PackingError
from solvation.smiles import read_smiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from solvation.library import Species

__all__ = [
    "SHELLS",
    "Cluster",
    "Molecule",
    "Shell",
    "embed_cluster",
    "embed_molecule",
    "pick_donors",
]


_TRIES = 20
"""Shapes tried for one cluster: distance geometry now and then leaves two ligands too close."""
_ROOMY = 1.8
"""Å between atoms of different ligands; good enough to stop looking."""
_TIGHT = 1.4
"""Å; a closer contact is not a start to relax from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Molecule:
    """One molecule: atoms, bonds and a shape."""

    name: str
    """Species name, e.g. ``"DME"``."""
    elements: tuple[str, ...]
    """Element symbols, in the order of the species' SMILES, hydrogens last."""
    bonds: tuple[tuple[int, int], ...]
    """Pairs of atom indices."""
    positions: NDArray[np.float64]
    """Å, shape ``(n_atoms, 3)``."""

    @property
    def atom_names(self) -> tuple[str, ...]:
        """Element and running number, e.g. ``("C1", "O1", "C2", ...)``."""
        seen: dict[str, int] = {}
        names = []
        for element in self.elements:
            seen[element] = seen.get(element, 0) + 1
            names.append(f"{element}{seen[element]}")
        return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What the first shell of a cation looks like, to pack one."""

    coordination: int
    """Donor atoms in a full shell."""
    distance: float
    """Cation–donor distance in Å."""


SHELLS = {
    "Mg": Shell(coordination=6, distance=2.08),
    "Zn": Shell(coordination=6, distance=2.10),
    "Ca": Shell(coordination=8, distance=2.42),
    "Li": Shell(coordination=4, distance=1.98),
    "Na": Shell(coordination=6, distance=2.40),
    "K": Shell(coordination=8, distance=2.80),
}
"""Shells to pack: [Mg(DME)3]2+ and [Ca(DME)4]2+ are those of the crystals (Wang et al. 2024,
10.1002/aenm.202402157); the others are usual coordination numbers. Starting points only."""


_PATIENCE = 20
"""Seconds for one try, by the clock; a shell takes a few hundredths, one with two large anions a
second, on a busy machine many; ligands that cannot fit take minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cation and its ligands, packed as one body."""

    molecules: tuple[Molecule, ...]
    """The cation, then its ligands, with positions around the cation at the origin."""


def _describe(mol: Any) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Elements and bonds of an RDKit molecule."""
    elements = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    bonds = tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds())
    return elements, bonds


def embed_molecule(species: Species, *, seed: int) -> Molecule:
    """Place the atoms of one molecule.

    Raises
    ------
    PackingError
        If no three-dimensional shape is found.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom

    mol = Chem.Mol(read_smiles(species.smiles))
    elements, bonds = _describe(mol)
    octahedra, cages = _find_octahedra(mol), find_cages(mol)
    if any(2 * len(cage) < len(elements) * (len(elements) - 1) for cage in cages):
        raise PackingError(
            f"{species.name}: a cage that carries more than single atoms cannot be placed"
        )
    if len(elements) == 1:
        positions = np.zeros((1, 3))
    else:
        special = bool(octahedra or cages)
        parameters: Any = rdDistGeom.EmbedParameters() if special else rdDistGeom.ETKDGv3()
        parameters.randomSeed = seed
        if special:
            mol = open_cages(mol, cages)
            with rdBase.BlockLogs():
                bounds = rdDistGeom.GetMoleculeBoundsMatrix(mol)
            _bound_octahedra(bounds, octahedra)
            bound_cages(bounds, cages)
            parameters.SetBoundsMat(bounds)
            parameters.embedFragmentsSeparately = False  # an open cage is in pieces
        with rdBase.BlockLogs():  # RDKit comments on hypervalent atoms
            failed = rdDistGeom.EmbedMolecule(mol, parameters) < 0
            if failed:
                parameters.useRandomCoords = True
                failed = rdDistGeom.EmbedMolecule(mol, parameters) < 0
        if failed:
            raise PackingError(
                f"{species.name}: no shape found for {species.smiles}; check the SMILES"
            )
        positions = np.array(mol.GetConformer().GetPositions(), dtype=float)
        positions -= positions.mean(axis=0)
    return Molecule(name=species.name, elements=elements, bonds=bonds, positions=positions)


def _find_octahedra(mol: Any) -> list[tuple[int, ...]]:
    """Find atoms with six neighbours that have no other: centre, then three opposite pairs.

    RDKit takes such an atom for something else. Pairs follow the order of the SMILES.
    """
    return [
        (atom.GetIdx(), *(near.GetIdx() for near in atom.GetNeighbors()))
        for atom in mol.GetAtoms()
        if atom.GetDegree() == 6 and all(near.GetDegree() == 1 for near in atom.GetNeighbors())
    ]


def _bound_octahedra(bounds: NDArray[np.float64], octahedra: Sequence[tuple[int, ...]]) -> None:
    """Set the bounds inside octahedra, in place: neighbours at 90 degrees, opposites at 180."""
    for centre, *six in octahedra:
        low, high = sorted((centre, six[0]))
        radius = 0.5 * (bounds[low, high] + bounds[high, low])
        for k, atom in enumerate(six):
            pairs = [(centre, radius)]
            for m in range(k):
                opposite = k // 2 == m // 2
                pairs.append((six[m], radius * (2.0 if opposite else 2.0**0.5)))
            for other, distance in pairs:
                i, j = sorted((atom, other))
                bounds[i, j], bounds[j, i] = distance + 0.01, distance - 0.01


def pick_donors(species: Species, *, single: bool = False) -> tuple[int, ...]:
    """Atoms through which a molecule binds a cation when it is packed around one.

    Terminal oxygens of anions, ether or other oxygens of solvents, else nitrogen, else hydridic
    hydrogens, from the end of the SMILES (in a carborane that is the far side from carbon), else
    halogens; with ``single`` only the first of them.
    """
    mol = read_smiles(species.smiles)
    atoms = list(mol.GetAtoms())
    for element in ("O", "N", "H", "F", "Cl"):
        found = [atom for atom in atoms if atom.GetSymbol() == element]
        if element == "H":
            found = [h for h in found if h.GetNeighbors()[0].GetSymbol() == "B"][::-1]
        if not found:
            continue
        terminal = [atom for atom in found if atom.GetDegree() <= 1]
        chosen = terminal if terminal and len(terminal) < len(found) else found
        indices = tuple(atom.GetIdx() for atom in chosen)
        return indices[:1] if single else indices
    return (0,)


def embed_cluster(
    cation: Species, ligands: Sequence[tuple[Species, tuple[int, ...]]], *, seed: int
) -> Cluster:
    """Place a cation with ligands bound through given atoms.

    The distance bounds of the complex, with dative bonds from the donors to the cation, go into
    RDKit's distance geometry, so chelate rings, crowding and both hands of a propeller come out
    by themselves.

    Parameters
    ----------
    cation
        The central ion.
    ligands
        Each with the indices of its donor atoms.
    seed
        Of the embedding.

    Raises
    ------
    PackingError
        If the ligands do not fit around the cation.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom
    from rdkit.DistanceGeometry import DoTriangleSmoothing

    distance = SHELLS[cation.name].distance if cation.name in SHELLS else 2.3
    with rdBase.BlockLogs():
        mol = Chem.RWMol(read_smiles(cation.smiles))
        starts, donors, octahedra = [], [], []
        cages: list[dict[tuple[int, int], float]] = []
        for species, indices in ligands:
            starts.append(mol.GetNumAtoms())
            octahedra += [
                tuple(starts[-1] + atom for atom in found)
                for found in _find_octahedra(read_smiles(species.smiles))
            ]
            found_cages = find_cages(read_smiles(species.smiles))
            cages += [
                {(starts[-1] + i, starts[-1] + j): d for (i, j), d in cage.items()}
                for cage in found_cages
            ]
            donors += [starts[-1] + index for index in indices]
            ligand = open_cages(read_smiles(species.smiles), found_cages)
            mol = Chem.RWMol(Chem.CombineMols(mol, ligand))
        for atom in donors:
            mol.AddBond(atom, 0, Chem.BondType.DATIVE)
        mol.UpdatePropertyCache(strict=False)
        Chem.GetSymmSSSR(mol)
        bounds = rdDistGeom.GetMoleculeBoundsMatrix(mol)
        _bound_complex(bounds, starts=starts, donors=donors, distance=distance)
        _bound_octahedra(bounds, octahedra)
        bound_cages(bounds, cages)
        DoTriangleSmoothing(bounds)
        parameters: Any = rdDistGeom.EmbedParameters()
        parameters.useRandomCoords = True
        parameters.maxIterations = 50
        parameters.timeout = _PATIENCE
        parameters.ignoreSmoothingFailures = True
        parameters.embedFragmentsSeparately = False
        parameters.SetBoundsMat(bounds)
        positions, widest = None, _TIGHT
        for attempt in range(_TRIES):
            parameters.randomSeed = (seed * _TRIES + attempt) % 2**31
            if rdDistGeom.EmbedMolecule(mol, parameters) < 0:
                continue
            shape = np.array(mol.GetConformer().GetPositions(), dtype=float)
            gap = _measure_gap(shape, starts, donors)
            if gap > widest:
                positions, widest = shape - shape[0], gap
            if gap >= _ROOMY:
                break
    if positions is None:
        names = ", ".join(species.name for species, _ in ligands)
        raise PackingError(f"{names} do not fit around {cation.name}; start from random instead")
    molecules = [embed_molecule(cation, seed=seed)]
    for (species, _), start in zip(ligands, starts, strict=True):
        elements, bonds = _describe(read_smiles(species.smiles))
        molecules.append(
            Molecule(
                name=species.name,
                elements=elements,
                bonds=bonds,
                positions=positions[start : start + len(elements)],
            )
        )
    return Cluster(molecules=tuple(molecules))


def _measure_gap(shape: NDArray[np.float64], starts: Sequence[int], donors: Sequence[int]) -> float:
    """Smallest distance between atoms of different bodies that are not bound, in Å."""
    body = np.searchsorted(starts, np.arange(len(shape)), side="right")
    other = body[:, None] != body
    other[0, donors] = other[donors, 0] = False
    gaps = np.linalg.norm(shape[:, None] - shape, axis=-1)[other]
    return float(gaps.min()) if gaps.size else float("inf")


def _bound_complex(
    bounds: NDArray[np.float64], *, starts: Sequence[int], donors: Sequence[int], distance: float
) -> None:
    """Set bounds between the cation, its donors and different ligands, in place.

    RDKit keeps upper bounds above the diagonal and lower bounds below it.
    """
    n_atoms = len(bounds)
    ligand = np.searchsorted(starts, np.arange(n_atoms), side="right")
    is_donor = np.zeros(n_atoms, dtype=bool)
    is_donor[list(donors)] = True
    for i in range(1, n_atoms):
        if is_donor[i]:
            bounds[i, 0], bounds[0, i] = distance - 0.1, distance + 0.1
        else:
            bounds[i, 0], bounds[0, i] = max(bounds[i, 0], distance + 0.4), max(bounds[0, i], 8.0)
        for j in range(i + 1, n_atoms):
            if ligand[i] != ligand[j]:
                both = is_donor[i] and is_donor[j]
                bounds[j, i] = 2.6 if both else 2.3
                bounds[i, j] = max(bounds[i, j], 2 * distance + 0.3 if both else 16.0)
