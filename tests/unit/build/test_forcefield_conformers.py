"""Conformers of DME: both OPLS ether sets and the variant with a fitted O-C-C-O term, against MP2.

The energies of the sets were computed independently of this package, and so were those of MP2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from solvation.build.forcefield import load_forcefield
from solvation.build.terms import apply_geometric_mixing

from .energy_by_hand import Molecule
from .test_forcefield import (
    load_openmm,
    make_positions,
    make_topology,
    measure_energies,
    read_molecule,
)

SHAPES = {
    "ttt": (180, 180, 180),
    "tgt": (180, 70, 180),
    "tggp": (180, 70, -85),
    "ttg": (180, 180, 80),
}
"""C-O-C-C, O-C-C-O and C-C-O-C in degrees, before relaxation."""
MP2 = {"tgt": 0.21, "tggp": 0.17, "ttg": 1.49}
"""MP2/cc-pVTZ//B3LYP/def2-SVP, kcal/mol above ttt."""
KNOWN = {
    "opls-clp": {"tgt": 0.53, "tggp": 0.40, "ttg": 1.30},
    "opls1996-clp": {"tgt": 0.53, "tggp": 0.76, "ttg": 1.58},
    "opls-clp-occo": {"tgt": 0.25, "tggp": 0.09, "ttg": 1.30},
}
"""The same for the force fields, minimised in vacuum."""


def shape_dme(angles: tuple[int, int, int]) -> NDArray[np.float64]:
    """Positions of DME in nm with given torsions of the backbone."""
    from rdkit import Chem
    from rdkit.Chem import AllChem, rdMolTransforms

    molecule = Chem.AddHs(Chem.MolFromSmiles("COCCOC"))
    assert AllChem.EmbedMolecule(molecule, randomSeed=1) == 0
    conformer = molecule.GetConformer()
    for first, angle in enumerate(angles):
        rdMolTransforms.SetDihedralDeg(conformer, *range(first, first + 4), float(angle))
    return np.asarray(conformer.GetPositions() / 10.0)


def relax_conformers(name: str) -> dict[str, float]:
    """Energy of every conformer above ttt in kcal/mol; each must still be what it was."""
    import openmm
    from openmm import app, unit

    field = load_forcefield(name)
    molecule = Molecule(field.files, "DME")
    system: Any = app.ForceField(*map(str, field.files)).createSystem(
        make_topology(molecule, "DME"), nonbondedMethod=app.NoCutoff
    )
    apply_geometric_mixing(system)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    energies = {}
    for label, angles in SHAPES.items():
        context.setPositions(shape_dme(angles))
        openmm.LocalEnergyMinimizer.minimize(context, 0.001)
        state = context.getState(positions=True, energy=True)
        x = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        found = [measure_torsion(x[i : i + 4]) for i in range(3)]
        for got, wanted in zip(found, angles, strict=True):
            assert abs((got - wanted + 180) % 360 - 180) < 30, (label, found)
        energies[label] = state.getPotentialEnergy().value_in_unit(unit.kilocalorie_per_mole)
    return {label: energies[label] - energies["ttt"] for label in MP2}


def measure_torsion(x: NDArray[np.float64]) -> float:
    """Torsion of four points, degrees."""
    b = np.diff(x, axis=0)
    n1, n2 = np.cross(b[0], b[1]), np.cross(b[1], b[2])
    y = np.dot(np.cross(n1, n2), b[1]) / np.linalg.norm(b[1])
    return float(np.degrees(np.arctan2(y, n1 @ n2)))


@pytest.mark.parametrize("name", KNOWN)
def test_conformers_are_those_computed_elsewhere(name: str) -> None:
    assert relax_conformers(name) == pytest.approx(KNOWN[name], abs=0.015)


def test_the_variant_is_closer_to_mp2_than_both_published_sets() -> None:
    worst = {
        name: max(abs(energies[label] - MP2[label]) for label in MP2)
        for name, energies in KNOWN.items()
    }
    assert worst["opls-clp-occo"] < 0.2 < min(worst["opls-clp"], worst["opls1996-clp"])


def test_the_variant_changes_one_torsion_and_nothing_else() -> None:
    """Rows of all files, as sets: one row goes, one comes."""
    rows = {}
    for name in ("opls-clp", "opls-clp-occo"):
        root = Molecule(load_forcefield(name).files, "DME").root
        rows[name] = {
            (row.tag, tuple(sorted((k, v) for k, v in row.attrib.items() if k != "source")))
            for row in root.iter()
            if len(row) == 0
        }
    gone, come = rows["opls-clp"] - rows["opls-clp-occo"], rows["opls-clp-occo"] - rows["opls-clp"]
    assert len(gone) == len(come) == 1
    old, new = dict(gone.pop()[1]), dict(come.pop()[1])
    assert {k: new[k] for k in old} == old
    # V2 = -0.33 kcal/mol, k2 = V2/2
    assert float(new["k2"]) == pytest.approx(-0.33 / 2 * 4.184, abs=1e-6)


@pytest.mark.parametrize("species", ["DME", "G2", "G4", "THF", "Mg"])
def test_the_variant_agrees_with_the_second_route(species: str) -> None:
    """Every term of the variant, OpenMM against NumPy."""
    field = load_forcefield("opls-clp-occo")
    molecule = read_molecule(species, field)
    x = make_positions(species) if len(molecule.names) > 1 else np.zeros((1, 3))
    system = load_openmm(field).createSystem(make_topology(molecule, species))
    by_hand = molecule.bond_energy(x) + molecule.angle_energy(x) + molecule.torsion_energy(x)
    by_hand += sum(molecule.nonbonded_energies(x))
    assert sum(measure_energies(system, x).values()) == pytest.approx(by_hand, rel=1e-5, abs=1e-5)
