"""Torsions and conformations of glymes with known angles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from solvation.analyze.conformation import (
    CONFORMATIONS,
    measure_conformations,
    name_conformation,
)
from solvation.analyze.contact import Contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.snapshot import Snapshots
from solvation.analyze.topology import scene_from_arrays
from solvation.analyze.torsion import Torsions, find_units, measure_torsions


def _grow(torsions):
    """Place a chain with bonds of 1.5 Å, angles of 110 degrees and the given torsions."""
    points = [np.zeros(3), np.array([1.5, 0, 0])]
    bend = np.radians(110.0)
    points.append(points[1] + 1.5 * np.array([-np.cos(bend), np.sin(bend), 0]))
    for torsion in torsions:
        a, b, c = points[-3:]
        axis = (c - b) / np.linalg.norm(c - b)
        normal = np.cross(b - a, axis)
        normal /= np.linalg.norm(normal)
        phi = np.radians(torsion)
        along = -np.cos(bend) * axis
        across = np.cos(phi) * np.cross(normal, axis) + np.sin(phi) * normal
        points.append(c + 1.5 * (along + np.sin(bend) * across))
    return np.array(points)


@pytest.mark.parametrize("angle", [-170.0, -65.0, 0.5, 60.0, 179.0])
def test_torsions_of_a_chain(angle):
    points = Rotation.random(random_state=1).apply(_grow([angle]))
    assert float(measure_torsions(points)[0]) == pytest.approx(angle)
    assert float(measure_torsions(points[::-1])[0]) == pytest.approx(angle)
    assert float(measure_torsions(points * [1, 1, -1])[0]) == pytest.approx(-angle)


def test_there_are_ten_conformations():
    """27 states, of which the mirror image and the other direction are the same."""
    assert len(CONFORMATIONS) == 10
    assert {"ttt", "tgt", "ttg", "tgg", "tgg'", "gtg", "gtg'", "ggg"} <= set(CONFORMATIONS)
    assert name_conformation((0, 1, -1)) == name_conformation((1, -1, 0)) == "tgg'"


def _scene(frames, *, mg=(50.0, 50.0, 50.0)):
    """Mg, two far Cl and DME molecules (heavy atoms as grown, hydrogens on top of carbons)."""
    heavy, n_frames = "COCCOC", len(frames)
    elements, bonds, column = list(heavy), [(k, k + 1) for k in range(5)], list(range(6))
    for k, element in enumerate(heavy):
        if element == "C":
            for _ in range(3 if k in (0, 5) else 2):
                bonds.append((k, len(elements)))
                elements.append("H")
                column.append(k)
    frames = np.asarray(frames)[:, :, column]
    n = frames.shape[1]
    offset = 3 + len(elements) * np.arange(n)
    every = np.concatenate([np.array(bonds) + o for o in offset])
    ions = np.broadcast_to([mg, [70.0, 20, 20], [20.0, 70, 20]], (n_frames, 3, 3))
    positions = np.concatenate([ions, frames.reshape(n_frames, -1, 3)], axis=1)
    box = np.array([90.0, 90, 90, 90, 90, 90])
    source = ArraySource(positions=positions, boxes=box, times=np.arange(n_frames) * 1.0)
    return scene_from_arrays(["Mg", "Cl", "Cl", *elements * n], every, [source])


def _measure(scene):
    units = find_units(scene)
    analyzers = [Contacts(cutoffs={("Mg", "DME.O"): 2.9}), Snapshots(), Torsions(units=units)]
    found = run_analyzers(scene, analyzers)
    tables, albums, turns = (
        found[name].total().result() for name in ("contacts", "snapshots", "torsions")
    )
    return measure_conformations(scene, tables, albums, units, turns)


def test_conformations_are_counted():
    trans, gauche = _grow([180, 180, 180]), _grow([180, 65, -80])
    mirrored = gauche * np.array([1, 1, -1])
    shift = [np.array([0.0, 20 * k, 5]) for k in range(3)]
    frame = np.stack([m + s for m, s in zip((trans, gauche, mirrored), shift, strict=True)])
    found = _measure(_scene([frame, frame]))
    free = found["fraction"].sel(species="DME", binding="free")
    assert float(free.sel(conformation="ttt")) == pytest.approx(1 / 3)
    assert float(free.sel(conformation="tgg'")) == pytest.approx(2 / 3)
    assert float(free.sum()) == pytest.approx(1.0)
    assert float(found["share"].sel(binding="free")[0]) == 1.0
    assert float(found["torsion"].sel(kind="OCCO").sum()) * 10.0 == pytest.approx(1.0)


def test_how_a_unit_is_bound():
    """Mg between both oxygens chelates; beside one it hangs; elsewhere it is free."""
    chain = _grow([180, 60, 180])
    middle = 0.5 * (chain[1] + chain[4])
    away = middle - chain.mean(axis=0)
    mg = middle + 0.9 * away / np.linalg.norm(away)
    assert max(np.linalg.norm(chain[[1, 4]] - mg, axis=1)) < 2.9
    beside = chain[1] + (chain[1] - middle) / np.linalg.norm(chain[1] - middle) * 2.0
    for place, binding in ((mg, "chelating"), (beside, "hanging"), ([50.0, 50, 50], "free")):
        found = _measure(_scene([chain[None]], mg=place))
        assert float(found["share"].sel(binding=binding)[0]) == 1.0
        fraction = found["fraction"].sel(binding=binding, conformation="tgt")
        assert float(fraction[0]) == 1.0


def test_rings_have_no_units():
    """Dioxane: O-C-C-O, but in a ring."""
    elements = ["Mg", "O", "C", "C", "O", "C", "C", *["H"] * 8, "Cl", "Cl"]
    bonds = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 1)]
    bonds += [(c, 7 + 2 * k + j) for k, c in enumerate((2, 3, 5, 6)) for j in (0, 1)]
    source = ArraySource(
        positions=np.random.default_rng(0).normal(size=(1, 17, 3)),
        boxes=np.array([40.0, 40, 40, 90, 90, 90]), times=np.zeros(1),
    )  # fmt: skip
    scene = scene_from_arrays(elements, bonds, [source])
    assert find_units(scene) == ()
    assert measure_conformations(scene, [], [], (), ()) is None
