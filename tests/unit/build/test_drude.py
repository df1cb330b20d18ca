"""Induced dipoles against closed forms and against sums written out in NumPy."""

from __future__ import annotations

import math

import numpy as np
import openmm
import pytest
from numpy.typing import NDArray
from openmm import app, unit

from solvation.build.drude import COULOMB, extend_positions
from solvation.build.forcefield import ForceField, load_forcefield
from solvation.build.ionset import choose_ions
from solvation.build.molecule import Molecule as Shape
from solvation.build.molecule import embed_cluster, embed_molecule, pick_donors
from solvation.build.polarization import read_polarization
from solvation.build.system import finish_system
from solvation.build.terms import drop_opposite_angles, set_lennard_jones
from solvation.library import find_species

from .drude_by_hand import Box
from .energy_by_hand import Molecule

SPRING = 418400.0
"""kJ/mol/nm2; 1000 kcal/mol/A2."""
NONBONDED = {3, 4, 5, 6, 7, 8}


@pytest.fixture(scope="module")
def forcefield() -> ForceField:
    return load_forcefield("clpol-drude")


def make_topology(shapes: list[Shape], edge: float | None = None) -> app.Topology:
    topology = app.Topology()
    chain = topology.addChain()
    for shape in shapes:
        residue = topology.addResidue(shape.name, chain)
        atoms = [
            topology.addAtom(name, app.Element.getBySymbol(element), residue)
            for name, element in zip(shape.atom_names, shape.elements, strict=True)
        ]
        for i, j in shape.bonds:
            topology.addBond(atoms[i], atoms[j])
    if edge:
        topology.setUnitCellDimensions([edge] * 3 * unit.nanometer)
    return topology


def make_system(
    forcefield: ForceField, shapes: list[Shape], x: NDArray[np.float64], edge: float | None = None,
    cutoff: float = 0.9,
) -> openmm.System:  # fmt: skip
    """System in vacuum, or in a box with PME to 1e-6 and no correction for the cutoff."""
    topology = make_topology(shapes, edge)
    periodic = {
        "nonbondedMethod": app.PME,
        "nonbondedCutoff": cutoff,
        "ewaldErrorTolerance": 1e-7,
    }
    field = app.ForceField(*map(str, forcefield.files))
    system = field.createSystem(topology, **(periodic if edge else {}))
    (force,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    force.setUseDispersionCorrection(False)
    centres = [a.index for a in topology.atoms() if a.element.symbol == "P"]
    if centres:
        drop_opposite_angles(system, centres, x)
    names = [shape.name for shape in shapes]
    for ion, (sigma, epsilon) in choose_ions(forcefield, "default", names).items():
        chosen = [a.index for r in topology.residues() if r.name == ion for a in r.atoms()]
        set_lennard_jones(system, chosen, sigma, epsilon)
    finish_system(system, topology, forcefield)
    return system


def open_context(system: openmm.System, x: NDArray[np.float64]) -> openmm.Context:
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(x)
    return context


def measure(context: openmm.Context, groups: set[int]) -> float:
    energy = context.getState(getEnergy=True, groups=groups).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))


def by_hand(forcefield: ForceField, shapes: list[Shape]) -> Box:
    molecules = [Molecule(forcefield.files, shape.name) for shape in shapes]
    box = Box(forcefield.folder / "card.toml", [shape.name for shape in shapes], molecules)
    chosen = choose_ions(forcefield, "default", [shape.name for shape in shapes])
    box.lj = [chosen.get(s, lj) for s, lj in zip(box.species, box.lj, strict=True)]
    return box


def displace(system: openmm.System, x: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Put Drude particles a few hundredths of an angstrom off their cores."""
    extended = extend_positions(system, x)
    noise = np.random.default_rng(seed).normal(scale=0.005, size=extended.shape)
    noise[: len(x)] *= 0.5
    return extended + noise


ALONE = ("DME", "G2", "G3", "G4", "THF", "TFSI", "FSI", "OTf", "BF4", "PF6", "Na", "Ca")


def test_every_polarizable_species_is_tested(forcefield: ForceField) -> None:
    assert set(ALONE) | {"Li", "Mg"} == set(forcefield.coverage)


@pytest.mark.parametrize("name", ALONE)
def test_energy_of_every_species(forcefield: ForceField, name: str) -> None:
    shape = embed_molecule(find_species(name), seed=3)
    system = make_system(forcefield, [shape], shape.positions / 10)
    x = displace(system, shape.positions / 10, 5)
    expected = by_hand(forcefield, [shape]).energies(x)
    found = measure(open_context(system, x), NONBONDED)
    assert expected["spring"] > 0
    assert found == pytest.approx(sum(expected.values()), rel=1e-5)


def make_cluster(cation: str, anion: str, solvent: str) -> list[Shape]:
    ligands = [(find_species(name), name == anion) for name in (anion, anion, solvent)]
    cluster = embed_cluster(
        find_species(cation), [(s, pick_donors(s, single=one)) for s, one in ligands], seed=4
    )
    return list(cluster.molecules)


@pytest.mark.parametrize(
    ("cation", "anion", "solvent"),
    [("Mg", "TFSI", "DME"), ("Ca", "OTf", "THF"), ("Li", "BF4", "DME"), ("Na", "PF6", "THF"),
     ("Mg", "FSI", "THF"), ("Ca", "BF4", "THF"), ("Li", "OTf", "DME"), ("Na", "PF6", "DME")],
)  # fmt: skip
def test_energy_of_clusters(forcefield: ForceField, cation: str, anion: str, solvent: str) -> None:
    """Every pair of fragments, damping, and full interactions between molecules."""
    shapes = make_cluster(cation, anion, solvent)
    flat = np.concatenate([shape.positions for shape in shapes]) / 10
    system = make_system(forcefield, shapes, flat)
    x = displace(system, flat, 6)
    expected = by_hand(forcefield, shapes).energies(x)
    context = open_context(system, x)
    assert measure(context, {8}) == pytest.approx(expected["damping"], rel=1e-5)
    assert measure(context, NONBONDED) == pytest.approx(sum(expected.values()), rel=1e-5)
    assert measure(context, {6}) != 0, "nothing tested the correction between fragments"


def test_energy_of_a_periodic_box(forcefield: ForceField) -> None:
    """Against an Ewald sum; the box cuts molecules in two."""
    shapes = make_cluster("Ca", "BF4", "DME")
    second = [embed_molecule(find_species(name), seed=2) for name in ("THF", "DME", "OTf", "Na")]
    offsets = np.array([[0, 9, 9], [9, 0, 9], [9, 9, 0], [5.0, 9, 2]])
    parts = [shape.positions for shape in shapes]
    parts += [s.positions + off for s, off in zip(second, offsets, strict=True)]
    shapes = [*shapes, *second]
    flat = np.concatenate(parts) / 10
    system = make_system(forcefield, shapes, flat, edge=2.0)
    x = displace(system, flat, 8)
    expected = by_hand(forcefield, shapes).energies(x, edge=2.0, cutoff=0.9)
    found = measure(open_context(system, x), NONBONDED)
    assert found == pytest.approx(sum(expected.values()), rel=1e-5)


def test_forces_are_minus_the_gradient(forcefield: ForceField) -> None:
    shapes = make_cluster("Ca", "TFSI", "DME")
    flat = np.concatenate([shape.positions for shape in shapes]) / 10
    system = make_system(forcefield, shapes, flat)
    x = displace(system, flat, 7)
    context = open_context(system, x)
    state = context.getState(getForces=True)
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    random = np.random.default_rng(1)
    everything = set(range(9))
    for _ in range(8):
        way = random.normal(size=x.shape)
        way /= np.linalg.norm(way)
        sides = []
        for step in (1e-5, -1e-5):
            context.setPositions(x + step * way)
            sides.append(measure(context, everything))
        slope = (sides[0] - sides[1]) / 2e-5
        assert -slope == pytest.approx(float((forces * way).sum()), rel=1e-5, abs=1e-2)


def induce(
    system: openmm.System, x: NDArray[np.float64], field: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Dipole in e nm that a field (kJ/mol/e/nm) induces while the atoms are held."""
    clone = openmm.XmlSerializer.clone(system)
    external = openmm.CustomExternalForce("-q*(ex*x + ey*y + ez*z)")
    for name, value in zip(("ex", "ey", "ez"), field, strict=True):
        external.addGlobalParameter(name, float(value))
    external.addPerParticleParameter("q")
    charged = next(f for f in clone.getForces() if f.getName() == "CoulombRepulsion")
    charges = np.array(
        [charged.getParticleParameters(k)[0]._value for k in range(clone.getNumParticles())]
    )
    for index, charge in enumerate(charges):
        external.addParticle(index, [charge])
    clone.addForce(external)
    y = extend_positions(clone, x)
    context = open_context(clone, y)
    for _ in range(200):  # every spring to where the forces of the others balance it
        state = context.getState(getForces=True)
        forces = state.getForces(asNumpy=True)._value
        y[len(x) :] += forces[len(x) :] / SPRING
        context.setPositions(y)
        if np.abs(forces[len(x) :]).max() < 1e-8:
            break
    return np.asarray(charges @ y)


def take_charges(system: openmm.System, box: Box) -> None:
    """Leave only the charges of dipoles in a system, in place."""
    force = next(f for f in system.getForces() if f.getName() == "CoulombRepulsion")
    for index, d in enumerate(box.induced):
        _, sigma, epsilon = force.getParticleParameters(index)
        force.setParticleParameters(index, d, sigma, epsilon)
    for index in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(index)
        force.setExceptionParameters(index, i, j, 0.0, sigma, epsilon)


def test_dipole_of_one_atom_in_a_field(forcefield: ForceField) -> None:
    shape = embed_molecule(find_species("Ca"), seed=1)
    system = make_system(forcefield, [shape], shape.positions)
    field = np.array([300.0, -200.0, 100.0])
    dipole = induce(system, shape.positions, field)
    assert dipole == pytest.approx(0.49e-3 / COULOMB * field, rel=1e-5)


def test_polarizability_of_dme(forcefield: ForceField) -> None:
    """Against coupled point dipoles, solved as a linear system; against experiment, 9.7-10 A3."""
    shape = embed_molecule(find_species("DME"), seed=3)
    x = shape.positions / 10
    system = make_system(forcefield, [shape], x)
    strength = 20.0

    def find_tensor() -> NDArray[np.float64]:
        fields = strength * np.eye(3)
        tensor = np.array([induce(system, x, f) - induce(system, x, -f) for f in fields])
        return tensor * COULOMB / (2 * strength) * 1000

    charged = find_tensor()
    box = by_hand(forcefield, [shape])
    take_charges(system, box)
    tensor = find_tensor()
    sites, thole = box.sites, box.table["thole"]
    matrix = np.zeros((3 * len(sites), 3 * len(sites)))
    for a, i in enumerate(sites):
        matrix[3 * a : 3 * a + 3, 3 * a : 3 * a + 3] = np.eye(3) / box.alpha[i]
        for b, j in enumerate(sites):
            if a == b:
                continue
            d = x[i] - x[j]
            r = float(np.linalg.norm(d))
            u = thole / (box.alpha[i] * box.alpha[j]) ** (1 / 6)
            block = np.eye(3) / r**3 - 3 * np.outer(d, d) / r**5
            if box.apart[min(i, j), max(i, j)] < 4:
                # minus the second derivatives of S(r)/r, S = 1 - (1 + ur/2) exp(-ur)
                t, e = u * r, math.exp(-u * r)
                first = -(1 - e * (1 + t + t**2 / 2)) / r**2
                second = (2 - e * (2 + 2 * t + t**2 + t**3 / 2)) / r**3
                n = d / r
                block = -(second * np.outer(n, n) + first / r * (np.eye(3) - np.outer(n, n)))
            matrix[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] = block
    inverse = np.linalg.inv(matrix).reshape(len(sites), 3, len(sites), 3)
    expected = inverse.sum(axis=(0, 2)) * 1000
    assert tensor == pytest.approx(expected, rel=1e-5, abs=1e-5)
    # the molecule's own charges push the springs a little out of their linear range
    assert charged == pytest.approx(expected, rel=1e-2, abs=1e-1)
    mean = float(np.trace(charged)) / 3
    assert sum(box.alpha) * 1000 == pytest.approx(4 * 1.016 + 10 * 0.323 + 2 * 1.144)
    assert mean == pytest.approx(9.85, rel=0.1)


def test_charges_and_masses_are_those_of_the_atoms(forcefield: ForceField) -> None:
    shapes = make_cluster("Mg", "TFSI", "DME")
    flat = np.concatenate([shape.positions for shape in shapes]) / 10
    system = make_system(forcefield, shapes, flat)
    plain = app.ForceField(*map(str, forcefield.files)).createSystem(make_topology(shapes))
    whole = [
        sum(s.getParticleMass(k)._value for k in range(s.getNumParticles()))
        for s in (system, plain)
    ]
    assert whole[0] == pytest.approx(whole[1], rel=1e-12)
    charged = next(f for f in system.getForces() if f.getName() == "CoulombRepulsion")
    total = sum(charged.getParticleParameters(k)[0]._value for k in range(len(flat) * 2)
                if k < system.getNumParticles())  # fmt: skip
    assert total == pytest.approx(0, abs=1e-9)
    polarization = read_polarization(forcefield)
    assert polarization is not None
    heavy = sum(e != "H" for shape in shapes for e in shape.elements)
    assert system.getNumParticles() - len(flat) == heavy - 1  # Mg has no dipole


def test_forces_share_their_exclusions(forcefield: ForceField) -> None:
    """GPU platforms insist on it."""
    shapes = make_cluster("Ca", "TFSI", "DME")
    flat = np.concatenate([shape.positions for shape in shapes]) / 10
    system = make_system(forcefield, shapes, flat)
    found = []
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            pairs = [force.getExceptionParameters(k)[:2] for k in range(force.getNumExceptions())]
        elif isinstance(force, openmm.CustomNonbondedForce):
            pairs = [force.getExclusionParticles(k) for k in range(force.getNumExclusions())]
        else:
            continue
        found.append({tuple(sorted(pair)) for pair in pairs})
    assert len(found) == 4
    assert all(pairs == found[0] for pairs in found)
