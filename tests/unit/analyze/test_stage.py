"""The stage from end to end: names, units, errors and statuses."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.density import measure_density, name_salt
from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import TrajectoryError
from solvation.results import check_units, load_results, save_results
from solvation.synthetic import (
    make_ideal_gas,
    make_lattice,
    make_mixture,
    make_random_walk,
    make_two_state_contacts,
)

from .made_scenes import make_scene as make


@pytest.fixture(scope="module")
def analyzed():
    system = make_two_state_contacts(np.random.default_rng(3), n=27, n_frames=300)
    told = []
    tree, quantities = analyze_scene(
        make(system), charge_scale=0.72, progress=lambda *news: told.append(news)
    )
    return system, tree, {q.name: q for q in quantities}, told


def test_two_state_contacts_are_found(analyzed):
    system, _, found, _ = analyzed
    residence = found["residence.Mg-water"]
    assert residence.status == "ok"
    assert residence.n_events > 50
    assert abs(residence.value - system.truth["residence"]) < 3.0 * residence.stderr
    bound = found["coordination.Mg-water.O"]
    assert abs(bound.value - system.truth["bound"]) < 3.0 * bound.stderr
    assert bound.status == "ok"


def test_what_depends_on_an_exchange_that_never_happened_is_marked(analyzed):
    _, _, found, _ = analyzed
    for name, quantity in found.items():
        if name.startswith(("speciation.", "species.", "shell.")):
            assert quantity.status == "not_converged", name
            assert "no Mg-Cl contact" in quantity.note
    assert found["residence.Mg-Cl"].status == "undefined"
    assert found["coordination.Mg-Cl.Cl"].stderr > 0.0


def test_the_tree_survives_the_disk(analyzed, tmp_path):
    _, tree, _, _ = analyzed
    check_units(tree)
    save_results(tree, tmp_path / "results.nc")
    back = load_results(tmp_path / "results.nc")
    assert set(back.children) == {
        "rdf", "coordination", "denticity", "geometry", "shapes", "speciation", "clusters",
        "shells", "residence", "exchange", "diffusion", "partial_diffusion", "conductivity",
        "onsager", "density", "structure",
    }  # fmt: skip
    assert json.loads(back.attrs["counts"]) == {"Mg": 27, "Cl": 54, "water": 27}
    assert back.attrs["charge_scale"] == 0.72
    assert math.isnan(back.attrs["temperature"])
    shell = json.loads(str(back["shells"]["structure"].values[0]))
    assert shell["elements"][0] == "Mg"
    for node in back.subtree:
        for name in node.data_vars:
            if f"{name}_stderr" in node.data_vars:
                assert node[f"{name}_stderr"].dims == node[name].dims


def test_progress_is_told(analyzed):
    _, _, _, told = analyzed
    labels = {label for _, _, label in told}
    assert labels == {"surroundings and paths"}
    assert told[-1][:2] == (300, 300)


def test_statuses_and_errors_are_consistent(analyzed):
    for quantity in analyzed[2].values():
        assert (quantity.value is None) == (quantity.status == "undefined"), quantity.name
        assert (quantity.bound is None) == (quantity.status != "bound"), quantity.name
        assert quantity.note or quantity.status == "ok", quantity.name
        if quantity.status in ("ok", "not_converged"):
            assert quantity.stderr is not None, quantity.name


def test_a_lattice_is_one_aggregate(make_scene):
    _, quantities = analyze_scene(make_scene(make_lattice()))
    found = {q.name: q for q in quantities}
    assert found["coordination.Li-F.F"].value == 6.0
    assert found["coordination.Li-F.F"].stderr > 0.0
    assert found["species.[Li108F108]0"].value == 1.0
    assert found["speciation.cation.agg"].value == 1.0
    assert found["diffusion.Li"].status == "undefined"


def test_a_gas_has_no_shell(make_scene, rng):
    _, quantities = analyze_scene(make_scene(make_ideal_gas(rng)))
    found = {q.name: q for q in quantities}
    assert found["rdf.Li-F.F.cutoff"].status == "undefined"
    assert "no first shell" in found["coordination.Li-F.F"].note


def test_a_single_frame_is_structure_without_dynamics(make_scene, rng):
    _, quantities = analyze_scene(make_scene(make_mixture(rng, n_frames=1)), cutoffs={"*": 3.0})
    found = {q.name: q for q in quantities}
    assert found["diffusion.Mg"].note == "a single frame has no dynamics"
    assert found["speciation.cation.cip"].status == "not_converged"
    assert found["coordination.Mg.total"].value > 0.0


def test_temperature_not_given_is_said(make_scene, rng):
    walk = make_random_walk(rng)
    _, quantities = analyze_scene(make_scene(walk))
    assert "298.15 K assumed" in {q.name: q for q in quantities}["conductivity.einstein"].note
    tree, quantities = analyze_scene(make_scene(walk), temperature=330.0)
    assert "assumed" not in {q.name: q for q in quantities}["conductivity.einstein"].note
    assert tree.attrs["temperature"] == 330.0


def test_nothing_that_binds_is_an_error(make_scene, rng):
    scene = make_scene(make_ideal_gas(rng), charges={"F": 0}, roles={50: ("solvent", "gas")})
    with pytest.raises(TrajectoryError, match="can bind a cation"):
        analyze_scene(scene)


def test_density_and_salt(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n=10))
    assert name_salt(scene) == ("MgCl2", 10.0)
    from solvation.analyze.centre import Centres
    from solvation.analyze.driver import run_analyzers

    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    found = measure_density(scene, paths)
    mass = 10 * 24.305 + 20 * 35.45
    assert float(found["density"]) == pytest.approx(mass / 6.02214076e23 / 27000e-24)
    assert float(found["concentration"]) == pytest.approx(10 / 6.02214076e23 / 27000e-27)
    assert float(found["density_stderr"]) == 0.0


def test_two_salts_at_once(make_scene, rng):
    """Li+ and Mg2+ with Cl-: clusters of both, each cation with its own numbers."""
    system = make_mixture(rng, n_cations=4)
    elements = ("Li", "Li", *system.elements[2:])
    mixed = replace(system, elements=elements, charges={"Li": 1, "Mg": 2, "Cl": -1})
    tree, quantities = analyze_scene(make_scene(mixed), cutoffs={"*": 4.5})
    found = {q.name: q for q in quantities}
    assert {"coordination.Li.total", "coordination.Mg.total"} <= set(found)
    assert any(n.startswith("shell.Li") for n in found)
    assert any(n.startswith("species.[LiMg") for n in found)
    assert sum(q.value for n, q in found.items() if n.startswith("species.")) == pytest.approx(1.0)
    node = tree["speciation"]
    # Two Li+, two Mg2+ and eight Cl- carry -2 e, and so do the clusters.
    assert float((node["species_charge"] * node["species_count"]).sum()) == pytest.approx(-2.0)
    assert not any(n.startswith("concentration.") for n in found)


def test_a_liquid_without_ions_has_density_and_diffusion_and_nothing_of_ions():
    """Rigid acetonitriles that walk at a known rate in a box of known mass and volume."""
    rng = np.random.default_rng(7)
    n, n_frames, edge, diffusion = 40, 400, 20.0, 1e-9
    step = np.sqrt(2.0 * diffusion * 1e20 * 1e-12)  # Å per axis in 1 ps
    centres = np.cumsum(rng.normal(scale=step, size=(n_frames, n, 3)), axis=0)
    centres += rng.uniform(0.0, edge, size=(n, 3))
    shape = [[0, 0, 0], [1.46, 0, 0], [2.62, 0, 0]]
    shape += [[-0.4, 1, 0], [-0.4, -0.5, 0.9], [-0.4, -0.5, -0.9]]
    elements = ("C", "C", "N", "H", "H", "H")
    positions = (centres[:, :, None, :] + np.array(shape)).reshape(n_frames, 6 * n, 3)
    one = np.array([[0, 1], [1, 2], [0, 3], [0, 4], [0, 5]])
    bonds = (6 * np.arange(n)[:, None, None] + one).reshape(-1, 2)
    box = np.array([edge, edge, edge, 90.0, 90.0, 90.0])
    source = ArraySource(positions=positions, boxes=box, times=np.arange(n_frames, dtype=float))
    scene = scene_from_arrays(elements * n, bonds, [source])
    tree, quantities = analyze_scene(scene, temperature=300.0)
    check_units(tree)
    found = {quantity.name: quantity for quantity in quantities}
    assert set(found) == {"density", "diffusion.ACN"}
    assert set(tree.children) == {"density", "diffusion", "structure"}
    grams = n * (2 * 12.011 + 14.007 + 3 * 1.008) / 6.02214076e23
    assert found["density"].value == pytest.approx(grams / (edge**3 * 1e-24), rel=1e-4)
    moved = found["diffusion.ACN"]
    assert abs(moved.value - diffusion) < 4.0 * moved.stderr
    assert moved.stderr < 0.3 * diffusion
    assert json.loads(tree.attrs["roles"]) == {"ACN": "solvent"}
    assert tree.attrs["temperature"] == 300.0


def test_an_unknown_neutral_molecule_alone_may_be_a_cation_overlooked():
    source = ArraySource(
        positions=np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]]),
        boxes=np.array([20.0, 20.0, 20.0, 90.0, 90.0, 90.0]),
        times=np.zeros(1),
    )
    with pytest.raises(TrajectoryError, match="no cation among"):
        scene_from_arrays(("Ar", "Ar"), np.empty((0, 2), dtype=int), [source])


def test_a_frame_and_a_viscosity_reach_the_results(tmp_path, monkeypatch):
    """From files, as the command line does: named in notes, corrected by what was given."""
    monkeypatch.setattr("solvation.pipeline.write_page", lambda *_, **__: None)
    import MDAnalysis as mda

    from solvation.pipeline import analyze_trajectory
    from solvation.results import load_summary

    rng = np.random.default_rng(4)
    system = make_mixture(rng, n_frames=60)
    universe = mda.Universe.empty(
        len(system.elements), n_residues=1, atom_resindex=[0] * len(system.elements),
        trajectory=True,
    )  # fmt: skip
    universe.add_TopologyAttr("names", list(system.elements))
    universe.add_TopologyAttr("elements", list(system.elements))
    universe.add_TopologyAttr("bonds", [tuple(b) for b in system.bonds.tolist()])
    universe.load_new(
        system.positions, dimensions=np.broadcast_to(system.box, (60, 6)).copy(), dt=1.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe.atoms.write(str(tmp_path / "top.pdb"), bonds="all")
    with mda.Writer(str(tmp_path / "x.trr"), len(system.elements)) as writer:
        for _ in universe.trajectory:
            writer.write(universe.atoms)
    run = analyze_trajectory(
        tmp_path / "top.pdb", [tmp_path / "x.trr"], tmp_path / "out", cutoffs={"*": 3.0},
        frame="solvent", viscosity=0.5, temperature=300.0,
    )  # fmt: skip
    _, quantities = load_summary(run.folder.summary)
    found = {q.name: q for q in quantities}
    shift = found["diffusion.Mg.corrected"].value - found["diffusion.Mg"].value
    exact = 2.837297 * 1.380649e-23 * 300.0 / (6.0 * np.pi * 0.5e-3 * 12e-10)
    assert shift == pytest.approx(exact, rel=1e-5)
    assert "frame: centre of mass of the solvent" in found["diffusion.Mg"].note
    assert "n_effective" in found["diffusion.Mg"].note
    assert any(
        name.startswith("diffusion.Mg.") and name[-4:] in ("free", "ssip", ".cip", ".agg")
        for name in found
    )
