"""The nonbonded energy of polarizable molecules, written out in NumPy.

It reads card and XML itself and shares no code with the package.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .energy_by_hand import COULOMB, Molecule


class Box:
    """Some molecules of a polarizable force field, in vacuum or in a cubic box."""

    def __init__(self, card: Path, names: Sequence[str], molecules: Sequence[Molecule]) -> None:
        self.table = tomllib.loads(card.read_text(encoding="utf-8"))["drude"]
        rows = {
            a.attrib["type"]: a.attrib for a in molecules[0].root.iterfind("NonbondedForce/Atom")
        }
        self.spring = float(self.table["force_constant"])
        self.charge: list[float] = []
        self.induced: list[float] = []
        self.alpha: list[float] = []
        self.lj: list[tuple[float, float]] = []
        self.species: list[str] = []
        self.apart: dict[tuple[int, int], int] = {}
        for name, molecule in zip(names, molecules, strict=True):
            start = len(self.charge)
            for i, element in enumerate(molecule.elements):
                hydrogens = sum(molecule.elements[j] == "H" for j in molecule.bonded[i])
                heavy = self.table["alpha"][name].get(element, 0.0)
                alpha = (heavy + hydrogens * self.table["hydrogen"]) / 1000 if heavy else 0.0
                self.alpha.append(alpha)
                self.induced.append(math.sqrt(alpha * self.spring / COULOMB))
                self.charge.append(float(molecule.charges[i]))
                row = rows[molecule.types[i]]
                self.lj.append((float(row["sigma"]), float(row["epsilon"])))
                self.species.append(name)
            for i, j in itertools.combinations(range(len(molecule.types)), 2):
                self.apart[start + i, start + j] = molecule._bonds_between(i, j)
        self.sites = [i for i, d in enumerate(self.induced) if d]
        """Atoms with a Drude particle, in the order of the particles."""

    def factor(self, i: int, j: int) -> float:
        """Factor on epsilon of two atoms."""
        pair = {self.table["fragment"][self.species[k]] for k in (i, j)}
        return next((row["k"] for row in self.table["factor"] if set(row["pair"]) == pair), 1.0)

    def energies(
        self, x: NDArray[np.float64], *, edge: float | None = None, cutoff: float = math.inf
    ) -> dict[str, float]:
        """Energy by term, kJ/mol, at positions of atoms and Drude particles in nm.

        With an edge, periodic: Lennard-Jones cut off, Coulomb as an Ewald sum.
        """
        n = len(self.charge)
        drude = {atom: x[n + k] for k, atom in enumerate(self.sites)}
        box = edge or 1e6

        def near(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
            d = a - b
            return float(np.linalg.norm(d - box * np.round(d / box)))

        found = {"coulomb": 0.0, "lj": 0.0, "spring": 0.0, "damping": 0.0}
        for i, place in drude.items():
            found["spring"] += 0.5 * self.spring * float(((place - x[i]) ** 2).sum())

        def parts(i: int) -> list[tuple[NDArray[np.float64], float, float]]:
            """Places of an atom with their whole charge and what of it is a dipole's."""
            d = self.induced[i]
            core = (x[i], self.charge[i] + d, d)
            return [core, (drude[i], -d, -d)] if i in drude else [core]

        ewald = [(place, q, i) for i in range(n) for place, q, _ in parts(i)]
        if edge:
            found["coulomb"] += sum_ewald(ewald, edge)
        for i, j in itertools.combinations(range(n), 2):
            apart = self.apart.get((i, j), 4)
            scale = {1: 0.0, 2: 0.0, 3: 0.5}.get(apart, 1.0)
            for (a, qa, da), (b, qb, db) in itertools.product(parts(i), parts(j)):
                r = near(a, b)
                whole = scale * qa * qb
                if apart < 4:
                    u = (
                        self.table["thole"] * r / (self.alpha[i] * self.alpha[j]) ** (1 / 6)
                        if (self.alpha[i] * self.alpha[j])
                        else 0.0
                    )
                    screened = 1 - (1 + u / 2) * math.exp(-u)
                    whole += (screened - scale) * da * db
                if edge:
                    whole -= qa * qb  # the Ewald sum has it
                found["coulomb"] += COULOMB * whole / r
            r = near(x[i], x[j])
            if scale and r < cutoff:
                sigma = math.sqrt(self.lj[i][0] * self.lj[j][0])
                epsilon = math.sqrt(self.lj[i][1] * self.lj[j][1]) * self.factor(i, j)
                s6 = (sigma / r) ** 6
                found["lj"] += 4 * scale * epsilon * (s6 * s6 - s6)
        if edge:  # a core and its own particle do not see each other
            for i, place in drude.items():
                product = -(self.charge[i] + self.induced[i]) * self.induced[i]
                found["coulomb"] -= COULOMB * product / near(x[i], place)
        b, c = (float(self.table["damping"][key]) for key in ("b", "c"))
        for i in range(n):
            if self.species[i] not in self.table["damping"]["ions"]:
                continue
            for j in range(n):
                for place, _, p in parts(j) if j != i else []:
                    r = near(x[i], place)
                    if r >= cutoff:
                        continue
                    tail = sum((b * r) ** k / math.factorial(k) for k in range(5))
                    found["damping"] -= (
                        COULOMB * self.charge[i] * p / r * c * math.exp(-b * r) * tail
                    )
        return found


def sum_ewald(charges: Sequence[tuple[NDArray[np.float64], float, int]], edge: float) -> float:
    """Ewald sum over point charges in a cubic box, kJ/mol, direct space to the nearest image."""
    alpha, reach = 9.0 / edge, 14  # erfc(4.5) = 2e-10 at half the edge
    x = np.array([place for place, _, _ in charges])
    q = np.array([charge for _, charge, _ in charges])
    d = x[:, None] - x
    d -= edge * np.round(d / edge)
    r = np.linalg.norm(d, axis=-1)
    i, j = np.triu_indices(len(q), 1)
    erfc = np.vectorize(math.erfc)(alpha * r[i, j])
    direct = float((q[i] * q[j] * erfc / r[i, j]).sum())
    axis = np.arange(-reach, reach + 1)
    k = np.array(list(itertools.product(axis, axis, axis)))
    k = k[(k**2).sum(axis=1) > 0] * 2 * math.pi / edge
    k2 = (k**2).sum(axis=1)
    phase = x @ k.T
    s2 = (q @ np.cos(phase)) ** 2 + (q @ np.sin(phase)) ** 2
    reciprocal = 2 * math.pi / edge**3 * float((np.exp(-k2 / (4 * alpha**2)) / k2 * s2).sum())
    own = alpha / math.sqrt(math.pi) * float((q**2).sum())
    background = math.pi / (2 * alpha**2 * edge**3) * float(q.sum()) ** 2
    return COULOMB * (direct + reciprocal - own - background)
