"""Mg2+ and Ca2+ in water with every ion set: first peak of g(M-O) and coordination number.

Run ``python benchmarks/measure_aqueous_ions.py --ion Mg --ions lm-iod``. This is a check of the
transcription of the sets, in the water each was made for and with the mixing it was made for:
Li/Merz in TIP3P with Lorentz-Berthelot mixing and the published sigma (not the one converted for
ether oxygen), Aqvist in SPC with geometric mixing. Numbers, mixing and the r^-4 term go through the
code of the build stage. One ion, about 400 rigid waters, a neutralising background of charge.
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import replace

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app, unit

from solvation.build.forcefield import load_forcefield
from solvation.build.ionset import choose_induction, choose_ions
from solvation.build.terms import add_induction, apply_geometric_mixing, set_lennard_jones

ION = """<ForceField><AtomTypes><Type name="{0}" class="{0}" element="{0}" mass="{1}"/></AtomTypes>
<Residues><Residue name="{0}"><Atom name="{0}" type="{0}"/></Residue></Residues>
<NonbondedForce coulomb14scale="0.833333" lj14scale="0.5">
<Atom type="{0}" charge="2" sigma="0.25" epsilon="0.1"/></NonbondedForce></ForceField>"""
MASS = {"Mg": 24.305, "Ca": 40.078}
SPC = {"O": -0.82, "H": 0.41}
"""Charges of SPC in e; its geometry and Lennard-Jones terms are those of SPC/E (Berendsen et al.,
in Intermolecular Forces, 1981, p. 331, and J. Phys. Chem. 1987, 91, 6269; from memory)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ion", choices=sorted(MASS), default="Mg")
    parser.add_argument("--ions", default="lm-iod", help="aqvist1990, lm-hfe, lm-iod, ...")
    parser.add_argument("--time", type=float, default=100.0, help="ps that are counted")
    parser.add_argument("--settle", type=float, default=20.0, help="ps before them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--platform", default="CPU")
    choices = parser.parse_args()
    print(json.dumps(measure(choices)), flush=True)


def measure(choices: argparse.Namespace) -> dict[str, object]:
    """Simulate and count."""
    system, topology, x = make_water(choices.ion, choices.ions)
    system.addForce(openmm.MonteCarloBarostat(1.0, 298.15, 25))
    integrator = openmm.LangevinMiddleIntegrator(298.15, 1.0, 0.004)
    integrator.setRandomNumberSeed(choices.seed)
    platform = openmm.Platform.getPlatformByName(choices.platform)
    context = openmm.Context(system, integrator, platform)
    context.setPositions(x)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 500)
    context.setVelocitiesToTemperature(298.15, choices.seed)
    integrator.step(round(choices.settle / 0.004))
    oxygen = [atom.index for atom in topology.atoms() if atom.element.symbol == "O"]
    frames = []
    volumes = []
    for _ in range(round(choices.time / 0.1)):
        integrator.step(25)
        state = context.getState(getPositions=True)
        edge = state.getPeriodicBoxVectors(asNumpy=True)[0, 0]._value
        found = state.getPositions(asNumpy=True)._value
        rays = found[oxygen] - found[0]
        rays -= edge * np.round(rays / edge)
        frames.append(10 * np.linalg.norm(rays, axis=1))
        volumes.append(edge**3 * 1000)
    return {
        "ion": choices.ion, "ions": choices.ions, "time": choices.time,
        "waters": len(oxygen), "density": 18.015 * len(oxygen) / np.mean(volumes) / 0.602214,
        **count(np.array(frames), float(np.mean(volumes))),
    }  # fmt: skip


def make_water(ion: str, ions: str) -> tuple[openmm.System, app.Topology, object]:
    """Put one ion in water, with the set's own water and mixing."""
    ours = load_forcefield("opls-clp")
    mixing = ours.card["ions"][ions]["mixing"]
    field = app.ForceField(
        "tip3p.xml" if mixing == "lorentz-berthelot" else "spce.xml",
        io.StringIO(ION.format(ion, MASS[ion])),
    )
    topology = app.Topology()
    residue = topology.addResidue(ion, topology.addChain())
    topology.addAtom(ion, app.Element.getBySymbol(ion), residue)
    modeller = app.Modeller(topology, np.zeros((1, 3)) * unit.nanometer)
    modeller.addSolvent(
        field,
        model="tip3p" if mixing == "lorentz-berthelot" else "spce",
        boxSize=openmm.Vec3(2.3, 2.3, 2.3) * unit.nanometer,
        neutralize=False,
    )
    system = field.createSystem(
        modeller.topology,
        nonbondedMethod=app.PME,
        nonbondedCutoff=1.0,
        rigidWater=True,
        hydrogenMass=3.0 * unit.dalton,
    )
    # The published sigma: asked for by a force field that mixes as the set does.
    (numbers,) = choose_ions(replace(ours, mixing=mixing), ions, [ion]).values()
    set_lennard_jones(system, [0], *numbers)
    if mixing == "geometric":
        (force,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
        for atom in modeller.topology.atoms():
            if atom.index:
                _, sigma, epsilon = force.getParticleParameters(atom.index)
                charge = SPC[atom.element.symbol]
                force.setParticleParameters(atom.index, charge, sigma, epsilon)
        apply_geometric_mixing(system)
    induction = choose_induction(ours, ions, [ion], charge_scale=1.0)
    if induction is not None:
        table = induction.polarizabilities
        symbols = [atom.element.symbol for atom in modeller.topology.atoms()]
        strengths = [induction.c4[ion] / induction.water] + [0.0] * (len(symbols) - 1)
        add_induction(system, strengths, [0.0] + [table[f"water_{s}"] for s in symbols[1:]])
    return system, modeller.topology, modeller.positions


def count(distances: NDArray[np.float64], volume: float) -> dict[str, object]:
    """First peak (by a parabola), first minimum and coordination number, with block errors."""
    width = 0.02
    edges = np.arange(1.0, 6.0 + width, width)
    counts, _ = np.histogram(distances, edges)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    g = counts / (len(distances) * shells * distances.shape[1] / volume)
    middle = 0.5 * (edges[1:] + edges[:-1])
    top = int(g.argmax())
    a, b, _ = np.polyfit(middle[top - 2 : top + 3], g[top - 2 : top + 3], 2)
    outside = (middle > middle[top] + 0.3) & (middle < middle[top] + 1.5)
    smooth = np.convolve(g, np.ones(9) / 9, "same")
    low = np.flatnonzero(outside)[np.flatnonzero(smooth[outside] <= smooth[outside].min() + 1e-12)]
    cutoff = float(middle[low].mean())
    inside = (distances < cutoff).sum(axis=1)
    blocks = [block.mean() for block in np.array_split(inside, 5)]
    near = [d[d < cutoff].mean() for d in np.array_split(distances, 5)]
    return {
        "first_peak": round(float(-b / 2 / a), 3),
        "mean": round(float(np.mean(near)), 4),
        "mean_stderr": round(float(np.std(near, ddof=1) / 5**0.5), 4),
        "cutoff": round(cutoff, 2),
        "coordination": round(float(inside.mean()), 3),
        "coordination_stderr": round(float(np.std(blocks, ddof=1) / 5**0.5), 3),
        "numbers": {int(n): round(float((inside == n).mean()), 3) for n in np.unique(inside)},
    }


if __name__ == "__main__":
    main()
