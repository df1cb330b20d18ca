r"""Clusters as carriers of charge: the Nernst–Einstein conductivity of what moves together.

A cluster is a connected part of the graph of cation–anion contacts, single ions included. Each
kind :math:`k` (so many of each ion) has a net charge, a mean number, and a diffusion coefficient
of its own, that of the centre of mass of its ions:

.. math:: \sigma_{cNE} = \frac{e^2}{V k_B T} \sum_k N_k z_k^2 D_k

(France-Lanord, Grossman, Phys. Rev. Lett. 2019, 122, 136001,
doi:10.1103/PhysRevLett.122.136001). Clusters exchange ions. A cluster is followed over a lag if
at the lag's beginning, middle and end it consists of the same ions, whatever happened in between:
contacts that only rattle break nothing. A kind of which none lasts that long is no carrier, and
its ions count one by one with the diffusion coefficients of their species; how much of the charge
is carried so is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.centre import Path
from solvation.analyze.contact import ContactTable, list_ions, list_ligands
from solvation.analyze.formula import name_cluster
from solvation.analyze.topology import Scene
from solvation.kernels.graph import label_components
from solvation.kernels.uncertainty import jackknife_error, largest_error, replica_error

__all__ = ["Carriers", "follow_clusters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

_GROUPS = 20
"""Groups of clusters per replica, from whose scatter the error comes."""
_ROWS = 400_000
"""Clusters looked at per replica; time origins are thinned so that there are no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriers:
    """Kinds of clusters, and the charge they carry."""

    names: tuple[str, ...]
    """E.g. ``"[MgTFSI]+"``; most frequent first."""
    charges: Ints
    """e, shape ``(n_kinds,)``."""
    numbers: Floats
    """Mean number in the box, shape ``(n_kinds,)``."""
    diffusion: Floats
    """m2/s of the clusters that lasted, nan where none did, shape ``(n_kinds,)``."""
    intact: Floats
    """Fraction of the clusters that were the same at the end of the lag, shape ``(n_kinds,)``."""
    charge_diffusion: float
    r""":math:`\sum N z^2 D` in e2 m2/s."""
    charge_diffusion_stderr: float
    """Its standard error."""
    separate: float
    """Share of it that comes from ions of clusters that did not last."""
    n_effective: float
    """Independent displacements of clusters."""
    low: float
    """Shorter lag in ps; D is read off the displacements between the two."""
    high: float
    """Longer lag in ps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Clusters at the time origins of one replica, a row each."""

    members: Ints
    """Ions of each ionic species, shape ``(n_rows, n_ionic)``."""
    group: Ints
    intact: npt.NDArray[np.bool_]
    growth: Floats
    """Å2 by which the squared displacement grew from one lag to the other."""
    n_origins: int


def follow_clusters(
    scene: Scene,
    tables: Sequence[ContactTable],
    paths: Sequence[Path],
    diffusion: Mapping[str, float],
    *,
    low: float,
    timestep: float,
) -> Carriers | None:
    """Follow every cluster over a lag, and sum the charge that all of them carry.

    Parameters
    ----------
    scene
        Species.
    tables, paths
        Contacts and centres of mass, one of each per replica.
    diffusion
        m2/s by ionic species, for the ions of clusters that do not last.
    low
        ps from which on single ions diffuse; D is read off the growth of squared displacements
        from there to twice that.
    timestep
        ps between frames.

    Returns
    -------
    None if the longer lag does not fit into the shortest replica.
    """
    first = max(1, round(low / timestep))
    last = 2 * first
    if any(len(path.times) <= last for path in paths):
        return None
    ionic = [s for s in scene.species if s.role != "solvent"]
    seen = [_follow(scene, t, p, first, last) for t, p in zip(tables, paths, strict=True)]
    kinds, which = np.unique(np.concatenate([s.members for s in seen]), axis=0, return_inverse=True)
    places = np.split(which.reshape(-1), np.cumsum([len(s.members) for s in seen])[:-1])
    charges = kinds @ np.array([s.charge for s in ionic], dtype=np.int64)
    single = kinds @ np.array([s.charge**2 * diffusion[s.name] for s in ionic])
    span = 2.0 * 3.0 * (last - first) * timestep / 1e-8

    def count(mask_of: str | None, weight: str | None = None) -> Floats:
        """Count by kind, replica and group, per origin."""
        out = []
        for s, place in zip(seen, places, strict=True):
            values = np.ones(len(place)) if weight is None else getattr(s, weight)
            if mask_of is not None:
                values = values * getattr(s, mask_of)
            flat = np.bincount(place * _GROUPS + s.group, values, len(kinds) * _GROUPS)
            out.append(flat.reshape(len(kinds), _GROUPS) / s.n_origins)
        return np.stack(out, axis=1)

    number, kept, growth = count(None), count("intact"), count("intact", "growth")

    numbers = number.sum(axis=(1, 2)) / len(seen)

    def total(parts: Ints) -> tuple[float, Floats]:
        """Return the carried charge, and D by kind, with D from some of the parts alone."""
        k, g = (x.reshape(len(kinds), -1) for x in (kept, growth))
        kept_all, growth_all = k.sum(axis=1), g.sum(axis=1)
        k, g = k[:, parts].sum(axis=1), g[:, parts].sum(axis=1)
        # A kind that the parts do not hold keeps the value of all.
        k, g = np.where(k > 0.0, k, kept_all), np.where(k > 0.0, g, growth_all)
        d = np.divide(g, k * span, out=np.full(len(g), np.nan), where=k > 0.0)
        return float(numbers @ np.where(np.isnan(d), single, charges**2 * d)), d

    n_parts = len(seen) * _GROUPS
    filled = np.flatnonzero(number.reshape(len(kinds), -1).sum(axis=0))
    value, own = total(np.arange(n_parts))
    lasting = ~np.isnan(own)
    spans = sum(float(p.times[-1] - p.times[0]) for p in paths)
    samples = kept.sum(axis=(1, 2)) / len(seen) * spans / (last * timestep)
    # What few samples scatter by, whether or not they happen to: a mean of 3 n squares.
    carried = numbers * np.where(lasting, charges**2 * np.nan_to_num(own), single)
    least = np.sqrt((carried**2 * 2.0 / (3.0 * np.maximum(samples, 1.0))).sum())
    rest = [total(np.setdiff1d(filled, [i]))[0] for i in filled]
    error = largest_error(float(jackknife_error(rest)), float(least))
    if len(seen) > 1:
        each = [total(np.arange(r * _GROUPS, (r + 1) * _GROUPS))[0] for r in range(len(seen))]
        error = largest_error(error, replica_error(each, [len(p.times) for p in paths]))
    apart = float(numbers @ np.where(lasting, 0.0, single))
    order = np.argsort(-numbers, kind="stable")
    names = [
        name_cluster(
            [(s.name, s.n_atoms, int(n)) for s, n in zip(ionic, kinds[i], strict=True)],
            int(charges[i]),
        )
        for i in order
    ]
    return Carriers(
        names=tuple(names), charges=charges[order], numbers=numbers[order],
        diffusion=own[order],
        intact=(kept.sum(axis=(1, 2)) / number.sum(axis=(1, 2)))[order],
        charge_diffusion=value, charge_diffusion_stderr=error,
        separate=apart / value if value else 0.0,
        n_effective=float(samples.sum()),
        low=first * timestep, high=last * timestep,
    )  # fmt: skip


def _follow(scene: Scene, table: ContactTable, path: Path, first: int, last: int) -> _Seen:
    """Look at the clusters of one replica at evenly spaced origins."""
    ions = list_ions(scene)
    molecules = np.concatenate([ions.cation_molecules, ions.anion_molecules])
    species = np.concatenate([ions.cation_species, ions.anion_species])
    ionic = [i for i, s in enumerate(scene.species) if s.role != "solvent"]
    rank = np.searchsorted(np.array(ionic, dtype=np.int64), species)
    mass = np.bincount(scene.molecule, weights=scene.masses)[molecules]
    keys = _name_members(scene, table)
    n_frames = len(path.times)
    stride = max(1, -(-(n_frames - last) * len(molecules) // _ROWS))
    origins = np.arange(0, n_frames - last, stride)
    members, groups, intacts, growths = [], [], [], []
    for t in origins:
        now = keys[t]
        _, lead, place = np.unique(now, return_index=True, return_inverse=True)
        place = place.reshape(-1)
        n = len(lead)
        counts = np.bincount(place * len(ionic) + rank, minlength=n * len(ionic))
        members.append(counts.reshape(n, len(ionic)))
        # The first ion leads: a cluster that stays the same stays in its group.
        groups.append(lead % _GROUPS)
        intacts.append((keys[t + first, lead] == now[lead]) & (keys[t + last, lead] == now[lead]))
        weight = np.bincount(place, weights=mass, minlength=n)
        start = path.positions[t, molecules]
        square = []
        for k in (first, last):
            moved = (path.positions[t + k, molecules] - start) * mass[:, None]
            centre = np.stack([np.bincount(place, moved[:, d], n) for d in range(3)], axis=1)
            square.append(((centre / weight[:, None]) ** 2).sum(axis=1))
        growths.append(square[1] - square[0])
    return _Seen(
        members=np.concatenate(members), group=np.concatenate(groups),
        intact=np.concatenate(intacts), growth=np.concatenate(growths), n_origins=len(origins),
    )  # fmt: skip


def _name_members(scene: Scene, table: ContactTable) -> Keys:
    """Give every ion in every frame a number that tells of which ions its cluster consists.

    Each ion has a random number of 64 bits, and a cluster the sum of those of its ions: the same
    for the same ions, whatever else changes. Shape ``(n_frames, n_ions)``.
    """
    ions = list_ions(scene)
    n_ions = ions.n_cations + ions.n_anions
    number = np.full(scene.n_molecules, -1, dtype=np.int64)
    number[ions.anion_molecules] = ions.n_cations + np.arange(ions.n_anions)
    # The same ions, the same numbers: nothing here is chance.
    own = np.random.default_rng(0).integers(0, 2**64, size=n_ions, dtype=np.uint64)
    pieces = []
    for piece in table.split():
        ligands, _ = list_ligands(scene, piece)
        anion = number[ligands[:, 2]]
        rows = ligands[anion >= 0]
        frame = rows[:, 0] * n_ions
        label = label_components(
            piece.n_frames * n_ions, frame + rows[:, 1], frame + anion[anion >= 0]
        )
        order = np.argsort(label, kind="stable")
        starts = np.flatnonzero(np.diff(label[order], prepend=-1))
        sums = np.add.reduceat(np.tile(own, piece.n_frames)[order], starts)
        pieces.append(sums[label].reshape(piece.n_frames, n_ions))
    return np.concatenate(pieces)
