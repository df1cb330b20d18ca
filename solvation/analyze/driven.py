r"""Viscosity from driven flows, extrapolated to no drive at all.

Of every acceleration A the mean flow V is taken after the start has died away, which takes a few
times :math:`\rho/(\eta k^2) = V/A`. By symmetry the response is even, so that
:math:`V/A = c_0 + c_1 A^2` is fitted, weighted with its errors, and
:math:`\eta = \rho / (c_0 k^2)` (`solvation.simulate.shear` has the equations and the reference).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvation.kernels.timecorr import statistical_inefficiency
from solvation.kernels.uncertainty import series_error
from solvation.record import Record, read_record
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load_flows", "measure_driven_viscosity", "summarize_driven_viscosity"]

_START = 6.0
"""Relaxation times of the flow that are left out at the start."""
_VISCOSITY = 1.66053906660e-2
"""mPa s in a u/(Å ps)."""
_FEWEST_SAMPLES = 10.0
_SHORTEST_DRIVE = 100.0
"""ps; a shorter flow has not seen the structure of most liquids relax, however steady it looks."""
_LARGEST_STEP = 1.2
"""Largest ratio of the extrapolated viscosity to that of the slowest flow: a parabola reaches no
further into what a strong flow does to a liquid."""
_LARGEST_HEATING = 0.02
"""Relative deviation of the temperature."""


def load_flows(folders: Sequence[Path]) -> list[Record]:
    """Read all driven flows of all replicas."""
    return [read_record(path) for folder in folders for path in sorted(folder.glob("flow-*.rec"))]


def measure_driven_viscosity(flows: Sequence[Record]) -> xr.Dataset | None:
    """Measure the viscosity; None without a flow.

    Parameters
    ----------
    flows
        From `load_flows`; all with one wave length.

    Returns
    -------
    Dataset
        ``viscosity`` (mPa s) at zero amplitude, and by acceleration what the flow was, the
        viscosity it alone gives, and the temperature.
    """
    import xarray as xr

    if not flows:
        return None
    about = flows[0].about
    drive = np.array([flow.about["acceleration"] for flow in flows])
    means = [_mean_flow(flow) for flow in flows]
    value, error, heat, samples = (np.array(column) for column in zip(*means, strict=True))
    scale = _VISCOSITY * about["mass"] / about["volume"] / about["wave"] ** 2
    response, weight = value / drive, drive / error
    accelerations = np.unique(drive)
    powers = np.stack([np.ones(len(drive)), drive**2], axis=1)[:, : min(2, len(accelerations))]
    covariance = np.linalg.inv(powers.T @ (powers * weight[:, None] ** 2))
    limit = covariance @ (powers.T @ (response * weight**2))
    spread = float(np.sqrt(covariance[0, 0]))

    def scalar(number: float, unit: str, text: str) -> tuple[tuple[()], float, dict[str, str]]:
        return ((), number, {"units": unit, "long_name": text})

    columns = {
        "flow": (value, "Å/ps", "amplitude of the flow"),
        "flow_stderr": (error, "Å/ps", "standard error of the amplitude of the flow"),
        "apparent": (scale / response, "mPa s", "viscosity from this flow alone"),
        "apparent_stderr": (
            scale / response * error / np.abs(value), "mPa s", "standard error of it",
        ),
        "temperature": (heat, "K", "temperature across the flow"),
        "drive_time": (
            np.array([f.spacing * len(f.values) for f in flows]), "ps", "length of the flow",
        ),
    }  # fmt: skip
    return xr.Dataset(
        {
            "viscosity": scalar(scale / float(limit[0]), "mPa s", "shear viscosity, driven flow"),
            "viscosity_stderr": scalar(
                scale * spread / float(limit[0]) ** 2, "mPa s",
                "standard error of the shear viscosity, driven flow",
            ),
            "curvature": scalar(
                float(limit[1] / limit[0]) if len(limit) > 1 else float("nan"), "ps4/Å2",
                "relative growth of the response with the square of the acceleration",
            ),
            "n_independent": scalar(float(samples.sum()), "1", "independent flows"),
            "shear_rate": (
                "drive", np.abs(value) * about["wave"], {"units": "1/ps", "long_name": "shear rate"}
            ),
            **{
                key: ("drive", values, {"units": unit, "long_name": text})
                for key, (values, unit, text) in columns.items()
            },
        },
        coords={
            "acceleration": (
                "drive", drive, {"units": "Å/ps2", "long_name": "largest acceleration"},
            )
        },
        attrs={
            "wave_length": f"{2.0 * np.pi / about['wave']:.4g} Å",
            "temperature": about["temperature"],
            "limit": "response linear in the square of the acceleration"
            if len(accelerations) > 1 else "one acceleration, no extrapolation",
        },
    )  # fmt: skip


def summarize_driven_viscosity(node: xr.Dataset) -> tuple[Quantity, ...]:
    """Write the viscosity for the summary, with a status."""
    few = float(node["n_independent"]) < _FEWEST_SAMPLES
    short = float(node["drive_time"].min()) < _SHORTEST_DRIVE
    note = f"driven flow of wave length {node.attrs['wave_length']}, {node.attrs['limit']}"
    if few:
        note += f"; {float(node['n_independent']):.1f} independent flows, fewer than 10"
    if short:
        note += f"; driven for less than {_SHORTEST_DRIVE:g} ps"
    slowest = float(node["apparent"].values[node["acceleration"].values.argmin()])
    thin = float(node["viscosity"]) > _LARGEST_STEP * slowest
    if thin:
        note += f"; {slowest:.3g} mPa s in the slowest flow, too far from rest: drive less"
    heat = node["temperature"].values / node.attrs["temperature"] - 1.0
    hot = bool(np.abs(heat).max() > _LARGEST_HEATING)
    if hot:
        note += f"; temperature off by {100 * heat[np.abs(heat).argmax()]:+.0f} %: drive less"
    return (
        Quantity(
            name="viscosity.driven", value=float(node["viscosity"]),
            stderr=float(node["viscosity_stderr"]), unit="mPa s",
            status="not_converged" if few or short or thin or hot else "ok", note=note,
        ),
    )  # fmt: skip


def _mean_flow(flow: Record) -> tuple[float, float, float, float]:
    """Mean flow (Å/ps), its error, the temperature (K) and how many independent samples."""
    values = flow.values[:, flow.columns.index("flow")].astype(np.float64)
    heat = flow.values[:, flow.columns.index("temperature")].astype(np.float64)
    late = values[len(values) // 2 :]
    memory = abs(float(late.mean())) / flow.about["acceleration"]
    start = min(round(_START * memory / flow.spacing) + 1, len(values) // 2)
    kept = values[start:]
    samples = len(kept) / statistical_inefficiency(kept)
    return float(kept.mean()), series_error(kept), float(heat[start:].mean()), samples
