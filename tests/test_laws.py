"""Laws: what moving, wrapping, turning and renumbering must not change, and parts that add."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from solvation.analyze.centre import Centres
from solvation.analyze.contact import Contacts, keep_contacts
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.rdf import RDF
from solvation.analyze.stage import analyze_scene
from solvation.analyze.surrounding import Surroundings, list_counts
from solvation.analyze.topology import scene_from_arrays
from solvation.kernels.cell import box_matrix, wrap
from solvation.kernels.timecorr import mean_squared_displacement
from solvation.kernels.uncertainty import member_error
from solvation.synthetic import make_mixture

CUTOFF = {"*": 3.0}
LAWS = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
MOVING = ["diffusion.", "conductivity.", "onsager.", "transference."]
"""Beginnings of the names of what rests on displacements."""
SEEDS = st.integers(min_value=0, max_value=10_000)


def _mix(seed):
    return make_mixture(np.random.default_rng(seed))


def _make_scene(system, *, copies=1):
    source = ArraySource(positions=system.positions, boxes=system.box, times=system.times)
    return scene_from_arrays(
        system.elements, system.bonds, [source] * copies, charges=system.charges
    )


def _measure(system):
    _, quantities = analyze_scene(_make_scene(system), cutoffs=CUTOFF)
    return {q.name: q for q in quantities}


def _assert_same(one, other, *, without=()):
    """Compare all numbers, or those whose names do not start with one of ``without``."""
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
    system = _mix(seed)
    breath = 1.0 + 0.02 * np.sin(np.arange(len(system.times)))[:, None]
    boxes = system.box * np.concatenate([np.repeat(breath, 3, 1), np.ones((len(breath), 3))], 1)
    moved = replace(system, box=boxes)
    wrapped = replace(moved, positions=wrap(system.positions, box_matrix(boxes)))
    _assert_same(_measure(moved), _measure(wrapped), without=MOVING)


@LAWS
@given(seed=SEEDS, shift=st.tuples(*[st.floats(-50, 50)] * 3))
def test_translation_changes_nothing(seed, shift):
    system = _mix(seed)
    _assert_same(
        _measure(system), _measure(replace(system, positions=system.positions + np.array(shift)))
    )


@LAWS
@given(seed=SEEDS)
def test_wrapping_atoms_changes_nothing(seed):
    system = _mix(seed)
    matrix = np.repeat(box_matrix(system.box)[None], len(system.times), axis=0)
    _assert_same(
        _measure(system), _measure(replace(system, positions=wrap(system.positions, matrix)))
    )


@LAWS
@given(seed=SEEDS, axes=st.permutations([0, 1, 2]), sign=st.sampled_from([-1.0, 1.0]))
def test_rotation_by_right_angles_changes_nothing(seed, axes, sign):
    system = _mix(seed)
    turned = system.positions[..., axes] * np.array([sign, 1.0, 1.0])
    _assert_same(_measure(system), _measure(replace(system, positions=turned)))


@LAWS
@given(seed=SEEDS)
def test_numbering_of_equal_molecules_changes_nothing(seed):
    system = _mix(seed)
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [
            rng.permutation(4),
            4 + rng.permutation(8),
            (12 + 3 * rng.permutation(30)[:, None] + np.arange(3)).ravel(),
        ]
    )
    # Errors of transport come from groups of molecules, which depend on the numbering.
    _assert_same(
        _measure(system),
        _measure(replace(system, positions=system.positions[:, order])),
        without=MOVING,
    )


@LAWS
@given(seed=SEEDS)
def test_a_triclinic_box_of_the_same_crystal_changes_nothing(seed):
    """Lean the third box vector by one edge: the same points repeat in space."""
    system = _mix(seed)
    edge = float(system.box[0])
    leaning = np.array([edge, edge, edge * np.sqrt(2.0), 90.0, 45.0, 90.0])
    np.testing.assert_allclose(box_matrix(leaning)[2], [edge, 0.0, edge], atol=1e-9)
    # Half the perpendicular width, and with it the reach of g(r), is less in the leaning box.
    _assert_same(_measure(system), _measure(replace(system, box=leaning)), without=["rdf."])


@LAWS
@given(seed=SEEDS)
def test_a_box_repeated_in_all_directions_holds_the_same_fractions(seed):
    system = make_mixture(np.random.default_rng(seed), n_frames=4)
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
    small, large = _measure(system), _measure(large)
    for name, quantity in small.items():
        if name.startswith(
            ("coordination.", "speciation.", "shell.", "density", "denticity.", "shape.", "motif.",
             "distance.", "bridging.", "uncoordinated.")
        ):  # fmt: skip
            assert large[name].value == pytest.approx(quantity.value, rel=1e-9), name


@LAWS
@given(seed=SEEDS)
def test_fractions_close_to_one_and_charges_to_zero(seed):
    tree, quantities = analyze_scene(_make_scene(_mix(seed)), cutoffs=CUTOFF)
    for prefix in ("speciation.cation.", "speciation.anion.", "species.", "shell.", "shape.Mg."):
        total = sum(q.value for q in quantities if q.name.startswith(prefix))
        assert total == pytest.approx(1.0, abs=1e-9)
    for name, variables, dim in (
        ("denticity", ["fraction"], "denticity"),
        ("shells", ["fraction"], "shell"),
        ("shells", ["motif_fraction"], "motif"),
        ("clusters", ["size_cluster", "size_cation", "size_anion"], "size"),
        ("clusters", ["charge_cluster", "charge_cation", "charge_anion"], "charge"),
        ("speciation", ["species_anion_fraction", "species_share"], "species"),
        ("speciation", ["ion_class"], "class"),
        ("exchange", ["fraction"], "mechanism"),
    ):
        for variable in variables:
            sums = tree[name][variable].sum(dim, skipna=False).values
            np.testing.assert_allclose(sums[np.isfinite(sums)], 1.0, atol=1e-9, err_msg=variable)
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
