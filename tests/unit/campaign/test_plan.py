"""Plan: the product that was meant, and mistakes told in one line before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvation.build import box
from solvation.campaign.plan import OWN, check_points, list_points, load_campaign
from solvation.errors import MissingParameterError, RecipeError
from solvation.recipe import load_recipe


def add(file: Path, text: str) -> Path:
    """Put keys before the table of workers."""
    old = file.read_text(encoding="utf-8")
    file.write_text(old.replace("[workers]", f"{text}\n[workers]"), encoding="utf-8")
    return file


def test_the_product_has_every_combination(file: Path) -> None:
    points = list_points(load_campaign(file))
    assert [point.label for point in points] == ["a-320K", "a-298.15K", "b-320K", "b-298.15K"]
    assert {point.concentration for point in points} == {OWN}
    assert {point.recipe.protocol.replicas for point in points} == {2}
    assert {point.recipe.protocol.profile for point in points} == {"quick"}
    assert [point.recipe.conditions.temperature.magnitude for point in points] == [
        320.0, 298.15, 320.0, 298.15,
    ]  # fmt: skip


def test_axes_left_out_are_those_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text('name = "one"\nrecipes = ["mg-tfsi2-dme"]\n', encoding="utf-8")
    (point,) = list_points(load_campaign(path))
    assert point.recipe == load_recipe("mg-tfsi2-dme").resolve()
    assert (point.label, point.temperature, point.model) == ("mg-tfsi2-dme", 298.15, OWN)


def test_concentrations_models_and_settings_reach_the_recipe(file: Path) -> None:
    add(
        file,
        'concentrations = ["0.5 mol/L", "0.6 mol/kg"]\nset = ["box.cations=3"]\n'
        '[[model]]\nname = "full"\ncharge_scale = 1.0\n[[model]]\nname = "ecc"\n',
    )
    points = list_points(load_campaign(file))
    assert len(points) == 2 * 2 * 2 * 2
    first, second = points[0], points[1]
    assert (first.label, second.label) == ("a-0.5M-320K-full", "a-0.5M-320K-ecc")
    assert points[4].label == "a-0.6m-320K-full"
    assert first.recipe.model.charge_scale == 1.0
    assert second.recipe.model.charge_scale == "ecc"
    assert first.recipe.model.cutoff.magnitude == 6.0  # what the model leaves out is kept
    assert str(first.recipe.salt[0].concentration) == "0.5 mol/L"
    assert first.recipe.salt[0].solvent_ratio is None
    assert {point.recipe.box.cations for point in points} == {3}
    assert len({point.recipe.hash for point in points}) == len(points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('temperature = ["3 K"]', 'key "temperature" is not known; did you mean "temperatures"?'),
        ('concentrations = ["0.5"]', "unit"),
        ('concentrations = ["1 mol/L", "1 mol/L"]', '"1 mol/L" is listed twice'),
        ("model = 3", r"model: must be a list, \[\[model\]\] with two brackets"),
        ('[[model]]\nname = "x"\nfield = "y"', 'key "model.0.field" is not known'),
        ('[[model]]\nname = "x"\n[[model]]\nname = "x"', '"x" is listed twice'),
    ],
)
def test_mistakes_in_the_file_are_one_line(file: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_campaign(add(file, text))
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "cluster"', "workers.kind"),
        ('kind = "scheduler"', 'address goes with kind = "scheduler"'),
        ('queue = "gpu"', 'queue is for jobs; give kind = "slurm"'),
        ('kind = "threads"\ngpus = true', 'threads share one GPU; give kind = "processes"'),
        ("nmber = 2", 'did you mean "number"?'),
    ],
)
def test_mistakes_in_the_workers_are_one_line(file: Path, text: str, message: str) -> None:
    head = file.read_text(encoding="utf-8").partition("[workers]")[0]
    file.write_text(f"{head}[workers]\n{text}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_campaign(file)


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read .*No such file"):
        load_campaign(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"bad\.toml is not TOML"):
        load_campaign(tmp_path / "bad.toml")


def test_two_recipes_of_one_name_are_refused(file: Path) -> None:
    beside = file.with_name("b.toml")
    beside.write_text(beside.read_text().replace('"b"', '"a"'), encoding="utf-8")
    with pytest.raises(RecipeError, match='both named "a"; rename one'):
        list_points(load_campaign(file))


def test_concentrations_need_one_salt(file: Path) -> None:
    add(file, 'concentrations = ["0.5 mol/L"]')
    beside = file.with_name("b.toml")
    beside.write_text(
        beside.read_text()
        + '[[salt]]\ncation = "Li"\nanion = "TFSI"\nconcentration = "0.1 mol/L"\n',
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match="recipe b has 2 salts"):
        list_points(load_campaign(file))


def test_a_point_that_cannot_be_built_is_named(file: Path, tmp_path: Path) -> None:
    beside = file.with_name("b.toml")
    beside.write_text(beside.read_text().replace('"BF4"', '"AlCl4"'), encoding="utf-8")
    add(file, '[[model]]\nname = "drude"\nforcefield = "clpol-drude"')
    points = list_points(load_campaign(file))
    with pytest.raises(MissingParameterError, match=r"point b-320K-drude: .*AlCl4"):
        check_points(points, tmp_path / "runs")


def test_a_folder_with_another_run_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "check_recipe", lambda _: None)  # it is not about that
    points = list_points(load_campaign(file))
    there = tmp_path / "runs" / points[0].label
    there.mkdir(parents=True)
    check_points(points, tmp_path / "runs")
    (there / "recipe.toml").write_text(points[0].recipe.to_toml(), encoding="utf-8")
    check_points(points, tmp_path / "runs")
    (there / "recipe.toml").write_text(points[1].recipe.to_toml(), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"holds another run .conditions"):
        check_points(points, tmp_path / "runs")
