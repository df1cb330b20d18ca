"""GROMACS: ``.top``, ``.gro`` and ``.mdp`` of a blueprint.

Written here and not by ParmEd, whose ``.top`` keeps five decimals of a bond length and takes two
molecules for the same when their atoms are, whatever their angles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from solvation.export.blueprint import Blueprint

__all__ = ["write_gromacs"]

_MDP = """\
; Settings that go with the force field; the cutoff is the one simulated with here.
integrator      = md
dt              = 0.002
nsteps          = 0
cutoff-scheme   = Verlet
coulombtype     = PME
rcoulomb        = {cutoff:.4f}
rvdw            = {cutoff:.4f}
vdwtype         = Cut-off
vdw-modifier    = None
DispCorr        = EnerPres
constraints     = {constraints}
constraint-algorithm = LINCS
"""


def write_gromacs(blueprint: Blueprint, name: str) -> dict[str, str]:
    """Write a system for GROMACS: file names and their text."""
    return {
        f"{name}.top": _write_top(blueprint, name),
        f"{name}.gro": _write_gro(blueprint, name),
        f"{name}.mdp": _MDP.format(
            cutoff=blueprint.cutoff / 10, constraints="h-bonds" if blueprint.rigid else "none"
        ),
    }


def _write_top(blueprint: Blueprint, name: str) -> str:
    names, index = blueprint.types
    first = {int(kind): atom for atom, kind in reversed(list(enumerate(index)))}
    rule = 3 if blueprint.mixing == "geometric" else 2
    coulomb, lj = blueprint.scale_14
    lines = [
        f"; {name}, written by solvation. nm, kJ/mol, e, u.",
        "[ defaults ]",
        "; nbfunc comb-rule gen-pairs fudgeLJ fudgeQQ",
        f"1 {rule} yes {lj!r} {coulomb!r}",
        "",
        "[ atomtypes ]",
        "; name at.num mass charge ptype sigma epsilon",
    ]
    for kind, label in enumerate(names):
        atom = first[kind]
        sigma, epsilon = blueprint.sigmas[atom] / 10, blueprint.epsilons[atom]
        lines.append(
            f"{label:8} {blueprint.atomic_numbers[atom]} {blueprint.masses[atom]:.6f} 0.0 A "
            f"{sigma:.12g} {epsilon:.12g}"
        )
    kinds, runs = _sort_molecules(blueprint)
    for label, number in kinds.items():
        lines += ["", *_write_molecule(blueprint, label, number, names, index)]
    lines += ["", "[ system ]", name, "", "[ molecules ]"]
    lines += [f"{label} {count}" for label, count in runs]
    return "\n".join([*lines, ""])


def _sort_molecules(blueprint: Blueprint) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Find the kinds of molecules (label: number of the first) and their runs."""
    owner = np.repeat(
        np.arange(len(blueprint.molecules)), [b - a for _, a, b in blueprint.molecules]
    )
    content: list[list[Any]] = [[] for _ in blueprint.molecules]
    starts = [first for _, first, _ in blueprint.molecules]
    for rows, width in ((blueprint.bonds, 2), (blueprint.angles, 3), (blueprint.torsions, 4)):
        for row in rows:
            number = int(owner[row[0]])
            content[number].append(
                (*(i - starts[number] for i in row[:width]), *(round(v, 9) for v in row[width:]))
            )
    known: dict[Any, str] = {}
    kinds: dict[str, int] = {}
    runs: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    for number, (name, first, last) in enumerate(blueprint.molecules):
        part = slice(first, last)
        key = (name, blueprint.names[part], tuple(blueprint.charges[part].round(9)),
               tuple(blueprint.sigmas[part].round(9)), tuple(blueprint.epsilons[part].round(9)),
               tuple(content[number]))  # fmt: skip
        if key not in known:
            counts[name] = counts.get(name, 0) + 1
            known[key] = name if counts[name] == 1 else f"{name}_{counts[name]}"
            kinds[known[key]] = number
        label = known[key]
        if runs and runs[-1][0] == label:
            runs[-1] = (label, runs[-1][1] + 1)
        else:
            runs.append((label, 1))
    return kinds, runs


def _write_molecule(
    blueprint: Blueprint, label: str, number: int, names: Sequence[str], index: Any
) -> list[str]:
    """Write one ``[ moleculetype ]``."""
    name, first, last = blueprint.molecules[number]
    inside = range(first, last)
    lines = ["[ moleculetype ]", f"{label} 3", "", "[ atoms ]"]
    for nr, atom in enumerate(inside, 1):
        lines.append(
            f"{nr:5} {names[index[atom]]:8} 1 {name:8} {blueprint.names[atom]:6} {nr:5} "
            f"{blueprint.charges[atom]: .12g} {blueprint.masses[atom]:.6f}"
        )

    def write(atoms: Sequence[int]) -> str:
        return " ".join(f"{atom - first + 1:5}" for atom in atoms)

    bonds = [
        f"{write(b[:2])} 1 {b[2] / 10:.12g} {b[3] * 100:.12g}" for b in blueprint.bonds
        if b[0] in inside
    ]  # fmt: skip
    angles = [
        f"{write(a[:3])} 1 {math.degrees(a[3]):.12g} {a[4]:.12g}" for a in blueprint.angles
        if a[0] in inside
    ]  # fmt: skip
    rigid = [row for row in blueprint.rigid if row[0] in inside]
    water = len(rigid) == 3 == last - first
    lines += _section("pairs", [f"{write(p)} 1" for p in blueprint.pairs if p[0] in inside])
    if water:
        (*_, short), (*_, _), (*_, long) = sorted(rigid, key=lambda row: row[2])
        lines += ["", "#ifndef FLEXIBLE", "[ settles ]", f"1 1 {short / 10:.12g} {long / 10:.12g}"]
        lines += _section("exclusions", ["1 2 3", "2 1 3", "3 1 2"])
        lines += ["#else", *_section("bonds", bonds), *_section("angles", angles), "#endif"]
    else:
        lines += [*_section("bonds", bonds), *_section("angles", angles)]
    lines += _section(
        "dihedrals",
        [
            f"{write(t[:4])} {4 if k in blueprint.impropers else 9} {math.degrees(t[5]):.12g} "
            f"{t[6]:.12g} {t[4]}"
            for k, t in enumerate(blueprint.torsions)
            if t[0] in inside
        ],
    )
    return lines


def _section(title: str, rows: Sequence[str]) -> list[str]:
    return ["", f"[ {title} ]", *rows] if rows else []


def _write_gro(blueprint: Blueprint, name: str) -> str:
    """Write positions with eight decimals of a nm; GROMACS reads the width off the first line."""
    lines = [name, f"{blueprint.n_atoms}"]
    for number, (label, first, last) in enumerate(blueprint.molecules, 1):
        for atom in range(first, last):
            x, y, z = blueprint.positions[atom] / 10
            lines.append(
                f"{number % 100000:5}{label[:5]:<5}{blueprint.names[atom][:5]:>5}"
                f"{(atom + 1) % 100000:5}{x:13.8f}{y:13.8f}{z:13.8f}"
            )
    edge = blueprint.edge / 10
    return "\n".join([*lines, f"{edge:.9f} {edge:.9f} {edge:.9f}", ""])
