"""Dipole of the box, and the permittivity of a liquid without ions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene
from solvation.kernels.cell import box_volume
from solvation.kernels.dielectric import measure_permittivity
from solvation.kernels.timecorr import statistical_inefficiency
from solvation.kernels.uncertainty import largest_error, replica_error
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BoxDipole", "describe_permittivity", "spread_charges", "summarize_permittivity"]

_FEWEST_SAMPLES = 10.0
"""Independent samples of the squared dipole below which its mean is not converged."""

Floats = npt.NDArray[np.float64]


def spread_charges(scene: Scene, charges: Mapping[str, Sequence[float]]) -> Floats | None:
    """Give every atom its partial charge in e; None unless every species has one per atom.

    The charges have the shape ``(n_atoms,)``.

    Parameters
    ----------
    scene
        Species and their atoms.
    charges
        Partial charges of one molecule by species name, in the order of its atoms.
    """
    values = np.full(len(scene.elements), np.nan)
    for species in scene.species:
        row = charges.get(species.name, ())
        if len(row) != species.n_atoms:
            return None
        values[species.atoms] = np.asarray(row, dtype=np.float64)
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDipole:
    """Dipole of all molecules together, frame by frame."""

    charges: tuple[float, ...]
    """Partial charges in e, of every atom; molecules neutral."""
    name: str = "dipole"
    """Of the analyzer."""

    def start(self, scene: Scene) -> DipoleSeries:
        """Return an empty accumulator."""
        return DipoleSeries(charges=np.asarray(self.charges, dtype=np.float64))


@dataclass(slots=True, kw_only=True)
class DipoleSeries:
    """Dipoles in chunks; adds."""

    charges: Floats
    """e, of every atom."""
    chunks: tuple[tuple[int, int, Floats, Floats], ...] = field(default=())
    """Replica, first frame, dipoles (e Å, shape ``(n_frames, 3)``) and volumes (Å3)."""

    def add(self, block: Block) -> None:
        """Sum charge times position; molecules come whole, so no image matters."""
        dipoles = np.einsum("a,fax->fx", self.charges, block.positions)
        chunk = (block.replica, block.start, dipoles, box_volume(block.matrix))
        self.chunks = (*self.chunks, chunk)

    def __add__(self, other: DipoleSeries) -> DipoleSeries:
        return replace(self, chunks=self.chunks + other.chunks)

    def result(self) -> tuple[tuple[Floats, Floats], ...]:
        """Return dipoles (e Å) and volumes (Å3) of every replica, in order of time."""
        found = []
        for replica in sorted({chunk[0] for chunk in self.chunks}):
            own = sorted((c for c in self.chunks if c[0] == replica), key=lambda c: c[1])
            found.append((np.concatenate([c[2] for c in own]), np.concatenate([c[3] for c in own])))
        return tuple(found)


def describe_permittivity(
    series: Sequence[tuple[Floats, Floats]], *, temperature: float
) -> xr.Dataset | None:
    """Static relative permittivity with the larger of the errors within and between replicas.

    Dipoles have the shape ``(n_frames, 3)``, volumes ``(n_frames,)``.

    Parameters
    ----------
    series
        Dipoles (e Å) and volumes (Å3) of every replica, from `DipoleSeries`.
    temperature
        K.

    Returns
    -------
    Dataset
        ``permittivity`` and how many independent samples of the squared dipole it rests on;
        None with fewer than two frames in a replica.
    """
    import xarray as xr

    if any(len(dipoles) < 2 for dipoles, _ in series):
        return None
    parts = [
        measure_permittivity(dipoles, volume=float(volume.mean()), temperature=temperature)
        for dipoles, volume in series
    ]
    weights = np.array([len(dipoles) for dipoles, _ in series], dtype=np.float64)
    share = weights / weights.sum()
    values = np.array([value for value, _ in parts])
    within = float(np.sqrt(((share * np.array([error for _, error in parts])) ** 2).sum()))
    squares = [(dipoles**2).sum(axis=1) for dipoles, _ in series]
    samples = sum(len(square) / statistical_inefficiency(square) for square in squares)

    def attrs(unit: str, text: str) -> dict[str, str]:
        return {"units": unit, "long_name": text}

    return xr.Dataset(
        {
            "permittivity": (
                (), float(share @ values), attrs("1", "static relative permittivity"),
            ),
            "permittivity_stderr": (
                (), largest_error(within, replica_error(values, weights)),
                attrs("1", "standard error of the static relative permittivity"),
            ),
            "n_independent": (
                (), float(samples), attrs("1", "independent samples of the squared dipole"),
            ),
        },
        attrs={"boundary": "conducting; mean dipole zero; fixed charges, none of the electrons"},
    )  # fmt: skip


def summarize_permittivity(node: xr.Dataset) -> tuple[Quantity, ...]:
    """Write the permittivity for the summary, with a status."""
    one = {str(name): float(values) for name, values in node.data_vars.items()}
    few = one["n_independent"] < _FEWEST_SAMPLES
    error = one["permittivity_stderr"]
    note = f"{one['n_independent']:.1f} independent dipoles of the box, fewer than 10"
    return (
        Quantity(
            name="permittivity", value=one["permittivity"],
            stderr=error if np.isfinite(error) else None, unit="1",
            status="not_converged" if few else "ok", note=note if few else None,
        ),
    )  # fmt: skip
