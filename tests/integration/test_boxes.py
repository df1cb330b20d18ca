"""Boxes of every species that a force field covers: packed, minimised, and run for a moment."""

from __future__ import annotations

from functools import cache

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.build import forcefield as forcefields
from solvation.build.audit import audit_system
from solvation.build.composition import Composition, compose
from solvation.build.drude import extend_positions
from solvation.build.packing import pack_box
from solvation.build.system import Prepared, make_system
from solvation.library import find_species, list_forcefields
from solvation.polarizable import is_polarizable
from solvation.recipe import Recipe, parse_recipe
from solvation.simulate.drude import list_pairs, make_drude_integrator, set_velocities
from solvation.units import AVOGADRO

load_forcefield = cache(forcefields.load_forcefield)
BOXES = [
    ("opls-clp", "Mg", "TFSI", "EC", "separated"),
    ("opls-clp", "Ca", "TFSI", "PC", "contact"),
    ("opls-clp", "Mg", "FSI", "DMC", "separated"),
    ("opls-clp", "Na", "OTf", "EMC", "contact"),
    ("opls-clp", "Mg", "ClO4", "ACN", "contact"),
    ("opls-clp", "Mg", "Cl", "THF", "contact"),
    ("opls-clp", "Zn", "TFSI", "DME", "separated"),
    ("opls-clp", "Li", "PF6", "EC", "contact"),
    ("opls-clp", "Mg", "PF6", "DME", "separated"),
    ("opls-clp", "K", "BF4", "G3", "random"),
    ("opls-clp", "Ca", "BH4", "THF", "contact"),
    ("opls-clp", "Mg", "AlCl4", "DME", "contact"),
    ("opls-clp", "Mg", "BHFIP4", "DME", "contact"),
    ("opls-clp", "Mg", "ALHFIP4", "G2", "separated"),
    ("opls-clp", "Mg", "BBu2Ph2", "THF", "contact"),
    ("opls-clp", "Mg", "FPB", "G2", "contact"),
    ("opls-clp", "Mg", "CB11H12", "G3", "separated"),
    ("opls-clp", "Mg", "TPFA", "DME", "separated"),
    ("opls-clp", "Mg", "BTFE3OTf", "DME", "contact"),
    ("opls1996-clp", "Ca", "CB11H12", "THF", "contact"),
    ("opls-clp", "Mg", "FCB11H11", "G3", "contact"),
    ("opls1996-clp", "Ca", "PF6", "G2", "contact"),
    ("opls1996-clp", "Mg", "TFSI", "G4", "separated"),
    ("opls-clp", "Bu4N", "TFSI", "MeTHF", "random"),
    ("opls-clp", "EMIM", "TFSI", "DOL", "separated"),
    ("opls-clp", "Pyr14", "FSI", "DMAc", "contact"),
    ("opls-clp", "Mg", "TFSI", "TMP", "separated"),
    ("opls-clp", "Ca", "TFSI", "TEP", "contact"),
    ("opls-clp", "Mg", "TFSI", "MOEA", "separated"),
    ("opls-clp", "Ca", "TFSI", "MOPA", "contact"),
    ("opls-clp", "Mg", "TFSI", "M4", "contact"),
    ("opls-clp", "Mg", "TFSI", "DMAPA", "random"),
    ("opls-clp", "Li", "TFSI", "CP", "contact"),
    ("opls-clp", "Ca", "TFSI", "PTHF", "random"),
    ("opls-clp", "Mg", "Cl", "water", "separated"),
    ("opls1996-clp", "Mg", "TFSI", "MeTHF", "separated"),
    ("opls1996-clp", "EMIM", "BF4", "M4", "random"),
    ("clpol-drude", "Mg", "TFSI", "DME", "separated"),
    ("clpol-drude", "Ca", "TFSI", "G2", "contact"),
    ("clpol-drude", "Mg", "OTf", "G3", "contact"),
    ("clpol-drude", "Li", "BF4", "G4", "contact"),
    ("clpol-drude", "Na", "PF6", "THF", "contact"),
    ("clpol-drude", "Ca", "FSI", "THF", "separated"),
]
"""Force field, cation, anion, solvent, start."""


def test_every_species_is_in_a_box() -> None:
    seen = {name for _, *names, _ in BOXES for name in names}
    assert seen == set(load_forcefield("opls-clp").coverage)
    polarizable = {name for field, *names, _ in BOXES if field == "clpol-drude" for name in names}
    assert polarizable == set(load_forcefield("clpol-drude").coverage)


ISSUED = (
    "DME", "G2", "G3", "G4", "THF", "MeTHF", "DOL", "ACN", "EC", "PC", "DMC", "EMC", "DMAc",
    "TMP", "TEP", "MOEA", "MOPA", "M4", "DMAPA", "CP", "PTHF", "water", "TFSI", "FSI", "OTf",
    "BF4", "PF6", "ClO4", "BH4", "Cl", "AlCl4", "BHFIP4", "ALHFIP4", "TPFA", "CB11H12",
    "FCB11H11", "FPB", "BTFE3OTf", "BBu2Ph2", "Mg", "Ca", "Zn", "Li", "Na", "K", "Bu4N", "EMIM",
    "Pyr14"
)  # fmt: skip
"""Species that the force fields are there for."""
POLARIZABLE = (
    "DME", "G2", "G3", "G4", "THF", "TFSI", "OTf", "BF4", "PF6", "Li", "Na", "Mg", "Ca"
)  # fmt: skip


def test_no_species_is_missing() -> None:
    for name in list_forcefields():
        wanted = set(POLARIZABLE if is_polarizable(name) else ISSUED)
        missing = wanted - set(load_forcefield(name).coverage)
        assert not missing, name


@pytest.mark.parametrize("forcefield", ["opls1996-clp", "opls-clp-occo"])
def test_one_box_of_every_species_builds_and_minimises(forcefield: str) -> None:
    """What these share with opls-clp is in boxes of its own there; here it is all together."""
    field = load_forcefield(forcefield)
    species = {name: find_species(name) for name in field.coverage}
    counts = dict.fromkeys(species, 1)
    lacking = -sum(one.charge for one in species.values())
    assert lacking >= 0
    counts["Mg"] += lacking // 2
    counts["Li"] += lacking % 2
    order = sorted(counts, key=lambda name: (species[name].charge <= 0, species[name].charge == 0))
    mass = sum(counts[name] * species[name].mass for name in order)
    volume = sum(
        counts[name] * (one.molar_volume or one.mass / (one.density or 1.0))
        for name, one in species.items()
    )
    composition = Composition(
        counts={name: counts[name] for name in order},
        salts={},
        asked={},
        volume=1.2 * volume * 1e24 / AVOGADRO,
        mass=mass,
    )
    packed = pack_box(composition, species, start="random", seed=7)
    recipe = make_recipe(forcefield, "Mg", "TFSI", "DME")
    prepared = make_system(packed, species, field, recipe, charge_scale=0.75)
    audit = audit_system(prepared)
    assert audit["charge"] == pytest.approx(0, abs=1e-6)
    assert {residue.name for residue in prepared.topology.residues()} == set(field.coverage)
    context = openmm.Context(
        prepared.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("CPU"),
        {"Threads": "1"},
    )
    context.setPositions(prepared.positions * unit.angstrom)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 200)
    relaxed = context.getState(getEnergy=True, getPositions=True)
    energy = relaxed.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy < sum(audit["energies"].values())
    x = relaxed.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    assert all(off < 15 for off in measure_octahedra(prepared, x))
    measure_cages(prepared, x)


def make_recipe(forcefield: str, cation: str, anion: str, solvent: str) -> Recipe:
    ratio = 200 / find_species(solvent).n_atoms
    return parse_recipe(
        {
            "name": "box",
            "salt": [{"cation": cation, "anion": anion, "solvent_ratio": round(ratio)}],
            "solvent": [{"name": solvent}],
            "model": {"forcefield": forcefield, "cutoff": "6 angstrom"},
            "box": {"cations": 1},
            "protocol": {"profile": "quick"},
        }
    ).resolve()


def measure_octahedra(prepared: Prepared, x: np.ndarray) -> list[float]:
    """Widest departure of an F-P-F angle from 90 or 180 degrees, by PF6."""
    found = []
    for residue in prepared.topology.residues():
        if residue.name != "PF6":
            continue
        centre, *six = (x[atom.index] for atom in residue.atoms())
        rays = np.array(six) - centre
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles = np.degrees(np.arccos(np.clip(rays @ rays.T, -1, 1)))[np.triu_indices(6, 1)]
        found.append(float(np.minimum(abs(angles - 90), abs(angles - 180)).max()))
        assert (angles > 135).sum() == 3
    return found


def measure_cages(prepared: Prepared, x: np.ndarray) -> None:
    """Check that the twelve atoms of every carborane are still near a sphere of radius 1.7 Å."""
    for residue in prepared.topology.residues():
        if residue.name in ("CB11H12", "FCB11H11"):
            cage = np.array([x[a.index] for a in residue.atoms() if a.element.symbol in ("C", "B")])
            radii = np.linalg.norm(cage - cage.mean(axis=0), axis=1)
            assert len(radii) == 12
            assert 1.45 < radii.min() < radii.max() < 1.9


@pytest.mark.parametrize(
    ("forcefield", "cation", "anion", "solvent", "start"),
    BOXES,
    ids=lambda value: str(value),
)
def test_a_box_builds_minimises_and_runs(
    forcefield: str, cation: str, anion: str, solvent: str, start: str
) -> None:
    recipe = make_recipe(forcefield, cation, anion, solvent)
    composition = compose(recipe)
    species = {name: find_species(name) for name in composition.counts}
    packed = pack_box(composition, species, start=start, seed=7)
    scale = 1.0 if is_polarizable(forcefield) else 0.75
    prepared = make_system(packed, species, load_forcefield(forcefield), recipe, charge_scale=scale)
    audit = audit_system(prepared)
    assert audit["charge"] == pytest.approx(0, abs=1e-6)

    if scale == 1.0:
        integrator = make_drude_integrator(300.0, 5.0, 0.001, seed=3)
    else:
        integrator = openmm.LangevinMiddleIntegrator(300.0, 5.0, 0.002)
        integrator.setRandomNumberSeed(3)
    context = openmm.Context(
        prepared.system,
        integrator,
        openmm.Platform.getPlatformByName("CPU"),
        {"Threads": "1"},
    )
    context.setPositions(extend_positions(prepared.system, prepared.positions) * unit.angstrom)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 200)
    relaxed = context.getState(getEnergy=True, getPositions=True)
    energy = relaxed.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert energy < sum(audit["energies"].values())
    x = relaxed.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    assert all(off < 15 for off in measure_octahedra(prepared, x))

    pairs = list_pairs(prepared.system)
    if pairs is None:
        context.setVelocitiesToTemperature(300.0, 3)
    else:
        set_velocities(context, pairs, 300.0, seed=3)
    integrator.step(100)
    state = context.getState(getEnergy=True, getPositions=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert np.isfinite(energy)
    x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    lengths = {True: [0.0], False: []}
    for a, b in prepared.topology.bonds():
        lengths["Al" in (a.element.symbol, b.element.symbol)].append(
            float(np.linalg.norm(x[a.index] - x[b.index]))
        )
    assert min(lengths[False]) > 0.9
    assert max(lengths[False]) < 2.1
    assert max(lengths[True]) < 2.4
    measure_octahedra(prepared, x)
    measure_cages(prepared, x)
