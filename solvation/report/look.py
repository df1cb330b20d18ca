"""The look of every picture: colours, letters, and SVG that follows the page.

Plots are drawn in stand-in colours that become the page's own (``currentColor`` and CSS
variables), so that one picture serves a light page, a dark page and paper.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

__all__ = ["INK", "MUTED", "PALETTE", "SIZE", "STYLE", "clean_drawing", "clean_plot"]

PALETTE = ("#2f7fb8", "#e08a00", "#1f9e78", "#d1552b", "#b86fa3", "#7a8a99")
"""Okabe and Ito's colour-blind-safe hues, tuned to read on white and on near-black."""

SIZE = (3.15, 2.4)
"""Width and height of a panel in inches; the page scales it."""

INK, MUTED, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
"""Stand-ins that become the page's own colours."""

INKS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
}

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "solvation",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 7,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 7.8,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "errorbar.capsize": 2.5,
}
"""Settings of matplotlib, held only while a plot is drawn."""


ATOM_INKS = {
    "#0000FF": "#5b7be6",
    "#FF0000": "#e0392b",
    "#CCCC00": "#b8930a",
    "#33CCCC": "#5fa52e",
    "#00CC00": "#37b24d",
}
"""RDKit's colours of atoms, and those of the 3-D viewer, legible on light and dark."""


def clean_plot(svg: str, key: str, title: str) -> str:
    """Make matplotlib's SVG inline: ids of its own, the page's ink and letters, a name.

    Parameters
    ----------
    svg
        As matplotlib writes it.
    key
        Prefix of every id, unique on the page.
    title
        What a screen reader says.
    """
    key = "figure-" + re.sub(r"[^a-zA-Z0-9]+", "-", key)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(\bid=\"|url\(#|xlink:href=\"#)", rf"\1{key}-", svg)
    svg = svg.replace("font-family: 'DejaVu Sans'", "font-family: var(--sans)")
    for stand_in, ink in INKS.items():
        svg = svg.replace(stand_in, ink)
    return _name(svg, title)


def clean_drawing(svg: str) -> str:
    """Make a structure formula inline: black becomes the page's ink; its size stays."""
    svg = re.sub(r"<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"#000(000)?\b", "currentColor", svg)
    for theirs, ours in ATOM_INKS.items():
        svg = svg.replace(theirs, ours)
    return svg.replace("<svg", '<svg class="drawing"', 1).strip()


def _name(svg: str, title: str) -> str:
    """Replace the fixed size of the outermost element by a class and an accessible name."""
    end = svg.index(">")
    head = re.sub(r"\s(width|height)=\"[^\"]*\"", "", svg[4:end])
    return f'<svg class="plot" role="img" aria-label="{escape(title)}"{head}{svg[end:]}'.strip()
