"""Reader: trajectories behind MDAnalysis, the only module that knows it.

A `TrajectoryFile` opens its file when frames are first asked for, and again in every process that
it is sent to.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.errors import TrajectoryError

__all__ = ["TrajectoryFile", "UniverseFrames", "open_topology", "open_trajectory"]

Floats = npt.NDArray[np.float64]

_LONG = 79 * 99_999
"""Bytes below which a PDB file has five digits for every atom."""
_PRECISION: np.dtype[Any] = np.dtype("f4")
"""Of positions in files, and in MDAnalysis."""
_NM = np.float32(10.0)
"""Å in one nm, the unit of XTC files."""


def open_topology(path: str | Path) -> Any:
    """Open a topology as an MDAnalysis Universe in which nothing is guessed."""
    import MDAnalysis as mda

    file = Path(path)
    large = file.suffix.lower() == ".pdb" and file.is_file() and file.stat().st_size > _LONG
    with explain_failure(path, "topology"):
        if large:
            return mda.Universe(str(path), to_guess=(), topology_format=_make_parser())
        return mda.Universe(str(path), to_guess=())


@cache
def _make_parser() -> Any:
    """Make a parser of PDB files of any length: numbers beyond 99999 are text like others.

    MDAnalysis reads such numbers of atoms, but not of bonds.
    """
    from MDAnalysis.core.topologyattrs import Bonds
    from MDAnalysis.topology.PDBParser import PDBParser

    class LongPDBParser(PDBParser):  # type: ignore[misc]
        """Matches the atoms of a bond by the text of their numbers."""

        format = "LONGPDB"

        def _parsebonds(self, _: Any) -> Any:
            atoms: dict[str, int] = {}
            bonds: set[tuple[int, int]] = set()
            for line in Path(self.filename).read_text(encoding="utf-8").splitlines():
                if line.startswith(("ATOM", "HETATM")):
                    atoms[line[6:11]] = len(atoms)
                elif line.startswith("CONECT"):
                    first, *rest = (line[k : k + 5] for k in range(6, len(line.rstrip()), 5))
                    ends = ((atoms[first], atoms[other]) for other in rest)
                    bonds.update((min(pair), max(pair)) for pair in ends)
            return Bonds(tuple(sorted(bonds)))

    return LongPDBParser


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseFrames:
    """The trajectory of a Universe."""

    reader: Any
    """The MDAnalysis reader."""
    label: str
    """File name."""
    dt: float | None = None
    """Time between frames in ps, over the file's."""
    box: Floats | None = None
    """Box over the file's, shape ``(6,)``."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.reader.n_frames)

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Read frames ``start`` to ``stop``."""
        return _read(self.reader, self.label, start, stop, self.dt, self.box, None)


@dataclass(slots=True, kw_only=True)
class TrajectoryFile:
    """A trajectory in a file of any format that MDAnalysis reads."""

    path: Path
    """Absolute, so that other processes find it."""
    n_atoms: int
    """In every frame."""
    n_frames: int = 0
    """Number of frames; found when the file is opened."""
    dt: float | None = None
    """Time between frames in ps, over the file's."""
    box: Floats | None = None
    """Box over the file's, shape ``(6,)``."""
    spare: Floats | None = None
    """Box of the topology, for files without one."""
    offsets: npt.NDArray[np.int64] | None = None
    """Where the frames of an XTC or TRR file begin, so that it is searched once."""
    _reader: Any = field(default=None, repr=False)
    """The MDAnalysis reader, in this process."""

    @property
    def label(self) -> str:
        """File name."""
        return self.path.name

    def read(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Read frames ``start`` to ``stop``."""
        read = _read_xtc if isinstance(self.open(), _xtc_reader()) else _read
        return read(self.open(), self.label, start, stop, self.dt, self.box, self.spare)

    def open(self) -> Any:
        """Return the reader, opened if it is not yet."""
        if self._reader is None:
            with explain_failure(self.path, "trajectory"):
                self._reader = _make_reader(self.path, self.n_atoms, self.offsets)
        return self._reader

    def __getstate__(self) -> tuple[Any, ...]:
        # An open file does not travel, and two processes must not share one.
        return (self.path, self.n_atoms, self.n_frames, self.dt, self.box, self.spare,
                self.offsets)  # fmt: skip

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        (self.path, self.n_atoms, self.n_frames, self.dt, self.box, self.spare,
         self.offsets) = state  # fmt: skip
        self._reader = None


def open_trajectory(
    path: Path, n_atoms: int, *, dt: float | None, box: Floats | None, spare: Floats | None
) -> TrajectoryFile:
    """Open one trajectory and see that it is whole and belongs to the topology.

    A box has the shape ``(6,)``, lengths in Å and angles in degrees.

    Parameters
    ----------
    path
        File.
    n_atoms
        Of the topology.
    dt, box, spare
        See `TrajectoryFile`.

    Raises
    ------
    TrajectoryError
        If the file cannot be read, has no frame, or has another number of atoms.
    """
    found = TrajectoryFile(path=path.absolute(), n_atoms=n_atoms, dt=dt, box=box, spare=spare)
    with explain_failure(path, "trajectory"):
        reader = found.open()
        n_frames = int(reader.n_frames)
    if n_frames < 1:
        raise TrajectoryError(f"{path.name} has no frames; give a trajectory that has some")
    if int(reader.n_atoms) != n_atoms:
        raise TrajectoryError(
            f"{path.name} has {reader.n_atoms} atoms, the topology has {n_atoms}; "
            "give the topology that belongs to the trajectory"
        )
    with explain_failure(path, "trajectory"):
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
    found.n_frames = n_frames
    if hasattr(reader, "_xdr"):
        found.offsets = np.asarray(reader._xdr.offsets, dtype=np.int64)
    return found


def _make_reader(path: Path, n_atoms: int, offsets: npt.NDArray[np.int64] | None) -> Any:
    """Make the reader of a file, which leaves nothing beside it."""
    from MDAnalysis.coordinates.core import get_reader_for
    from MDAnalysis.coordinates.TRR import TRRReader
    from MDAnalysis.coordinates.XTC import XTCReader

    def load_offsets(reader: Any) -> None:
        # MDAnalysis would leave an index and a lock beside the trajectory, which may lie in a
        # folder that is not ours.
        if offsets is None:
            reader._read_offsets(store=False)
        else:
            reader._xdr.set_offsets(offsets)

    base = get_reader_for(str(path))
    # A subclass without a `format` of its own is not registered with MDAnalysis.
    changes: dict[str, Any] = {"__del__": _close_quietly}
    if base in (XTCReader, TRRReader):
        changes["_load_offsets"] = load_offsets
    return type(f"Quiet{base.__name__}", (base,), changes)(str(path), n_atoms=n_atoms)


def _read(
    reader: Any,
    label: str,
    start: int,
    stop: int,
    dt: float | None,
    given: Floats | None,
    spare: Floats | None,
) -> tuple[Floats, Floats, Floats]:
    """Read frames into arrays: positions, boxes, times."""
    count = stop - start
    positions = np.empty((count, int(reader.n_atoms), 3), dtype=_PRECISION)
    boxes, times = np.zeros((count, 6)), np.empty(count)
    row = 0
    with explain_failure(label, "trajectory"):
        for row, step in enumerate(reader[start:stop], start=1):
            positions[row - 1] = step.positions
            box = given if given is not None else step.dimensions
            box = spare if box is None else box
            boxes[row - 1] = 0.0 if box is None else box
            # Where a file has no times MDAnalysis would make them up.
            timed = "time" in step.data or "dt" in step.data
            times[row - 1] = step.time if timed else np.nan
    if row != count:
        raise TrajectoryError(
            f"{label} ends after frame {start + row} of {int(reader.n_frames)}; "
            "it is truncated: copy it again"
        )
    if dt is not None:
        times = dt * np.arange(start, stop, dtype=np.float64)
    return positions, boxes, times


@cache
def _xtc_reader() -> Any:
    from MDAnalysis.coordinates.XTC import XTCReader

    return XTCReader


def _read_xtc(
    reader: Any,
    label: str,
    start: int,
    stop: int,
    dt: float | None,
    given: Floats | None,
    spare: Floats | None,
) -> tuple[Floats, Floats, Floats]:
    """Do the same for XTC files, straight into the arrays.

    The reader would copy each frame twice, and go back to the first after every block.
    """
    from MDAnalysis.lib.mdamath import triclinic_box

    count = stop - start
    positions = np.empty((count, int(reader.n_atoms), 3), dtype=_PRECISION)
    boxes, times = np.zeros((count, 6)), np.empty(count)
    known: dict[bytes, Floats] = {}
    with explain_failure(label, "trajectory"):
        file = reader._xdr
        file.seek(start)
        for row in range(count):
            frame = file.read_direct_x(positions[row])
            times[row] = frame.time
            vectors = frame.box.tobytes()
            if vectors not in known:
                # The reader's arithmetic, in single precision.
                box = triclinic_box(*frame.box)
                box[:3] *= _NM
                known[vectors] = box
            boxes[row] = known[vectors]
    positions *= _NM
    empty = (boxes[:, :3] == 0.0).all(axis=1)
    if given is not None:
        boxes[:] = given
    elif spare is not None:
        boxes[empty] = spare
    if dt is not None:
        times = dt * np.arange(start, stop, dtype=np.float64)
    return positions, boxes, times


def _close_quietly(reader: Any) -> None:
    """Close a reader that may have failed before it had anything to close."""
    with suppress(Exception):
        reader.close()


@contextmanager
def explain_failure(path: str | Path, what: str) -> Iterator[None]:
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
