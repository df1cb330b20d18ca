"""What the finite-size correction does to conductivities."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.finite import add_corrections
from solvation.analyze.infinite import correct_conductivity
from solvation.results import Quantity


@pytest.fixture
def tree():
    import xarray as xr

    def scalar(value):
        return ((), value, {"units": "1", "long_name": "x"})

    diffusion = xr.Dataset(
        {
            "diffusion": ("species", [1e-10, 2e-10, 1e-9]),
            "diffusion_stderr": ("species", [1e-11, 1e-11, 1e-11]),
            "cell": (("row", "axis"), 30.0 * np.eye(3)),
        },
        coords={"species": ["Mg", "TFSI", "DME"]},
    )
    onsager = xr.Dataset(
        {
            "self": ("species", [1.0, 4.0]),
            "charge": ("species", [2.0, -1.0]),
            "coefficient": (("frame", "species", "partner"), [[[1.5, 1.0], [1.0, 3.0]]]),
        },
        coords={"species": ["Mg", "TFSI"], "partner": ["Mg", "TFSI"], "frame": ["barycentric"]},
    )
    conductivity = xr.Dataset({"einstein": scalar(5.0), "einstein_stderr": scalar(0.5)})
    return xr.DataTree.from_dict(
        {"/diffusion": diffusion, "/onsager": onsager, "/conductivity": conductivity}
    )


NAMES = ("diffusion.Mg", "conductivity.nernst_einstein", "conductivity.einstein",
         "conductivity.ionicity", "onsager.++")  # fmt: skip


def test_only_single_ions_are_corrected(tree):
    quantities = [Quantity(name=n, value=1.0, stderr=0.1, unit="1") for n in NAMES]
    found = add_corrections(tree, quantities, given=1.0, temperature=298.15)
    rows = {q.name: q for q in found}
    assert len(rows) == len(found)
    shift = 1.380649e-23 * 298.15 * 2.837297 / (6.0 * np.pi * 1e-3 * 30e-10)
    single = 4.0 * 1.0 * (1.0 + shift / 1e-10) + 4.0 * (1.0 + shift / 2e-10)
    assert rows["conductivity.nernst_einstein.corrected"].value == pytest.approx(single)
    assert rows["conductivity.ionicity.corrected"].value == pytest.approx(5.0 / single)
    assert "conductivity.einstein.corrected" not in rows
    assert [q for q in rows if q.startswith("onsager")] == ["onsager.++"]
    node = tree["onsager"]
    whole = np.diag(node["self_corrected"].values) + node["distinct_corrected"].values
    np.testing.assert_allclose(whole, node["coefficient"].values[0])
    assert "1 mPa s" in rows["conductivity.nernst_einstein.corrected"].note


def test_doubts_are_passed_on(tree):
    quantities = [
        Quantity(name=n, value=1.0, stderr=0.1, unit="1", status="not_converged", note="why")
        for n in NAMES
    ]
    found = add_corrections(tree, quantities, given=1.0, temperature=298.15)
    rows = {q.name: q for q in found}
    assert len(rows) == len(found)
    for name in ("nernst_einstein", "ionicity"):
        one = rows[f"conductivity.{name}.corrected"]
        assert one.status == "not_converged"
        assert "why" in one.note


def test_without_a_viscosity_nothing_is_added(tree):
    quantities = [Quantity(name=n, value=1.0, stderr=0.1, unit="1") for n in NAMES]
    assert correct_conductivity(tree, quantities) == quantities
