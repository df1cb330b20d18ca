"""Surroundings: g(r) of every cation and donor, and all contacts within reach, in one search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactRows
from solvation.analyze.driver import Part, Parts
from solvation.analyze.frames import Block
from solvation.analyze.rdf import R_MAX, WIDTH, PairCounts, check_width, count_bins, sum_exactly
from solvation.analyze.search import Search
from solvation.analyze.spool import Spool
from solvation.analyze.topology import Scene
from solvation.kernels.cell import box_volume
from solvation.kernels.pairs import bin_distances

__all__ = ["Surrounded", "Surroundings", "list_counts"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What `RDF` and `Contacts` would find, for all pairs at once and in one reading.

    Where cutoffs are not known before the reading, ``reach`` is made generous and the table is
    cut down afterwards with `solvation.analyze.contact.keep_contacts`.
    """

    reach: Mapping[tuple[str, str], float]
    """Å, by cation species and site, e.g. ``("Mg", "DME.O")``: contacts within it are listed."""
    shared: bool = True
    """Whether to look for shared solvent."""
    r_max: float = R_MAX
    """Largest distance of g(r) in Å; reduced where half the box is less."""
    width: float = WIDTH
    """Of one bin of g(r), in Å."""
    name: str = "surroundings"
    """Of the analyzer."""

    def start(self, scene: Scene) -> Surrounded:
        """Return an empty accumulator."""
        search = Search.prepare(scene, self.reach, shared=self.shared)
        bins = count_bins(scene, self.r_max, self.width)
        return Surrounded(
            search=search, width=self.width, contacts=ContactRows(),
            counts=np.zeros((len(self.reach), bins), dtype=np.int64),
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Surrounded:
    """Histograms of distances and rows of the contact table; adds."""

    search: Search | None
    """How neighbours are found; None in what comes back from another process."""
    width: float
    """Of one bin, in Å."""
    contacts: ContactRows
    """Rows within reach."""
    counts: Ints
    """Distances per pair and bin, shape ``(n_pairs, bins)``."""
    per_volume: Fraction = Fraction(0)
    """Sum over frames of 1/V in 1/Å3; exact."""
    n_frames: int = 0
    """Frames seen."""

    def add(self, block: Block) -> None:
        """Search a block once, for g(r) and for contacts."""
        assert self.search is not None
        pairs, bins = self.counts.shape
        r_max = self.width * bins
        check_width(block, r_max)
        furthest = max(r_max, float(self.search.reach.max(initial=0.0)))
        found = self.search.find(block.positions, block.matrix, furthest)
        pair = self.search.pair[found.first, found.second]
        inside = np.flatnonzero((pair >= 0) & (found.distance < r_max))
        place = bin_distances(found.distance[inside], r_max=r_max, bins=bins)
        flat = np.bincount(pair[inside] * bins + place, minlength=pairs * bins)
        self.counts = self.counts + flat.reshape(pairs, bins)
        self.contacts.append(block, *self.search.select(block.positions, block.matrix, found))
        self.per_volume += sum_exactly(1.0 / box_volume(block.matrix))
        self.n_frames += block.n_frames

    def spill(self, spool: Spool) -> None:
        """Move the rows to disk."""
        self.contacts.spill(spool)

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.width, self.contacts, self.counts, self.per_volume, self.n_frames

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.search = None
        self.width, self.contacts, self.counts, self.per_volume, self.n_frames = state

    def __add__(self, other: Surrounded) -> Surrounded:
        return replace(
            self,
            contacts=self.contacts + other.contacts,
            counts=self.counts + other.counts,
            per_volume=self.per_volume + other.per_volume,
            n_frames=self.n_frames + other.n_frames,
        )

    def result(self) -> ContactRows:
        """Return the rows; histograms come from `list_counts`."""
        return self.contacts


def list_counts(
    scene: Scene, parts: Parts[Surrounded], pairs: list[tuple[str, str]]
) -> dict[str, Parts[PairCounts]]:
    """Write the histograms of every part as those of `RDF`, by the name of the pair.

    Histograms have the shape ``(n_bins,)`` and count pairs.

    Parameters
    ----------
    scene
        That was analyzed.
    parts
        From `run_analyzers` with `Surroundings`.
    pairs
        Cation species and site, in the order of `Surroundings.reach`.
    """
    listed = {}
    for i, (cation, site) in enumerate(pairs):
        a = scene.find_centres(scene.find_species(cation))
        b = scene.find_site(site).atoms
        name = f"{cation}-{site}"
        own = tuple(
            Part(
                replica=part.replica, start=part.start, stop=part.stop,
                accumulator=PairCounts(
                    a=a, b=b, width=part.accumulator.width,
                    counts=part.accumulator.counts[i].astype(np.float64),
                    ideal=len(a) * len(b) * part.accumulator.per_volume,
                    n_frames=part.accumulator.n_frames,
                ),
            )
            for part in parts.parts
        )  # fmt: skip
        listed[name] = Parts(name=name, parts=own)
    return listed
