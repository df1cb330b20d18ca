"""LAMMPS: a data file and an input that reads it, in ``real`` units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvation.export.blueprint import Blueprint

__all__ = ["KCAL", "write_lammps"]

KCAL = 4.184
"""kJ in a kcal."""


def write_lammps(blueprint: Blueprint, name: str) -> dict[str, str]:
    """Write a system for LAMMPS: file names and their text."""
    bonds = _Table([tuple(row[2:]) for row in blueprint.bonds])
    angles = _Table([tuple(row[3:]) for row in blueprint.angles])
    quartets: dict[tuple[int, ...], list[tuple[int, float, float]]] = {}
    for *four, n, phase, k in blueprint.torsions:
        quartets.setdefault(tuple(four), []).append((n, phase, k))
    torsions = _Table([tuple(sorted(terms)) for terms in quartets.values()])
    names, index = blueprint.types
    first = {int(kind): atom for atom, kind in reversed(list(enumerate(index)))}
    lines = [
        f"{name}, written by solvation. units real, atom_style full",
        "",
        f"{blueprint.n_atoms} atoms",
        f"{len(blueprint.bonds)} bonds",
        f"{len(blueprint.angles)} angles",
        f"{len(quartets)} dihedrals",
        "0 impropers",
        "",
        f"{len(names)} atom types",
        f"{len(bonds.rows)} bond types",
        f"{len(angles.rows)} angle types",
        f"{len(torsions.rows)} dihedral types",
        "",
        *(f"0.0 {blueprint.edge:.9f} {axis}lo {axis}hi" for axis in "xyz"),
    ]
    atoms = [first[kind] for kind in range(len(names))]
    lines += _section(
        "Masses",
        [f"{blueprint.masses[a]:.6f}  # {label}" for a, label in zip(atoms, names, strict=True)],
    )
    lines += _section(
        "Pair Coeffs",
        [f"{blueprint.epsilons[a] / KCAL:.12g} {blueprint.sigmas[a]:.12g}" for a in atoms],
    )
    lines += _section("Bond Coeffs", [f"{k / 2 / KCAL:.12g} {r:.12g}" for r, k in bonds.rows])
    lines += _section(
        "Angle Coeffs", [f"{k / 2 / KCAL:.12g} {math.degrees(x):.12g}" for x, k in angles.rows]
    )
    lines += _section("Dihedral Coeffs", [_write_fourier(terms) for terms in torsions.rows])
    owner = [number for number, (_, a, b) in enumerate(blueprint.molecules, 1) for _ in range(a, b)]
    lines += _section(
        "Atoms  # full",
        [
            f"{owner[i]} {index[i] + 1} {blueprint.charges[i]:.12g} {x:.9f} {y:.9f} {z:.9f}"
            for i, (x, y, z) in enumerate(blueprint.positions)
        ],
    )
    lines += _section("Bonds", _list(bonds, [row[:2] for row in blueprint.bonds]))
    lines += _section("Angles", _list(angles, [row[:3] for row in blueprint.angles]))
    lines += _section("Dihedrals", _list(torsions, list(quartets)))
    return {
        f"{name}.data": "\n".join([*lines, ""]),
        f"{name}.in": _write_input(blueprint, name, bonds, angles, torsions),
    }


class _Table:
    """Distinct parameters, and the number of those of every term."""

    def __init__(self, terms: Sequence[tuple[Any, ...]]) -> None:
        known: dict[tuple[Any, ...], int] = {}
        self.numbers = [known.setdefault(term, len(known) + 1) for term in terms]
        self.rows = list(known)


def _section(title: str, rows: Sequence[str]) -> list[str]:
    """Write a section with numbered rows; nothing when it is empty."""
    if not rows:
        return []
    return ["", title, "", *(f"{number} {row}" for number, row in enumerate(rows, 1))]


def _list(table: _Table, terms: Sequence[tuple[int, ...]]) -> list[str]:
    """Write terms: number of their parameters, and their atoms."""
    return [
        f"{number} {' '.join(str(atom + 1) for atom in atoms)}"
        for number, atoms in zip(table.numbers, terms, strict=True)
    ]


def _write_fourier(terms: tuple[Any, ...]) -> str:
    """Write a sum of k (1 + cos(n phi - d))."""
    parts = [f"{k / KCAL:.12g} {n} {math.degrees(phase):.12g}" for n, phase, k in terms]
    return f"{len(parts)} {' '.join(parts)}"


def _write_input(
    blueprint: Blueprint, name: str, bonds: _Table, angles: _Table, torsions: _Table
) -> str:
    """Write the input: styles, mixing rule, 1-4 factors, PME, one energy."""
    rule = "geometric" if blueprint.mixing == "geometric" else "arithmetic"
    coulomb, lj = blueprint.scale_14
    held = {(i, j) for i, j, _ in blueprint.rigid}
    stiff = sorted(
        {
            number
            for number, (i, j, *_) in zip(bonds.numbers, blueprint.bonds, strict=True)
            if (min(i, j), max(i, j)) in held
        }
    )
    bent = sorted(
        {
            number
            for number, (i, _, k, *_) in zip(angles.numbers, blueprint.angles, strict=True)
            if (min(i, k), max(i, k)) in held
        }
    )
    shake = "b " + " ".join(map(str, stiff)) if stiff else ""
    shake += (" a " + " ".join(map(str, bent))) if bent else ""
    styles = [
        f"# {name}, written by solvation; dihedral_style fourier is in EXTRA-MOLECULE",
        "units real",
        "atom_style full",
        "boundary p p p",
        *(["bond_style harmonic"] if bonds.rows else []),
        *(["angle_style harmonic"] if angles.rows else []),
        *(["dihedral_style fourier"] if torsions.rows else []),
        f"special_bonds lj 0.0 0.0 {lj!r} coul 0.0 0.0 {coulomb!r}",
        f"pair_style lj/cut/coul/long {blueprint.cutoff:g}",
        f"read_data {name}.data",
        f"pair_modify mix {rule} tail yes shift no",
        "kspace_style pppm 1e-5",
        "thermo_style custom step ebond eangle edihed evdwl etail ecoul elong pe press density",
        "run 0",
    ]
    if stiff:
        styles += [
            "",
            "# Rigid bonds, as where this was made; before a run:",
            f"# fix rigid all shake 1e-6 100 0 {shake}",
        ]
    return "\n".join([*styles, ""])
