"""The anions that were derived here keep the shape of their references."""

from __future__ import annotations

import json

import numpy as np
import pytest

from solvation.build.audit import relax_alone
from solvation.build.fitting import superpose
from solvation.build.forcefield import load_forcefield
from solvation.build.molecule import Molecule
from solvation.build.system import isolate_molecule
from solvation.library import find_species

FORCEFIELD = load_forcefield("opls-clp")
ABOVE = {"ALHFIP4", "BTFE3OTf", "FPB", "TPFA"}
"""Farther than 0.15 Å from their reference, as the card says."""
BLOCK = next(b for b in FORCEFIELD.card["block"] if b["name"] == "derived anions")
FOLDERS = [FORCEFIELD.folder / "derivation" / name for name in sorted(BLOCK["species"])]


def test_every_derived_anion_has_its_derivation():
    assert set(BLOCK["species"]) <= set(FORCEFIELD.card["validation"])
    for folder in FOLDERS:
        asked = json.loads((folder / "input.json").read_text())
        assert asked["smiles"] == find_species(folder.name).smiles
        assert (folder / "log.txt").is_file()
        assert (folder / "charges.json").is_file()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_minimum_is_near_the_reference(folder):
    species = find_species(folder.name)
    lines = (folder / "conformers.xyz").read_text().splitlines()[2 : 2 + species.n_atoms]
    shape = np.array([line.split()[1:4] for line in lines], dtype=float)
    assert tuple(line.split()[0] for line in lines) == species.elements
    molecule = Molecule(
        name=species.name, elements=species.elements, bonds=species.bonds, positions=shape
    )
    system = isolate_molecule(molecule, FORCEFIELD.folder / f"{species.name}.xml")
    relaxed, _ = relax_alone(system, shape)
    heavy = np.array([element != "H" for element in species.elements])
    heavy |= heavy.sum() < 3
    distance = superpose(relaxed[heavy], shape[heavy])
    assert (distance < 0.15) == (folder.name not in ABOVE)
    said = json.loads((folder / "validation.json").read_text())["agreement"]["rmsd"]
    assert distance == pytest.approx(said, abs=0.02)
