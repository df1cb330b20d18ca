"""Analogy: Lennard-Jones terms and torsions that OPLS has for an atom in such a place.

Geometric mixing, 1-4 terms halved, as in OPLS. Every row names its source; "from memory" means
not checked against it. Boron and aluminium sit inside their ligands, so their rows matter little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvation.errors import RecipeError

if TYPE_CHECKING:
    from solvation.build.subject import Subject

__all__ = ["ROWS", "TORSIONS", "Row", "assign_rows", "find_torsion"]

_OPLS96 = "OPLS-AA 1996, 10.1021/ja9621760"
_OPLS20 = "OPLS/2020 file, 10.1021/acs.jpcb.3c06602"
_CLP = "CL&P 2025/12/19, il.ff"
_MEMORY = "OPLS-AA, from memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Lennard-Jones term of one kind of atom."""

    label: str
    """OPLS class or a name in its manner, e.g. ``"CT"``."""
    sigma: float
    """nm."""
    epsilon: float
    """kJ/mol."""
    source: str
    """Where the numbers come from."""


def _row(label: str, sigma: float, epsilon: float, source: str) -> Row:
    return Row(label=label, sigma=sigma, epsilon=epsilon, source=source)


ROWS = {row.label: row for row in (
    _row("HC", 0.25, 0.12552, f"H on sp3 carbon, {_OPLS96}"),
    _row("HA", 0.242, 0.12552, f"H on sp2 or sp carbon, {_MEMORY}"),
    _row("HN", 0.10, 0.0, f"H on N, amine type 909, {_OPLS20}"),
    _row("HO", 0.10, 0.0, f"H on O, no Lennard-Jones term, {_MEMORY}"),
    _row("HS", 0.10, 0.0, f"H on P, S or Si, as on N; {_OPLS20}"),
    _row("HB", 0.285, 0.06276, "hydridic H on B or Al: our starting value, uncalibrated; "
         "the upper end of 2.50-2.85 A with 0.015 kcal/mol"),
    _row("B", 0.358, 0.3975, f"B, {_CLP} (DREIDING)"),
    _row("AL", 0.389323, 1.29704, "Al, DREIDING"),
    _row("CT", 0.35, 0.276144, f"sp3 C, {_OPLS96}; perfluoroalkyl C has the same"),
    _row("CA", 0.355, 0.29288, f"aromatic or sp2 C, {_MEMORY}"),
    _row("CO", 0.375, 0.43932, f"carbonyl C, type 772, {_OPLS20}"),
    _row("CZ", 0.33, 0.276144, f"sp C, nitrile type 754, {_OPLS20}"),
    _row("NZ", 0.32, 0.71128, f"nitrile N, type 753, {_OPLS20}"),
    _row("NT", 0.33, 0.71128, f"amine N, type 900, {_OPLS20}"),
    _row("NB", 0.325, 0.71128, f"other N, as in TFSI, {_CLP}"),
    _row("OS", 0.29, 0.58576, f"O with two neighbours, ether type 180, {_OPLS96}"),
    _row("OC", 0.296, 0.87864, f"O with one neighbour, carbonyl type 771, {_OPLS20}"),
    _row("OB", 0.315, 0.83736, f"O with one neighbour on S or P, as in TFSI, {_CLP}"),
    _row("FC", 0.295, 0.221752, f"F on C, OPLS perfluoroalkyl (0.053 kcal/mol), {_OPLS20}"),
    _row("FB", 0.312, 0.2552, f"F on another element, as in BF4, {_CLP}"),
    _row("SI", 0.40, 0.4184, f"Si, silane, {_OPLS20}"),
    _row("P", 0.374, 0.8368, f"P, type 440, {_OPLS20}"),
    _row("SB", 0.355, 1.046, f"S, as in TFSI, {_CLP}"),
    _row("CL", 0.34, 1.2552, f"covalent Cl, {_MEMORY}"),
)}  # fmt: skip
"""The table, by label."""

TORSIONS = {
    ("HC", "CT", "OS", "CT"): (0.0, 0.0, 3.17984),
    ("CT", "OS", "CT", "CT"): (2.7196, -1.046, 2.80328),
    ("OS", "CT", "CT", "OS"): (-2.3012, 0.0, 0.0),
    ("OS", "CT", "CT", "HC"): (0.0, 0.0, 1.95811),
    ("HC", "CT", "CT", "HC"): (0.0, 0.0, 1.2552),
    ("CT", "CT", "CT", "CT"): (5.4392, -0.2092, 0.8368),
    ("CT", "CT", "CT", "HC"): (0.0, 0.0, 1.2552),
    ("CT", "CT", "CT", "OS"): (7.15883, -2.092, 2.774),
}
"""V1, V2, V3 in kJ/mol by labels, OPLS-AA 1996: E = sum V_n/2 [1 -+ cos n phi]."""


def assign_rows(subject: Subject) -> tuple[Row, ...]:
    """Choose a row for every atom by its element and its neighbours.

    Raises
    ------
    RecipeError
        If an element has no row.
    """
    return tuple(ROWS[_label(subject, atom)] for atom in range(subject.n_atoms))


def find_torsion(labels: tuple[str, str, str, str]) -> tuple[float, float, float] | None:
    """Look a torsion up in either direction."""
    reverse = (labels[3], labels[2], labels[1], labels[0])
    return TORSIONS.get(labels, TORSIONS.get(reverse))


def _label(subject: Subject, atom: int) -> str:
    element = subject.elements[atom]
    around = [subject.elements[other] for other in subject.neighbours[atom]]
    first = around[0]
    if element == "H":
        if first == "C":
            carbon = subject.neighbours[atom][0]
            return "HC" if len(subject.neighbours[carbon]) == 4 else "HA"
        return {"N": "HN", "O": "HO", "B": "HB", "Al": "HB"}.get(first, "HS")
    if element == "C":
        if len(around) == 4:
            return "CT"
        if len(around) == 2:
            return "CZ"
        ends = [o for o in subject.neighbours[atom] if len(subject.neighbours[o]) == 1]
        return "CO" if any(subject.elements[o] == "O" for o in ends) else "CA"
    if element == "N":
        return "NZ" if len(around) == 1 else "NT" if len(around) >= 3 else "NB"
    if element == "O":
        return "OS" if len(around) > 1 else "OB" if first in ("S", "P") else "OC"
    if element == "F":
        return "FC" if first == "C" else "FB"
    simple = {"B": "B", "Al": "AL", "Si": "SI", "P": "P", "S": "SB", "Cl": "CL"}
    if element not in simple:
        raise RecipeError(f"{element} has no Lennard-Jones parameters here")
    return simple[element]
