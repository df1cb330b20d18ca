"""Relaxation: downhill, not in silence, and no longer than it may."""

from __future__ import annotations

import logging
import time

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.errors import StopError
from solvation.simulate.halt import Halt
from solvation.simulate.relax import relax

from .argon import make_positions, make_system


@pytest.fixture
def crowded() -> openmm.Context:
    context = openmm.Context(
        make_system(), openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )  # fmt: skip
    noise = np.random.default_rng(3).normal(scale=0.2, size=(64, 3))
    context.setPositions(make_positions() + noise)
    return context


def energy(context: openmm.Context) -> float:
    state = context.getState(getEnergy=True)
    return float(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))


def test_it_goes_downhill_and_says_how_far_it_is(
    crowded: openmm.Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("solvation.simulate.relax._SPACING", 0.0)
    caplog.set_level(logging.INFO)
    before = energy(crowded)
    relax(crowded, name="contact-1")
    assert energy(crowded) < min(before, 0.0)
    first, *_, last = [record.getMessage() for record in caplog.records]
    assert first.startswith("contact-1: relaxing, 1 iterations, ")
    assert last.endswith(f", {energy(crowded):.5g} kJ/mol")


def test_it_stops_when_it_is_asked_to(crowded: openmm.Context) -> None:
    done, asked = energy(crowded), Halt(deadline=time.monotonic() - 1)
    with pytest.raises(StopError, match="time is up"):
        relax(crowded, name="contact-1", halt=asked)
    one = energy(crowded)
    relax(crowded, name="contact-1", halt=Halt())
    assert energy(crowded) < one <= done
