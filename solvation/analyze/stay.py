"""Stays: how long each molecule remains in the first shell of each cation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from solvation.analyze.binding import Bindings, find_bindings
from solvation.analyze.contact import ContactTable
from solvation.analyze.ion import list_ions
from solvation.analyze.topology import Scene
from solvation.kernels.survival import Runs, find_runs, join_runs

__all__ = [
    "TOLERANCE",
    "Stays",
    "find_stays",
    "find_timestep",
    "join_stays",
    "list_pairs",
    "list_runs",
]

Ints = npt.NDArray[np.int64]

TOLERANCE = 2.0
"""ps: a ligand that leaves and is back within this time has not exchanged (Impey, Madden,
McDonald, J. Phys. Chem. 1983, 87, 5071). With frames further apart it bridges nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """How long molecules stayed in first shells, in one replica; one row per stay."""

    cation: Ints
    """As in `Ions`, shape ``(n_stays,)``."""
    molecule: Ints
    """Of the scene, shape ``(n_stays,)``."""
    runs: Runs
    """First and last frame, and whether the end was seen."""
    bare: Runs
    """The same without tolerance: every absence, however short, ends a stay."""
    bare_species: Ints
    """Index of the pair of each of these, as `species`."""
    species: Ints
    """Index into `list_pairs` of each stay, shape ``(n_stays,)``."""
    n_frames: int
    """Frames observed."""
    dt: float
    """ps between frames; 0 for a single frame or frames without times."""


def list_pairs(scene: Scene) -> list[tuple[str, str]]:
    """List every cation species with every species that can bind one."""
    ligands = dict.fromkeys(site.species for site in scene.sites)
    return [(cation.name, name) for cation in scene.list_role("cation") for name in ligands]


def find_stays(scene: Scene, table: ContactTable, *, tolerance: float = TOLERANCE) -> Stays:
    """Find how long each molecule stayed at each cation.

    Parameters
    ----------
    scene
        Species.
    table
        Contacts of one replica.
    tolerance
        ps; an absence no longer than this does not end a stay.
    """
    pieces = [
        (edges[0], list_runs(scene, find_bindings(scene, table.cut(*edges))))
        for edges in table.list_stretches()
    ]
    return join_stays(scene, table, pieces, tolerance=tolerance)


def list_runs(scene: Scene, bindings: Bindings) -> Runs:
    """List how long each molecule stays bound to each cation in a stretch of frames.

    Returns
    -------
    Runs of pairs, numbered ``cation * scene.n_molecules + molecule``; frames count from the first
    of the stretch, and no absence is bridged.
    """
    pair = bindings.cation * scene.n_molecules + bindings.molecule
    return find_runs(pair, bindings.frame, bindings.n_frames)


def join_stays(
    scene: Scene,
    table: ContactTable,
    pieces: Sequence[tuple[int, Runs]],
    *,
    tolerance: float = TOLERANCE,
) -> Stays:
    """Join the runs of consecutive stretches of a table.

    Parameters
    ----------
    scene, table
        Contacts of one replica.
    pieces
        First frame of each stretch, and what `list_runs` found in it.
    tolerance
        As for `find_stays`.
    """
    dt = find_timestep(table)
    gap = int(tolerance / dt + 1e-6) if dt > 0 else 0
    moved = [
        replace(runs, start=runs.start + first, stop=runs.stop + first) for first, runs in pieces
    ]
    bare = join_runs(moved, table.n_frames)
    runs = join_runs([bare], table.n_frames, gap=gap) if gap else bare
    pairs = list_pairs(scene)
    names = [s.name for s in scene.species]
    code = np.full((len(names), len(names)), -1, dtype=np.int64)
    for i, (cation, ligand) in enumerate(pairs):
        code[names.index(cation), names.index(ligand)] = i
    kind = list_ions(scene).cation_species
    species = scene.molecule_species

    def classify(which: Runs) -> tuple[Ints, Ints, Ints]:
        centre, molecule = np.divmod(which.pair, scene.n_molecules)
        return centre, molecule, code[kind[centre], species[molecule]]

    centre, molecule, found = classify(runs)
    return Stays(
        cation=centre, molecule=molecule, runs=runs, bare=bare, bare_species=classify(bare)[2],
        species=found, n_frames=table.n_frames, dt=dt,
    )  # fmt: skip


def find_timestep(table: ContactTable) -> float:
    """Return the time between frames in ps; 0 for a single frame or frames without times."""
    span = float(table.times[-1] - table.times[0])
    return span / (table.n_frames - 1) if table.n_frames > 1 and span > 0.0 else 0.0
