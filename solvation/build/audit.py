"""Audit: what must be true of a built system before a minute is spent on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from solvation.build.drude import extend_positions
from solvation.build.terms import read_energies
from solvation.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openmm
    from numpy.typing import NDArray

    from solvation.build.system import Prepared

__all__ = ["audit_system", "differentiate_alone", "relax_alone"]

_CLASH = 1.2
"""Å; atoms of different molecules nearer than this cannot be relaxed apart reliably."""
_CHARGE_TOLERANCE = 1e-4
"""e; what rounding in published charges may add up to in a whole box."""


def audit_system(prepared: Prepared) -> dict[str, Any]:
    """Check neutrality, clashes and energies of a built system.

    Returns
    -------
    dict
        ``charge`` (e), ``closest`` (Å, between molecules), ``energies`` by term (kJ/mol),
        ``n_atoms``, ``n_drudes``, ``n_constraints``, ``residues``, ``charge_scale``, ``edge`` (Å),
        ``partial_charges`` (e, of one molecule by name).

    Raises
    ------
    AuditError
        If the box is charged, molecules overlap, or an energy is not finite.
    """
    import openmm
    from openmm import unit

    charge = sum(_charges(prepared))
    if abs(charge) > _CHARGE_TOLERANCE:
        raise AuditError(
            f"the box carries {charge:+.4f} e: charges of the force field do not add up to the "
            "formal ones; mend the force field"
        )
    closest = _find_closest(prepared)
    if closest < _CLASH:
        raise AuditError(
            f"molecules overlap: two atoms are {closest:.2f} angstrom apart; build again with "
            "another protocol.seed"
        )
    context = openmm.Context(
        prepared.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(extend_positions(prepared.system, prepared.positions) * unit.angstrom)
    energies = read_energies(context)
    for name, energy in energies.items():
        if not math.isfinite(energy):
            raise AuditError(
                f"the {name} energy is {energy}; build again with another protocol.seed"
            )
    counts: dict[str, int] = {}
    for residue in prepared.topology.residues():
        counts[residue.name] = counts.get(residue.name, 0) + 1
    return {
        "n_atoms": prepared.topology.getNumAtoms(),
        "n_drudes": prepared.system.getNumParticles() - prepared.topology.getNumAtoms(),
        "n_constraints": prepared.system.getNumConstraints(),
        "residues": counts,
        "edge": round(prepared.edge, 4),
        "charge": round(charge, 8) + 0.0,
        "charge_scale": prepared.charge_scale,
        "partial_charges": _list_partial_charges(prepared),
        "closest": round(closest, 3),
        "energies": {name: round(energy, 3) for name, energy in energies.items()},
    }


def _list_partial_charges(prepared: Prepared) -> dict[str, list[float]]:
    """Charges of one molecule of each kind, e; none where particles are not atoms."""
    charges = _charges(prepared)
    if len(charges) != prepared.topology.getNumAtoms():
        return {}
    first = {residue.name: residue for residue in reversed(list(prepared.topology.residues()))}
    return {
        name: [round(charges[atom.index], 8) for atom in residue.atoms()]
        for name, residue in first.items()
    }


def _charges(prepared: Prepared) -> list[float]:
    """Charges of all particles, e."""
    import openmm
    from openmm import unit

    force = next(
        force
        for force in prepared.system.getForces()
        if isinstance(force, openmm.NonbondedForce) and force.getName() != "Dispersion"
    )
    return [
        force.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
        for i in range(force.getNumParticles())
    ]


def _find_closest(prepared: Prepared) -> float:
    """Smallest distance between atoms of different molecules, in Å; infinity above 3."""
    owner = np.array([atom.residue.index for atom in prepared.topology.atoms()])
    wrapped: NDArray[np.float64] = np.mod(prepared.positions, prepared.edge)
    wrapped[wrapped >= prepared.edge] = 0.0  # what mod makes of -1e-20
    tree = cKDTree(wrapped, boxsize=np.full(3, prepared.edge))
    pairs = tree.query_pairs(3.0, output_type="ndarray")
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    if not len(pairs):
        return math.inf
    delta = wrapped[pairs[:, 0]] - wrapped[pairs[:, 1]]
    delta -= prepared.edge * np.round(delta / prepared.edge)
    return float(np.sqrt((delta**2).sum(axis=1).min()))


def describe_audit(audit: Mapping[str, Any]) -> str:
    """Say in one line what was built."""
    molecules = ", ".join(f"{count} {name}" for name, count in audit["residues"].items())
    return f"{molecules}: {audit['n_atoms']} atoms, neutral, charges x {audit['charge_scale']:.3f}"


def relax_alone(
    system: openmm.System,
    positions: NDArray[np.float64],
    *,
    held: tuple[tuple[int, int, int, int], float] | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Minimize the energy of one molecule in vacuum, with a dihedral held (radians) if asked.

    Positions in Å, shape ``(n_atoms, 3)``.

    Returns
    -------
    positions, energy
        Å; kJ/mol, without what holds the dihedral.
    """
    import openmm
    from openmm import unit

    system = openmm.XmlSerializer.clone(system)
    for force in system.getForces():
        force.setForceGroup(0)
    if held is not None:
        hold = openmm.CustomTorsionForce("5000*(1-cos(theta-theta0))")
        hold.addPerTorsionParameter("theta0")
        hold.addTorsion(*held[0], [held[1]])
        hold.setForceGroup(1)
        system.addForce(hold)
    context = _open_context(system, positions)
    openmm.LocalEnergyMinimizer.minimize(context, 1e-3, 20000)
    state = context.getState(getPositions=True)
    energy = context.getState(getEnergy=True, groups=1).getPotentialEnergy()
    relaxed = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    return np.array(relaxed), float(energy.value_in_unit(unit.kilojoule_per_mole))


def differentiate_alone(
    system: openmm.System, positions: NDArray[np.float64], *, step: float = 1e-3
) -> NDArray[np.float64]:
    """Hessian of one molecule in kJ/mol/Å2 by central differences of the forces.

    Positions and ``step`` in Å, shape ``(n_atoms, 3)``; the Hessian has the shape ``(3 n_atoms, 3
    n_atoms)``.
    """
    from openmm import unit

    context = _open_context(system, positions)
    hessian = np.empty((positions.size, positions.size))
    for row in range(positions.size):
        sides = []
        for sign in (1.0, -1.0):
            shifted = positions.copy()
            shifted.flat[row] += sign * step
            context.setPositions(shifted * unit.angstrom)
            forces = context.getState(getForces=True).getForces(asNumpy=True)
            sides.append(-forces.value_in_unit(unit.kilojoule_per_mole / unit.angstrom).ravel())
        hessian[row] = (sides[0] - sides[1]) / (2 * step)
    return np.asarray(0.5 * (hessian + hessian.T))


def _open_context(system: openmm.System, positions: NDArray[np.float64]) -> openmm.Context:
    import openmm
    from openmm import unit

    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions * unit.angstrom)
    return context
