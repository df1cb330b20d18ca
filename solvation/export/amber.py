"""AMBER: ``.prmtop`` and ``.inpcrd`` of a blueprint, through ParmEd.

AMBER's programs mix by Lorentz-Berthelot only where nobody says otherwise: the file holds A and B
of every pair of types, so geometric mixing is in it, exactly, and so are halved 1-4 pairs.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import ForceFieldError
from solvation.export.lammps import KCAL

if TYPE_CHECKING:
    from solvation.export.blueprint import Blueprint

__all__ = ["write_amber"]

_MDIN = """\
One energy, with the settings that go with the force field
&cntrl
 imin = 0, nstlim = 0, ntx = 1, irest = 0, ntb = 1,
 cut = {cutoff:.3f}, ntc = {rigid}, ntf = {rigid}, vdwmeth = 1,
/
"""


def write_amber(blueprint: Blueprint, name: str) -> dict[str, str]:
    """Write a system for AMBER: file names and their text.

    Raises
    ------
    ForceFieldError
        If ParmEd is not installed.
    """
    try:
        import parmed
    except ImportError as error:
        raise ForceFieldError(
            'AMBER files are written with ParmEd; pip install "solvation[export]"'
        ) from error
    structure = parmed.amber.AmberParm.from_structure(_make_structure(parmed, blueprint))
    if blueprint.c4 is not None:
        _add_c4(structure, blueprint)
    with tempfile.TemporaryDirectory() as scratch:
        top, crd = Path(scratch) / "x.prmtop", Path(scratch) / "x.inpcrd"
        structure.save(str(top), format="amber")
        structure.save(str(crd), format="rst7")
        return {
            f"{name}.prmtop": top.read_text(encoding="ascii"),
            f"{name}.inpcrd": crd.read_text(encoding="ascii"),
            f"{name}.mdin": _MDIN.format(
                cutoff=blueprint.cutoff, rigid=2 if blueprint.rigid else 1
            ),
        }


def _add_c4(structure: Any, blueprint: Blueprint) -> None:
    """Write C4 of every pair of types, kcal/mol Å4; types differ where their C4 would."""
    assert blueprint.c4 is not None
    first = {atom.nb_idx: index for index, atom in reversed(list(enumerate(structure.atoms)))}
    rows = [blueprint.c4[first[kind]] for kind in sorted(first)]
    if any(
        tuple(blueprint.c4[index]) != tuple(rows[atom.nb_idx - 1])
        for index, atom in enumerate(structure.atoms)
    ):
        raise ForceFieldError("atoms of one AMBER type have two polarizabilities; not exported")
    numbers = structure.parm_data["NONBONDED_PARM_INDEX"]
    table = [0.0] * len(structure.parm_data["LENNARD_JONES_ACOEF"])
    for a, (k1, alpha1) in enumerate(rows):
        for b, (k2, alpha2) in enumerate(rows):
            table[numbers[a * len(rows) + b] - 1] = (k1 * alpha2 + k2 * alpha1) / KCAL
    structure.add_flag("LENNARD_JONES_CCOEF", "5E16.8", data=table)


def _make_structure(parmed: Any, blueprint: Blueprint) -> Any:
    """Write a blueprint as a ParmEd structure."""
    structure = parmed.Structure()
    structure.combining_rule = "geometric" if blueprint.mixing == "geometric" else "lorentz"
    names, index = blueprint.types
    kinds = {}
    for number, (label, first, last) in enumerate(blueprint.molecules, 1):
        for atom in range(first, last):
            kind = int(index[atom])
            element = blueprint.atomic_numbers[atom]
            mass = float(blueprint.masses[atom])
            if kind not in kinds:
                kinds[kind] = parmed.AtomType(names[kind], kind + 1, mass, element)
                radius = float(blueprint.sigmas[atom]) * 2 ** (1 / 6) / 2
                kinds[kind].set_lj_params(float(blueprint.epsilons[atom]) / KCAL, radius)
            made = parmed.Atom(
                name=blueprint.names[atom], type=names[kind], atomic_number=element, mass=mass,
                charge=float(blueprint.charges[atom]),
            )  # fmt: skip
            made.atom_type = kinds[kind]
            structure.add_atom(made, label, number)
    atoms = structure.atoms

    def pick(known: dict[Any, Any], rows: Any, key: tuple[Any, ...], make: Any) -> Any:
        if key not in known:
            known[key] = make()
            rows.append(known[key])
            known[key].list = rows
        return known[key]

    known: dict[Any, Any] = {}
    for i, j, length, k in blueprint.bonds:
        term = pick(known, structure.bond_types, (length, k),
                    lambda k=k, r=length: parmed.BondType(k / 2 / KCAL, r))  # fmt: skip
        structure.bonds.append(parmed.Bond(atoms[i], atoms[j], term))
    known = {}
    for i, j, k, angle, strength in blueprint.angles:
        term = pick(
            known,
            structure.angle_types,
            (angle, strength),
            lambda k=strength, x=angle: parmed.AngleType(k / 2 / KCAL, math.degrees(x)),
        )
        structure.angles.append(parmed.Angle(atoms[i], atoms[j], atoms[k], term))
    coulomb, lj = blueprint.scale_14
    known = {}
    for number, (*four, n, phase, k) in enumerate(blueprint.torsions):
        term = pick(known, structure.dihedral_types, (n, phase, k),
                    lambda n=n, d=phase, k=k: parmed.DihedralType(
                        k / KCAL, n, math.degrees(d), scee=1 / coulomb, scnb=1 / lj))  # fmt: skip
        improper = number in blueprint.impropers
        structure.dihedrals.append(
            parmed.Dihedral(
                *(atoms[atom] for atom in four), improper=improper, ignore_end=improper, type=term
            )
        )
    structure.coordinates = blueprint.positions
    structure.box = [blueprint.edge] * 3 + [90.0] * 3
    return structure
