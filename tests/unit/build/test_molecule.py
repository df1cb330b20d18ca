"""Molecules and shells: every asked donor at its distance, nothing else in the way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from solvation.build.molecule import (
    SHELLS,
    Cluster,
    embed_cluster,
    embed_molecule,
    pick_donors,
)
from solvation.errors import PackingError
from solvation.library import find_species, list_species

MOLECULES = [species for species in list_species() if species.n_atoms > 1]


@pytest.mark.parametrize("species", MOLECULES, ids=lambda s: s.name)
def test_a_molecule_has_the_shape_of_its_graph(species) -> None:
    molecule = embed_molecule(species, seed=3)
    assert molecule.name == species.name
    assert molecule.elements == species.elements
    assert set(map(frozenset, molecule.bonds)) == set(map(frozenset, species.bonds))
    assert molecule.positions.shape == (species.n_atoms, 3)
    np.testing.assert_allclose(molecule.positions.mean(axis=0), 0.0, atol=1e-9)
    x = molecule.positions
    lengths = [np.linalg.norm(x[i] - x[j]) for i, j in species.bonds]
    assert min(lengths) > 0.9
    assert max(lengths) < 2.3
    bonded = set(map(frozenset, species.bonds))
    for i, j in itertools.combinations(range(species.n_atoms), 2):
        if frozenset((i, j)) not in bonded:
            assert np.linalg.norm(molecule.positions[i] - molecule.positions[j]) > 1.2


def measure_angles(x: np.ndarray, centre: int, others: list[int]) -> list[float]:
    """Angles at an atom in degrees, by pair of `others`, sorted."""
    rays = x[others] - x[centre]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    cosines = [rays[i] @ rays[j] for i, j in itertools.combinations(range(len(others)), 2)]
    return sorted(np.degrees(np.arccos(np.clip(cosines, -1, 1))))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hexafluorophosphate_is_an_octahedron(seed: int) -> None:
    x = embed_molecule(find_species("PF6"), seed=seed).positions
    angles = measure_angles(x, 0, [1, 2, 3, 4, 5, 6])
    assert angles[:12] == pytest.approx([90.0] * 12, abs=4)
    assert angles[12:] == pytest.approx([180.0] * 3, abs=4)


def test_hexafluorophosphate_bound_to_a_cation_is_an_octahedron() -> None:
    pf6, dme = find_species("PF6"), find_species("DME")
    single = pick_donors(pf6, single=True)
    cluster = embed_cluster(
        find_species("Mg"), [(pf6, single), (pf6, single), (dme, pick_donors(dme))], seed=4
    )
    for molecule in cluster.molecules[1:3]:
        angles = measure_angles(molecule.positions, 0, [1, 2, 3, 4, 5, 6])
        assert angles[:12] == pytest.approx([90.0] * 12, abs=10)
        assert angles[12:] == pytest.approx([180.0] * 3, abs=15)


def test_an_ion_is_a_point_and_the_seed_decides_the_shape() -> None:
    assert embed_molecule(find_species("Mg"), seed=1).positions.tolist() == [[0.0, 0.0, 0.0]]
    dme = find_species("DME")
    first, again, other = (embed_molecule(dme, seed=seed).positions for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_atom_names_are_elements_and_numbers() -> None:
    names = embed_molecule(find_species("DME"), seed=1).atom_names
    assert names[:6] == ("C1", "O1", "C2", "C3", "O2", "C4")
    assert len(set(names)) == 16


@pytest.mark.parametrize(
    ("name", "elements"),
    [("DME", "OO"), ("G2", "OOO"), ("G4", "OOOOO"), ("THF", "O"), ("ACN", "N"), ("EC", "O"),
     ("TFSI", "OOOO"), ("OTf", "OOO"), ("BF4", "FFFF"), ("PF6", "FFFFFF"), ("ClO4", "OOOO")],
)  # fmt: skip
def test_donors(name: str, elements: str) -> None:
    species = find_species(name)
    donors = pick_donors(species)
    assert "".join(species.elements[i] for i in donors) == elements
    assert pick_donors(species, single=True) == donors[:1]
    neighbours = {i: sum(i in bond for bond in species.bonds) for i in donors}
    if name in ("EC", "TFSI", "OTf"):  # carbonyl and sulfonyl oxygens, not the ring's or N
        assert set(neighbours.values()) == {1}


# Shells -------------------------------------------------------------------------------------

ALL = None
"""Every donor of a ligand."""
SHAPES = [
    ("Mg", [("DME", ALL)] * 3),
    ("Ca", [("DME", ALL)] * 4),
    ("Mg", [("TFSI", 1), ("TFSI", 1), ("DME", ALL), ("DME", ALL)]),
    ("Li", [("DME", ALL)] * 2),
    ("Li", [("TFSI", 1), ("DME", ALL), ("DME", 1)]),
    ("Mg", [("G2", ALL)] * 2),
    ("Mg", [("G3", ALL), ("G3", 2)]),
    ("Mg", [("G4", ALL), ("G4", 1)]),
    ("Ca", [("G4", ALL), ("G3", 3)]),
    ("Mg", [("THF", ALL)] * 6),
    ("Ca", [("BF4", 1), ("BF4", 1), ("THF", ALL), ("THF", ALL), ("THF", ALL), ("THF", ALL)]),
    ("Mg", [("ACN", ALL)] * 6),
]


def build(cation: str, ligands: list[tuple[str, int | None]], seed: int) -> tuple[Cluster, int]:
    """A cluster, and how many donors it was asked for."""
    bound = [
        (find_species(name), pick_donors(find_species(name))[:number]) for name, number in ligands
    ]
    return embed_cluster(find_species(cation), bound, seed=seed), sum(len(d) for _, d in bound)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("cation", "ligands"),
    SHAPES,
    ids=lambda x: x if isinstance(x, str) else "+".join(n for n, _ in x),
)
def test_a_shell_is_full_and_free_of_clashes(
    cation: str, ligands: list[tuple[str, int | None]], seed: int
) -> None:
    cluster, asked = build(cation, ligands, seed)
    assert [molecule.name for molecule in cluster.molecules] == [cation, *(n for n, _ in ligands)]
    np.testing.assert_array_equal(cluster.molecules[0].positions, [[0.0, 0.0, 0.0]])
    distance = SHELLS[cation].distance
    near = sum(
        int((np.abs(np.linalg.norm(m.positions, axis=1) - distance) <= 0.25).sum())
        for m in cluster.molecules[1:]
    )
    reach = np.concatenate([np.linalg.norm(m.positions, axis=1) for m in cluster.molecules[1:]])
    assert near == asked
    assert reach.min() > distance - 0.25
    for a, b in itertools.combinations(cluster.molecules, 2):
        gaps = np.linalg.norm(a.positions[:, None] - b.positions[None], axis=2)
        assert gaps.min() > 1.2, (a.name, b.name)
    for molecule in cluster.molecules[1:]:  # ligands keep their bonds
        lengths = [
            np.linalg.norm(molecule.positions[i] - molecule.positions[j]) for i, j in molecule.bonds
        ]
        assert min(lengths) > 0.85
        assert max(lengths) < 2.3


def test_no_hydrogen_is_pressed_onto_the_cation() -> None:
    """With this seed the first shape in reach has one 0.94 angstrom from Ca."""
    cluster, _ = build("Ca", [("DME", ALL)] * 4, 50)
    donors = list(pick_donors(find_species("DME")))
    for molecule in cluster.molecules[1:]:
        others = np.delete(molecule.positions, donors, axis=0)
        assert np.linalg.norm(others, axis=1).min() > 1.8


def test_the_seed_decides_the_shell() -> None:
    first, again, other = (build("Mg", [("DME", ALL)] * 3, seed)[0] for seed in (1, 1, 2))
    positions = [np.concatenate([m.positions for m in c.molecules]) for c in (first, again, other)]
    np.testing.assert_array_equal(positions[0], positions[1])
    assert np.abs(positions[0] - positions[2]).max() > 0.1


def test_both_hands_of_the_propeller_come_out() -> None:
    """Three chelates around a cation are a propeller; neither hand may be preferred."""
    hands = []
    for seed in range(1, 13):
        cluster, _ = build("Mg", [("DME", ALL)] * 3, seed)
        donors = list(pick_donors(find_species("DME")))
        hands.append(measure_twist([m.positions[donors] for m in cluster.molecules[1:]]) > 0)
    assert 2 <= sum(hands) <= 10


def measure_twist(chelates: list) -> float:
    """Helicity of the chelate edges about the threefold axis; its sign is the hand."""
    mids = [chelate.mean(axis=0) for chelate in chelates]
    axis = np.cross(mids[1] - mids[0], mids[2] - mids[0])
    twist = 0.0
    for chelate, mid in zip(chelates, mids, strict=True):
        edge = chelate[1] - chelate[0]
        if edge @ axis < 0:
            edge = -edge
        twist += float(np.cross(axis, mid) @ edge)
    return twist


def test_a_crowded_shell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solvation.build.molecule._measure_gap", lambda *_: 1.0)
    with pytest.raises(PackingError, match="do not fit"):
        build("Mg", [("ACN", ALL)] * 2, 1)


def test_failures_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from rdkit.Chem import rdDistGeom

    monkeypatch.setattr(rdDistGeom, "EmbedMolecule", lambda *_: -1)
    dme = find_species("DME")
    with pytest.raises(PackingError, match="DME, DME do not fit around Mg; start from random"):
        embed_cluster(find_species("Mg"), [(dme, pick_donors(dme))] * 2, seed=1)
    with pytest.raises(PackingError, match="DME: no shape found for COCCOC"):
        embed_molecule(dme, seed=1)
