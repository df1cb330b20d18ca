"""Force terms against sums written out in NumPy and against OpenMM's slow general forces."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import openmm
import pytest
from numpy.typing import NDArray
from openmm import app, unit

from solvation.build.forcefield import load_forcefield
from solvation.build.molecule import embed_cluster, pick_donors
from solvation.build.system import Prepared
from solvation.build.terms import (
    TERMS,
    apply_geometric_mixing,
    assign_groups,
    drop_opposite_angles,
    read_energies,
    scale_charges,
)
from solvation.library import find_species

from .energy_by_hand import COULOMB, Molecule

FORCEFIELD = load_forcefield("opls-clp")


def measure(
    system: openmm.System, x: NDArray[np.float64], **groups: Any
) -> tuple[float, NDArray[np.float64]]:
    """Energy in kJ/mol and forces in kJ/(mol nm) at positions in nm."""
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(x)
    state = context.getState(getEnergy=True, getForces=True, **groups)
    return (
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer),
    )


def find_nonbonded(system: openmm.System) -> list[openmm.NonbondedForce]:
    return [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]


def clone(system: openmm.System) -> openmm.System:
    return openmm.XmlSerializer.clone(system)


# An isolated cluster ------------------------------------------------------------------------


def make_cluster(seed: int) -> tuple[app.Topology, NDArray[np.float64], list[Molecule]]:
    """Mg(TFSI)2(DME): topology, positions in nm, and the molecules as the file has them."""
    tfsi, dme = find_species("TFSI"), find_species("DME")
    single = pick_donors(tfsi, single=True)
    cluster = embed_cluster(
        find_species("Mg"), [(tfsi, single), (tfsi, single), (dme, pick_donors(dme))], seed=seed
    )
    topology = app.Topology()
    chain = topology.addChain()
    for molecule in cluster.molecules:
        residue = topology.addResidue(molecule.name, chain)
        atoms = [
            topology.addAtom(name, app.Element.getBySymbol(element), residue)
            for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
        ]
        for i, j in molecule.bonds:
            topology.addBond(atoms[i], atoms[j])
    x = np.concatenate([molecule.positions for molecule in cluster.molecules]) / 10
    x += np.random.default_rng(seed).normal(scale=0.003, size=x.shape)
    return topology, x, [Molecule(FORCEFIELD.files, m.name) for m in cluster.molecules]


def sum_by_hand(
    molecules: list[Molecule], x: NDArray[np.float64], scale: dict[str, float]
) -> tuple[float, float]:
    """Coulomb and geometric Lennard-Jones energy of a cluster; charges of residues scaled."""
    rows = {a.attrib["type"]: a.attrib for a in molecules[0].root.iterfind("NonbondedForce/Atom")}
    parts = np.split(x, np.cumsum([len(m.types) for m in molecules])[:-1])
    factors = [scale.get(m.elements[0], 1.0) for m in molecules]
    coulomb = lj = 0.0
    for molecule, part, factor in zip(molecules, parts, factors, strict=True):
        q, u = molecule.nonbonded_energies(part, geometric=True)
        coulomb += factor**2 * q
        lj += u
    for a, b in itertools.combinations(range(len(molecules)), 2):
        for i, j in itertools.product(
            range(len(molecules[a].types)), range(len(molecules[b].types))
        ):
            first, second = rows[molecules[a].types[i]], rows[molecules[b].types[j]]
            r = float(np.linalg.norm(parts[a][i] - parts[b][j]))
            sigma = math.sqrt(float(first["sigma"]) * float(second["sigma"]))
            epsilon = math.sqrt(float(first["epsilon"]) * float(second["epsilon"]))
            lj += 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)
            charges = molecules[a].charges[i] * molecules[b].charges[j]
            coulomb += COULOMB * factors[a] * factors[b] * charges / r
    return coulomb, lj


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cluster_has_the_geometric_sum(seed: int) -> None:
    topology, x, molecules = make_cluster(seed)
    system = app.ForceField(*map(str, FORCEFIELD.files)).createSystem(topology)
    before, _ = measure(system, x)
    apply_geometric_mixing(system)
    assign_groups(system)
    coulomb, lj = sum_by_hand(molecules, x, {})
    nonbonded, _ = measure(system, x, groups={3, 4, 5})
    after, _ = measure(system, x)
    assert nonbonded == pytest.approx(coulomb + lj, rel=1e-6)
    assert abs(after - before) > 1.0, "the mixing rule must matter here"


def test_energies_of_every_term_of_one_molecule() -> None:
    """Bonds, angles and torsions by hand; the parts add up to the whole."""
    topology, x, molecules = make_cluster(1)
    system = app.ForceField(*map(str, FORCEFIELD.files)).createSystem(topology)
    apply_geometric_mixing(system)
    assign_groups(system)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(x)
    energies = read_energies(context)
    assert tuple(energies) == TERMS
    parts = np.split(x, np.cumsum([len(m.types) for m in molecules])[:-1])
    pairs = list(zip(molecules, parts, strict=True))
    assert energies["bond"] == pytest.approx(sum(m.bond_energy(p) for m, p in pairs), rel=1e-6)
    assert energies["angle"] == pytest.approx(sum(m.angle_energy(p) for m, p in pairs), rel=1e-6)
    assert energies["torsion"] == pytest.approx(
        sum(m.torsion_energy(p) for m, p in pairs), rel=1e-6
    )
    assert sum(energies.values()) == pytest.approx(measure(system, x)[0], rel=1e-9)


# Charges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mixing_first", [True, False])
def test_scaled_charges_by_hand(mixing_first: bool) -> None:
    """Ion–ion energies take the factor twice, ion–solvent once, solvents not at all."""
    factor = 0.7
    topology, x, molecules = make_cluster(2)
    system = app.ForceField(*map(str, FORCEFIELD.files)).createSystem(topology)
    ions = [a.index for r in topology.residues() if r.name != "DME" for a in r.atoms()]
    if mixing_first:
        apply_geometric_mixing(system)
    scale_charges(system, ions, factor)
    if not mixing_first:
        apply_geometric_mixing(system)
    assign_groups(system)
    scale = {"Mg": factor, molecules[1].elements[0]: factor}
    assert molecules[3].elements[0] not in scale
    coulomb, lj = sum_by_hand(molecules, x, scale)
    assert measure(system, x, groups={3, 4, 5})[0] == pytest.approx(coulomb + lj, rel=1e-6)


def test_scaling_touches_charges_of_ions_and_their_products_only() -> None:
    topology, _, _ = make_cluster(1)
    reference = app.ForceField(*map(str, FORCEFIELD.files)).createSystem(topology)
    scaled = clone(reference)
    ions = {a.index for r in topology.residues() if r.name != "DME" for a in r.atoms()}
    scale_charges(scaled, sorted(ions), 0.5)
    (before,), (after,) = find_nonbonded(reference), find_nonbonded(scaled)
    for i in range(before.getNumParticles()):
        q, *rest = before.getParticleParameters(i)
        p, *same = after.getParticleParameters(i)
        assert p / q == pytest.approx(0.5 if i in ions else 1.0)
        assert rest == same
    n_products = 0
    for k in range(before.getNumExceptions()):
        i, j, product, *rest = before.getExceptionParameters(k)
        i2, j2, product2, *same = after.getExceptionParameters(k)
        assert (i, j, rest) == (i2, j2, same)
        assert product2 == product * (0.25 if i in ions else 1.0)
        n_products += bool(product)
    assert n_products > 20


def test_an_exception_between_an_ion_and_a_solvent_takes_the_factor_once() -> None:
    system = openmm.System()
    force = openmm.NonbondedForce()
    for charge in (1.0, -1.0):
        system.addParticle(1.0)
        force.addParticle(charge, 0.3, 1.0)
    force.addException(0, 1, -0.5, 0.3, 1.0)
    system.addForce(force)
    scale_charges(system, [0], 0.8)
    product = force.getExceptionParameters(0)[2].value_in_unit(unit.elementary_charge**2)
    assert product == pytest.approx(-0.4)


# Octahedra ----------------------------------------------------------------------------------


def make_octahedra(order: list[int]) -> tuple[openmm.System, NDArray[np.float64]]:
    """Two AX6 with 90 degrees on all 15 pairs; neighbours in a given order along +x -x +y ..."""
    axes = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    x = np.concatenate([[[0, 0, 0]], axes[order]]) * 0.16
    x = np.concatenate([x, x + 1.0])
    system = openmm.System()
    force = openmm.HarmonicAngleForce()
    for start in (0, 7):
        for _ in range(7):
            system.addParticle(19.0)
        for i, k in itertools.combinations(range(1, 7), 2):
            force.addAngle(start + i, start, start + k, math.pi / 2, 1165.0)
    system.addForce(force)
    return system, x


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [0, 2, 4, 1, 3, 5], [5, 0, 3, 2, 1, 4]])
def test_opposite_angles_are_dropped_whatever_the_order_of_atoms(order: list[int]) -> None:
    system, x = make_octahedra(order)
    assert measure(system, x)[0] == pytest.approx(6 * 0.5 * 1165 * (math.pi / 2) ** 2)
    drop_opposite_angles(system, [0, 7], x)
    (force,) = system.getForces()
    assert force.getNumAngles() == 24
    assert measure(system, x)[0] == pytest.approx(0, abs=1e-6)


def test_no_octahedron_is_refused() -> None:
    system, x = make_octahedra([0, 1, 2, 3, 4, 5])
    x[1] = x[3] + 0.05
    with pytest.raises(ValueError, match="6 neighbours of atom 0 form no octahedron"):
        drop_opposite_angles(system, [0], x)


# A periodic box -----------------------------------------------------------------------------


def make_pair_force(system: openmm.System) -> openmm.System:
    """The same Lennard-Jones terms with OpenMM's general forces, A1 A2 / r^12 - B1 B2 / r^6."""
    (source,) = find_nonbonded(system)
    made = openmm.System()
    made.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    pair = openmm.CustomNonbondedForce("a1*a2/r^12 - b1*b2/r^6")
    pair.addPerParticleParameter("a")
    pair.addPerParticleParameter("b")
    pair.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    pair.setCutoffDistance(source.getCutoffDistance())
    pair.setUseLongRangeCorrection(True)
    near = openmm.CustomBondForce("4*e*((s/r)^12 - (s/r)^6)")
    near.addPerBondParameter("s")
    near.addPerBondParameter("e")
    sigmas = []
    for i in range(system.getNumParticles()):
        made.addParticle(1.0)
        _, sigma, epsilon = source.getParticleParameters(i)
        s, e = sigma.value_in_unit(unit.nanometer), epsilon.value_in_unit(unit.kilojoule_per_mole)
        sigmas.append(s)
        pair.addParticle([math.sqrt(4 * e * s**12), math.sqrt(4 * e * s**6)])
    for k in range(source.getNumExceptions()):
        i, j, _, _, epsilon = source.getExceptionParameters(k)
        pair.addExclusion(i, j)
        e = epsilon.value_in_unit(unit.kilojoule_per_mole)
        if e:
            near.addBond(i, j, [math.sqrt(sigmas[i] * sigmas[j]), e])
    made.addForce(pair)
    made.addForce(near)
    return made


@pytest.fixture(scope="module")
def liquid(prepared: Prepared) -> tuple[openmm.System, openmm.System, NDArray[np.float64]]:
    """Uncharged Lennard-Jones terms of a box: ours, the general ones, positions in nm."""
    field = app.ForceField(*map(str, FORCEFIELD.files))
    system = field.createSystem(
        prepared.topology, nonbondedMethod=app.PME, nonbondedCutoff=0.8, constraints=None
    )
    for index in reversed(range(system.getNumForces())):
        if not isinstance(system.getForce(index), openmm.NonbondedForce):
            system.removeForce(index)
    (force,) = find_nonbonded(system)
    for i in range(force.getNumParticles()):
        _, sigma, epsilon = force.getParticleParameters(i)
        force.setParticleParameters(i, 0.0, sigma, epsilon)
    for k in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(k)
        force.setExceptionParameters(k, i, j, 0.0, sigma, epsilon)
    general = make_pair_force(system)
    apply_geometric_mixing(system)
    return system, general, prepared.positions / 10


def test_a_box_has_energy_and_forces_of_the_pair_force(liquid) -> None:
    ours, general, x = liquid
    energy, forces = measure(ours, x)
    expected, reference = measure(general, x)
    assert energy == pytest.approx(expected, rel=1e-5)
    worst = np.linalg.norm(forces - reference, axis=1).max()
    assert worst < 1e-4 * np.linalg.norm(reference, axis=1).mean()


def test_the_dispersion_correction_is_that_of_the_pair_force(liquid) -> None:
    parts = []
    for system in liquid[:2]:
        copy = clone(system)
        for force in copy.getForces():
            if isinstance(force, openmm.NonbondedForce):
                assert force.getUseDispersionCorrection()
                force.setUseDispersionCorrection(False)
            elif isinstance(force, openmm.CustomNonbondedForce):
                force.setUseLongRangeCorrection(False)
        parts.append(measure(system, liquid[2])[0] - measure(copy, liquid[2])[0])
    assert parts[0] == pytest.approx(parts[1], rel=1e-4)
    assert parts[1] < -10


def test_the_pressure_is_that_of_the_pair_force(prepared: Prepared, liquid) -> None:
    """-dU/dV by moving molecules as wholes in a slightly larger and smaller box."""
    molecules = [[a.index for a in r.atoms()] for r in prepared.topology.residues()]
    pressures = []
    for system in liquid[:2]:
        energies = []
        for step in (-1, 1):
            factor = (1 + step * 1e-5) ** (1 / 3)
            x = liquid[2].copy()
            for atoms in molecules:
                x[atoms] += x[atoms].mean(axis=0) * (factor - 1)
            copy = clone(system)
            edge = prepared.edge / 10 * factor
            copy.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
            energies.append(measure(copy, x)[0])
        pressures.append(energies[0] - energies[1])
    assert pressures[0] == pytest.approx(pressures[1], rel=1e-4)
    assert abs(pressures[0]) > 1e-3


def test_forces_are_minus_the_gradient(prepared: Prepared) -> None:
    """Of the whole system, PME and all, along random directions."""
    x = prepared.positions / 10
    random = np.random.default_rng(5)
    _, forces = measure(prepared.system, x)
    for _ in range(3):
        direction = random.normal(size=x.shape)
        direction /= np.linalg.norm(direction)
        h = 1e-6
        change = (
            measure(prepared.system, x + h * direction)[0]
            - measure(prepared.system, x - h * direction)[0]
        )
        assert change / (2 * h) == pytest.approx(-(forces * direction).sum(), rel=1e-5)


def test_moving_or_wrapping_everything_changes_nothing(prepared: Prepared) -> None:
    x = prepared.positions / 10
    edge = prepared.edge / 10
    energy, _ = measure(prepared.system, x)
    cells = np.random.default_rng(1).integers(-2, 3, size=(prepared.topology.getNumResidues(), 3))
    owner = [atom.residue.index for atom in prepared.topology.atoms()]
    assert measure(prepared.system, x + edge * cells[owner])[0] == pytest.approx(energy, rel=1e-8)
    moved, _ = measure(prepared.system, x + np.array([0.3, -0.7, 0.1]))
    assert moved == pytest.approx(energy, rel=1e-4)  # PME's mesh stays where it is


# What cannot be -----------------------------------------------------------------------------


def test_what_cannot_be_mixed() -> None:
    system = openmm.System()
    with pytest.raises(ValueError, match="0 NonbondedForces"):
        apply_geometric_mixing(system)
    for _ in range(2):
        system.addForce(openmm.NonbondedForce())
    with pytest.raises(ValueError, match="2 NonbondedForces"):
        apply_geometric_mixing(system)
    system = openmm.System()
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.LJPME)
    system.addForce(force)
    with pytest.raises(ValueError, match="LJPME"):
        apply_geometric_mixing(system)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("NoCutoff", "NoCutoff"), ("CutoffNonPeriodic", "CutoffNonPeriodic"),
     ("CutoffPeriodic", "CutoffPeriodic"), ("PME", "CutoffPeriodic"), ("Ewald", "CutoffPeriodic")],
)  # fmt: skip
def test_the_attraction_has_the_method_and_cutoff_of_the_rest(method: str, expected: str) -> None:
    system = openmm.System()
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(getattr(openmm.NonbondedForce, method))
    force.setCutoffDistance(0.77)
    force.setUseSwitchingFunction(True)
    force.setSwitchingDistance(0.66)
    force.setUseDispersionCorrection(False)
    system.addForce(force)
    apply_geometric_mixing(system)
    other = find_nonbonded(system)[1]
    assert other.getName() == "Dispersion"
    assert other.getNonbondedMethod() == getattr(openmm.NonbondedForce, expected)
    assert other.getCutoffDistance() == 0.77 * unit.nanometer
    assert other.getSwitchingDistance() == 0.66 * unit.nanometer
    assert other.getUseSwitchingFunction()
    assert not other.getUseDispersionCorrection()
