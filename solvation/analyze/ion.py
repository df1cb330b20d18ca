"""The ions of a scene, numbered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.topology import Scene

__all__ = ["Ions", "list_ions"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ions:
    """The cations and the anions of a scene, numbered."""

    cation_atoms: Ints
    """Central atom of each cation, shape ``(n_cations,)``."""
    cation_species: Ints
    """Index into ``scene.species`` of each cation."""
    cation_molecules: Ints
    """Molecule of each cation."""
    anion_molecules: Ints
    """Molecule of each anion, shape ``(n_anions,)``."""
    anion_species: Ints
    """Index into ``scene.species`` of each anion."""

    @property
    def n_cations(self) -> int:
        """Number of cations."""
        return len(self.cation_atoms)

    @property
    def n_anions(self) -> int:
        """Number of anions."""
        return len(self.anion_molecules)


def list_ions(scene: Scene) -> Ions:
    """Number the ions of a scene, species by species."""
    empty = np.empty(0, dtype=np.int64)
    index = {s.name: i for i, s in enumerate(scene.species)}
    cations, anions = scene.list_role("cation"), scene.list_role("anion")
    return Ions(
        cation_atoms=np.concatenate([empty, *(scene.find_centres(s) for s in cations)]),
        cation_species=np.repeat([index[s.name] for s in cations], [s.n_molecules for s in cations])
        .astype(np.int64),
        cation_molecules=np.concatenate([empty, *(s.molecules for s in cations)]),
        anion_molecules=np.concatenate([empty, *(s.molecules for s in anions)]),
        anion_species=np.repeat([index[s.name] for s in anions], [s.n_molecules for s in anions])
        .astype(np.int64),
    )  # fmt: skip
