"""Charts of several runs: one row per run, a filled mark where the number is converged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvation.report.look import INK, MUTED, PALETTE
from solvation.report.panel import start_panel, styled, write_panel
from solvation.report.text import write_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from solvation.results import Quantity

__all__ = ["draw_points", "draw_stack"]

WIDE = 30.0
"""Ratio of largest to smallest above which the axis is logarithmic."""

LONGEST = 24
"""Letters of a label beside a panel."""

TINY = 1e-10
"""m2/s: in which diffusion is drawn."""


@styled
def draw_stack(labels: Sequence[str], classes: Mapping[str, Sequence[Quantity | None]]) -> str:
    """Draw the classes of the cations of each run as one bar; pale where not converged."""
    axes = start_panel(taller=_height(labels))
    y = np.arange(len(labels), dtype=float)[::-1]
    left = np.zeros(len(labels))
    for k, (name, found) in enumerate(classes.items()):
        values = np.array([_read(q) for q in found])
        values = np.nan_to_num(values)
        bars = axes.barh(y, values, 0.66, left=left, color=PALETTE[k], label=_CLASSES[name])
        for bar, quantity in zip(bars, found, strict=True):
            bar.set_alpha(0.45 if quantity is not None and quantity.status != "ok" else 1.0)
        left += values
    axes.set_yticks(y, _shorten(labels))
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_xlabel("fraction of cations; pale: not converged")
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, columnspacing=0.8)
    return write_panel(axes, "lineup-classes", "Speciation per cation of each run")


_CLASSES = {"free": "free", "ssip": "SSIP", "cip": "CIP", "agg": "AGG"}


@styled
def draw_points(
    labels: Sequence[str], found: Sequence[Quantity | None], *, key: str, title: str, axis: str,
    measured: Sequence[float | None] | None = None,
) -> str:  # fmt: skip
    """Draw one quantity of each run with its error; hollow where it is not converged.

    Parameters
    ----------
    labels
        Of the runs.
    found
        One per run; None leaves a gap, a bound is an arrow.
    key
        Unique on the page.
    title
        Above the panel.
    axis
        What the axis is called, or its unit.
    measured
        What experiment has, in the same unit, drawn as diamonds.
    """
    axes = start_panel(taller=_height(labels))
    y = np.arange(len(labels), dtype=float)[::-1]
    scale = TINY if axis == "m2/s" else 1.0
    for at, quantity in zip(y, found, strict=True):
        _draw_point(axes, at, quantity, scale)
    others = [(x / scale, at) for x, at in zip(measured or (), y, strict=False) if x is not None]
    if others:
        axes.plot(
            *zip(*others, strict=True), ls="", marker="D", ms=5, mfc="none", mec=PALETTE[1],
            label="experiment",
        )  # fmt: skip
        axes.legend(loc="best")
    values = [_read(q) / scale for q in found] + [x for x, _ in others]
    values = [value for value in values if math.isfinite(value)]
    if axis.startswith("fraction"):
        axes.set_xlim(-0.03, 1.03)
    elif values and min(values) > 0 and max(values) / min(values) > WIDE:
        axes.set_xscale("log")
    elif values and min(values) >= 0 and max(values) > 2.5 * min(values):
        axes.set_xlim(left=0)
    axes.set_yticks(y, _shorten(labels))
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_title(title)
    unit = f"10⁻¹⁰ {write_unit(axis)}" if scale == TINY else write_unit(axis)
    axes.set_xlabel(f"{unit}; hollow: not converged" if unit else "hollow: not converged")
    return write_panel(axes, f"lineup-{key}", title)


def _draw_point(axes: Axes, at: float, quantity: Quantity | None, scale: float) -> None:
    """Draw one number, or nothing where there is none."""
    value = _read(quantity) / scale
    if quantity is None or not math.isfinite(value):
        axes.annotate("—", (0.02, at), xycoords=("axes fraction", "data"), va="center", color=MUTED)
        return
    error = quantity.stderr if quantity.stderr and math.isfinite(quantity.stderr) else 0.0
    face = PALETTE[0] if quantity.status == "ok" else "none"
    marker = {"lower": ">", "upper": "<", None: "o"}[quantity.bound]
    axes.errorbar([value], [at], xerr=[error / scale], fmt="none", ecolor=INK, elinewidth=0.9)
    axes.plot([value], [at], marker=marker, ms=5.5, mfc=face, mec=PALETTE[0], ls="")


def _shorten(labels: Sequence[str]) -> list[str]:
    """Cut long labels at their beginning, which is where they are alike."""
    return [label if len(label) <= LONGEST else f"…{label[1 - LONGEST :]}" for label in labels]


def _read(quantity: Quantity | None) -> float:
    return math.nan if quantity is None or quantity.value is None else float(quantity.value)


def _height(labels: Sequence[str]) -> float:
    return max(0.7, 0.13 * len(labels) + 0.45)
