"""Laws: what moving, wrapping, turning and renumbering must not change, and parts that add.

`TABLE` has a row for every node of the structural suite; a new analyzer without laws fails here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from solvation.analyze.centre import Centres
from solvation.analyze.contact import Contacts, keep_contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.rdf import RDF
from solvation.analyze.separation import Separations
from solvation.analyze.snapshot import Snapshots
from solvation.analyze.stage import analyze_scene
from solvation.analyze.suite import OBSERVABLES
from solvation.analyze.surrounding import Surroundings, list_counts
from solvation.analyze.topology import scene_from_arrays
from solvation.analyze.torsion import Torsions, find_units
from solvation.kernels.cell import box_matrix, wrap
from solvation.kernels.timecorr import mean_squared_displacement
from solvation.kernels.uncertainty import member_error
from solvation.synthetic import make_mixture

CUTOFF = {"*": 3.0}
LAWS = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
MOVING = ["diffusion.", "conductivity.", "onsager.", "transference."]
"""Beginnings of the names of what rests on displacements."""
SEEDS = st.integers(min_value=0, max_value=10_000)


def _mix(seed):
    return make_mixture(np.random.default_rng(seed))


_DME = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 6), (0, 7), (0, 8), (2, 9), (2, 10), (3, 11),
        (3, 12), (5, 13), (5, 14), (5, 15))  # fmt: skip
N_DME = 6


def _electrolyte(seed, n_frames=12):
    """Let glymes of chance shapes walk among the ions and waters of `make_mixture`."""
    rng = np.random.default_rng(seed)
    system = make_mixture(rng, n_solvent=10, n_frames=n_frames)
    shape = np.zeros((N_DME, 16, 3))
    for parent, child in sorted(_DME, key=lambda bond: bond[1]):
        away = rng.normal(size=(N_DME, 3))
        away *= 1.4 / np.linalg.norm(away, axis=1, keepdims=True)
        shape[:, child] = shape[:, parent] + away
    steps = rng.normal(scale=0.25, size=(n_frames, N_DME, 1, 3))
    steps[0] = rng.random((N_DME, 1, 3)) * 12.0
    glymes = np.cumsum(steps, axis=0) + shape
    first = len(system.elements) + 16 * np.arange(N_DME)
    bonds = (first[:, None, None] + np.array(_DME)).reshape(-1, 2)
    return replace(
        system,
        elements=(*system.elements, *("C", "O", "C", "C", "O", "C", *"H" * 10) * N_DME),
        bonds=np.concatenate([system.bonds, bonds]),
        positions=np.concatenate([system.positions, glymes.reshape(n_frames, -1, 3)], axis=1),
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the laws say of one node."""

    tiled: tuple[str, ...]
    """The same in the box repeated 2 x 2 x 2; the others grow, or are errors, which shrink."""
    averaged: tuple[str, ...] = ()
    """Means over frames: of the whole, the mean of those of its parts, weighted by frames."""
    closed: tuple[tuple[str, str], ...] = ()
    """Fractions, and the dimension along which they add up to 1."""
    moves: tuple[str, ...] = ()
    """Places in space, which move and turn with the box."""


TABLE = {
    "rdf": Row(tiled=("first_peak", "cutoff", "radius", "defined"), averaged=("running",)),
    "coordination": Row(
        tiled=("number", "by_ligand", "total", "distribution", "total_distribution"),
        averaged=("number", "by_ligand", "total", "distribution", "total_distribution"),
        closed=(("distribution", "count"), ("total_distribution", "count")),
    ),
    "denticity": Row(
        tiled=("fraction", "ligands", "binding_fraction", "bridging", "bridging_atom"),
        averaged=("ligands",),
        closed=(("fraction", "denticity"),),
    ),
    "geometry": Row(tiled=("length", "length_density", "angle_density", "bite")),
    "shapes": Row(tiled=("fraction", "measure", "measure_overall")),
    "speciation": Row(
        tiled=("cation", "anion", "cation_counterions", "anion_counterions", "ion_class",
               "uncoordinated", "species_fraction", "species_anion_fraction", "species_share",
               "species_charge"),
        averaged=("cation", "anion", "ion_class", "uncoordinated"),
        closed=(("cation", "class"), ("anion", "class"), ("ion_class", "class"),
                ("cation_counterions", "n_counterions"),
                ("anion_counterions", "n_counterions_of_anion"), ("species_fraction", "species"),
                ("species_anion_fraction", "species"), ("species_share", "species")),
    ),
    "clusters": Row(
        tiled=("size_cluster", "size_cation", "size_anion", "charge_cluster", "charge_cation",
               "charge_anion", "percolation"),
        closed=(("size_cluster", "size"), ("size_cation", "size"), ("size_anion", "size"),
                ("charge_cluster", "charge"), ("charge_cation", "charge"),
                ("charge_anion", "charge")),
    ),
    "shells": Row(
        tiled=("fraction", "motif_fraction"),
        closed=(("fraction", "shell"), ("motif_fraction", "motif")),
        moves=("structure", "graph"),
    ),
    "residence": Row(
        tiled=("residence_time", "survival", "kaplan_meier_time", "kaplan_meier", "continuous",
               "bridged", "intermittent"),
    ),
    "exchange": Row(tiled=("fraction",), closed=(("fraction", "mechanism"),)),
    "conformations": Row(
        tiled=("fraction", "share", "torsion"),
        closed=(("fraction", "conformation"), ("share", "binding")),
    ),
    "density": Row(tiled=("density", "concentration"), averaged=("density", "concentration")),
    "structure": Row(tiled=(), moves=("position", "box")),
}  # fmt: skip


def _make_scene(system, *, copies=1):
    source = ArraySource(positions=system.positions, boxes=system.box, times=system.times)
    return scene_from_arrays(
        system.elements, system.bonds, [source] * copies, charges=system.charges
    )


def _measure(system, **choices):
    tree, quantities = analyze_scene(_make_scene(system), cutoffs=CUTOFF, **choices)
    return {name: node.to_dataset() for name, node in tree.children.items()}, {
        q.name: q for q in quantities
    }


def _assert_equal(one, other, where):
    """Compare two variables: words to the letter, numbers within rounding."""
    assert one.dims == other.dims, where
    if one.dtype.kind in "OUS":
        assert one.values.tolist() == other.values.tolist(), where
    else:
        one, other = (np.asarray(x, dtype=np.float64) for x in (one, other))
        scale = max(np.abs(x[np.isfinite(x)]).max(initial=0.0) for x in (one, other))
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8 * scale, err_msg=where)


def _assert_same(one, other, *, without=()):
    """Compare everything, but for nodes and names that start with one of ``without``."""
    (nodes, one), (other_nodes, other) = one, other
    assert nodes.keys() == other_nodes.keys()
    for name, node in nodes.items():
        if f"{name}.".startswith(tuple(without)):
            continue
        assert set(node.variables) == set(other_nodes[name].variables), name
        for key in set(node.variables) - set(TABLE[name].moves if name in TABLE else ()):
            _assert_equal(node[key], other_nodes[name][key], f"{name}.{key}")
    one, other = (
        {n: q for n, q in found.items() if not n.startswith(tuple(without))}
        for found in (one, other)
    )
    assert one.keys() == other.keys()
    for name, quantity in one.items():
        assert quantity.status == other[name].status, name
        for key in ("value", "stderr"):
            mine, theirs = getattr(quantity, key), getattr(other[name], key)
            if mine is None or theirs is None:
                assert mine is theirs, name
            else:
                assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-15), name


@LAWS
@given(seed=SEEDS, blocks=st.integers(2, 24))
def test_parts_and_parts_are_the_whole(seed, blocks):
    scene = _make_scene(_mix(seed))
    pairs = [("Mg", "water.O"), ("Mg", "Cl.Cl")]
    analyzers = [Contacts(cutoffs=dict.fromkeys(pairs, 3.0)), Centres(), RDF(a="Mg", b="Cl.Cl")]
    whole, parts = (run_analyzers(scene, analyzers, blocks=n) for n in (1, blocks))
    one, other = (found["Mg-Cl.Cl"].total() for found in (whole, parts))
    np.testing.assert_array_equal(one.counts, other.counts)
    assert one.ideal == pytest.approx(other.ideal, rel=1e-12)
    (one,), (other,) = (found["contacts"].total().result() for found in (whole, parts))
    np.testing.assert_array_equal(one.contacts, other.contacts)
    np.testing.assert_array_equal(one.shared, other.shared)
    assert one.n_frames == other.n_frames == 24
    (one,), (other,) = (found["centres"].total().result() for found in (whole, parts))
    np.testing.assert_array_equal(one.positions, other.positions)
    # Addition does not depend on the order either.
    pieces = list(parts["contacts"].split())
    backwards = pieces[-1]
    for piece in reversed(pieces[:-1]):
        backwards = backwards + piece
    (other,) = backwards.result()
    np.testing.assert_array_equal(parts["contacts"].total().result()[0].contacts, other.contacts)


@LAWS
@given(seed=SEEDS, blocks=st.integers(2, 12))
def test_parts_of_snapshots_torsions_and_separations_are_the_whole(seed, blocks):
    scene = _make_scene(_electrolyte(seed))
    pairs = [("Mg", "water.O"), ("Mg", "Cl.Cl")]
    analyzers = [
        Snapshots(most=5), Torsions(units=find_units(scene)),
        Separations(radii={("Mg", "Cl.Cl"): 5.0}), Surroundings(reach=dict.fromkeys(pairs, 3.5)),
    ]  # fmt: skip
    whole, parts = (run_analyzers(scene, analyzers, blocks=n) for n in (1, blocks))
    assert len(parts["snapshots"].parts) == blocks
    (one,), (other,) = (found["snapshots"].total().result() for found in (whole, parts))
    assert len(one.frames) == 4
    for key in ("frames", "positions", "matrix"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    ((one,),), ((other,),) = (found["torsions"].total().result() for found in (whole, parts))
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.angles, other.angles)
    (one,), (other,) = (found["separations"].total().result() for found in (whole, parts))
    np.testing.assert_array_equal(one.shared, other.shared)
    one, other = (found["surroundings"].total() for found in (whole, parts))
    np.testing.assert_array_equal(one.counts, other.counts)
    assert (one.per_volume, one.n_frames) == (other.per_volume, other.n_frames)
    (one,), (other,) = one.result().result(), other.result().result()
    np.testing.assert_array_equal(one.contacts, other.contacts)


@LAWS
@given(seed=SEEDS, cutoff=st.floats(2.5, 3.5), reach=st.floats(3.5, 5.0))
def test_one_search_finds_what_two_analyzers_find(seed, cutoff, reach):
    """A generous table cut down to a cutoff is the table of that cutoff."""
    scene = _make_scene(_mix(seed))
    pairs = [("Mg", "water.O"), ("Mg", "Cl.Cl")]
    analyzers = [Surroundings(reach=dict.fromkeys(pairs, reach)),
                 Contacts(cutoffs=dict.fromkeys(pairs, cutoff)), RDF(a="Mg", b="Cl.Cl"),
                 RDF(a="Mg", b="water.O")]  # fmt: skip
    found = run_analyzers(scene, analyzers)
    counts = list_counts(scene, found["surroundings"], pairs)
    for name in ("Mg-Cl.Cl", "Mg-water.O"):
        one, other = counts[name].total(), found[name].total()
        np.testing.assert_array_equal(one.counts, other.counts)
        assert (one.ideal, one.n_frames) == (other.ideal, other.n_frames)
    (generous,) = found["surroundings"].total().contacts.result()
    (table,) = found["contacts"].total().result()
    kept = keep_contacts(scene, generous, dict.fromkeys(pairs, cutoff))
    assert len(generous.contacts) > len(table.contacts)
    np.testing.assert_array_equal(kept.contacts, table.contacts)
    np.testing.assert_array_equal(kept.shared, table.shared)
    pieces = list(kept.split(5))
    assert [p.n_frames for p in pieces] == [5, 5, 5, 5, 4]
    assert sum(len(p.contacts) for p in pieces) == len(table.contacts)


@LAWS
@given(seed=SEEDS)
def test_wrapping_atoms_of_a_box_that_breathes_changes_nothing_structural(seed):
    system = _electrolyte(seed)
    breath = 1.0 + 0.02 * np.sin(np.arange(len(system.times)))[:, None]
    boxes = system.box * np.concatenate([np.repeat(breath, 3, 1), np.ones((len(breath), 3))], 1)
    moved = replace(system, box=boxes)
    wrapped = replace(moved, positions=wrap(system.positions, box_matrix(boxes)))
    _assert_same(_measure(moved), _measure(wrapped), without=MOVING)


@LAWS
@given(seed=SEEDS, shift=st.tuples(*[st.floats(-50, 50)] * 3))
def test_translation_changes_nothing(seed, shift):
    system = _electrolyte(seed)
    _assert_same(
        _measure(system), _measure(replace(system, positions=system.positions + np.array(shift)))
    )


@LAWS
@given(seed=SEEDS)
def test_wrapping_atoms_changes_nothing(seed):
    system = _electrolyte(seed)
    matrix = np.repeat(box_matrix(system.box)[None], len(system.times), axis=0)
    _assert_same(
        _measure(system), _measure(replace(system, positions=wrap(system.positions, matrix)))
    )


@LAWS
@given(seed=SEEDS, axes=st.permutations([0, 1, 2]), sign=st.sampled_from([-1.0, 1.0]))
def test_rotation_and_reflection_change_nothing_but_hands(seed, axes, sign):
    system = _electrolyte(seed)
    turn = np.eye(3)[:, axes] * np.array([sign, 1.0, 1.0])
    nodes, numbers = _measure(system)
    if np.linalg.det(turn) < 0.0:  # a mirror turns torsions the other way round, and no more
        torsion = nodes["conformations"]["torsion"]
        torsion.values = torsion.values[..., ::-1].copy()
    turned = replace(system, positions=system.positions @ turn)
    _assert_same((nodes, numbers), _measure(turned))


@LAWS
@given(seed=SEEDS)
def test_numbering_of_equal_molecules_changes_nothing(seed):
    system = _electrolyte(seed)
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [
            rng.permutation(4),
            4 + rng.permutation(8),
            (12 + 3 * rng.permutation(10)[:, None] + np.arange(3)).ravel(),
            (42 + 16 * rng.permutation(N_DME)[:, None] + np.arange(16)).ravel(),
        ]
    )
    # Errors of transport come from groups of molecules, which depend on the numbering.
    _assert_same(
        _measure(system),
        _measure(replace(system, positions=system.positions[:, order])),
        without=[*MOVING, "structure."],
    )


@LAWS
@given(seed=SEEDS)
def test_a_triclinic_box_of_the_same_crystal_changes_nothing(seed):
    """Lean the third box vector by one edge: the same points repeat in space."""
    system = _electrolyte(seed)
    edge = float(system.box[0])
    leaning = np.array([edge, edge, edge * np.sqrt(2.0), 90.0, 45.0, 90.0])
    np.testing.assert_allclose(box_matrix(leaning)[2], [edge, 0.0, edge], atol=1e-9)
    # Half the perpendicular width, and with it the reach of g(r), is less in the leaning box.
    _assert_same(
        _measure(system),
        _measure(replace(system, box=leaning)),
        without=["rdf.", "diffusion.", "conductivity."],
    )


@LAWS
@given(seed=SEEDS)
def test_a_box_repeated_in_all_directions_holds_the_same(seed):
    system = _electrolyte(seed, n_frames=4)
    edge = float(system.box[0])
    images = [np.array([i, j, k]) * edge for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    n = len(system.elements)
    large = replace(
        system,
        elements=system.elements * 8,
        bonds=np.concatenate([system.bonds + n * k for k in range(8)]),
        positions=np.concatenate([system.positions + image for image in images], axis=1),
        box=system.box * np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0]),
    )
    (small, _), (large, _) = (_measure(s, transport=False) for s in (system, large))
    for name, row in TABLE.items():
        # A cluster that spans the small box is larger in the large one.
        if name in ("clusters", "speciation") and float(small["clusters"]["percolation"]):
            continue
        for key in row.tiled:
            if name == "rdf":  # of which there is more in a larger box
                assert small[name][key].dims == large[name][key].dims
                continue
            _assert_equal(small[name][key], large[name][key], f"{name}.{key}")


@LAWS
@given(seed=SEEDS, cut=st.integers(1, 11))
def test_means_are_those_of_the_parts(seed, cut):
    system = _electrolyte(seed)
    parts = [
        replace(system, positions=system.positions[a:b], times=system.times[a:b])
        for a, b in ((0, cut), (cut, 12))
    ]
    whole, *parts = (_measure(s, transport=False)[0] for s in (system, *parts))
    for name, row in TABLE.items():
        for key in row.averaged:
            joined = [p[name][key] for p in parts]
            if "count" in joined[0].dims:  # as many columns as the largest number needs
                every = range(max(p.sizes["count"] for p in joined))
                joined = [p.reindex(count=list(every), fill_value=0.0) for p in joined]
            mean = (cut * joined[0] + (12 - cut) * joined[1]) / 12
            _assert_equal(whole[name][key], mean, f"{name}.{key}")


def test_every_analyzer_has_laws():
    nodes, _ = _measure(_electrolyte(1), transport=False)
    assert set(OBSERVABLES) <= set(nodes), "the system of the laws does not show all observables"
    assert set(nodes) == set(TABLE), "a node without laws: give it a row in TABLE"
    for name, row in TABLE.items():
        named = {*row.tiled, *row.averaged, *row.moves, *(key for key, _ in row.closed)}
        assert named <= set(nodes[name].variables), name
        assert named, name


@LAWS
@given(seed=SEEDS)
def test_fractions_close_to_one_and_charges_to_zero(seed):
    tree, quantities = analyze_scene(_make_scene(_electrolyte(seed)), cutoffs=CUTOFF)
    for prefix in ("speciation.cation.", "speciation.anion.", "species.", "shell.", "shape.Mg."):
        total = sum(q.value for q in quantities if q.name.startswith(prefix))
        assert total == pytest.approx(1.0, abs=1e-9)
    for name, row in TABLE.items():
        for key, dim in row.closed:
            # Where nothing is counted there are no fractions.
            sums = tree[name][key].sum(dim, skipna=False).values
            np.testing.assert_allclose(sums[np.isfinite(sums)], 1.0, atol=1e-9, err_msg=key)
    residence = tree["residence"]
    assert not (residence["continuous"] > residence["intermittent"] + 1e-12).any()
    exchange = tree["exchange"]
    np.testing.assert_array_equal(exchange["departures"], residence["n_events"])
    np.testing.assert_array_equal(exchange["count"].sum("mechanism"), exchange["departures"])
    node = tree["speciation"]
    charge = float((node["species_charge"] * node["species_count"]).sum())
    assert charge == pytest.approx(0.0, abs=1e-9)


@LAWS
@given(seed=SEEDS)
def test_a_replica_counted_twice_leaves_the_values(seed):
    system = _mix(seed)
    one, two = (
        {q.name: q for q in analyze_scene(_make_scene(system, copies=n), cutoffs=CUTOFF)[1]}
        for n in (1, 2)
    )
    for name, quantity in one.items():
        if name.startswith(("coordination.", "speciation.", "species.", "shell.")):
            assert two[name].value == pytest.approx(quantity.value, rel=1e-9, abs=1e-12), name


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_errors_and_displacements_scale(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 5))
    assert member_error([scale * x + shift]) == pytest.approx(scale * member_error([x]), rel=1e-6)
    path = np.cumsum(rng.normal(size=(20, 3)), axis=0)
    np.testing.assert_allclose(
        mean_squared_displacement(scale * path + shift)[1:],
        scale**2 * mean_squared_displacement(path)[1:],
        rtol=1e-6,
    )
