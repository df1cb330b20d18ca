"""Recordings of a run, as the analyzers want them: currents and dipoles by species, replicas equal.

What the numbers are is said where they are written, `solvation.simulate.recorder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.errors import WorkspaceError
from solvation.record import CURRENTS, STRESS, Record, read_record

if TYPE_CHECKING:
    from solvation.analyze.topology import Scene

__all__ = ["Currents", "Stresses", "load_currents", "load_stresses", "name_species"]

Floats = npt.NDArray[np.float64]

_AXES = ("xx", "yy", "zz", "xy", "xz", "yz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Currents:
    """Currents and dipoles of all replicas, cut to the shortest."""

    species: tuple[str, ...]
    """Names."""
    number: Floats
    """Molecules of each, shape ``(n_species,)``."""
    charge: Floats
    """Of one molecule in the force field, e, shape ``(n_species,)``."""
    mass: Floats
    """Of one molecule, u, shape ``(n_species,)``."""
    spacing: float
    """ps between rows."""
    volume: float
    """Å3, mean over replicas."""
    velocity: Floats
    """Summed velocities, mean over the spacing before the row, in the frame of the centre of mass
    of the box, Å/ps; shape ``(n_replicas, n_rows, n_species, 3)``."""
    dipole: Floats
    """Summed dipoles of molecules about their centres of mass, e Å, same shape."""

    @property
    def span(self) -> float:
        """Length of one replica, ps."""
        return self.spacing * float(self.velocity.shape[1])

    def charge_current(self, charge: npt.ArrayLike) -> Floats:
        """Sum velocities times charges (e), shape ``(3 n_replicas, n_rows)``, e Å/ps."""
        flow = np.einsum("s,rtsk->rkt", np.asarray(charge, dtype=np.float64), self.velocity)
        rows: Floats = flow.reshape(-1, flow.shape[-1])
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Stresses:
    """Pressure tensors of all replicas, cut to the shortest."""

    spacing: float
    """ps between rows."""
    volume: float
    """Å3, mean over replicas."""
    tensor: Floats
    """bar, shape ``(n_replicas, n_rows, 6)``: xx, yy, zz, xy, xz, yz."""


def load_currents(
    folders: Sequence[Path], *, names: dict[int, str] | None = None
) -> Currents | None:
    """Read the currents of all replicas; None unless every one has some.

    Parameters
    ----------
    folders
        Of the replicas.
    names
        What the species of each atom is called, for species whose first atom is listed; others
        keep the name of their residue.

    Raises
    ------
    WorkspaceError
        If a file is damaged, or replicas do not belong together.
    """
    records = _read(folders, CURRENTS)
    if records is None:
        return None
    about = records[0].about["species"]
    labels = list(about)
    if any(list(r.about["species"]) != labels for r in records):
        raise WorkspaceError(f"{folders[0]} and its siblings recorded different species")
    number, charge, mass = (
        np.array([about[label][key] for label in labels], dtype=np.float64)
        for key in ("number", "charge", "mass")
    )
    n_rows = min(len(r.values) for r in records)

    def stack(kind: str) -> Floats:
        return np.stack(
            [
                np.stack([r.select(f"{kind}.{label}")[:n_rows] for label in labels], axis=1)
                for r in records
            ]
        )

    velocity = stack("velocity")
    # A Langevin bath pushes the box as a whole; that motion carries no current of ions.
    drift = np.einsum("s,rtsk->rtk", mass, velocity) / (mass @ number)
    velocity -= drift[:, :, None, :] * number[None, None, :, None]
    known = names or {}
    return Currents(
        species=tuple(known.get(int(about[x]["first"]), x) for x in labels),
        number=number, charge=charge, mass=mass, spacing=records[0].spacing,
        volume=float(np.mean([r.about["volume"] for r in records])),
        velocity=velocity, dipole=stack("dipole"),
    )  # fmt: skip


def load_stresses(folders: Sequence[Path]) -> Stresses | None:
    """Read the pressure tensors of all replicas; None unless every one has some."""
    records = _read(folders, STRESS)
    if records is None:
        return None
    n_rows = min(len(r.values) for r in records)
    return Stresses(
        spacing=records[0].spacing,
        volume=float(np.mean([r.about["volume"] for r in records])),
        tensor=np.stack([r.values[:n_rows].astype(np.float64) for r in records]),
    )


def name_species(scene: Scene) -> dict[int, str]:
    """What the species of every atom is called in a scene."""
    return {int(atom): s.name for s in scene.species for atom in s.atoms.ravel()}


def _read(folders: Sequence[Path], name: str) -> list[Record] | None:
    """Read one file of every replica; None unless all have rows."""
    paths = [folder / name for folder in folders]
    if not paths or not all(path.exists() for path in paths):
        return None
    records = [read_record(path) for path in paths]
    if any(abs(r.spacing - records[0].spacing) > 1e-9 for r in records):
        raise WorkspaceError(f"{paths[0].parent} and its siblings recorded at different spacings")
    return records if all(len(r.values) for r in records) else None
