"""Solvent-separated pairs by distance: counter-ions inside the second minimum of g(r).

The rule is an option beside that of the shared solvent molecule, because published numbers use
both. It replaces the rows ``shared`` of a contact table, so that everything after it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from solvation.analyze.contact import ContactTable, Ions, list_ions
from solvation.analyze.cutoff import SMOOTHING
from solvation.analyze.frames import Block
from solvation.analyze.rdf import PairCounts
from solvation.analyze.topology import Scene
from solvation.errors import TrajectoryError
from solvation.kernels.pairs import find_neighbours

__all__ = ["Separations", "find_second_minimum", "replace_shared"]

Ints = npt.NDArray[np.int64]


def find_second_minimum(counts: PairCounts, first: float) -> float:
    """Find the second minimum of g(r): the lowest point behind the second peak.

    Parameters
    ----------
    counts
        Histogram of the pair.
    first
        Å, the first minimum, from `solvation.analyze.cutoff.find_cutoff`.

    Returns
    -------
    Å.

    Raises
    ------
    TrajectoryError
        If g(r) has no second peak with a minimum behind it.
    """
    r, g, _ = counts.result()
    sigma = 2.0 * SMOOTHING / counts.width
    smooth = gaussian_filter1d(g, sigma, mode="nearest")
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = counts.expected * 2.0 * np.sqrt(np.pi) * sigma
        noise = np.sqrt(np.maximum(smooth, 1.0 / np.maximum(samples, 1e-9)) / samples)
    peak = low = int(np.searchsorted(r, first))
    rising = False
    for k in range(low, len(r)):
        if not rising:
            low = k if smooth[k] < smooth[low] else low
            rising = bool(smooth[k] > smooth[low] + 3.0 * noise[k])
            peak = k
        elif smooth[k] > smooth[peak]:
            peak = k
        elif smooth[k] < smooth[peak] - 3.0 * noise[peak]:
            break
    else:
        raise TrajectoryError(
            f"g(r) has no second minimum within {r[-1]:.1f} Å; separate pairs by shared solvent"
        )
    valley = peak
    for k in range(peak, len(r)):
        if smooth[k] < smooth[valley]:
            valley = k
        elif smooth[k] > smooth[valley] + 3.0 * noise[k]:
            break
    return float(r[valley])


@dataclass(frozen=True, slots=True, kw_only=True)
class Separations:
    """Cations and anions that are near each other, by distance between cation and donor."""

    radii: Mapping[tuple[str, str], float]
    """Å, by cation species and anion site, e.g. ``("Mg", "TFSI.O")``."""
    name: str = "separations"
    """Of the analyzer."""

    def start(self, scene: Scene) -> SeparationRows:
        """Return an empty accumulator."""
        return SeparationRows(scene=scene, ions=list_ions(scene), radii=dict(self.radii))


@dataclass(slots=True, kw_only=True)
class SeparationRows:
    """Near pairs found so far; adds."""

    scene: Scene
    """Where the frames come from."""
    ions: Ions
    """Its ions, numbered."""
    radii: dict[tuple[str, str], float]
    """Å."""
    chunks: tuple[tuple[int, Ints], ...] = field(default=())
    """Replica, and rows (frame, cation, anion), one pair per block."""

    def add(self, block: Block) -> None:
        """Find the near pairs of a block."""
        scene, ions = self.scene, self.ions
        number = np.full(scene.n_molecules, -1, dtype=np.int64)
        number[ions.anion_molecules] = np.arange(ions.n_anions)
        names = [s.name for s in scene.species]
        keys = [np.empty(0, dtype=np.int64)]
        for (cation, site), radius in self.radii.items():
            which = np.flatnonzero(ions.cation_species == names.index(cation))
            donors = scene.find_site(site).atoms
            found = find_neighbours(
                block.positions[:, ions.cation_atoms[which]], block.positions[:, donors],
                block.matrix, radius,
            )  # fmt: skip
            anion = number[scene.molecule[donors[found.second]]]
            frame = found.frame.astype(np.int64) + block.start
            keys.append((frame * ions.n_cations + which[found.first]) * ions.n_anions + anion)
        left, anion = np.divmod(np.unique(np.concatenate(keys)), max(ions.n_anions, 1))
        rows = np.stack([*np.divmod(left, max(ions.n_cations, 1)), anion], axis=1)
        self.chunks = (*self.chunks, (block.replica, rows))

    def __add__(self, other: SeparationRows) -> SeparationRows:
        return replace(self, chunks=self.chunks + other.chunks)

    def result(self) -> dict[int, Ints]:
        """Return rows (frame, cation, anion) by replica, sorted."""
        rows = {}
        for replica in sorted({r for r, _ in self.chunks}):
            joined = np.concatenate([chunk for r, chunk in self.chunks if r == replica])
            rows[replica] = joined[np.lexsort(joined.T[::-1])]
        return rows


def replace_shared(table: ContactTable, near: Ints) -> ContactTable:
    """Return the table with near pairs in place of pairs that share a solvent molecule."""
    shared = np.zeros(len(near), dtype=table.shared.dtype)
    for k, column in enumerate(("frame", "cation", "anion")):
        shared[column] = near[:, k]
    shared["solvent"] = -1
    return replace(table, shared=shared)
