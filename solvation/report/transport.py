"""Pictures of transport: what the conductivity consists of, and how it goes with temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.report.look import INK, MUTED, PALETTE
from solvation.report.panel import start_panel, styled, write_panel
from solvation.report.text import label_quantity, write_chemical, write_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes

    from solvation.temperature import TemperatureFit

__all__ = ["draw_activation", "draw_decomposition", "gather_families"]


@styled
def draw_decomposition(onsager: xr.Dataset) -> str:
    """Draw the shares of the conductivity, self parts then pairs of species, and their sum."""
    names = [str(p) for p in onsager["part"].to_numpy()]
    value, error = (
        np.asarray(onsager[k], dtype=float) for k in ("contribution", "contribution_stderr")
    )
    axes = start_panel(taller=max(1.0, 0.14 * len(names) + 0.5))
    y = np.arange(len(names), dtype=float)[::-1]
    colors = [PALETTE[0] if name.endswith(" self") else PALETTE[1] for name in names]
    axes.barh(y, value, 0.66, color=colors)
    axes.errorbar(value, y, xerr=np.nan_to_num(error), fmt="none", ecolor=INK, elinewidth=0.9)
    axes.axvline(0.0, color=MUTED, lw=0.8)
    axes.axvline(float(value.sum()), color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.set_title("dashed: their sum", loc="right", fontsize=7.8, fontweight="normal")
    axes.set_yticks(y, [_name_part(name) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(f"share of the conductivity ({write_unit('mS/cm')})")
    axes.grid(visible=False, axis="y")
    return write_panel(axes, "decomposition", "Self and distinct parts of the conductivity")


def _name_part(name: str) -> str:
    if name.endswith(" self"):
        return f"{write_chemical(name.removesuffix(' self'))}, self"
    first, _, second = name.partition("-")
    return f"{write_chemical(first)}–{write_chemical(second)}"


def gather_families(fits: Sequence[TemperatureFit]) -> dict[str, list[TemperatureFit]]:
    """Put what is drawn in one panel together: diffusion, conductivity, viscosity."""
    families: dict[str, list[TemperatureFit]] = {}
    for fit in fits:
        family = fit.name.partition(".")[0]
        if fit.name.endswith(".corrected"):
            family += ", size-corrected"
        families.setdefault(family, []).append(fit)
    return families


@styled
def draw_activation(family: str, fits: Sequence[TemperatureFit]) -> str:
    """Draw quantities of one unit against 1000/T on a logarithmic axis, with the fitted laws."""
    axes = start_panel(taller=1.15)
    for k, fit in enumerate(fits):
        _draw_ladder(axes, fit, PALETTE[k % 6])
    axes.set_yscale("log")
    axes.set_xlabel("1000 K / T")
    axes.set_ylabel(f"{family} ({write_unit(fits[0].unit)})")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="best")
    return write_panel(axes, f"activation-{family}", f"{family} against temperature")


def _draw_ladder(axes: Axes, fit: TemperatureFit, color: str) -> None:
    """Draw the points of one quantity and its laws."""
    label = label_quantity(fit.name).partition(", ")[2] or fit.name.partition(".")[2] or fit.name
    for point in fit.points:
        q = point.quantity
        if q.value is None or q.value <= 0.0:
            continue
        x = 1000.0 / point.temperature
        low = min(q.stderr or 0.0, 0.9 * q.value)
        axes.errorbar(
            [x], [q.value], yerr=[[low], [q.stderr or 0.0]], fmt="none", ecolor=color,
            elinewidth=0.9,
        )  # fmt: skip
        face = color if point.fitted else "none"
        axes.plot([x], [q.value], "o", ms=5, mfc=face, mec=color, label=label or None)
        label = ""
    used = [p.temperature for p in fit.points if p.fitted]
    for law, style in ((fit.arrhenius, "-"), (fit.vogel, (0, (4, 3)))):
        if law is not None:
            t = 1.0 / np.linspace(1.0 / max(used), 1.0 / min(used), 60)
            axes.plot(1000.0 / t, law.predict(t)[0], color=color, lw=1.1, ls=style)
