"""Compositions of the first shell, and a real frame that shows each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from solvation.analyze.contact import STRETCH, ContactTable, list_ions, list_ligands
from solvation.analyze.cutout import extract_shell
from solvation.analyze.topology import Scene
from solvation.analyze.way import Way, Ways, find_ways
from solvation.kernels.order import narrow
from solvation.kernels.uncertainty import member_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["count_shells", "measure_shells", "name_motif", "name_shell"]

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.integer[Any]]

_DRAWN = 6
"""Compositions that the report draws."""


def name_shell(cation: str, ligands: Sequence[tuple[str, int]]) -> str:
    """Write the composition of a shell: every count written, so that ``1`` is seen.

    Examples
    --------
    >>> name_shell("Mg", [("DME", 2), ("TFSI", 1)])
    'Mg(DME)2(TFSI)1'
    """
    return cation + "".join(f"({name}){count}" for name, count in ligands if count)


def name_motif(cation: str, ligands: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Write a shell with the denticity of every ligand, species by species.

    Examples
    --------
    >>> name_motif("Mg", [("DME", [2, 2]), ("TFSI", [2])])
    'Mg(DME)2(TFSI)1 [2+2 | 2]'
    """
    bound = [(name, sorted(many, reverse=True)) for name, many in ligands if many]
    shell = name_shell(cation, [(name, len(many)) for name, many in bound])
    if not bound:
        return shell
    return f"{shell} [{' | '.join('+'.join(str(n) for n in many) for _, many in bound)}]"


def count_shells(scene: Scene, table: ContactTable) -> Ints:
    """Count the distinct molecules of each species bound to each cation in each frame.

    Returns
    -------
    Shape ``(n_frames, n_cations, n_species)``, species in the order of the scene.
    """
    n_c, n_s = list_ions(scene).n_cations, len(scene.species)
    parts = []
    for piece in table.split():
        ligands, _ = list_ligands(scene, piece)
        species = scene.molecule_species[ligands[:, 2]]
        flat = (ligands[:, 0] * n_c + ligands[:, 1]) * n_s + species
        counts = np.bincount(flat, minlength=piece.n_frames * n_c * n_s)
        parts.append(counts.reshape(piece.n_frames, n_c, n_s).astype(np.int16))
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kinds:
    """First shells that differ as graphs: in who is bound, through what, closing which rings."""

    of: tuple[Shorts, ...]
    """Kind of each cation's shell, ``(n_frames, n_cations)`` per replica."""
    shells: tuple[str, ...]
    """Composition of each kind."""
    motifs: tuple[str, ...]
    """Composition with denticities of each kind."""
    cations: tuple[str, ...]
    """Central species of each kind."""


def _sort_shells(scene: Scene, ways: Sequence[Way], found: Sequence[Ways]) -> _Kinds:
    ions = list_ions(scene)
    rng = np.random.default_rng(1)
    number = rng.integers(1, 2**63, size=len(ways), dtype=np.uint64)
    own = rng.integers(1, 2**63, size=len(scene.species), dtype=np.uint64)
    # A shell is the sum of random numbers of its parts: equal sums are equal shells.
    known: dict[int, int] = {}
    examples: list[tuple[int, int, int]] = []
    of = []
    for replica, f in enumerate(found):
        pieces = []
        for start in range(0, max(len(f.counts), 1), STRETCH):
            counts = f.counts[start : start + STRETCH]
            total = np.broadcast_to(own[ions.cation_species], counts.shape[:2]).copy()
            for k, one in enumerate(number):
                total += counts[..., k].astype(np.uint64) * one
            codes, first, which = np.unique(total, return_index=True, return_inverse=True)
            for code, place in zip(codes.tolist(), first.tolist(), strict=True):
                if code not in known:
                    known[code] = len(known)
                    frame, cation = divmod(place, ions.n_cations)
                    examples.append((replica, start + frame, cation))
            kinds = narrow(np.array([known[code] for code in codes.tolist()], dtype=np.int64))
            pieces.append(kinds[which.reshape(total.shape)])
        of.append(np.concatenate(pieces))
    order = [s.name for s in scene.species if s.role == "solvent"]
    order += [s.name for s in scene.species if s.role != "solvent"]
    shells, motifs, cations = [], [], []
    for replica, frame, cation in examples:
        counts = found[replica].counts[frame, cation].tolist()
        bound = [
            (w.ligand, w.denticity) for w, n in zip(ways, counts, strict=True) for _ in range(n)
        ]
        ligands = [(name, [d for other, d in bound if other == name]) for name in order]
        name = scene.species[int(ions.cation_species[cation])].name
        shells.append(name_shell(name, [(n, len(many)) for n, many in ligands]))
        motifs.append(name_motif(name, ligands))
        cations.append(name)
    return _Kinds(of=tuple(of), shells=tuple(shells), motifs=tuple(motifs), cations=tuple(cations))


def _count_kinds(of: Sequence[Shorts], n_kinds: int) -> Ints:
    """Count how often each kind occurs in all replicas, in bounded memory."""
    counts = np.zeros(n_kinds, dtype=np.int64)
    for kinds in of:
        for start in range(0, len(kinds), STRETCH):
            counts += np.bincount(kinds[start : start + STRETCH].ravel(), minlength=n_kinds)
    return counts


def _rank(
    names: Sequence[str], of: Sequence[Shorts], rarest: int | None
) -> tuple[list[str], list[float], list[float]]:
    """Rank names by population: names, fractions, standard errors."""
    unique = sorted(set(names))
    index = narrow(np.array([unique.index(name) for name in names], dtype=np.int64))
    merged = [index[kind] for kind in of]
    counts = _count_kinds(merged, len(unique))
    size = max(sum(m.size for m in merged), 1)
    order = sorted(range(len(unique)), key=lambda k: (-int(counts[k]), unique[k]))
    return (
        [unique[k] for k in order],
        [int(counts[k]) / size for k in order],
        [member_error([m == k for m in merged], n_events=rarest) for k in order],
    )


def measure_shells(
    scene: Scene,
    tables: Sequence[ContactTable],
    *,
    n_structures: int = 12,
    events: Mapping[str, int] | None = None,
    ways: tuple[Sequence[Way], Sequence[Ways]] | None = None,
) -> xr.Dataset:
    """Rank first shells by composition and by motif, and draw the most frequent from real frames.

    A *motif* is a composition with the denticity of each ligand. Structures differ as molecular
    graphs: in who is bound, through which elements, and in the chelate rings.

    Parameters
    ----------
    scene
        Species and frames.
    tables
        Contacts, one table per replica.
    n_structures
        How many graphs get a structure; unless it is 0, each of the first six compositions has
        one.
    events
        Exchanges by cation and ligand; the rarest decides how many independent samples there
        are, see `member_error`.
    ways
        From `find_ways`, if at hand.
    """
    import xarray as xr

    kinds = _sort_shells(scene, *(ways or find_ways(scene, tables)))
    rarest = None if events is None else min(events.values(), default=0)
    shells, fraction, error = _rank(kinds.shells, kinds.of, rarest)
    motifs, motif_fraction, motif_error = _rank(kinds.motifs, kinds.of, rarest)
    counts = _count_kinds(kinds.of, len(kinds.shells))
    order = sorted(range(len(kinds.shells)), key=lambda k: (-int(counts[k]), kinds.motifs[k]))
    # The most frequent graphs, and in any case that of each of the first compositions.
    first = [next(k for k in order if kinds.shells[k] == shell) for shell in shells]
    drawn = sorted({*order[:n_structures], *first[: min(_DRAWN, n_structures)]}, key=order.index)
    size = max(int(counts.sum()), 1)
    structures = {}
    lengths = [_average_lengths(scene, table) for table in tables]
    places = {k: _pick(lengths, kinds.of, k) for k in {*drawn, *first}}
    for k in drawn:
        replica, frame, cation = places[k]
        structures[k] = json.dumps(extract_shell(scene, tables[replica], frame, cation))
    parent = dict(zip(kinds.motifs, kinds.shells, strict=True))
    text = "fraction of cations with this first shell"

    def attrs(long_name: str, unit: str = "1") -> dict[str, str]:
        return {"units": unit, "long_name": long_name}

    json_text = attrs("elements, positions, bonds, contacts, charge, multiplicity (JSON)", "Å")
    return xr.Dataset(
        {
            "fraction": ("shell", fraction, attrs(text)),
            "fraction_stderr": ("shell", error, attrs(f"standard error of the {text}")),
            "structure": (
                "shell", np.array([structures.get(k, "") for k in first], dtype=object), json_text,
            ),
            "frame": ("shell", [places[k][1] for k in first], attrs("frame of the structure")),
            "replica": (
                "shell", [tables[places[k][0]].replica for k in first],
                attrs("replica of the structure"),
            ),
            "motif_fraction": ("motif", motif_fraction, attrs(text)),
            "motif_fraction_stderr": ("motif", motif_error, attrs(f"standard error of the {text}")),
            "motif_shell": ("motif", [parent[m] for m in motifs], attrs("composition")),
            "graph": (
                "structure_index", np.array([structures[k] for k in drawn], dtype=object),
                json_text,
            ),
            "graph_motif": (
                "structure_index", [kinds.motifs[k] for k in drawn], attrs("motif of the graph"),
            ),
            "graph_fraction": (
                "structure_index", [int(counts[k]) / size for k in drawn],
                attrs("fraction of cations with this graph"),
            ),
        },
        coords={"shell": shells, "motif": motifs},
    )  # fmt: skip


def _average_lengths(scene: Scene, table: ContactTable) -> npt.NDArray[np.float32]:
    """Average the contacts of each cation in each frame, Å, shape ``(n_frames, n_cations)``."""
    n_c = list_ions(scene).n_cations
    average = np.empty((table.n_frames, n_c), dtype=np.float32)
    for start, stop in table.list_stretches():
        piece = table.cut(start, stop)
        flat = piece.contacts["frame"].astype(np.int64) * n_c + piece.contacts["cation"]
        size = piece.n_frames * n_c
        bonds = np.bincount(flat, minlength=size)
        total = np.bincount(flat, weights=piece.contacts["distance"], minlength=size)
        average[start:stop] = (total / np.maximum(bonds, 1)).reshape(-1, n_c)
    return average


def _pick(
    lengths: Sequence[npt.NDArray[np.float32]], of: Sequence[Shorts], kind: int
) -> tuple[int, int, int]:
    """Choose the occurrence whose mean bond length is the median: ordinary, and no chance."""
    found = np.concatenate([mean[kinds == kind] for mean, kinds in zip(lengths, of, strict=True)])
    middle = len(found) // 2
    value = np.partition(found, middle)[middle]
    # Of those that are as long, the one that is in the middle if equals stay in order.
    nth = middle - int(np.count_nonzero(found < value))
    place = int(np.flatnonzero(found == value)[nth])
    # Back from the place among all replicas to replica, frame and cation.
    replica = 0
    while place >= (count := int(np.count_nonzero(of[replica] == kind))):
        place -= count
        replica += 1
    flat = int(np.flatnonzero(of[replica] == kind)[place])
    frame, cation = divmod(flat, of[replica].shape[1])
    return replica, frame, cation
