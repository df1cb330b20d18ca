"""Equilibration: whether density and energy stopped drifting, and whether the starts agree on them.

The test is that of `solvation.kernels.stationarity`, replica by replica. Starts are compared as
every other number is, see `solvation.analyze.agreement`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from solvation.analyze.agreement import compare_starts, widen_errors
from solvation.kernels.stationarity import Stationary, judge_stationarity
from solvation.results import Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.log import Log

__all__ = ["measure_equilibration"]

_SERIES = (
    ("density", "density", "g/cm3"),
    ("density", "potential_energy", "kJ/mol"),
    ("production", "potential_energy", "kJ/mol"),
)
"""Stage, column of the log, unit."""
_FALSE = 0.05
"""How often a series at rest is said to drift: its halves differ by two errors."""


def measure_equilibration(
    logs: Mapping[str, Log],
    starts: Sequence[str],
    density: Quantity,
    *,
    n_molecules: int,
    tempered: bool = False,
) -> tuple[dict[str, xr.Dataset], list[Quantity]]:
    """Judge the series of every replica, and compare the starts.

    Parameters
    ----------
    logs
        By replica.
    starts
        How each was packed, in the same order.
    density
        From all replicas.
    n_molecules
        In the box.
    tempered
        Whether the production was at wandering temperature, where its energy says nothing.

    Returns
    -------
    nodes
        ``equilibration`` with dimensions ``(series, replica)``; with two starts or more
        ``equilibration_agreement``, the density and energy of each start alone.
    quantities
        The density, its error widened and ``not_converged`` where the starts disagree; and
        ``equilibration.energy_drift`` (kJ/mol per molecule): mean potential energy of the second
        half of the production less that of the first, over all replicas; ``not_converged`` when
        that is beyond two errors, or more replicas drift than one in twenty would by chance.
    """
    judged: dict[str, list[Stationary | None]] = {}
    for stage, column, _ in _SERIES:
        rows: list[Stationary | None] = []
        for log in logs.values():
            series = getattr(log.select(stage), column)
            skipped = len(series) < 4 or (tempered and stage == "production")
            rows.append(None if skipped else judge_stationarity(series))
        judged[f"{stage}.{column}"] = rows
    nodes = {"equilibration": _describe(judged, list(logs))}
    quantities = [density]
    by_start = _group(judged, starts, n_molecules)
    if len(by_start) > 1:
        weights = {start: float(list(starts).count(start)) for start in by_start}
        nodes["equilibration_agreement"] = compare_starts(by_start, weights)
        agreement = nodes["equilibration_agreement"]
        quantities = widen_errors(quantities, agreement)
        place = [str(name) for name in agreement["quantity"].values].index("potential_energy")
        if not bool(agreement["agree"].values[place]):
            note = "; ".join(x for x in (quantities[0].note, "starts differ in energy") if x)
            quantities = [replace(quantities[0], status="not_converged", note=note)]
    late = [item for item in judged["production.potential_energy"] if item is not None]
    if late:
        drifting = [
            name
            for name, item in zip(logs, judged["production.potential_energy"], strict=True)
            if item is not None and not item.stationary
        ]
        drift = float(np.mean([item.drift for item in late]))
        error = float(np.sqrt(sum(item.drift_stderr**2 for item in late))) / len(late)
        # Of replicas at rest one in twenty seems to drift.
        chance = float(stats.binom.sf(len(drifting) - 1, len(late), _FALSE)) if drifting else 1.0
        moving = chance < 1.01 * _FALSE or (len(late) > 1 and abs(drift) > 2 * error)
        quantities.append(
            Quantity(
                name="equilibration.energy_drift",
                value=drift / n_molecules,
                stderr=error / n_molecules,
                unit="kJ/mol",
                status="not_converged" if moving else "ok",
                note=(
                    "still drifting, or too few independent samples"
                    + (f", in {', '.join(drifting)}" if drifting else "")
                    if moving
                    else "potential energy per molecule, second half of production less the first"
                ),
            )
        )
    return nodes, quantities


def _group(
    judged: Mapping[str, Sequence[Stationary | None]], starts: Sequence[str], n_molecules: int
) -> dict[str, list[Quantity]]:
    """Density, and potential energy per molecule, of each start alone in the stage at pressure."""
    groups: dict[str, list[Quantity]] = {}
    for start in dict.fromkeys(starts):
        rows = []
        for name, unit, factor in (("density", "g/cm3", 1), ("potential_energy", "kJ/mol",
                                                             n_molecules)):  # fmt: skip
            items = [
                item
                for item, own in zip(judged[f"density.{name}"], starts, strict=True)
                if own == start and item is not None
            ]
            if not items:
                return {}
            means = np.array([item.mean for item in items]) / factor
            inner = float(np.sqrt(sum(item.stderr**2 for item in items))) / len(items) / factor
            outer = float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else 0.0
            rows.append(
                Quantity(name=name, value=float(means.mean()), stderr=max(inner, outer), unit=unit)
            )
        groups[start] = rows
    return groups


def _describe(
    judged: Mapping[str, Sequence[Stationary | None]], replicas: Sequence[str]
) -> xr.Dataset:
    """Write what was judged as arrays; NaN where a series was not."""
    import xarray as xr

    own = "of the series"
    columns = {
        "start": ("1", "first report after the transient"),
        "mean": (own, "mean after the transient"),
        "mean_stderr": (own, "standard error of that"),
        "n_independent": ("1", "independent samples after the transient"),
        "drift": (own, "second half less first half"),
        "drift_stderr": (own, "standard error of that"),
        "stationary": ("1", "whether it stopped drifting"),
    }
    nan = float("nan")
    arrays = {
        key: np.array(
            [
                [
                    nan if item is None else float(getattr(item, key.replace("mean_", "")))
                    for item in rows
                ]
                for rows in judged.values()
            ]
        )
        for key in columns
    }
    return xr.Dataset(
        {
            key: (("series", "replica"), arrays[key], {"units": units, "long_name": text})
            for key, (units, text) in columns.items()
        },
        coords={"series": list(judged), "replica": list(replicas)},
        attrs={"units of the series": "; ".join(f"{s}.{c}: {u}" for s, c, u in _SERIES)},
    )
