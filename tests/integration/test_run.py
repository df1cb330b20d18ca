"""The whole road on a tiny box: recipe -> box -> trajectory -> results -> report."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

import solvation
from solvation.errors import WorkspaceError
from solvation.log import read_log
from solvation.recipe import parse_recipe
from solvation.results import check_units

from .conftest import TINY


def test_results_are_a_tree_with_units_on_every_variable(tiny_run):
    tree = tiny_run.results
    assert isinstance(tree, xr.DataTree)
    check_units(tree)
    assert {
        "rdf",
        "coordination",
        "speciation",
        "shells",
        "diffusion",
        "conductivity",
        "thermo",
    } <= set(tree.children)
    assert tree.attrs["charge_scale"] == pytest.approx(1 / 1.377, abs=1e-3)


def test_every_file_of_the_run_folder_is_there(tiny_run):
    folder = tiny_run.folder.path
    for name in (
        "recipe.toml",
        "manifest.json",
        "results.nc",
        "summary.json",
        "report.html",
        *(f"build/{s}/{f}" for s in ("separated", "contact")
          for f in ("topology.pdb", "system.xml", "state.xml", "audit.json")),
        *(f"simulate/{r}/{f}" for r in ("separated-1", "contact-1")
          for f in ("trajectory.xtc", "log.csv", "checkpoint")),
    ):  # fmt: skip
        assert (folder / name).stat().st_size > 0, name
    assert not list(folder.rglob("*.partial"))


def test_summary_has_the_promised_names_and_closes(tiny_run):
    document = json.loads(tiny_run.folder.summary.read_text())
    assert document["schema"] == 1
    assert document["recipe"] == "tiny"
    assert document["model"]["forcefield"] == "opls-clp"
    assert document["model"]["ions"] == "default"
    rows = {row["name"]: row for row in document["quantities"]}
    assert len(rows) == len(document["quantities"]), "a name occurs twice"
    for name in (
        "density",
        "concentration.Mg(TFSI)2",
        "rdf.Mg-DME.O.first_peak",
        "rdf.Mg-DME.O.cutoff",
        "coordination.Mg-DME.O",
        "coordination.Mg.total",
        "residence.Mg-DME",
        "diffusion.Mg",
        "diffusion.TFSI",
        "diffusion.DME",
        "conductivity.nernst_einstein",
        "conductivity.einstein",
    ):
        assert name in rows
    for row in rows.values():
        assert row["status"] in ("ok", "bound", "not_converged", "undefined")
        assert row["unit"]
    for side in ("cation", "anion"):
        parts = [
            rows[f"speciation.{side}.{name}"]["value"] for name in ("free", "ssip", "cip", "agg")
        ]
        assert math.fsum(parts) == pytest.approx(1.0, abs=1e-9)
    species = [row["value"] for name, row in rows.items() if name.startswith("species.")]
    assert math.fsum(species) == pytest.approx(1.0, abs=1e-9)
    shells = [row["value"] for name, row in rows.items() if name.startswith("shell.")]
    assert math.fsum(shells) == pytest.approx(1.0, abs=1e-9)


def test_contact_start_binds_anions_and_separated_start_does_not(tiny_run):
    """Two starts, two shells: the memory that the statuses warn of."""
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import analyze_scene

    bound = {}
    for start in ("separated", "contact"):
        scene = open_scene(
            tiny_run.folder.build(start) / "topology.pdb",
            [tiny_run.folder.simulate(f"{start}-1") / "trajectory.xtc"],
            temperature=298.15,
        )
        _, quantities = analyze_scene(scene, cutoffs={"Mg-TFSI.O": 2.9}, temperature=298.15)
        values = {quantity.name: quantity.value for quantity in quantities}
        bound[start] = values["coordination.Mg-TFSI.O"]
        assert 5.5 < values["coordination.Mg.total"] < 7.5
    assert bound["contact"] > 1.5
    assert bound["separated"] < 1.0


def test_frames_are_evenly_spaced_and_molecules_stay_whole(tiny_run):
    import MDAnalysis as mda

    folder = tiny_run.folder
    universe = mda.Universe(
        str(folder.build("separated") / "topology.pdb"),
        str(folder.simulate("separated-1") / "trajectory.xtc"),
        to_guess=(),
    )
    times = np.array([frame.time for frame in universe.trajectory])
    assert times == pytest.approx(np.arange(41) * 0.2, abs=1e-5)
    assert len({round(float(frame.volume), 1) for frame in universe.trajectory}) == 1
    bonds = universe.bonds.indices
    for frame in universe.trajectory:
        lengths = np.linalg.norm(
            frame.positions[bonds[:, 0]] - frame.positions[bonds[:, 1]], axis=1
        )
        assert lengths.max() < 2.2


def test_production_runs_at_the_mean_density(tiny_run):
    from solvation.kernels.stationarity import judge_stationarity

    log = read_log(tiny_run.folder.simulate("separated-1") / "log.csv")
    density = log.select("density")
    volume = density.volume[judge_stationarity(density.volume).start :].mean()
    assert log.select("production").volume == pytest.approx(volume, rel=1e-5)
    assert 0.85 < tiny_run["density"].value < 1.15


def test_a_second_call_repeats_nothing(tiny_run):
    folder = tiny_run.folder
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*.xtc")}
    before[folder.results] = folder.results.stat().st_mtime_ns
    solvation.run(solvation.load_recipe(folder.recipe), folder.path, until="analyze")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_can_be_made_longer(tiny_run, tmp_path):
    import shutil

    copy = tmp_path / "longer"
    shutil.copytree(tiny_run.folder.path, copy)
    recipe = parse_recipe(
        {
            **TINY,
            "protocol": {
                **TINY["protocol"],
                "starts": ["separated", "contact"],
                "replicas": 1,
                "production_time": "9 ps",
            },
        }
    )
    longer = solvation.run(recipe, copy, until="simulate")
    log = read_log(longer.folder.simulate("separated-1") / "log.csv").select("production")
    assert log.time == pytest.approx(np.arange(1, 46) * 0.2)


def test_another_recipe_is_not_run_over_a_finished_one(tiny_run):
    other = parse_recipe({**TINY, "box": {"cations": 3}})
    with pytest.raises(WorkspaceError, match=r"holds another run.*box\.cations"):
        solvation.run(other, tiny_run.folder.path)


def test_same_seed_same_box(tiny_recipe, tmp_path):
    for name in ("a", "b"):
        solvation.run(tiny_recipe, tmp_path / name, until="build")
    first, second = (
        (tmp_path / name / "build/separated/state.xml").read_text() for name in ("a", "b")
    )
    assert first == second


def test_manifest_says_how_it_was_made(tiny_run):
    manifest = tiny_run.folder.read_manifest()
    assert manifest["seed"] == 2026
    assert manifest["versions"]["openmm"]
    assert manifest["platform"]
    assert all(entry["state"] == "done" for entry in manifest["stages"].values())
    assert manifest["composition"]["counts"]["Mg"] == 2
    assert manifest["composition"]["counts"]["TFSI"] == 4


def test_analyze_and_report_do_not_simulate(tiny_recipe, tmp_path):
    for stage in ("analyze", "report"):
        with pytest.raises(WorkspaceError, match="holds no run"):
            solvation.run(tiny_recipe, tmp_path / "x", since=stage)
    assert not (tmp_path / "x").exists()
    solvation.run(tiny_recipe, tmp_path / "x", until="build")
    for stage in ("analyze", "report"):
        with pytest.raises(WorkspaceError, match="first"):
            solvation.run(tiny_recipe, tmp_path / "x", since=stage, until=stage)


def test_a_box_is_not_rebuilt_under_its_trajectory(tiny_run, tmp_path):
    """A force field that changed after the run: nothing that was computed is lost."""
    import shutil

    copy = tmp_path / "old"
    shutil.copytree(tiny_run.folder.path, copy)
    folder = solvation.open_results(copy).folder
    folder.update_manifest(
        stages={"build/separated": {"state": "done", "inputs": "another force field"}}
    )
    before = (folder.build("separated") / "system.xml").read_bytes()
    with pytest.raises(WorkspaceError, match="another version of force field"):
        solvation.run(solvation.load_recipe(folder.recipe), copy)
    assert (folder.build("separated") / "system.xml").read_bytes() == before


@pytest.fixture(scope="module")
def liquid_run(tmp_path_factory) -> solvation.Run:
    """All four stages without an ion."""
    recipe = parse_recipe(
        {
            **TINY,
            "name": "pure",
            "title": "DME and THF",
            "salt": [],
            "solvent": [
                {"name": "DME", "fraction": 0.5, "fraction_of": "mole"},
                {"name": "THF", "fraction": 0.5, "fraction_of": "mole"},
            ],
            "box": {"atoms": 400},
            "protocol": {**TINY["protocol"], "starts": ["random"]},
        }
    )
    return solvation.run(recipe, tmp_path_factory.mktemp("runs") / "pure")


def test_the_page_of_a_trajectory_can_be_written_again(liquid_run, tmp_path):
    from solvation.pipeline import rewrite_report

    run = solvation.analyze_trajectory(
        liquid_run.folder.build("random") / "topology.pdb",
        [liquid_run.folder.simulate("random-1") / "trajectory.xtc"],
        tmp_path / "analysis",
    )
    run.report.unlink()
    assert rewrite_report(tmp_path / "analysis").report.stat().st_size > 10_000


def test_a_recipe_without_salt_runs_to_its_report(liquid_run):
    run = liquid_run
    manifest = run.folder.read_manifest()
    counts = manifest["composition"]["counts"]
    assert set(counts) == {"DME", "THF"}
    assert abs(counts["DME"] - counts["THF"]) <= 1
    assert manifest["model"]["charge_scale"] == 1.0  # no ion to scale
    names = {quantity.name for quantity in run.quantities}
    assert names == {
        "density", "diffusion.DME", "diffusion.THF", "equilibration.energy_drift", "permittivity",
    }  # fmt: skip
    assert 1.0 < run["permittivity"].value < 40.0
    assert 0.5 < run["density"].value < 1.1
    page = run.report.read_text(encoding="utf-8")
    assert "No coordination numbers were computed." in page
    assert "No conductivity was computed." in page
