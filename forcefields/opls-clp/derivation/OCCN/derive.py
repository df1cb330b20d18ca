"""Derive the O-C-C-N torsion, V1 to V3, from a scan of 2-methoxyethylamine.

    python derive.py             # fit again, from scan.xyz and energies.txt
    python derive.py --shapes    # first make scan.xyz again: GFN2-xTB, some minutes
    python derive.py --energies  # first make energies.txt again: DF-MP2/cc-pVTZ, some minutes

Shapes: O-C-C-N held every 30 degrees from 0 to 180, from three orientations of NH2 each, all else
relaxed. Each is relaxed with the force field too, from the same orientation. One torsion about the
C-C bond carries the whole fit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app

from solvation.build.audit import relax_alone
from solvation.build.forcefield import load_forcefield
from solvation.build.molecule import Molecule
from solvation.build.seminario import measure_dihedral
from solvation.build.terms import apply_geometric_mixing
from solvation.library import find_species

HERE = Path(__file__).parent
TURNED = (1, 2, 3, 4)
"""O, C, C, N of COCCN."""
SCALE = 10.0
"""kJ/mol; a point this high weighs 1/e of the lowest, as in `solvation.build.torsion`."""


def make_shapes() -> None:
    """Relax every shape with GFN2-xTB and write ``scan.xyz``."""
    from rdkit import Chem
    from rdkit.Chem import AllChem, rdMolTransforms

    from solvation.build import quantum

    mol = Chem.AddHs(Chem.MolFromSmiles("COCCN"))
    AllChem.EmbedMolecule(mol, randomSeed=2026)
    elements = [atom.GetSymbol() for atom in mol.GetAtoms()]
    surface = quantum.make_surface("gfn2", tuple(a.GetAtomicNum() for a in mol.GetAtoms()), 0)
    lines = []
    for angle in range(0, 181, 30):
        for turn in (60, 180, 300):
            conformer = mol.GetConformer()
            rdMolTransforms.SetDihedralDeg(conformer, 0, 1, 2, 3, 180.0)
            rdMolTransforms.SetDihedralDeg(conformer, *TURNED, float(angle))
            rdMolTransforms.SetDihedralDeg(conformer, 2, 3, 4, 12, float(turn))
            start = np.array(conformer.GetPositions(), dtype=float)
            shape, energy = quantum.relax(
                surface, tuple(elements), start, held=(TURNED, float(angle)), steps=150
            )
            lines += [str(len(elements)), f"{angle} {turn} GFN2-xTB {energy:.4f} kJ/mol"]
            lines += [
                f"{e:2} {x:12.6f} {y:12.6f} {z:12.6f}"
                for e, (x, y, z) in zip(elements, shape, strict=True)
            ]
    (HERE / "scan.xyz").write_text("\n".join(lines) + "\n")


def read_shapes() -> tuple[list[str], list[NDArray[np.float64]]]:
    """Elements, and positions in Å of every point."""
    lines = (HERE / "scan.xyz").read_text().splitlines()
    n = int(lines[0])
    frames = [lines[k + 2 : k + 2 + n] for k in range(0, len(lines), n + 2)]
    elements = [line.split()[0] for line in frames[0]]
    return elements, [np.array([[float(x) for x in row.split()[1:]] for row in f]) for f in frames]


def compute_energies() -> None:
    """DF-MP2/cc-pVTZ at every shape, written to ``energies.txt``."""
    from pyscf import gto, scf
    from pyscf.mp.dfmp2_native import DFMP2

    elements, shapes = read_shapes()
    found = []
    for shape in shapes:
        molecule = gto.M(
            atom=list(zip(elements, shape.tolist(), strict=True)), basis="cc-pvtz", verbose=0
        )
        found.append(DFMP2(scf.RHF(molecule).density_fit().run()).run().e_tot * 2625.49963948)
    energies = np.array(found) - min(found)
    np.savetxt(HERE / "energies.txt", energies, fmt="%.4f", header="DF-MP2/cc-pVTZ, kJ/mol")


def make_bare_system() -> openmm.System:
    """2-methoxyethylamine in vacuum with opls-clp, without the O-C-C-N torsion."""
    species = find_species("MOEA")
    molecule = Molecule(
        name="MOEA", elements=species.elements, bonds=species.bonds, positions=np.zeros((14, 3))
    )
    topology = app.Topology()
    residue = topology.addResidue("MOEA", topology.addChain())
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(element), residue)
        for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    field = app.ForceField(*map(str, load_forcefield("opls-clp").files))
    system = field.createSystem(topology, nonbondedMethod=app.NoCutoff)
    (torsions,) = (f for f in system.getForces() if isinstance(f, openmm.PeriodicTorsionForce))
    for k in range(torsions.getNumTorsions()):
        *four, periodicity, phase, _ = torsions.getTorsionParameters(k)
        if tuple(four) in (TURNED, TURNED[::-1]):
            torsions.setTorsionParameters(k, *four, periodicity, phase, 0.0)
    apply_geometric_mixing(system)
    return system


def fit() -> None:
    """Relax the bare force field along the scan and fit the difference."""
    _, shapes = read_shapes()
    wanted = np.loadtxt(HERE / "energies.txt")
    system = make_bare_system()
    angles, bare = [], []
    for shape in shapes:
        angle = measure_dihedral(shape, TURNED)
        relaxed, energy = relax_alone(system, shape, held=(TURNED, angle))
        angles.append(measure_dihedral(relaxed, TURNED))
        bare.append(energy)
    phi = np.array(angles)
    basis = np.array([(1 + np.cos(phi)) / 2, (1 - np.cos(2 * phi)) / 2, (1 + np.cos(3 * phi)) / 2])
    weights = np.exp(-wanted / SCALE)
    weights /= weights.sum()
    rows = (basis - (basis @ weights)[:, None]).T
    gap = wanted - np.array(bare)
    gap -= weights @ gap
    root = np.sqrt(weights)
    values = np.linalg.lstsq(root[:, None] * rows, root * gap, rcond=None)[0]
    left = gap - rows @ values
    print("V1, V2, V3 (kJ/mol):", *(f"{v:.3f}" for v in values))
    print(f"weighted rms error {np.sqrt(weights @ left**2):.2f} kJ/mol; without the term "
          f"{np.sqrt(weights @ gap**2):.2f}")  # fmt: skip
    print("angle/deg  DF-MP2  force field (lowest of the orientations)")
    model = wanted - left
    held = np.round(np.degrees(np.abs(phi))).astype(int)
    lowest = min(model[held == held[wanted.argmin()]])
    for angle in np.unique(held):
        here = held == angle
        print(f"{angle:9d} {wanted[here].min():7.2f} {model[here].min() - lowest:7.2f}")


if __name__ == "__main__":
    if "--shapes" in sys.argv:
        make_shapes()
    if "--energies" in sys.argv:
        compute_energies()
    fit()
