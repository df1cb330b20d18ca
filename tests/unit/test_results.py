"""Results: quantities read well, files come back as they went in, damage is one line."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from solvation.errors import WorkspaceError
from solvation.results import (
    Quantity,
    check_units,
    load_results,
    load_summary,
    save_results,
    save_summary,
)


def write(value: float | None, stderr: float | None, unit: str = "1", **more) -> str:
    return Quantity(name="x", value=value, stderr=stderr, unit=unit, **more).text()


# Text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (1.014, 0.003, "1.014 ± 0.003"),
        (1.014, 0.0014, "1.0140 ± 0.0014"),
        (6.02, 0.25, "6.02 ± 0.25"),
        (6.02, 0.35, "6.0 ± 0.3"),
        (1.014, 0.0999, "1.01 ± 0.10"),
        (298.4, 3.2, "298 ± 3"),
        (12345.6, 789.0, "12346 ± 789"),
        (1.234e-10, 2.5e-12, "(1.234 ± 0.025)e-10"),
        (123456.0, 4321.0, "(1.23 ± 0.04)e5"),
        (0.0, 1e-9, "(0.0 ± 1.0)e-9"),
        (-0.0001, 0.3, "0.0 ± 0.3"),
        (-4.2, 0.3, "-4.2 ± 0.3"),
        (0.0, 5e-324, "(0 ± 5)e-324"),
        (1.23456, 0.0, "1.235"),
        (1.23456, None, "1.235"),
        (1.23456, float("nan"), "1.235"),
        (None, None, "undefined"),
        (float("nan"), 0.1, "undefined"),
    ],
)
def test_as_many_digits_as_the_error_allows(
    value: float | None, stderr: float | None, text: str
) -> None:
    assert write(value, stderr) == text
    assert write(value, stderr, "K") == (text if text == "undefined" else f"{text} K")


def test_bounds() -> None:
    assert write(12.3, None, "ns", status="bound", bound="lower") == "> 12.3 ns"
    assert write(0.01, 0.001, status="bound", bound="upper") == "< 0.01"


@given(
    st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-15),
    st.floats(1e-12, 1e9),
)
def test_text_keeps_value_and_error(value: float, stderr: float) -> None:
    """Read back, the value is within a fifth of an error, the error within a fifth of itself."""
    text = write(value, stderr)
    match = re.fullmatch(r"\(?(-?[\d.]+) ± ([\d.]+)\)?(?:e(-?\d+))?", text)
    assert match, text
    power = int(match[3] or 0)
    first, second = (Decimal(match[i]).scaleb(power) for i in (1, 2))
    if abs(value) < 1e13 * stderr:
        assert abs(first - Decimal(value)) <= Decimal(0.2 * stderr), text
        assert abs(second - Decimal(stderr)) <= Decimal(0.2 * stderr), text
    decimals = [len(match[i].partition(".")[2]) for i in (1, 2)]
    assert decimals[0] == decimals[1], text


# Trees --------------------------------------------------------------------------------------


def make_tree() -> xr.DataTree:
    density = xr.Dataset(
        {"density": ("time", np.linspace(1, 1.1, 5), {"units": "g/cm3", "long_name": "density"})}
    )
    shells = xr.Dataset(
        {"structure": ("shell", np.array(["{}", "[Å]"]), {"units": "1", "long_name": "JSON"})},
        coords={"shell": ["Mg(DME)3", "Mg(TFSI)"]},
    )
    tree = xr.DataTree.from_dict({"/density": density, "/shells": shells})
    tree.attrs.update(name="x", n_frames=5)
    return tree


def test_a_tree_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "results.nc"
    tree = make_tree()
    save_results(tree, path)
    again = load_results(path)
    path.unlink()  # nothing keeps it open, and nothing is read later
    assert again.attrs["name"] == "x"
    assert again["density/density"].attrs == {"units": "g/cm3", "long_name": "density"}
    np.testing.assert_array_equal(again["density/density"], tree["density/density"])
    assert again["shells/structure"].values.tolist() == ["{}", "[Å]"]
    assert not list(tmp_path.glob("*.partial"))


def test_threads_write_and_read_at_once(tmp_path: Path) -> None:
    """As the workers of a campaign in threads do; the library itself would crash."""

    def turn(number: int) -> float:
        path = tmp_path / f"{number % 8}-{number}.nc"
        tree = make_tree()
        tree["density/density"].data[:] = number
        save_results(tree, path)
        return float(load_results(path)["density/density"].mean())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(turn, range(40))) == list(range(40))


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "results.nc"
    save_results(make_tree(), path)
    before = path.read_bytes()
    large = xr.Dataset({"x": ("i", np.ones(100_000), {"units": "1", "long_name": "x"})})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(WorkspaceError, match=r"cannot write .*results.nc.* full; make room"):
            save_results(xr.DataTree.from_dict({"/large": large}), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("key", ["units", "long_name"])
def test_every_variable_must_say_what_it_is(tmp_path: Path, key: str) -> None:
    tree = make_tree()
    del tree["density/density"].attrs[key]
    with pytest.raises(ValueError, match=f"/density/density has no '{key}'"):
        check_units(tree)
    with pytest.raises(ValueError, match=key):
        save_results(tree, tmp_path / "results.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 4, 100, 1000, 4000])
def test_damaged_results_are_one_line(tmp_path: Path, length: int) -> None:
    path = tmp_path / "results.nc"
    save_results(make_tree(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WorkspaceError, match="run `solvation analyze` again") as caught:
        load_results(path)
    assert "\n" not in str(caught.value)


def test_missing_results_and_an_unwritable_place(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot read"):
        load_results(tmp_path / "results.nc")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="choose another folder"):
        save_results(make_tree(), tmp_path / "file" / "results.nc")
    with pytest.raises(WorkspaceError, match="choose another folder"):
        save_summary([], tmp_path / "file" / "summary.json", recipe="x")


# Summary ------------------------------------------------------------------------------------

QUANTITIES = [
    Quantity(name="density", value=1.014, stderr=0.003, unit="g/cm3"),
    Quantity(name="residence.Mg-DME", value=5.0, stderr=None, unit="ns", status="bound",
             bound="lower", n_events=0, note="no exchange"),
    Quantity(name="viscosity", value=None, stderr=None, unit="mPa s", status="undefined"),
]  # fmt: skip


def test_a_summary_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    save_summary(QUANTITIES, path, recipe="x", extra={"model": {"forcefield": "opls-clp"}})
    document, quantities = load_summary(path)
    assert list(quantities) == QUANTITIES
    assert document == {"schema": 1, "recipe": "x", "model": {"forcefield": "opls-clp"}}
    rows = json.loads(path.read_text())["quantities"]
    assert all({"name", "value", "stderr", "unit", "status"} <= set(row) for row in rows)
    assert "note" not in rows[0]


def test_a_summary_is_strict_json(tmp_path: Path) -> None:
    """Infinities and NaN, NumPy numbers too, become null or plain numbers."""
    path = tmp_path / "summary.json"
    quantity = Quantity(
        name="x", value=np.float64(2.0), stderr=float("inf"), unit="1", n_events=None
    )
    save_summary([quantity], path, recipe="x")

    def refuse(text: str) -> None:
        raise AssertionError(text)

    row = json.loads(path.read_text(), parse_constant=refuse)["quantities"][0]
    assert row["value"] == 2.0
    assert row["stderr"] is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"schema": 2, "quantities": []}', '{"schema": 1}',
     '{"schema": 1, "quantities": [{"name": "x"}]}',
     '{"schema": 1, "quantities": [{"name": "x", "colour": 1}]}'],
)  # fmt: skip
def test_a_damaged_summary_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(WorkspaceError, match="run `solvation analyze` again") as caught:
        load_summary(path)
    assert "\n" not in str(caught.value)
