"""Shapes: which ideal polyhedron the donors around a cation are closest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

__all__ = ["OTHER", "measure_shell_shapes"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OTHER = "other"
"""Label of shells with fewer donors than the smallest reference, or more than the largest."""
_COST = np.array([0.0, 0.0, 0.0, 0.0, 0.01, 0.02, 0.07, 0.55, 4.5, 27.0, 0.0])
"""Milliseconds that a shell of so many donors takes; only their proportions matter."""
_BUDGET = 2000.0
"""Milliseconds for all shells; beyond, only every n-th snapshot is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matches:
    """Shells of one replica and the references they are closest to."""

    number: Ints
    """Donors of each cation in each snapshot, shape ``(n_snapshots, n_cations)``."""
    best: Ints
    """Ten times the number of donors plus the place of the closest reference; -1 for none."""
    closest: Floats
    """Shape measure against it; nan for none."""
    total: dict[int, Floats]
    """Sum of the measures against every reference, by number of donors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One shape around one cation."""

    cation: str
    label: str
    name: str
    fraction: float
    error: float
    measure: float = float("nan")
    measure_error: float = float("nan")
    overall: float = float("nan")


def measure_shell_shapes(
    scene: Scene,
    tables: Sequence[ContactTable],
    albums: Sequence[Album],
    *,
    events: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Find the closest ideal polyhedron of every first shell in the snapshots.

    Parameters
    ----------
    scene
        Species.
    tables, albums
        Contacts and snapshots, one of each per replica.
    events
        Exchanges by cation and ligand; the rarest of a cation decides how many independent
        samples there are, see `member_error`.
    """
    import xarray as xr

    names = [s.name for s in scene.species]
    vectors = [find_vectors(scene, t, a) for t, a in zip(tables, albums, strict=True)]
    numbers = [_count(scene, t, a, v) for t, a, v in zip(tables, albums, vectors, strict=True)]
    cost = sum(float(_COST[np.minimum(n, LARGEST + 1)].sum()) for n in numbers)
    stride = max(1, int(np.ceil(cost / _BUDGET)))
    matches = [
        _match(scene, t, v, n, stride) for t, v, n in zip(tables, vectors, numbers, strict=True)
    ]
    rows: list[_Row] = []
    for cation in scene.list_role("cation"):
        fewest = None
        if events is not None:
            mine = [n for p, n in events.items() if p.startswith(f"{cation.name}-")]
            fewest = min(mine, default=0)
        rows += _list_rows(scene, matches, cation.name, names.index(cation.name), fewest)

    def attrs(text: str) -> dict[str, str]:
        return {"units": "1", "long_name": text}

    def column(key: str, text: str) -> tuple[str, list[object], dict[str, str]]:
        return ("shape", [getattr(row, key) for row in rows], attrs(text))

    return xr.Dataset(
        {
            "cation": column("cation", "cation"),
            "label": column("label", "label as in the SHAPE program"),
            "name": column("name", "name of the shape"),
            "fraction": column("fraction", "fraction of cations whose shell is closest to it"),
            "fraction_stderr": column("error", "standard error of that fraction"),
            "measure": column("measure", "mean shape measure of the shells closest to it"),
            "measure_stderr": column("measure_error", "standard error of that mean"),
            "measure_overall": column(
                "overall", "mean shape measure of all shells with as many donors"
            ),
        },
        attrs={
            "snapshots": sum(len(m.best) for m in matches),
            "shells": sum(int((m.best >= 0).sum()) for m in matches),
        },
    )


def _count(
    scene: Scene, table: ContactTable, album: Album, vectors: tuple[Ints, Ints, Floats]
) -> Ints:
    """Count the donors of every cation in the snapshots."""
    n_cations = list_ions(scene).n_cations
    rows, shot, _ = vectors
    flat = shot * n_cations + table.contacts["cation"][rows]
    counts = np.bincount(flat, minlength=len(album.frames) * n_cations)
    return counts.reshape(len(album.frames), n_cations).astype(np.int64)


def _match(
    scene: Scene,
    table: ContactTable,
    vectors: tuple[Ints, Ints, Floats],
    number: Ints,
    stride: int,
) -> _Matches:
    """Measure the shells of every ``stride``-th snapshot."""
    n_cations = list_ions(scene).n_cations
    rows, shot, vector = vectors
    chosen = shot % stride == 0
    flat = shot[chosen] // stride * n_cations + table.contacts["cation"][rows[chosen]]
    number = number[::stride]
    size = number.ravel()
    best, closest = np.full(size.shape, -1, dtype=np.int64), np.full(size.shape, np.nan)
    total = {}
    for n in range(SMALLEST, LARGEST + 1):
        cells = np.flatnonzero(size == n)
        if not len(cells):
            continue
        found = measure_shapes(vector[chosen][size[flat] == n].reshape(-1, n, 3))
        best[cells] = 10 * n + found.argmin(axis=1)
        closest[cells] = found.min(axis=1)
        every = np.zeros((len(size), found.shape[1]))
        every[cells] = found
        total[n] = every.reshape(*number.shape, -1).sum(axis=0)
    return _Matches(
        number=number, best=best.reshape(number.shape), closest=closest.reshape(number.shape),
        total=total,
    )  # fmt: skip


def _list_rows(
    scene: Scene, matches: Sequence[_Matches], cation: str, index: int, fewest: int | None
) -> list[_Row]:
    """List every shape with as many vertices as some shell of the cation has donors."""
    mine = list_ions(scene).cation_species == index
    rows = []
    size = max(sum(m.best[:, mine].size for m in matches), 1)

    def add(label: str, name: str, masks: Sequence[npt.NDArray[np.bool_]], **more: float) -> None:
        rows.append(
            _Row(
                cation=cation, label=label, name=name,
                fraction=sum(int(m.sum()) for m in masks) / size,
                error=member_error(masks, n_events=fewest), **more,
            )
        )  # fmt: skip

    for n in range(SMALLEST, LARGEST + 1):
        shells = sum(int((m.number[:, mine] == n).sum()) for m in matches)
        if not shells:
            continue
        overall = sum(m.total[n][mine].sum(axis=0) for m in matches if n in m.total) / shells
        for i, shape in enumerate(list_polyhedra(n)):
            masks = [m.best[:, mine] == 10 * n + i for m in matches]
            here = sum(int(mask.sum()) for mask in masks)
            more = {"overall": float(np.asarray(overall)[i])}
            if here:
                values = [
                    np.where(mask, m.closest[:, mine], 0.0)
                    for mask, m in zip(masks, matches, strict=True)
                ]
                more["measure"] = sum(float(v.sum()) for v in values) / here
                more["measure_error"] = ratio_error(values, masks)
            add(shape.label, shape.name, masks, **more)
    add(
        OTHER, f"fewer than {SMALLEST} donors, or more than {LARGEST}",
        [m.best[:, mine] < 0 for m in matches],
    )  # fmt: skip
    return rows
