"""Conformations of glymes: trans and gauche about every C–O–C–C–O–C unit, bound and free.

A unit has three torsions, C–O–C–C, O–C–C–O and C–C–O–C; DME has one unit, diglyme two. A torsion
is trans (t) beyond 120 degrees and gauche (g, g' for the other hand) below. Names are those of
the unit or of its mirror image, read from either end, whichever comes first: ``tgt``, ``tgg``,
``tgg'``, ``ttt``, ... A unit is *chelating* when both of its oxygens bind the same cation,
*hanging* when only one binds or they bind different ones, *free* otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.snapshot import Album, find_rows
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "BINDINGS",
    "CONFORMATIONS",
    "Units",
    "find_units",
    "measure_conformations",
    "measure_torsions",
    "name_conformation",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINDINGS = ("free", "hanging", "chelating")
"""How a unit is bound."""


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


def measure_conformations(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    units: Sequence[Units],
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
    angles = np.zeros((len(units), 2, 36))
    for i, unit in enumerate(units):
        states, bindings = [], []
        for table, album in zip(tables, albums, strict=True):
            # Some snapshots at a time: the torsions of a few thousand glymes fit the cache.
            codes = np.empty((len(album.frames), len(unit.atoms)), dtype=np.int64)
            columns, step = album.column[unit.atoms], max(1, 2000 // len(unit.atoms))
            for k in range(0, len(codes), step):
                turns = measure_torsions(album.positions[k : k + step, columns].astype(np.float64))
                bins = np.minimum(((turns + 180.0) / 10.0).astype(np.int64), 35)
                angles[i, 0] += np.bincount(bins[..., [0, 2]].ravel(), minlength=36)
                angles[i, 1] += np.bincount(bins[..., 1].ravel(), minlength=36)
                turn = np.where(np.abs(turns) > 120.0, 1, np.where(turns > 0.0, 2, 0))
                codes[k : k + step] = turn @ np.array([9, 3, 1])
            states.append(_NAME[codes])
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
