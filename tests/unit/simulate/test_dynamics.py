"""From stage to stage: nothing is lost, and molecules keep their shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.log import LOG_HEADER
from solvation.simulate.dynamics import _hand_over, _set_mean_volume
from solvation.simulate.loop import StageRun

from .argon import EDGE, make_plan, make_positions, make_stage, make_system, write_prepared


def make_context(bonds: bool = False) -> openmm.Context:
    system = make_system()
    if bonds:
        force = openmm.HarmonicBondForce()
        for i in range(0, 64, 2):
            force.addBond(i, i + 1, 0.3, 1e4)
        system.addForce(force)
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(make_positions())
    return context


def read(context: openmm.Context) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    state = context.getState(getPositions=True, getVelocities=True)
    return (
        state.getPositions(asNumpy=True).value_in_unit(unit.nanometer),
        state.getVelocities(asNumpy=True).value_in_unit(unit.nanometer / unit.picosecond),
        state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer),
    )


def test_box_positions_and_velocities_are_handed_over() -> None:
    first, second = make_context(), make_context()
    first.setVelocitiesToTemperature(100, 1)
    first.setPeriodicBoxVectors((2.5, 0, 0), (0, 2.5, 0), (0, 0, 2.5))
    first.getIntegrator().step(5)
    _hand_over(first, second)
    for a, b in zip(read(first), read(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_box_takes_the_mean_volume_and_molecules_keep_their_shape(tmp_path: Path) -> None:
    context = make_context(bonds=True)
    before, _, _ = read(context)
    volumes = 1000 * EDGE**3 * np.array([1.21, 1.19, 1.2, 1.2, 1.21, 1.19, 1.2, 1.2] * 4)
    rows = [f"density,{i},{i},0,0,90,{v},1,1\n" for i, v in enumerate(volumes)]
    (tmp_path / "log.csv").write_text(LOG_HEADER + "anneal,1,1,0,0,90,99999,1,1\n" + "".join(rows))
    _set_mean_volume(context, tmp_path / "log.csv")
    after, _, box = read(context)
    assert np.linalg.det(box) == pytest.approx(1.2 * EDGE**3, rel=1e-3)
    np.testing.assert_allclose(after[1::2] - after[::2], before[1::2] - before[::2], atol=1e-12)
    centres = (after[1::2] + after[::2]) / (before[1::2] + before[::2])
    np.testing.assert_allclose(centres, 1.2 ** (1 / 3), rtol=1e-3)


def test_the_thermostat_gets_the_temperature_of_every_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvation.simulate.dynamics import run_replica

    ordered: list[tuple[str, float]] = []
    set_temperature = StageRun._set_temperature

    def note(self: StageRun, temperature: float) -> None:
        set_temperature(self, temperature)
        assert self.context.getIntegrator().getTemperature() == temperature * unit.kelvin
        if self.stage.ensemble == "NPT":
            name = openmm.MonteCarloBarostat.Temperature()
            assert self.context.getParameter(name) == pytest.approx(temperature)
        ordered.append((self.stage.name, temperature))

    monkeypatch.setattr(StageRun, "_set_temperature", note)
    plan = make_plan(
        make_stage("heat", 2, hot=150.0),
        make_stage("anneal", 3, hot=150.0),
        make_stage("density", 4),
        make_stage("production", 4),
    )
    run_replica(
        write_prepared(tmp_path / "build"), tmp_path / "run", plan, plan.replicas[0],
        inputs="x", platform="Reference",
    )  # fmt: skip
    anneal = [t for name, t in ordered if name == "anneal"]
    assert anneal == pytest.approx([130.0, 110.0, 90.0])
    assert {t for name, t in ordered if name in ("density", "production")} == {90.0}
