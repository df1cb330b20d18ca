"""Every example in a docstring runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
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
