"""From files to a `Scene`: the only module that knows MDAnalysis."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.bond import guess_bonds
from solvation.analyze.frames import FrameSource
from solvation.analyze.recognition import Role, guess_elements
from solvation.analyze.topology import Scene, Site, scene_from_arrays
from solvation.errors import TrajectoryError

__all__ = ["Scene", "Site", "open_scene", "scene_from_arrays", "scene_from_universe"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def open_scene(
    topology: str | Path,
    trajectories: str | Path | Sequence[str | Path],
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
        elements; nothing else need be given.
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
    import MDAnalysis as mda

    with _reading(topology, "topology"):
        universe = mda.Universe(str(topology), to_guess=())
    paths = [trajectories] if isinstance(trajectories, (str, Path)) else list(trajectories)
    if not paths:
        raise TrajectoryError("no trajectory was given; give one with --trajectory")
    spare = _find_box(universe)
    sources = [
        _open_source(Path(path), len(universe.atoms), dt=dt, box=_full_box(box), spare=spare)
        for path in paths
    ]
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
    source = _ReaderSource(reader=reader, label=label, dt=dt, box=_full_box(box), spare=None)
    return _build_scene(
        universe, [source], {"cation": cation, "anion": anion}, dict(solvent or {}),
        charges=charges, temperature=temperature, name=Path(label).stem,
    )  # fmt: skip


# Frames -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReaderSource:
    """A trajectory behind an MDAnalysis reader."""

    reader: Any
    """The MDAnalysis reader."""
    label: str
    """File name."""
    dt: float | None
    """Time between frames in ps, over the file's."""
    box: Floats | None
    """Box over the file's, shape ``(6,)``."""
    spare: Floats | None
    """Box of the topology, for files without one."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.reader.n_frames)

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Read frames ``start`` to ``stop``."""
        count = stop - start
        positions = np.empty((count, int(self.reader.n_atoms), 3))
        boxes, times = np.zeros((count, 6)), np.empty(count)
        row = 0
        with _reading(self.label, "trajectory"):
            for row, step in enumerate(self.reader[start:stop], start=1):
                positions[row - 1] = step.positions
                box = self.spare if step.dimensions is None else step.dimensions
                boxes[row - 1] = 0.0 if box is None else box
                # Where a file has no times MDAnalysis would make them up.
                timed = "time" in step.data or "dt" in step.data
                times[row - 1] = step.time if timed else np.nan
        if row != count:
            raise TrajectoryError(
                f"{self.label} ends after frame {start + row} of {self.n_frames}; "
                "it is truncated: copy it again"
            )
        if self.box is not None:
            boxes[:] = self.box
        if self.dt is not None:
            times = self.dt * np.arange(start, stop, dtype=np.float64)
        return positions, boxes, times


def _open_source(
    path: Path, n_atoms: int, *, dt: float | None, box: Floats | None, spare: Floats | None
) -> FrameSource:
    """Open one trajectory and see that it is whole and belongs to the topology."""
    from MDAnalysis.coordinates.core import get_reader_for
    from MDAnalysis.coordinates.TRR import TRRReader
    from MDAnalysis.coordinates.XTC import XTCReader

    with _reading(path, "trajectory"):
        base = get_reader_for(str(path))
        # A subclass without a `format` of its own is not registered with MDAnalysis.
        changes: dict[str, Any] = {"__del__": _close_quietly}
        if base in (XTCReader, TRRReader):
            # MDAnalysis would leave an index and a lock beside the trajectory, which may lie in a
            # folder that is not ours.
            changes["_load_offsets"] = lambda self: self._read_offsets(store=False)
        reader = type(f"Quiet{base.__name__}", (base,), changes)(str(path), n_atoms=n_atoms)
        n_frames = int(reader.n_frames)
    if n_frames < 1:
        raise TrajectoryError(f"{path.name} has no frames; give a trajectory that has some")
    if int(reader.n_atoms) != n_atoms:
        raise TrajectoryError(
            f"{path.name} has {reader.n_atoms} atoms, the topology has {n_atoms}; "
            "give the topology that belongs to the trajectory"
        )
    with _reading(path, "trajectory"):
        reader[n_frames - 1]
        reader[0]
    file: Any = getattr(reader, "_file", None)
    if hasattr(file, "_firstframesize"):
        # DCD readers count whole frames only and pass over what is left of a broken one.
        body = path.stat().st_size - file._header_size - file._firstframesize
        if body < 0 or body % file._framesize:
            raise TrajectoryError(
                f"{path.name} breaks off inside frame {n_frames}; it is truncated: copy it again"
            )
    return _ReaderSource(reader=reader, label=path.name, dt=dt, box=box, spare=spare)


def _close_quietly(reader: Any) -> None:
    """Close a reader that may have failed before it had anything to close."""
    with suppress(Exception):
        reader.close()


@contextmanager
def _reading(path: str | Path, what: str) -> Iterator[None]:
    """Turn whatever a reader throws into one line, and keep its chatter to itself."""
    name = Path(path).name
    file = Path(path)
    if file.parent != Path() and not file.exists():
        raise TrajectoryError(f"{what} {path} does not exist; check the path")
    if file.exists() and file.stat().st_size == 0:
        raise TrajectoryError(f"{what} {name} is empty; give a file with contents")
    with warnings.catch_warnings():
        # Missing optional columns and announced changes of MDAnalysis: we check what we need.
        for category in (UserWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", category=category, module=r"MDAnalysis\b")
        try:
            yield
        except TrajectoryError:
            raise
        except MemoryError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise TrajectoryError(
                f"cannot read {what} {name}: {reason}; it may be truncated or of another format"
            ) from error


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
    try:
        bonds = np.asarray(universe.bonds.indices, dtype=np.int64)
    except (AttributeError, ValueError):
        return None
    return bonds.reshape(-1, 2) if len(bonds) else None


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
