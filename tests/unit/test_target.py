"""How well a number must be known, and how much longer that takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from solvation.errors import RecipeError
from solvation.recipe import load_recipe, parse_recipe
from solvation.results import Quantity
from solvation.target import Target, find_factor, parse_target, reach_targets
from solvation.workspace import open_run


def make(name: str, value: float | None, stderr: float | None, **more) -> Quantity:
    return Quantity(name=name, value=value, stderr=stderr, unit=more.pop("unit", "1"), **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conductivity:10%", ("conductivity.einstein", 0.1, "relative", "")),
        ("conductivity.green_kubo:5 %", ("conductivity.green_kubo", 0.05, "relative", "")),
        ("residence.Ca-DME:10events", ("residence.Ca-DME", 10.0, "events", "")),
        ("density:0.002 g/cm3", ("density", 0.002, "absolute", "g/cm3")),
    ],
)
def test_targets_as_people_write_them(text: str, expected: tuple) -> None:
    target = parse_target(text)
    assert (target.name, target.amount, target.kind, target.unit) == expected


@pytest.mark.parametrize("text", ["", "density", "density:", ":5%", "density:-5%", "density:0%",
                                  "density:x%", "density:1.2.3%", "density:5"])  # fmt: skip
def test_targets_that_cannot_be(text: str) -> None:
    with pytest.raises(RecipeError, match="--until-converged") as caught:
        parse_target(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "quantity", "missing"),
    [
        ("x:10%", make("x", 5.0, 0.5), 1.0),
        ("x:10%", make("x", -5.0, 0.4), 1.0),
        ("x:10%", make("x", 5.0, 1.0), 4.0),
        ("x:10%", make("x", 5.0, 0.1, status="not_converged"), None),
        ("x:10%", make("x", None, None, status="undefined"), None),
        ("x:10%", make("x", 5.0, float("nan")), None),
        ("x:10events", make("x", 1.0, None, n_events=10, status="bound"), 1.0),
        ("x:10events", make("x", 1.0, 0.1, n_events=4), 2.5),
        ("x:10events", make("x", 1.0, None, n_events=0, status="bound"), None),
        ("x:0.1 ps", make("x", 1.0, 0.2, unit="ps"), 4.0),
    ],
)
def test_what_is_missing(text: str, quantity: Quantity, missing: float | None) -> None:
    found = parse_target(text).find_missing([quantity])
    assert found == (missing if missing is None else pytest.approx(missing))


def test_a_quantity_that_is_not_there_and_a_unit_that_is_not_its() -> None:
    with pytest.raises(RecipeError, match=r"no quantity densty; there are density"):
        parse_target("densty:5%").find_missing([make("density", 1.0, 0.1)])
    with pytest.raises(RecipeError, match=r"density is in g/cm3, not ps"):
        parse_target("density:5 ps").find_missing([make("density", 1.0, 0.1, unit="g/cm3")])


def test_longer_by_a_quarter_at_least_and_twice_at_most() -> None:
    target = [parse_target("x:10%")]
    assert find_factor(target, [make("x", 5.0, 0.5)]) == 1.0
    assert find_factor(target, [make("x", 5.0, 0.51)]) == 1.25
    assert find_factor(target, [make("x", 5.0, 0.6)]) == pytest.approx(1.44)
    assert find_factor(target, [make("x", 5.0, 5.0)]) == 2.0
    assert find_factor(target, [make("x", None, None, status="undefined")]) == 2.0


class Runs:
    """Runs whose error falls as the root of their length."""

    def __init__(self, folder: Path, stderr: float) -> None:
        self.folder, self.stderr = open_run(folder), stderr
        recipe = load_recipe(
            "mg-tfsi2-dme",
            settings=["protocol.production_time=100 ps", "protocol.report_interval=2 ps"],
        )
        self.folder.recipe.write_text(recipe.to_toml())
        self.asked: list[str | None] = []

    @property
    def length(self) -> float:
        return load_recipe(self.folder.recipe).protocol.production_time.magnitude

    def go(self, more: str | None):
        self.asked.append(more)
        if more is not None:
            data = load_recipe(self.folder.recipe).to_dict()
            longer = self.length + float(more.split()[0])
            data["protocol"]["production_time"] = f"{longer} ps"
            self.folder.recipe.write_text(parse_recipe(data).to_toml())
        error = self.stderr * (100 / self.length) ** 0.5
        return SimpleNamespace(folder=self.folder, quantities=[make("x", 1.0, error)])


def test_a_run_grows_until_the_target_is_met(tmp_path: Path) -> None:
    runs = Runs(tmp_path, 0.2)
    assert reach_targets(runs.go, [parse_target("x:10%")]) == []
    assert runs.asked[0] is None
    assert 400 <= runs.length <= 520
    assert all(float(more.split()[0]) % 2 == 0 for more in runs.asked[1:])


def test_it_ends_at_the_cap_and_says_what_was_missed(tmp_path: Path) -> None:
    runs, target = Runs(tmp_path, 0.2), parse_target("x:1%")
    assert reach_targets(runs.go, [target], cap=300) == [target]
    assert runs.length == 300


def test_typed_again_the_cap_is_that_of_the_first_time(tmp_path: Path) -> None:
    """Ten times the first length, not ten times what it has grown to."""
    runs, target = Runs(tmp_path, 0.2), Target(name="x", amount=1e-6, kind="relative", text="x")
    assert reach_targets(runs.go, [target]) == [target]
    assert runs.length == 1000
    assert reach_targets(runs.go, [target]) == [target]
    assert runs.length == 1000
