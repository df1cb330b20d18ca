"""Radial distribution functions, running coordination numbers, and the first shell they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.driver import Parts
from solvation.analyze.frames import Block
from solvation.analyze.topology import Scene
from solvation.errors import TrajectoryError
from solvation.kernels.cell import box_matrix, box_volume, perpendicular_widths
from solvation.kernels.pairs import count_distances, largest_cutoff
from solvation.kernels.uncertainty import block_error, jackknife_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "RDF",
    "R_MAX",
    "WIDTH",
    "PairCounts",
    "check_width",
    "collect_rdfs",
    "count_bins",
    "find_first_peak",
    "peak_error",
    "sum_exactly",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

R_MAX = 10.0
"""Å to which g(r) is counted where the box allows."""
WIDTH = 0.025
"""Of one bin of g(r), in Å."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RDF:
    r"""Radial distribution function of ``b`` around ``a``.

    .. math:: g(r) = \frac{\langle n_{ab}(r, r + \delta) \rangle}
                          {N_a N_b \langle 1/V \rangle \, v(r, r + \delta)}

    with :math:`v` the volume of the spherical bin, and the running coordination number
    :math:`n(r)`, the mean number of ``b`` within :math:`r` of an ``a``.
    """

    a: str
    """At the origin: a species, whose central atom is meant, or a site such as ``"DME.O"``."""
    b: str
    """Counted around it: a species, a site, or ``"<species>:<element>"``."""
    r_max: float = R_MAX
    """Largest distance in Å; reduced where half the box is less."""
    width: float = WIDTH
    """Of one bin, in Å."""

    @property
    def name(self) -> str:
        """E.g. ``"Mg-DME.O"``."""
        return f"{self.a}-{self.b}"

    def start(self, scene: Scene) -> PairCounts:
        """Return an empty accumulator."""
        return PairCounts(
            a=_select(scene, self.a), b=_select(scene, self.b), width=self.width,
            counts=np.zeros(count_bins(scene, self.r_max, self.width)),
        )  # fmt: skip


def count_bins(scene: Scene, r_max: float, width: float) -> int:
    """Return how many bins fit into ``r_max`` and half the box of all replicas' first frames."""
    largest = r_max
    for source in scene.sources:
        _, boxes, _ = source.read(0, 1)
        if np.all(boxes[:, :3] > 0.0):
            # Boxes breathe; 5 % less than the first frame allows covers NPT at equilibrium.
            largest = min(largest, 0.95 * largest_cutoff(box_matrix(boxes)))
    return int(largest / width + 1e-9)


def check_width(block: Block, r_max: float) -> None:
    """See that half the box is more than ``r_max`` in every frame.

    Raises
    ------
    TrajectoryError
        If the box has shrunk below what the first frame promised.
    """
    small = np.flatnonzero(perpendicular_widths(block.matrix).min(axis=-1) < 2.0 * r_max)
    if len(small):
        raise TrajectoryError(
            f"the box of replica {block.replica} has shrunk by more than 5 % in frame "
            f"{block.start + int(small[0])}; analyze the equilibrated part only"
        )


def sum_exactly(values: Floats) -> Fraction:
    """Return the sum without rounding, so that it does not depend on how frames are split.

    Shape ``(n,)``, any unit.
    """
    # At constant volume all values are the same.
    return sum((n * Fraction(v) for v, n in Counter(values.tolist()).items()), Fraction(0))


def _select(scene: Scene, name: str) -> Ints:
    if "." in name:
        return scene.find_site(name).atoms
    species, _, element = name.partition(":")
    found = scene.find_species(species)
    if not element:
        return scene.find_centres(found)
    atoms = found.atoms.ravel()
    chosen: Ints = atoms[scene.elements[atoms] == element]
    return chosen


@dataclass(slots=True, kw_only=True)
class PairCounts:
    """Histogram of distances; adds."""

    a: Ints
    """Atoms at the origin."""
    b: Ints
    """Atoms counted."""
    width: float
    """Of one bin, in Å."""
    counts: Floats
    """Pairs per bin, summed over frames, shape ``(bins,)``."""
    ideal: Fraction | float = Fraction(0)
    """Sum over frames of the pair density, N_a N_b / V in 1/Å3; exact."""
    n_frames: int = 0
    """Frames seen."""

    def add(self, block: Block) -> None:
        """Count the pairs of a block."""
        r_max = self.width * len(self.counts)
        check_width(block, r_max)
        self.counts = self.counts + count_distances(
            block.positions[:, self.a], block.positions[:, self.b], block.matrix,
            r_max=r_max, bins=len(self.counts), same=self._same,
        )  # fmt: skip
        per_volume = sum_exactly(1.0 / box_volume(block.matrix))
        self.ideal += len(self.a) * (len(self.b) - self._same) * per_volume
        self.n_frames += block.n_frames

    @property
    def _same(self) -> bool:
        return len(self.a) == len(self.b) and bool((self.a == self.b).all())

    def __add__(self, other: PairCounts) -> PairCounts:
        return replace(
            self,
            counts=self.counts + other.counts,
            ideal=self.ideal + other.ideal,
            n_frames=self.n_frames + other.n_frames,
        )

    @property
    def r(self) -> Floats:
        """Middles of the bins in Å."""
        return (np.arange(len(self.counts), dtype=np.float64) + 0.5) * self.width

    @property
    def expected(self) -> Floats:
        """Counts that points without structure would give, shape ``(bins,)``."""
        edges = np.arange(len(self.counts) + 1) * self.width
        shells: Floats = 4.0 / 3.0 * np.pi * np.diff(edges**3)
        return shells * float(self.ideal)

    def result(self) -> tuple[Floats, Floats, Floats]:
        """Return r (Å), g, and the running coordination number at the outer bin edges."""
        with np.errstate(invalid="ignore", divide="ignore"):
            g = np.where(self.expected > 0.0, self.counts / self.expected, 0.0)
        running = np.cumsum(self.counts) / max(len(self.a) * self.n_frames, 1)
        return self.r, np.asarray(g, dtype=np.float64), np.asarray(running, dtype=np.float64)


def find_first_peak(counts: PairCounts, near: float) -> float:
    """Locate the maximum of g(r) next to ``near`` by a parabola through its top, in Å.

    The parabola is a least-squares fit to the bins within 0.1 Å of the highest one, which uses
    the counts of all of them instead of the luck of one.
    """
    r, g, _ = counts.result()
    close = np.flatnonzero(np.abs(r - near) <= 0.25)
    if not len(close) or not g[close].any():
        return float("nan")
    top = close[np.argmax(np.convolve(g, np.ones(3) / 3.0, mode="same")[close])]
    fit = np.flatnonzero(np.abs(r - r[top]) <= max(0.06, 1.5 * counts.width))
    if len(fit) < 3:
        return float(r[top])
    curvature, slope, _ = np.polyfit(r[fit] - r[top], g[fit], 2)
    if curvature >= 0.0:
        return float(r[top])
    return float(r[top] + np.clip(-slope / (2.0 * curvature), -0.1, 0.1))


def collect_rdfs(parts: Mapping[str, Parts[PairCounts]], pairs: Sequence[str]) -> xr.Dataset:
    """Turn pair counts into g(r) and running coordination numbers with errors.

    Parameters
    ----------
    parts
        From `run_analyzers`, by name.
    pairs
        Names, e.g. ``"Mg-DME.O"``, in the order wanted.
    """
    import xarray as xr

    columns: dict[str, list[Floats]] = {"g": [], "g_err": [], "n": [], "n_err": []}
    r = np.empty(0)
    for pair in pairs:
        r, g, running = parts[pair].total().result()
        blocks = [part.result() for part in parts[pair].split()]
        columns["g"].append(g)
        columns["g_err"].append(block_error([b[1] for b in blocks]))
        columns["n"].append(running)
        columns["n_err"].append(block_error([b[2] for b in blocks]))
    dims = ("pair", "r")
    text = "radial distribution function"
    run = "running coordination number"
    return xr.Dataset(
        {
            "g": (dims, np.array(columns["g"]), {"units": "1", "long_name": text}),
            "g_stderr": (
                dims, np.array(columns["g_err"]),
                {"units": "1", "long_name": f"standard error of {text}"},
            ),
            "running": (dims, np.array(columns["n"]), {"units": "1", "long_name": run}),
            "running_stderr": (
                dims, np.array(columns["n_err"]),
                {"units": "1", "long_name": f"standard error of {run}"},
            ),
        },
        coords={
            "pair": list(pairs),
            "r": ("r", r, {"units": "Å", "long_name": "distance"}),
        },
    )  # fmt: skip


def peak_error(parts: Parts[PairCounts], near: float) -> float:
    """Return the standard error of `find_first_peak`, by leaving one part out at a time."""
    total = parts.total()
    pieces = parts.split()
    if len(pieces) < 2:
        return float("nan")
    without = [
        find_first_peak(
            replace(total, counts=total.counts - p.counts, ideal=total.ideal - p.ideal,
                    n_frames=total.n_frames - p.n_frames), near,
        )
        for p in pieces
    ]  # fmt: skip
    # A peak cannot be placed better than the bins and the file's rounding allow.
    return float(np.hypot(jackknife_error(without), total.width / np.sqrt(12.0 * len(pieces))))
