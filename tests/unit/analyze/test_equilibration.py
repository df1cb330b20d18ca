"""Equilibration: what drifts is said to, what does not is not, and starts are set side by side."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.equilibration import measure_equilibration
from solvation.log import Log
from solvation.results import Quantity, check_units

N = 400
DENSITY = Quantity(name="density", value=1.0, stderr=1e-4, unit="g/cm3")


def make_log(seed: int, *, density: float = 1.0, energy: float = -5e4, slope: float = 0.0) -> Log:
    """White noise about a mean in two stages; the energy of the second may drift."""
    random = np.random.default_rng(seed)
    stage = np.repeat(["density", "production"], N)
    drift = np.where(stage == "production", slope * np.linspace(-0.5, 0.5, 2 * N), 0.0)
    rest = dict.fromkeys(
        ("time", "kinetic_energy", "temperature", "volume", "speed", "drude_temperature"),
        np.ones(2 * N),
    )
    return Log(
        stage=stage, step=np.arange(2 * N), density=density + 0.01 * random.normal(size=2 * N),
        potential_energy=energy + drift + 100 * random.normal(size=2 * N), **rest,
    )  # fmt: skip


def test_quiet_series_are_stationary_and_starts_agree() -> None:
    starts = ["separated", "contact"] * 20
    logs = {f"{start}-{k}": make_log(k) for k, start in enumerate(starts)}
    nodes, (density, drift) = measure_equilibration(logs, starts, DENSITY, n_molecules=100)
    node = nodes["equilibration"]
    assert node["stationary"].dims == ("series", "replica")
    # one in twenty of 120 is said to drift; three times as many would be chance of 1e-4
    assert float((node["stationary"] == 0).sum()) < 18
    mean = float(node["mean"].sel(series="density.density", replica="contact-1"))
    assert mean == pytest.approx(1.0, abs=4 * 0.01 / N**0.5)
    assert bool(nodes["equilibration_agreement"]["agree"].all())
    assert density.status == "ok"
    assert (drift.name, drift.status, drift.unit) == ("equilibration.energy_drift", "ok", "kJ/mol")
    # of forty replicas, each the difference of two halves: 2 x 100 / sqrt(400) / sqrt(40) / 100
    assert drift.stderr == pytest.approx(0.0158, rel=0.3)
    assert drift.value == pytest.approx(0.0, abs=4 * 0.0158)
    import xarray as xr

    check_units(xr.DataTree.from_dict({"/a": node, "/b": nodes["equilibration_agreement"]}))


def test_an_energy_that_sinks_is_not_converged() -> None:
    logs = {"separated-1": make_log(1, slope=-2000.0)}
    nodes, (density, drift) = measure_equilibration(logs, ["separated"], DENSITY, n_molecules=100)
    assert "equilibration_agreement" not in nodes
    assert density == DENSITY
    assert drift.status == "not_converged"
    assert "separated-1" in (drift.note or "")
    assert (drift.value or 0) < -1  # 1000 kJ/mol over the production, 500 between its halves
    flags = nodes["equilibration"]["stationary"].sel(replica="separated-1")
    assert flags.values.tolist() == [1, 1, 0]
    nodes, rest = measure_equilibration(
        logs, ["separated"], DENSITY, n_molecules=100, tempered=True
    )
    assert len(rest) == 1  # at wandering temperature the energy wanders too
    assert np.isnan(nodes["equilibration"]["stationary"].values[2]).all()


@pytest.mark.parametrize(
    ("other", "words"),
    [({"density": 1.01}, "starts disagree"), ({"energy": -5.02e4}, "starts differ in energy")],
)
def test_starts_that_disagree_are_told(other: dict[str, float], words: str) -> None:
    logs = {"separated-1": make_log(1), "contact-1": make_log(2, **other)}
    nodes, (density, _) = measure_equilibration(
        logs, ["separated", "contact"], DENSITY, n_molecules=100
    )
    assert not bool(nodes["equilibration_agreement"]["agree"].all())
    assert density.status == "not_converged"
    assert words in (density.note or "")
    if "density" in other:
        assert (density.stderr or 0) > 0.003  # what lies between the starts is part of the error
