"""Packing: molecules placed in a periodic box without touching, by Packmol.

Packmol (Martínez et al., J. Comput. Chem. 2009, 30, 2157, 10.1002/jcc.21224) is what the field
packs with. What is ours is the start: cations with a full shell of solvent (``separated``), with
two anions bound (``contact``), or with nothing arranged (``random``).
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvation.build.molecule import (
    SHELLS,
    Cluster,
    Molecule,
    embed_cluster,
    embed_molecule,
    pick_donors,
)
from solvation.build.tile import choose_tiles, fill_tile, lay_tiles
from solvation.errors import PackingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from solvation.build.composition import Composition
    from solvation.library import Species

__all__ = ["Packed", "arrange", "pack_box"]

_LOG = logging.getLogger(__name__)

_TOLERANCE = 2.0
"""Smallest distance between atoms of different bodies, in Å."""
_SPARE = 1.05
"""Linear stretch of the first box: a liquid is packed thinner, and the barostat compresses it."""
_MAX_SHAPES = 3
"""Different embeddings of one kind of cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Molecules in their box, cations first, then anions, then solvents."""

    molecules: tuple[Molecule, ...]
    """With positions in the box, Å; every molecule whole."""
    edge: float
    """Edge of the cubic box in Å."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """All atoms, Å, shape ``(n_atoms, 3)``."""
        return np.concatenate([molecule.positions for molecule in self.molecules])


def arrange(
    composition: Composition, species: Mapping[str, Species], *, start: str, seed: int
) -> tuple[list[Cluster], dict[str, int]]:
    """Decide which molecules are packed as shells around cations, and which are left.

    Returns
    -------
    clusters, left
        The arranged shells, and the number of molecules of each species packed on their own.
    """
    left = dict(composition.counts)
    neutral = any(species[name].charge == 0 for name in left)
    if start == "random" or (start == "separated" and not neutral):
        return [], left  # in a liquid of ions alone nothing separates them
    cations = [
        species[name] for name in left if species[name].charge > 0 and species[name].n_atoms == 1
    ]
    anions = [name for name in left if species[name].charge < 0]
    solvents = [name for name in left if species[name].charge == 0 and species[name].donors]
    shapes: dict[tuple[str, ...], list[Cluster]] = {}
    clusters: list[Cluster] = []
    for cation in cations:
        full = SHELLS[cation.name].coordination if cation.name in SHELLS else 6
        for _ in range(composition.counts[cation.name]):
            ligands: list[tuple[Species, tuple[int, ...]]] = []
            bound = 0
            if start == "contact":
                wanted = min(2, cation.charge)
                for name in sorted(anions, key=lambda key: -left[key])[:1] * wanted:
                    if left[name]:
                        ligands.append((species[name], pick_donors(species[name], single=True)))
                        left[name] -= 1
                        bound += 1
            while bound < full and any(left[name] for name in solvents):
                name = max(solvents, key=lambda key: left[key] / composition.counts[key])
                donors = pick_donors(species[name])[: full - bound]
                ligands.append((species[name], donors))
                left[name] -= 1
                bound += len(donors)
            left[cation.name] -= 1
            key = (cation.name, *(ligand.name for ligand, _ in ligands))
            known = shapes.setdefault(key, [])
            if len(known) < _MAX_SHAPES:
                known.append(embed_cluster(cation, ligands, seed=seed + 1 + len(known)))
            clusters.append(known[len(clusters) % len(known)])
    return clusters, left


def pack_box(
    composition: Composition, species: Mapping[str, Species], *, start: str, seed: int
) -> Packed:
    """Fill the box.

    Parameters
    ----------
    composition
        Counts and guessed volume.
    species
        By name.
    start
        ``"separated"``, ``"contact"`` or ``"random"``.
    seed
        Of shapes and places.

    Raises
    ------
    PackingError
        If Packmol is missing, fails, or leaves molecules overlapping.
    """
    clusters, left = arrange(composition, species, start=start, seed=seed)
    bodies: list[tuple[tuple[Molecule, ...], int]] = []
    for cluster in dict.fromkeys(map(id, clusters)):
        chosen = next(item for item in clusters if id(item) == cluster)
        bodies.append((chosen.molecules, sum(id(item) == cluster for item in clusters)))
    for name, number in left.items():
        if number:
            bodies.append(((embed_molecule(species[name], seed=seed),), number))
    positions, edge = _fill_box(bodies, edge=composition.edge * _SPARE, seed=seed)
    order = {name: rank for rank, name in enumerate(composition.counts)}
    molecules = sorted(_place(bodies, positions), key=lambda molecule: order[molecule.name])
    return Packed(molecules=tuple(molecules), edge=edge)


def _fill_box(
    bodies: Sequence[tuple[tuple[Molecule, ...], int]], *, edge: float, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Place all atoms, in one piece or tile by tile; returns the edge of the box too, in Å.

    A tile holds a little more than its share, so it is made wider by as much.
    """
    sizes = [sum(len(m.elements) for m in molecules) for molecules, _ in bodies]
    numbers = [number for _, number in bodies]
    tiles = choose_tiles(sum(n * size for n, size in zip(numbers, sizes, strict=True)))
    if tiles == 1:
        return _run_packmol(bodies, edge=edge, seed=seed), edge
    copies = fill_tile(numbers, tiles)
    tile = [(molecules, n) for (molecules, _), n in zip(bodies, copies, strict=True)]
    surplus = tiles**3 * np.dot(copies, sizes) / np.dot(numbers, sizes)
    edge *= float(surplus ** (1 / 3))
    positions = _run_packmol(tile, edge=edge / tiles, seed=seed)
    return lay_tiles(positions, sizes, numbers, tiles=tiles, edge=edge, seed=seed), edge


def _place(
    bodies: Sequence[tuple[tuple[Molecule, ...], int]], positions: NDArray[np.float64]
) -> list[Molecule]:
    """Give every copy of every molecule its place."""
    placed = []
    first = 0
    for molecules, number in bodies:
        for _ in range(number):
            for molecule in molecules:
                last = first + len(molecule.elements)
                placed.append(
                    Molecule(
                        name=molecule.name,
                        elements=molecule.elements,
                        bonds=molecule.bonds,
                        positions=positions[first:last],
                    )
                )
                first = last
    return placed


def _run_packmol(
    bodies: Sequence[tuple[tuple[Molecule, ...], int]], *, edge: float, seed: int
) -> NDArray[np.float64]:
    """Write the input, run Packmol, read the positions in Å, shape ``(n_atoms, 3)``."""
    program = shutil.which("packmol") or shutil.which(
        "packmol", path=str(Path(sys.executable).parent)
    )
    if program is None:
        raise PackingError("packmol is not installed; pip install packmol")
    n_atoms = sum(number * sum(len(m.elements) for m in molecules) for molecules, number in bodies)
    with tempfile.TemporaryDirectory(prefix="solvation-") as scratch:
        folder = Path(scratch)
        lines = [
            f"tolerance {_TOLERANCE}",
            "filetype xyz",
            "output packed.xyz",
            f"seed {seed % 2**30 + 1}",
            f"pbc {edge:.4f} {edge:.4f} {edge:.4f}",
        ]
        for index, (molecules, number) in enumerate(bodies):
            name = f"body{index}.xyz"
            _write_xyz(folder / name, molecules)
            lines += [f"structure {name}", f"  number {number}", "end structure"]
        script = folder / "pack.inp"
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            with script.open() as stream:  # a file: Packmol rewinds its input
                done = subprocess.run(
                    [program],
                    stdin=stream,
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                )
        except OSError as error:
            raise PackingError(f"packmol does not start: {error}; pip install packmol") from error
        output = folder / "packed.xyz"
        if not output.is_file() or "Success!" not in done.stdout:
            last = " ".join((done.stdout + done.stderr).split())[-200:]
            raise PackingError(
                f"packmol could not put {n_atoms} atoms in {edge:.1f} angstrom: ...{last}"
            )
        table = np.loadtxt(output, skiprows=2, usecols=(1, 2, 3), ndmin=2)
    if table.shape != (n_atoms, 3):
        raise PackingError(f"packmol wrote {len(table)} of {n_atoms} atoms; please report this")
    _LOG.info("packed %d atoms in a box of %.1f angstrom", n_atoms, edge)
    return np.asarray(table, dtype=float)


def _write_xyz(path: Path, molecules: Sequence[Molecule]) -> None:
    """Write one body for Packmol."""
    rows = [
        f"{element} {x:.6f} {y:.6f} {z:.6f}"
        for molecule in molecules
        for element, (x, y, z) in zip(molecule.elements, molecule.positions, strict=True)
    ]
    path.write_text(f"{len(rows)}\n\n" + "\n".join(rows) + "\n", encoding="utf-8")
