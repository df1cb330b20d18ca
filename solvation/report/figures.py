"""Plots of the report, each as one piece of inline SVG; the only home of matplotlib.

One panel is one figure, so that the page can set them side by side or, on a phone, one below the
other, without their letters shrinking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.report.look import INK, MUTED, PALETTE
from solvation.report.panel import start_panel, styled, write_panel
from solvation.report.text import SUPERSCRIPT, write_chemical, write_pair, write_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "draw_bars",
    "draw_charge",
    "draw_classes",
    "draw_coordination",
    "draw_fractions",
    "draw_msd",
    "draw_rdf",
    "draw_residence",
    "draw_scan",
    "draw_series",
    "write_powers",
]

Stage = tuple[str, float, float]
"""Name, start and end (ps) of a stage of a run."""


@styled
def draw_series(thermo: xr.Dataset, name: str, label: str, stages: Sequence[Stage]) -> str:
    """Draw one logged quantity against time, per replica, the stages shaded.

    Parameters
    ----------
    thermo
        Node whose variables, ``time`` among them, are ``(replica, report)``, padded with NaN.
    name
        Variable, e.g. ``"density"``.
    label
        Its name on the axis, without the unit.
    stages
        ``(stage, begin, end)`` in ps.
    """
    axes = start_panel()
    values = thermo[name]
    for k, replica in enumerate(values["replica"].to_numpy()):
        x, y = (np.asarray(v.isel(replica=k), dtype=float) for v in (thermo["time"], values))
        keep = np.isfinite(y) & np.isfinite(x)
        x, y = _thin(x[keep], y[keep])
        axes.plot(x, y, color=PALETTE[k % 6], lw=0.9, label=str(replica), alpha=0.9)
    _shade_stages(axes, stages)
    axes.set_xlabel("time (ps)")
    axes.set_ylabel(_name_axis(label, values))
    if values.sizes["replica"] > 1:
        axes.legend(loc="best")
    return write_panel(axes, name, f"{label} against time, per replica")


@styled
def draw_rdf(rdf: xr.Dataset, pair: str) -> str:
    """Draw g(r) and the running coordination number of one pair, the cutoff and its plateau."""
    axes, data = start_panel(), rdf.sel(pair=pair)
    r = np.asarray(data["r"], dtype=float)
    g, error = (np.asarray(data[k], dtype=float) for k in ("g", "g_stderr"))
    n, n_error = (np.asarray(data[k], dtype=float) for k in ("running", "running_stderr"))
    start = max(0.0, np.floor(r[np.argmax(g > 0.01 * np.nanmax(g))] - 0.5))
    axes.fill_between(r, g - error, g + error, color=PALETTE[0], alpha=0.25, lw=0)
    axes.plot(r, g, color=PALETTE[0], label="g(r)")
    axes.set_title(write_pair(pair))
    axes.set_xlabel("r (Å)")
    axes.set_ylabel("g(r)", color=PALETTE[0])
    axes.set_xlim(start, r[-1])
    axes.set_ylim(0, 1.08 * max(float(np.nanmax(g)), 0.5))
    twin = axes.twinx()
    twin.grid(visible=False)
    twin.spines["right"].set_visible(True)
    twin.fill_between(r, n - n_error, n + n_error, color=PALETTE[1], alpha=0.25, lw=0)
    twin.plot(r, n, color=PALETTE[1], lw=1.3)
    cutoff, low, high = (float(data[k]) for k in ("cutoff", "cutoff_low", "cutoff_high"))
    at = float(np.interp(cutoff, r, n)) if np.isfinite(cutoff) else 0.0
    top = max(1.6 * at, 2.0) if np.isfinite(cutoff) else max(2.0, float(n[-1]) * 0.3)
    twin.set_ylim(0, top)
    twin.set_ylabel("coordination number n(r)", color=PALETTE[1])
    if np.isfinite(cutoff):
        if np.isfinite(low) and np.isfinite(high):
            axes.axvspan(low, high, color=MUTED, alpha=0.13, lw=0)
        axes.axvline(cutoff, color=INK, lw=0.9, ls=(0, (4, 3)))
        axes.set_title(f"cutoff {cutoff:.2f} Å", loc="right", fontsize=7.8, fontweight="normal")
    else:
        axes.set_title("no first shell", loc="right", fontsize=7.8, fontweight="normal")
    return write_panel(axes, f"rdf-{pair}", f"g(r) and running coordination number, {pair}")


@styled
def draw_coordination(coordination: xr.Dataset, pairs: Sequence[str], cation: str) -> str:
    """Draw how the coordination numbers of one cation are distributed."""
    axes = start_panel()
    count = np.asarray(coordination["count"], dtype=float)
    width, top = 0.8 / len(pairs), 1
    for k, pair in enumerate(pairs):
        y = np.asarray(coordination["distribution"].sel(pair=pair), dtype=float)
        x = count + (k - (len(pairs) - 1) / 2) * width
        axes.bar(x, y, width * 0.94, color=PALETTE[k % 6], label=write_pair(pair))
        top = max(top, int(np.max(count[y > 5e-4], initial=0)))
    axes.set_xlim(-0.6, top + 0.6)
    axes.set_xticks(range(top + 1))
    axes.set_ylim(0, 1)
    axes.set_xlabel("coordinating atoms")
    axes.set_ylabel(f"fraction of {cation}")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper center")
    return write_panel(axes, f"coordination-{cation}", f"Coordination numbers of {cation}")


@styled
def draw_classes(speciation: xr.Dataset) -> str:
    """Draw free, SSIP, CIP and AGG per cation and per anion, side by side."""
    axes = start_panel()
    names = [str(c) for c in speciation["class"].to_numpy()]
    x = np.arange(len(names), dtype=float)
    for k, ion in enumerate(("cation", "anion")):
        y, error = (np.asarray(speciation[ion + s], dtype=float) for s in ("", "_stderr"))
        draw_bars(axes, x + (k - 0.5) * 0.38, y, error, 0.35, PALETTE[k], f"per {ion}")
    axes.set_xticks(x, [{"free": "free"}.get(n, n.upper()) for n in names])
    axes.set_ylim(0, 1)
    axes.set_ylabel("fraction of ions")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper right")
    return write_panel(axes, "classes", "Speciation per cation and per anion")


@styled
def draw_fractions(
    names: Sequence[str], values: NDArray[Any], errors: NDArray[Any], *, key: str, label: str,
    title: str = "", color: int = 2,
) -> str:  # fmt: skip
    """Draw fractions as horizontal bars, the first on top.

    Values and errors have the shape ``(n_names,)``.
    """
    axes = start_panel()
    y = np.arange(len(names), dtype=float)[::-1]
    axes.barh(y, values, 0.66, color=PALETTE[color])
    axes.errorbar(values, y, xerr=errors, fmt="none", ecolor=INK, elinewidth=0.9)
    for at, value, error in zip(y, values, np.nan_to_num(errors), strict=True):
        axes.annotate(
            f"{value:.2f}" if value >= 0.005 or value == 0 else f"{value:.1g}",
            (value + error, at), (5, 0), textcoords="offset points", va="center", fontsize=7.8,
        )  # fmt: skip
    axes.set_yticks(y, [write_chemical(n) for n in names])
    axes.set_xlim(0, min(1.18, max(0.2, 1.22 * float(np.nanmax(values + np.nan_to_num(errors))))))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)
    axes.set_title(title)
    axes.grid(visible=False, axis="y")
    return write_panel(axes, key, title or label)


@styled
def draw_residence(residence: xr.Dataset) -> str:
    """Draw residence times with their 95 % intervals; an arrow where only a bound is known."""
    axes = start_panel()
    pairs = [str(p) for p in residence["pair"].to_numpy()]
    at = np.arange(len(pairs), dtype=float)[::-1]
    value, low, high = (
        np.asarray(residence[k], dtype=float) for k in ("residence_time", "low", "high")
    )
    finite = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in (value, low, high)])
    span = (finite.min() / 4, finite.max() * 6) if finite.size else (0.01, 10.0)
    for k, y in enumerate(at):
        start = low[k] if np.isfinite(low[k]) and low[k] > 0 else span[0]
        color = PALETTE[k % 6]
        if np.isfinite(high[k]):
            axes.plot([start, high[k]], [y, y], color=color, lw=2.4)
        else:
            axes.annotate(
                "", (span[1] * 0.8, y), (start, y),
                arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2.4, "shrinkA": 0},
            )  # fmt: skip
            axes.plot([start], [y], marker="|", color=color, ms=11, mew=2.4)
        if np.isfinite(value[k]) and np.isfinite(high[k]):
            axes.plot([value[k]], [y], "o", color=color, ms=6)
    axes.set_xscale("log")
    axes.set_xlim(*span)
    axes.set_ylim(-0.7, len(pairs) - 0.3)
    axes.set_yticks(at, [write_pair(p) for p in pairs])
    axes.set_xlabel("residence time (ns)")
    axes.grid(visible=False, axis="y")
    write_powers(axes, "x")
    return write_panel(axes, "residence", "Residence times with 95 % intervals")


@styled
def draw_msd(diffusion: xr.Dataset) -> str:
    """Draw mean-squared displacements, log-log, with a slope-1 guide and the fit window."""
    curves = {str(s): diffusion.sel(species=s) for s in diffusion["species"].to_numpy()}
    axes = start_panel()
    lag = np.asarray(diffusion["lag"], dtype=float)
    _draw_curves(axes, lag, {n: (c["msd"], c["msd_stderr"]) for n, c in curves.items()})
    low, high = (np.asarray(diffusion[k], dtype=float) for k in ("window_low", "window_high"))
    if np.any(np.isfinite(low) & np.isfinite(high)):
        axes.axvspan(np.nanmin(low), np.nanmax(high), color=MUTED, alpha=0.12, lw=0)
    axes.set_ylabel(_name_axis("MSD", diffusion["msd"]))
    return write_panel(axes, "msd", "Mean-squared displacement of each species")


@styled
def draw_scan(diffusion: xr.Dataset) -> str:
    """Draw D against where its window starts, relative to the value chosen, which is marked."""
    axes = start_panel()
    start = np.asarray(diffusion["start"], dtype=float)
    for k, name in enumerate(diffusion["species"].to_numpy().astype(str)):
        one = diffusion.sel(species=name)
        chosen = float(one["diffusion"])
        if not chosen > 0:
            continue
        y, error = (np.asarray(one[v], dtype=float) / chosen for v in ("scan", "scan_stderr"))
        color = PALETTE[k % 6]
        axes.fill_between(start, y - error, y + error, color=color, alpha=0.2, lw=0)
        axes.plot(start, y, color=color, label=name)
        axes.plot([float(one["window_low"])], [1.0], "o", color=color, ms=5)
    axes.axhline(1.0, color=MUTED, lw=0.9, ls=(0, (4, 3)))
    axes.set_xscale("log")
    axes.set_ylim(0, 2)
    axes.set_xlabel("window starts at (ps)")
    axes.set_ylabel("D / D chosen")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left")
    write_powers(axes, "x")
    return write_panel(axes, "scan", "Diffusion coefficient against the start of the window")


@styled
def draw_charge(conductivity: xr.Dataset) -> str:
    """Draw the mean-squared displacement of charge, log-log, with a guide and the fit window."""
    axes = start_panel()
    curve = (conductivity["collective"], conductivity["collective_stderr"])
    _draw_curves(axes, np.asarray(conductivity["lag"], dtype=float), {"all ions": curve})
    low, high = (float(conductivity[k]) for k in ("window_low", "window_high"))
    if np.isfinite(low) and np.isfinite(high):
        axes.axvspan(low, high, color=MUTED, alpha=0.12, lw=0)
    axes.set_ylabel(_name_axis("charge MSD", conductivity["collective"]))
    return write_panel(axes, "charge", "Mean-squared displacement of charge")


def _shade_stages(axes: Axes, stages: Sequence[Stage]) -> None:
    """Shade every second stage; name them in two rows, as far as there is room."""
    if not stages:
        return
    begin, end = min(s[1] for s in stages), max(s[2] for s in stages)
    axes.set_xlim(begin, end)
    for _, left, right in stages[1::2]:
        axes.axvspan(left, right, color=MUTED, alpha=0.10, lw=0)
    rows: tuple[list[tuple[float, float]], ...] = ([], [])
    for name, left, right in sorted(stages, key=lambda s: s[1] - s[2]):
        middle, half = 0.5 * (left + right), 0.0125 * len(name) * (end - begin)
        for height, row in enumerate(rows):
            if all(abs(middle - other) > half + more for other, more in row):
                row.append((middle, half))
                axes.annotate(
                    name, (middle, 1.0), (0, 2 + 8 * height), xycoords=("data", "axes fraction"),
                    textcoords="offset points", ha="center", va="bottom", fontsize=6.8, color=MUTED,
                )  # fmt: skip
                break


def _draw_curves(
    axes: Axes, lag: NDArray[Any], curves: Mapping[str, tuple[xr.DataArray, xr.DataArray]]
) -> None:
    """Draw curves with error bands on logarithmic axes, and a guide of slope 1."""
    tops = []
    for k, (name, (curve, band)) in enumerate(curves.items()):
        y, error = (np.asarray(v, dtype=float) for v in (curve, band))
        keep = (lag > 0) & np.isfinite(y) & (y > 0)
        x, y, error = lag[keep], y[keep], np.nan_to_num(error[keep])
        if not x.size:
            continue
        color = PALETTE[k % 6]
        axes.fill_between(
            x, np.maximum(y - error, y / 20), y + error, color=color, alpha=0.22, lw=0
        )
        axes.plot(x, y, color=color, label=name)
        tops.append((x, y))
    axes.set_xscale("log")
    axes.set_yscale("log")
    if tops:
        x, y = max(tops, key=lambda curve: float(curve[1].max()))
        part = x >= np.sqrt(x[0] * x[-1])
        guide = 2.2 * y[part][0] * x[part] / x[part][0]
        axes.plot(x[part], guide, color=MUTED, lw=1, ls=(0, (4, 3)), label="slope 1")
        axes.legend(loc="upper left")
    axes.set_xlabel("lag (ps)")
    write_powers(axes, "x")
    write_powers(axes, "y")


def draw_bars(
    axes: Axes, x: NDArray[Any], y: NDArray[Any], error: NDArray[Any], width: float, color: str,
    label: str,
) -> None:  # fmt: skip
    """Draw bars with their errors.

    ``x``, ``y`` and ``error`` have the shape ``(n_bars,)``; the unit is that of the axes.
    """
    axes.bar(x, y, width, color=color, label=label)
    axes.errorbar(x, y, yerr=error, fmt="none", ecolor=INK, elinewidth=0.9)


def _name_axis(label: str, values: xr.DataArray) -> str:
    unit = write_unit(str(values.attrs.get("units", "")))
    return f"{label} ({unit})" if unit else label


def _thin(x: NDArray[Any], y: NDArray[Any], most: int = 600) -> tuple[NDArray[Any], NDArray[Any]]:
    """Average neighbouring points so that a long log stays a small picture."""
    block = -(-x.size // most)
    if block < 2:
        return x, y
    size = x.size // block * block
    return x[:size].reshape(-1, block).mean(1), y[:size].reshape(-1, block).mean(1)


def write_powers(axes: Axes, which: str) -> None:
    """Label a logarithmic axis 0.1, 1, 10, 100, 10³ without mathtext."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def write(value: float, _position: object) -> str:
        power = round(np.log10(value))
        return f"{value:g}" if -3 < power < 3 else f"10{str(power).translate(SUPERSCRIPT)}"

    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    few = low > 0 and np.log10(high / low) < 1.3
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(FuncFormatter(write))
    axis.set_minor_formatter(NullFormatter())
