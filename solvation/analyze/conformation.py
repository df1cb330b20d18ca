"""Conformations of glymes: trans and gauche about every C–O–C–C–O–C unit, bound and free.

A unit has three torsions, C–O–C–C, O–C–C–O and C–C–O–C; DME has one unit, diglyme two. A torsion
is trans (t) beyond 120 degrees and gauche (g, g' for the other hand) below. Names are those of
the unit or of its mirror image, read from either end, whichever comes first: ``tgt``, ``tgg``,
``tgg'``, ``ttt``, ... A unit is *chelating* when both of its oxygens bind the same cation,
*hanging* when only one binds or they bind different ones, *free* otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.snapshot import Album, find_rows
from solvation.analyze.topology import Scene
from solvation.analyze.torsion import BINS, Turns, Units
from solvation.kernels.uncertainty import ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "BINDINGS",
    "CONFORMATIONS",
    "measure_conformations",
    "name_conformation",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINDINGS = ("free", "hanging", "chelating")
"""How a unit is bound."""


def name_conformation(turns: Sequence[int]) -> str:
    """Name three torsions: 0 is trans, 1 and -1 gauche to either side.

    Examples
    --------
    >>> [name_conformation(t) for t in [(0, -1, 0), (1, 1, 0), (-1, 1, 0), (0, 0, 1)]]
    ['tgt', 'tgg', "tgg'", 'ttg']
    """
    a, b, c = turns
    variants = [(a, b, c), (c, b, a), (-a, -b, -c), (-c, -b, -a)]
    best = min(variants, key=lambda v: (v.count(-1), [{0: 0, 1: 1, -1: 2}[x] for x in v]))
    return "".join({0: "t", 1: "g", -1: "g'"}[x] for x in best)


_CODES = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
CONFORMATIONS = tuple(
    sorted({name_conformation(c) for c in _CODES}, key=lambda n: (n.count("g"), n))
)
"""Names of all conformations of a unit."""
_NAME = np.array([CONFORMATIONS.index(name_conformation(c)) for c in _CODES], dtype=np.int64)


def measure_conformations(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    units: Sequence[Units],
    turns: Sequence[Sequence[Turns]],
    *,
    events: Mapping[str, int] | None = None,
) -> xr.Dataset | None:
    """Average the conformations of glyme units, by how they are bound.

    Parameters
    ----------
    scene
        Species.
    tables, albums
        Contacts and snapshots, one of each per replica.
    units
        From `find_units`.
    turns
        From `Torsions`: of each replica, of each species.
    events
        Exchanges by cation and ligand; see `ratio_error`.

    Returns
    -------
    None if no species has such a unit.
    """
    import xarray as xr

    if not units:
        return None
    names = [u.species for u in units]
    shape = (len(units), len(BINDINGS), len(CONFORMATIONS))
    fraction, error = np.full(shape, np.nan), np.full(shape, np.nan)
    share = np.zeros(shape[:2])
    angles = np.zeros((len(units), 2, BINS))
    for i, unit in enumerate(units):
        states, bindings = [], []
        for table, album, found in zip(tables, albums, turns, strict=True):
            angles[i] += found[i].angles
            states.append(_NAME[found[i].codes])
            bindings.append(_find_binding(scene, table, album, unit))
        n_events = None
        if events is not None:
            n_events = sum(n for p, n in events.items() if p.partition("-")[2] == unit.species)
        size = sum(b.size for b in bindings)
        for j in range(len(BINDINGS)):
            there = [b == j for b in bindings]
            total = sum(int(t.sum()) for t in there)
            share[i, j] = total / max(size, 1)
            if not total:
                continue
            for c in range(len(CONFORMATIONS)):
                masks = [t & (s == c) for t, s in zip(there, states, strict=True)]
                fraction[i, j, c] = sum(int(m.sum()) for m in masks) / total
                error[i, j, c] = ratio_error(masks, there, n_events=n_events if j else None)
    density = angles / np.maximum(angles.sum(axis=2, keepdims=True) * 10.0, 1e-300)

    def attrs(text: str, unit: str = "1") -> dict[str, str]:
        return {"units": unit, "long_name": text}

    dims = ("species", "binding", "conformation")
    text = "fraction of the units bound so"
    return xr.Dataset(
        {
            "fraction": (dims, fraction, attrs(text)),
            "fraction_stderr": (dims, error, attrs("standard error of that")),
            "share": (dims[:2], share, attrs("fraction of units that are bound so")),
            "torsion": (
                ("species", "kind", "angle"), density,
                attrs("density of torsion angles", "1/degree"),
            ),
        },
        coords={
            "species": names,
            "binding": list(BINDINGS),
            "conformation": list(CONFORMATIONS),
            "kind": ["COCC", "OCCO"],
            "angle": ("angle", np.arange(-175.0, 180.0, 10.0), attrs("torsion angle", "degree")),
        },
        attrs={"gauche": "less than 120 degrees"},
    )  # fmt: skip


def _find_binding(scene: Scene, table: ContactTable, album: Album, unit: Units) -> Ints:
    """Tell how each unit is bound in each snapshot: index into `BINDINGS`."""
    rows, shot = find_rows(table, album)
    contacts = table.contacts[rows]
    place = np.full(scene.n_atoms, -1, dtype=np.int64)
    oxygens = np.unique(unit.atoms[:, [1, 4]])
    place[oxygens] = np.arange(len(oxygens))
    mine = place[contacts["atom"]] >= 0
    n_shots, n_cations = len(album.frames), max(list_ions(scene).n_cations, 1)
    where = shot[mine] * len(oxygens) + place[contacts["atom"][mine]]
    pairs = np.unique(where * n_cations + contacts["cation"][mine])
    spots = np.zeros(n_shots * len(oxygens), dtype=np.bool_)
    spots[pairs // n_cations] = True
    bound = spots.reshape(n_shots, -1)
    ends = [place[unit.atoms[:, k]] for k in (1, 4)]
    either = bound[:, ends[0]] | bound[:, ends[1]]
    # Both ends at one cation: look up (shot, second oxygen, cation) for each of the first's.
    which = np.argsort(ends[0], kind="stable")
    first = ends[0][which]
    spot, cation = np.divmod(pairs, n_cations)
    at_shot, oxygen = np.divmod(spot, len(oxygens))
    low = np.searchsorted(first, oxygen, side="left")
    count = np.searchsorted(first, oxygen, side="right") - low
    row = np.repeat(np.arange(len(pairs)), count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    partner = which[low[row] + step]
    wanted = (at_shot[row] * len(oxygens) + ends[1][partner]) * n_cations + cation[row]
    hit = np.isin(wanted, pairs)
    chelating = np.zeros((n_shots, len(unit.atoms)), dtype=np.bool_)
    chelating[at_shot[row[hit]], partner[hit]] = True
    result: Ints = np.where(chelating, 2, np.where(either, 1, 0)).astype(np.int64)
    return result
