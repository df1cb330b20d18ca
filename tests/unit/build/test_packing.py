"""Packing: nobody lost, nobody touching, the shells that were asked for."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation.build.composition import Composition, compose
from solvation.build.molecule import SHELLS
from solvation.build.packing import Packed, arrange, pack_box
from solvation.errors import PackingError
from solvation.library import Species, find_species
from solvation.recipe import parse_recipe


def make(counts: dict[str, int], *, spacious: float = 1.0) -> Composition:
    """A composition of any molecules, with about the volume they need."""
    volume = sum(
        n * (30.0 if find_species(name).n_atoms == 1 else 11.0 * find_species(name).n_atoms)
        for name, n in counts.items()
    )
    return Composition(counts=counts, salts={}, asked={}, volume=spacious * volume, mass=1.0)


def species_of(composition: Composition) -> dict[str, Species]:
    return {name: find_species(name) for name in composition.counts}


def count(clusters: list[Any], left: dict[str, int]) -> dict[str, int]:
    """All molecules, arranged or not."""
    total = dict(left)
    for cluster in clusters:
        for molecule in cluster.molecules:
            total[molecule.name] += 1
    return total


# Arranging ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "start", "shell"),
    [
        ({"Mg": 2, "TFSI": 4, "DME": 30}, "separated", ["Mg", "DME", "DME", "DME"]),
        ({"Mg": 2, "TFSI": 4, "DME": 30}, "contact", ["Mg", "TFSI", "TFSI", "DME", "DME"]),
        ({"Ca": 1, "TFSI": 2, "DME": 30}, "separated", ["Ca", "DME", "DME", "DME", "DME"]),
        ({"Li": 1, "TFSI": 1, "DME": 30}, "contact", ["Li", "TFSI", "DME", "DME"]),
        ({"Mg": 1, "TFSI": 2, "THF": 30}, "separated", ["Mg", *["THF"] * 6]),
        ({"Mg": 1, "TFSI": 2, "G4": 9}, "separated", ["Mg", "G4", "G4"]),
        # as much of each as there is of it, by its share
        (
            {"Mg": 1, "TFSI": 2, "DME": 15, "ACN": 1},
            "separated",
            ["Mg", "DME", "ACN", "DME", "DME"],
        ),
    ],
)
def test_starts(counts: dict[str, int], start: str, shell: list[str]) -> None:
    composition = make(counts)
    clusters, left = arrange(composition, species_of(composition), start=start, seed=1)
    assert [[m.name for m in cluster.molecules] for cluster in clusters] == [shell] * next(
        iter(counts.values())
    )
    assert count(clusters, left) == counts


def test_a_liquid_of_ions_alone_has_nothing_to_separate_them() -> None:
    composition = make({"Ca": 1, "Li": 9, "TFSI": 11})
    clusters, left = arrange(composition, species_of(composition), start="separated", seed=1)
    assert clusters == []
    assert left == composition.counts


def test_random_arranges_nothing() -> None:
    composition = make({"Mg": 2, "TFSI": 4, "DME": 30})
    clusters, left = arrange(composition, species_of(composition), start="random", seed=1)
    assert clusters == []
    assert left == composition.counts


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        {"Mg": st.integers(0, 6), "Li": st.integers(0, 6), "TFSI": st.integers(0, 6),
         "BF4": st.integers(0, 6), "DME": st.integers(0, 12), "THF": st.integers(0, 12)}
    ),
    st.sampled_from(["separated", "contact", "random"]),
)  # fmt: skip
def test_nobody_is_lost_or_made(counts: dict[str, int], start: str) -> None:
    """Also when there is too little of everything: shells are then filled with what there is."""
    counts = {name: n for name, n in counts.items() if n}
    if not counts:
        return
    composition = make(counts)
    clusters, left = arrange(composition, species_of(composition), start=start, seed=1)
    assert count(clusters, left) == counts
    assert all(n >= 0 for n in left.values())
    for cluster in clusters:
        n_anions = sum(m.name in ("TFSI", "BF4") for m in cluster.molecules)
        charge = find_species(cluster.molecules[0].name).charge
        assert n_anions <= (charge if start == "contact" else 0)


def test_shells_have_several_shapes() -> None:
    composition = make({"Mg": 12, "DME": 60})
    clusters, _ = arrange(composition, species_of(composition), start="separated", seed=1)
    shapes = {cluster.molecules[1].positions.tobytes() for cluster in clusters}
    assert len(shapes) >= 2


# Packing ------------------------------------------------------------------------------------


def measure_gap(packed: Packed) -> float:
    """Smallest distance between atoms of different molecules, with periodic images, in Å."""
    owner = np.repeat(np.arange(len(packed.molecules)), [len(m.elements) for m in packed.molecules])
    delta = packed.positions[:, None] - packed.positions[None]
    delta -= packed.edge * np.round(delta / packed.edge)
    distance = np.sqrt((delta**2).sum(axis=2))
    return float(distance[owner[:, None] != owner[None]].min())


@pytest.fixture(scope="module")
def boxes() -> dict[str, Packed]:
    recipe = parse_recipe(
        {
            "name": "x",
            "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
            "solvent": [{"name": "DME"}],
            "model": {"cutoff": "8 angstrom"},
            "box": {"cations": 2},
        }
    ).resolve("quick")
    composition = compose(recipe)
    return {
        start: pack_box(composition, species_of(composition), start=start, seed=5)
        for start in ("separated", "contact", "random")
    }


@pytest.mark.parametrize("start", ["separated", "contact", "random"])
def test_a_box_is_complete_ordered_whole_and_free_of_clashes(
    boxes: dict[str, Packed], start: str
) -> None:
    packed = boxes[start]
    names = [molecule.name for molecule in packed.molecules]
    assert names == ["Mg"] * 2 + ["TFSI"] * 4 + ["DME"] * (len(names) - 6)
    assert measure_gap(packed) > 1.5
    for molecule in packed.molecules:
        species = find_species(molecule.name)
        assert molecule.elements == species.elements
        for i, j in molecule.bonds:
            assert np.linalg.norm(molecule.positions[i] - molecule.positions[j]) < 2.3


@pytest.mark.parametrize(("start", "anions"), [("separated", 0), ("contact", 2)])
def test_a_box_has_the_shells_of_its_start(
    boxes: dict[str, Packed], start: str, anions: int
) -> None:
    packed = boxes[start]
    distance = SHELLS["Mg"].distance
    for cation in packed.molecules[:2]:
        bound: dict[str, int] = {}
        n_donors = 0
        for molecule in packed.molecules[2:]:
            delta = molecule.positions - cation.positions[0]
            delta -= packed.edge * np.round(delta / packed.edge)
            near = int((np.abs(np.linalg.norm(delta, axis=1) - distance) < 0.25).sum())
            n_donors += near
            bound[molecule.name] = bound.get(molecule.name, 0) + (near > 0)
        assert n_donors == 6
        assert bound == {"TFSI": anions, "DME": 3 if anions == 0 else 2}


def test_same_seed_same_box_other_seed_other_box() -> None:
    composition = make({"Mg": 1, "TFSI": 2, "DME": 8}, spacious=1.5)
    first, again, other = (
        pack_box(composition, species_of(composition), start="separated", seed=seed)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.positions, again.positions)
    assert np.abs(first.positions - other.positions).max() > 1.0
    assert 1.0 < first.edge / composition.edge < 1.1


# Packmol ------------------------------------------------------------------------------------


@pytest.fixture
def fake_packmol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a shell script in Packmol's place."""

    def install(script: str | None) -> None:
        program = tmp_path / "packmol"
        if script is not None:
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        found = str(program) if script is not None else None
        monkeypatch.setattr("shutil.which", lambda *_, **__: found)

    return install


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "packmol is not installed; pip install packmol"),
        ("echo STOP because; echo too tight", "could not put 16 atoms in .*: ...STOP because too"),
        ("echo Success!", "could not put 16 atoms"),
        ("printf '1\\n\\nC 0 0 0\\n' > packed.xyz; echo Success!", "wrote 1 of 16 atoms"),
        ("printf '16\\n\\nC 0 0 0\\n' > packed.xyz; exit 170", "could not put 16 atoms"),
    ],
)
def test_failures_of_packmol_are_one_line(fake_packmol, script: str | None, message: str) -> None:
    fake_packmol(script)
    composition = make({"DME": 1})
    with pytest.raises(PackingError, match=message) as caught:
        pack_box(composition, species_of(composition), start="random", seed=1)
    assert "\n" not in str(caught.value)


def test_a_packmol_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "packmol"
    broken.write_bytes(b"\x7fELF?")
    broken.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda *_, **__: str(broken))
    composition = make({"DME": 1})
    with pytest.raises(PackingError, match="packmol does not start"):
        pack_box(composition, species_of(composition), start="random", seed=1)
