"""Extraction: the blueprint of a built System.

The numbers are read back from the System that is simulated, not from the force field, so that
what is exported is what runs here: charges scaled as they are, ions of the chosen set, opposite
angles of octahedra left out. Bonds that the System holds rigid carry no energy there; their force
constants, which other programs want, come from the force field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import ForceFieldError
from solvation.export.blueprint import Blueprint, find_exclusions

if TYPE_CHECKING:
    import openmm
    from numpy.typing import NDArray
    from openmm import app

__all__ = ["read_blueprint", "restore_sigma"]

_REPULSION_SIGMA = 10.0
_DISPERSION_SIGMA = 0.01
"""nm; the common sigmas of the two halves, see `solvation.build.terms`."""
_TOLERANCE = 1e-5
"""Relative; how exactly a 1-4 pair must be the scaled product of its atoms."""


def restore_sigma(repulsion: float, dispersion: float) -> tuple[float, float]:
    r"""Sigma (Å) and epsilon (kJ/mol) from the two halves of a geometrically mixed term.

    Parameters
    ----------
    repulsion, dispersion
        Epsilons (kJ/mol) of the halves, whose sigmas are 10 nm and 0.01 nm.

    Examples
    --------
    >>> sigma, epsilon = restore_sigma(0.5 * 0.03**12, 0.5 * 30.0**6)
    >>> round(sigma, 9), round(epsilon, 9)
    (3.0, 0.5)
    """
    if repulsion <= 0.0 or dispersion <= 0.0:
        return 1.0, 0.0
    a = repulsion * _REPULSION_SIGMA**12
    b = dispersion * _DISPERSION_SIGMA**6
    return float(10 * (a / b) ** (1 / 6)), float(b * b / a)


def read_blueprint(
    system: openmm.System,
    flexible: openmm.System,
    topology: app.Topology,
    positions: NDArray[np.float64],
    *,
    edge: float,
    names: Sequence[str],
    mixing: str,
    scale_14: tuple[float, float],
) -> Blueprint:
    """Read a built System.

    Parameters
    ----------
    system
        As simulated.
    flexible
        The same topology with no bond held rigid: where force constants of rigid bonds are found.
    topology
        Atoms, residues and bonds.
    positions
        Å, molecules whole, shape ``(n_atoms, 3)``.
    edge
        Å.
    names
        Species of every residue.
    mixing, scale_14
        Those of the force field.

    Raises
    ------
    ForceFieldError
        If the System has a term that no format here can hold.
    """
    from openmm import unit

    kinds = _sort_forces(system)
    atoms = list(topology.atoms())
    rigid = []
    for index in range(system.getNumConstraints()):
        i, j, distance = system.getConstraintParameters(index)
        rigid.append((min(i, j), max(i, j), distance.value_in_unit(unit.angstrom)))
    bonds, angles = _read_stiff(system, flexible, {(i, j) for i, j, _ in rigid})
    bonded = {(min(i, j), max(i, j)) for i, j, *_ in bonds}
    for bond in topology.bonds():
        i, j = sorted((bond[0].index, bond[1].index))
        if (i, j) not in bonded:
            raise ForceFieldError(
                f"the bond of atoms {i} and {j} has no force constant, which other programs need"
            )
    torsions = _read_torsions(kinds["PeriodicTorsionForce"])
    straight = {
        index
        for index, (i, j, k, m, *_) in enumerate(torsions)
        if {(min(p), max(p)) for p in ((i, j), (j, k), (k, m))} <= bonded
    }
    charges, sigmas, epsilons, pairs = _read_nonbonded(kinds["NonbondedForce"], bonds, scale_14)
    residues = list(topology.residues())
    starts = [next(residue.atoms()).index for residue in residues] + [len(atoms)]
    return Blueprint(
        names=tuple(atom.name for atom in atoms),
        elements=tuple(atom.element.symbol for atom in atoms),
        atomic_numbers=tuple(atom.element.atomic_number for atom in atoms),
        masses=np.array([atom.element.mass.value_in_unit(unit.dalton) for atom in atoms]),
        charges=charges,
        sigmas=sigmas,
        epsilons=epsilons,
        molecules=tuple(
            (name, first, last)
            for name, first, last in zip(names, starts[:-1], starts[1:], strict=True)
        ),
        bonds=tuple(bonds),
        angles=tuple(angles),
        torsions=tuple(torsions),
        impropers=frozenset(range(len(torsions))) - straight,
        pairs=tuple(sorted(pairs)),
        rigid=tuple(sorted(rigid)),
        scale_14=scale_14,
        mixing=mixing,
        c4=_read_c4(kinds["CustomNonbondedForce"], len(atoms)),
        positions=positions,
        edge=edge,
        cutoff=kinds["NonbondedForce"][0].getCutoffDistance().value_in_unit(unit.angstrom),
    )


def _read_stiff(
    system: openmm.System, flexible: openmm.System, held: set[tuple[int, int]]
) -> tuple[list[tuple[int, int, float, float]], list[tuple[int, int, int, float, float]]]:
    """Read bonds and angles: those of the System, and from the other one what it holds rigid."""
    import openmm
    from openmm import unit

    energy = unit.kilojoule_per_mole
    bonds: set[tuple[int, int, float, float]] = set()
    angles: set[tuple[int, int, int, float, float]] = set()
    for source in (system, flexible):
        for force in source.getForces():
            if isinstance(force, openmm.HarmonicBondForce):
                for index in range(force.getNumBonds()):
                    i, j, length, strength = force.getBondParameters(index)
                    if source is system or (min(i, j), max(i, j)) in held:
                        k = strength.value_in_unit(energy / unit.angstrom**2)
                        bonds.add((i, j, length.value_in_unit(unit.angstrom), k))
            elif isinstance(force, openmm.HarmonicAngleForce):
                for index in range(force.getNumAngles()):
                    i, centre, j, angle, strength = force.getAngleParameters(index)
                    if source is system or (min(i, j), max(i, j)) in held:
                        k = strength.value_in_unit(energy / unit.radian**2)
                        angles.add((i, centre, j, angle.value_in_unit(unit.radian), k))
    return sorted(bonds), sorted(angles)


def _read_torsions(
    forces: Sequence[openmm.PeriodicTorsionForce],
) -> list[tuple[int, int, int, int, int, float, float]]:
    """Read proper and improper torsions."""
    from openmm import unit

    torsions = []
    for force in forces:
        for index in range(force.getNumTorsions()):
            *four, n, phase, strength = force.getTorsionParameters(index)
            k = strength.value_in_unit(unit.kilojoule_per_mole)
            torsions.append((*four, n, phase.value_in_unit(unit.radian), k))
    return torsions


def _sort_forces(system: openmm.System) -> Mapping[str, list[Any]]:
    """Sort forces by class; refuse what no format here can hold."""
    known = ("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce", "NonbondedForce",
             "CustomNonbondedForce", "CMMotionRemover")  # fmt: skip
    kinds: dict[str, list[Any]] = {name: [] for name in known}
    for force in system.getForces():
        kind = type(force).__name__
        strange = kind == "CustomNonbondedForce" and force.getName() != "Induction"
        if kind not in kinds or strange:
            raise ForceFieldError(
                f"the system has a {force.getName()} ({kind}), which cannot be exported; use a "
                "force field of fixed charges"
            )
        kinds[kind].append(force)
    if any(system.isVirtualSite(index) for index in range(system.getNumParticles())):
        raise ForceFieldError(
            "the system has virtual sites, which are not exported; use a three-site water"
        )
    if not 1 <= len(kinds["NonbondedForce"]) <= 2:
        raise ForceFieldError(
            f"the system has {len(kinds['NonbondedForce'])} nonbonded forces, not 1 or 2"
        )
    return kinds


def _read_nonbonded(
    forces: Sequence[openmm.NonbondedForce],
    bonds: Sequence[Sequence[Any]],
    scale_14: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], set[tuple[int, int]]]:
    """Charges, sigmas (Å), epsilons and 1-4 pairs; checks that pairs are scaled products."""
    from openmm import unit

    halves = sorted(forces, key=lambda force: force.getName() == "Dispersion")
    n_atoms = halves[0].getNumParticles()
    charges, sigmas, epsilons = np.empty((3, n_atoms))
    for index in range(n_atoms):
        charge, sigma, epsilon = halves[0].getParticleParameters(index)
        charges[index] = charge.value_in_unit(unit.elementary_charge)
        energy = epsilon.value_in_unit(unit.kilojoule_per_mole)
        if len(halves) == 1:
            sigmas[index], epsilons[index] = sigma.value_in_unit(unit.angstrom), energy
            continue
        attraction = halves[1].getParticleParameters(index)[2]
        sigmas[index], epsilons[index] = restore_sigma(
            energy, attraction.value_in_unit(unit.kilojoule_per_mole)
        )
    close, far = find_exclusions(n_atoms, bonds)
    seen = set()
    geometric = len(halves) == 2
    for index in range(halves[0].getNumExceptions()):
        i, j, product, sigma, epsilon = halves[0].getExceptionParameters(index)
        i, j = min(i, j), max(i, j)
        seen.add((i, j))
        scales = scale_14 if (i, j) in far else (0.0, 0.0)
        sizes = sigmas[i], sigmas[j]
        mixed = np.sqrt(sizes[0] * sizes[1]) if geometric else 0.5 * sum(sizes)
        depth = scales[1] * np.sqrt(epsilons[i] * epsilons[j])
        found = epsilon.value_in_unit(unit.kilojoule_per_mole)
        wrong = abs(product._value - scales[0] * charges[i] * charges[j]) > _TOLERANCE
        wrong |= abs(found - depth) > _TOLERANCE * max(depth, 1e-3)
        wrong |= bool(depth) and abs(sigma.value_in_unit(unit.angstrom) / mixed - 1) > _TOLERANCE
        if wrong:
            raise ForceFieldError(
                f"the interaction of atoms {i} and {j} is not {scales} times that of their "
                "parameters, which the formats here cannot hold"
            )
    if seen != close | far:
        raise ForceFieldError("excluded pairs do not follow from the bonds; this is not exported")
    return charges, sigmas, epsilons, far


def _read_c4(
    forces: Sequence[openmm.CustomNonbondedForce], n_atoms: int
) -> NDArray[np.float64] | None:
    """Per-particle numbers of the ion-induced dipole term, Å; None without one."""
    if not forces:
        return None
    (force,) = forces
    rows = np.array([force.getParticleParameters(index) for index in range(n_atoms)])
    return rows * (10.0 ** np.array([1, 3]))
