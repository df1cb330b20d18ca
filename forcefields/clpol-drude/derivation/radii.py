"""Metal-oxygen distances of gas-phase complexes, and the sigma that gives a wanted one.

[Mg(DME)3]2+, [Ca(DME)4]2+, [Li(DME)2]+ and [Na(DME)3]+ are minimised, dipoles included, from
several packed shapes; the lowest counts. With a wanted distance sigma is found by bisection, at
the epsilon of the set that it starts from.

    python radii.py            # distances with the published sets
    python radii.py Mg 2.097   # sigma for a distance in A
"""

from __future__ import annotations

import sys

import numpy as np
import openmm
from openmm import app, unit

from solvation.build.drude import extend_positions
from solvation.build.forcefield import load_forcefield
from solvation.build.molecule import embed_cluster, pick_donors
from solvation.build.system import finish_system
from solvation.build.terms import set_lennard_jones
from solvation.library import find_species

SHELLS = {"Mg": 3, "Ca": 4, "Li": 2, "Na": 3}
"""DME molecules around each ion."""
SETS = [
    ("Mg", "Aqvist 1990", 0.1644471, 3.661184),
    ("Mg", "Li/Merz IOD, converted", 0.24999, 0.0624127),
    ("Ca", "Aqvist 1990", 0.2412031, 1.881365),
    ("Ca", "Li/Merz CM, converted", 0.29382, 0.4432057),
    ("Li", "Aqvist 1990 (CL&P)", 0.2126, 0.07648),
    ("Li", "Jensen-Jorgensen 2006", 0.287, 0.002092),
    ("Na", "Aqvist 1990 (CL&P)", 0.333, 0.0116),
    ("Na", "Jensen-Jorgensen 2006", 0.407, 0.002092),
]
"""Ion, set, sigma (nm) for geometric mixing, epsilon (kJ/mol)."""


def make_complex(ion: str, seed: int) -> tuple[app.Topology, np.ndarray]:
    """Topology and packed positions (nm) of an ion in DME."""
    dme = find_species("DME")
    cluster = embed_cluster(find_species(ion), [(dme, pick_donors(dme))] * SHELLS[ion], seed=seed)
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
    return topology, np.concatenate([m.positions for m in cluster.molecules]) / 10


def relax_complex(
    ion: str, shapes: list, sigma: float, epsilon: float, forcefield: str = "clpol-drude"
) -> tuple[float, float, float]:
    """Mean M-O distance (A), energy (kJ/mol) and longest O dipole arm (A) of the lowest minimum."""
    found = []
    card = load_forcefield(forcefield)
    for topology, x in shapes:
        system = app.ForceField(*map(str, card.files)).createSystem(topology)
        set_lennard_jones(system, [0], sigma, epsilon)
        finish_system(system, topology, card)
        context = openmm.Context(
            system,
            openmm.VerletIntegrator(0.001),
            openmm.Platform.getPlatformByName("Reference"),
        )
        context.setPositions(extend_positions(system, x))
        openmm.LocalEnergyMinimizer.minimize(context, 1.0, 0)
        state = context.getState(getEnergy=True, getPositions=True)
        y = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
        oxygens = [a.index for a in topology.atoms() if a.element.symbol == "O"]
        near = np.sort(np.linalg.norm(y[oxygens] - y[0], axis=1))
        arm = 0.0
        for force in system.getForces():
            if isinstance(force, openmm.DrudeForce):
                pairs = [force.getParticleParameters(k)[:2] for k in range(force.getNumParticles())]
                arm = max(float(np.linalg.norm(y[d] - y[c])) for d, c in pairs)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        found.append((energy, float(near.mean()), arm))
    energy, distance, arm = min(found)
    return distance, energy, arm


def find_sigma(ion: str, wanted: float, shapes: list, sigma: float, epsilon: float) -> float:
    """Sigma (nm) that gives a mean M-O distance (A)."""
    low, high = 0.8 * sigma, 1.35 * sigma
    while high - low > 1e-5:
        middle = 0.5 * (low + high)
        distance, _, _ = relax_complex(ion, shapes, middle, epsilon)
        low, high = (middle, high) if distance < wanted else (low, middle)
    return 0.5 * (low + high)


if __name__ == "__main__":
    wanted = dict(zip(sys.argv[1::2], map(float, sys.argv[2::2]), strict=True))
    for ion in wanted or SHELLS:
        shapes = [make_complex(ion, seed) for seed in (1, 2, 3)]
        for name, title, sigma, epsilon in SETS:
            if name != ion:
                continue
            distance, energy, arm = relax_complex(ion, shapes, sigma, epsilon)
            fixed, _, _ = relax_complex(ion, shapes, sigma, epsilon, "opls1996-clp")
            print(f"{ion} {title:24s} fixed {fixed:.3f}  Drude {distance:.3f} A  "
                  f"{energy:9.1f} kJ/mol  arm {arm:.3f} A", flush=True)  # fmt: skip
            if ion in wanted:
                fitted = find_sigma(ion, wanted[ion], shapes, sigma, epsilon)
                print(f"{ion} {title}: sigma = {fitted:.5f} nm gives {wanted[ion]} A", flush=True)
