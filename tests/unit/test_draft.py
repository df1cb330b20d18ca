"""Drafts: commented, valid, and never over another file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation.draft import draft_recipe, save_draft
from solvation.errors import RecipeError, WorkspaceError
from solvation.recipe import parse_recipe

SALT = {"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [SALT, {"cation": "Li", "anion": "BF4", "concentration": "1 mol/L"},
             {"cation": "K", "anion": "OTf", "solvent_ratio": 20.0}]
        ),
        max_size=2, unique_by=repr,
    ),
    st.sampled_from(
        [[{"name": "DME"}], [{"cation": "EMIM", "anion": "OTf"}],
         [{"name": n, "fraction": 0.5, "fraction_of": "mole"} for n in ("EC", "PC")]]
    ),
    st.sampled_from([[], [{"name": "TMP", "concentration": "0.1 mol/L"}]]),
)  # fmt: skip
def test_the_text_says_what_the_recipe_means(salts, solvents, additives):  # type: ignore[no-untyped-def]
    text, recipe = draft_recipe("x", salts=salts, solvents=solvents, additives=additives)
    data = tomllib.loads(text)
    assert parse_recipe(data) == recipe
    assert data.get("salt", []) == salts
    assert data["solvent"] == solvents
    assert data.get("additive", []) == additives
    assert text.count("#") > 4


def test_what_is_wrong_is_refused_before_anything_is_written() -> None:
    with pytest.raises(RecipeError, match="is listed twice"):
        draft_recipe("x", salts=[SALT, SALT], solvents=[{"name": "DME"}])
    with pytest.raises(RecipeError, match="without spaces"):
        draft_recipe("a b", salts=[SALT], solvents=[{"name": "DME"}])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.toml"
    save_draft("a = 1\n", path)
    with pytest.raises(WorkspaceError, match="is there already and is left as it is"):
        save_draft("a = 2\n", path)
    assert path.read_text() == "a = 1\n"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match="is there already"):
        save_draft("a = 2\n", tmp_path / "dangling")
