"""Experiment files: what is wrong in them is said, and what is shipped is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvation.errors import RecipeError
from solvation.experiment import find_experiment, load_experiment
from solvation.recipe import load_recipe

HEAD = 'system = "x"\n[[value]]\nname = "density"\nvalue = 1.0\nunit = "g/cm3"\ncitation = "A"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + 'citatoin = "B"\n', "did you mean 'citation'"),
        ('systm = "x"\n', "did you mean 'system'"),
        (HEAD + 'kind = "guess"\n', "use one of experiment"),
        (HEAD.replace("value = 1.0", 'value = "1.0"'), "not a finite number"),
        (HEAD.replace("value = 1.0", "value = nan"), "not a finite number"),
        (HEAD.replace("value = 1.0\n", ""), "needs a value"),
        (HEAD.replace("g/cm3", "g/cmm3"), "not known"),
        (HEAD.replace('citation = "A"', ""), "citation"),
        (HEAD + "temperature = 298.0\n", "no unit"),
        ("system = ", "cannot read"),
        (HEAD + "factor = 0.5\n", "not a number above 1"),
        ('tier = "D"\n', "use one of A, B, C"),
    ],
)
def test_mistakes_in_the_file_are_refused(tmp_path: Path, text, message):
    path = tmp_path / "experiment.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_experiment(path)


def test_absent_file_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match="cannot read"):
        load_experiment(tmp_path / "none.toml")


def test_the_values_of_a_shipped_recipe_are_found_by_its_name():
    experiment = find_experiment(load_recipe("mg-tfsi2-dme"))
    assert experiment is not None
    assert experiment.tier == "A"
    assert any(value.judged for value in experiment.values)
    assert find_experiment(load_recipe("mg-tfsi2-dme", settings=["name=mine"])) is None


def test_the_same_composition_otherwise_written_is_judged():
    settings = ["salt.0.concentration=500 mmol/L", "salt.0.anion=NTf2", "solvent.0.name=monoglyme"]
    experiment = find_experiment(load_recipe("mg-tfsi2-dme", settings=settings))
    assert experiment == find_experiment(load_recipe("mg-tfsi2-dme"))


@pytest.mark.parametrize("setting", ["salt.0.concentration=0.3 mol/L", "solvent.0.name=G2"])
def test_another_composition_of_that_name_is_shown_and_not_judged(setting):
    experiment = find_experiment(load_recipe("mg-tfsi2-dme", settings=[setting]))
    assert experiment is not None
    assert not any(value.judged for value in experiment.values)
    assert all("another composition" in value.note for value in experiment.values)
