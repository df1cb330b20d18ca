"""Longer, and elsewhere: what an extended or branched run keeps, and what it refuses."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from solvation.errors import RecipeError, UnitError, WorkspaceError
from solvation.extend import branch_run, extend_recipe, find_longest, set_production
from solvation.inputs import hash_simulation, hash_text
from solvation.recipe import Recipe, parse_recipe
from solvation.workspace import RunFolder, open_run

DATA = {
    "name": "x",
    "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
    "solvent": [{"name": "DME"}],
    "protocol": {"profile": "quick", "production_time": "100 ps"},
}


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(DATA).resolve()


@pytest.fixture
def folder(tmp_path: Path, recipe: Recipe) -> RunFolder:
    folder = open_run(tmp_path / "run")
    folder.recipe.write_text(recipe.to_toml())
    return folder


def finish(folder: RunFolder, recipe: Recipe) -> None:
    length = hash_text([hash_simulation(recipe), str(recipe.protocol.production_time)])
    with folder.record_stage("simulate/separated-1", length):
        pass


def test_a_finished_run_is_extended(recipe: Recipe, folder: RunFolder) -> None:
    finish(folder, recipe)
    longer = extend_recipe(recipe, folder, "0.05 ns")
    assert longer.protocol.production_time == "150 ps"
    assert hash_simulation(longer) == hash_simulation(recipe)


def test_an_extension_that_was_interrupted_is_finished_first(
    recipe: Recipe, folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """Typed again in a batch job, it must not grow with every restart."""
    finish(folder, recipe)
    longer = extend_recipe(recipe, folder, "50 ps")
    folder.recipe.write_text(longer.to_toml())
    with caplog.at_level(logging.WARNING):
        again = extend_recipe(find_longest(recipe, folder), folder, "50 ps")
    assert again.protocol.production_time == "150 ps"
    assert "is not finished yet: finishing its 150 ps first" in caplog.text


def test_extensions_that_cannot_be(recipe: Recipe, folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no run"):
        extend_recipe(recipe, RunFolder(path=tmp_path / "none"), "50 ps")
    with pytest.raises(UnitError, match="--extend"):
        extend_recipe(recipe, folder, "50")
    with pytest.raises(RecipeError, match="above zero"):
        extend_recipe(recipe, folder, "-50 ps")


def test_the_first_command_does_not_cut_an_extended_run_short(
    recipe: Recipe, folder: RunFolder
) -> None:
    assert find_longest(recipe, folder) == recipe
    folder.recipe.write_text(set_production(recipe, 150).to_toml())
    assert find_longest(recipe, folder).protocol.production_time == "150 ps"
    longest = set_production(recipe, 200)
    assert find_longest(longest, folder) == longest


def test_a_branch_must_have_a_beginning_and_keep_its_molecules(
    folder: RunFolder, tmp_path: Path
) -> None:
    with pytest.raises(WorkspaceError, match="has no checkpoint to branch from"):
        branch_run(folder.path, tmp_path / "new", ["conditions.temperature=320 K"])
    for setting in ("box.cations=3", "salt.0.anion=OTf", "solvent.0.name=G2"):
        with pytest.raises(RecipeError, match="--branch keeps the molecules; --set"):
            branch_run(folder.path, tmp_path / "new", [setting])
