"""Solvent-separated pairs by distance: counter-ions inside the second minimum of g(r).

The rule is an option beside that of the shared solvent molecule, because published numbers use
both. Its pairs take the place of the rows ``shared`` of a contact table, so that everything after
it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from solvation.analyze.contact import ContactRows, ContactTable
from solvation.analyze.cutoff import SMOOTHING, Cutoff
from solvation.analyze.frames import Block
from solvation.analyze.ion import Ions, list_ions
from solvation.analyze.rdf import PairCounts, check_width
from solvation.analyze.search import CONTACT, SHARED
from solvation.analyze.spool import Spool
from solvation.analyze.topology import Scene
from solvation.errors import RecipeError, TrajectoryError
from solvation.kernels.order import sort_unique
from solvation.kernels.pairs import find_neighbours

__all__ = [
    "Separations",
    "SsipRule",
    "check_rule",
    "find_second_minimum",
    "find_separations",
    "replace_shared",
]

Ints = npt.NDArray[np.int64]
SsipRule = Literal["shared-solvent", "second-minimum"]
"""What makes a solvent-separated pair of two ions that do not touch."""


def check_rule(rule: str) -> SsipRule:
    """Return the rule of that name.

    Raises
    ------
    RecipeError
        If there is none.
    """
    for known in get_args(SsipRule):
        if rule == known:
            return known  # type: ignore[no-any-return]
    known = " or ".join(get_args(SsipRule))
    raise RecipeError(f'SSIP rule "{rule}" is not known; give {known}')


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


def find_separations(
    scene: Scene,
    counts: Mapping[tuple[str, str], PairCounts],
    cutoffs: Mapping[tuple[str, str], Cutoff],
) -> dict[tuple[str, str], float]:
    """Find the radius within which a counter-ion is near, for every cation and anion species.

    The donor element that says it is the one that binds the cation most; where none does, the one
    whose second minimum is nearest.

    Parameters
    ----------
    scene
        Species and sites.
    counts
        Pair counts by cation and site.
    cutoffs
        First shells of the same.

    Returns
    -------
    Å, by cation and site, one site per anion species.

    Raises
    ------
    TrajectoryError
        If g(r) of no element of an anion has a second minimum.
    """
    radii = {}
    for cation in scene.list_role("cation"):
        for anion in scene.list_role("anion"):
            found, reason = [], ""
            for site in (s for s in scene.sites if s.species == anion.name):
                pair = cation.name, site.name
                shell = cutoffs[pair].value
                try:
                    second = find_second_minimum(counts[pair], shell)
                except TrajectoryError as error:
                    reason = str(error)
                    continue
                r, _, running = counts[pair].result()
                bound = float(running[np.searchsorted(r, shell) - 1])
                found.append((-bound, second, pair))
            if found:
                _, second, pair = min(found)
                radii[pair] = second
            elif reason:
                raise TrajectoryError(f"{cation.name}-{anion.name}: {reason}")
    return radii


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
    """Near pairs found so far, as rows of shared solvent molecules without number; adds."""

    scene: Scene | None
    """Where the frames come from; None in what comes back from another process."""
    ions: Ions | None
    """Its ions, numbered."""
    radii: dict[tuple[str, str], float]
    """Å."""
    rows: ContactRows = field(default_factory=ContactRows)
    """The pairs, in place of shared solvent molecules; no contacts."""

    def add(self, block: Block) -> None:
        """Find the near pairs of a block."""
        scene, ions = self.scene, self.ions
        assert scene is not None
        assert ions is not None
        check_width(block, max(self.radii.values(), default=0.0))
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
            keys.append((found.frame * ions.n_cations + which[found.first]) * ions.n_anions + anion)
        left, anion = np.divmod(sort_unique(np.concatenate(keys)), max(ions.n_anions, 1))
        rows = np.empty(len(left), SHARED)
        rows["frame"], rows["cation"] = np.divmod(left, max(ions.n_cations, 1))
        rows["anion"], rows["solvent"] = anion, -1
        self.rows.append(block, np.empty(0, CONTACT), rows)

    def spill(self, spool: Spool) -> None:
        """Move the rows to disk."""
        self.rows.spill(spool)

    def __getstate__(self) -> tuple[Any, ...]:
        # The scene is known where this goes.
        return self.radii, self.rows

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.scene, self.ions = None, None
        self.radii, self.rows = state

    def __add__(self, other: SeparationRows) -> SeparationRows:
        return replace(self, rows=self.rows + other.rows)

    def result(self) -> tuple[ContactTable, ...]:
        """Return one table per replica, whose ``shared`` are the pairs."""
        return self.rows.result()


def replace_shared(table: ContactTable, near: ContactTable) -> ContactTable:
    """Return the table with near pairs in place of pairs that share a solvent molecule."""
    return replace(table, shared=near.shared)
