"""Collect: every number in its place, and NaN where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from solvation.campaign.collect import STATUSES, combine_points
from solvation.campaign.plan import Point, list_points, load_campaign
from solvation.results import Quantity, load_results, save_results, save_summary


@pytest.fixture
def folders(file: Path, tmp_path: Path) -> dict[Point, Path]:
    """Three of four points are done; each number is made of its place."""
    points = list_points(load_campaign(file))[:3]
    made = {}
    for k, point in enumerate(points):
        folder = tmp_path / "runs" / point.label
        own = [Quantity(name="density", value=1.0 + k, stderr=0.1, unit="g/cm3")]
        if point.system == "b":
            own += [
                Quantity(name="species.[Ca(BF4)2]0", value=0.5, stderr=None, unit="1",
                         status="not_converged"),
                Quantity(name="conductivity.einstein", value=None, stderr=None, unit="mS/cm",
                         status="undefined"),
            ]  # fmt: skip
        for n, name in enumerate(("separated-1", "contact-1")):
            alone = folder / "simulate" / name
            alone.mkdir(parents=True)
            density = Quantity(name="density", value=1.0 + k + 0.1 * n, stderr=0.2, unit="g/cm3")
            save_summary([density], alone / "summary.json", recipe="x")
        save_summary(own, folder / "summary.json", recipe=point.system)
        made[point] = folder
    return made


def test_every_number_is_in_its_place(folders: dict[Point, Path], tmp_path: Path) -> None:
    path = tmp_path / "results.nc"
    save_results(combine_points(folders, name="pair"), path)
    tree = load_results(path)
    density = tree["density"]
    assert density.dims == ("system", "concentration", "temperature", "model")
    assert density.attrs["units"] == "g/cm3"
    assert tree["temperature"].values.tolist() == [298.15, 320.0]  # in order
    assert tree["temperature"].attrs["units"] == "K"
    for k, point in enumerate(folders):
        place = {"system": point.system, "temperature": point.temperature,
                 "concentration": "own", "model": "own"}  # fmt: skip
        assert density.sel(place) == 1.0 + k
        alone = tree["replicas"]["density"].sel(place)
        assert float(alone.sel(replica="separated-1")) == 1.0 + k
        assert float(alone.sel(replica="contact-1")) == pytest.approx(1.1 + k)
    lacking = {"system": "b", "temperature": 298.15}
    assert np.isnan(density.sel(lacking)).all()
    assert (tree["density_status"].sel(lacking) == -1).all()


def test_status_and_lack_are_told_apart(folders: dict[Point, Path]) -> None:
    tree = combine_points(folders, name="pair")
    here = {"system": "b", "temperature": 320.0}
    status = tree["species.[Ca(BF4)2]0_status"].sel(here).item()
    assert STATUSES[status] == "not_converged"
    assert STATUSES[tree["conductivity.einstein_status"].sel(here).item()] == "undefined"
    assert np.isnan(tree["conductivity.einstein"].sel(here).item())
    assert tree["conductivity.einstein_status"].sel(system="a").values.ravel().tolist() == [-1, -1]
