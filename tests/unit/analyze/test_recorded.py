"""What is recorded joins what the frames gave, and is doubted where the frames doubt."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from solvation.analyze.recorded import merge_quantities, multiply_walden
from solvation.results import Quantity


def make(name: str, value: float = 2.0, status: str = "ok", note: str | None = None) -> Quantity:
    return Quantity(name=name, value=value, stderr=0.1, unit="1", status=status, note=note)  # type: ignore[arg-type]


def test_of_two_numbers_with_one_name_the_recorded_one_stays() -> None:
    merged = merge_quantities(
        [make("density"), make("permittivity", 3.0), make("diffusion.Mg")],
        [make("permittivity", 4.0), make("conductivity.green_kubo")],
    )
    assert [item.name for item in merged] == [
        "density", "diffusion.Mg", "permittivity", "conductivity.green_kubo",
    ]  # fmt: skip
    assert merged[2].value == 4.0
    assert {item.status for item in merged} == {"ok"}


@pytest.mark.parametrize("status", ["not_converged", "undefined"])
def test_a_run_whose_ions_did_not_diffuse_has_no_integral(status: str) -> None:
    merged = merge_quantities(
        [make("diffusion.Mg", status=status), make("diffusion.Mg.corrected", status=status),
         make("diffusion.DME")],
        [make("conductivity.green_kubo", note="formal charges"), make("permittivity")],
    )  # fmt: skip
    assert merged[3].status == "not_converged"
    assert merged[3].note == "formal charges; Mg did not reach diffusion"
    assert merged[4].status == "ok"


def test_walden_is_molar_conductivity_times_viscosity() -> None:
    """1 mol/L is 0.000602214 cations in a cubic Å; 10 mS/cm of it are 10 S cm2/mol."""
    ion = SimpleNamespace(n_molecules=602.214076)
    scene = SimpleNamespace(list_role=lambda role: [ion])
    known = [make("conductivity.green_kubo", 10.0), make("viscosity", 0.5)]
    (walden,) = multiply_walden(scene, known, 1e6)  # type: ignore[arg-type]
    assert walden.value == pytest.approx(5.0, rel=1e-6)
    assert walden.stderr == pytest.approx(5.0 * ((0.1 / 10) ** 2 + (0.1 / 0.5) ** 2) ** 0.5)
    assert walden.status == "ok"
    assert multiply_walden(scene, known[:1], 1e6) == ()  # type: ignore[arg-type]
