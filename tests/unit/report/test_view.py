from __future__ import annotations

import json

import numpy as np
import pytest

from solvation.report.view import make_box_scene, make_molecule_scene, make_scene, make_shell_scene


def test_scene_is_centred_and_in_hundredths():
    scene = make_scene(["O", "H"], np.array([[5.0, 0, 0], [6.0, 0, 0]]), np.array([[0, 1]]))
    assert scene["kinds"] == ["H", "O"]
    assert scene["kind"] == [1, 0]
    assert scene["xyz"] == [-50, 0, 0, 50, 0, 0]
    assert scene["bonds"] == [0, 1]


def test_shell_keeps_its_geometry(tree):
    text = str(tree["shells"]["structure"].values[0])
    shell, scene = json.loads(text), make_shell_scene(text)
    there = np.array(shell["positions"])
    here = np.reshape(scene["xyz"], (-1, 3)) / 100
    apart = here - there
    assert np.ptp(apart, axis=0).max() < 0.011
    assert np.reshape(scene["contacts"], (-1, 2)).tolist() == [list(c) for c in shell["contacts"]]
    assert len(scene["bonds"]) == 2 * len(shell["bonds"])


def test_box_shows_every_ion_and_no_solvent_hydrogen(tree):
    structure = tree["structure"].to_dataset()
    roles = {"Mg": "cation", "TFSI": "anion", "DME": "solvent"}
    scene = make_box_scene(structure, roles.__getitem__)
    elements = np.array(scene["kinds"])[scene["kind"]]
    assert (elements == "Mg").sum() == 8
    assert (elements == "S").sum() == 32
    assert (elements == "O").sum() == 16 * 4 + 144 * 2
    assert "H" not in elements
    look = np.array(scene["look"])
    assert set(look[elements == "Mg"]) == {0}
    assert set(look[elements == "N"]) == {1}
    bonds = np.reshape(scene["bonds"], (-1, 2))
    assert len(bonds) == 16 * 14 + 144 * 5
    xyz = np.reshape(scene["xyz"], (-1, 3)) / 100
    length = np.linalg.norm(xyz[bonds[:, 0]] - xyz[bonds[:, 1]], axis=1)
    assert length.max() < 2.0  # renumbered bonds still join neighbours
    edges = np.reshape(scene["edges"], (12, 2, 3)) / 100
    assert np.allclose(np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1), 30.4)


def test_triclinic_edges_have_the_right_lengths(tree):
    structure = tree["structure"].to_dataset().copy(deep=True)
    structure["box"][:] = [20.0, 25.0, 30.0, 80.0, 75.0, 70.0]
    scene = make_box_scene(structure, lambda _name: "anion")
    edges = np.reshape(scene["edges"], (12, 2, 3)) / 100
    lengths = np.sort(np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1))
    assert np.allclose(lengths, np.repeat([20.0, 25.0, 30.0], 4), atol=0.02)


@pytest.mark.parametrize(
    ("name", "atoms", "bonds"), [("DME", 16, 15), ("TFSI", 15, 14), ("Mg", 1, 0)]
)
def test_one_molecule(tree, name, atoms, bonds):
    scene = make_molecule_scene(tree["structure"].to_dataset(), name)
    assert scene is not None
    assert (len(scene["kind"]), len(scene["bonds"]) // 2) == (atoms, bonds)


def test_absent_molecule(tree):
    assert make_molecule_scene(tree["structure"].to_dataset(), "THF") is None
