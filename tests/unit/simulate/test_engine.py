"""Engine: the right platform, and snapshots that any platform goes on from."""

from __future__ import annotations

import logging
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.errors import RecipeError, SimulationError, WorkspaceError
from solvation.simulate.engine import (
    Progress,
    choose_platform,
    describe_platform,
    load_snapshot,
    make_context,
    restore,
    save_snapshot,
)

from .argon import EDGE, make_plan, make_positions, make_stage, make_system

NVT = make_stage("production", 4)
NPT = make_stage("density", 4)
PLAN = make_plan(NPT, NVT)


def make(stage=NVT, platform: str = "Reference", n: int = 64) -> openmm.Context:
    context = make_context(make_system(n), PLAN, stage, platform=platform, seed=1)
    context.setPositions(make_positions(n))
    context.setVelocitiesToTemperature(90, 3)
    return context


def read(context: openmm.Context) -> tuple[np.ndarray, np.ndarray]:
    state = context.getState(getPositions=True, getVelocities=True)
    return (
        state.getPositions(asNumpy=True).value_in_unit(unit.nanometer),
        state.getVelocities(asNumpy=True).value_in_unit(unit.nanometer / unit.picosecond),
    )


def make_progress(context: openmm.Context) -> Progress:
    return Progress(
        stage="production", interval=2, n_frames=3, trajectory_bytes=10, log_bytes=20,
        inputs="abc", platform=describe_platform(context),
    )  # fmt: skip


# Platforms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Reference", "reference", "CPU", "cpu"])
def test_platforms_by_name(name: str) -> None:
    assert choose_platform(name).getName().lower() == name.lower()


def test_auto_takes_the_fastest_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    working = {"OpenCL", "CPU", "Reference"}
    monkeypatch.setattr(
        "solvation.simulate.hardware.find_fault",
        lambda name: None if name in working else "not here",
    )
    monkeypatch.setattr("solvation.simulate.hardware.is_gpu", lambda _: False)
    choose_platform.cache_clear()
    assert choose_platform("auto").getName() == "CPU"
    working.remove("CPU")
    choose_platform.cache_clear()
    assert choose_platform("auto").getName() == "Reference"
    working.clear()
    choose_platform.cache_clear()
    with pytest.raises(SimulationError, match="no platform that works"):
        choose_platform("auto")
    choose_platform.cache_clear()


def test_an_unknown_platform_is_the_users_mistake() -> None:
    message = 'platform "Foo" is not known; choose one of auto, CUDA, HIP, OpenCL, CPU, Reference'
    with pytest.raises(RecipeError, match=message) as caught:
        choose_platform("Foo")
    assert caught.value.exit_code == 2


def test_a_platform_that_cannot_run_names_those_that_can(monkeypatch) -> None:
    monkeypatch.setattr(
        "solvation.simulate.hardware.find_fault",
        lambda name: "no device" if name in ("CUDA", "HIP", "OpenCL") else None,
    )
    choose_platform.cache_clear()
    with pytest.raises(SimulationError, match=r"\(no device\); use one of CPU, Reference") as e:
        choose_platform("cuda")
    assert e.value.exit_code == 3
    choose_platform.cache_clear()


# Contexts -----------------------------------------------------------------------------------


def test_a_context_has_the_orders_of_its_stage() -> None:
    system = make_system()
    context = make_context(system, PLAN, NPT, platform="Reference", seed=1)
    integrator = context.getIntegrator()
    assert isinstance(integrator, openmm.LangevinMiddleIntegrator)
    assert integrator.getStepSize() == 0.004 * unit.picosecond
    assert integrator.getFriction() == 1 / unit.picosecond
    assert integrator.getTemperature() == 90 * unit.kelvin
    assert context.getParameter(openmm.MonteCarloBarostat.Pressure()) == pytest.approx(50.0)
    assert context.getParameter(openmm.MonteCarloBarostat.Temperature()) == pytest.approx(90.0)
    assert system.getNumForces() == 1, "the prepared system must stay as it is"
    names = make_context(system, PLAN, NVT, platform="Reference", seed=1).getParameters()
    assert not list(names)
    weak = replace(PLAN, friction=0.1)
    for stage, friction in ((NPT, 1.0), (NVT, 0.1)):
        integrator = make_context(system, weak, stage, platform="Reference", seed=1).getIntegrator()
        assert integrator.getFriction() == friction / unit.picosecond


def test_a_system_that_no_platform_takes_is_one_line() -> None:
    system = make_system()
    system.getForce(0).setCutoffDistance(2 * EDGE)
    with pytest.raises(SimulationError, match="platform Reference cannot run this system") as e:
        make_context(system, PLAN, NVT, platform="Reference", seed=1)
    assert "\n" not in str(e.value)


# Snapshots ----------------------------------------------------------------------------------


def test_a_snapshot_goes_on_bit_by_bit(tmp_path: Path) -> None:
    """On the same platform even the noise is the same."""
    context = make()
    context.getIntegrator().step(20)
    save_snapshot(tmp_path / "checkpoint", context, make_progress(context))
    context.getIntegrator().step(30)
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    assert snapshot.progress == make_progress(context)
    again = make()
    restore(again, snapshot)
    again.getIntegrator().step(30)
    for a, b in zip(read(context), read(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_snapshot_keeps_the_box_of_a_barostat(tmp_path: Path) -> None:
    """OpenMM does not keep the barostat's own dice, so only the moment is the same."""
    context = make(NPT)
    context.getIntegrator().step(100)
    save_snapshot(tmp_path / "checkpoint", context, make_progress(context))
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    again = make(NPT)
    restore(again, snapshot)
    for a, b in zip(read(context), read(again), strict=True):
        np.testing.assert_array_equal(a, b)
    volumes = [c.getState().getPeriodicBoxVolume() for c in (context, again)]
    assert volumes[0] == volumes[1] != EDGE**3 * unit.nanometer**3


def test_another_platform_goes_on_from_the_portable_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = make(NPT, platform="CPU")
    context.getIntegrator().step(100)
    save_snapshot(tmp_path / "checkpoint", context, make_progress(context))
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    other = make(NPT, platform="Reference")
    with caplog.at_level(logging.WARNING):
        restore(other, snapshot)
    assert "checkpoint was written on CPU" in caplog.text
    for a, b in zip(read(context), read(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    volumes = [c.getState().getPeriodicBoxVolume().value_in_unit(unit.nanometer**3)
               for c in (context, other)]  # fmt: skip
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-6)
    assert volumes[0] != pytest.approx(EDGE**3, rel=1e-6), "the barostat must have acted"


def test_a_refused_checkpoint_falls_back_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = make()
    save_snapshot(tmp_path / "checkpoint", context, make_progress(context))
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    other = make()
    with caplog.at_level(logging.WARNING):
        restore(other, replace(snapshot, checkpoint=b"rubbish"))
    assert "binary checkpoint refused" in caplog.text
    for a, b in zip(read(context), read(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_snapshot_of_another_system_is_refused(tmp_path: Path) -> None:
    context = make()
    save_snapshot(tmp_path / "checkpoint", context, replace(make_progress(context), platform="x"))
    snapshot = load_snapshot(tmp_path / "checkpoint")
    assert snapshot is not None
    with pytest.raises(SimulationError, match="does not fit this system") as caught:
        restore(make(n=27), snapshot)
    assert "\n" not in str(caught.value)


def test_no_snapshot_is_none(tmp_path: Path) -> None:
    assert load_snapshot(tmp_path / "checkpoint") is None


def test_damaged_snapshots_are_one_line(tmp_path: Path) -> None:
    """Cut anywhere, or with any byte flipped: refused or read, never a traceback."""
    path = tmp_path / "checkpoint"
    context = make()
    save_snapshot(path, context, make_progress(context))
    whole = path.read_bytes()
    dice = random.Random(1)
    damaged = [whole[:length] for length in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    for _ in range(200):
        at = dice.randrange(len(whole))
        damaged.append(whole[:at] + bytes([whole[at] ^ (1 << dice.randrange(8))]) + whole[at + 1 :])
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            load_snapshot(path)
        except WorkspaceError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
            assert "is damaged" in str(error)  # noqa: PT017
            assert "remove it to run this replica from its start" in str(error)  # noqa: PT017
    assert refused > 150


def test_a_snapshot_of_another_version_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("progress.json", '{"step": 3}')
        archive.writestr("checkpoint", b"")
        archive.writestr("state.xml", "")
    with pytest.raises(WorkspaceError, match="is damaged"):
        load_snapshot(path)
