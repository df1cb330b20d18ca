"""System: packed molecules with forces on them, ready to run and kept as four files."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build.drude import add_damping, add_drudes, extend_positions, scale_fragments
from solvation.build.ionset import Induction, choose_induction, choose_ions
from solvation.build.polarization import read_polarization
from solvation.build.terms import (
    add_induction,
    apply_geometric_mixing,
    assign_groups,
    drop_opposite_angles,
    scale_charges,
    set_lennard_jones,
)
from solvation.errors import AuditError, ForceFieldError, MissingParameterError, RecipeError
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray
    from openmm import app

    from solvation.build.forcefield import ForceField
    from solvation.build.molecule import Molecule
    from solvation.build.packing import Packed
    from solvation.library import Species
    from solvation.recipe import Recipe

__all__ = ["Prepared", "finish_system", "isolate_molecule", "make_system", "save_prepared"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a simulation starts from."""

    system: openmm.System
    """Forces, masses, constraints, box; its Drude particles follow the atoms."""
    topology: app.Topology
    """Atoms, residues named like the species, bonds, box."""
    positions: NDArray[np.float64]
    """Å, shape ``(n_atoms, 3)``."""
    edge: float
    """Edge of the cubic box, Å."""
    charge_scale: float
    """Factor that the charges of the ions carry."""


def make_system(
    packed: Packed,
    species: Mapping[str, Species],
    forcefield: ForceField,
    recipe: Recipe,
    *,
    charge_scale: float,
) -> Prepared:
    """Put the force field on packed molecules.

    X–H bonds are constrained and hydrogens made heavier (mass taken from their neighbour), which
    is what lets a time step of 4 fs conserve energy (Hopkins et al., J. Chem. Theory Comput. 2015,
    11, 1864, 10.1021/ct5010406). Water is rigid altogether and keeps its masses.

    Raises
    ------
    MissingParameterError
        If the force field lacks a species or a term.
    RecipeError
        If ``model.ions`` cannot be had.
    AuditError
        If an ion that should be an octahedron is none.
    ForceFieldError
        If a script of the force field fails.
    """
    from openmm import app, unit

    hydrogen_mass = _hydrogen_mass(recipe)
    topology = _make_topology(packed)
    field = app.ForceField(*(str(file) for file in (*forcefield.files, *forcefield.extra)))
    waters = [
        residue
        for residue in topology.residues()
        if [atom.element.symbol for atom in residue.atoms()] == ["O", "H", "H"]
    ]
    names = [residue.name for residue in waters]
    for residue in waters:
        residue.name = "HOH"  # the only residue that OpenMM keeps rigid
    try:
        system = field.createSystem(
            topology,
            nonbondedMethod=app.PME,
            nonbondedCutoff=recipe.model.cutoff.magnitude * unit.angstrom,
            constraints=app.HBonds,
            rigidWater=True,
            hydrogenMass=hydrogen_mass * unit.dalton,
            removeCMMotion=False,
            ewaldErrorTolerance=5e-4,
        )
    except ValueError as error:
        raise MissingParameterError(
            f"force field {forcefield.name}: {str(error).splitlines()[0]}"
        ) from error
    except Exception as error:  # of a script that the user has allowed
        raise ForceFieldError(
            f"force field {forcefield.name}: {type(error).__name__}: {str(error).splitlines()[0]}; "
            "correct its script"
        ) from error
    for residue, name in zip(waters, names, strict=True):
        residue.name = name
    octahedral = forcefield.card.get("octahedral", {})
    centres = [
        atom.index
        for residue in topology.residues()
        for atom in residue.atoms()
        if octahedral.get(residue.name) == atom.name
    ]
    if centres:
        try:
            drop_opposite_angles(system, centres, packed.positions)
        except ValueError as error:
            raise AuditError(f"{error}; build again with another protocol.seed") from error
    for ion, (sigma, epsilon) in choose_ions(forcefield, recipe.model.ions, species).items():
        chosen = [a.index for r in topology.residues() if r.name == ion for a in r.atoms()]
        set_lennard_jones(system, chosen, sigma, epsilon)
    ionic = [
        atom.index
        for residue in topology.residues()
        if species[residue.name].charge
        for atom in residue.atoms()
    ]
    if charge_scale != 1.0:
        scale_charges(system, ionic, charge_scale)
    induction = choose_induction(forcefield, recipe.model.ions, species, charge_scale=charge_scale)
    finish_system(system, topology, forcefield, induction)
    return Prepared(
        system=system,
        topology=topology,
        positions=packed.positions,
        edge=packed.edge,
        charge_scale=charge_scale,
    )


def _list_induction(
    topology: app.Topology, induction: Induction
) -> tuple[list[float], list[float]]:
    """List the strength (kJ/mol nm) and polarizability (nm3) of every atom.

    Raises
    ------
    MissingParameterError
        If an element with that many bonds has no polarizability.
    """
    n_bonds = [0] * topology.getNumAtoms()
    for bond in topology.bonds():
        for atom in bond:
            n_bonds[atom.index] += 1
    strengths, polarizabilities = [], []
    for residue in topology.residues():
        water = sorted(atom.element.symbol for atom in residue.atoms()) == ["H", "H", "O"]
        for atom in residue.atoms():
            symbol = atom.element.symbol
            key = f"water_{symbol}" if water else f"{symbol}{n_bonds[atom.index]}"
            if key not in induction.polarizabilities:
                raise MissingParameterError(
                    f"the 12-6-4 ions need a polarizability of {atom.name} in {residue.name} "
                    f"({symbol} with {n_bonds[atom.index]} bonds), which the card does not have; "
                    "choose another model.ions"
                )
            polarizabilities.append(induction.polarizabilities[key])
            strengths.append(induction.c4.get(residue.name, 0.0) / induction.water)
    return strengths, polarizabilities


def finish_system(
    system: openmm.System,
    topology: app.Topology,
    forcefield: ForceField,
    induction: Induction | None = None,
) -> None:
    """Mix Lennard-Jones terms by the force field's rule and add its induced dipoles, in place.

    Parameters
    ----------
    system
        As OpenMM made it from the XML, ions and charges set.
    topology
        Residues named like the species.
    forcefield
        Its card says what to do.
    induction
        The r^-4 term of the ions, if they have one.

    Raises
    ------
    RecipeError
        If there would be both an r^-4 term and induced dipoles.
    """
    polarization = read_polarization(forcefield)
    if polarization is not None and induction is not None:
        raise RecipeError(
            f"model.ions with an r^-4 term and {forcefield.name} would count induced dipoles "
            'twice; use ions = "default"'
        )
    if polarization is not None:
        scale_fragments(system, topology, polarization)
    if forcefield.mixing == "geometric":
        apply_geometric_mixing(system)
    if induction is not None:
        add_induction(system, *_list_induction(topology, induction))
    if polarization is not None:
        add_drudes(system, topology, polarization, scale_14=forcefield.scale_14[0])
        add_damping(system, topology, polarization)
    assign_groups(system)


def isolate_molecule(molecule: Molecule, xml: Path) -> openmm.System:
    """Put a force field with geometric mixing on one molecule in vacuum, without constraints.

    Raises
    ------
    MissingParameterError
        If a term is missing.
    """
    from openmm import app

    topology = app.Topology()
    residue = topology.addResidue(molecule.name, topology.addChain())
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(element), residue)
        for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    try:
        system = app.ForceField(str(xml)).createSystem(topology, nonbondedMethod=app.NoCutoff)
    except ValueError as error:
        raise MissingParameterError(f"{xml}: {str(error).splitlines()[0]}") from error
    apply_geometric_mixing(system)
    return system


def save_prepared(prepared: Prepared, audit: Mapping[str, Any], folder: Path) -> None:
    """Write ``topology.pdb``, ``system.xml``, ``state.xml`` and, last, ``audit.json``."""
    import io

    import openmm
    from openmm import app, unit

    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    app.PDBFile.writeFile(prepared.topology, prepared.positions * unit.angstrom, text, keepIds=True)
    write_atomic(folder / "topology.pdb", text.getvalue())
    write_atomic(folder / "system.xml", openmm.XmlSerializer.serialize(prepared.system))
    context = openmm.Context(
        prepared.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(extend_positions(prepared.system, prepared.positions) * unit.angstrom)
    state = context.getState(getPositions=True)
    write_atomic(folder / "state.xml", openmm.XmlSerializer.serialize(state))
    write_atomic(folder / "audit.json", json.dumps(audit, indent=1) + "\n")


def _hydrogen_mass(recipe: Recipe) -> float:
    """Hydrogen mass in u of a resolved recipe."""
    mass = recipe.protocol.hydrogen_mass
    if mass is None:
        raise AuditError("the recipe is not resolved; call recipe.resolve() first")
    return mass.magnitude


def _make_topology(packed: Packed) -> app.Topology:
    """Write the molecules as an OpenMM topology, one residue each."""
    from openmm import Vec3, app, unit

    topology = app.Topology()
    chains = {}
    for molecule in packed.molecules:
        if molecule.name not in chains:
            chains[molecule.name] = topology.addChain()
        residue = topology.addResidue(molecule.name, chains[molecule.name])
        atoms = [
            topology.addAtom(name, app.Element.getBySymbol(element), residue)
            for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
        ]
        for i, j in molecule.bonds:
            topology.addBond(atoms[i], atoms[j])
    edge = packed.edge / 10.0
    vectors = (Vec3(edge, 0, 0), Vec3(0, edge, 0), Vec3(0, 0, edge))
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    return topology
