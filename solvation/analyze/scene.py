"""From files to a `Scene`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.bond import guess_bonds
from solvation.analyze.collector import pause_collector
from solvation.analyze.frames import FrameSource, join_sources
from solvation.analyze.pdb import read_pdb
from solvation.analyze.reader import UniverseFrames, open_topology, open_trajectory
from solvation.analyze.recognition import Role, guess_elements
from solvation.analyze.topology import Scene, Site, scene_from_arrays
from solvation.errors import TrajectoryError
from solvation.kernels.order import sort_pairs

__all__ = ["Scene", "Site", "open_scene", "scene_from_arrays", "scene_from_universe"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@pause_collector()
def open_scene(
    topology: str | Path,
    trajectories: str | Path | Sequence[str | Path | Sequence[str | Path]],
    *,
    cation: str | None = None,
    anion: str | None = None,
    solvent: Mapping[str, str] | None = None,
    charges: Mapping[str, int] | None = None,
    dt: float | None = None,
    box: Sequence[float] | None = None,
    temperature: float | None = None,
) -> Scene:
    """Open a topology and its trajectories as one scene, a replica each.

    Parameters
    ----------
    topology, trajectories
        Files in any format that MDAnalysis reads. Species are recognised from bonds and
        elements; nothing else need be given. Every trajectory is a replica of its own; one that
        comes in several files is a list of these, in order of time.
    cation, anion
        MDAnalysis selections, over what was recognised.
    solvent
        Selections of solvents by the name to give them.
    charges
        Formal charges in e by species name.
    dt
        Time between frames in ps, over the file's.
    box
        Three lengths in Å, or lengths and angles in degrees, over the file's.
    temperature
        K.

    Raises
    ------
    TrajectoryError
        In one line: what is wrong with which file, and what to do.
    """
    # Selections are the business of MDAnalysis.
    selections = cation, anion, *(solvent or {}).values()
    plain = None if any(selections) else read_pdb(topology)
    universe: Any = None
    if plain is None:
        universe = open_topology(topology)
        n_atoms, spare = len(universe.atoms), _find_box(universe)
    else:
        n_atoms, spare = len(plain.elements), plain.box
    paths = [trajectories] if isinstance(trajectories, (str, Path)) else list(trajectories)
    if not paths:
        raise TrajectoryError("no trajectory was given; give one with --trajectory")
    sources: list[FrameSource] = []
    for given in paths:
        pieces = [given] if isinstance(given, (str, Path)) else list(given)
        files = [
            open_trajectory(Path(piece), n_atoms, dt=dt, box=_full_box(box), spare=spare)
            for piece in pieces
        ]
        sources.append(join_sources(files, dt=dt))
    if plain is not None:
        return scene_from_arrays(
            plain.elements.tolist(), plain.bonds, sources, charges=charges,
            temperature=temperature, name=Path(topology).stem,
        )  # fmt: skip
    return _build_scene(
        universe, sources, {"cation": cation, "anion": anion}, dict(solvent or {}),
        charges=charges, temperature=temperature, name=Path(topology).stem,
    )  # fmt: skip


def scene_from_universe(
    universe: Any,
    *,
    cation: str | None = None,
    anion: str | None = None,
    solvent: Mapping[str, str] | None = None,
    charges: Mapping[str, int] | None = None,
    dt: float | None = None,
    box: Sequence[float] | None = None,
    temperature: float | None = None,
) -> Scene:
    """Build a scene from an MDAnalysis Universe that has a trajectory.

    Parameters are those of `open_scene`.
    """
    reader = universe.trajectory
    label = Path(str(getattr(reader, "filename", None) or "universe")).name
    source = UniverseFrames(reader=reader, label=label, dt=dt, box=_full_box(box))
    return _build_scene(
        universe, [source], {"cation": cation, "anion": anion}, dict(solvent or {}),
        charges=charges, temperature=temperature, name=Path(label).stem,
    )  # fmt: skip


def _full_box(box: Sequence[float] | None) -> Floats | None:
    """Complete three lengths with right angles."""
    if box is None:
        return None
    values = np.asarray(box, dtype=np.float64)
    if values.shape not in ((3,), (6,)) or not np.all(values > 0.0):
        raise TrajectoryError(
            f"box {list(box)} is not three lengths, or three lengths and three angles, above zero; "
            'write e.g. --box "40 40 40"'
        )
    return values if len(values) == 6 else np.concatenate([values, [90.0, 90.0, 90.0]])


def _find_box(universe: Any) -> Floats | None:
    """Return the box of a topology that has one."""
    try:
        dimensions = universe.trajectory.ts.dimensions
    except AttributeError:
        return None
    return None if dimensions is None else np.asarray(dimensions, dtype=np.float64)


# Topology ---------------------------------------------------------------------------------


def _build_scene(
    universe: Any,
    sources: Sequence[FrameSource],
    selections: Mapping[str, str | None],
    solvent: Mapping[str, str],
    *,
    charges: Mapping[str, int] | None,
    temperature: float | None,
    name: str,
) -> Scene:
    """Take from a Universe what a scene needs."""
    atoms = universe.atoms
    elements = _read_elements(atoms)
    masses = _read_array(atoms, "masses")
    notes: list[str] = []
    bonds = _read_bonds(universe)
    if bonds is None:
        residues = getattr(atoms, "resindices", np.zeros(len(atoms), dtype=np.int64))
        bonds = guess_bonds(elements, np.asarray(residues, dtype=np.int64), sources[0])
        notes.append("the topology has no bonds; they were guessed from distances per residue")
    roles: dict[int, tuple[Role, str | None]] = {}
    chosen: list[tuple[Role, str | None, str]] = [("solvent", k, v) for k, v in solvent.items()]
    if selections["cation"]:
        chosen.append(("cation", None, selections["cation"]))
    if selections["anion"]:
        chosen.append(("anion", None, selections["anion"]))
    for role, label, text in chosen:
        for atom in _select(universe, text):
            roles[atom] = (role, label)
    if masses is not None and not np.all(masses > 0.0):
        masses = None
    return scene_from_arrays(
        elements.tolist(), bonds, sources, masses=masses,
        partial_charges=_read_array(atoms, "charges"), charges=charges, roles=roles,
        temperature=temperature, name=name, notes=notes,
    )  # fmt: skip


def _read_array(atoms: Any, attribute: str) -> Floats | None:
    values = getattr(atoms, attribute, None)
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    # PDB files have a charge column that is nearly always blank.
    return None if attribute == "charges" and not array.any() else array


def _read_elements(atoms: Any) -> npt.NDArray[np.str_]:
    """Take the elements, or guess them from masses and names."""
    elements = [str(e).strip().capitalize() for e in getattr(atoms, "elements", [])]
    if elements and all(elements):
        return np.array(elements, dtype="<U2")
    names = getattr(atoms, "names", None)
    if names is None:
        types = getattr(atoms, "types", None)
        names = types if types is not None and not str(types[0]).isdigit() else None
    masses = _read_array(atoms, "masses")
    if masses is None and names is None:
        raise TrajectoryError(
            "the topology has neither elements nor masses nor names; give one that has"
        )
    return guess_elements(masses, None if names is None else [str(n) for n in names])


def _read_bonds(universe: Any) -> Ints | None:
    """Return the bonds, or None if the topology does not have any."""
    # As they were read: what the Universe makes of them takes longer than all the rest.
    listed = getattr(getattr(universe, "_topology", None), "bonds", None)
    try:
        found = universe.bonds.indices if listed is None else listed.values
    except (AttributeError, ValueError):
        return None
    bonds = np.asarray(found, dtype=np.int64).reshape(-1, 2)
    return sort_pairs(bonds) if len(bonds) else None


def _select(universe: Any, text: str) -> list[int]:
    """Return the atoms of an MDAnalysis selection."""
    try:
        found = universe.select_atoms(text).indices
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise TrajectoryError(f'selection "{text}" is not understood: {reason}') from error
    if not len(found):
        raise TrajectoryError(f'selection "{text}" matches no atom; check names and types')
    return [int(i) for i in found]
