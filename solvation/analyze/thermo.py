"""Thermodynamics of a run: density, energy and temperature against time, from the logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from solvation.kernels.stationarity import judge_stationarity
from solvation.results import Quantity
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.log import Log

__all__ = ["collect_thermo", "summarize_composition", "summarize_density"]


def collect_thermo(logs: Mapping[str, Log]) -> xr.Dataset:
    """Join the logs of all replicas into one dataset.

    Parameters
    ----------
    logs
        By replica name.

    Returns
    -------
    Dataset
        ``density`` (g/cm3), ``temperature`` (K), ``potential_energy`` (kJ/mol) with dimensions
        ``(replica, report)``, padded with NaN, and ``time`` (ps since the first stage began).
        ``attrs["stages"]`` is JSON: by replica, a list of ``[stage, begin, end]`` in ps.
    """
    import xarray as xr

    length = max(len(log.time) for log in logs.values())
    arrays = {
        name: np.full((len(logs), length), np.nan)
        for name in ("time", "density", "temperature", "potential_energy")
    }
    stages: dict[str, list[tuple[str, float, float]]] = {}
    for row, (replica, log) in enumerate(logs.items()):
        offset = 0.0
        time = np.empty(len(log.time))
        stages[replica] = []
        for stage in dict.fromkeys(log.stage.tolist()):
            mask = log.stage == stage
            time[mask] = offset + log.time[mask]
            end = float(time[mask][-1])
            stages[replica].append((stage, offset, end))
            offset = end
        arrays["time"][row, : len(time)] = time
        for name in ("density", "temperature", "potential_energy"):
            arrays[name][row, : len(time)] = getattr(log, name)
    described = {
        "time": ("ps", "time since the first stage began"),
        "density": ("g/cm3", "density"),
        "temperature": ("K", "temperature"),
        "potential_energy": ("kJ/mol", "potential energy of the box"),
    }
    dims = ("replica", "report")
    return xr.Dataset(
        {
            name: (dims, values, {"units": described[name][0], "long_name": described[name][1]})
            for name, values in arrays.items()
        },
        coords={"replica": list(logs)},
        attrs={"stages": json.dumps(stages)},
    )


def summarize_density(logs: Mapping[str, Log]) -> Quantity:
    """Density at the target pressure, from the NPT stage, with its error.

    The error is the larger of what fluctuations inside the replicas and the scatter between them
    allow. ``not_converged`` when a replica was still drifting when its time was up.
    """
    judged = [judge_stationarity(log.select("density").density) for log in logs.values()]
    means = np.array([item.mean for item in judged])
    inner = float(np.sqrt(sum(item.stderr**2 for item in judged))) / len(judged)
    outer = float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else 0.0
    drifting = [name for name, item in zip(logs, judged, strict=True) if not item.stationary]
    return Quantity(
        name="density",
        value=float(means.mean()),
        stderr=max(inner, outer),
        unit="g/cm3",
        status="not_converged" if drifting else "ok",
        note=(
            f"still drifting, or too few independent samples, in {', '.join(drifting)}; "
            "raise protocol.density_time_max"
            if drifting
            else None
        ),
    )


def summarize_composition(
    logs: Mapping[str, Log], salts: Mapping[str, int], asked: Mapping[str, str], density: Quantity
) -> Sequence[Quantity]:
    """Concentration of every salt really reached, mol/L, and how far it is from what was asked."""
    volume = float(np.mean([log.select("production").volume.mean() for log in logs.values()]))
    quantities = []
    for formula, number in salts.items():
        value = number / (volume * 1e-27 * AVOGADRO)
        note = f"asked for {asked[formula]}"
        text, _, unit = asked[formula].partition(" ")
        if unit in ("mol/L", "M"):
            note += f", reached {100 * (value / float(text) - 1):+.1f} %"
        relative = (density.stderr or 0.0) / density.value if density.value else 0.0
        quantities.append(
            Quantity(
                name=f"concentration.{formula}",
                value=value,
                stderr=value * relative,
                unit="mol/L",
                status=density.status,
                note=note,
            )
        )
    return quantities
