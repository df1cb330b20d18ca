"""Lengths, angles, bites and shapes of shells built from ideal polyhedra."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from solvation.analyze.contact import Contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.geometry import measure_geometry
from solvation.analyze.shape import OTHER, measure_shell_shapes
from solvation.analyze.snapshot import Snapshots
from solvation.analyze.topology import scene_from_arrays
from solvation.kernels.polyhedra import list_polyhedra

PAIRS = [("Mg", "Cl.Cl")]


def _measure(shells, *, n_frames=1, blocks=1, spacing=20.0):
    """Put one Mg per shell on a line, turned at random, in a box that its ligands cross."""
    rng = np.random.default_rng(2)
    centres = np.array([[spacing * k, 0.0, 0.0] for k in range(len(shells))])
    ligands = [
        c + Rotation.random(random_state=int(rng.integers(1000))).apply(2.4 * s)
        for c, s in zip(centres, shells, strict=True)
    ]
    frame = np.concatenate([centres, *ligands])
    n_cl = len(frame) - len(shells)
    box = np.array([spacing * len(shells), 30.0, 30.0, 90.0, 90.0, 90.0])
    source = ArraySource(
        positions=np.repeat(frame[None], n_frames, axis=0), boxes=box,
        times=np.arange(n_frames, dtype=float),
    )  # fmt: skip
    scene = scene_from_arrays(["Mg"] * len(shells) + ["Cl"] * n_cl, [], [source])
    found = run_analyzers(
        scene, [Contacts(cutoffs=dict.fromkeys(PAIRS, 3.0)), Snapshots(most=10)], blocks=blocks
    )
    return scene, found["contacts"].total().result(), found["snapshots"].total().result()


def test_every_shell_is_given_its_name():
    labels = ["T-4", "TBPY-5", "OC-6", "TPR-6", "PBPY-7", "SAPR-8", "TCTPR-9"]
    shapes = [
        next(p for p in list_polyhedra(int(x[-1])) if p.label == x) for x in labels
    ]  # fmt: skip
    scene, tables, albums = _measure([*(s.vertices for s in shapes), shapes[0].vertices[:2]])
    found = measure_shell_shapes(scene, tables, albums)
    by_label = dict(zip(found["label"].values, found["fraction"].values, strict=True))
    assert sum(by_label.values()) == pytest.approx(1.0)
    for label in (*labels, OTHER):
        assert by_label[label] == pytest.approx(1 / 8), label
    best = found["label"].isin(labels)
    np.testing.assert_allclose(found["measure"].values[best], 0.0, atol=1e-6)
    assert (found["fraction_stderr"].values > 0.0).all()
    assert found.attrs["shells"] == 7


def test_angles_and_lengths_of_an_octahedron():
    octahedron = list_polyhedra(6)[0].vertices
    scene, tables, albums = _measure([octahedron])
    found = measure_geometry(scene, tables, albums, PAIRS)
    assert float(found["length"][0]) == pytest.approx(2.4, abs=1e-6)
    density = found["angle_density"].sel(triple="Cl.Cl-Mg-Cl.Cl").values * 3.0
    centres = found["angle"].values
    # Twelve right angles and three straight ones.
    assert density[np.abs(centres - 90.0) < 3.1].sum() == pytest.approx(12 / 15)
    assert density[centres > 177.0].sum() == pytest.approx(3 / 15)
    assert float(found["length_density"].sum()) * 0.02 == pytest.approx(1.0)
    assert found.sizes["chelate"] == 0


def test_snapshots_do_not_depend_on_the_parts():
    shells = [list_polyhedra(6)[0].vertices]
    whole, parts = (_measure(shells, n_frames=47, blocks=n) for n in (1, 7))
    assert whole[2][0].frames.tolist() == list(range(0, 47, 5))
    assert parts[2][0].frames.tolist() == whole[2][0].frames.tolist()
    np.testing.assert_array_equal(parts[2][0].positions, whole[2][0].positions)
    one, other = (measure_geometry(s, t, a, PAIRS) for s, t, a in (whole, parts))
    assert one.identical(other)


def test_too_many_shells_are_thinned_and_the_answer_stays(monkeypatch):
    from solvation.analyze import shape

    scene, tables, albums = _measure([list_polyhedra(6)[1].vertices] * 2, n_frames=20)
    every = measure_shell_shapes(scene, tables, albums)
    monkeypatch.setattr(shape, "_BUDGET", 0.3)
    few = measure_shell_shapes(scene, tables, albums)
    assert few.attrs["shells"] < every.attrs["shells"]
    np.testing.assert_allclose(few["fraction"].values, every["fraction"].values)


def test_a_bite_angle():
    """One ethylene glycol-like chelate: two O of one molecule at a right angle."""
    elements = ["Mg", "O", "C", "C", "O", "Cl", "Cl"]
    frame = np.array([[0, 0, 0], [2, 0, 0], [2.5, 1, 0], [1, 2.5, 0], [0, 2, 0],
                      [12, 12, 12], [9, -9, 9]], dtype=float)  # fmt: skip
    source = ArraySource(
        positions=frame[None], boxes=np.array([40.0, 40, 40, 90, 90, 90]), times=np.zeros(1)
    )
    scene = scene_from_arrays(elements, [(1, 2), (2, 3), (3, 4)], [source])
    site = next(s.name for s in scene.sites if s.element == "O")
    pairs = [("Mg", site)]
    found = run_analyzers(scene, [Contacts(cutoffs=dict.fromkeys(pairs, 2.9)), Snapshots()])
    tables, albums = (found[k].total().result() for k in ("contacts", "snapshots"))
    measured = measure_geometry(scene, tables, albums, pairs)
    assert measured["bite"].values == pytest.approx([90.0])
    assert measured["chelate"].values.tolist() == [f"Mg-{site.partition('.')[0]}"]
