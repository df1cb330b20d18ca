"""Derive the epsilon factors of fragment pairs that CL&Pol does not list.

The predictive scheme of Goloviznina et al. (J. Chem. Theory Comput. 2019, 15, 5858),

    1 / k = 1 + 0.254952 r^2 (Q1^2/a1 + Q2^2/a2) + 0.106906 (m1^2/a1 + m2^2/a2),

with their charges Q (e), dipoles m (D) and polarizabilities a (A^3), and the distance r (A) between
the centres of mass in the dimer. Where they give no r for an ether it is that of butane with the
same anion. Prints a table; the pairs whose k they know come first, to show how good that is. With
``--check`` also r of the lowest of a few GFN2-xTB minima of every dimer, some minutes.

    python fragments.py [--check]
"""

from __future__ import annotations

import sys

import numpy as np
from rdkit import Chem

from solvation.build.molecule import Molecule, embed_molecule
from solvation.build.quantum import limit_threads, make_surface, relax
from solvation.library import Species, find_species

A = {"C": 1.016, "H": 0.323, "N": 1.698, "O": 1.144, "F": 0.625, "S": 1.553, "B": 0.578, "P": 1.237}
"""A^3 by element, alpha.ff of 2024/06/05."""
FRAGMENTS = {
    "dme": ("DME", 0, 1.2442, 4 * A["C"] + 10 * A["H"] + 2 * A["O"]),
    "me2o": ("COC", 0, 1.2190, 2 * A["C"] + 6 * A["H"] + A["O"]),
    "ntf2": ("TFSI", -1, 4.0070, 2 * A["C"] + A["N"] + 4 * A["O"] + 2 * A["S"] + 6 * A["F"]),
    "fsi": ("FSI", -1, 0.4245, A["N"] + 4 * A["O"] + 2 * A["S"] + 2 * A["F"]),
    "otf": ("OTf", -1, 4.1463, A["C"] + 3 * A["O"] + A["S"] + 3 * A["F"]),
    "bf4": ("BF4", -1, 0.0, A["B"] + 4 * A["F"]),
    "pf6": ("PF6", -1, 0.0, A["P"] + 6 * A["F"]),
}
"""Species, charge (e), dipole (D, fragment.ff), polarizability (A^3, alpha.ff, with hydrogens)."""
PUBLISHED = {
    ("dme", "dme"): (3.856, 0.89),
    ("me2o", "me2o"): (3.976, 0.82),
    ("dme", "fsi"): (4.583, 0.73),
    ("me2o", "ntf2"): (4.519, 0.75),
}
"""r_COM (A) and k from SAPT, fragment.ff of 2024/11/08."""
WANTED = {
    ("dme", "ntf2"): 4.519, ("dme", "otf"): 3.960, ("dme", "bf4"): 3.531, ("dme", "pf6"): 4.279,
    ("me2o", "fsi"): 4.583, ("me2o", "otf"): 3.960, ("me2o", "bf4"): 3.531,
    ("me2o", "pf6"): 4.279, ("dme", "me2o"): 3.916,
}  # fmt: skip
"""r_COM (A): of me2o-ntf2, of dme-fsi, of butane with OTf, BF4 and PF6 (fragment.ff), and the mean
of dme-dme and me2o-me2o."""
STARTS = 3


def predict(first: str, second: str, r: float) -> float:
    """Factor k of a pair whose centres of mass are r apart."""
    inverse = 1.0
    for name in (first, second):
        _, charge, dipole, alpha = FRAGMENTS[name]
        inverse += (0.254952 * r**2 * charge**2 + 0.106906 * dipole**2) / alpha
    return 1 / inverse


def measure(first: str, second: str, rng: np.random.Generator) -> tuple[float, float]:
    """Energy (kJ/mol) and distance of the centres of mass (A) of the lowest dimer found."""
    found = []
    table = Chem.GetPeriodicTable()
    pair = [load(FRAGMENTS[name][0]) for name in (first, second)]
    elements = [e for molecule in pair for e in molecule.elements]
    numbers = [table.GetAtomicNumber(e) for e in elements]
    masses = np.array([table.GetAtomicWeight(n) for n in numbers])
    charge = sum(FRAGMENTS[name][1] for name in (first, second))
    surface = make_surface("gfn2", numbers, charge)
    cut = len(pair[0].elements)
    for _ in range(STARTS):
        one, other = (m.positions @ turn(rng).T for m in pair)
        apart = 3.0
        while np.linalg.norm(one[:, None] - other - np.array([apart, 0, 0]), axis=-1).min() < 2.6:
            apart += 0.2
        try:
            shape, energy = relax(
                surface, elements, np.vstack([one, other + np.array([apart, 0, 0])])
            )
        except Exception as error:  # a start that does not converge is one start less
            print(f"# {first}-{second}: {error}", file=sys.stderr)
            continue
        centres = [
            np.average(shape[part], axis=0, weights=masses[part])
            for part in (slice(0, cut), slice(cut, None))
        ]
        found.append((energy, float(np.linalg.norm(centres[0] - centres[1]))))
    return min(found)


def load(name: str) -> Molecule:
    """A molecule of the library, or of a SMILES."""
    ether = Species(name="me2o", title="dimethyl ether", smiles="COC", charge=0)
    species = ether if name == "COC" else find_species(name)
    return embed_molecule(species, seed=1)


def turn(rng: np.random.Generator) -> np.ndarray:
    """A random rotation."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


if __name__ == "__main__":
    limit_threads()
    generator = np.random.default_rng(2026)
    print("pair            r_COM  k SAPT  k predicted")
    for pair in (*PUBLISHED, *WANTED):
        r, k = PUBLISHED.get(pair, (WANTED.get(pair), "-"))
        print(f"{'-'.join(pair):14s} {r:6.3f} {k!s:>7s} {predict(*pair, r):12.3f}", end="")
        if "--check" in sys.argv:
            _, ours = measure(*pair, generator)
            print(f"   xTB r_COM {ours:.3f}, k {predict(*pair, ours):.3f}", end="")
        print(flush=True)
