"""The scene: molecules, species, roles and donor sites, and frames to watch them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.frames import Block, FrameSource, iterate_blocks
from solvation.analyze.recognition import (
    METALS,
    Role,
    SceneSpecies,
    find_donors,
    recognize_molecules,
    weigh_elements,
)
from solvation.errors import TrajectoryError
from solvation.kernels.cell import BondTree, walk_bonds
from solvation.kernels.order import sort_pairs

__all__ = ["Scene", "Site", "scene_from_arrays"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The donor atoms of one element in one species."""

    name: str
    """E.g. ``"DME.O"``."""
    species: str
    """E.g. ``"DME"``."""
    element: str
    """E.g. ``"O"``."""
    atoms: Ints
    """Shape ``(n_atoms,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Frames with molecules, species, roles and sites; one or several replicas of one system."""

    name: str
    """What the report calls it."""
    species: tuple[SceneSpecies, ...]
    """Cations, anions, solvents, each by alphabet."""
    sites: tuple[Site, ...]
    """Donor sites, solvents first, then anions."""
    elements: npt.NDArray[np.str_]
    """Shape ``(n_atoms,)``."""
    masses: Floats
    """u, shape ``(n_atoms,)``."""
    bonds: Ints
    """Covalent bonds, shape ``(n_bonds, 2)``."""
    tree: BondTree
    """Molecules, and how to walk them."""
    sources: tuple[FrameSource, ...]
    """One trajectory per replica."""
    temperature: float | None
    """K, if known."""
    notes: tuple[str, ...]
    """What was assumed, one sentence each."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.elements)

    @property
    def n_replicas(self) -> int:
        """Number of trajectories."""
        return len(self.sources)

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return int(self.tree.molecule.max(initial=-1)) + 1

    @property
    def molecule(self) -> Ints:
        """Molecule of each atom, shape ``(n_atoms,)``."""
        return self.tree.molecule

    @property
    def molecule_species(self) -> Ints:
        """Index into `species` of each molecule, shape ``(n_molecules,)``."""
        index = np.empty(self.n_molecules, dtype=np.int64)
        for i, species in enumerate(self.species):
            index[species.molecules] = i
        return index

    @property
    def counts(self) -> dict[str, int]:
        """Number of molecules of each species."""
        return {s.name: s.n_molecules for s in self.species}

    def list_role(self, role: Role) -> tuple[SceneSpecies, ...]:
        """List the species that play a role."""
        return tuple(s for s in self.species if s.role == role)

    def find_species(self, name: str) -> SceneSpecies:
        """Find a species by name.

        Raises
        ------
        TrajectoryError
            If there is none of that name; the message lists those that are there.
        """
        for species in self.species:
            if species.name == name:
                return species
        raise TrajectoryError(f'no species is called "{name}"; there are {", ".join(self.counts)}')

    def find_site(self, name: str) -> Site:
        """Find a donor site by name, e.g. ``"DME.O"``.

        Raises
        ------
        TrajectoryError
            If there is none of that name; the message lists those that are there.
        """
        for site in self.sites:
            if site.name == name:
                return site
        names = ", ".join(s.name for s in self.sites)
        raise TrajectoryError(f'no site is called "{name}"; there are {names}')

    def find_centres(self, species: SceneSpecies) -> Ints:
        """Return one atom per molecule: the metal of a cation, else its heaviest atom."""
        atoms = species.atoms
        metal = np.isin(self.elements[atoms], sorted(METALS | {"Al"}))
        weight = self.masses[atoms] + 1e6 * metal
        centres: Ints = atoms[np.arange(len(atoms)), weight.argmax(axis=1)]
        return centres

    def iterate(self, replica: int, start: int, stop: int) -> Iterator[Block]:
        """Read frames ``start`` to ``stop`` of a replica in blocks, molecules whole."""
        source = self.sources[replica]
        return iterate_blocks(source, self.tree, replica=replica, start=start, stop=stop)

    def read_frame(self, replica: int, frame: int) -> Block:
        """Read one frame."""
        return next(self.iterate(replica, frame, frame + 1))


# Building scenes --------------------------------------------------------------------------


def scene_from_arrays(
    elements: Sequence[str],
    bonds: npt.ArrayLike,
    sources: Sequence[FrameSource],
    *,
    masses: npt.ArrayLike | None = None,
    partial_charges: npt.ArrayLike | None = None,
    charges: Mapping[str, int] | None = None,
    roles: Mapping[int, tuple[Role, str | None]] | None = None,
    temperature: float | None = None,
    name: str = "scene",
    notes: Sequence[str] = (),
) -> Scene:
    """Build a scene from plain arrays and frame sources.

    Parameters
    ----------
    elements
        Symbol of every atom.
    bonds
        Pairs of atom indices, shape ``(n_bonds, 2)``; bonds to metal ions are coordination and
        are dropped.
    sources
        One per replica.
    masses, partial_charges
        u and e, of every atom; masses default to standard atomic weights.
    charges
        Formal charges by species name, over those of the library.
    roles
        Role and name of atoms that the user selected, by atom index.
    temperature
        K.
    name, notes
        For the report.

    Raises
    ------
    TrajectoryError
        If there is no cation among species some of which are neither known nor said to be
        solvents, a molecule without mass, or no frame.
    """
    symbols = np.array([e.capitalize() for e in elements], dtype="<U2")
    weight = weigh_elements(symbols) if masses is None else np.asarray(masses, dtype=np.float64)
    pairs = sort_pairs(np.asarray(bonds, dtype=np.int64).reshape(-1, 2))
    metal, carbon = np.isin(symbols, sorted(METALS)), symbols == "C"
    ends = pairs[:, 0], pairs[:, 1]
    coordination = (metal[ends[0]] & ~carbon[ends[1]]) | (metal[ends[1]] & ~carbon[ends[0]])
    pairs = pairs[~coordination]
    tree = walk_bonds(len(symbols), pairs)
    by_molecule = {int(tree.molecule[atom]): role for atom, role in (roles or {}).items()}
    partial = None if partial_charges is None else np.asarray(partial_charges, dtype=np.float64)
    species, assumed = recognize_molecules(
        symbols, pairs, tree.molecule, weight,
        partial_charges=partial, charges=charges, roles=by_molecule,
    )  # fmt: skip
    # Molecules that are known to be neutral, or were said to be solvents, are a pure solvent;
    # otherwise a cation was overlooked.
    if not any(s.role == "cation" for s in species) and not all(
        s.role == "solvent" and (s.known or by_molecule.keys() >= set(s.molecules.tolist()))
        for s in species
    ):
        found = ", ".join(f"{s.name} ({s.charge:+d})" for s in species)
        raise TrajectoryError(
            f"no cation among {found}; name it with --cation SEL or --charge NAME=CHARGE, or what "
            "is a solvent with --solvent NAME=SEL"
        )
    for kind in species:
        if not kind.mass > 0.0:
            raise TrajectoryError(
                f"{kind.name} has no mass; give a topology with masses, or with elements that exist"
            )
    for source in sources:
        if source.n_frames < 1:
            raise TrajectoryError(f"{source.label} has no frames; give a trajectory that has some")
    return Scene(
        name=name,
        species=species,
        sites=_list_sites(species, symbols, pairs),
        elements=symbols,
        masses=weight,
        bonds=pairs,
        tree=tree,
        sources=tuple(sources),
        temperature=temperature,
        notes=(*notes, *assumed),
    )


def _list_sites(
    species: Sequence[SceneSpecies], elements: npt.NDArray[np.str_], bonds: Ints
) -> tuple[Site, ...]:
    """List donor sites, solvents before anions, in the order O, N, F, others."""
    neighbours: dict[int, list[int]] = {}
    for i, j in bonds.tolist():
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    sites = []
    for kind in sorted(species, key=lambda s: (s.role != "solvent", s.name)):
        by_element: dict[str, list[int]] = {}
        for row in kind.atoms.tolist():
            place = {atom: k for k, atom in enumerate(row)}
            local = [(place[a], place[b]) for a in row for b in neighbours.get(a, ()) if a < b]
            for k in find_donors([str(elements[a]) for a in row], local, kind.role):
                by_element.setdefault(str(elements[row[k]]), []).append(row[k])
        order = {"O": 0, "N": 1, "F": 2}
        for element in sorted(by_element, key=lambda e: (order.get(e, 9), e)):
            atoms = np.array(sorted(by_element[element]), dtype=np.int64)
            site = f"{kind.name}.{element}"
            sites.append(Site(name=site, species=kind.name, element=element, atoms=atoms))
    return tuple(sites)
