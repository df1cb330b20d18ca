"""The first shell: where g(r) has its first minimum, and whether it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from solvation.analyze.rdf import PairCounts, find_first_peak
from solvation.errors import TrajectoryError

__all__ = ["SMOOTHING", "Cutoff", "contact_limit", "find_cutoff", "find_cutoffs", "touch_distance"]

Floats = npt.NDArray[np.float64]

SMOOTHING = 0.05
"""Standard deviation in Å of the Gaussian that g(r) is smoothed with before extrema are sought."""

_ION_RADII = {
    "Li": 0.76, "Na": 1.02, "K": 1.38, "Rb": 1.52, "Cs": 1.67, "Be": 0.45, "Mg": 0.72,
    "Ca": 1.00, "Sr": 1.18, "Ba": 1.35, "Zn": 0.74, "Al": 0.535,
}  # fmt: skip
"""Ionic radii in Å, coordination number 6 (Shannon, Acta Cryst. A 1976, 32, 751)."""
VDW_RADII = {
    "H": 1.10, "B": 1.92, "C": 1.70, "N": 1.55, "O": 1.52, "F": 1.47, "Si": 2.10, "P": 1.80,
    "S": 1.80, "Cl": 1.75, "Br": 1.83, "I": 1.98,
}  # fmt: skip
"""Van der Waals radii in Å (Mantina et al., J. Phys. Chem. A 2009, 113, 5806)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """Radius of a first shell, and how well it is defined."""

    value: float
    """Å."""
    low: float
    """Lower end of the plateau in Å: the coordination number changes by less than 1 %."""
    high: float
    """Upper end of the plateau in Å."""
    first_peak: float
    """Position of the first maximum in Å; nan without one."""
    defined: bool
    """Whether g(r) has a first shell with a minimum behind it."""
    source: str
    """``"first minimum"``, ``"contact distance"`` or ``"user"``."""
    note: str | None = None
    """Why it is not defined, or not well."""


def contact_limit(cation: str, donor: str) -> float:
    """Return the largest distance in Å at which a first peak can mean direct contact.

    Ionic radius plus van der Waals radius plus 0.6 Å. Peaks further out are shadows: a donor next
    to one that is bound, or a counter-ion behind a shell of solvent.
    """
    return _ION_RADII.get(cation, 1.0) + VDW_RADII.get(donor, 1.7) + 0.6


def find_cutoff(counts: PairCounts, *, limit: float = float("inf")) -> Cutoff:
    r"""Find the first minimum of g(r) behind its first peak.

    The histogram has the shape ``(n_bins,)``.

    Parameters
    ----------
    counts
        Histogram of the pair.
    limit
        Å. A first peak beyond it is not a contact, see `contact_limit`.

    Returns
    -------
    The cutoff. Where there is no first shell its value is ``limit`` (nan if infinite) and
    `Cutoff.defined` is false.

    Notes
    -----
    g(r) is smoothed with a Gaussian of `SMOOTHING`. The first peak is the first local maximum
    that stands four Poisson errors above the valley behind it, which must fall below 0.8 of it; it
    may be lower than 1, as for a donor that seldom wins. The valley ends where g(r) has risen by
    three Poisson errors and 0.05; its first minimum is the first one that is as low as its lowest
    point within two Poisson errors. The plateau is the range around the minimum in which the
    running number stays within half a percent, and its middle is the cutoff.
    """
    r, g, running = counts.result()
    sigma = SMOOTHING / counts.width
    smooth = gaussian_filter1d(g, sigma, mode="nearest")
    with np.errstate(divide="ignore", invalid="ignore"):
        # A Gaussian of standard deviation s averages over 2 sqrt(pi) s bins.
        samples = counts.expected * 2.0 * np.sqrt(np.pi) * sigma
        noise = np.sqrt(np.maximum(smooth, 1.0 / np.maximum(samples, 1e-9)) / samples)
    none = Cutoff(
        value=limit if np.isfinite(limit) else float("nan"), low=float("nan"),
        high=float("nan"), first_peak=float("nan"), defined=False, source="contact distance",
    )  # fmt: skip
    peak = _find_peak(smooth, noise)
    if peak is None:
        return replace(none, note="g(r) has no first peak")
    if r[peak] > limit:
        where = f"first peak at {r[peak]:.2f} Å is beyond contact"
        return replace(none, note=f"{where}; contacts are counted within {limit:.2f} Å")
    position = find_first_peak(counts, float(r[peak]))
    lowest = _find_minimum(smooth, noise, peak)
    if lowest is None:
        return replace(none, first_peak=position, note=f"g(r) has no minimum within {r[-1]:.1f} Å")
    edges = (np.arange(len(r)) + 1) * counts.width
    inside = np.abs(running - running[lowest]) <= 0.005 * running[lowest]
    low = high = lowest
    while low > 0 and inside[low - 1]:
        low -= 1
    while high < len(r) - 1 and inside[high + 1]:
        high += 1
    shallow = bool(smooth[lowest] > 0.5 * smooth[peak])
    return Cutoff(
        value=float(0.5 * (edges[low] + edges[high])),
        low=float(edges[low]),
        high=float(edges[high]),
        first_peak=position,
        defined=not shallow,
        source="first minimum",
        note="the first minimum is shallow: shells exchange freely or overlap" if shallow else None,
    )


def _find_peak(smooth: Floats, noise: Floats) -> int | None:
    """Return the first local maximum that stands out, or None."""
    for i in range(1, len(smooth) - 1):
        if smooth[i] <= 0.0 or smooth[i] < smooth[i - 1] or smooth[i] < smooth[i + 1]:
            continue
        behind = smooth[i + 1 :]
        higher = np.flatnonzero(behind > smooth[i])
        valley = behind[: higher[0]] if len(higher) else behind
        if not len(valley):
            continue
        low = i + 1 + int(valley.argmin())
        clear = 4.0 * float(np.hypot(noise[i], noise[low]))
        if smooth[i] - smooth[low] > clear and smooth[low] < 0.8 * smooth[i]:
            return i
    return None


def _find_minimum(smooth: Floats, noise: Floats, peak: int) -> int | None:
    """Return the bin of the first minimum behind a peak, or None."""
    best = peak
    for i in range(peak + 1, len(smooth)):
        if smooth[i] < smooth[best]:
            best = i
        elif smooth[i] > smooth[best] + max(0.05, 3.0 * noise[i]):
            first = peak
            while smooth[first] > smooth[best] + 2.0 * noise[best]:
                first += 1
            while smooth[first + 1] < smooth[first]:
                first += 1
            return first
    return None


def find_cutoffs(
    counts: Mapping[tuple[str, str], PairCounts],
    elements: Mapping[tuple[str, str], tuple[str, str]],
    *,
    user: Mapping[str, float] | None = None,
) -> dict[tuple[str, str], Cutoff]:
    """Find the cutoff of every cation and site; a user's number always wins.

    Parameters
    ----------
    counts
        Pair counts by cation species and site, e.g. ``("Mg", "DME.O")``.
    elements
        Elements of cation and donor of each pair.
    user
        Cutoffs in Å by ``"Mg-DME.O"``, or ``"Mg"`` for every site of Mg, or ``"*"`` for all.

    Raises
    ------
    TrajectoryError
        If the user names a pair that is not there, or gives a cutoff beyond g(r).
    """
    given = dict(user or {})
    known = {f"{a}-{b}" for a, b in counts} | {a for a, _ in counts} | {"*"}
    for name, value in given.items():
        if name not in known:
            raise TrajectoryError(
                f'cutoff for "{name}": no such pair; there are {", ".join(sorted(known - {"*"}))}'
            )
        largest = min(len(c.counts) * c.width for c in counts.values())
        if not 0.0 < value <= largest:
            raise TrajectoryError(
                f"cutoff {name} = {value} Å is not between 0 and {largest:.2f} Å; give another"
            )
    found = {}
    for pair, histogram in counts.items():
        cutoff = find_cutoff(histogram, limit=contact_limit(*elements[pair]))
        for key in ("-".join(pair), pair[0], "*"):
            if key in given:
                cutoff = replace(
                    cutoff, value=float(given[key]), defined=True, source="user", note=None
                )
                break
        found[pair] = cutoff
    return found


def touch_distance(donor: str, atom: str) -> float:
    """Return the distance in Å within which two atoms of different molecules touch.

    The sum of their van der Waals radii plus 0.5 Å, e.g. 3.12 Å for O and H.
    """
    return VDW_RADII.get(donor, 1.7) + VDW_RADII.get(atom, 1.7) + 0.5
