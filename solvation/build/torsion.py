"""Torsions: which bonds turn, what turning them costs, and the V1 to V3 that say so.

A bond between two symmetry classes is scanned once, 30 degrees at a time, everything else relaxed.
The force field without its torsions is relaxed at the same angles; V1, V2, V3 of the torsions
with heavy ends make up the difference, by weighted least squares over all scans at once.
Torsions that end in hydrogen on one side stay zero where there are heavy ones beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from solvation.build.analogy import find_torsion
from solvation.build.derived import name_key
from solvation.build.seminario import measure_angle, measure_dihedral

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from solvation.build.analogy import Row
    from solvation.build.subject import Subject

__all__ = [
    "Rotor",
    "Scan",
    "find_impropers",
    "find_known",
    "find_rotors",
    "fit_terms",
    "list_angles",
]

_SCALE = 10.0
"""kJ/mol; a scan point this high weighs 1/e of the lowest."""
_SMALLEST = 0.04
"""Singular values below this part of the largest are left out: the V1 and V2 of three torsions
120 degrees apart cancel, and what little is left must not make them large."""
_FLAT = np.radians(357.0)
_PLANAR = 30.334
"""kJ/mol, V2 of X-CA-CA-X."""

Four = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotor:
    """A bond to turn."""

    atoms: Four
    """The dihedral that is held; the bond is in the middle."""
    key: tuple[int, int]
    """Symmetry classes of the bond's atoms."""
    fold: int
    """3 for a top of three equal single atoms, else 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Energies along a dihedral: the reference, and the force field without fitted torsions."""

    reference: NDArray[np.float64]
    """kJ/mol, shape ``(n_points,)``."""
    bare: NDArray[np.float64]
    """kJ/mol, shape ``(n_points,)``."""
    shapes: NDArray[np.float64]
    """Å, shape ``(n_points, n_atoms, 3)``: where `bare` was relaxed to."""


def find_known(subject: Subject, rows: Sequence[Row]) -> dict[Four, tuple[float, float, float]]:
    """Torsions that OPLS has, by classes."""
    known = {}
    for atoms in subject.torsions:
        a, b, c, d = (rows[i].label for i in atoms)
        terms = find_torsion((a, b, c, d))
        if terms is not None:
            known[_key(subject, atoms)] = terms
    return known


def find_rotors(
    subject: Subject, shape: NDArray[np.float64], known: Mapping[Four, object]
) -> tuple[Rotor, ...]:
    """Bonds that turn and have a torsion which is not known, one for each pair of classes.

    ``shape`` in Å, ``(n_atoms, 3)``.
    """
    found: dict[tuple[int, ...], Rotor] = {}
    around = subject.neighbours
    for j, k in subject.bonds:
        key = name_key((subject.classes[j], subject.classes[k]))
        about = [t for t in subject.torsions if t[1:3] == (j, k)]
        if (j, k) in subject.ring_bonds or not about or key in found:
            continue
        if all(_key(subject, atoms) in known for atoms in about):
            continue
        bends = [measure_angle(shape, t[:3]) for t in about]
        bends += [measure_angle(shape, t[1:]) for t in about]
        if max(bends) > np.radians(170):
            continue
        heaviest = max(about, key=lambda t: subject.numbers[t[0]] + subject.numbers[t[3]])
        tops = [[n for n in around[a] if n != b] for a, b in ((j, k), (k, j))]
        fold = 3 if any(
            len(top) == 3
            and len({subject.classes[n] for n in top}) == 1
            and all(len(around[n]) == 1 for n in top)
            for top in tops
        ) else 1  # fmt: skip
        found[key] = Rotor(atoms=heaviest, key=(key[0], key[1]), fold=fold)
    return tuple(found.values())


def list_angles(rotor: Rotor, start: float) -> NDArray[np.float64]:
    """Angles of a scan in radians, from the minimum's.

    Shape ``(n_steps,)``.
    """
    return np.asarray(start + np.radians(np.arange(0.0, 360.0 / rotor.fold, 30.0)))


def fit_terms(
    subject: Subject,
    rotors: Sequence[Rotor],
    scans: Sequence[Scan],
    known: Mapping[Four, object],
) -> tuple[dict[Four, tuple[float, float, float]], tuple[float, ...]]:
    """Fit V1, V2, V3.

    Returns
    -------
    terms, errors
        kJ/mol by classes; root-mean-square error of each scan over its weighted points.
    """
    keys = list(dict.fromkeys(key for rotor in rotors for key in _choose(subject, rotor, known)))
    members = {key: [t for t in subject.torsions if _key(subject, t) == key] for key in keys}
    size = 3 * len(keys)
    if not size:
        return {}, ()
    blocks, targets, parts = [], [], []
    for scan in scans:
        basis = np.array([_measure(shape, keys, members) for shape in scan.shapes])
        wanted = scan.reference - scan.bare
        weights = np.exp(-(scan.reference - scan.reference.min()) / _SCALE)
        mean = weights / weights.sum()
        basis, wanted = basis - mean @ basis, wanted - mean @ wanted
        root = np.sqrt(mean)[:, None]
        blocks.append(root * basis)
        targets.append(root[:, 0] * wanted)
        parts.append((basis, wanted, mean))
    values = np.linalg.lstsq(np.concatenate(blocks), np.concatenate(targets), rcond=_SMALLEST)[0]
    errors = tuple(float(np.sqrt(m @ (w - b @ values) ** 2)) for b, w, m in parts)
    terms = {
        key: (float(v[0]), float(v[1]), float(v[2]))
        for key, v in zip(keys, values.reshape(-1, 3).round(4), strict=True)
    }
    return terms, errors


def find_impropers(
    subject: Subject, rows: Sequence[Row], shape: NDArray[np.float64]
) -> tuple[dict[Four, tuple[float, str]], dict[Four, tuple[float, float, float, str]]]:
    """Terms that keep flat what is flat: impropers of planar centres, torsions of planar rings.

    ``shape`` in Å, ``(n_atoms, 3)``; constants in kJ/mol, phases in radians.
    """
    flat, impropers, rings = set(), {}, {}
    for atom, around in enumerate(subject.neighbours):
        if len(around) != 3:
            continue
        pairs = ((0, 1), (0, 2), (1, 2))
        if sum(measure_angle(shape, (around[a], atom, around[b])) for a, b in pairs) > _FLAT:
            flat.add(atom)
            carbonyl = rows[atom].label == "CO"
            outer = sorted(subject.classes[i] for i in around)
            impropers[subject.classes[atom], *outer] = (
                43.932 if carbonyl else 9.2048,
                "OPLS improper, " + ("O-C-X-Y" if carbonyl else "Z-CA-X-Y, from memory"),
            )
    for atoms in subject.torsions:
        j, k = atoms[1:3]
        if (j, k) in subject.ring_bonds and {j, k} <= flat:
            rings[_key(subject, atoms)] = (0.0, _PLANAR, 0.0, "OPLS X-CA-CA-X, from memory")
    return impropers, rings  # type: ignore[return-value]


def _choose(subject: Subject, rotor: Rotor, known: Mapping[Four, object]) -> list[Four]:
    about = [
        atoms
        for atoms in subject.torsions
        if name_key((subject.classes[atoms[1]], subject.classes[atoms[2]])) == rotor.key
        and _key(subject, atoms) not in known
    ]
    heavy = [t for t in about if "H" not in (subject.elements[t[0]], subject.elements[t[3]])]
    return list(dict.fromkeys(_key(subject, atoms) for atoms in heavy or about))


def _key(subject: Subject, atoms: Four) -> Four:
    a, b, c, d = name_key(tuple(subject.classes[i] for i in atoms))
    return a, b, c, d


def _measure(
    shape: NDArray[np.float64], keys: Sequence[Four], members: Mapping[Four, Sequence[Four]]
) -> NDArray[np.float64]:
    """Energy per V1, V2, V3 of every key at one shape."""
    columns = []
    for key in keys:
        angles = np.array([measure_dihedral(shape, atoms) for atoms in members[key]])
        columns += [
            0.5 * float((1 + np.cos(angles)).sum()),
            0.5 * float((1 - np.cos(2 * angles)).sum()),
            0.5 * float((1 + np.cos(3 * angles)).sum()),
        ]
    return np.array(columns)
