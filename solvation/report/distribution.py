"""Panels for grouped bars, densities and survival curves; drawn with the means of `figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.report.figures import draw_bars, write_powers
from solvation.report.look import MUTED, PALETTE
from solvation.report.panel import start_panel, styled, write_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["draw_densities", "draw_groups", "draw_survival"]

Bars = tuple["NDArray[Any]", "NDArray[Any]"]
"""Heights and errors."""


@styled
def draw_groups(
    names: Sequence[str], rows: Mapping[str, Bars], *, key: str, xlabel: str, ylabel: str,
    title: str,
) -> str:  # fmt: skip
    """Draw bars side by side: one group per name, one colour per row.

    Parameters
    ----------
    names
        Under the groups.
    rows
        Heights and errors, shape ``(n_names,)`` each, by the label of the row.
    """
    axes = start_panel()
    at = np.arange(len(names), dtype=float)
    width = 0.8 / max(len(rows), 1)
    highest = 0.0
    for k, (label, (values, errors)) in enumerate(rows.items()):
        x = at + (k - (len(rows) - 1) / 2) * width
        y, error = np.asarray(values, dtype=float), np.nan_to_num(np.asarray(errors, dtype=float))
        # Nothing lies below zero or above one, whatever a symmetric error says.
        reach = np.stack([np.minimum(error, y), np.minimum(error, np.maximum(1.0 - y, 0.0))])
        draw_bars(axes, x, y, reach, width * 0.92, PALETTE[k % 6], label)
        highest = max(highest, float(np.nanmax(np.nan_to_num(y) + reach[1], initial=0.0)))
    small = len(names) > 6 or max((len(n) for n in names), default=0) > 9
    axes.set_xticks(at, list(names), fontsize=6.6 if small else 8.0)
    top = 1.3 * max(highest, 0.05)
    axes.set_ylim(0, top)
    axes.set_yticks([t for t in axes.get_yticks() if t <= min(top, 1.0) + 1e-9])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title)
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper right", ncols=1 if len(rows) < 3 else 2, fontsize=7.0)
    return write_panel(axes, key, title)


@styled
def draw_densities(
    x: NDArray[Any], curves: Mapping[str, NDArray[Any]], *, key: str, xlabel: str, title: str
) -> str:
    """Draw probability densities over one axis, each scaled to its highest point.

    ``x`` and every curve have the shape ``(n_points,)``; the unit is in ``xlabel``.
    """
    axes = start_panel()
    for k, (label, y) in enumerate(curves.items()):
        scaled = y / max(float(np.max(y)), 1e-300)
        color = PALETTE[k % 6]
        axes.fill_between(x, 0, scaled, color=color, alpha=0.18, lw=0, step="mid")
        axes.plot(x, scaled, color=color, drawstyle="steps-mid", lw=1.3, label=label)
    there = np.flatnonzero(np.sum(list(curves.values()), axis=0) > 0)
    first, last = max(int(there[0]) - 2, 0), min(int(there[-1]) + 2, len(x) - 1)
    axes.set_xlim(float(x[first]), float(x[last]))
    axes.set_ylim(0, 1.45)
    axes.set_yticks([0, 0.5, 1])
    axes.set_xlabel(xlabel)
    axes.set_ylabel("density (scaled)")
    axes.set_title(title)
    axes.legend(loc="upper left", fontsize=7.0)
    return write_panel(axes, key, title)


@styled
def draw_survival(
    lag: NDArray[Any], curves: Mapping[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]
) -> str:
    """Draw what is left of contacts against time: Kaplan–Meier with its band, and intermittent.

    Parameters
    ----------
    lag
        ps, shape ``(n,)``.
    curves
        Kaplan–Meier estimate, its standard error and the intermittent survival, by pair.
    """
    axes = start_panel()
    keep = lag > 0
    for k, (label, columns) in enumerate(curves.items()):
        survival, error, returning = (np.asarray(c, dtype=float)[keep] for c in columns)
        color = PALETTE[k % 6]
        low, high = np.clip([survival - error, survival + error], 0.0, 1.0)
        axes.fill_between(lag[keep], low, high, color=color, alpha=0.2, lw=0)
        axes.plot(lag[keep], survival, color=color, label=label)
        axes.plot(lag[keep], returning, color=color, lw=1.0, ls=(0, (4, 3)))
    axes.axhline(np.exp(-1.0), color=MUTED, lw=0.8, ls=(0, (1, 2)))
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("contacts left")
    axes.set_title("Survival")
    axes.legend(loc="lower left")
    write_powers(axes, "x")
    return write_panel(axes, "survival", "Survival of contacts, Kaplan–Meier and intermittent")
