r"""Force terms: exact geometric mixing, charge scaling, and one force group per term.

OPLS mixes Lennard-Jones sigmas geometrically, :math:`\sqrt{\sigma_i\sigma_j}`, OpenMM's
``NonbondedForce`` arithmetically. Written with :math:`A = 4\epsilon\sigma^{12}` and
:math:`B = 4\epsilon\sigma^6`, geometric mixing separates,

.. math:: U_{ij} = \sqrt{A_i A_j}\, r^{-12} - \sqrt{B_i B_j}\, r^{-6},

and each half is again a ``NonbondedForce`` in which every particle has the same sigma, where the
two mixing rules are one: at 10 nm the attraction vanishes (3e-6 of the repulsion or less inside
1.2 nm), at 0.01 nm the repulsion does. No custom force, no pair table, and the dispersion
correction follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm
    from numpy.typing import NDArray

__all__ = [
    "DRUDE_TERMS",
    "TERMS",
    "add_induction",
    "apply_geometric_mixing",
    "assign_groups",
    "drop_opposite_angles",
    "read_energies",
    "scale_charges",
    "set_lennard_jones",
]

TERMS = (
    "bond",
    "angle",
    "torsion",
    "coulomb_repulsion",
    "coulomb_reciprocal",
    "dispersion",
)
"""Names of the force groups, in the order of their numbers."""
DRUDE_TERMS = ("fragments", "polarization", "damping")
"""Those that a polarizable force field adds, numbered after `TERMS`."""

INDUCTION = "induction"
"""Name of the group after those, in systems with a 12-6-4 set of ions."""
_GROUPS = (*TERMS, *DRUDE_TERMS, INDUCTION)

_REPULSION_SIGMA = 10.0
"""nm; here the r^-6 half of a Lennard-Jones term vanishes."""
_DISPERSION_SIGMA = 0.01
"""nm; here the r^-12 half vanishes."""
_OPPOSITE = -0.87
"""Cosine of 150 degrees: what still counts as opposite in an octahedron."""


def apply_geometric_mixing(system: openmm.System) -> None:
    """Replace the Lennard-Jones part of a system by its geometric-mixing form, in place.

    The first ``NonbondedForce`` keeps charges, PME and the 1-4 pairs and gets the repulsion; a
    second one, named ``Dispersion``, gets the attraction.

    Parameters
    ----------
    system
        With exactly one ``NonbondedForce`` whose parameters are per-particle sigma and epsilon and
        whose non-zero exceptions are 1-4 pairs with sigma mixed arithmetically.

    Raises
    ------
    ValueError
        If there is not exactly one ``NonbondedForce``, or it uses LJPME, which has a mixing rule
        of its own.
    """
    import openmm
    from openmm import unit

    found = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} NonbondedForces in the system, expected 1")
    force = found[0]
    if force.getNonbondedMethod() == openmm.NonbondedForce.LJPME:
        raise ValueError("LJPME has its own mixing rule; use PME")
    dispersion = openmm.NonbondedForce()
    dispersion.setName("Dispersion")
    periodic = force.usesPeriodicBoundaryConditions()
    cutoff = force.getNonbondedMethod() != openmm.NonbondedForce.NoCutoff
    dispersion.setNonbondedMethod(
        openmm.NonbondedForce.CutoffPeriodic
        if periodic
        else openmm.NonbondedForce.CutoffNonPeriodic
        if cutoff
        else openmm.NonbondedForce.NoCutoff
    )
    dispersion.setCutoffDistance(force.getCutoffDistance())
    dispersion.setUseSwitchingFunction(force.getUseSwitchingFunction())
    dispersion.setSwitchingDistance(force.getSwitchingDistance())
    dispersion.setUseDispersionCorrection(force.getUseDispersionCorrection())
    sigmas = []
    for index in range(force.getNumParticles()):
        charge, sigma, epsilon = force.getParticleParameters(index)
        s = sigma.value_in_unit(unit.nanometer)
        e = epsilon.value_in_unit(unit.kilojoule_per_mole)
        sigmas.append(s)
        repulsive = e * (s / _REPULSION_SIGMA) ** 12
        attractive = e * (s / _DISPERSION_SIGMA) ** 6
        force.setParticleParameters(index, charge, _REPULSION_SIGMA, repulsive)
        dispersion.addParticle(0.0, _DISPERSION_SIGMA, attractive)
    for index in range(force.getNumExceptions()):
        i, j, product, _, epsilon = force.getExceptionParameters(index)
        mixed = (sigmas[i] * sigmas[j]) ** 0.5
        force.setExceptionParameters(index, i, j, product, mixed, epsilon)
        dispersion.addException(i, j, 0.0, 1.0, 0.0)
    force.setName("CoulombRepulsion")
    system.addForce(dispersion)


def scale_charges(system: openmm.System, atoms: Sequence[int], factor: float) -> None:
    """Multiply the charges of some atoms, and the 1-4 products they are in, in place."""
    import openmm

    chosen = set(atoms)
    for force in system.getForces():
        if not isinstance(force, openmm.NonbondedForce):
            continue
        for index in chosen:
            charge, sigma, epsilon = force.getParticleParameters(index)
            force.setParticleParameters(index, charge * factor, sigma, epsilon)
        for index in range(force.getNumExceptions()):
            i, j, product, sigma, epsilon = force.getExceptionParameters(index)
            power = (i in chosen) + (j in chosen)
            if power:
                force.setExceptionParameters(index, i, j, product * factor**power, sigma, epsilon)


def set_lennard_jones(
    system: openmm.System, atoms: Sequence[int], sigma: float, epsilon: float
) -> None:
    """Give atoms without bonds another sigma (nm) and epsilon (kJ/mol), in place.

    Before `apply_geometric_mixing`, while there is one ``NonbondedForce``.
    """
    import openmm

    (force,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    for index in atoms:
        charge, _, _ = force.getParticleParameters(index)
        force.setParticleParameters(index, charge, sigma, epsilon)


def drop_opposite_angles(
    system: openmm.System, centres: Sequence[int], positions: NDArray[np.float64]
) -> None:
    """Take out the angle terms of opposite neighbours of octahedral atoms, in place.

    A force field writes one X–A–X term of 90 degrees for AX6, meant for the twelve pairs of
    neighbours. A template knows only the bond graph, so it has put the term on the three opposite
    pairs too; positions tell which those are.

    Parameters
    ----------
    system
        With a ``HarmonicAngleForce``.
    centres
        Indices of the octahedral atoms.
    positions
        Molecules whole, any unit, shape ``(n_atoms, 3)``.

    Raises
    ------
    ValueError
        If the positions around a centre are not those of an octahedron.
    """
    import openmm

    index, force = next(
        (k, f) for k, f in enumerate(system.getForces()) if isinstance(f, openmm.HarmonicAngleForce)
    )
    terms = [force.getAngleParameters(k) for k in range(force.getNumAngles())]
    opposite: set[tuple[int, int, int]] = set()
    for centre in centres:
        around = sorted({a for i, j, k, *_ in terms if j == centre for a in (i, k)})
        rays = positions[around] - positions[centre]
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        cosines = rays @ rays.T
        pairs = {frozenset((k, int(row.argmin()))) for k, row in enumerate(cosines)}
        if len(around) != 6 or len(pairs) != 3 or cosines.min(axis=1).max() > _OPPOSITE:
            raise ValueError(f"the {len(around)} neighbours of atom {centre} form no octahedron")
        for i, k in (sorted(pair) for pair in pairs):
            opposite |= {(around[i], centre, around[k]), (around[k], centre, around[i])}
    made = openmm.HarmonicAngleForce()
    made.setName(force.getName())
    made.setUsesPeriodicBoundaryConditions(force.usesPeriodicBoundaryConditions())
    for i, j, k, *parameters in terms:
        if (i, j, k) not in opposite:
            made.addAngle(i, j, k, *parameters)
    system.removeForce(index)
    system.addForce(made)


def add_induction(
    system: openmm.System, strengths: Sequence[float], polarizabilities: Sequence[float]
) -> None:
    r"""Add the r^-4 term of 12-6-4 ions, in place.

    .. math:: U_{ij} = -(k_i \alpha_j + k_j \alpha_i)/r^4, \qquad k = C_4/\alpha_\text{water}

    (P. Li, K. M. Merz, J. Chem. Theory Comput. 2014, 10, 289; 10.1021/ct400751u, from memory). It
    is cut off like the rest, without a correction for what lies beyond, as where it was fitted.

    Parameters
    ----------
    system
        With a ``NonbondedForce``, whose cutoff and exclusions are taken.
    strengths
        k of every atom in kJ/mol nm; zero but for the ions, shape ``(n_atoms,)``.
    polarizabilities
        nm3, shape ``(n_atoms,)``.
    """
    import openmm

    source = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    force = openmm.CustomNonbondedForce("-(k1*alpha2+k2*alpha1)/r^4")
    force.setName("Induction")
    for parameter in ("k", "alpha"):
        force.addPerParticleParameter(parameter)
    for row in zip(strengths, polarizabilities, strict=True):
        force.addParticle(row)
    for index in range(source.getNumExceptions()):
        force.addExclusion(*source.getExceptionParameters(index)[:2])
    force.addInteractionGroup(
        [index for index, k in enumerate(strengths) if k],
        [index for index, alpha in enumerate(polarizabilities) if alpha],
    )
    force.setNonbondedMethod(
        openmm.CustomNonbondedForce.CutoffPeriodic
        if source.usesPeriodicBoundaryConditions()
        else openmm.CustomNonbondedForce.NoCutoff
    )
    force.setCutoffDistance(source.getCutoffDistance())
    force.setUseLongRangeCorrection(False)
    system.addForce(force)


def assign_groups(system: openmm.System) -> None:
    """Give every energy term its own force group, in place: `TERMS`, `DRUDE_TERMS`, `INDUCTION`."""
    import openmm

    groups: list[tuple[type[Any], int]] = [
        (openmm.HarmonicBondForce, 0),
        (openmm.HarmonicAngleForce, 1),
        (openmm.PeriodicTorsionForce, 2),
        (openmm.DrudeForce, _GROUPS.index("polarization")),
    ]
    named = {
        "Dispersion": "dispersion",
        "Fragments": "fragments",
        "Damping": "damping",
        "Induction": INDUCTION,
    }
    for force in system.getForces():
        if force.getName() in named:
            force.setForceGroup(_GROUPS.index(named[force.getName()]))
            continue
        if isinstance(force, openmm.NonbondedForce):
            force.setForceGroup(TERMS.index("coulomb_repulsion"))
            force.setReciprocalSpaceForceGroup(TERMS.index("coulomb_reciprocal"))
            continue
        for kind, group in groups:
            if isinstance(force, kind):
                force.setForceGroup(group)


def read_energies(context: openmm.Context) -> dict[str, float]:
    """Energy of every term that the system has, kJ/mol."""
    from openmm import unit

    present = {force.getForceGroup() for force in context.getSystem().getForces()}
    return {
        name: context.getState(getEnergy=True, groups=1 << group)
        .getPotentialEnergy()
        .value_in_unit(unit.kilojoule_per_mole)
        for group, name in enumerate(_GROUPS)
        if name in TERMS or group in present
    }
