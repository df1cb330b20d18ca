"""Geometry of first shells: lengths of contacts, angles between them, bite angles of chelates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.snapshot import Album, find_vectors, pick_shots
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_geometry"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LENGTH_BIN = 0.02
"""Å."""
_ANGLE_BIN = 3.0
"""Degrees."""


def measure_geometry(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    *,
    shots: Sequence[tuple[ContactTable, Album]] | None = None,
) -> xr.Dataset:
    """Measure bond lengths in every frame, and angles in snapshots.

    Parameters
    ----------
    scene
        Species and sites.
    tables, albums
        Contacts and snapshots, one of each per replica.
    pairs
        Cation species and site, e.g. ``("Mg", "DME.O")``.
    shots
        From `pick_shots`, if at hand.
    """
    import xarray as xr

    lengths, edges, mean, error = _measure_lengths(scene, tables, pairs)
    shots = shots or pick_shots(tables, albums)
    vectors = [find_vectors(scene, table, album) for table, album in shots]
    angles, triples, bites = _measure_angles(
        scene, [t for t, _ in shots], [a for _, a in shots], vectors, pairs
    )

    def attrs(text: str, unit: str = "1") -> dict[str, str]:
        return {"units": unit, "long_name": text}

    centres = np.arange(0.5 * _ANGLE_BIN, 180.0, _ANGLE_BIN)
    return xr.Dataset(
        {
            "length": ("pair", mean, attrs("mean length of contacts", "Å")),
            "length_stderr": ("pair", error, attrs("standard error of the mean length", "Å")),
            "length_density": (
                ("pair", "distance"), lengths, attrs("density of lengths", "1/Å"),
            ),
            "angle_density": (
                ("triple", "angle"), angles, attrs("density of donor-cation-donor angles",
                                                   "1/degree"),
            ),
            "bite": ("chelate", [b[1] for b in bites], attrs("mean bite angle", "degree")),
            "bite_stderr": (
                "chelate", [b[2] for b in bites], attrs("standard error of that", "degree"),
            ),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "distance": ("distance", 0.5 * (edges[1:] + edges[:-1]), attrs("length", "Å")),
            "triple": triples,
            "angle": ("angle", centres, attrs("angle", "degree")),
            "chelate": [b[0] for b in bites],
        },
        attrs={"snapshots": sum(len(a.frames) for a in albums)},
    )  # fmt: skip


def _measure_lengths(
    scene: Scene,
    tables: Sequence[ContactTable],
    pairs: Sequence[tuple[str, str]],
) -> tuple[Floats, Floats, list[float], list[float]]:
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    longest = max((1.0, *(table.find_longest() for table in tables)))
    edges = np.arange(0.0, longest + 2.0 * _LENGTH_BIN, _LENGTH_BIN)
    density, mean, error = np.zeros((len(pairs), len(edges) - 1)), [], []
    for row, (cation, site) in enumerate(pairs):
        mine = ions.cation_species == names.index(cation)
        donor = np.zeros(scene.n_atoms, dtype=np.bool_)
        donor[scene.find_site(site).atoms] = True
        summed, counted = [], []
        for table in tables:
            sums, numbers = _sum_lengths(table, donor, mine, edges, density[row])
            summed.append(sums)
            counted.append(numbers)
            del sums, numbers
        n_contacts = sum(int(c.sum()) for c in counted)
        if not n_contacts:
            mean.append(float("nan"))
            error.append(float("nan"))
            continue
        mean.append(sum(float(x.sum(dtype=np.float64)) for x in summed) / n_contacts)
        error.append(ratio_error(summed, counted))
        density[row] /= n_contacts * _LENGTH_BIN
    return density, edges, mean, error


def _sum_lengths(
    table: ContactTable,
    donor: npt.NDArray[np.bool_],
    mine: npt.NDArray[np.bool_],
    edges: Floats,
    density: Floats,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int16]]:
    """Sum and count the contacts of each cation in each frame, and add them to a histogram."""
    # Filled a stretch at a time, so that nothing is there twice.
    sums = np.empty((table.n_frames, int(mine.sum())), dtype=np.float32)
    numbers = np.empty(sums.shape, dtype=np.int16)
    for start, stop in table.list_stretches():
        contacts = table.cut(start, stop).contacts
        chosen = donor[contacts["atom"]] & mine[contacts["cation"]]
        distance = contacts["distance"][chosen].astype(np.float64)
        flat = contacts["frame"][chosen].astype(np.int64) * len(mine)
        flat += contacts["cation"][chosen]
        shape = (stop - start, len(mine))
        size = shape[0] * shape[1]
        total = np.bincount(flat, distance, minlength=size)
        sums[start:stop] = total.reshape(shape)[:, mine]
        number = np.bincount(flat, minlength=size)
        numbers[start:stop] = number.reshape(shape)[:, mine]
        density += np.histogram(distance, edges)[0]
    return sums, numbers


def _measure_angles(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    vectors: Sequence[tuple[Ints, Ints, Floats]],
    pairs: Sequence[tuple[str, str]],
) -> tuple[Floats, list[str], list[tuple[str, float, float]]]:
    """Measure angles of every two donors at a cation, and those of one chelating molecule."""
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    sites = [site.name for site in scene.sites]
    site_of = np.full(scene.n_atoms, -1, dtype=np.int64)
    for i, donors in enumerate(scene.sites):
        site_of[donors.atoms] = i
    species_of = scene.molecule_species
    n_bins = int(180.0 / _ANGLE_BIN)
    density: dict[str, Floats] = {}
    for cation, site in pairs:
        for other, last in pairs:
            if other == cation and sites.index(last) >= sites.index(site):
                density[f"{site}-{cation}-{last}"] = np.zeros(n_bins)
    bites: dict[str, tuple[list[Floats], list[Floats]]] = {}
    for table, album, (rows, shot, vector) in zip(tables, albums, vectors, strict=True):
        contacts = table.contacts[rows]
        group = shot * ions.n_cations + contacts["cation"]
        unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
        one, two = _pair_up(group)
        cosine = np.clip(np.einsum("ij,ij->i", unit[one], unit[two]), -1.0, 1.0)
        angle = np.degrees(np.arccos(cosine))
        bins = np.minimum((angle / _ANGLE_BIN).astype(np.int64), n_bins - 1)
        atom = contacts["atom"]
        low, high = np.sort(np.stack([site_of[atom[one]], site_of[atom[two]]]), axis=0)
        centre = ions.cation_species[contacts["cation"][one]]
        code = (centre * len(sites) + low) * len(sites) + high
        for value in np.unique(code).tolist():
            left, b = divmod(value, len(sites))
            c, a = divmod(left, len(sites))
            key = f"{sites[a]}-{names[c]}-{sites[b]}"
            density[key] += np.bincount(bins[code == value], minlength=n_bins)
        same = scene.molecule[atom[one]] == scene.molecule[atom[two]]
        code = centre * len(names) + species_of[scene.molecule[atom[one]]]
        for value in np.unique(code[same]).tolist():
            c, ligand = divmod(value, len(names))
            chosen = same & (code == value)
            flat = group[one[chosen]]
            shape = (len(album.frames), ions.n_cations)
            size = shape[0] * shape[1]
            summed, counted = bites.setdefault(f"{names[c]}-{names[ligand]}", ([], []))
            total = np.bincount(flat, angle[chosen], minlength=size).astype(np.float64)
            summed.append(total.reshape(shape))
            counted.append(np.bincount(flat, minlength=size).reshape(shape).astype(np.float64))
    for values in density.values():
        values /= max(float(values.sum()) * _ANGLE_BIN, 1e-300)
    found = [
        (
            key,
            sum(float(x.sum()) for x in x_) / sum(float(n.sum()) for n in n_),
            ratio_error(x_, n_),
        )
        for key, (x_, n_) in sorted(bites.items())
    ]
    return np.array(list(density.values())).reshape(-1, n_bins), list(density), found


def _pair_up(group: Ints) -> tuple[Ints, Ints]:
    """List every two rows of the same group once; groups are contiguous."""
    if not len(group):
        empty = np.empty(0, dtype=np.int64)
        return empty, empty
    starts = np.flatnonzero(np.append(True, np.diff(group) != 0))
    stops = np.append(starts[1:], len(group))
    count = np.repeat(stops, stops - starts) - np.arange(len(group)) - 1
    one = np.repeat(np.arange(len(group)), count)
    step = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    return one, one + 1 + step
