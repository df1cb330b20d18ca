"""Comparison: what was written is read back by other code, and every energy term compared.

GROMACS and AMBER files are read by OpenMM's own readers, which share nothing with the writers. A
LAMMPS data file has no reader in OpenMM; one is here, made of the file alone.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solvation.export.blueprint import find_exclusions
from solvation.export.lammps import KCAL

if TYPE_CHECKING:
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray

    from solvation.export.blueprint import Blueprint

__all__ = [
    "TERMS",
    "EnergyRow",
    "compare_energies",
    "make_reference",
    "measure_energies",
    "read_back",
]

TERMS = ("bond", "angle", "torsion", "lennard_jones", "coulomb")
"""What is compared; Lennard-Jones inside the cutoff, Coulomb by PME."""
_BONDED = {
    "HarmonicBondForce": "bond",
    "HarmonicAngleForce": "angle",
    "PeriodicTorsionForce": "torsion",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRow:
    """One term, here and in what was read back."""

    term: str
    """One of `TERMS`."""
    here: float
    """kJ/mol, of the System that is simulated here."""
    back: float
    """kJ/mol, of the files."""

    @property
    def difference(self) -> float:
        """Difference in kJ/mol."""
        return self.back - self.here


def compare_energies(blueprint: Blueprint, reference: openmm.System, back: Any) -> list[EnergyRow]:
    """Compare every term of the System with what was read back.

    Parameters
    ----------
    blueprint
        For positions and box.
    reference
        What is simulated here, rigid bonds made flexible: `make_reference`.
    back
        System and positions (Å): `read_back`.
    """
    system, positions = back
    here = measure_energies(reference, blueprint.positions, blueprint.edge)
    there = measure_energies(system, positions, blueprint.edge)
    return [EnergyRow(term=term, here=here[term], back=there[term]) for term in TERMS]


def make_reference(system: openmm.System, blueprint: Blueprint) -> openmm.System:
    """Give back to rigid bonds and angles the energy that other programs see in them."""
    import openmm

    made = openmm.XmlSerializer.clone(system)
    while made.getNumConstraints():
        made.removeConstraint(0)
    held = {(i, j) for i, j, _ in blueprint.rigid}
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    have = {
        tuple(sorted(force.getBondParameters(n)[:2]))
        for force in made.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for n in range(force.getNumBonds())
    }
    for i, j, length, k in blueprint.bonds:
        if (min(i, j), max(i, j)) in held and (min(i, j), max(i, j)) not in have:
            bonds.addBond(i, j, length / 10, k * 100)
    for i, j, k, angle, strength in blueprint.angles:
        if (min(i, k), max(i, k)) in held:
            angles.addAngle(i, j, k, angle, strength)
    made.addForce(bonds)
    made.addForce(angles)
    return made


def measure_energies(
    system: openmm.System, positions: NDArray[Any], edge: float
) -> dict[str, float]:
    """Energy of every term in kJ/mol, without the tail of the dispersion, on Reference.

    Lennard-Jones is what remains of the nonbonded energy without charges, the r^-4 term of 12-6-4
    ions with it.

    Parameters
    ----------
    system
        Any System; forces that are no bond, angle or torsion count as nonbonded.
    positions
        Å, shape ``(n_atoms, 3)``.
    edge
        Edge of the cubic box, Å.
    """
    import openmm
    from openmm import unit

    copy = openmm.XmlSerializer.clone(system)
    cell = edge / 10
    copy.setDefaultPeriodicBoxVectors((cell, 0, 0), (0, cell, 0), (0, 0, cell))
    group = {"bond": 1, "angle": 2, "torsion": 3, "nonbonded": 4}
    for force in copy.getForces():
        force.setForceGroup(group[_BONDED.get(type(force).__name__, "nonbonded")])
        if isinstance(force, openmm.NonbondedForce):
            force.setReciprocalSpaceForceGroup(group["nonbonded"])
            force.setUseDispersionCorrection(False)
        elif isinstance(force, openmm.CustomNonbondedForce):
            force.setUseLongRangeCorrection(False)
    platform = openmm.Platform.getPlatformByName("Reference")

    def measure(made: openmm.System, number: int) -> float:
        context = openmm.Context(made, openmm.VerletIntegrator(0.001), platform)
        context.setPositions(positions * unit.angstrom)
        state = context.getState(getEnergy=True, groups=1 << number)
        return float(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))

    energies = {name: measure(copy, number) for name, number in group.items()}
    for force in copy.getForces():
        if isinstance(force, openmm.NonbondedForce):
            for index in range(force.getNumParticles()):
                _, sigma, epsilon = force.getParticleParameters(index)
                force.setParticleParameters(index, 0.0, sigma, epsilon)
            for index in range(force.getNumExceptions()):
                i, j, _, sigma, epsilon = force.getExceptionParameters(index)
                force.setExceptionParameters(index, i, j, 0.0, sigma, epsilon)
    neutral = measure(copy, group["nonbonded"])
    energies["lennard_jones"] = neutral
    energies["coulomb"] = energies.pop("nonbonded") - neutral
    return energies


def read_back(target: str, folder: Path, name: str, cutoff: float) -> tuple[openmm.System, Any]:
    """Read exported files as a System and positions in Å.

    Parameters
    ----------
    target
        ``"gromacs"``, ``"lammps"`` or ``"amber"``.
    folder, name
        Where the files are, and their stem.
    cutoff
        Å; GROMACS and AMBER keep it with the run, not with the topology.
    """
    import openmm
    from openmm import app, unit

    options = {
        "nonbondedMethod": app.PME, "nonbondedCutoff": cutoff * unit.angstrom,
        "constraints": None, "rigidWater": False, "removeCMMotion": False,
        "ewaldErrorTolerance": 5e-4,
    }  # fmt: skip
    if target == "gromacs":
        positions, edge = _read_gro(folder / f"{name}.gro")
        with warnings.catch_warnings():  # OpenMM leaves the file to the garbage collector
            warnings.simplefilter("ignore", ResourceWarning)
            top = app.GromacsTopFile(
                str(folder / f"{name}.top"),
                unitCellDimensions=openmm.Vec3(edge, edge, edge) * unit.angstrom,
                defines={"FLEXIBLE": ""},
            )
        return top.createSystem(**options), positions
    if target == "amber":
        crd = app.AmberInpcrdFile(str(folder / f"{name}.inpcrd"))
        parm = app.AmberPrmtopFile(
            str(folder / f"{name}.prmtop"), periodicBoxVectors=crd.getBoxVectors()
        )
        return parm.createSystem(**options), crd.getPositions(asNumpy=True)._value * 10
    return _read_lammps(folder / f"{name}.in", folder / f"{name}.data")


def _read_gro(file: Path) -> tuple[Any, float]:
    """Read positions and edge in Å; OpenMM's reader takes three decimals only."""
    import numpy as np

    _, _, *lines, box = file.read_text(encoding="utf-8").splitlines()
    first = lines[0][20:]
    point = first.index(".")
    width = first.index(".", point + 1) - point
    rows = [[float(line[20 + width * k : 20 + width * (k + 1)]) for k in range(3)]
            for line in lines]  # fmt: skip
    return np.array(rows) * 10, float(box.split()[0]) * 10


def _read_lammps(settings: Path, data: Path) -> tuple[openmm.System, Any]:
    """Read a LAMMPS input and its data as LAMMPS's manual defines their energies."""
    import numpy as np
    import openmm

    words = {}
    for line in settings.read_text(encoding="utf-8").splitlines():
        key, *rest = line.split() or [""]
        words[key] = rest
    sections, head = _split_sections(data.read_text(encoding="utf-8"))
    n_atoms = int(head["atoms"][0])
    edge = float(head["xlo xhi"][1]) / 10
    lj14, coulomb14 = float(words["special_bonds"][3]), float(words["special_bonds"][7])
    geometric = words["pair_modify"][1] == "geometric"
    cutoff = float(words["pair_style"][1]) / 10
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
    atoms = sorted(sections["Atoms"], key=lambda row: int(row[0]))
    positions = np.array([[float(v) for v in row[4:7]] for row in atoms])
    coefficients = {row[0]: (float(row[1]) * KCAL, float(row[2]) / 10)
                    for row in sections["Pair Coeffs"]}  # fmt: skip
    masses = {row[0]: float(row[1]) for row in sections["Masses"]}
    coulomb = openmm.NonbondedForce()
    coulomb.setNonbondedMethod(openmm.NonbondedForce.PME)
    coulomb.setCutoffDistance(cutoff)
    mean = "sqrt(s1*s2)" if geometric else "0.5*(s1+s2)"
    pair = openmm.CustomNonbondedForce(f"4*sqrt(e1*e2)*((s/r)^12-(s/r)^6); s={mean}")
    pair.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    pair.setCutoffDistance(cutoff)
    for parameter in ("e", "s"):
        pair.addPerParticleParameter(parameter)
    for _, _, kind, charge, *_ in atoms:
        system.addParticle(masses[kind])
        coulomb.addParticle(float(charge), 1.0, 0.0)
        pair.addParticle(coefficients[kind])
    bonds, angles, torsions = (
        openmm.HarmonicBondForce(), openmm.HarmonicAngleForce(), openmm.PeriodicTorsionForce(),
    )  # fmt: skip
    rows = {key: {row[0]: row[1:] for row in sections.get(f"{key} Coeffs", ())}
            for key in ("Bond", "Angle", "Dihedral")}  # fmt: skip
    joined = []
    for _, kind, i, j in sections.get("Bonds", ()):
        strength, length = map(float, rows["Bond"][kind])
        joined.append((int(i) - 1, int(j) - 1))
        bonds.addBond(*joined[-1], length / 10, 2 * strength * KCAL * 100)
    for _, kind, *three in sections.get("Angles", ()):
        strength, angle = map(float, rows["Angle"][kind])
        angles.addAngle(*(int(a) - 1 for a in three), math.radians(angle), 2 * strength * KCAL)
    for _, kind, *four in sections.get("Dihedrals", ()):
        terms = rows["Dihedral"][kind][1:]
        for k, n, phase in zip(terms[::3], terms[1::3], terms[2::3], strict=True):
            torsions.addTorsion(*(int(a) - 1 for a in four), int(n),
                                math.radians(float(phase)), float(k) * KCAL)  # fmt: skip
    close, far = find_exclusions(n_atoms, joined)
    for a, b in sorted(close | far):
        pair.addExclusion(a, b)
        if (a, b) in close:
            coulomb.addException(a, b, 0.0, 1.0, 0.0)
            continue
        (e1, s1), (e2, s2) = (coefficients[atoms[atom][2]] for atom in (a, b))
        product = float(atoms[a][3]) * float(atoms[b][3])
        size = math.sqrt(s1 * s2) if geometric else 0.5 * (s1 + s2)
        coulomb.addException(a, b, coulomb14 * product, size, lj14 * math.sqrt(e1 * e2))
    for force in (bonds, angles, torsions, coulomb, pair):
        system.addForce(force)
    return system, positions


def _split_sections(text: str) -> tuple[dict[str, list[list[str]]], dict[str, list[str]]]:
    """Split a data file into sections of rows, and its header."""
    titles = ("Masses", "Pair Coeffs", "Bond Coeffs", "Angle Coeffs", "Dihedral Coeffs", "Atoms",
              "Bonds", "Angles", "Dihedrals")  # fmt: skip
    sections: dict[str, list[list[str]]] = {}
    head: dict[str, list[str]] = {}
    current = None
    for line in text.splitlines()[1:]:
        row = line.partition("#")[0].strip()
        if row in titles:
            current = sections.setdefault(row, [])
        elif row and current is not None:
            current.append(row.split())
        elif row:
            values = row.split()
            n = sum(word.lstrip("-").replace(".", "").isdigit() for word in values)
            head[" ".join(values[n:])] = values[:n]
    return sections, head
