from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from solvation.report import figures
from solvation.report.look import clean_drawing

STAGES = [("heat", 0.0, 20.0), ("production", 20.0, 320.0)]


def draw(tree, kind: str) -> str:
    node = {
        name: tree[name].to_dataset()
        for name in (
            "thermo",
            "rdf",
            "coordination",
            "speciation",
            "residence",
            "diffusion",
            "conductivity",
        )
    }
    return {
        "series": lambda: figures.draw_series(node["thermo"], "density", "density", STAGES),
        "rdf": lambda: figures.draw_rdf(node["rdf"], "Mg-DME.O"),
        "rdf-none": lambda: figures.draw_rdf(node["rdf"], "Mg-TFSI.N"),
        "coordination": lambda: figures.draw_coordination(
            node["coordination"], ["Mg-DME.O", "Mg-TFSI.O"], "Mg"
        ),
        "classes": lambda: figures.draw_classes(node["speciation"]),
        "fractions": lambda: figures.draw_fractions(
            ["[Mg]2+"], np.array([0.5]), np.array([np.nan]), key="a<b", label="x"
        ),
        "residence": lambda: figures.draw_residence(node["residence"]),
        "msd": lambda: figures.draw_msd(node["diffusion"]),
        "scan": lambda: figures.draw_scan(node["diffusion"]),
        "charge": lambda: figures.draw_charge(node["conductivity"]),
    }[kind]()


KINDS = (
    "series",
    "rdf",
    "rdf-none",
    "coordination",
    "classes",
    "fractions",
    "residence",
    "msd",
    "scan",
    "charge",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_sound_inline_svg(tree, kind):
    svg = draw(tree, kind)
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert "height" not in root.attrib
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(i.startswith("figure-") for i in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= set(ids)
    assert "DejaVu" not in svg
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", svg)  # every stand-in colour replaced
    assert "<style" not in svg


def test_ids_of_two_figures_differ(tree):
    ids = [set(re.findall(r'\bid="([^"]+)"', draw(tree, kind))) for kind in ("rdf", "rdf-none")]
    assert not ids[0] & ids[1]


def test_same_data_same_bytes(tree):
    assert draw(tree, "msd") == draw(tree, "msd")


def test_style_is_not_left_behind(tree):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw(tree, "classes")
    assert dict(mpl.rcParams) == before


def test_axes_say_their_units(tree):
    assert "density (g/cm³)" in draw(tree, "series")
    assert "MSD (Å²)" in draw(tree, "msd")
    assert "charge MSD (e² Å²)" in draw(tree, "charge")
    assert "cutoff 2.95 Å" in draw(tree, "rdf")
    assert "no first shell" in draw(tree, "rdf-none")


def test_empty_curves_are_drawn_as_nothing(tree):
    diffusion = tree["diffusion"].to_dataset().copy(deep=True)
    diffusion["msd"][:] = np.nan
    diffusion["window_low"][:] = np.nan
    assert figures.draw_msd(diffusion).startswith("<svg")


def test_long_logs_stay_small():
    x = np.arange(10_000.0)
    thin, _ = figures._thin(x, x)
    assert thin.size <= 600
    assert thin.mean() == pytest.approx(x.mean(), rel=1e-2)


def test_names_of_short_stages_do_not_overlap(tree):
    stages = [("a", 0.0, 1.0), ("heat", 1.0, 2.0), ("anneal", 2.0, 4.0), ("production", 4.0, 320.0)]
    svg = figures.draw_series(tree["thermo"].to_dataset(), "density", "density", stages)
    assert ">production<" in svg
    assert sum(f">{name}<" in svg for name in ("a", "heat", "anneal")) == 2  # two rows


def test_structure_formulas_follow_the_page():
    svg = clean_drawing(
        "<?xml version='1.0'?><svg width='9px'><path style='stroke:#000000'/></svg>"
    )
    assert svg.startswith('<svg class="drawing" width=')
    assert "currentColor" in svg
