"""Paths of molecular centres of mass: unwrapped, without drift of the system."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.sparse import csr_array

from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene
from solvation.kernels.cell import box_volume, minimum_image, unwrap_centres

__all__ = ["Centres", "Path", "find_path"]

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
    """Å, shape ``(n_frames, n_molecules, 3)``, relative to the centre of mass of the system."""
    volume: Floats
    """Å3, shape ``(n_frames,)``."""
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
    name: str = "centres"
    """Of the analyzer."""

    def start(self, scene: Scene) -> CentreTracks:
        """Return an empty accumulator."""
        if not self.follow:
            return CentreTracks(average=csr_array((0, scene.n_atoms)), mass=np.empty(0))
        mass = np.bincount(scene.molecule, weights=scene.masses)
        atoms = np.arange(scene.n_atoms)
        average = csr_array(
            (scene.masses / mass[scene.molecule], (scene.molecule, atoms)),
            shape=(scene.n_molecules, scene.n_atoms),
        )
        return CentreTracks(average=average, mass=np.asarray(mass, dtype=np.float64))


@dataclass(slots=True, kw_only=True)
class CentreTracks:
    """Tracks in chunks; adds."""

    average: Any
    """Sparse weights of the atoms in the centres, shape ``(n_molecules, n_atoms)``; None in what
    comes back from another process."""
    mass: Floats
    """u, of each molecule."""
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
        if not len(self.mass):
            return np.empty((block.n_frames, 0, 3))
        return np.stack([self.average @ frame for frame in block.positions])

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.mass, self.tracks

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.average = None
        self.mass, self.tracks = state

    def __add__(self, other: CentreTracks) -> CentreTracks:
        return replace(self, tracks=self.tracks + other.tracks)

    def result(self) -> tuple[Path, ...]:
        """Return the paths of every replica."""
        paths = []
        for replica in sorted({t.replica for t in self.tracks}):
            own = sorted((t for t in self.tracks if t.replica == replica), key=lambda t: t.start)
            times = np.concatenate([t.times for t in own])
            centres = np.concatenate([t.centres for t in own])
            matrix = np.concatenate([t.matrix for t in own])
            paths.append(find_path(replica, times, centres, matrix, self.mass))
        return tuple(paths)


def find_path(replica: int, times: Floats, centres: Floats, matrix: Floats, mass: Floats) -> Path:
    """Unwrap centres that are wrapped, and remove the drift of the centre of mass of all.

    Parameters
    ----------
    replica
        Which trajectory.
    times
        ps, shape ``(n_frames,)``.
    centres
        Å, shape ``(n_frames, n_molecules, 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    mass
        u, of each molecule.

    Notes
    -----
    Centres that spread over more than one cell (and a molecule's size) have not been wrapped and
    are left alone. Otherwise each step is taken to the nearest image, which is right as long as
    no molecule moves half a box between frames: from the median step the number of molecules
    that did is estimated, and if 0.01 or more are expected, `Path.problem` says so.
    """
    if not centres.shape[1]:
        return Path(replica=replica, times=times, positions=centres, volume=box_volume(matrix),
                    timestep=None, unwrapped=False, problem=None)  # fmt: skip
    fractions = np.matmul(centres, np.linalg.inv(matrix))
    spread = float(np.ptp(fractions.reshape(-1, 3), axis=0).max(initial=0.0))
    wrapped = spread <= 1.25
    problem = None
    path = centres
    if wrapped and len(centres) > 1:
        path = unwrap_centres(centres, matrix)
        step = minimum_image(np.diff(centres, axis=0), matrix[1:])
        share = np.abs(np.matmul(step, np.linalg.inv(matrix[1:])))
        # Per molecule, because a few fast ions among many molecules would not move the median.
        sigma = float(np.median(share, axis=(0, 2)).max() / 0.6745)
        wrong = share.size * 2.0 * float(stats.norm.sf(0.5 / max(sigma, 1e-9)))
        if wrong > 0.01:
            problem = (
                "frames are too far apart to unwrap this trajectory: molecules may move half a box "
                "between them; save unwrapped coordinates"
            )
    drift = (path * mass[None, :, None]).sum(axis=1, keepdims=True) / mass.sum()
    timestep = None
    if len(times) > 1:
        steps = np.diff(times)
        mean = float((times[-1] - times[0]) / (len(times) - 1))
        # Files keep times in single precision: a late 0.1 ps step comes out as 0.094 or 0.102.
        slack = 0.02 * mean + 2.5e-7 * float(np.abs(times).max())
        if mean > 0.0 and np.all(np.abs(steps - mean) <= slack):
            timestep = mean
        elif not np.isfinite(mean):
            problem = problem or "the trajectory has no times; give --dt"
        else:
            problem = problem or "frames are not evenly spaced in time; give --dt if they are"
    else:
        problem = "a single frame has no dynamics"
    return Path(
        replica=replica, times=times, positions=path - drift, volume=box_volume(matrix),
        timestep=timestep, unwrapped=wrapped, problem=problem,
    )  # fmt: skip
