"""Plots and tables of the first shell, from a box that was really analyzed."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.report import structure
from solvation.report.page import SECTIONS, render_report
from solvation.report.table import Notes
from solvation.report.text import label_quantity
from solvation.synthetic import make_mixture


@pytest.fixture(scope="module")
def analyzed():
    box = make_mixture(np.random.default_rng(5), n_frames=30)
    sources = [
        ArraySource(positions=box.positions[part], boxes=box.box, times=box.times[part])
        for part in (slice(0, 15), slice(15, 30))
    ]
    scene = scene_from_arrays(box.elements, box.bonds, sources, charges=box.charges)
    return analyze_scene(scene, cutoffs={"*": 3.5}, starts=["separated", "contact"])


def test_every_node_is_drawn(analyzed):
    tree, _ = analyzed
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    plots = structure.draw_structure(nodes)
    assert {k: len(v) for k, v in plots.items()} == {
        "denticity": 1, "geometry": 3, "conformations": 0, "clusters": 2, "exchange": 2,
    }  # fmt: skip
    assert all(svg.startswith("<svg") for drawn in plots.values() for svg in drawn)


def test_tables_have_the_numbers_of_the_tree(analyzed):
    tree, quantities = analyzed
    known = {q.name: q for q in quantities}
    motifs = structure.list_motifs(tree, known, Notes())
    assert motifs[0]["row"]["name"] == f"motif.{tree['shells']['motif'].values[0]}"
    shapes = structure.list_shapes(tree)
    assert {row["label"] for row in shapes} <= set(tree["shapes"]["label"].values.tolist())
    bindings = structure.list_bindings(tree)
    assert {"O", "Cl"} <= {row["name"] for row in bindings}


def test_starts_stand_side_by_side(analyzed):
    tree, _ = analyzed
    found = structure.list_agreement(tree)
    assert found["starts"] == ["separated", "contact"]
    assert found["total"] == tree["agreement"].sizes["quantity"]
    assert all(len(row["values"]) == 2 for row in found["rows"])
    p = [float(row["p"]) for row in found["rows"]]
    assert p == sorted(p)


def test_the_page_has_every_section(analyzed):
    tree, quantities = analyzed
    page = render_report(tree=tree, document={}, quantities=quantities, title="mixture")
    for name in SECTIONS:
        assert f'<section id="{name}">' in page
    assert "agree within their errors" in page
    assert "There is no glyme in this system." in page


def test_names_are_put_in_words():
    words = {
        "denticity.Mg-TFSI.2": "Mg–TFSI bound through 2 atoms",
        "exchange.Mg-TFSI.associative": "Mg–TFSI departures, associative",
        "shape.Mg.OC-6": "Mg closest to OC-6",
        "conformation.DME.free.tgg'": "DME units free, tgg'",
        "motif.Mg(DME)2(TFSI)1 [2+2 | 2]": "Shell Mg(DME)₂(TFSI) [2+2 | 2]",
        "distance.Mg-DME.O": "Mg–O(DME) distance",
        "residence.Mg-TFSI.kaplan_meier": "Residence time, Mg–TFSI, Kaplan–Meier",
        "bridging.Cl": "Bound Cl that bind two cations",
    }
    assert {name: label_quantity(name) for name in words} == words
