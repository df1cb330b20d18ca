"""Fitting: from shape, Hessian, charges and scans to a template that keeps the shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from solvation.build.audit import differentiate_alone, relax_alone
from solvation.build.derived import Template, name_key
from solvation.build.quantum import compute_frequencies
from solvation.build.seminario import (
    STRAIGHT,
    average_classes,
    compute_angle_constants,
    compute_bond_constants,
    measure_angle,
)
from solvation.build.system import isolate_molecule
from solvation.errors import ForceFieldError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray

    from solvation.build.analogy import Row
    from solvation.build.subject import Subject

__all__ = [
    "Agreement",
    "check_angles",
    "compare_minimum",
    "make_system_of",
    "make_template",
    "settle_lengths",
]

_SPREAD = np.radians(20.0)
"""Angles of one class that differ by more than this are different angles."""
_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The force field's minimum beside the quantum-chemical one."""

    rmsd: float
    """Å, heavy atoms, after superposition."""
    bond_rms: float
    """Å."""
    angle_rms: float
    """Degrees."""
    frequency_rms: float
    """1/cm, vibrations in ascending order."""
    frequency_relative_rms: float
    """The same, each relative to the quantum-chemical one, above 200/cm."""
    lowest_frequency: float
    """1/cm; negative if the force field's shape is no minimum."""


def check_angles(subject: Subject, shape: NDArray[np.float64]) -> None:
    """Refuse a shape in which angles that the bond graph cannot tell apart differ.

    ``shape`` in Å, ``(n_atoms, 3)``.

    Raises
    ------
    ForceFieldError
        If they do, as those of an octahedron.
    """
    angles = [measure_angle(shape, atoms) for atoms in subject.angles]
    angle_keys = list_keys(subject)[1]
    widest: dict[tuple[int, ...], list[float]] = {}
    for key, angle in zip(angle_keys, angles, strict=True):
        widest.setdefault(key, []).append(angle)
    for key, found in widest.items():
        if max(found) - min(found) > _SPREAD:
            names = "-".join(subject.elements[subject.classes.index(c)] for c in key)
            raise ForceFieldError(
                f"{subject.name}: {names} angles from {np.degrees(min(found)):.0f} to "
                f"{np.degrees(max(found)):.0f} degrees have the same bond graph, and one harmonic "
                "term cannot hold them; this shape needs parameters made by hand"
            )


def make_template(
    subject: Subject,
    rows: Sequence[Row],
    shape: NDArray[np.float64],
    hessian: NDArray[np.float64],
    charges: NDArray[np.float64],
    torsions: Mapping[tuple[int, int, int, int], tuple[float, float, float, str]],
    impropers: Mapping[tuple[int, int, int, int], tuple[float, str]],
    *,
    source: str,
) -> Template:
    """Put bonds and angles of the Hessian beside the other terms, symmetry classes averaged.

    The constants are where `stiffness.fit_constants` starts.

    ``shape`` in Å, ``(n_atoms, 3)``; the Hessian in kJ/mol/Å2, ``(3 n_atoms, 3 n_atoms)``; charges
    in e, ``(n_atoms,)``.

    Raises
    ------
    ForceFieldError
        If the force constant of a bond is not positive.
    """
    lengths = [float(np.linalg.norm(shape[i] - shape[j])) for i, j in subject.bonds]
    angles = [measure_angle(shape, atoms) for atoms in subject.angles]
    bond_keys, angle_keys = list_keys(subject)
    stiff = average_classes(bond_keys, list(compute_bond_constants(hessian, shape, subject.bonds)))
    bend = average_classes(
        angle_keys, list(compute_angle_constants(hessian, shape, subject.angles))
    )
    length, angle_mean = average_classes(bond_keys, lengths), average_classes(angle_keys, angles)
    for key, constant in stiff.items():
        if constant <= 0:
            names = "-".join(subject.elements[subject.classes.index(c)] for c in key)
            raise ForceFieldError(
                f"{subject.name}: a {names} bond of {length[key]:.2f} angstrom has no force "
                f"constant ({constant:.0f} kJ/mol/angstrom2), the method hardly binds it; "
                "try --method b3lyp"
            )
    # Those of loose angles may come out negative; the fit to the whole Hessian starts above.
    least = 0.1 * float(np.median(np.abs([*bend.values()]))) if bend else 0.0
    bend = {key: max(constant, least) for key, constant in bend.items()}
    return Template(
        subject=subject,
        rows=tuple(rows),
        charges=charges,
        bonds={(k[0], k[1]): (length[k], stiff[k]) for k in length},
        angles={
            (k[0], k[1], k[2]): (np.pi if angle > np.pi - STRAIGHT else angle, bend[k])
            for k, angle in angle_mean.items()
        },
        torsions=torsions,
        impropers=impropers,
        source=source,
    )


def make_system_of(template: Template, shape: NDArray[np.float64], xml: Path) -> openmm.System:
    """Write the XML of a template and load it as a molecule in vacuum.

    ``shape`` in Å, ``(n_atoms, 3)``.
    """
    xml.write_text(template.to_xml(), encoding="utf-8")
    return isolate_molecule(template.make_molecule(shape), xml)


def settle_lengths(template: Template, shape: NDArray[np.float64], xml: Path) -> Template:
    """Move lengths and angles at rest until the relaxed molecule has the reference's averages.

    Charges and Lennard-Jones terms inside the molecule push; the values at rest give way. Straight
    angles stay so: at rest a little off 180° they would have a cusp there, and no minimum.

    ``shape`` in Å, ``(n_atoms, 3)``.
    """
    subject = template.subject
    bond_keys, angle_keys = list_keys(subject)
    wanted = _measure(subject, shape)
    for _ in range(_ROUNDS):
        relaxed, _ = relax_alone(make_system_of(template, shape, xml), shape)
        found = _measure(subject, relaxed)
        off = average_classes(bond_keys, list(wanted[0] - found[0]))
        turn = average_classes(angle_keys, list(wanted[1] - found[1]))
        template = replace(
            template,
            bonds={k: (r + off[k], c) for k, (r, c) in template.bonds.items()},
            angles={
                k: (a if a == np.pi else float(np.clip(a + turn[k], 0.5, np.pi)), c)
                for k, (a, c) in template.angles.items()
            },
        )
        if max(map(abs, off.values())) < 1e-4 and max(map(abs, turn.values()), default=0) < 1e-3:
            break
    return template


def compare_minimum(
    template: Template,
    shape: NDArray[np.float64],
    hessian: NDArray[np.float64],
    masses: NDArray[np.float64],
    xml: Path,
) -> Agreement:
    """Relax the molecule from the reference's shape and compare shapes and vibrations.

    ``shape`` in Å, ``(n_atoms, 3)``; the Hessian in kJ/mol/Å2, ``(3 n_atoms, 3 n_atoms)``; masses
    in u, ``(n_atoms,)``.
    """
    subject = template.subject
    system = make_system_of(template, shape, xml)
    relaxed, _ = relax_alone(system, shape)
    wanted, found = _measure(subject, shape), _measure(subject, relaxed)
    heavy = np.array([n > 1 for n in subject.numbers])
    heavy |= heavy.sum() < 3
    here = compute_frequencies(differentiate_alone(system, relaxed), masses)
    there = compute_frequencies(hessian, masses)
    high = there > 200
    relative = (here[high] - there[high]) / there[high]
    return Agreement(
        rmsd=superpose(relaxed[heavy], shape[heavy]),
        bond_rms=float(np.sqrt(np.mean((found[0] - wanted[0]) ** 2))),
        angle_rms=float(np.degrees(np.sqrt(np.mean((found[1] - wanted[1]) ** 2)))),
        frequency_rms=float(np.sqrt(np.mean((here - there) ** 2))),
        frequency_relative_rms=float(np.sqrt(np.mean(relative**2))) if high.any() else 0.0,
        lowest_frequency=float(here.min()),
    )


def superpose(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Root-mean-square distance of two shapes after the best rotation (Kabsch), Å."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    left, scales, right = np.linalg.svd(a.T @ b)
    scales[-1] *= np.sign(np.linalg.det(left @ right))
    square = (a**2).sum() + (b**2).sum() - 2 * scales.sum()
    return float(np.sqrt(max(0.0, square) / len(a)))


def list_keys(subject: Subject) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Classes of every bond and every angle."""
    return tuple(  # type: ignore[return-value]
        [name_key(tuple(subject.classes[i] for i in atoms)) for atoms in group]
        for group in (subject.bonds, subject.angles)
    )


def _measure(
    subject: Subject, shape: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lengths = np.array([np.linalg.norm(shape[i] - shape[j]) for i, j in subject.bonds])
    return lengths, np.array([measure_angle(shape, atoms) for atoms in subject.angles])
