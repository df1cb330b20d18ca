"""Run folders in, a page and two tables out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from solvation.errors import RecipeError, WorkspaceError
from solvation.recipe import load_recipe
from solvation.results import Quantity, save_summary
from solvation.series import compare_runs
from solvation.workspace import open_run


def make(folder: Path, status: str = "ok", temperature: float | None = None) -> Path:
    """A finished run, as far as a comparison reads it."""
    run = open_run(folder)
    text = load_recipe("mg-tfsi2-dme").resolve("quick").to_toml()
    if temperature is not None:
        assert "[conditions]" not in text
        text += f'\n[conditions]\ntemperature = "{temperature} K"\n'
    run.recipe.write_text(text)
    run.update_manifest(
        replicas={"separated-1": {"start": "separated", "production_ps": 100.0}},
        model={"forcefield": "opls-clp", "ions": "default", "charge_scale": 0.7262},
    )
    rows = [("coordination.Mg.total", 6.0), ("speciation.cation.cip", 0.1),
            ("speciation.cation.agg", 0.0)]  # fmt: skip
    quantities = [
        Quantity(name=name, value=value, stderr=0.01, unit="1", status=status)  # type: ignore[arg-type]
        for name, value in rows
    ]
    if temperature is not None:
        value = 1e-6 * math.exp(-2400.0 / temperature)
        quantities.append(
            Quantity(name="diffusion.Mg", value=value, stderr=0.05 * value, unit="m2/s")
        )
    save_summary(quantities, run.summary, recipe="mg-tfsi2-dme")
    return folder


def test_a_series_is_written(tmp_path: Path) -> None:
    folders = [make(tmp_path / "a"), make(tmp_path / "b", "not_converged")]
    series = compare_runs(folders, tmp_path / "out", title="Two")
    assert [entry.label for entry in series.entries] == ["a", "b"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html", "quantities.csv", "experiment.csv",
    }  # fmt: skip
    first, second = series.entries
    assert first.facts["Charges"] == "x 0.7262"
    assert first.facts["Production"] == "1 x 0.1 ns"
    verdicts = {
        entry.label: next(
            row for row in entry.compared if row.reference.name == "coordination.Mg.total"
        ).tone
        for entry in (first, second)
    }
    assert verdicts == {"a": "good", "b": "open"}


def test_a_folder_of_temperatures_is_a_temperature_series(tmp_path: Path) -> None:
    campaign = tmp_path / "campaign"
    for t in (280.0, 300.0, 320.0, 340.0):
        make(campaign / f"{t:g}K", temperature=t)
    series = compare_runs([campaign], tmp_path / "out")
    (fit,) = series.temperatures
    assert fit.name == "diffusion.Mg"
    assert fit.arrhenius is not None
    assert fit.arrhenius.energy == pytest.approx(2400.0 * 8.314462618e-3)
    page = (tmp_path / "out" / "compare.html").read_text()
    assert 'id="temperature"' in page
    assert "activation-diffusion" in page
    assert (tmp_path / "out" / "temperature.csv").read_text().count("diffusion.Mg") == 2


def test_one_temperature_is_no_series(tmp_path: Path) -> None:
    folders = [make(tmp_path / name, temperature=300.0) for name in "ab"]
    series = compare_runs(folders, tmp_path / "out")
    assert series.temperatures == ()
    assert 'id="temperature"' not in (tmp_path / "out" / "compare.html").read_text()


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    folders = [make(tmp_path / "x" / "run"), make(tmp_path / "y" / "run")]
    labels = [entry.label for entry in compare_runs(folders, tmp_path / "out").entries]
    assert labels == ["x/run", "y/run"]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    with pytest.raises(RecipeError, match="give two runs or more"):
        compare_runs([run])
    with pytest.raises(RecipeError, match="is given twice"):
        compare_runs([run, tmp_path / "b" / ".." / "a"])
    with pytest.raises(WorkspaceError, match="holds no summary"):
        compare_runs([run, tmp_path / "none"])
    with pytest.raises(RecipeError, match="is a run; choose another folder"):
        compare_runs([run, make(tmp_path / "b")], run)
