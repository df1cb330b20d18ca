"""Examples run: those in docstrings, and the scripts of ``examples/``, with their own checks."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import solvation

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(solvation.__path__, "solvation.")
    if not module.name.endswith("__main__")
)
WITH_EXAMPLES = [
    name
    for name in MODULES
    if any(
        ">>> " in line
        for root in solvation.__path__
        for path in (
            Path(root, *name.split(".")[1:]).with_suffix(".py"),
            Path(root, *name.split(".")[1:], "__init__.py"),
        )
        if path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines()
        if "+SKIP" not in line
    )
]


def test_there_are_examples() -> None:
    assert {"solvation.recipe", "solvation.results", "solvation.units"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0
    assert tried > 0


FOLDER = Path(__file__).resolve().parent.parent / "examples"
QUICK = ("foreign_trajectory", "long_enough", "own_analyzer")
"""Seconds."""
LONG = (
    "conductivity",
    "dask_campaign",
    "export_and_shells",
    "own_anion",
    "run_electrolyte",
    "who_pairs",
)
"""A minute to an hour."""


def read_script(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def test_every_script_is_run_somewhere() -> None:
    scripts = {path.stem for path in FOLDER.glob("*.py")} - {"make_notebooks"}
    assert scripts == {*QUICK, *LONG}
    listed = (FOLDER.parent / "docs" / "tutorials" / "examples.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)\.py` \|", listed, flags=re.MULTILINE)) == scripts


@pytest.mark.parametrize("name", [*QUICK, *LONG])
def test_script_ends_by_checking_its_own_numbers(name: str) -> None:
    text = read_script(name)
    _, _, end = text.partition("# ## Check\n")
    assert len(re.findall(r"^ *assert ", end, flags=re.MULTILINE)) >= 3
    assert "print(" in text
    assert ".savefig(" in text


@pytest.mark.parametrize("name", [*QUICK, *LONG])
def test_notebook_is_that_of_the_script(name: str) -> None:
    make_notebook = runpy.run_path(str(FOLDER / "make_notebooks.py"))["make_notebook"]
    there = (FOLDER / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert there == make_notebook(read_script(name)), "run `python examples/make_notebooks.py`"


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_script_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    if name == "own_anion":
        pytest.importorskip("tblite")
        pytest.importorskip("pyscf")
    monkeypatch.chdir(tmp_path)
    with plt.rc_context({"backend": "Agg"}):
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    plt.close("all")
    assert list(tmp_path.rglob("*.png"))
