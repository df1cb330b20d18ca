"""Plots of what a run recorded: spectra with their fits, running integrals, dielectric spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.report.look import INK, PALETTE
from solvation.report.panel import start_panel, styled, write_panel
from solvation.report.text import write_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["draw_dielectric", "draw_driven", "draw_recorded", "draw_running", "draw_spectrum"]


def draw_recorded(nodes: Mapping[str, xr.Dataset]) -> dict[str, list[str]]:
    """Draw the panels of all recorded nodes, by section of the page."""
    plots: dict[str, list[str]] = {"conductivity": [], "viscosity": [], "permittivity": []}
    for node, section, label in (
        ("green_kubo", "conductivity", "conductivity"),
        ("viscosity", "viscosity", "viscosity"),
    ):
        if node in nodes:
            plots[section] += [
                draw_spectrum(nodes[node], node, label), draw_running(nodes[node], node, label)
            ]  # fmt: skip
    if "driven" in nodes:
        plots["viscosity"].append(draw_driven(nodes["driven"]))
    if "dielectric" in nodes:
        plots["permittivity"].append(draw_dielectric(nodes["dielectric"]))
    return plots


@styled
def draw_spectrum(node: xr.Dataset, name: str, label: str) -> str:
    """Draw a power spectrum near zero and the model whose limit there is the coefficient.

    Parameters
    ----------
    node
        From `solvation.analyze.green_kubo.describe_integral`.
    name
        Of the coefficient in it.
    label
        What the axis says.
    """
    axes = start_panel()
    x, y, fit = (np.asarray(node[k], dtype=float) for k in ("frequency", "spectrum", "fit"))
    axes.plot(x, y, color=PALETTE[0], lw=0.9, alpha=0.8, label="spectrum")
    axes.plot(x, fit, color=PALETTE[1], label="model")
    value, error = float(node[name]), float(node[f"{name}_stderr"])
    axes.errorbar([0.0], [value], yerr=[error], fmt="o", ms=4, color=INK, label="limit at zero")
    axes.axvline(float(node["cutoff_frequency"]), color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.set_ylim(0, None)
    axes.set_xlabel("frequency (1/ps)")
    axes.set_ylabel(f"{label} ({write_unit(str(node[name].attrs['units']))})")
    axes.legend(loc="best")
    return write_panel(axes, f"spectrum-{name}", f"Power spectrum and its limit, {label}")


@styled
def draw_running(node: xr.Dataset, name: str, label: str) -> str:
    """Draw the running integral of a correlation, and the value the spectrum gives."""
    axes = start_panel()
    axes.plot(node["lag"], node["running"], color=PALETTE[0], label="running integral")
    value, error = float(node[name]), float(node[f"{name}_stderr"])
    axes.axhspan(value - error, value + error, color=PALETTE[1], alpha=0.25, lw=0)
    axes.axhline(value, color=PALETTE[1], label="from the spectrum")
    axes.set_xlabel("time (ps)")
    axes.set_ylabel(f"{label} ({write_unit(str(node[name].attrs['units']))})")
    axes.legend(loc="best")
    return write_panel(axes, f"running-{name}", f"Running integral, {label}")


@styled
def draw_driven(node: xr.Dataset) -> str:
    """Draw the viscosity of every driven flow against its shear rate, and the limit of none."""
    axes = start_panel()
    axes.errorbar(
        1e3 * np.asarray(node["shear_rate"], dtype=float), node["apparent"],
        yerr=node["apparent_stderr"], fmt="o", ms=4, color=PALETTE[0], label="one flow",
    )  # fmt: skip
    axes.errorbar(
        [0.0], [float(node["viscosity"])], yerr=[float(node["viscosity_stderr"])], fmt="s", ms=4,
        color=INK, label="no drive",
    )  # fmt: skip
    axes.set_ylim(0, None)
    axes.set_xlabel("shear rate (1/ns)")
    axes.set_ylabel(f"viscosity ({write_unit('mPa s')})")
    axes.legend(loc="best")
    return write_panel(axes, "driven", "Viscosity against shear rate")


@styled
def draw_dielectric(node: xr.Dataset) -> str:
    """Draw real part and loss of the susceptibility by part against the frequency."""
    axes = start_panel()
    x = np.asarray(node["frequency"], dtype=float)
    for k, part in enumerate(str(p) for p in node["part"].values):
        real, loss = (np.asarray(node[f"spectrum_{n}"][k], dtype=float) for n in ("real", "imag"))
        if not (np.any(real) or np.any(loss)):
            continue
        axes.plot(x, real, color=PALETTE[k], lw=0.9, ls=(0, (4, 2)), label=f"{part}, real")
        axes.plot(x, loss, color=PALETTE[k], label=f"{part}, loss")
    axes.set_xscale("log")
    axes.set_xlabel("frequency (GHz)")
    axes.set_ylabel("susceptibility")
    axes.legend(loc="best")
    return write_panel(axes, "dielectric", "Dielectric spectrum without the conductivity")
