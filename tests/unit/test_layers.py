"""Layers: a recipe over the one it extends, and single keys over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvation.errors import RecipeError
from solvation.layers import apply_setting, flatten, read_layers


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_tables_merge_and_lists_are_replaced(tmp_path: Path) -> None:
    write(
        tmp_path / "a.toml", 'name = "a"\n[box]\nx = 1\ny = 2\n[[salt]]\nq = 1\n[[salt]]\nq = 2\n'
    )
    b = write(
        tmp_path / "b.toml", 'extends = "a.toml"\nname = "b"\n[[salt]]\nq = 3\n[box]\ny = 5\n'
    )
    assert read_layers(b) == {"name": "b", "box": {"x": 1, "y": 5}, "salt": [{"q": 3}]}


def test_layers_stack_and_shipped_names_work(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'extends = "mg-tfsi2-dme"\nname = "a"\n')
    b = write(tmp_path / "b.toml", 'extends = "a.toml"\n[conditions]\ntemperature = "310 K"\n')
    data = read_layers(b)
    assert data["name"] == "a"
    assert data["salt"][0]["cation"] == "Mg"
    assert data["conditions"] == {"temperature": "310 K", "pressure": "1 bar"}


def test_circles_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'extends = "b.toml"\n')
    write(tmp_path / "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(RecipeError, match="extends itself in a circle"):
        read_layers(tmp_path / "a.toml")
    with pytest.raises(RecipeError, match="circle"):
        read_layers(write(tmp_path / "c.toml", 'extends = "c.toml"\n'))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "cannot read"),
        (b"extends = 3", "must be text"),
        (b'extends = "nowhere.toml"', "neither a shipped electrolyte nor a file"),
        (b'name = "a"\nname = "b"', "not valid TOML"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        read_layers(path)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read"):
        read_layers(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("box.cations=24", {"box": {"cations": 24}}),
        ("box.cations = 24", {"box": {"cations": 24}}),
        ("a.b.c=1.5", {"a": {"b": {"c": 1.5}}}),
        ("t=298.15 K", {"t": "298.15 K"}),
        ('t="298.15 K"', {"t": "298.15 K"}),
        ("t=a=b", {"t": "a=b"}),
        ('t=["a", "b"]', {"t": ["a", "b"]}),
        ("t=true", {"t": True}),
        ("t=", {"t": ""}),
        ("salt.1.q=9", {"salt": [{"q": 1}, {"q": 9}]}),
    ],
)
def test_settings(setting: str, expected: dict[str, Any]) -> None:
    data: dict[str, Any] = {"salt": [{"q": 1}, {"q": 2}]} if setting.startswith("salt") else {}
    apply_setting(data, setting)
    assert data == expected


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("foo", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("salt.5.q=1", "none of the 1 there are; count from 0"),
        ("salt.-1.q=1", "none of the 1"),
        ("salt.².q=1", "none of the 1"),
        ("salt.q=1", "name the key after the number"),
        ("salt.0=1", "name the key after the number"),
        ("name.x=1", "name is not a table"),
    ],
)
def test_settings_that_lead_nowhere(setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        apply_setting({"name": "x", "salt": [{"q": 1}]}, setting)


leaves = st.one_of(st.integers(), st.text(max_size=4), st.booleans())
trees = st.recursive(
    leaves,
    lambda kids: st.one_of(
        st.lists(kids, min_size=1, max_size=3),
        st.dictionaries(st.text("abc", min_size=1), kids, min_size=1, max_size=3),
    ),
    max_leaves=12,
)


@given(trees, trees)
def test_flatten_tells_different_data_apart(a: Any, b: Any) -> None:
    same = sorted(flatten(a)) == sorted(flatten(b))
    assert same == (repr_sorted(a) == repr_sorted(b))


def repr_sorted(value: Any) -> str:
    """Data as text, independent of the order of keys; a list reads like a table of numbers."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        return repr(sorted((key, repr_sorted(item)) for key, item in value.items()))
    return repr(value)
