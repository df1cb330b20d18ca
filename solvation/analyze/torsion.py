"""Torsions: how the units of open-chain ethers are turned, in snapshots.

Angles are worked out while frames are read, so that the atoms of the solvent need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.frames import Block
from solvation.analyze.snapshot import choose_frames, space_frames
from solvation.analyze.topology import Scene

__all__ = ["BINS", "Torsions", "Turns", "Units", "find_units", "measure_torsions"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 36
"""Of the distribution of angles, from -180 degrees on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The C–O–C–C–O–C units of one species."""

    species: str
    """E.g. ``"DME"``."""
    atoms: Ints
    """C, O, C, C, O, C of each unit, shape ``(n_units, 6)``."""


def find_units(scene: Scene) -> tuple[Units, ...]:
    """Find the units of all open-chain solvents; rings are left out."""
    neighbours: list[list[int]] = [[] for _ in range(scene.n_atoms)]
    solvents = [s for s in scene.list_role("solvent") if {"C", "O"} <= _elements(scene, s.atoms)]
    if not solvents:
        return ()
    for i, j in scene.bonds.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    element = scene.elements.tolist()
    owner = scene.molecule[scene.bonds[:, 0]] if len(scene.bonds) else np.empty(0, np.int64)
    n_bonds = np.bincount(owner, minlength=scene.n_molecules)
    found = []
    for species in solvents:
        if int(n_bonds[species.molecules[0]]) != species.n_atoms - 1:
            continue  # a ring
        units = []
        for atom in species.atoms.ravel().tolist():
            if element[atom] != "C" or len(neighbours[atom]) != 4:
                continue
            for other in neighbours[atom]:
                if other > atom and element[other] == "C" and len(neighbours[other]) == 4:
                    units += _extend(neighbours, element, atom, other)
        if units:
            found.append(Units(species=species.name, atoms=np.array(units, dtype=np.int64)))
    return tuple(found)


def _elements(scene: Scene, atoms: Ints) -> set[str]:
    return set(np.unique(scene.elements[atoms[0]]).tolist())


def _extend(
    neighbours: Sequence[Sequence[int]], element: Sequence[str], a: int, b: int
) -> list[tuple[int, ...]]:
    """List the units around one C–C bond."""

    def arms(carbon: int, other: int) -> list[tuple[int, int]]:
        return [
            (end, oxygen)
            for oxygen in neighbours[carbon]
            if oxygen != other and element[oxygen] == "O"
            for end in neighbours[oxygen]
            if end != carbon and element[end] == "C"
        ]

    return [
        (x, o, a, b, p, y) for x, o in arms(a, b) for y, p in arms(b, a)
    ]  # fmt: skip


def measure_torsions(chain: Floats) -> Floats:
    """Return torsion angles in degrees, -180 to 180, along chains of points.

    Parameters
    ----------
    chain
        Points in a row, shape ``(..., n, 3)``.

    Returns
    -------
    Shape ``(..., n - 3)``.

    Examples
    --------
    >>> points = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]])
    >>> measure_torsions(points).round(9).tolist()
    [90.0]
    """
    # Axes first: numpy is slow along three.
    x, y, z = np.moveaxis(np.diff(chain, axis=-2), -1, 0)
    normal = (
        y[..., :-1] * z[..., 1:] - z[..., :-1] * y[..., 1:],
        z[..., :-1] * x[..., 1:] - x[..., :-1] * z[..., 1:],
        x[..., :-1] * y[..., 1:] - y[..., :-1] * x[..., 1:],
    )
    sine, cosine, length = (np.zeros(x[..., 2:].shape) for _ in range(3))
    for bond, n in zip((x, y, z), normal, strict=True):
        sine += bond[..., :-2] * n[..., 1:]
        cosine += n[..., :-1] * n[..., 1:]
        length += bond[..., 1:-1] ** 2
    sine *= np.sqrt(length)
    # IUPAC sign: looking along the axis, clockwise from the front bond is positive.
    angles: Floats = np.degrees(np.arctan2(sine, cosine))
    return angles


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """How the units of one species are turned in the snapshots of one replica."""

    species: str
    """E.g. ``"DME"``."""
    codes: npt.NDArray[np.int8]
    """Three digits to the base 3, one per torsion: 0 for gauche minus, 1 for trans, 2 for gauche
    plus; shape ``(n_snapshots, n_units)``."""
    angles: Ints
    """Torsions C–O–C–C and O–C–C–O per bin, shape ``(2, BINS)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Torsions:
    """Find how units are turned, in the frames that `Snapshots` keeps."""

    units: tuple[Units, ...]
    """From `find_units`."""
    name: str = "torsions"
    """Of the analyzer."""

    def start(self, scene: Scene) -> TorsionFrames:
        """Return an empty accumulator."""
        return TorsionFrames(units=self.units, strides=space_frames(scene))


@dataclass(slots=True, kw_only=True)
class TorsionFrames:
    """What was found so far; adds."""

    units: tuple[Units, ...]
    """Where to look; empty in what comes back from another process."""
    strides: tuple[int, ...]
    """Every how many frames one is looked at, by replica."""
    seen: tuple[tuple[int, int, tuple[Turns, ...]], ...] = field(default=())
    """Replica, first frame, and the turns of every species; one per block."""

    def add(self, block: Block) -> None:
        """Look at the frames of a block whose turn it is."""
        chosen = choose_frames(block, self.strides)
        if len(chosen) and self.units:
            turns = tuple(_turn(unit, block.positions[chosen]) for unit in self.units)
            self.seen = (*self.seen, (block.replica, block.start, turns))

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.strides, self.seen

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.units = ()
        self.strides, self.seen = state

    def __add__(self, other: TorsionFrames) -> TorsionFrames:
        return replace(self, seen=self.seen + other.seen)

    def result(self) -> tuple[tuple[Turns, ...], ...]:
        """Return the turns of every species, by replica; nothing where there are no units."""
        found = []
        for replica in sorted({r for r, _, _ in self.seen}):
            own = sorted((s for s in self.seen if s[0] == replica), key=lambda s: s[1])
            found.append(tuple(_join(turns) for turns in zip(*(s[2] for s in own), strict=True)))
        return tuple(found)


def _turn(unit: Units, positions: npt.NDArray[np.floating[Any]]) -> Turns:
    """Find the turns of some frames, shape ``(n_frames, n_atoms, 3)``."""
    angles = measure_torsions(positions[:, unit.atoms].astype(np.float64))
    bins = np.minimum(((angles + 180.0) * (BINS / 360.0)).astype(np.int64), BINS - 1)
    digits = np.where(np.abs(angles) > 120.0, 1, np.where(angles > 0.0, 2, 0))
    counts = [np.bincount(b.ravel(), minlength=BINS) for b in (bins[..., [0, 2]], bins[..., 1])]
    return Turns(
        species=unit.species, codes=(digits @ np.array([9, 3, 1])).astype(np.int8),
        angles=np.stack(counts).astype(np.int64),
    )  # fmt: skip


def _join(turns: Sequence[Turns]) -> Turns:
    return Turns(
        species=turns[0].species,
        codes=np.concatenate([t.codes for t in turns]),
        angles=np.asarray(sum(t.angles for t in turns), dtype=np.int64),
    )
