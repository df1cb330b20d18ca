from __future__ import annotations

import pytest

from solvation.report.text import (
    explain_quantity,
    label_quantity,
    write_chemical,
    write_counts,
    write_duration,
    write_quantity,
    write_unit,
)
from solvation.results import Quantity


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("[Mg]2+", "Mg²⁺"),
        ("[MgTFSI]+", "[MgTFSI]⁺"),
        ("[Mg(TFSI)2]0", "[Mg(TFSI)₂]⁰"),
        ("[Mg(TFSI)3]-", "[Mg(TFSI)₃]⁻"),
        ("[Mg2(TFSI)3]+", "[Mg₂(TFSI)₃]⁺"),
        ("Mg(DME)2(TFSI)1", "Mg(DME)₂(TFSI)"),
        ("Mg(G2)12", "Mg(G2)₁₂"),
        ("Mg(TFSI)2", "Mg(TFSI)₂"),
    ],
)
def test_chemical(name, text):
    assert write_chemical(name) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("g/cm3", "g/cm³"), ("m2/s", "m²/s"), ("e2 Å2", "e² Å²"), ("1", ""), ("mS/cm", "mS/cm")],
)
def test_unit(unit, text):
    assert write_unit(unit) == text


def test_numbers_keep_the_digits_of_the_summary():
    q = Quantity(name="diffusion.Mg", value=1.61e-10, stderr=2e-11, unit="m2/s")
    assert write_quantity(q) == "(1.61 ± 0.20) × 10⁻¹⁰ m²/s"
    q = Quantity(name="r", value=1.5, stderr=None, unit="ns", status="bound", bound="lower")
    assert write_quantity(q) == "> 1.5 ns"
    assert write_quantity(Quantity(name="r", value=None, stderr=None, unit="ns")) == "—"
    assert write_quantity(Quantity(name="r", value=-1.0, stderr=0.1, unit="1")) == "−1.00 ± 0.10"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("density", "Density"),
        ("rdf.Mg-DME.O.cutoff", "Mg–O(DME), cutoff"),
        ("coordination.Mg.total", "Coordination number of Mg"),
        ("coordination.Mg-TFSI.N", "Coordination number, Mg–N(TFSI)"),
        ("speciation.anion.cip", "Anions, CIP"),
        ("shell.Mg(DME)3", "Shell Mg(DME)₃"),
        ("diffusion.Mg.corrected", "Diffusion of Mg, size-corrected"),
        ("residence.Mg-DME", "Residence time, Mg–DME"),
        ("denticity.Mg-DME.2", "Mg–DME bound through 2 atoms"),
        ("something_new", "Something new"),
        ("something.new", "Something.new"),
    ],
)
def test_label(name, label):
    assert label_quantity(name) == label


def test_counts_in_running_text():
    assert write_counts("[Mg(DME)3]2+ in 0.5 M Mg(TFSI)2") == "[Mg(DME)₃]²⁺ in 0.5 M Mg(TFSI)₂"
    assert write_counts("Li- and Na-ion cells (2024) [3]-x") == "Li- and Na-ion cells (2024) [3]-x"


def test_duration():
    assert [write_duration(s) for s in (0.3, 21, 60, 291.4, 7260)] == [
        "under 1 s", "21 s", "1 min", "4 min 51 s", "2 h 1 min",
    ]  # fmt: skip


def test_every_doubtful_state_is_explained():
    for status in ("bound", "not_converged", "undefined"):
        assert explain_quantity(Quantity(name="x", value=1.0, stderr=0.1, unit="1", status=status))
    assert not explain_quantity(Quantity(name="x", value=1.0, stderr=0.1, unit="1"))
