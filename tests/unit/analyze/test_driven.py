"""Driven viscosity: the limit of no drive, from flows with a known answer."""

from __future__ import annotations

import re

import numpy as np
import pytest

from solvation.analyze.driven import measure_driven_viscosity, summarize_driven_viscosity
from solvation.record import Record

from .made_currents import draw_ou

ETA, DENSITY, WAVE = 0.8, 0.6, 0.15
"""mPa s, u/Å3, 1/Å."""
RESPONSE = DENSITY / (ETA / 1.66053906660e-2 * WAVE**2)
"""ps."""


def make_flow(
    rng: np.random.Generator,
    drive: float,
    *,
    thinning: float = 0.0,
    n: int = 4000,
    temperature: float = 300.0,
) -> Record:
    time = np.arange(n) * 0.5
    steady = drive * RESPONSE * (1.0 + thinning * drive**2)
    noise = draw_ou(rng, (n, 1), step=0.5, time=RESPONSE, variance=0.04)[:, 0]
    flow = steady * (1.0 - np.exp(-time / RESPONSE)) + noise
    about = {
        "acceleration": drive, "time": 0.5 * n, "waves": 1, "wave": WAVE, "mass": DENSITY * 8e3,
        "volume": 8e3, "temperature": 300.0,
    }  # fmt: skip
    values = np.stack([flow, np.full(n, temperature)], axis=1).astype(np.float32)
    return Record(
        spacing=0.5, start=0.0, columns=("flow", "temperature"), values=values, about=about
    )


def test_the_limit_of_no_drive_is_found_though_every_flow_is_too_fast() -> None:
    rng = np.random.default_rng(6)
    flows = [make_flow(rng, drive, thinning=0.01) for drive in (2.0, 4.0, 8.0)]
    node = measure_driven_viscosity(flows)
    assert node is not None
    value, error = float(node["viscosity"]), float(node["viscosity_stderr"])
    assert abs(value - ETA) < 3 * error
    assert error < 0.03 * ETA
    assert float(node["apparent"][-1]) < 0.7 * ETA
    assert float(node["curvature"]) == pytest.approx(0.01, abs=0.003)
    (quantity,) = summarize_driven_viscosity(node)
    assert (quantity.name, quantity.unit, quantity.status) == ("viscosity.driven", "mPa s", "ok")


@pytest.mark.parametrize(
    ("thinning", "temperature", "word"),
    [(0.1, 300.0, "too far from rest"), (0.0, 309.0, r"off by \+3 %")],
)
def test_a_flow_that_is_driven_too_hard_is_not_converged(
    thinning: float, temperature: float, word: str
) -> None:
    rng = np.random.default_rng(6)
    flows = [
        make_flow(rng, drive, thinning=thinning, temperature=temperature)
        for drive in (2.0, 4.0, 8.0)
    ]
    node = measure_driven_viscosity(flows)
    assert node is not None
    (quantity,) = summarize_driven_viscosity(node)
    assert quantity.status == "not_converged"
    assert re.search(word, quantity.note or "")


def test_errors_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(8)
    scores = []
    for _ in range(100):
        flows = [make_flow(rng, drive, n=1500) for drive in (2.0, 4.0)]
        node = measure_driven_viscosity(flows)
        assert node is not None
        scores.append((float(node["viscosity"]) - ETA) / float(node["viscosity_stderr"]))
    assert 0.88 <= np.mean(np.abs(scores) < 1.96) <= 1.0


def test_one_flow_is_taken_as_it_is_and_none_gives_nothing() -> None:
    node = measure_driven_viscosity([make_flow(np.random.default_rng(6), 4.0)])
    assert node is not None
    assert "no extrapolation" in node.attrs["limit"]
    assert np.isnan(float(node["curvature"]))
    assert measure_driven_viscosity([]) is None
