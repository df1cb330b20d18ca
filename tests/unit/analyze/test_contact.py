"""The contact table and what is read off it, on frames drawn by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from solvation.analyze.contact import Contacts, list_ligands
from solvation.analyze.coordination import measure_coordination
from solvation.analyze.cutout import extract_shell
from solvation.analyze.driver import run_analyzers
from solvation.analyze.formula import name_cluster, write_charge
from solvation.analyze.frames import ArraySource
from solvation.analyze.memory import judge_memory
from solvation.analyze.residence import measure_residence
from solvation.analyze.shell import measure_shells, name_shell
from solvation.analyze.speciation import measure_speciation
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import TrajectoryError

FAR = 14.0
"""Å, apart from everything at the origin."""


def _make_scene(frames, *, n_cl=3, edge=40.0, charges=None):
    """Place Mg at 0 and at (20, 0, 0), Cl and one water where each frame says."""
    frames = np.asarray(frames, dtype=float)
    mg = np.broadcast_to([[0.0, 0, 0], [20.0, 0, 0]], (len(frames), 2, 3))
    oxygen = frames[:, n_cl:]
    arms = [np.array([0.6, y, 0.0]) for y in (0.75, -0.75)]
    water = np.stack([oxygen, oxygen + arms[0], oxygen + arms[1]], axis=2)
    positions = np.concatenate([mg, frames[:, :n_cl], water.reshape(len(frames), -1, 3)], axis=1)
    n_water = frames.shape[1] - n_cl
    first = 2 + n_cl + 3 * np.arange(n_water)
    bonds = np.concatenate([np.stack([first, first + k], axis=1) for k in (1, 2)])
    box = np.array([edge, edge, edge, 90.0, 90.0, 90.0])
    source = ArraySource(positions=positions, boxes=box, times=np.arange(len(frames)) * 10.0)
    elements = ["Mg"] * 2 + ["Cl"] * n_cl + ["O", "H", "H"] * n_water
    return scene_from_arrays(elements, bonds, [source], charges=charges)


CUTOFFS = {("Mg", "water.O"): 2.9, ("Mg", "Cl.Cl"): 2.9}


def _tables(scene):
    return run_analyzers(scene, [Contacts(cutoffs=CUTOFFS)])["contacts"].total().result()


@pytest.fixture(scope="module")
def scene():
    """Frame by frame: bridged pair, [MgCl2], water-separated pair, all apart."""
    far = [[FAR, FAR, z] for z in (-12.0, -4.0, 4.0, 12.0)]
    bridge = [[10.0, 0, 0], far[0], far[1], far[2]]
    bridge[0] = [2.0, 0.0, 0.0]
    frames = [
        [[2.4, 0, 0], [17.6, 0, 0], far[0], [0, 2.1, 0]],
        [[2.4, 0, 0], [0, 2.4, 0], far[0], [38.0, 0, 0]],
        [[0.0, 0, 5.0], far[0], far[1], [0, 0, 2.1]],
        [far[0], far[1], far[2], far[3]],
    ]
    return _make_scene(frames)


def test_rows_are_integers_of_sixteen_bytes(scene):
    (table,) = _tables(scene)
    assert table.contacts.itemsize == 16
    rows = [tuple(int(x) for x in row.tolist()[:3]) for row in table.contacts]
    assert rows == [(0, 0, 2), (0, 0, 5), (0, 1, 3), (1, 0, 2), (1, 0, 3), (1, 0, 5), (2, 0, 5)]
    assert table.contacts["distance"].tolist() == pytest.approx([2.4, 2.1, 2.4, 2.4, 2.4, 2.0, 2.1])
    ligands, denticity = list_ligands(scene, table)
    assert len(ligands) == 7
    assert denticity.tolist() == [1] * 7


def test_a_shared_water_makes_a_separated_pair(scene):
    (table,) = _tables(scene)
    late = table.shared[table.shared["frame"] == 2]
    assert [row.tolist() for row in late] == [(2, 0, 0, int(scene.molecule[5]))]


def test_classes(scene):
    found = measure_speciation(scene, _tables(scene))
    # Two Mg in four frames: frame 0 both CIP, frame 1 AGG and free, 2 SSIP and free, 3 both free.
    np.testing.assert_allclose(found["cation"].values, [4 / 8, 1 / 8, 2 / 8, 1 / 8])
    np.testing.assert_allclose(found["cation_counterions"].values, [5 / 8, 2 / 8, 1 / 8])
    # Frame 0: the far Cl is free; frame 1 likewise; 2 one shares the water; 3 all three are free.
    np.testing.assert_allclose(found["anion"].values, [7 / 12, 1 / 12, 4 / 12, 0.0])
    species = dict(zip(found["species"].values, found["species_fraction"].values, strict=True))
    assert species == pytest.approx(
        {"[Mg]2+": 5 / 8, "[MgCl]+": 2 / 8, "[MgCl2]0": 1 / 8, "[Cl]-": 0.0}
    )
    assert float(found["species_charge"] @ found["species_count"]) == pytest.approx(2 * 2 - 3)


def test_a_bridging_anion_joins_two_cations_into_one_species():
    scene = _make_scene([[[18.0, 0, 0], [20.0, 2.4, 0], [20.0, -2.4, 0], [9.0, 9, 9]]], n_cl=3)
    frames = scene.sources[0].positions
    frames[0, 0] = [16.0, 0, 0]
    found = measure_speciation(scene, _tables(scene))
    assert found["species"].values.tolist() == ["[Mg2Cl3]+"]
    np.testing.assert_allclose(found["anion"].values, [0, 0, 2 / 3, 1 / 3])
    np.testing.assert_allclose(found["cation_counterions"].values, [0, 0.5, 0, 0.5])


def test_formulas():
    assert name_cluster([("Mg", 1, 1), ("TFSI", 15, 2)], 0) == "[Mg(TFSI)2]0"
    assert name_cluster([("Mg", 1, 2), ("TFSI", 15, 5)], -1) == "[Mg2(TFSI)5]-"
    assert name_cluster([("Li", 1, 1), ("Mg", 1, 1), ("Cl", 1, 3)], 0) == "[LiMgCl3]0"
    assert name_shell("Mg", [("DME", 3), ("TFSI", 0)]) == "Mg(DME)3"
    assert [write_charge(z) for z in (2, 1, 0, -1, -3)] == ["2+", "+", "0", "-", "3-"]


def test_coordination_counts_atoms_and_shells_count_molecules(scene):
    tables = _tables(scene)
    found = measure_coordination(scene, tables, list(CUTOFFS))
    np.testing.assert_allclose(found["number"].values, [3 / 8, 4 / 8])
    np.testing.assert_allclose(found["total"].values, [7 / 8])
    np.testing.assert_allclose(found["distribution"].values.sum(axis=1), 1.0)
    shells = measure_shells(scene, tables)
    population = dict(zip(shells["shell"].values, shells["fraction"].values, strict=True))
    assert population == pytest.approx(
        {"Mg": 4 / 8, "Mg(water)1": 1 / 8, "Mg(Cl)1": 1 / 8, "Mg(water)1(Cl)1": 1 / 8,
         "Mg(water)1(Cl)2": 1 / 8}
    )  # fmt: skip
    assert (shells["fraction_stderr"].values > 0).all()


def test_a_shell_is_cut_out_whole_across_the_boundary(scene):
    (table,) = _tables(scene)
    shell = extract_shell(scene, table, 1, 0)
    json.dumps(shell)
    assert shell["elements"] == ["Mg", "Cl", "Cl", "O", "H", "H"]
    positions = np.array(shell["positions"])
    # The water sits at x = 38 in a box of 40: two Å to the left of Mg.
    np.testing.assert_allclose(positions[3], [-2.0, 0, 0], atol=1e-3)
    for i, j in shell["bonds"]:
        assert np.linalg.norm(positions[i] - positions[j]) == pytest.approx(0.96, abs=0.01)
    lengths = [np.linalg.norm(positions[i] - positions[j]) for i, j in shell["contacts"]]
    assert lengths == pytest.approx([2.4, 2.4, 2.0], abs=1e-3)


def test_residence_counts_what_broke(scene):
    found = measure_residence(scene, _tables(scene))
    water, chloride = (found.sel(pair=f"Mg-{name}") for name in ("water", "Cl"))
    # The water of Mg 0 is there in frames 0 to 2 and then leaves.
    assert int(water["n_events"]) == 1
    assert float(water["exposure"]) == pytest.approx(2.5 * 0.010)
    assert float(water["survival"]) == 0.0
    # Cl 0: frames 0, 1; Cl 1 at Mg 1: frame 0; Cl 1 at Mg 0: frame 1. All break.
    assert int(chloride["n_events"]) == 3
    assert float(chloride["exposure"]) == pytest.approx((1.5 + 0.5 + 0.5) * 0.010)
    memory = judge_memory(found, longest=30.0)
    assert not memory["Mg-Cl"].forgotten
    assert memory["Mg-Cl"].note == "only 3 Mg-Cl exchanges in 0.03 ns, fewer than 10"
    assert not judge_memory(found, longest=0.0)["Mg-Cl"].forgotten


def test_a_graph_that_does_not_close_is_an_error(scene, monkeypatch):
    from solvation.analyze import pairing

    wrong = pairing.count_members
    monkeypatch.setattr(pairing, "count_members", lambda *a: wrong(*a) * 2)
    with pytest.raises(TrajectoryError, match="does not close"):
        measure_speciation(scene, _tables(scene))


@pytest.mark.parametrize(("z", "touches"), [(5.8, True), (5.9, False)])
def test_molecules_touch_within_their_radii_and_half_an_angstrom(z, touches):
    """O of the water at 2.1 Å and Cl at z: 1.52 + 1.75 + 0.5 = 3.77 Å decide."""
    far = [FAR, FAR, FAR]
    scene = _make_scene([[[0.0, 0.0, z], far, far, [0.0, 0.0, 2.1]]])
    oxygen = scene.sources[0].positions[0, 5]
    arms = np.array([[0.9, 0.3, -0.1], [-0.9, 0.3, -0.1]])
    scene.sources[0].positions[0, 6:8] = oxygen + arms
    (table,) = _tables(scene)
    assert bool(len(table.shared)) == touches
