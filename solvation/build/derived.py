"""Derived: the force-field terms of one species, and the XML that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from solvation.build.analogy import Row
from solvation.build.molecule import Molecule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from solvation.build.subject import Subject

__all__ = ["Template", "name_key"]

_CAGED = "derived: no such term, the thirty edges of the cage hold it"

Pair = tuple[int, int]
Triple = tuple[int, int, int]
Four = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Terms by symmetry class; every class is an atom type of its own."""

    subject: Subject
    """The species."""
    rows: tuple[Row, ...]
    """Lennard-Jones term of every atom."""
    charges: NDArray[np.float64]
    """e, shape ``(n_atoms,)``."""
    bonds: Mapping[Pair, tuple[float, float]]
    """Length (Å) and constant (kJ/mol/Å2) by classes."""
    angles: Mapping[Triple, tuple[float, float]]
    """Angle (rad) and constant (kJ/mol/rad2) by classes, the middle one in the middle."""
    torsions: Mapping[Four, tuple[float, float, float, str]]
    """V1, V2, V3 (kJ/mol) and source by classes along the bonds."""
    impropers: Mapping[Four, tuple[float, str]]
    """V2 (kJ/mol) and source by classes, the central one first."""
    source: str
    """What bonds, angles and charges were derived from."""

    @property
    def type_names(self) -> tuple[str, ...]:
        """Atom type of every atom, e.g. ``"BHFIP4:C2"``."""
        first = {c: self.subject.classes.index(c) for c in self.subject.classes}
        names = self.make_molecule(np.zeros((self.subject.n_atoms, 3))).atom_names
        return tuple(f"{self.subject.name}:{names[first[c]]}" for c in self.subject.classes)

    def make_molecule(self, positions: NDArray[np.float64]) -> Molecule:
        """Give the species a shape, Å."""
        return Molecule(
            name=self.subject.name,
            elements=self.subject.elements,
            bonds=self.subject.bonds,
            positions=positions,
        )

    def _name(self, atoms: tuple[int, ...]) -> tuple[int, ...]:
        return name_key(tuple(self.subject.classes[i] for i in atoms))

    def to_xml(self) -> str:
        """Write OpenMM ForceField XML."""
        from rdkit import Chem

        table = Chem.GetPeriodicTable()
        types = self.type_names
        kind = dict(zip(self.subject.classes, types, strict=True))
        name = self.subject.name
        lines = [
            f"<!-- {escape(name)}: derived by solvation parametrize; see card.toml.",
            "     Units: nm, kJ/mol, rad, e; E = k/2 (x - x0)^2; k_n = V_n/2, phases 0, pi, 0.",
            "     MIXING: these sigma and epsilon are meant for GEOMETRIC mixing. -->",
            "<ForceField>",
            " <AtomTypes>",
        ]
        typed = dict(zip(types, zip(self.subject.elements, self.rows, strict=True), strict=True))
        for type_, (element, _) in typed.items():
            mass = table.GetAtomicWeight(element)
            lines.append(
                f'  <Type name="{type_}" class="{type_}" element="{element}" mass="{mass:.6g}" '
                'source="derived: one type per symmetry class"/>'
            )
        lines += [" </AtomTypes>", " <Residues>"]
        atoms = self.make_molecule(np.zeros((self.subject.n_atoms, 3))).atom_names
        lines.append(f'  <Residue name="{name}" override="1" source="derived: RESP charges">')
        for atom, type_, charge in zip(atoms, types, self.charges, strict=True):
            lines.append(f'   <Atom name="{atom}" type="{type_}" charge="{charge:.10g}"/>')
        for i, j in self.subject.bonds:
            lines.append(f'   <Bond atomName1="{atoms[i]}" atomName2="{atoms[j]}"/>')
        lines += ["  </Residue>", " </Residues>", " <HarmonicBondForce>"]
        source = quoteattr(f"derived: {self.source}")
        for pair, (length, k) in self.bonds.items():
            where = _classes(kind, pair)
            lines.append(
                f'  <Bond {where} length="{length / 10:.7f}" k="{k * 100:.6g}" source={source}/>'
            )
        lines += [" </HarmonicBondForce>", " <HarmonicAngleForce>"]
        for triple, (angle, k) in self.angles.items():
            where = _classes(kind, triple)
            lines.append(f'  <Angle {where} angle="{angle:.7f}" k="{k:.6g}" source={source}/>')
        caged = [self._name(atoms) for atoms in self.subject.cage_angles]
        for key in dict.fromkeys(caged):
            where = _classes(kind, key)
            lines.append(f'  <Angle {where} angle="0" k="0" source={quoteattr(_CAGED)}/>')
        lines += [" </HarmonicAngleForce>", " <PeriodicTorsionForce>"]
        for four, (v1, v2, v3, origin) in self.torsions.items():
            lines.append(_write_proper(_classes(kind, four), (v1, v2, v3), f"derived: {origin}"))
        middles = [name_key(four[1:3]) for four in self.torsions]
        middles += [self._name(atoms[1:3]) for atoms in self.subject.torsions]
        generic = dict.fromkeys(middles, "derived: generic rule, zero")
        edges = [self._name(bond) for bond in sorted(self.subject.cage_bonds)]
        for (j, k), origin in [*generic.items(), *((e, _CAGED) for e in dict.fromkeys(edges))]:
            where = f'class1="" class2="{kind[j]}" class3="{kind[k]}" class4=""'
            lines.append(_write_proper(where, (0, 0, 0), origin))
        for four, (v2, origin) in self.impropers.items():
            lines.append(
                f'  <Improper {_classes(kind, four)} periodicity1="2" phase1="{np.pi:.15g}" '
                f'k1="{v2 / 2:.6g}" source={quoteattr("derived: " + origin)}/>'
            )
        lines += [
            " </PeriodicTorsionForce>",
            ' <NonbondedForce coulomb14scale="0.5" lj14scale="0.5">',
            '  <UseAttributeFromResidue name="charge"/>',
        ]
        for type_, (_, row) in typed.items():
            lines.append(
                f'  <Atom type="{type_}" sigma="{row.sigma:.7g}" epsilon="{row.epsilon:.7g}" '
                f"source={quoteattr('derived: by analogy, ' + row.source)}/>"
            )
        return "\n".join([*lines, " </NonbondedForce>", "</ForceField>", ""])


def name_key(classes: tuple[int, ...]) -> tuple[int, ...]:
    """Write classes along a bond, angle or torsion in the one direction that is kept."""
    return min(classes, classes[::-1])


def _classes(kind: Mapping[int, str], key: tuple[int, ...]) -> str:
    return " ".join(f'class{n}="{kind[c]}"' for n, c in enumerate(key, 1))


def _write_proper(where: str, terms: tuple[float, float, float], source: str) -> str:
    phases = ("0", f"{np.pi:.15g}", "0")
    kept = [(n, v) for n, v in enumerate(terms, 1) if abs(v) > 1e-6] or [(1, 0.0)]
    text = " ".join(
        f'periodicity{m}="{n}" phase{m}="{phases[n - 1]}" k{m}="{v / 2:.6g}"'
        for m, (n, v) in enumerate(kept, 1)
    )
    return f"  <Proper {where} {text} source={quoteattr(source)}/>"
