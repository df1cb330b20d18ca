"""Templates: every bond, angle and torsion of every residue must have a row in the force field.

OpenMM leaves out a term that it finds no row for, without a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Sequence
from xml.etree import ElementTree

from solvation.errors import MissingParameterError

__all__ = ["check_terms"]

_TERMS = {
    2: ("bond", "HarmonicBondForce", "Bond"),
    3: ("angle", "HarmonicAngleForce", "Angle"),
    4: ("torsion", "PeriodicTorsionForce", "Proper"),
}
"""Number of atoms: name, element of the force, element of a row."""


def check_terms(roots: Sequence[ElementTree.Element], place: str) -> None:
    """Check that the rows cover every residue template.

    A kind of term that the files describe with another force, or with none at all, is not checked.

    Parameters
    ----------
    roots
        Parsed files that are loaded together.
    place
        Their names, for messages.

    Raises
    ------
    MissingParameterError
        The first term without a row.
    """
    types = {
        t.get("name", ""): t.get("class", "") for r in roots for t in r.iterfind("AtomTypes/Type")
    }
    rows = {n: _read_rows(roots, n) for n in _TERMS}
    for residue in (r for root in roots for r in root.iterfind("Residues/Residue")):
        atoms = {a.get("name", ""): a.get("type", "") for a in residue.iterfind("Atom")}
        bonds = [
            (b.get("atomName1", ""), b.get("atomName2", ""))
            for b in residue.iterfind("Bond")
            if "atomName1" in b.attrib
        ]
        for term in _list_terms(atoms, bonds):
            known = rows[len(term)]
            labels = [(types.get(atoms[name], ""), atoms[name], "") for name in term]
            if not known or _has_row(known, labels):
                continue
            kind, force, row = _TERMS[len(term)]
            classes = "-".join(types.get(atoms[name], "") for name in term)
            raise MissingParameterError(
                f"{place}: {residue.get('name')} has no {kind} {classes} (atoms {'-'.join(term)}); "
                f"add a <{row}> for these classes to <{force}>, with k = 0 if there is no such term"
            )


def _read_rows(roots: Iterable[ElementTree.Element], n: int) -> set[tuple[str, ...]]:
    """Read classes or types of all rows for n atoms; an empty text stands for any."""
    _, force, row = _TERMS[n]
    return {
        tuple(node.get(f"class{i}", node.get(f"type{i}", "")) for i in range(1, n + 1))
        for root in roots
        for node in root.iterfind(f"{force}/{row}")
    }


def _has_row(rows: Container[tuple[str, ...]], labels: Sequence[tuple[str, ...]]) -> bool:
    """Whether a row, read forwards or backwards, holds for atoms with these labels.

    Labels are few and rows many: what could be written is looked up, not every row tried.
    """
    return any(names in rows or names[::-1] in rows for names in itertools.product(*labels))


def _list_terms(
    atoms: Iterable[str], bonds: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    """List bonds, angles and torsions of a bond graph."""
    near: dict[str, list[str]] = {name: [] for name in atoms}
    for a, b in bonds:
        near[a].append(b)
        near[b].append(a)
    yield from bonds
    for centre, others in near.items():
        for a, c in itertools.combinations(others, 2):
            yield (a, centre, c)
    for b, c in bonds:
        for a, d in itertools.product(near[b], near[c]):
            if a != c and d != b and a != d:
                yield (a, b, c, d)
