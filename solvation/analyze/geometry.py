"""Geometry of first shells: bond lengths, angles, and the polyhedron the donors form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.snapshot import Album, find_vectors
from solvation.analyze.topology import Scene
from solvation.kernels.polyhedra import LARGEST, SMALLEST, list_polyhedra, measure_shapes
from solvation.kernels.uncertainty import member_error, ratio_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["OTHER", "measure_geometry"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OTHER = "other"
"""Label of shells with fewer donors than the smallest reference, or more than the largest."""
_LENGTH_BIN = 0.02
"""Å."""
_ANGLE_BIN = 3.0
"""Degrees."""
_COST = {4: 0.01, 5: 0.02, 6: 0.07, 7: 0.55, 8: 4.5, 9: 27.0}
"""Milliseconds that a shell of so many donors takes; only their proportions matter."""
_BUDGET = 2000.0
"""Milliseconds for all shells; with more, fewer of the snapshots are looked at."""


def measure_geometry(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    pairs: Sequence[tuple[str, str]],
    *,
    events: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Measure bond lengths in every frame, angles and shapes in snapshots.

    Parameters
    ----------
    scene
        Species and sites.
    tables, albums
        Contacts and snapshots, one of each per replica.
    pairs
        Cation species and site, e.g. ``("Mg", "DME.O")``.
    events
        Exchanges by cation and ligand; the rarest of a cation decides how many independent
        samples its shapes are, see `member_error`.
    """
    import xarray as xr

    lengths, edges, mean, error = _measure_lengths(scene, tables, pairs, events)
    vectors = [find_vectors(scene, t, a) for t, a in zip(tables, albums, strict=True)]
    angles, triples, bites = _measure_angles(scene, tables, albums, vectors, pairs)
    shapes = _measure_shapes(scene, tables, albums, vectors, events)

    def attrs(text: str, unit: str = "1") -> dict[str, str]:
        return {"units": unit, "long_name": text}

    centres = np.arange(0.5 * _ANGLE_BIN, 180.0, _ANGLE_BIN)
    text = "fraction of cations whose first shell is closest to that shape"
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
            "shape_fraction": ("shape", shapes["fraction"], attrs(text)),
            "shape_fraction_stderr": ("shape", shapes["error"], attrs("standard error of that")),
            "shape_measure": (
                "shape", shapes["measure"],
                attrs("mean continuous shape measure of the shells closest to it"),
            ),
            "shape_measure_stderr": (
                "shape", shapes["measure_error"], attrs("standard error of that"),
            ),
            "shape_measure_all": (
                "shape", shapes["all"],
                attrs("mean continuous shape measure of all shells with as many donors"),
            ),
            "shape_cation": ("shape", shapes["cation"], attrs("cation")),
            "shape_label": ("shape", shapes["label"], attrs("label as in the SHAPE program")),
            "shape_name": ("shape", shapes["name"], attrs("name of the shape")),
        },
        coords={
            "pair": ["-".join(pair) for pair in pairs],
            "distance": ("distance", 0.5 * (edges[1:] + edges[:-1]), attrs("length", "Å")),
            "triple": triples,
            "angle": ("angle", centres, attrs("angle", "degree")),
            "chelate": [b[0] for b in bites],
        },
        attrs={"shells": int(shapes["n"]), "snapshots": sum(len(a.frames) for a in albums)},
    )  # fmt: skip


def _measure_lengths(
    scene: Scene,
    tables: Sequence[ContactTable],
    pairs: Sequence[tuple[str, str]],
    events: Mapping[str, int] | None,
) -> tuple[Floats, Floats, list[float], list[float]]:
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    longest = max((float(t.contacts["distance"].max(initial=1.0)) for t in tables), default=1.0)
    edges = np.arange(0.0, longest + 2.0 * _LENGTH_BIN, _LENGTH_BIN)
    density, mean, error = np.zeros((len(pairs), len(edges) - 1)), [], []
    for row, (cation, site) in enumerate(pairs):
        mine = ions.cation_species == names.index(cation)
        donor = np.zeros(scene.n_atoms, dtype=np.bool_)
        donor[scene.find_site(site).atoms] = True
        summed, counted = [], []
        for table in tables:
            contacts = table.contacts
            chosen = donor[contacts["atom"]] & mine[contacts["cation"]]
            distance = contacts["distance"][chosen].astype(np.float64)
            flat = contacts["frame"][chosen].astype(np.int64) * ions.n_cations
            flat += contacts["cation"][chosen]
            size = table.n_frames * ions.n_cations
            shape = (table.n_frames, ions.n_cations)
            summed.append(np.bincount(flat, distance, minlength=size).reshape(shape)[:, mine])
            counted.append(np.bincount(flat, minlength=size).reshape(shape)[:, mine])
            density[row] += np.histogram(distance, edges)[0]
        total = sum(int(c.sum()) for c in counted)
        if not total:
            mean.append(float("nan"))
            error.append(float("nan"))
            continue
        mean.append(sum(float(x.sum()) for x in summed) / total)
        error.append(ratio_error(summed, counted))
        density[row] /= total * _LENGTH_BIN
    return density, edges, mean, error


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
    for i, site in enumerate(scene.sites):
        site_of[site.atoms] = i
    species_of = scene.molecule_species
    n_bins = int(180.0 / _ANGLE_BIN)
    density: dict[str, Floats] = {}
    for cation, site in pairs:
        for other, last in pairs:
            if other == cation and sites.index(last) >= sites.index(site):
                density[f"{site}-{cation}-{last}"] = np.zeros(n_bins)
    bites: dict[str, tuple[list[Floats], list[Ints]]] = {}
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
            summed.append(np.bincount(flat, angle[chosen], minlength=size).reshape(shape))
            counted.append(np.bincount(flat, minlength=size).reshape(shape))
    for values in density.values():
        values /= max(float(values.sum()) * _ANGLE_BIN, 1e-300)
    found = [
        (key, sum(float(x.sum()) for x in x_) / sum(int(n.sum()) for n in n_), ratio_error(x_, n_))
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


def _measure_shapes(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    vectors: Sequence[tuple[Ints, Ints, Floats]],
    events: Mapping[str, int] | None,
) -> dict[str, list[float] | list[str] | int]:
    ions = list_ions(scene)
    names = [s.name for s in scene.species]
    numbers = []
    for album, table, (rows, shot, _) in zip(albums, tables, vectors, strict=True):
        flat = shot * ions.n_cations + table.contacts["cation"][rows]
        size = len(album.frames) * ions.n_cations
        counts = np.bincount(flat, minlength=size).reshape(-1, ions.n_cations)
        numbers.append(counts.astype(np.int64))
    cost = sum(float(np.vectorize(lambda n: _COST.get(n, 0.0))(n).sum()) for n in numbers if n.size)
    stride = max(1, int(np.ceil(cost / _BUDGET)))
    numbers = [n[::stride] for n in numbers]
    best = [np.full(n.shape, -1, dtype=np.int64) for n in numbers]
    closest = [np.full(n.shape, np.nan) for n in numbers]
    every: list[dict[int, Floats]] = [{} for _ in numbers]
    for k, (table, (rows, shot, vector)) in enumerate(zip(tables, vectors, strict=True)):
        chosen = shot % stride == 0
        flat = shot[chosen] // stride * ions.n_cations + table.contacts["cation"][rows[chosen]]
        size = numbers[k].ravel()
        for n in range(SMALLEST, LARGEST + 1):
            cells = np.flatnonzero(size == n)
            if not len(cells):
                continue
            points = vector[chosen][size[flat] == n].reshape(-1, n, 3)
            found = measure_shapes(points)
            every[k][n] = found
            best[k].ravel()[cells] = 10 * n + found.argmin(axis=1)
            closest[k].ravel()[cells] = found.min(axis=1)
    out: dict[str, list[float] | list[str] | int] = {
        "n": sum(int((b >= 0).sum()) for b in best),
    }
    columns: list[tuple[object, ...]] = []
    for cation in scene.list_role("cation"):
        mine = ions.cation_species == names.index(cation.name)
        labels = np.unique(np.concatenate([b[:, mine].ravel() for b in best]))
        used = sorted({int(v) // 10 for v in labels if v >= 0})
        fewest = None if events is None else min(
            (n for p, n in events.items() if p.startswith(f"{cation.name}-")), default=0
        )  # fmt: skip
        total = max(sum(b[:, mine].size for b in best), 1)
        for n in used:
            means = [
                f[mine[np.flatnonzero(m.ravel() == n) % ions.n_cations]]
                for e, m in zip(every, numbers, strict=True)
                for f in [e.get(n)]
                if f is not None
            ]
            whole = np.concatenate(means).mean(axis=0)
            for i, shape in enumerate(list_polyhedra(n)):
                masks = [b[:, mine] == 10 * n + i for b in best]
                here = sum(int(m.sum()) for m in masks)
                values = [np.where(m, c[:, mine], 0.0) for m, c in zip(masks, closest, strict=True)]
                columns.append((
                    cation.name, shape.label, shape.name, here / total,
                    member_error(masks, n_events=fewest),
                    sum(float(v.sum()) for v in values) / here if here else float("nan"),
                    ratio_error(values, masks) if here else float("nan"), float(whole[i]),
                ))  # fmt: skip
        masks = [b[:, mine] < 0 for b in best]
        nan = float("nan")
        columns.append((
            cation.name, OTHER, f"fewer than {SMALLEST} or more than {LARGEST} donors",
            sum(int(m.sum()) for m in masks) / total, member_error(masks, n_events=fewest),
            nan, nan, nan,
        ))  # fmt: skip
    keys = ("cation", "label", "name", "fraction", "error", "measure", "measure_error", "all")
    for i, key in enumerate(keys):
        out[key] = [c[i] for c in columns]  # type: ignore[misc]
    return out
