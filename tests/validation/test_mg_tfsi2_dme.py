"""The reference electrolyte from the packed box, against what is known of it."""

from __future__ import annotations

import pytest

import solvation


@pytest.mark.slow
def test_quick_run_finds_the_known_shell(tmp_path):
    """[Mg(DME)3]2+ dominates, six oxygens near 2.1 Å (crystals and DFT), density as published.

    Published models give 1.02 to 1.04 g/cm3 at 1:18; the shell is Wang et al. 2024,
    10.1002/aenm.202402157.
    """
    run = solvation.run(solvation.load_recipe("mg-tfsi2-dme"), tmp_path / "x", profile="quick")
    assert 5.7 <= run["coordination.Mg.total"].value <= 6.3
    assert 2.00 <= run["rdf.Mg-DME.O.first_peak"].value <= 2.15
    assert run["shell.Mg(DME)3"].value >= 0.5
    assert 0.98 <= run["density"].value <= 1.06
    assert run["concentration.Mg(TFSI)2"].value == pytest.approx(0.5, rel=0.03)
    # a fourth DME may brush the shell; ten exchanges in 100 ps would be news
    assert run["residence.Mg-DME"].status in ("bound", "not_converged")
    assert run["shell.Mg(DME)3"].status == "not_converged"
