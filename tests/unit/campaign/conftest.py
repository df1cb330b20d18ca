"""A campaign of two small recipes, in files."""

from __future__ import annotations

from pathlib import Path

import pytest

RECIPE = """
name = "{name}"
[[salt]]
cation = "{cation}"
anion = "BF4"
solvent_ratio = 20
[[solvent]]
name = "DME"
[box]
cations = 2
[model]
cutoff = "6 angstrom"
[protocol]
starts = ["separated", "contact"]
"""

CAMPAIGN = """
name = "pair"
recipes = ["a.toml", "b.toml"]
temperatures = ["320 K", "298.15 K"]
replicas = 2
profile = "quick"

[workers]
kind = "threads"
retries = 0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A campaign file with its recipes beside it."""
    for name, cation in (("a", "Mg"), ("b", "Ca")):
        text = RECIPE.format(name=name, cation=cation)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    path = tmp_path / "pair.toml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    return path
