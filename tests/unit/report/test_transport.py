"""Pictures of transport are sound, and show what is in the numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np

from solvation.report.transport import draw_activation, draw_decomposition, gather_families
from solvation.results import Quantity
from solvation.temperature import fit_temperatures


def _make_runs(temperatures, names=("diffusion.Mg", "diffusion.TFSI", "conductivity.einstein")):
    runs = []
    for k, t in enumerate(temperatures):
        value = np.exp(-2000.0 / t)
        rows = [
            Quantity(name=n, value=(i + 1) * value, stderr=0.05 * value,
                     unit="mS/cm" if n.startswith("cond") else "m2/s",
                     status="not_converged" if k == 0 else "ok")
            for i, n in enumerate(names)
        ]  # fmt: skip
        runs.append((f"{t:g} K", t, rows))
    return runs


def test_the_parts_of_a_conductivity_are_named(tree):
    svg = draw_decomposition(tree["onsager"].to_dataset())
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"]
    for text in ("Mg, self", "Mg–TFSI", "their sum"):
        assert text in svg


def test_quantities_of_one_kind_share_a_panel():
    fits = fit_temperatures(_make_runs([280.0, 300.0, 320.0, 340.0, 360.0]))
    families = gather_families(fits)
    assert {k: len(v) for k, v in families.items()} == {"diffusion": 2, "conductivity": 1}
    for family, members in families.items():
        svg = draw_activation(family, members)
        assert ElementTree.fromstring(svg).attrib["aria-label"] == f"{family} against temperature"
        assert "1000 K / T" in svg


def test_without_a_fit_points_alone_are_drawn():
    fits = fit_temperatures(_make_runs([280.0, 300.0]))
    assert all(fit.arrhenius is None for fit in fits)
    assert "1000 K / T" in draw_activation("diffusion", fits[:1])
