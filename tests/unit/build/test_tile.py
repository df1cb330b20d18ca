"""Tiles: every molecule asked for, none twice in a place, none touching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from solvation.build import packing, tile
from solvation.build.composition import Composition
from solvation.build.packing import pack_box
from solvation.build.tile import choose_tiles, fill_tile, lay_tiles
from solvation.library import find_species

EDGE = 40.0


def make_tile(numbers: list[int], sizes: list[int], tiles: int) -> np.ndarray:
    """Bodies as short rods on a lattice, so that every atom is known by its place."""
    copies = fill_tile(numbers, tiles)
    side = int(np.ceil(sum(copies) ** (1 / 3)))
    step = EDGE / tiles / side
    sites = np.stack(np.unravel_index(np.arange(sum(copies)), (side,) * 3), axis=1) * step
    kinds = np.repeat(np.arange(len(copies)), copies)
    return np.concatenate(
        [site + 0.01 * np.arange(sizes[k])[:, None] for site, k in zip(sites, kinds, strict=True)]
    )


@pytest.mark.parametrize(
    ("n_atoms", "tiles"), [(300, 1), (8_000, 1), (8_001, 2), (100_000, 3), (1_000_000, 7)]
)
def test_tiles_stay_small_enough_to_pack(n_atoms: int, tiles: int) -> None:
    assert choose_tiles(n_atoms) == tiles
    assert n_atoms / tiles**3 <= 8_000


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    tiles=st.integers(2, 3),
    seed=st.integers(0, 2**31),
)
def test_every_body_is_there_as_often_as_asked(numbers: list[int], tiles: int, seed: int) -> None:
    sizes = [k + 1 for k in range(len(numbers))]
    whole = make_tile(numbers, sizes, tiles)
    box = lay_tiles(whole, sizes, numbers, tiles=tiles, edge=EDGE, seed=seed)
    assert len(box) == sum(n * size for n, size in zip(numbers, sizes, strict=True))
    first = 0
    for size, number in zip(sizes, numbers, strict=True):
        bodies = box[first : first + size * number].reshape(number, size, 3)
        first += size * number
        # pushed as a whole, so that its shape is that of the tile's
        rod = np.repeat(0.01 * np.arange(size)[:, None], 3, axis=1)
        np.testing.assert_allclose(bodies - bodies[:, :1], np.tile(rod, (number, 1, 1)), atol=1e-9)
        # no place is taken twice, and tiles differ by at most one body
        where = np.floor((bodies[:, 0] + 0.3) / (EDGE / tiles)).astype(int) % tiles
        counts = np.bincount(np.ravel_multi_index(where.T, (tiles,) * 3), minlength=tiles**3)
        assert counts.max() - counts.min() <= 1
        distances, _ = cKDTree(bodies[:, 0]).query(bodies[:, 0], k=2) if number > 1 else ([9], 0)
        assert np.min(np.atleast_2d(distances)[:, -1]) > 0.1


def test_pushes_are_random_short_and_reproducible() -> None:
    whole = make_tile([640], [1], 2)
    box, again, other = (
        lay_tiles(whole, [1], [640], tiles=2, edge=EDGE, seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(box, again)
    assert not np.allclose(box, other)
    unpushed = (whole[None] + np.stack(np.meshgrid([0, 20.0], [0, 20.0], [0, 20.0], indexing="ij"),
                                       axis=-1).reshape(-1, 1, 3)).reshape(-1, 3)  # fmt: skip
    length = np.linalg.norm(box - unpushed, axis=1)
    assert length.max() <= 0.2
    # uniform in a sphere: half of the volume lies beyond 0.794 of the radius
    assert np.mean(length > 0.2 * 0.5 ** (1 / 3)) == pytest.approx(0.5, abs=0.07)


def test_a_tiled_box_is_a_packed_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, order, whole molecules, first shells and no contacts, across tiles too."""
    monkeypatch.setattr(tile, "_LARGEST", 1_000)
    counts = {"Mg": 9, "BF4": 17, "DME": 65}
    species = {name: find_species(name) for name in counts}
    volume = sum(n * (30.0 if species[k].n_atoms == 1 else 11.0 * species[k].n_atoms)
                 for k, n in counts.items())  # fmt: skip
    composition = Composition(counts=counts, salts={}, asked={}, volume=volume, mass=1.0)
    calls: list[int] = []
    packmol = packing._run_packmol

    def count(bodies, **choices):
        calls.append(sum(n * sum(len(m.elements) for m in one) for one, n in bodies))
        return packmol(bodies, **choices)

    monkeypatch.setattr(packing, "_run_packmol", count)
    box = pack_box(composition, species, start="separated", seed=5)
    assert len(calls) == 1
    assert calls[0] < len(box.positions) / 3
    names = [molecule.name for molecule in box.molecules]
    assert names == [name for name, n in counts.items() for _ in range(n)]
    owner = np.repeat(np.arange(len(names)), [len(m.elements) for m in box.molecules])
    tree = cKDTree(np.mod(box.positions, box.edge), boxsize=[box.edge] * 3)
    pairs = tree.query_pairs(1.59, output_type="ndarray")
    apart = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    assert len(apart) == 0
    for molecule in box.molecules:
        for i, j in molecule.bonds:
            assert np.linalg.norm(molecule.positions[i] - molecule.positions[j]) < 1.8
    oxygens = np.concatenate(
        [m.positions[[e == "O" for e in m.elements]] for m in box.molecules if m.name == "DME"]
    )
    cations = box.positions[: counts["Mg"]]
    near = cKDTree(oxygens).query_ball_point(cations, 2.5)
    assert [len(found) for found in near] == [6] * counts["Mg"]
