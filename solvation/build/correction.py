r"""Correction: a bond whose length tight binding misses follows a density functional.

GFN2-xTB hardly holds some dative bonds: B-O of a triflate on boron is 1.55 or 1.68 Å long, by
conformer, and may have no force constant. The bond is stretched with everything else relaxed, and
B3LYP/def2-SVP energies at these shapes say what the surface lacks,

.. math:: E(x) = E_\text{GFN2}(x) + \Delta(r(x)).

:math:`\Delta` is a cubic in the length, a straight line beyond the ends. Conformers, Hessian and
scans are those of the corrected surface. A density functional for all of it would take hours where
this takes five energies. Only a bond without an equal: equal ones push each other, which one
stretched alone does not tell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build.derived import name_key
from solvation.build.quantum import HARTREE, relax
from solvation.build.subject import embed_conformers
from solvation.errors import RecipeError, SimulationError
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from solvation.build.derivation import Listener
    from solvation.build.quantum import Surface
    from solvation.build.subject import Subject

__all__ = [
    "WORDS",
    "Correction",
    "check_rest",
    "correct_surface",
    "find_correction",
    "fit_correction",
    "label_bond",
    "parse_bond",
]

WORDS = "B3LYP/def2-SVP"
"""What the correction follows."""
_RANGE = np.linspace(0.96, 1.16, 5)
"""Lengths, in sums of covalent radii."""
_DEGREE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a bond's length adds to a surface."""

    bond: tuple[int, int]
    """Its atoms."""
    ends: tuple[float, float]
    """Å; shortest and longest length that was computed."""
    coefficients: tuple[float, ...]
    """kJ/mol/Å^n, of powers of the length less the mean of the ends, constant first."""
    error: float
    """kJ/mol; root-mean-square distance of the computed points from the curve."""

    def evaluate(self, length: float) -> tuple[float, float]:
        """Energy and its slope at a length, kJ/mol and kJ/mol/Å."""
        curve = np.polynomial.Polynomial(self.coefficients)
        inside = float(np.clip(length, *self.ends))
        middle = 0.5 * (self.ends[0] + self.ends[1])
        slope = float(curve.deriv()(inside - middle))
        return float(curve(inside - middle)) + slope * (length - inside), slope


def parse_bond(text: str, subject: Subject) -> tuple[int, int]:
    """Read a bond such as ``"0-19"``; raises `RecipeError` if it is none, or one of several."""
    parts = text.split("-")
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        i, j = sorted(int(part) for part in parts)
        if (i, j) in subject.bonds:
            return _check_unique((i, j), subject)
    heavy = [
        f"{i}-{j} ({subject.elements[i]}-{subject.elements[j]})"
        for i, j in subject.bonds
        if "H" not in (subject.elements[i], subject.elements[j])
    ]
    raise RecipeError(f'--stretch "{text}" is no bond; choose one of {", ".join(heavy)}')


def _check_unique(bond: tuple[int, int], subject: Subject) -> tuple[int, int]:
    """Refuse a bond that has equals."""
    keys = [name_key(tuple(subject.classes[a] for a in b)) for b in subject.bonds]
    equal = keys.count(keys[subject.bonds.index(bond)])
    if equal > 1:
        raise RecipeError(
            f"--stretch {bond[0]}-{bond[1]} is one of {equal} equal bonds; it is for a bond "
            "without equals, use --method b3lyp"
        )
    return bond


def find_correction(
    subject: Subject, surface: Surface, bond: tuple[int, int], folder: Path, seed: int,
    listen: Listener,
) -> Correction:  # fmt: skip
    """Stretch a bond on a surface, compute the density functional's energies, fit the difference.

    Raises
    ------
    SimulationError
        If a shape does not relax, an energy does not converge, or the bond has no rest.
    """
    from rdkit import Chem

    file = folder / f"stretch-{bond[0]}-{bond[1]}.json"
    done: dict[str, Any] = {"lengths": [], "surface": [], "reference": [], "shapes": []}
    if file.is_file():
        done = json.loads(file.read_text(encoding="utf-8"))
    table = Chem.GetPeriodicTable()
    radii = sum(table.GetRcovalent(subject.numbers[atom]) for atom in bond)
    lengths = [round(float(r), 3) for r in radii * _RANGE]
    if done["shapes"]:
        shape = np.array(done["shapes"][-1])
    else:
        guesses = embed_conformers(subject, 8, seed=seed)
        shape, _ = relax(surface, subject.elements, min(guesses, key=lambda s: surface(s)[0]))
    density: NDArray[np.float64] | None = None
    for length in lengths[len(done["lengths"]) :]:
        listen(f"{WORDS} energy at {label_bond(subject, bond)} {length:.3f} angstrom")
        shape, energy = relax(surface, subject.elements, shape, held=(bond, length))
        reference, density = _compute_energy(subject, shape, density)
        done["lengths"].append(length)
        done["surface"].append(round(energy, 4))
        done["reference"].append(round(reference, 4))
        done["shapes"].append(shape.round(6).tolist())
        write_atomic(file, json.dumps(done) + "\n")
    check_rest(f"{subject.name}, {label_bond(subject, bond)}", done["lengths"], done["reference"])
    difference = np.array(done["reference"]) - np.array(done["surface"])
    return fit_correction(bond, np.array(done["lengths"]), difference)


def label_bond(subject: Subject, bond: tuple[int, int]) -> str:
    """Name a bond by its elements, e.g. ``"B-O"``."""
    return "-".join(subject.elements[atom] for atom in bond)


def check_rest(place: str, lengths: Sequence[float], energies: Sequence[float]) -> None:
    """Check that a bond rests somewhere between the lengths that were computed.

    Parameters
    ----------
    place
        What the message begins with.
    lengths
        Å, ascending.
    energies
        Of the reference, kJ/mol, one for each length.

    Raises
    ------
    SimulationError
        If the lowest energy is at an end.
    """
    lowest = int(np.argmin(energies))
    if lowest in (0, len(energies) - 1):
        way = "longer" if lowest else "shorter"
        raise SimulationError(
            f"{place}: {WORDS} in vacuum has no minimum between {lengths[0]:.2f} and "
            f"{lengths[-1]:.2f} angstrom, the bond wants to be {way}; leave --stretch out and "
            "give an SDF file with the shape that is meant"
        )


def fit_correction(
    bond: tuple[int, int],
    lengths: NDArray[np.float64],
    difference: NDArray[np.float64],
) -> Correction:
    """Fit a cubic to the difference of two surfaces along a bond.

    Parameters
    ----------
    bond
        Its atoms.
    lengths
        Å, shape ``(n,)``, ascending; at least four.
    difference
        kJ/mol, shape ``(n,)``; its mean does not matter.
    """
    ends = float(lengths[0]), float(lengths[-1])
    places = lengths - 0.5 * (ends[0] + ends[1])
    centred = difference - difference.mean()
    values = np.polynomial.polynomial.polyfit(places, centred, _DEGREE)
    left = centred - np.polynomial.polynomial.polyval(places, values)
    return Correction(
        bond=bond,
        ends=ends,
        coefficients=tuple(float(v) for v in values),
        error=float(np.sqrt(np.mean(left**2))),
    )


def correct_surface(surface: Surface, correction: Correction) -> Surface:
    """Add a correction to a surface; its Hessian is then a numerical one."""

    def evaluate(positions: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        energy, gradient = surface(positions)
        gradient = np.array(gradient)
        i, j = correction.bond
        along = positions[i] - positions[j]
        length = float(np.linalg.norm(along))
        more, slope = correction.evaluate(length)
        gradient[i] += slope * along / length
        gradient[j] -= slope * along / length
        return energy + more, gradient

    return evaluate


def _compute_energy(
    subject: Subject, shape: NDArray[np.float64], guess: NDArray[np.float64] | None
) -> tuple[float, NDArray[np.float64]]:
    """Energy of density-fitted B3LYP/def2-SVP in kJ/mol, and the density matrix."""
    from pyscf import dft, gto

    mol = gto.M(
        atom=[
            (element, tuple(place))
            for element, place in zip(subject.elements, shape.tolist(), strict=True)
        ],
        basis="def2-svp",
        charge=subject.charge,
        max_memory=12000,
        verbose=0,
    )
    field = dft.RKS(mol, xc="b3lyp").density_fit()
    field.grids.level = 2
    field.conv_tol, field.conv_check = 1e-6, False  # 0.003 kJ/mol
    energy = float(field.kernel(dm0=guess))
    if not field.converged:
        raise SimulationError(f"{subject.name}: {WORDS} did not converge; check shape and charge")
    return energy * HARTREE, np.asarray(field.make_rdm1())
