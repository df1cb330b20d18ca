"""Paths of molecular centres of mass: unwrapped, in a stated frame of reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from solvation.analyze.frames import Block
from solvation.analyze.reference import ReferenceFrame, weigh_molecules
from solvation.analyze.spool import Spool, release
from solvation.analyze.topology import Scene
from solvation.analyze.unwrapping import survey_steps, unwrap_in_place
from solvation.kernels.cell import box_volume

__all__ = ["CentreTracks", "Centres", "Path", "find_path"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Centres of mass in consecutive frames of one replica, as they came."""

    replica: int
    """Which trajectory."""
    start: int
    """First frame."""
    times: Floats
    """ps, shape ``(n_frames,)``."""
    centres: Floats
    """Å, shape ``(n_frames, n_molecules, 3)``."""
    matrix: Floats
    """Box vectors in Å, shape ``(n_frames, 3, 3)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Continuous paths of the centres of mass of one replica."""

    replica: int
    """Which trajectory."""
    times: Floats
    """ps, shape ``(n_frames,)``."""
    positions: Floats
    """Å, shape ``(n_frames, n_molecules, 3)``, relative to the frame of reference."""
    volume: Floats
    """Å3, shape ``(n_frames,)``."""
    cell: Floats
    """Mean box vectors in Å, as rows, shape ``(3, 3)``."""
    timestep: float | None
    """ps between frames; None if they are not evenly spaced, or there is only one."""
    unwrapped: bool
    """Whether the input was wrapped and has been unwrapped."""
    problem: str | None
    """Why displacements cannot be trusted, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centres:
    """Centres of mass of all molecules, and the boxes."""

    follow: bool = True
    """Whether to follow molecules; if not, only boxes and times are kept."""
    frame: ReferenceFrame = "barycentric"
    """What positions are relative to, see `solvation.analyze.reference`."""
    name: str = "centres"
    """Of the analyzer."""

    def start(self, scene: Scene) -> CentreTracks:
        """Return an empty accumulator."""
        if not self.follow:
            return CentreTracks(average=csr_array((0, scene.n_atoms)), weight=np.empty(0))
        mass = np.bincount(scene.molecule, weights=scene.masses)
        atoms = np.arange(scene.n_atoms)
        average = csr_array(
            (scene.masses / mass[scene.molecule], (scene.molecule, atoms)),
            shape=(scene.n_molecules, scene.n_atoms),
        )
        return CentreTracks(average=average, weight=weigh_molecules(scene, self.frame))


@dataclass(slots=True, kw_only=True)
class CentreTracks:
    """Tracks in chunks; adds."""

    average: Any
    """Sparse weights of the atoms in the centres, shape ``(n_molecules, n_atoms)``; None in what
    comes back from another process."""
    weight: Floats
    """Of each molecule in the origin of the frame."""
    tracks: tuple[Track, ...] = field(default=())
    """What was seen."""

    def add(self, block: Block) -> None:
        """Average the positions of each molecule, weighted by mass."""
        track = Track(
            replica=block.replica, start=block.start, times=block.times,
            centres=self._average(block),
            matrix=block.matrix,
        )  # fmt: skip
        self.tracks = (*self.tracks, track)

    def _average(self, block: Block) -> Floats:
        centres = np.empty((block.n_frames, len(self.weight), 3))
        for frame, positions in zip(centres, block.positions, strict=True):
            if len(frame):
                frame[:] = self.average @ positions
        return centres

    def spill(self, spool: Spool) -> None:
        """Move what was seen to disk, as one track."""
        if self.tracks:
            first = self.tracks[0]
            whole = np.concatenate([t.centres for t in self.tracks])
            self.tracks = (
                replace(
                    first,
                    times=np.concatenate([t.times for t in self.tracks]),
                    centres=spool.store("centres", whole),
                    matrix=np.concatenate([t.matrix for t in self.tracks]),
                ),
            )

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.weight, self.tracks

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.average = None
        self.weight, self.tracks = state

    def __add__(self, other: CentreTracks) -> CentreTracks:
        return replace(self, tracks=self.tracks + other.tracks)

    def result(self) -> tuple[Path, ...]:
        """Return the paths of every replica."""
        paths = []
        for replica in sorted({t.replica for t in self.tracks}):
            own = sorted((t for t in self.tracks if t.replica == replica), key=lambda t: t.start)
            times = np.concatenate([t.times for t in own])
            matrix = np.concatenate([t.matrix for t in own])
            # One copy, filled piece by piece: with those on disk it is all the memory there is.
            centres = np.empty((len(times), len(self.weight), 3))
            first = 0
            for track in own:
                centres[first : first + len(track.centres)] = track.centres
                first += len(track.centres)
                release(track.centres)
            paths.append(find_path(replica, times, centres, matrix, self.weight))
        return tuple(paths)


def find_path(replica: int, times: Floats, centres: Floats, matrix: Floats, weight: Floats) -> Path:
    """Unwrap centres that are wrapped, and remove the motion of the frame of reference.

    Parameters
    ----------
    replica
        Which trajectory.
    times
        ps, shape ``(n_frames,)``.
    centres
        Å, shape ``(n_frames, n_molecules, 3)``; overwritten.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    weight
        Of each molecule in the mean position that is the origin, such as its mass.

    Notes
    -----
    Centres among which none jumps half a box between frames are left alone, and so are those that
    spread over several cells and make long steps of every length: they were not wrapped, only
    saved seldom. The others are unwrapped, which is right as long as no molecule moves half a box
    between frames. If one comes near that, or more than 0.01 wrong images are to be expected,
    `Path.problem` says so.
    """
    timestep, problem = _find_timestep(times)
    unwrapped = False
    if centres.shape[1] and len(centres) > 1:
        steps = survey_steps(centres, matrix)
        unwrapped = steps.wrapped
        if unwrapped and not steps.clear:
            problem = (
                "frames are too far apart to unwrap this trajectory: a molecule moves "
                f"{steps.longest:.2f} of the box between two of them; save frames more often, or "
                "unwrapped coordinates"
            )
        elif unwrapped:
            unwrap_in_place(centres, matrix)
    if centres.shape[1]:
        share = weight / weight.sum()
        for frame in centres:
            frame -= share @ frame
    return Path(
        replica=replica, times=times, positions=centres, volume=box_volume(matrix),
        cell=matrix.mean(axis=0), timestep=timestep, unwrapped=unwrapped, problem=problem,
    )  # fmt: skip


def _find_timestep(times: Floats) -> tuple[float | None, str | None]:
    """Return the time between frames in ps, or why there is none."""
    if len(times) < 2:
        return None, "a single frame has no dynamics"
    mean = float((times[-1] - times[0]) / (len(times) - 1))
    # Files keep times in single precision: a late 0.1 ps step comes out as 0.094 or 0.102.
    slack = 0.02 * mean + 2.5e-7 * float(np.abs(times).max())
    if not np.isfinite(mean):
        return None, "the trajectory has no times; give --dt"
    if mean > 0.0 and np.all(np.abs(np.diff(times) - mean) <= slack):
        return mean, None
    return None, "frames are not evenly spaced in time; give --dt if they are"
