"""Finite-size correction of diffusion coefficients."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from solvation.analyze.centre import Centres
from solvation.analyze.diffusion import measure_diffusion
from solvation.analyze.driver import run_analyzers
from solvation.analyze.finite import Viscosity, add_corrections, correct_finite_size
from solvation.results import Quantity, check_units
from solvation.synthetic import make_random_walk


@pytest.fixture
def diffusion(make_scene, rng):
    scene = make_scene(make_random_walk(rng, edge=30.0))
    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    return measure_diffusion(scene, paths)


def test_the_correction_is_that_of_yeh_and_hummer(diffusion):
    """2.837297 kT / (6 pi eta L): 2.08e-10 m2/s at 300 K, 1 mPa s and 30 Å."""
    viscosity = Viscosity(value=1.0, stderr=0.1, source="given")
    found = correct_finite_size(diffusion, viscosity=viscosity, temperature=300.0)
    shift = 2.837297 * 1.380649e-23 * 300.0 / (6.0 * np.pi * 1e-3 * 30e-10)
    assert shift == pytest.approx(2.078e-10, rel=1e-3)
    np.testing.assert_allclose(found["corrected"] - found["diffusion"], shift, rtol=1e-6)
    spread = found["corrected_stderr"] ** 2 - found["diffusion_stderr"] ** 2
    np.testing.assert_allclose(spread, (0.1 * shift) ** 2, rtol=1e-6)
    assert "factor 2.8373" in found.attrs["finite_size"]


def _quantities(status="ok"):
    return [
        Quantity(name=name, value=1.0, stderr=0.1, unit=unit, status=s)
        for name, unit, s in (
            ("diffusion.Mg", "m2/s", "ok"), ("diffusion.Mg.free", "m2/s", "ok"),
            ("diffusion.Cl", "m2/s", "not_converged"), ("viscosity", "mPa s", status),
        )
    ]  # fmt: skip


def test_corrected_values_follow_what_they_correct(diffusion):
    tree = xr.DataTree.from_dict({"/diffusion": diffusion})
    found = add_corrections(tree, _quantities(), given=0.5, temperature=300.0)
    assert [q.name for q in found] == [
        "diffusion.Mg", "diffusion.Mg.corrected", "diffusion.Mg.free", "diffusion.Cl",
        "diffusion.Cl.corrected", "viscosity",
    ]  # fmt: skip
    assert [q.status for q in found if q.name.endswith("corrected")] == ["ok", "not_converged"]
    assert "given" in found[1].note
    check_units(tree)
    assert float(tree["diffusion"]["corrected"].sel(species="Mg")) == found[1].value


def test_the_viscosity_of_the_run_is_used_and_judged(diffusion):
    node = xr.Dataset({"viscosity": 0.5, "viscosity_stderr": 0.05})
    tree = xr.DataTree.from_dict({"/diffusion": diffusion, "/viscosity": node})
    listed = _quantities("not_converged")
    found = {q.name: q for q in add_corrections(tree, listed, given=None, temperature=300.0)}
    one = found["diffusion.Mg.corrected"]
    assert one.status == "not_converged"
    assert "this run" in one.note
    assert one.stderr > float(diffusion["diffusion_stderr"].sel(species="Mg"))


def test_without_a_viscosity_nothing_is_corrected(diffusion):
    tree = xr.DataTree.from_dict({"/diffusion": diffusion})
    listed = _quantities()
    assert add_corrections(tree, listed, given=None, temperature=300.0) == listed
    assert "corrected" not in tree["diffusion"]
