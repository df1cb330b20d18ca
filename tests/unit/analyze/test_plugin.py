"""Plug-ins: from an object, a file and an installed package, beside our own analyzers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.plugin import GROUP, describe_plugins, load_plugin
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import RecipeError
from solvation.results import Quantity, check_units
from solvation.synthetic import make_mixture


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Frames times atoms, which is known without looking."""

    name: str = "counted"
    label: str = "counted.all"

    def start(self, scene):
        return Sum()

    def describe(self, parts):
        total = parts.total().n
        text = {"units": "1", "long_name": "positions seen"}
        node = xr.Dataset({"n": ((), float(total), text)})
        return node, [Quantity(name=self.label, value=total, stderr=0.0, unit="1")]


@dataclass(slots=True, kw_only=True)
class Sum:
    n: int = 0

    def add(self, block):
        self.n += block.positions.shape[0] * block.positions.shape[1]

    def __add__(self, other):
        return replace(self, n=self.n + other.n)

    def result(self):
        return self.n


FILE = """
from types import SimpleNamespace
plugin = SimpleNamespace(name="from_file", start=None, describe=None)
broken = SimpleNamespace(name="broken", start=None)
"""


def test_a_plugin_sees_every_frame_and_has_a_node_of_its_own(make_scene, rng) -> None:
    made = make_mixture(rng, n_frames=24)
    plain, ours = analyze_scene(make_scene(made), temperature=298.15)
    tree, numbers = analyze_scene(make_scene(made), temperature=298.15, plugins=[Counted()])
    found = {quantity.name: quantity for quantity in numbers}
    assert found.pop("counted.all").value == made.positions.shape[0] * made.positions.shape[1]
    assert list(found) == [quantity.name for quantity in ours]
    assert set(tree.children) - set(plain.children) == {"counted"}
    check_units(tree)


def test_a_liquid_without_ions_takes_plugins_too(rng) -> None:
    water = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    positions = rng.random((20, 4, 1, 3)) * 12.0 + water
    source = ArraySource(
        positions=positions.reshape(20, 12, 3),
        boxes=np.array([12.0, 12.0, 12.0, 90.0, 90.0, 90.0]),
        times=np.arange(20.0),
    )
    bonds = np.array([[3 * k, 3 * k + j] for k in range(4) for j in (1, 2)])
    scene = scene_from_arrays(("O", "H", "H") * 4, bonds, [source])
    _, numbers = analyze_scene(scene, plugins=[Counted()])
    assert numbers[-1].name == "counted.all"
    assert numbers[-1].value == 20 * 12


def test_names_are_the_plugins_own(make_scene, rng) -> None:
    scene = make_scene(make_mixture(rng, n_frames=4))
    plugin = Counted(label="density")
    with pytest.raises(RecipeError, match=r'"counted" writes density; call it counted\.density'):
        describe_plugins([plugin], run_analyzers(scene, [plugin]), ["rdf"])
    taken = Counted(name="rdf", label="rdf.n")
    with pytest.raises(RecipeError, match='"rdf" has the name of a node of ours'):
        describe_plugins([taken], run_analyzers(scene, [taken]), ["rdf"])


def test_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "own_plugin_of_a_test.py"
    file.write_text(FILE)
    assert load_plugin(f"{file}:plugin").name == "from_file"
    assert load_plugin("tests.unit.analyze.test_plugin:Counted") == Counted()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere.py:Thing", "there is no file nowhere.py"),
        ("no_such_module_here:Thing", "No module named"),
        ("solvation.errors:Thing", "has no attribute 'Thing'"),
        ("spacing", 'no installed package has one called "spacing"'),
        ("json:loads", "has no name"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        load_plugin(text)
    assert "\n" not in str(caught.value)


def test_a_file_called_like_another_module_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "json.py").write_text(FILE)
    with pytest.raises(RecipeError, match="another module is called json"):
        load_plugin(f"{tmp_path / 'json.py'}:plugin")
    (tmp_path / "own_broken_plugin.py").write_text(FILE)
    with pytest.raises(RecipeError, match="has no describe"):
        load_plugin(f"{tmp_path / 'own_broken_plugin.py'}:broken")


def test_from_an_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    entry = metadata.EntryPoint(
        name="counted", value="tests.unit.analyze.test_plugin:Counted", group=GROUP
    )
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry] if group == GROUP else [])
    assert load_plugin("counted") == Counted()


def test_workers_give_the_same_number(make_scene, rng) -> None:
    from solvation.worker import open_workers

    scene = make_scene(make_mixture(rng, n_frames=12))
    here = run_analyzers(scene, [Counted()])["counted"].total()
    with open_workers(2) as workers:
        there = run_analyzers(scene, [Counted()], workers=workers)["counted"].total()
    assert here == there
    assert here.n == 12 * np.prod([scene.n_atoms])
