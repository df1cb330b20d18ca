"""Panels of recordings: every node that is there is drawn where it belongs, and only those."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from solvation.report.spectrum import draw_recorded


def make_integral(name: str, unit: str) -> xr.Dataset:
    def scalar(value: float) -> tuple[tuple[()], float, dict[str, str]]:
        return ((), value, {"units": unit})

    frequency, lag = np.linspace(0, 2, 30), np.linspace(0, 5, 40)
    fit = np.where(frequency < 1, 3.0 - frequency, np.nan)
    return xr.Dataset(
        {
            name: scalar(3.0), f"{name}_stderr": scalar(0.2), "cutoff_frequency": scalar(1.0),
            "spectrum": ("frequency", 3.0 - frequency), "fit": ("frequency", fit),
            "running": ("lag", 3.0 * (1 - np.exp(-lag))),
        },
        coords={"frequency": frequency, "lag": lag},
    )  # fmt: skip


def make_dielectric(translation: float) -> xr.Dataset:
    frequency = np.logspace(0, 3, 20)
    debye = 1 / (1 - 1j * frequency / 30)
    rows = np.stack([5 * debye, 0 * debye, translation * debye])
    return xr.Dataset(
        {
            "spectrum_real": (("part", "frequency"), rows.real),
            "spectrum_imag": (("part", "frequency"), rows.imag),
        },
        coords={"part": ["rotation", "cross", "translation"], "frequency": frequency},
    )


def test_every_node_is_drawn_in_its_section() -> None:
    driven = xr.Dataset(
        {
            "viscosity": 0.8, "viscosity_stderr": 0.1,
            "apparent": ("drive", [0.7, 0.6]), "apparent_stderr": ("drive", [0.1, 0.1]),
            "shear_rate": ("drive", [0.01, 0.02]),
        }
    )  # fmt: skip
    plots = draw_recorded(
        {
            "green_kubo": make_integral("green_kubo", "mS/cm"), "driven": driven,
            "viscosity": make_integral("viscosity", "mPa s"), "dielectric": make_dielectric(-1.0),
        }
    )  # fmt: skip
    assert {k: len(v) for k, v in plots.items()} == {
        "conductivity": 2, "viscosity": 3, "permittivity": 1,
    }  # fmt: skip
    assert all("<svg" in panel for panels in plots.values() for panel in panels)
    ids = [i for panels in plots.values() for p in panels for i in re.findall(r' id="([^"]+)"', p)]
    assert len(ids) == len(set(ids))
    assert draw_recorded({}) == {"conductivity": [], "viscosity": [], "permittivity": []}


def test_parts_that_are_nothing_are_not_drawn() -> None:
    full = draw_recorded({"dielectric": make_dielectric(-1.0)})["permittivity"][0]
    part = draw_recorded({"dielectric": make_dielectric(0.0)})["permittivity"][0]
    assert len(part) < len(full)
