"""System: what the recipe asked of the dynamics, and four files that give it back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from solvation.build.forcefield import load_forcefield
from solvation.build.packing import Packed
from solvation.build.system import Prepared, make_system, save_prepared
from solvation.build.terms import TERMS, read_energies
from solvation.errors import AuditError, MissingParameterError
from solvation.library import Species, find_species
from solvation.recipe import Recipe, parse_recipe


def masses(prepared: Prepared) -> np.ndarray:
    system = prepared.system
    return np.array(
        [
            system.getParticleMass(i).value_in_unit(unit.dalton)
            for i in range(system.getNumParticles())
        ]
    )


def charges(system: openmm.System) -> np.ndarray:
    force = next(f for f in system.getForces() if f.getName() == "CoulombRepulsion")
    return np.array(
        [
            force.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
            for i in range(force.getNumParticles())
        ]
    )


def open_context(system: openmm.System, prepared: Prepared) -> openmm.Context:
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(prepared.positions * unit.angstrom)
    return context


def test_hydrogens_are_heavy_and_the_mass_is_kept(
    prepared: Prepared, species: dict[str, Species]
) -> None:
    found = masses(prepared)
    elements = [atom.element.symbol for atom in prepared.topology.atoms()]
    assert found[[e == "H" for e in elements]] == pytest.approx(3.0)
    assert found.min() >= 3.0 - 1e-9
    expected = sum(species[r.name].mass for r in prepared.topology.residues())
    assert found.sum() == pytest.approx(expected, rel=1e-4)


def test_every_bond_to_hydrogen_is_constrained_and_no_other(prepared: Prepared) -> None:
    hydrogens = {a.index for a in prepared.topology.atoms() if a.element.symbol == "H"}
    found = {
        frozenset(prepared.system.getConstraintParameters(k)[:2])
        for k in range(prepared.system.getNumConstraints())
    }
    expected = {
        frozenset((a.index, b.index))
        for a, b in prepared.topology.bonds()
        if {a.index, b.index} & hydrogens
    }
    assert found == expected
    assert len(found) == 30 * 10


@pytest.fixture(scope="module")
def wet() -> Prepared:
    """Sixty-four waters on a lattice, every one turned another way."""
    from scipy.spatial.transform import Rotation

    from solvation.build.molecule import embed_molecule

    water = find_species("water")
    shape = embed_molecule(water, seed=1)
    turns = Rotation.random(64, random_state=4).as_matrix()
    cells = np.array(list(np.ndindex(4, 4, 4))) * 3.2
    molecules = tuple(
        replace(shape, positions=(shape.positions - shape.positions[0]) @ turn.T + cell)
        for turn, cell in zip(turns, cells, strict=True)
    )
    recipe = parse_recipe(
        {
            "name": "wet",
            "salt": [{"cation": "Mg", "anion": "Cl", "solvent_ratio": 60}],
            "solvent": [{"name": "water"}],
            "model": {"cutoff": "6 angstrom"},
            "protocol": {"profile": "quick"},
        }
    ).resolve()
    packed = Packed(molecules=molecules, edge=12.8)
    return make_system(
        packed, {"water": water}, load_forcefield("opls-clp"), recipe, charge_scale=1.0
    )


def test_water_is_rigid_and_keeps_its_masses(wet: Prepared) -> None:
    """Three constraints that close a triangle of TIP3P's shape, and nothing left to vibrate."""
    system = wet.system
    lengths: dict[frozenset[int], float] = {}
    for k in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(k)
        lengths[frozenset((i, j))] = length.value_in_unit(unit.angstrom)
    assert len(lengths) == 3 * 64
    for residue in wet.topology.residues():
        assert residue.name == "water"
        o, h1, h2 = (atom.index for atom in residue.atoms())
        assert lengths[frozenset((o, h1))] == pytest.approx(0.9572)
        assert lengths[frozenset((o, h2))] == pytest.approx(0.9572)
        assert lengths[frozenset((h1, h2))] == pytest.approx(1.5139, abs=1e-4)
    assert masses(wet)[:3] == pytest.approx([15.999, 1.008, 1.008])
    for force in system.getForces():
        if isinstance(force, openmm.HarmonicBondForce):
            assert force.getNumBonds() == 0
        if isinstance(force, openmm.HarmonicAngleForce):
            assert force.getNumAngles() == 0


def test_ions_carry_the_scaled_charge(prepared: Prepared) -> None:
    q = charges(prepared.system)
    for residue in prepared.topology.residues():
        total = q[[atom.index for atom in residue.atoms()]].sum()
        formal = find_species(residue.name).charge
        assert total == pytest.approx(formal / 1.377, abs=1e-6), residue.name
    assert prepared.charge_scale == pytest.approx(1 / 1.377)


def test_solvents_carry_the_charges_of_the_file(prepared: Prepared) -> None:
    q = charges(prepared.system)
    dme = [a.index for r in prepared.topology.residues() if r.name == "DME" for a in r.atoms()][:16]
    assert q[dme][:6] == pytest.approx([0.11, -0.4, 0.14, 0.14, -0.4, 0.11])


def test_the_cutoff_and_pme_are_those_of_the_recipe(prepared: Prepared) -> None:
    for force in prepared.system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            assert force.getCutoffDistance() == 0.8 * unit.nanometer
            assert force.getUseDispersionCorrection()
            method = "CutoffPeriodic" if force.getName() == "Dispersion" else "PME"
            assert force.getNonbondedMethod() == getattr(openmm.NonbondedForce, method)


def test_every_term_has_its_group_and_the_groups_are_the_whole(prepared: Prepared) -> None:
    context = open_context(prepared.system, prepared)
    energies = read_energies(context)
    assert tuple(energies) == TERMS
    whole = context.getState(getEnergy=True).getPotentialEnergy()
    assert sum(energies.values()) == pytest.approx(
        whole.value_in_unit(unit.kilojoule_per_mole), rel=1e-9
    )
    assert energies["dispersion"] < 0
    assert energies["bond"] > 0
    assert all(abs(value) > 1 for value in energies.values()), energies


def test_molecules_and_bonds_are_those_of_the_packing(
    prepared: Prepared, species: dict[str, Species]
) -> None:
    assert [r.name for r in prepared.topology.residues()] == ["Mg"] * 2 + ["TFSI"] * 4 + [
        "DME"
    ] * 30
    for residue in prepared.topology.residues():
        kind = species[residue.name]
        assert tuple(atom.element.symbol for atom in residue.atoms()) == kind.elements
        assert len(list(residue.internal_bonds())) == len(kind.bonds)
        assert not list(residue.external_bonds())


def test_saved_files_give_the_system_back(prepared: Prepared, tmp_path: Path) -> None:
    save_prepared(prepared, {"n_atoms": 542}, tmp_path / "box")
    folder = tmp_path / "box"
    assert sorted(p.name for p in folder.iterdir()) == [
        "audit.json", "state.xml", "system.xml", "topology.pdb",
    ]  # fmt: skip
    assert json.loads((folder / "audit.json").read_text()) == {"n_atoms": 542}
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    state = openmm.XmlSerializer.deserialize((folder / "state.xml").read_text())
    x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    np.testing.assert_allclose(x, prepared.positions, atol=1e-9)
    again, before = (read_energies(open_context(s, prepared)) for s in (system, prepared.system))
    assert again == pytest.approx(before, rel=1e-9)
    pdb = app.PDBFile(str(folder / "topology.pdb"))
    assert [r.name for r in pdb.topology.residues()] == [
        r.name[:3] for r in prepared.topology.residues()
    ]  # PDB has three columns for it; molecules are recognised by their bonds
    assert pdb.topology.getNumBonds() == prepared.topology.getNumBonds()
    vectors = pdb.topology.getPeriodicBoxVectors().value_in_unit(unit.angstrom)
    assert vectors[0][0] == pytest.approx(prepared.edge, abs=1e-3)


def test_a_species_without_parameters_is_one_line(prepared: Prepared, recipe: Recipe) -> None:
    from solvation.build.molecule import embed_molecule

    fec = find_species("FEC")
    packed = Packed(molecules=(embed_molecule(fec, seed=1),), edge=30.0)
    with pytest.raises(MissingParameterError, match="force field opls-clp: No template") as caught:
        make_system(packed, {"FEC": fec}, load_forcefield("opls-clp"), recipe, charge_scale=1.0)
    assert "\n" not in str(caught.value)


def test_an_unresolved_recipe_is_refused(recipe: Recipe) -> None:
    from solvation.build.molecule import embed_molecule

    dme = find_species("DME")
    packed = Packed(molecules=(embed_molecule(dme, seed=1),), edge=30.0)
    bare = parse_recipe({"name": "x", "solvent": [{"name": "DME"}]})
    with pytest.raises(AuditError, match=r"call recipe.resolve\(\) first"):
        make_system(packed, {"DME": dme}, load_forcefield("opls-clp"), bare, charge_scale=1.0)
