"""From elements and bonds to named species with charges, roles and donor sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from solvation.element import atomic_weight
from solvation.errors import TrajectoryError
from solvation.library import graph_key, recognize_species, write_formula

__all__ = [
    "METALS",
    "WEIGHTS",
    "MoleculeKind",
    "Role",
    "SceneSpecies",
    "find_donors",
    "guess_elements",
    "recognize_molecules",
    "weigh_elements",
]

Role = Literal["cation", "anion", "solvent"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

METALS = frozenset({"Li", "Na", "K", "Rb", "Cs", "Be", "Mg", "Ca", "Sr", "Ba", "Zn"})
"""Metals whose drawn bonds are coordination, not covalent, unless they go to carbon."""

_MONATOMIC = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs", "Ag"), 1),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Zn"), 2),
    "Al": 3,
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1),
}
"""Formal charges of single atoms, where nothing else says them."""

WEIGHTS = {
    "H": 1.008, "Li": 6.94, "Be": 9.012, "B": 10.81, "C": 12.011, "N": 14.007, "O": 15.999,
    "F": 18.998, "Na": 22.990, "Mg": 24.305, "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06,
    "Cl": 35.45, "K": 39.098, "Ca": 40.078, "Ti": 47.867, "Mn": 54.938, "Fe": 55.845,
    "Cu": 63.546, "Zn": 65.38, "As": 74.922, "Se": 78.971, "Br": 79.904, "Rb": 85.468,
    "Sr": 87.62, "Ag": 107.87, "Sb": 121.76, "I": 126.90, "Cs": 132.91, "Ba": 137.33,
}  # fmt: skip
"""Standard atomic weights in u of elements that electrolytes are made of."""


def weigh_elements(elements: npt.NDArray[np.str_]) -> Floats:
    """Return standard atomic weights in u of symbols, 0 for what is no element (virtual sites).

    Both have the shape ``(n_atoms,)``.

    Examples
    --------
    >>> weigh_elements(np.array(["O", "Ar", "EP"])).tolist()
    [15.999, 39.948, 0.0]
    """
    names, which = np.unique(elements, return_inverse=True)
    weights: Floats = np.array([WEIGHTS.get(str(n)) or atomic_weight(str(n)) for n in names])
    return weights[which]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeKind:
    """One molecular graph, as found in the topology."""

    elements: tuple[str, ...]
    """Element of each atom."""
    bonds: tuple[tuple[int, int], ...]
    """Bonded pairs, as indices into `elements`."""
    molecules: tuple[int, ...]
    """The molecules that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpecies:
    """One species of a scene."""

    name: str
    """Library name such as ``"DME"``, or the formula of an unknown species."""
    formula: str
    """Hill formula."""
    charge: int
    """Formal charge in e."""
    role: Role
    """From the charge, unless the user said otherwise."""
    mass: float
    """Of one molecule, in u."""
    n_atoms: int
    """Atoms in one molecule."""
    molecules: Ints
    """Molecules of this species, shape ``(n_molecules,)``."""
    atoms: Ints
    """Their atoms, shape ``(n_molecules, n_atoms)``; the order may differ between molecules."""
    known: bool
    """Whether the library has it."""

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.molecules)


def guess_elements(
    masses: npt.ArrayLike | None, names: Sequence[str] | None = None
) -> npt.NDArray[np.str_]:
    """Guess the element of every atom from its mass, or from its name where that fails.

    Masses in u, shape ``(n_atoms,)``; so are the symbols that come back.

    Raises
    ------
    TrajectoryError
        Naming the first atom that could be anything.
    """
    table = np.array(list(WEIGHTS.values()))
    symbols = np.array(list(WEIGHTS))
    mass: Floats = np.zeros(len(names or ()))
    if masses is not None:
        mass = np.asarray(masses, dtype=np.float64)
    n_atoms = len(mass)
    unique, which = np.unique(mass, return_inverse=True)
    nearest = np.abs(unique[:, None] - table[None, :]).argmin(axis=1)
    found = symbols[nearest]
    # Hydrogens made heavier for long time steps take mass from their carbon: names decide then.
    found[np.abs(unique - table[nearest]) > 0.15] = ""
    elements: npt.NDArray[np.str_] = found[which].astype("<U2")
    repartitioned = bool(np.any((unique > 1.5) & (unique < 4.2)))
    unclear = (elements == "") | (np.zeros(n_atoms, dtype=bool) if not repartitioned else True)
    for atom in np.flatnonzero(unclear).tolist():
        letters = "".join(c for c in (names[atom] if names is not None else "") if c.isalpha())
        head = letters[:2].capitalize()
        guess = head if head in WEIGHTS and (len(letters) == 2 or len(head) < 2) else ""
        guess = guess or (letters[:1].upper() if letters[:1].upper() in WEIGHTS else "")
        if not guess and not elements[atom]:
            raise TrajectoryError(
                f"atom {atom} has mass {mass[atom]:.3f} u and no name that says its element; "
                "give a topology with elements or plain atomic masses"
            )
        elements[atom] = guess or elements[atom]
    return elements


def find_donors(
    elements: Sequence[str], bonds: Sequence[tuple[int, int]], role: Role
) -> tuple[int, ...]:
    """List the atoms of a molecule that can bind a cation.

    O and N of every molecule. Of an anion also F, Cl, Br and I that are not on carbon (the
    fluorine of a CF3 group counts only in an anion with no other donor), and hydridic H on boron.
    """
    if role == "cation":
        return ()
    partners: list[set[str]] = [set() for _ in elements]
    for i, j in bonds:
        partners[i].add(elements[j])
        partners[j].add(elements[i])
    donors = [i for i, e in enumerate(elements) if e in ("O", "N")]
    if role == "anion":
        halogens = [i for i, e in enumerate(elements) if e in ("F", "Cl", "Br", "I")]
        donors += [i for i in halogens if "C" not in partners[i]]
        donors += [i for i, e in enumerate(elements) if e == "H" and "B" in partners[i]]
        if not donors:
            donors = halogens
    return tuple(sorted(donors))


def collect_kinds(
    elements: npt.NDArray[np.str_], bonds: Ints, molecule: Ints
) -> tuple[MoleculeKind, ...]:
    """Group molecules whose atoms and bonds are the same in the same order."""
    n_molecules = int(molecule.max(initial=-1)) + 1
    order = np.argsort(molecule, kind="stable")
    split = np.searchsorted(molecule[order], np.arange(n_molecules + 1))
    local = np.empty(len(molecule), dtype=np.int64)
    local[order] = np.arange(len(order)) - split[molecule[order]]
    owner = molecule[bonds[:, 0]]
    sort = np.lexsort((bonds[:, 1], bonds[:, 0], owner))
    ends = np.searchsorted(owner[sort], np.arange(n_molecules + 1))
    pairs = local[bonds[sort]]
    kinds: dict[tuple[bytes, bytes], list[int]] = {}
    for index in range(n_molecules):
        atoms = order[split[index] : split[index + 1]]
        key = (elements[atoms].tobytes(), pairs[ends[index] : ends[index + 1]].tobytes())
        kinds.setdefault(key, []).append(index)
    return tuple(
        MoleculeKind(
            elements=tuple(str(e) for e in elements[order[split[m[0]] : split[m[0] + 1]]]),
            bonds=tuple((int(i), int(j)) for i, j in pairs[ends[m[0]] : ends[m[0] + 1]]),
            molecules=tuple(m),
        )
        for m in kinds.values()
    )


def recognize_molecules(
    elements: npt.NDArray[np.str_],
    bonds: Ints,
    molecule: Ints,
    masses: Floats,
    *,
    partial_charges: Floats | None = None,
    charges: Mapping[str, int] | None = None,
    roles: Mapping[int, tuple[Role, str | None]] | None = None,
) -> tuple[tuple[SceneSpecies, ...], tuple[str, ...]]:
    """Name the species of a topology and give each a charge and a role.

    Arrays by atom have the shape ``(n_atoms,)``, masses in u; bonds ``(n_bonds, 2)``.

    Parameters
    ----------
    elements, bonds, molecule, masses
        Of every atom; bonds as pairs, molecules numbered from 0.
    partial_charges
        In e, if the topology has them: they decide the charge of species the library lacks.
    charges
        Formal charges that the user gave, by species name.
    roles
        Role, and name if one was given, of molecules that the user selected.

    Returns
    -------
    species
        Cations, anions, solvents, each by alphabet.
    notes
        What was assumed, one sentence each.

    Raises
    ------
    TrajectoryError
        If a charge is given for a species that is not there.
    """
    charges, roles = dict(charges or {}), dict(roles or {})
    notes: list[str] = []
    sums = None if partial_charges is None else np.bincount(molecule, weights=partial_charges)
    groups: dict[tuple[str, str], list[int]] = {}
    facts: dict[tuple[str, str], tuple[str, int | None, bool, int]] = {}
    for kind in collect_kinds(elements, bonds, molecule):
        species = recognize_species(kind.elements, kind.bonds)
        formula = write_formula(kind.elements)
        graph = species.name if species else graph_key(kind.elements, kind.bonds)
        for index in kind.molecules:
            label = roles.get(index, (None, None))[1] or ""
            key = (label, graph)
            groups.setdefault(key, []).append(index)
            if key not in facts:
                charge = species.charge if species else None
                facts[key] = (formula, charge, species is not None, len(kind.elements))
    atom_order = np.argsort(molecule, kind="stable")
    starts = np.searchsorted(molecule[atom_order], np.arange(int(molecule.max(initial=-1)) + 2))
    found: list[SceneSpecies] = []
    taken: set[str] = set()
    for (label, graph), members in groups.items():
        formula, formal, known, n_atoms = facts[label, graph]
        name = base = label or (graph if known else formula)
        count = 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        rows = np.array(sorted(members), dtype=np.int64)
        atoms = atom_order[starts[rows][:, None] + np.arange(n_atoms)[None, :]]
        given = None if sums is None else float(sums[rows].mean())
        charge = _decide_charge(name, formula, formal, given, charges, notes)
        role = roles.get(members[0], (None, None))[0]
        if role is None:
            role = "cation" if charge > 0 else "anion" if charge < 0 else "solvent"
        mass = float(masses[atoms[0]].sum())
        found.append(
            SceneSpecies(
                name=name, formula=formula, charge=charge, role=role, mass=mass,
                n_atoms=n_atoms, molecules=rows, atoms=atoms, known=known,
            )
        )  # fmt: skip
    unknown = sorted(set(charges) - taken)
    if unknown:
        raise TrajectoryError(
            f'no species is called "{unknown[0]}"; the topology has {", ".join(sorted(taken))}'
        )
    rank = {"cation": 0, "anion": 1, "solvent": 2}
    return tuple(sorted(found, key=lambda s: (rank[s.role], s.name))), tuple(notes)


def _decide_charge(
    name: str,
    formula: str,
    formal: int | None,
    partial: float | None,
    given: Mapping[str, int],
    notes: list[str],
) -> int:
    """Choose the formal charge: the user's, the library's, the rounded partial charges."""
    if name in given:
        return int(given[name])
    if formal is not None:
        return formal
    if partial is not None:
        charge = round(partial)
        if abs(partial - charge) > 0.1:
            notes.append(
                f"{name} carries {partial:+.2f} e in the topology; "
                f"formal charge {charge:+d} assumed"
            )
        return charge
    if formula in _MONATOMIC:
        return _MONATOMIC[formula]
    notes.append(f"{name} is unknown and the topology has no charges; taken as neutral")
    return 0
