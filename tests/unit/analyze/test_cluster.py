"""Clusters, percolation, several salts, and the comparison of starts."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.agreement import compare_starts, widen_errors
from solvation.analyze.binding import Bindings
from solvation.analyze.cluster import find_percolation, measure_clusters
from solvation.analyze.contact import Contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.pairing import join_pairings, pair_ions
from solvation.analyze.rdf import RDF
from solvation.analyze.separation import Separations, find_second_minimum, replace_shared
from solvation.analyze.snapshot import Snapshots
from solvation.analyze.speciation import measure_speciation
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.results import Quantity
from solvation.synthetic import make_lattice, make_two_state_contacts

from .made_scenes import make_scene


def _look(scene, pairs, cutoff):
    found = run_analyzers(scene, [Contacts(cutoffs=dict.fromkeys(pairs, cutoff)), Snapshots()])
    return found["contacts"].total().result(), found["snapshots"].total().result()


def test_more_free_ions_than_a_short_integer_holds():
    n = 33_000
    source = ArraySource(positions=np.zeros((2, 2 * n, 3)), boxes=[900.0] * 3, times=[0.0, 1.0])
    scene = scene_from_arrays(["Li"] * n + ["F"] * n, np.empty((0, 2), int), [source])
    none = np.empty(0, np.int64)
    bindings = Bindings(
        frame=none, cation=none, molecule=none, denticity=none, code=none.astype(np.uint64),
        first=none, atom=none, n_frames=2,
    )  # fmt: skip
    shared = np.zeros(0, dtype=[("frame", "i4"), ("cation", "i4"), ("anion", "i4")])
    pieces = [pair_ions(scene, bindings, shared)] * 2
    assert join_pairings(pieces, 4).cluster_counts.tolist() == [[n, n]] * 4


@pytest.mark.parametrize("skew", [0, 1])
def test_a_lattice_percolates_in_three_directions(skew):
    scene = make_scene(make_lattice(skew=skew))
    tables, albums = _look(scene, [("Li", "F.F")], 2.2)
    assert find_percolation(scene, tables[0], albums[0]).tolist() == [3, 3, 3]
    found = measure_clusters(scene, tables, albums)
    assert float(found["percolation"]) == 1.0
    assert int(found["directions"]) == 3
    assert int(found["largest"]) == scene.n_molecules
    assert found["charge_cluster"].values.tolist() == [1.0]


def _chain(n, edge, *, shift=0.0):
    """Mg-Cl-Mg-Cl... along x, 2 Å apart."""
    x = 2.0 * np.arange(2 * n) + shift
    frame = np.stack([x, np.zeros(2 * n), np.zeros(2 * n)], axis=1)
    order = np.concatenate([np.arange(0, 2 * n, 2), np.arange(1, 2 * n, 2)])
    source = ArraySource(
        positions=frame[order][None], boxes=np.array([edge, 30.0, 30, 90, 90, 90]),
        times=np.zeros(1),
    )  # fmt: skip
    return scene_from_arrays(["Mg"] * n + ["Cl"] * n, [], [source], charges={"Mg": 1, "Cl": -1})


@pytest.mark.parametrize("shift", [0.0, 7.3, -100.0])
def test_a_chain_through_the_box_percolates_in_one_direction(shift):
    for edge, directions in ((20.0, 1), (24.0, 0)):
        scene = _chain(5, edge, shift=shift)
        tables, albums = _look(scene, [("Mg", "Cl.Cl")], 2.2)
        assert find_percolation(scene, tables[0], albums[0]).tolist() == [directions]


def test_a_ring_in_the_box_does_not_percolate():
    angle = np.radians([0, 90, 180, 270])
    ring = 2.0 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    source = ArraySource(
        positions=ring[[0, 2, 1, 3]][None], boxes=np.array([20.0, 20, 20, 90, 90, 90]),
        times=np.zeros(1),
    )  # fmt: skip
    scene = scene_from_arrays(["Mg", "Mg", "Cl", "Cl"], [], [source])
    tables, albums = _look(scene, [("Mg", "Cl.Cl")], 3.0)
    assert find_percolation(scene, tables[0], albums[0]).tolist() == [0]
    found = measure_clusters(scene, tables, albums)
    assert found["size"].values.tolist() == [4]
    assert found["charge"].values.tolist() == [2]


def test_two_salts_share_a_chloride():
    """Mg-Cl-Li: each cation has its own classes, and the species holds both."""
    frame = np.array([[0, 0, 0], [4.4, 0, 0], [2.2, 0, 0], [15.0, 15, 15], [20, 5, 5]], dtype=float)
    source = ArraySource(
        positions=frame[None], boxes=np.array([40.0, 40, 40, 90, 90, 90]), times=np.zeros(1)
    )
    scene = scene_from_arrays(["Mg", "Li", "Cl", "Cl", "Cl"], [], [source])
    _, quantities = analyze_scene(scene, cutoffs={"*": 2.9})
    found = {q.name: q.value for q in quantities}
    assert found["species.[LiMgCl]2+"] == 1.0
    assert found["speciation.Li.cip"] == found["speciation.Mg.cip"] == 1.0
    assert found["bridging.Cl"] == 1.0
    assert found["uncoordinated.Cl"] == pytest.approx(2 / 3)


def test_species_are_shared_out_over_anions_and_clusters_too():
    frame = np.array([[0, 0, 0], [20, 0, 0], [2.4, 0, 0], [17.6, 0, 0], [0, 2.4, 0], [9, 9, 15.0]])
    source = ArraySource(
        positions=frame[None].astype(float), boxes=np.array([40.0, 40, 40, 90, 90, 90]),
        times=np.zeros(1),
    )  # fmt: skip
    scene = scene_from_arrays(["Mg", "Mg", "Cl", "Cl", "Cl", "Cl"], [], [source])
    tables, _ = _look(scene, [("Mg", "Cl.Cl")], 2.9)
    found = measure_speciation(scene, tables)
    names = found["species"].values.tolist()
    rows = {
        name: tuple(float(found[k].values[i]) for k in
                    ("species_fraction", "species_anion_fraction", "species_share"))
        for i, name in enumerate(names)
    }  # fmt: skip
    assert rows == {
        "[MgCl2]0": (0.5, 0.5, pytest.approx(1 / 3)),
        "[MgCl]+": (0.5, 0.25, pytest.approx(1 / 3)),
        "[Cl]-": (0.0, 0.25, pytest.approx(1 / 3)),
    }


def test_second_minimum_of_a_lattice_and_pairs_within_it():
    """Rock salt: unlike ions at 1 and sqrt(3) spacings, with a wide gap before sqrt(5)."""
    system = make_lattice(cells=3, spacing=3.0, n_frames=4)
    rng = np.random.default_rng(0)
    positions = system.positions + rng.normal(scale=0.15, size=system.positions.shape)
    source = ArraySource(positions=positions, boxes=system.box, times=system.times)
    scene = scene_from_arrays(system.elements, system.bonds, [source], charges=system.charges)
    counts = run_analyzers(scene, [RDF(a="Li", b="F.F")])["Li-F.F"].total()
    second = find_second_minimum(counts, 4.0)
    assert 3.0 * np.sqrt(3.0) + 0.3 < second < 3.0 * np.sqrt(5.0)
    near = run_analyzers(scene, [Separations(radii={("Li", "F.F"): second})])
    (pairs,) = near["separations"].total().result()
    assert len(pairs.shared) == 4 * 108 * (6 + 8)
    tables, _ = _look(scene, [("Li", "F.F")], 1.0)
    found = measure_speciation(scene, [replace_shared(tables[0], pairs)])
    assert found["cation"].values.tolist() == [0.0, 1.0, 0.0, 0.0]


def _say(**values):
    return [Quantity(name=k, value=v, stderr=e, unit="1") for k, (v, e) in values.items()]


def test_starts_that_disagree_widen_the_error_and_are_named():
    by_start = {
        "separated": _say(free=(0.9, 0.05), cip=(0.30, 0.05)),
        "contact": _say(free=(0.1, 0.05), cip=(0.35, 0.05)),
    }
    found = compare_starts(by_start, {"separated": 100.0, "contact": 100.0})
    assert found["agree"].values.tolist() == [0, 1]
    assert found["between"].values[0] == pytest.approx(0.4)
    assert found["chi2"].values[0] == pytest.approx(0.8**2 / (2 * 0.05**2))
    free, cip, other = widen_errors(
        _say(free=(0.5, 0.04), cip=(0.325, 0.03), density=(1.0, 0.1)), found
    )
    assert free.status == "not_converged"
    assert free.stderr == pytest.approx(0.4)
    assert free.note == "starts disagree: separated 0.90 ± 0.05, contact 0.10 ± 0.05"
    assert (cip.status, cip.stderr) == ("ok", 0.03)
    assert other.stderr == 0.1


def test_replicas_of_one_start_are_not_compared():
    rng = np.random.default_rng(1)
    system = make_two_state_contacts(rng, n=8, n_frames=60)
    scene = make_scene(system, copies=2)
    tree, _ = analyze_scene(scene, cutoffs={"*": 3.0}, starts=["contact", "contact"])
    assert "agreement" not in tree.children
    tree, _ = analyze_scene(scene, cutoffs={"*": 3.0})
    assert tree["agreement"]["start"].values.tolist() == ["replica 0", "replica 1"]
    assert bool(tree["agreement"]["agree"].all())
