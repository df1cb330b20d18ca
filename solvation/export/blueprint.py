"""Blueprint: a built system as plain numbers, which every writer of a format starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Blueprint", "find_exclusions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """Everything that decides the energy of a box, and its positions."""

    names: tuple[str, ...]
    """Name of every atom in its molecule."""
    elements: tuple[str, ...]
    """Element of every atom."""
    atomic_numbers: tuple[int, ...]
    """Atomic number of every atom."""
    masses: NDArray[np.float64]
    """u, as in nature: hydrogens are not made heavier here, shape ``(n_atoms,)``."""
    charges: NDArray[np.float64]
    """e, as simulated, shape ``(n_atoms,)``."""
    sigmas: NDArray[np.float64]
    """Å, shape ``(n_atoms,)``."""
    epsilons: NDArray[np.float64]
    """kJ/mol, shape ``(n_atoms,)``."""
    molecules: tuple[tuple[str, int, int], ...]
    """Name, first atom and one past the last atom of every molecule."""
    bonds: tuple[tuple[int, int, float, float], ...]
    """Atoms, length (Å) and k (kJ/mol/Å2) of E = k/2 (x - x0)^2; rigid ones too."""
    angles: tuple[tuple[int, int, int, float, float], ...]
    """Atoms, angle (rad) and k (kJ/mol/rad2) of E = k/2 (x - x0)^2."""
    torsions: tuple[tuple[int, int, int, int, int, float, float], ...]
    """Atoms, n, phase (rad) and k (kJ/mol) of E = k (1 + cos(n phi - phase))."""
    impropers: frozenset[int]
    """Indices into `torsions` of those that are not along three bonds."""
    pairs: tuple[tuple[int, int], ...]
    """1-4 pairs: three bonds apart and not nearer any other way."""
    rigid: tuple[tuple[int, int, float], ...]
    """Atoms and distance (Å) of what is held rigid here."""
    scale_14: tuple[float, float]
    """Factors of the 1-4 Coulomb and Lennard-Jones energies."""
    mixing: str
    """``"geometric"`` or ``"lorentz-berthelot"``."""
    c4: NDArray[np.float64] | None
    """C4 of the ions (kJ/mol Å4 per Å3) and polarizability (Å3), shape ``(n_atoms, 2)``."""
    positions: NDArray[np.float64]
    """Å, molecules whole, shape ``(n_atoms, 3)``."""
    edge: float
    """Edge of the cubic box, Å."""
    cutoff: float
    """Cutoff in direct space, Å."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.names)

    @property
    def types(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Names of the atom types, and the type of every atom: equal Lennard-Jones and element."""
        known: dict[tuple[Any, ...], int] = {}
        names: list[str] = []
        counts: dict[str, int] = {}
        index = np.empty(self.n_atoms, dtype=np.int64)
        for atom, element in enumerate(self.elements):
            induced = () if self.c4 is None else tuple(self.c4[atom])
            key = (element, self.sigmas[atom], self.epsilons[atom], induced)
            if key not in known:
                counts[element] = counts.get(element, 0) + 1
                known[key] = len(names)
                names.append(f"{element}{counts[element]}")
            index[atom] = known[key]
        return tuple(names), index


def find_exclusions(
    n_atoms: int, bonds: Sequence[Sequence[Any]]
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Find the pairs one or two bonds apart, and those three bonds apart and no nearer."""
    near: list[set[int]] = [set() for _ in range(n_atoms)]
    for i, j, *_ in bonds:
        near[i].add(j)
        near[j].add(i)
    close: set[tuple[int, int]] = set()
    far: set[tuple[int, int]] = set()
    for start in range(n_atoms):
        seen, edge = {start}, {start}
        for step in (1, 2, 3):
            edge = {other for atom in edge for other in near[atom]} - seen
            seen |= edge
            (close if step < 3 else far).update((start, other) for other in edge if other > start)
    return close, far
