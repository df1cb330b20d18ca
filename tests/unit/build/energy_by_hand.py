"""The energy of one molecule from a force-field XML, written out in NumPy.

A second route to every term: it reads the same file and shares no code with OpenMM. A bond,
angle or torsion without a row in the file is a KeyError.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

COULOMB = 1.602176634e-19**2 * 6.02214076e23 / (4 * math.pi * 8.8541878128e-12) * 1e9 / 1e3
"""kJ nm / (mol e2)"""


class Molecule:
    """One residue template with everything the file says of it."""

    def __init__(self, files: Iterable[Path], residue: str) -> None:
        self.root = ElementTree.Element("ForceField")
        for file in files:
            self.root.extend(ElementTree.parse(file).getroot())
        node = self.root.find(f"Residues/Residue[@name='{residue}']")
        assert node is not None
        types = {t.attrib["name"]: t.attrib for t in self.root.iterfind("AtomTypes/Type")}
        atoms = [a.attrib for a in node.iterfind("Atom")]
        self.names = [a["name"] for a in atoms]
        self.charges = np.array([float(a["charge"]) for a in atoms])
        self.types = [a["type"] for a in atoms]
        self.elements = tuple(types[t]["element"] for t in self.types)
        self.classes = [types[t]["class"] for t in self.types]
        index = {name: i for i, name in enumerate(self.names)}
        self.bonds = [
            (index[b.attrib["atomName1"]], index[b.attrib["atomName2"]])
            for b in node.iterfind("Bond")
        ]
        self.bonded: list[set[int]] = [set() for _ in atoms]
        for i, j in self.bonds:
            self.bonded[i].add(j)
            self.bonded[j].add(i)
        self.angles = [
            (i, j, k)
            for j in range(len(atoms))
            for i, k in itertools.combinations(sorted(self.bonded[j]), 2)
        ]
        self.torsions = [
            (i, j, k, m)
            for j, k in self.bonds
            for i in self.bonded[j] - {k}
            for m in self.bonded[k] - {j}
            if i != m
        ]

    def rows(self, path: str, n: int) -> dict[tuple[str, ...], dict[str, str]]:
        """Map classes, read both ways, to the attributes of a row. No class may come twice.

        An empty class stands for any.
        """
        table: dict[tuple[str, ...], dict[str, str]] = {}
        for node in self.root.iterfind(path):
            key = tuple(node.attrib[f"class{i + 1}"] for i in range(n))
            assert key not in table, key
            table[key] = table[key[::-1]] = node.attrib
        return table

    def row(self, table: dict[tuple[str, ...], dict[str, str]], *atoms: int) -> dict[str, str]:
        classes = tuple(self.classes[i] for i in atoms)
        if len(classes) == 4 and classes not in table:
            classes = ("", *classes[1:3], "")
        return table[classes]

    def bond_energy(self, x: NDArray[np.float64]) -> float:
        table = self.rows("HarmonicBondForce/Bond", 2)
        energy = 0.0
        for i, j in self.bonds:
            row = self.row(table, i, j)
            r = np.linalg.norm(x[i] - x[j])
            energy += 0.5 * float(row["k"]) * (r - float(row["length"])) ** 2
        return float(energy)

    def count_angles(self) -> int:
        """Count the angles whose term is not zero."""
        table = self.rows("HarmonicAngleForce/Angle", 3)
        return sum(float(self.row(table, *atoms)["k"]) != 0 for atoms in self.angles)

    def angle_energy(self, x: NDArray[np.float64], *, octahedral: bool = False) -> float:
        """Energy of the angles; without the widest three of an octahedron, if told."""
        table = self.rows("HarmonicAngleForce/Angle", 3)
        terms = []
        for i, j, k in self.angles:
            row = self.row(table, i, j, k)
            a, b = x[i] - x[j], x[k] - x[j]
            theta = math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))
            terms.append((theta, 0.5 * float(row["k"]) * (theta - float(row["angle"])) ** 2))
        terms.sort()
        return math.fsum(energy for _, energy in (terms[:-3] if octahedral else terms))

    def torsion_terms(self) -> list[tuple[tuple[int, ...], int, float, float]]:
        """Atoms, periodicity, phase and k of every term that is not zero."""
        table = self.rows("PeriodicTorsionForce/Proper", 4)
        terms = []
        for atoms in self.torsions:
            row = self.row(table, *atoms)
            for t in range(1, 5):
                if k := float(row.get(f"k{t}", 0)):
                    terms.append((atoms, int(row[f"periodicity{t}"]), float(row[f"phase{t}"]), k))
        return terms + self.improper_terms()

    def improper_terms(self) -> list[tuple[tuple[int, ...], int, float, float]]:
        """A row lists the central class first; the torsion runs second, third, central, fourth.

        Of equal classes the atom with the smaller index comes first. OpenMM then orders the first
        two by element, carbon before others, and by index within one element.
        """
        terms = []
        for node in self.root.iterfind("PeriodicTorsionForce/Improper"):
            row = node.attrib
            central, *outer = (row[f"class{i}"] for i in (1, 2, 3, 4))
            for c, near in enumerate(self.bonded):
                if self.classes[c] != central or len(near) != 3:
                    continue
                left, chosen = sorted(near), []
                for wanted in outer:
                    chosen.append(next(i for i in left if self.classes[i] == wanted))
                    left.remove(chosen[-1])
                first, second = sorted(chosen[:2], key=lambda i: (self.elements[i] != "C", i))
                atoms = (first, second, c, chosen[2])
                terms.append(
                    (atoms, int(row["periodicity1"]), float(row["phase1"]), float(row["k1"]))
                )
        return terms

    def torsion_energy(self, x: NDArray[np.float64]) -> float:
        energy = 0.0
        for (i, j, k, m), n, phase, barrier in self.torsion_terms():
            axis = x[k] - x[j]
            a = np.cross(x[i] - x[j], axis)
            b = np.cross(x[m] - x[k], axis)
            phi = math.atan2(
                float(np.cross(a, b) @ axis) / float(np.linalg.norm(axis)), float(a @ b)
            )
            energy += barrier * (1 + math.cos(n * phi - phase))
        return energy

    def nonbonded_energies(
        self, x: NDArray[np.float64], *, geometric: bool = False
    ) -> tuple[float, float]:
        """Coulomb and Lennard-Jones energy; sigma is mixed arithmetically unless told."""
        force = self.root.find("NonbondedForce")
        assert force is not None
        rows = {a.attrib["type"]: a.attrib for a in self.root.iterfind("NonbondedForce/Atom")}
        sigma = [float(rows[t]["sigma"]) for t in self.types]
        epsilon = [float(rows[t]["epsilon"]) for t in self.types]
        coulomb = lj = 0.0
        for i, j in itertools.combinations(range(len(self.types)), 2):
            apart = self._bonds_between(i, j)
            if apart < 3:
                continue
            r = float(np.linalg.norm(x[i] - x[j]))
            mixed = math.sqrt(sigma[i] * sigma[j]) if geometric else 0.5 * (sigma[i] + sigma[j])
            s6 = (mixed / r) ** 6
            q_scale = float(force.attrib["coulomb14scale"]) if apart == 3 else 1.0
            lj_scale = float(force.attrib["lj14scale"]) if apart == 3 else 1.0
            coulomb += q_scale * COULOMB * self.charges[i] * self.charges[j] / r
            lj += lj_scale * 4 * math.sqrt(epsilon[i] * epsilon[j]) * (s6 * s6 - s6)
        return coulomb, lj

    def _bonds_between(self, i: int, j: int) -> int:
        """Count the bonds on the shortest way, 4 meaning 4 or more."""
        reached = {i}
        for n in range(4):
            if j in reached:
                return n
            reached |= {b for a in reached for b in self.bonded[a]}
        return 4
