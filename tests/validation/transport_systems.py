"""Liquids whose transport and dielectric properties are published, as OpenMM systems.

* `make_argon`: Lennard-Jones liquid, near its triple point unless asked otherwise.
* `make_salt`: molten NaCl with the Born-Huggins-Mayer-Tosi-Fumi potential.
* `make_water`: rigid three-site water, TIP3P.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

from solvation.simulate.prepared import prepare_system
from solvation.simulate.protocol import Plan, Replica, Stage

SIGMA, EPSILON, MASS = 0.3405, 119.8 * 8.31446261815324e-3, 39.948
"""nm, kJ/mol, u: argon of Rahman, Phys. Rev. 1964, 136, A405 (from memory); only sets a scale."""
ARGON_TIME = (MASS * SIGMA**2 / EPSILON) ** 0.5
"""ps in a Lennard-Jones time."""
ARGON_VISCOSITY = (MASS * EPSILON) ** 0.5 / SIGMA**2 * 1.66053906660e-27 / 1e-9 / 1e-12 * 1e3
"""mPa s in a Lennard-Jones viscosity."""
ARGON_DIFFUSION = SIGMA**2 / ARGON_TIME * 1e-6
"""m2/s in a Lennard-Jones diffusion coefficient."""


def _topology(names: list[str], vectors: np.ndarray) -> app.Topology:
    topology = app.Topology()
    chain = topology.addChain()
    for name in names:
        element = app.Element.getBySymbol(name)
        topology.addAtom(name, element, topology.addResidue(name, chain))
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    return topology


def _grid(shape: tuple[int, int, int], box: np.ndarray) -> np.ndarray:
    axes = [np.arange(n) for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return (points + 0.5) * box / np.array(shape)


def make_argon(
    folder: Path,
    *,
    cells: tuple[int, int, int] = (4, 4, 4),
    density: float = 0.8442,
    cutoff: float = 2.5,
) -> Path:
    """Face-centred cubic cells of four atoms at this rho*, cut at so many sigma."""
    edge = (4 / density) ** (1 / 3) * SIGMA
    box = edge * np.array(cells)
    corners = _grid(cells, box)
    shifts = edge * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = (corners[:, None, :] + shifts).reshape(-1, 3)
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*np.diag(box))
    # Shifted to zero at the cutoff: the forces are the same, and the pressure tensor, which is
    # differentiated numerically, does not see pairs jump.
    end = 4 * EPSILON * (cutoff**-12 - cutoff**-6)
    force = openmm.CustomNonbondedForce(f"4*epsilon*(s^2-s)-({end!r}); s=(sigma/r)^6")
    force.addGlobalParameter("epsilon", EPSILON)
    force.addGlobalParameter("sigma", SIGMA)
    force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(cutoff * SIGMA)
    for _ in positions:
        system.addParticle(MASS)
        force.addParticle([])
    system.addForce(force)
    return prepare_system(
        folder, system, _topology(["Ar"] * len(positions), np.diag(box)), positions
    )


def make_salt(folder: Path, *, side: int = 6, density: float = 1.453, cutoff: float = 0.9) -> Path:
    """Molten NaCl, ``side**3`` ions at ``density`` in g/cm3.

    Parameters of Lewis, Singer and Woodcock, J. Chem. Soc. Faraday Trans. 2 1975, 71, 301
    (10.1039/F29757100301), with the constant in the exponent in 1/m as Ciccotti et al., Phys. Rev.
    A 1976, 13, 426 (10.1103/PhysRevA.13.426) have it; both as STACIE's documentation quotes them.
    The powers of r are cut off below 1 Å, as there, where no pair of ions ever is.
    """
    mass = {"Na": 22.99, "Cl": 35.45}
    joule = 6.02214076e20  # kJ/mol
    box = np.full(3, (side**3 / 2 * sum(mass.values()) / (density * 602.214076)) ** (1 / 3))
    positions = _grid((side, side, side), box)
    parity = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3).sum(1)
    names = ["Na" if p % 2 == 0 else "Cl" for p in parity]
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*np.diag(box))
    coulomb = openmm.NonbondedForce()
    coulomb.setNonbondedMethod(openmm.NonbondedForce.PME)
    coulomb.setCutoffDistance(cutoff)
    coulomb.setUseDispersionCorrection(False)
    # kind is 0 for Na and 1 for Cl; of their sum over a pair, k = 0, 1 or 2, the coefficients are
    # parabolas, which is exact and lets the expression be compiled.
    terms = {
        "c": _parabola(1.25, 1.0, 0.75),
        "C": _parabola(*(np.array([1.68, 11.2, 116.0]) * 1e-79 * 1e54 * joule)),
        "D": _parabola(*(np.array([0.8, 13.9, 233.0]) * 1e-99 * 1e72 * joule)),
    }
    text = "; ".join(f"{name}={value}" for name, value in terms.items())
    short = openmm.CustomNonbondedForce(
        f"B*c*exp((s1+s2-r)*A) - C/(r^6+1e-6) - D/(r^8+1e-8); {text}; k=kind1+kind2"
    )
    short.addGlobalParameter("B", 0.338e-19 * joule)
    short.addGlobalParameter("A", 31.5)
    short.addPerParticleParameter("s")
    short.addPerParticleParameter("kind")
    short.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    short.setCutoffDistance(cutoff)
    short.setUseSwitchingFunction(True)
    short.setSwitchingDistance(0.8 * cutoff)
    for name in names:
        system.addParticle(mass[name])
        coulomb.addParticle(1.0 if name == "Na" else -1.0, 0.1, 0.0)
        short.addParticle([0.117, 0.0] if name == "Na" else [0.1585, 1.0])
    system.addForce(coulomb)
    system.addForce(short)
    return prepare_system(folder, system, _topology(names, np.diag(box)), positions)


def _parabola(a: float, b: float, c: float) -> str:
    """Polynomial of k with these values at 0, 1 and 2."""
    return f"{a!r} + k*({2 * b - 1.5 * a - 0.5 * c!r} + k*{0.5 * a - b + 0.5 * c!r})".replace(
        "np.float64", ""
    )


def make_water(folder: Path, *, number: int = 100, density: float = 0.985) -> Path:
    """TIP3P water at ``density`` in g/cm3; hydrogens of 2 u, which no average depends on."""
    field = app.ForceField("tip3p.xml")
    model = app.Modeller(app.Topology(), [])
    model.addSolvent(field, model="tip3p", numAdded=number)
    edge = (number * 18.01528 / (density * 602.214076)) ** (1 / 3)
    topology = model.topology
    old = topology.getPeriodicBoxVectors()[0][0].value_in_unit(unit.nanometer)
    topology.setPeriodicBoxVectors(np.diag([edge] * 3) * unit.nanometer)
    system = field.createSystem(
        topology, nonbondedMethod=app.PME, nonbondedCutoff=0.7 * unit.nanometer,
        rigidWater=True, hydrogenMass=2.0 * unit.dalton, removeCMMotion=False,
    )  # fmt: skip
    positions = model.positions.value_in_unit(unit.nanometer)
    positions = np.array([[p.x, p.y, p.z] for p in positions])
    centres = positions.reshape(-1, 3, 3).mean(axis=1, keepdims=True)
    positions = (positions.reshape(-1, 3, 3) + centres * (edge / old - 1.0)).reshape(-1, 3)
    return prepare_system(folder, system, topology, positions)


def make_plan(
    *, temperature: float, hot: float, heat: float, production: float, timestep: float,
    friction: float, record: int = 0, stress: int = 0, report: int = 250, seed: int = 1,
) -> tuple[Plan, Replica]:  # fmt: skip
    """Heat, cool and wait, each as long, all at constant volume, then produce; times in ps."""
    interval = timestep * report
    replica = Replica(name="random-1", start="random", seed=seed)

    def stage(name: str, first: float, last: float, length: float) -> Stage:
        n = max(4, round(length / interval))
        return Stage(
            name=name, ensemble="NVT", temperature=(first, last), n_intervals=n, n_intervals_max=n  # type: ignore[arg-type]
        )  # fmt: skip

    plan = Plan(
        stages=(
            stage("heat", hot, temperature, heat),
            stage("anneal", temperature, temperature, heat),
            stage("production", temperature, temperature, production),
        ),
        replicas=(replica,), timestep=timestep, friction=friction, pressure=1.0,
        steps_per_interval=report, intervals_per_checkpoint=20, steps_per_record=record,
        steps_per_stress=stress,
    )  # fmt: skip
    return plan, replica
