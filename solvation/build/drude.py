r"""Drude: induced dipoles as charges on springs, put on a system that has fixed charges.

Every polarizable atom, the core, gets a light particle of charge :math:`-d` on a spring of
constant :math:`k` and gives up that charge, with :math:`d^2 = 4\pi\epsilon_0 k \alpha`. The
particles follow all atoms, so the atoms keep their numbers.

As in CL&Pol (Goloviznina et al., J. Chem. Theory Comput. 2019, 15, 5858, 10.1021/acs.jctc.9b00689)
the dipoles of atoms one to three bonds apart interact in full, screened by

.. math:: S(r) = 1 - (1 + u/2)\, e^{-u}, \quad u = a r / (\alpha_i \alpha_j)^{1/6},

while their charges are left out or halved like those of any other force field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm
    from numpy.typing import NDArray
    from openmm import app

    from solvation.build.polarization import Polarization

__all__ = ["COULOMB", "add_damping", "add_drudes", "extend_positions", "scale_fragments"]

COULOMB = 138.93545764438198
r""":math:`1/4\pi\epsilon_0`, kJ nm/mol/e2; the value that OpenMM computes with."""
_NM3 = 1e-3
"""nm3 in an Å3."""


def scale_fragments(
    system: openmm.System, topology: app.Topology, polarization: Polarization
) -> None:
    r"""Scale the Lennard-Jones epsilon between kinds of fragments, in place.

    Of the factors :math:`k_{ab}` those of the most frequent kind :math:`p` are made per-particle
    ones, :math:`v_a = k_{ap}/\sqrt{k_{pp}}`, which costs nothing. What is left,
    :math:`k_{ab} - v_a v_b` between the other kinds, is a custom force among their few atoms.

    Parameters
    ----------
    system
        With one ``NonbondedForce``, before geometric mixing.
    topology
        Residues named like the species.
    polarization
        Kinds and factors.
    """
    import openmm
    from openmm import unit

    names = [residue.name for residue in topology.residues() for _ in residue.atoms()]
    species = list(dict.fromkeys(names))
    kinds = list(dict.fromkeys(polarization.fragment[name] for name in species))
    spokesman = {polarization.fragment[name]: name for name in species}
    kind = np.array([kinds.index(polarization.fragment[name]) for name in names])
    table = np.array(
        [[polarization.factor_of(spokesman[a], spokesman[b]) for b in kinds] for a in kinds]
    )
    main = int(np.bincount(kind).argmax())
    share = table[main] / np.sqrt(table[main, main])
    rest = table - np.outer(share, share)
    (force,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    custom = openmm.CustomNonbondedForce("rest(kind1, kind2)*(a1*a2/r^12 - b1*b2/r^6)")
    custom.setName("Fragments")
    custom.addTabulatedFunction(
        "rest", openmm.Discrete2DFunction(len(kinds), len(kinds), rest.ravel(order="F").tolist())
    )
    for name in ("a", "b", "kind"):
        custom.addPerParticleParameter(name)
    for index, number in enumerate(kind):
        charge, sigma, epsilon = force.getParticleParameters(index)
        s = sigma.value_in_unit(unit.nanometer)
        e = epsilon.value_in_unit(unit.kilojoule_per_mole)
        root = 2 * e**0.5
        custom.addParticle([root * s**6, root * s**3, float(number)])
        force.setParticleParameters(index, charge, sigma, e * float(share[number]) ** 2)
    for index in range(force.getNumExceptions()):
        i, j, product, sigma, epsilon = force.getExceptionParameters(index)
        custom.addExclusion(i, j)
        factor = float(table[kind[i], kind[j]])
        force.setExceptionParameters(index, i, j, product, sigma, epsilon * factor)
    others = [
        number
        for number in range(len(kinds))
        if np.abs(np.delete(rest, main, 1)[number]).max(initial=0) > 1e-12
    ]
    if not others:
        return
    members = [int(i) for i in np.flatnonzero(np.isin(kind, others))]
    custom.addInteractionGroup(members, members)
    _copy_cutoff(force, custom)
    custom.setUseLongRangeCorrection(
        force.usesPeriodicBoundaryConditions() and force.getUseDispersionCorrection()
    )
    system.addForce(custom)


def add_drudes(
    system: openmm.System, topology: app.Topology, polarization: Polarization, *, scale_14: float
) -> None:
    """Add a Drude particle to every polarizable atom, in place.

    Parameters
    ----------
    system
        After geometric mixing: the charges are in the force ``CoulombRepulsion``.
    topology
        Residues named like the species.
    polarization
        Polarizabilities, spring, mass, screening.
    scale_14
        Factor on the charges of atoms three bonds apart.
    """
    import openmm
    from openmm import unit

    nonbonded = [
        f
        for f in system.getForces()
        if isinstance(f, (openmm.NonbondedForce, openmm.CustomNonbondedForce))
    ]
    charged = next(f for f in nonbonded if f.getName() == "CoulombRepulsion")
    bonded = _list_bonded(topology)
    elements = [atom.element.symbol for atom in topology.atoms()]
    drude = openmm.DrudeForce()
    partner: dict[int, int] = {}
    induced: dict[int, float] = {}
    place: dict[int, int] = {}
    charges = []
    for atom in topology.atoms():
        charge, sigma, epsilon = charged.getParticleParameters(atom.index)
        charges.append(charge.value_in_unit(unit.elementary_charge))
        hydrogens = sum(elements[near] == "H" for near in bonded[atom.index])
        alpha = polarization.alpha_of(atom.residue.name, elements[atom.index], hydrogens) * _NM3
        if not alpha:
            continue
        core, d = atom.index, (alpha * polarization.force_constant / COULOMB) ** 0.5
        mass = system.getParticleMass(core).value_in_unit(unit.dalton)
        system.setParticleMass(core, mass - polarization.mass)
        index = system.addParticle(polarization.mass)
        partner[core], induced[core] = index, d
        charged.setParticleParameters(core, charges[core] + d, sigma, epsilon)
        for force in nonbonded:
            _add_passive(force, -d if force is charged else 0.0)
            _exclude(force, core, index)
        place[core] = drude.addParticle(index, core, -1, -1, -1, -d, alpha, 1.0, 1.0)
    known = {
        tuple(sorted(charged.getExceptionParameters(k)[:2])): k
        for k in range(charged.getNumExceptions())
    }
    for i, j, apart in _list_near(bonded):
        di, dj = induced.get(i, 0.0), induced.get(j, 0.0)
        scale = scale_14 if apart == 3 else 0.0
        if scale:
            index = known[i, j]
            _, _, _, sigma, epsilon = charged.getExceptionParameters(index)
            product = scale * (charges[i] * charges[j] + charges[i] * dj + charges[j] * di)
            charged.setExceptionParameters(index, i, j, product, sigma, epsilon)
        for a, b, product in (
            (i, partner.get(j), -scale * charges[i] * dj),
            (partner.get(i), j, -scale * charges[j] * di),
            (partner.get(i), partner.get(j), 0.0),
        ):
            if a is None or b is None:
                continue
            for force in nonbonded:
                _exclude(force, a, b, product if force is charged else 0.0)
        if i in place and j in place:
            drude.addScreenedPair(place[i], place[j], polarization.thole)
    system.addForce(drude)


def add_damping(system: openmm.System, topology: app.Topology, polarization: Polarization) -> None:
    r"""Smear the charges of small ions for the dipoles around them, in place.

    .. math:: U = -\frac{q\, p}{4\pi\epsilon_0 r}\, c\, e^{-br} \sum_{k=0}^{4} \frac{(br)^k}{k!}

    between the charge :math:`q` of an ion and the charges :math:`p = \pm d` of a dipole (Tang and
    Toennies' function; Goloviznina et al., J. Chem. Theory Comput. 2021, 17, 1606,
    10.1021/acs.jctc.0c01002). Call it after `add_drudes`.
    """
    import openmm
    from openmm import unit

    residues = [residue.name for residue in topology.residues() for _ in residue.atoms()]
    ions = [index for index, name in enumerate(residues) if name in polarization.damped]
    (drude,) = (f for f in system.getForces() if isinstance(f, openmm.DrudeForce))
    if not ions or not drude.getNumParticles():
        return
    charged = next(f for f in system.getForces() if f.getName() == "CoulombRepulsion")
    dipole = np.zeros(system.getNumParticles())
    for index in range(drude.getNumParticles()):
        particle, core, _, _, _, charge, *_ = drude.getParticleParameters(index)
        dipole[particle] = charge.value_in_unit(unit.elementary_charge)
        dipole[core] = -dipole[particle]
    custom = openmm.CustomNonbondedForce(
        f"-{COULOMB}*(q1*p2 + q2*p1)/r*c*exp(-x)*(1 + x + x^2/2 + x^3/6 + x^4/24); x = b*r; "
        f"b = {polarization.damping['b']}; c = {polarization.damping['c']}"
    )
    custom.setName("Damping")
    custom.addPerParticleParameter("q")
    custom.addPerParticleParameter("p")
    for index in range(system.getNumParticles()):
        charge = charged.getParticleParameters(index)[0].value_in_unit(unit.elementary_charge)
        custom.addParticle([charge - dipole[index] if index in ions else 0.0, dipole[index]])
    for index in range(charged.getNumExceptions()):
        custom.addExclusion(*charged.getExceptionParameters(index)[:2])
    custom.addInteractionGroup(ions, [int(i) for i in np.flatnonzero(dipole)])
    _copy_cutoff(charged, custom)
    system.addForce(custom)


def extend_positions(system: openmm.System, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add the Drude particles of a system to positions of its atoms, each on its core.

    Å; shape ``(n_atoms, 3)`` becomes ``(n_particles, 3)``.
    """
    import openmm

    extended = np.zeros((system.getNumParticles(), 3))
    extended[: len(positions)] = positions
    for force in system.getForces():
        if isinstance(force, openmm.DrudeForce):
            for index in range(force.getNumParticles()):
                particle, core, *_ = force.getParticleParameters(index)
                extended[particle] = positions[core]
    return extended


def _add_passive(force: openmm.Force, charge: float) -> None:
    """Add a particle without Lennard-Jones terms to a nonbonded force."""
    import openmm

    if isinstance(force, openmm.NonbondedForce):
        _, sigma, _ = force.getParticleParameters(0)
        force.addParticle(charge, sigma, 0.0)
    else:
        force.addParticle([0.0] * force.getNumPerParticleParameters())


def _exclude(force: openmm.Force, i: int, j: int, product: float = 0.0) -> None:
    """Take a pair out of a nonbonded force, but for a product of charges."""
    import openmm

    if isinstance(force, openmm.NonbondedForce):
        force.addException(i, j, product, 1.0, 0.0)
    else:
        force.addExclusion(i, j)


def _copy_cutoff(source: openmm.NonbondedForce, target: openmm.CustomNonbondedForce) -> None:
    """Give a custom force the cutoff of another."""
    import openmm

    method = openmm.CustomNonbondedForce.NoCutoff
    if source.usesPeriodicBoundaryConditions():
        method = openmm.CustomNonbondedForce.CutoffPeriodic
    elif source.getNonbondedMethod() != openmm.NonbondedForce.NoCutoff:
        method = openmm.CustomNonbondedForce.CutoffNonPeriodic
    target.setNonbondedMethod(method)
    target.setCutoffDistance(source.getCutoffDistance())
    target.setUseSwitchingFunction(source.getUseSwitchingFunction())
    target.setSwitchingDistance(source.getSwitchingDistance())


def _list_bonded(topology: app.Topology) -> list[set[int]]:
    """Bonded neighbours of every atom."""
    bonded: list[set[int]] = [set() for _ in range(topology.getNumAtoms())]
    for bond in topology.bonds():
        bonded[bond[0].index].add(bond[1].index)
        bonded[bond[1].index].add(bond[0].index)
    return bonded


def _list_near(bonded: Sequence[set[int]]) -> list[tuple[int, int, int]]:
    """Pairs of atoms one to three bonds apart, each once: smaller, larger, number of bonds."""
    found = []
    for start in range(len(bonded)):
        reached, edge = {start}, {start}
        for apart in (1, 2, 3):
            edge = {near for atom in edge for near in bonded[atom]} - reached
            reached |= edge
            found += [(start, other, apart) for other in sorted(edge) if other > start]
    return found
