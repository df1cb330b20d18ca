"""Coordination numbers: donor atoms in the first shell of the cations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import ContactTable, list_ions
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import member_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["count_donors", "measure_coordination"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.integer]


def count_donors(scene: Scene, table: ContactTable) -> Counts:
    """Count the contacts of each cation in each frame by site.

    Returns
    -------
    Shape ``(n_frames, n_cations, n_sites)``, sites in the order of the scene.
    """
    n_cations, n_sites = list_ions(scene).n_cations, len(scene.sites)
    site = np.zeros(scene.n_atoms, dtype=np.int64)
    for i, donors in enumerate(scene.sites):
        site[donors.atoms] = i
    parts = []
    for piece in table.split():
        rows = piece.contacts
        owner = rows["frame"].astype(np.int64) * n_cations + rows["cation"]
        flat = owner * n_sites + site[rows["atom"]]
        counts = np.bincount(flat, minlength=piece.n_frames * n_cations * n_sites)
        parts.append(counts.reshape(piece.n_frames, n_cations, n_sites).astype(np.int8))
    return np.concatenate(parts)


def measure_coordination(
    scene: Scene,
    tables: Sequence[ContactTable],
    pairs: Sequence[tuple[str, str]],
    *,
    events: Mapping[str, int] | None = None,
    series: bool = False,
    donors: Sequence[Counts] | None = None,
) -> xr.Dataset:
    """Average the number of donor atoms per cation, by site, by ligand and in total.

    Parameters
    ----------
    scene
        Species and sites.
    tables
        Contacts, one table per replica.
    pairs
        Cation species and site, e.g. ``("Mg", "DME.O")``.
    events
        Exchanges by cation and ligand, e.g. ``"Mg-DME"``; they decide how many independent
        samples there are, see `member_error`.
    series
        Whether to keep the number of every cation in every frame, as ``number_series``.
    donors
        From `count_donors`, one per replica, if at hand.
    """
    import xarray as xr

    ions = list_ions(scene)
    found = donors or [count_donors(scene, table) for table in tables]
    names = [s.name for s in scene.species]
    sites = [s.name for s in scene.sites]
    cations = [s.name for s in scene.list_role("cation")]
    ligands = list(dict.fromkeys((c, scene.find_site(site).species) for c, site in pairs))

    def count(cation: str, wanted: Sequence[str]) -> list[Counts]:
        """Count the donors of some sites around the cations of a species."""
        mine = ions.cation_species == names.index(cation)
        columns = [sites.index(name) for name in wanted]
        return [f[:, mine][..., columns].sum(axis=2, dtype=np.int16) for f in found]

    by_ligand, by_ligand_error = [], []
    for cation, ligand in ligands:
        counts = count(cation, [s.name for s in scene.sites if s.species == ligand])
        by_ligand.append(_mean(counts))
        n_events = events[f"{cation}-{ligand}"] if events else None
        by_ligand_error.append(member_error(counts, n_events=n_events))
    number, error, spread = [], [], []
    for cation, site in pairs:
        counts = count(cation, [site])
        number.append(_mean(counts))
        ligand = f"{cation}-{scene.find_site(site).species}"
        error.append(member_error(counts, n_events=events[ligand] if events else None))
        spread.append(_distribution(counts))
    total, total_error, total_spread = [], [], []
    for cation in cations:
        counts = count(cation, [site for of, site in pairs if of == cation])
        total.append(_mean(counts))
        fewest = min(
            (n for p, n in (events or {}).items() if p.startswith(f"{cation}-")), default=0
        )
        total_error.append(member_error(counts, n_events=fewest if events else None))
        total_spread.append(_distribution(counts))
    largest = max((len(x) for x in (*spread, *total_spread)), default=1)
    text = "number of coordinating atoms"

    def attrs(long_name: str) -> dict[str, str]:
        return {"units": "1", "long_name": long_name}

    dataset = xr.Dataset(
        {
            "number": ("pair", number, attrs(text)),
            "number_stderr": ("pair", error, attrs(f"standard error of the {text}")),
            "by_ligand": ("ligand", by_ligand, attrs(f"{text} of the ligand")),
            "by_ligand_stderr": ("ligand", by_ligand_error, attrs(f"standard error of the {text}")),
            "total": ("cation", total, attrs(f"{text}, all sites")),
            "total_stderr": ("cation", total_error, attrs(f"standard error of the {text}")),
            "distribution": (
                ("pair", "count"), _stack(spread, largest), attrs("fraction of cations"),
            ),
            "total_distribution": (
                ("cation", "count"), _stack(total_spread, largest), attrs("fraction of cations"),
            ),
        },
        coords={"pair": ["-".join(p) for p in pairs], "cation": cations,
                "ligand": ["-".join(p) for p in ligands], "count": np.arange(largest)},
    )  # fmt: skip
    return _add_series(scene, dataset, tables, found, pairs) if series else dataset


def _add_series(
    scene: Scene,
    dataset: xr.Dataset,
    tables: Sequence[ContactTable],
    donors: Sequence[Counts],
    pairs: Sequence[tuple[str, str]],
) -> xr.Dataset:
    """Add the number of donors of every cation in every frame, replica after replica."""
    ions = list_ions(scene)
    names, sites = ([x.name for x in own] for own in (scene.species, scene.sites))
    together = np.concatenate(donors)
    counts = []
    for cation, site in pairs:
        mine = ions.cation_species == names.index(cation)
        # What is another cation's is not this pair's.
        counts.append(np.where(mine, together[..., sites.index(site)], 0))
    replica = np.repeat([t.replica for t in tables], [t.n_frames for t in tables])
    species = [scene.species[i].name for i in ions.cation_species]
    unit = {"units": "1"}
    values = np.array(counts, dtype=np.int16)
    text = {**unit, "long_name": "coordinating atoms of each cation in each frame"}
    return dataset.assign(
        number_series=(("pair", "sample", "ion"), values, text)
    ).assign_coords(
        replica=("sample", replica, {**unit, "long_name": "replica of the sample"}),
        time=(
            "sample", np.concatenate([t.times for t in tables]),
            {"units": "ps", "long_name": "time in its replica"},
        ),
        ion_species=("ion", species),
    )  # fmt: skip


def _mean(counts: Sequence[Counts]) -> float:
    return float(sum(c.sum() for c in counts) / max(sum(c.size for c in counts), 1))


def _distribution(counts: Sequence[Counts]) -> Floats:
    together = np.concatenate([c.ravel() for c in counts])
    return np.bincount(together) / max(len(together), 1)


def _stack(rows: Sequence[Floats], width: int) -> Floats:
    out = np.zeros((len(rows), width))
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out
