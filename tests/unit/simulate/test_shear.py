"""The driven flow: the drive and what is measured of it, exactly; files that are not made twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest

from solvation.errors import SimulationError
from solvation.record import read_record
from solvation.simulate.dynamics import run_replica
from solvation.simulate.shear import Drive, make_shear_integrator, run_shear

from .argon import EDGE, make_plan, make_stage, write_prepared

MASS = np.arange(10.0, 40.0)


def test_free_particles_take_the_velocity_of_the_drive_and_all_sums_are_right() -> None:
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
    for mass in MASS:
        system.addParticle(mass)
    integrator = make_shear_integrator(
        300, np.inf, 0.001, acceleration=0.5, wave=np.pi, mass=float(MASS.sum()), freedom=89, seed=3
    )
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    rng = np.random.default_rng(1)
    x, v = rng.uniform(0, 2, (30, 3)), rng.normal(size=(30, 3)) * [1, 1, 0]
    context.setPositions(x)
    context.setVelocities(v)
    wave = np.cos(np.pi * x[:, 2])
    for step in range(1, 11):
        integrator.step(1)
        now = context.getState(getVelocities=True).getVelocities(asNumpy=True)._value
        np.testing.assert_allclose(now[:, 0], v[:, 0] + step * 0.001 * 0.5 * wave, atol=1e-12)
        np.testing.assert_array_equal(now[:, 1:], v[:, 1:])
        for name in ("flow", "heat"):
            value = integrator.getGlobalVariableByName(name)
            integrator.setGlobalVariableByName(name, 0.0)
            flow = 2 * (MASS * now[:, 0] * wave).sum() / MASS.sum()
            across = now - np.outer(flow * wave, [1, 0, 0])
            expected = {"flow": flow, "heat": 0.5 * (MASS[:, None] * across**2).sum()}[name]
            assert value == pytest.approx(expected, rel=1e-12)


def test_the_bath_leaves_the_flow_alone_and_makes_the_rest_canonical() -> None:
    """Mean n kT / 2 and variance n kT^2 / 2 of the kinetic energy beside the flow."""
    number, kt = 40, 8.31446261815324e-3 * 300
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
    for _ in range(number):
        system.addParticle(20.0)
    freedom = 3 * number - 1
    integrator = make_shear_integrator(
        300, 0.01, 0.01, acceleration=0.0, wave=np.pi, mass=20.0 * number, freedom=freedom, seed=3
    )
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    x = np.zeros((number, 3))
    x[:, 2] = np.arange(number) * 2 / number
    wave = np.cos(np.pi * x[:, 2])
    rng = np.random.default_rng(4)
    v = rng.normal(size=(number, 3)) * [0.3, 0.3, 0]  # along z nothing moves: the wave is the same
    v[:, 0] += (0.7 - 2 * (v[:, 0] * wave).mean()) * wave
    context.setPositions(x)
    context.setVelocities(v)
    heat = []
    for _ in range(4000):
        integrator.setGlobalVariableByName("heat", 0.0)
        integrator.step(1)
        heat.append(integrator.getGlobalVariableByName("heat"))
    now = context.getState(getVelocities=True).getVelocities(asNumpy=True)._value
    assert 2 * (now[:, 0] * wave).mean() == pytest.approx(0.7, abs=1e-12)
    # exp(-1) is kept from step to step: (1 + e^-1) / (1 - e^-1) = 2.16 steps to an independent one,
    # of the squares (1 + e^-2) / (1 - e^-2) = 1.31.
    spread = np.sqrt(freedom / 2) * kt
    assert np.mean(heat) == pytest.approx(freedom * kt / 2, abs=4 * spread * np.sqrt(2.16 / 4000))
    assert np.std(heat) == pytest.approx(spread, rel=4 * np.sqrt(1.31 / 8000))


def test_constraints_hold_and_their_degrees_of_freedom_are_not_counted() -> None:
    number, kt = 60, 8.31446261815324e-3 * 300
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
    for pair in range(number):
        system.addParticle(12.0)
        system.addParticle(4.0)
        system.addConstraint(2 * pair, 2 * pair + 1, 0.1)
    freedom = 5 * number - 1
    integrator = make_shear_integrator(
        300, 0.02, 0.002, acceleration=0.5, wave=np.pi, mass=16.0 * number, freedom=freedom,
        seed=3, every=5,
    )  # fmt: skip
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    rng = np.random.default_rng(4)
    x = np.repeat(rng.uniform(0, 2, (number, 3)), 2, axis=0)
    x[1::2] += 0.1 * np.linalg.qr(rng.normal(size=(number, 3, 3)))[0][:, 0]
    context.setPositions(x)
    context.setVelocitiesToTemperature(300, 5)
    integrator.step(5000)
    assert integrator.getGlobalVariableByName("count") == 1000
    heat = integrator.getGlobalVariableByName("heat") / 1000
    # exp(-1/2) is kept from one measurement to the next: 4.08 to an independent one.
    error = np.sqrt(freedom / 2 * 4.08 / 1000) * kt
    assert heat == pytest.approx(freedom * kt / 2, abs=4 * error)
    x = context.getState(getPositions=True).getPositions(asNumpy=True)._value
    np.testing.assert_allclose(np.linalg.norm(x[1::2] - x[::2], axis=1), 0.1, rtol=1e-4)


def test_a_flow_that_was_driven_is_not_driven_again(tmp_path: Path) -> None:
    prepared = write_prepared(tmp_path / "prepared")
    plan = make_plan(make_stage("heat", 2), make_stage("production", 4))
    run_replica(prepared, tmp_path, plan, plan.replicas[0], inputs="x", platform="Reference")
    drives = tuple(Drive(acceleration=a, time=0.2) for a in (20.0, 40.0))
    kinds = {"temperature": 90.0, "seed": 3, "platform": "Reference"}
    paths = run_shear(prepared, tmp_path, plan, drives, **kinds)
    assert [path.name for path in paths] == ["flow-1.rec", "flow-2.rec"]
    record = read_record(paths[1])
    assert record.values.shape == (5, 2)
    assert record.about["wave"] == pytest.approx(2 * np.pi / (10 * EDGE))
    assert record.about["mass"] == pytest.approx(64 * 39.948)
    before = [path.stat().st_mtime_ns for path in paths]
    longer = (drives[0], replace(drives[1], time=0.4))
    run_shear(prepared, tmp_path, plan, longer, **kinds)
    assert paths[0].stat().st_mtime_ns == before[0]
    assert read_record(paths[1]).values.shape == (10, 2)


def test_without_a_run_there_is_nothing_to_drive(tmp_path: Path) -> None:
    prepared = write_prepared(tmp_path / "prepared")
    plan = make_plan(make_stage("production", 4))
    with pytest.raises(SimulationError, match="no checkpoint"):
        run_shear(prepared, tmp_path, plan, (Drive(acceleration=1.0, time=1.0),),
                  temperature=90.0, seed=1, platform="Reference")  # fmt: skip
