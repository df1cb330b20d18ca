"""Exchanges of ligands: who left, who came instead, and which happened first.

A *departure* ends a stay in a first shell for good. Its *replacement* is the arrival at the same
cation that is nearest in time, within a window. The order says how the exchange went
(Langford, Gray, *Ligand Substitution Processes*, 1965; Helm, Merbach, Chem. Rev. 2005, 105, 1923,
doi:10.1021/cr030726o):

associative
    the newcomer was there before the leaver had left: both are bound in at least one frame;
interchange
    the two changed places between two frames: the order is not resolved;
dissociative
    the place was empty in at least one frame;
unreplaced
    nobody came within the window: the coordination number fell, or donors of ligands already
    there closed up;
returned
    the same molecule came back within the window, later than the tolerance.

A replacement came after the leaver itself had come: of two that come together and leave apart,
neither replaced the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable
from solvation.analyze.stay import TOLERANCE, Stays, find_stays, list_pairs
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import smoothed_binomial_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MECHANISMS", "WINDOW", "Exchanges", "find_exchanges", "measure_exchange"]

Ints = npt.NDArray[np.int64]

MECHANISMS = ("associative", "interchange", "dissociative", "unreplaced", "returned")
"""How a ligand left."""
WINDOW = 10.0
"""ps within which a newcomer is the leaver's replacement; at least two frames either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """Departures of one replica, one row each, in order of time."""

    pair: Ints
    """Index into `list_pairs`, shape ``(n_events,)``."""
    cation: Ints
    """As in `Ions`, shape ``(n_events,)``."""
    leaver: Ints
    """Molecule that left, shape ``(n_events,)``."""
    left: Ints
    """Last frame in which it was bound, shape ``(n_events,)``."""
    newcomer: Ints
    """Molecule that replaced it, -1 for none, shape ``(n_events,)``."""
    came: Ints
    """First frame in which that one was bound, -1 for none, shape ``(n_events,)``."""
    mechanism: Ints
    """Index into `MECHANISMS`, shape ``(n_events,)``."""
    n_arrivals: int
    """Molecules that came, as replacements or not, returns left out."""


def find_exchanges(stays: Stays, *, window: float = WINDOW) -> Exchanges:
    """Pair departures with arrivals at the same cation.

    Parameters
    ----------
    stays
        Of one replica.
    window
        ps between departure and arrival; see `WINDOW`.

    Notes
    -----
    Returns are set aside first. Pairs are then made from the nearest in time on, each departure
    and arrival at most once; of equally near ones the earliest departure comes first. Nothing
    depends on how equal molecules are numbered.
    """
    runs = stays.runs
    reach = max(2, round(window / stays.dt)) if stays.dt > 0 else 2
    # Stays are sorted by pair and time: the next one of the same pair is a return.
    returned = np.zeros(len(runs.start), dtype=np.bool_)
    near = (np.diff(runs.pair) == 0) & (runs.start[1:] - runs.stop[:-1] - 0.5 <= reach)
    returned[:-1] = near
    into = np.flatnonzero((runs.start > 0) & ~np.append(False, near)[: len(runs.start)])
    out = np.flatnonzero(runs.broken)
    out = out[np.lexsort((stays.molecule[out], stays.cation[out], runs.stop[out]))]
    width = stays.n_frames + 2 * reach + 2
    place = stays.cation[into] * width + runs.start[into]
    into, place = into[np.argsort(place, kind="stable")], np.sort(place)
    # An arrival in the frame after the departure is as near as can be: distance half a frame.
    centre = stays.cation[out] * width + runs.stop[out] + 0.5
    low = np.searchsorted(place, centre - reach - 0.5, side="left")
    high = np.searchsorted(place, centre + reach + 0.5, side="right")
    count = np.maximum(high - low, 0)
    row = np.repeat(np.arange(len(out)), count)
    at = np.repeat(low, count) + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    candidate, leaver = into[at], out[row]
    fits = stays.cation[candidate] == stays.cation[leaver]
    fits &= (runs.start[candidate] > runs.start[leaver]) & ~returned[leaver]
    row, candidate, leaver = row[fits], candidate[fits], leaver[fits]
    distance = np.abs(runs.start[candidate] - runs.stop[leaver] - 0.5)
    keys = (stays.species[candidate], stays.species[leaver], runs.start[leaver],
            runs.start[candidate], runs.stop[leaver], distance)  # fmt: skip
    partner = np.full(len(out), -1, dtype=np.int64)
    taken = np.zeros(len(runs.start), dtype=np.bool_)
    for k in np.lexsort(keys).tolist():
        if partner[row[k]] < 0 and not taken[candidate[k]]:
            partner[row[k]] = candidate[k]
            taken[candidate[k]] = True
    delay = np.where(partner >= 0, runs.start[partner] - runs.stop[out], 0)
    order = np.where(delay <= 0, 0, np.where(delay == 1, 1, 2))
    order = np.where(partner >= 0, order, np.where(returned[out], 4, 3))
    return Exchanges(
        pair=stays.species[out],
        cation=stays.cation[out],
        leaver=stays.molecule[out],
        left=runs.stop[out],
        newcomer=np.where(partner >= 0, stays.molecule[partner], -1),
        came=np.where(partner >= 0, runs.start[partner], -1),
        mechanism=order.astype(np.int64),
        n_arrivals=len(into),
    )


def measure_exchange(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    tolerance: float = TOLERANCE,
    window: float = WINDOW,
    stays: Sequence[Stays] | None = None,
) -> xr.Dataset:
    """Count departures by mechanism, and who replaced whom.

    Parameters
    ----------
    scene
        Species.
    tables
        Contacts, one table per replica.
    tolerance, window
        ps; see `solvation.analyze.stay.TOLERANCE` and `WINDOW`.
    stays
        From `find_stays`, if at hand.
    """
    import xarray as xr

    found = stays or [find_stays(scene, table, tolerance=tolerance) for table in tables]
    pairs = list_pairs(scene)
    names = list(dict.fromkeys(ligand for _, ligand in pairs))
    by_mechanism = np.zeros((len(pairs), len(MECHANISMS)), dtype=np.int64)
    by_newcomer = np.zeros((len(pairs), len(names)), dtype=np.int64)
    index = {s.name: i for i, s in enumerate(scene.species)}
    ligand = np.full(len(scene.species), -1, dtype=np.int64)
    ligand[[index[name] for name in names]] = np.arange(len(names))
    kinds = scene.molecule_species
    for one in found:
        events = find_exchanges(one, window=window)
        np.add.at(by_mechanism, (events.pair, events.mechanism), 1)
        replaced = events.newcomer >= 0
        came = ligand[kinds[events.newcomer[replaced]]]
        np.add.at(by_newcomer, (events.pair[replaced], came), 1)
    total = by_mechanism.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = by_mechanism / total[:, None]
    error = np.array(
        [smoothed_binomial_error(f, n) if n else np.full(len(f), np.nan)
         for f, n in zip(fraction, total.tolist(), strict=True)]
    ).reshape(fraction.shape)  # fmt: skip

    def attrs(text: str) -> dict[str, str]:
        return {"units": "1", "long_name": text}

    return xr.Dataset(
        {
            "departures": ("pair", total, attrs("ligands that left for good")),
            "count": (("pair", "mechanism"), by_mechanism, attrs("departures by mechanism")),
            "fraction": (("pair", "mechanism"), fraction, attrs("fraction of the departures")),
            "fraction_stderr": (("pair", "mechanism"), error, attrs("standard error of that")),
            "replaced_by": (
                ("pair", "newcomer"), by_newcomer, attrs("departures by who came instead"),
            ),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "mechanism": list(MECHANISMS),
            "newcomer": names,
        },
        attrs={
            "tolerance": f"{tolerance:g} ps",
            "window": f"{window:g} ps, at least two frames",
        },
    )  # fmt: skip
