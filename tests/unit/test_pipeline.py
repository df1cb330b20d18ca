"""Pipeline: stages in order, mistakes before folders, nothing done twice or over another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import solvation
from solvation import pipeline
from solvation.errors import ForceFieldError, RecipeError, TrajectoryError, WorkspaceError
from solvation.job import Run, open_results
from solvation.pipeline import analyze_trajectory, run
from solvation.production import find_box
from solvation.recipe import Recipe, parse_recipe
from solvation.results import Quantity, save_summary
from solvation.simulate.protocol import make_plan
from solvation.workspace import RunFolder, open_run

DATA: dict[str, Any] = {
    "name": "x",
    "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
    "solvent": [{"name": "DME"}],
    "protocol": {"profile": "quick"},
}


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(DATA)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the stages in the order they were done; none does anything."""
    monkeypatch.chdir(tmp_path)
    names: list[str] = []
    homes = {
        "build": "_build",
        "simulate": "simulate_replicas",
        "analyze": "_analyze",
        "report": "_report",
    }
    for name, home in homes.items():
        monkeypatch.setattr(pipeline, home, lambda *_, name=name, **__: names.append(name))
    return names


@pytest.mark.parametrize(
    ("until", "stages"),
    [("build", 1), ("simulate", 2), ("analyze", 3), ("report", 4)],
)
def test_stages_in_order_until_the_last(
    recipe: Recipe, done: list[str], until: pipeline.StageName, stages: int
) -> None:
    made = run(recipe, "here", until=until)
    assert done == ["build", "simulate", "analyze", "report"][:stages]
    assert made.folder == RunFolder(path=Path("here"))


@pytest.mark.parametrize(
    ("profile", "path"),
    [(None, "runs/x"), ("quick", "runs/x"), ("standard", "runs/x-standard")],
)
def test_the_folder_is_named_for_the_recipe(
    recipe: Recipe, done: list[str], profile: str | None, path: str
) -> None:
    made = run(recipe, profile=profile, until="build")
    assert made.folder.path == Path(path)
    kept = solvation.load_recipe(made.folder.recipe)
    assert kept == recipe.resolve(profile)
    manifest = made.folder.read_manifest()
    assert manifest["name"] == "x"
    assert manifest["schema"] == 1
    assert manifest["recipe_hash"] == kept.hash
    assert manifest["command"] == f'solvation.run("x", "{path}")'


def test_replicas_replace_those_of_the_recipe(recipe: Recipe, done: list[str]) -> None:
    made = run(recipe, "here", replicas=5, until="build")
    assert solvation.load_recipe(made.folder.recipe).protocol.replicas == 5


@pytest.mark.parametrize(
    ("changes", "arguments", "kind", "message"),
    [
        ({}, {"until": "end"}, RecipeError, 'stage "end" is not known; choose one of build'),
        ({}, {"profile": "fast"}, RecipeError, 'profile "fast" is not known'),
        ({}, {"replicas": 0}, RecipeError, "replicas"),
        ({}, {"platform": "Foo"}, RecipeError, 'platform "Foo" is not known'),
        ({"box": {"cations": 2}}, {}, RecipeError, "too small for the cutoff"),
        ({"model": {"forcefield": "opls"}}, {}, ForceFieldError, "did you mean opls-clp"),
        (
            {"protocol": {"profile": "quick", "production_time": "1 ps"}},
            {},
            RecipeError,
            "make it at least 4",
        ),
    ],
)
def test_mistakes_are_found_before_a_folder_is_made(
    done: list[str], changes: dict[str, Any], arguments: dict[str, Any], kind: type, message: str
) -> None:
    with pytest.raises(kind) as caught:
        run(parse_recipe({**DATA, **changes}), "here", **arguments)
    assert message in str(caught.value)
    assert done == []
    assert not Path("here").exists()


def test_another_recipe_is_not_run_over_the_first(recipe: Recipe, done: list[str]) -> None:
    run(recipe, "here", until="build")
    other = parse_recipe({**DATA, "conditions": {"temperature": "310 K"}})
    with pytest.raises(WorkspaceError, match=r"holds another run \(conditions.* is None there"):
        run(other, "here")
    longer = parse_recipe({**DATA, "protocol": {"profile": "quick", "production_time": "9 ns"}})
    run(longer, "here", until="build")
    kept = solvation.load_recipe(Path("here/recipe.toml"))
    assert kept.protocol.production_time == "9 ns"


def test_two_at_a_time_are_one_too_many(recipe: Recipe, done: list[str]) -> None:
    made = run(recipe, "here", until="build")
    with made.folder.lock(), pytest.raises(WorkspaceError, match="is in use by process"):
        run(recipe, "here")


def test_a_stage_is_skipped_only_when_its_files_are_there(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    packings: list[int] = []

    def build_box(
        _: Recipe, folder: Path, *, start: str, packing: int, **_choices: Any
    ) -> dict[str, Any]:
        built.append(start)
        packings.append(packing)
        folder.mkdir(parents=True, exist_ok=True)
        text = '{"charge_scale": 1, "residues": {"Mg": 8}, "salts": {}, "asked": {}, "n_atoms": 8}'
        (folder / "audit.json").write_text(text)
        for name in ("system.xml", "state.xml", "topology.pdb"):
            (folder / name).write_text("")
        return {}

    monkeypatch.setattr("solvation.build.box.build_box", build_box)
    both = {**DATA, "protocol": {"profile": "quick", "starts": ["separated", "contact"]}}
    both["protocol"]["replicas"] = 4
    events: list[pipeline.Event] = []
    for _ in range(2):
        run(parse_recipe(both), tmp_path / "run", until="build", progress=events.append)
    assert built == ["separated", "contact", "separated", "contact"]
    assert [event.text for event in events if event.done == 1.0] == ["8 Mg: 8 atoms"] * 2
    assert (tmp_path / "run/build/separated-2").is_dir()
    assert packings == [0, 0, 1, 1]
    (tmp_path / "run/build/contact/audit.json").unlink()
    run(parse_recipe(both), tmp_path / "run", until="build")
    assert built[4:] == ["contact"]


def test_a_replica_that_was_begun_in_a_shared_box_keeps_it(tmp_path: Path) -> None:
    """Folders of earlier versions have one box for all replicas of a start."""
    both = {**DATA, "protocol": {"profile": "quick", "replicas": 2}}
    first, second = make_plan(parse_recipe(both).resolve()).replicas
    folder = open_run(tmp_path)
    assert [find_box(folder, item) for item in (first, second)] == ["separated", "separated-2"]
    folder.simulate(second.name).mkdir(parents=True)
    (folder.simulate(second.name) / "checkpoint").touch()
    assert find_box(folder, second) == "separated"
    folder.update_manifest(stages={"build/separated-2": {"state": "done"}})
    assert find_box(folder, second) == "separated-2"


# Results ------------------------------------------------------------------------------------


def test_quantities_by_name(tmp_path: Path) -> None:
    density = Quantity(name="density", value=1.0, stderr=0.1, unit="g/cm3")
    save_summary([density], tmp_path / "summary.json", recipe="x")
    opened = open_results(tmp_path)
    assert opened == Run(folder=RunFolder(path=tmp_path))
    assert opened["density"] == density
    assert opened.report == tmp_path / "report.html"
    with pytest.raises(KeyError, match="viscosity"):
        _ = opened["viscosity"]


def test_no_results_yet(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"holds no summary.json; run `solvation run`"):
        open_results(tmp_path)


def test_a_trajectory_that_cannot_be_read_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError):
        analyze_trajectory(tmp_path / "none.pdb", [tmp_path / "none.xtc"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
