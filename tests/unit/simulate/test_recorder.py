"""The recorder: sums over molecules as they are, no row lost or twice, whatever happens."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from solvation.errors import SimulationError, WorkspaceError
from solvation.record import CURRENTS, STRESS, read_record
from solvation.simulate.dynamics import run_replica
from solvation.simulate.prepared import prepare_system
from solvation.simulate.protocol import Plan
from solvation.simulate.recorder import Recorder, weigh_particles

from .argon import make_plan, make_stage

MASS = {"Na": 23.0, "Cl": 35.0, "O": 16.0, "H": 1.0}
CHARGE = {"Na": 0.8, "Cl": -0.8, "O": -0.5, "H": 0.5}


def prepare(folder: Path) -> Path:
    """Write 4 Na, 4 Cl and 8 OH dipoles in a periodic box."""
    topology, system = app.Topology(), openmm.System()
    system.setDefaultPeriodicBoxVectors((2, 0, 0), (0, 2, 0), (0, 0, 2))
    force, bonds = openmm.NonbondedForce(), openmm.HarmonicBondForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.8)
    chain, positions = topology.addChain(), []
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), -1).reshape(-1, 3)[:16] * 0.6
    for k, corner in enumerate(grid):
        names = ["Na"] if k < 4 else ["Cl"] if k < 8 else ["O", "H"]
        residue = topology.addResidue("OH" if k >= 8 else names[0], chain)
        for j, name in enumerate(names):
            topology.addAtom(name, app.Element.getBySymbol(name), residue)
            system.addParticle(MASS[name])
            force.addParticle(CHARGE[name], 0.25, 0.5)
            positions.append(corner + np.array([0.1 * j, 0, 0]))
        if len(names) == 2:
            n = len(positions)
            bonds.addBond(n - 2, n - 1, 0.1, 1e4)
            force.addException(n - 2, n - 1, 0.0, 0.1, 0.0)
    system.addForce(force)
    system.addForce(bonds)
    return prepare_system(folder, system, topology, np.array(positions))


def plan_for(n: int = 6, *, record: int = 5, stress: int = 0, checkpoint: int = 2) -> Plan:
    plan = make_plan(make_stage("heat", 4), make_stage("production", n), checkpoint=checkpoint)
    return replace(plan, timestep=0.001, steps_per_record=record, steps_per_stress=stress)


def run(tmp_path: Path, plan: Plan, name: str = "run") -> Path:
    prepared = tmp_path / "prepared"
    if not prepared.exists():
        prepare(prepared)
    folder = tmp_path / name
    run_replica(prepared, folder, plan, plan.replicas[0], inputs="x", platform="Reference")
    return folder


def test_rows_are_the_displacements_and_dipoles_of_the_atoms(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "prepared")
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    integrator = openmm.LangevinMiddleIntegrator(300, 1.0, 0.001)
    integrator.setRandomNumberSeed(3)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    state = openmm.XmlSerializer.deserialize((folder / "state.xml").read_text())
    context.setPositions(state.getPositions())
    context.setVelocitiesToTemperature(300, 4)
    frames = []

    def step(n: int) -> None:
        integrator.step(n)
        positions = context.getState(getPositions=True).getPositions(asNumpy=True)
        frames.append(10.0 * positions.value_in_unit(unit.nanometer))

    recorder = Recorder(context, topology, plan_for(6), tmp_path)
    step(0)
    recorder.begin(0)
    for _ in range(6):
        recorder.advance(10, step)
    recorder.flush()
    assert re.fullmatch(r"recording took [\d.e+]+ % of the time of the steps",
                        recorder.describe_cost())  # fmt: skip
    record = read_record(tmp_path / CURRENTS)
    assert record.values.shape == (12, 2 * 3 * 3)
    assert record.spacing == pytest.approx(0.005)
    assert record.about["species"]["OH"] == {"number": 8, "charge": 0.0, "mass": 17.0, "first": 8}
    x = np.array(frames)
    names = [a.name for a in topology.atoms()]
    centre = {
        "Na": x[:, :4].sum(axis=1), "Cl": x[:, 4:8].sum(axis=1),
        "OH": ((16 * x[:, 8::2] + x[:, 9::2]) / 17).sum(axis=1),
    }  # fmt: skip
    for name, path in centre.items():
        moved = record.select(f"velocity.{name}") * 0.005
        np.testing.assert_allclose(moved, np.diff(path, axis=0), atol=1e-6)
        assert np.abs(moved).max() > 0.01
    dipole = 0.5 * (x[:, 9::2] - x[:, 8::2]).sum(axis=1)
    np.testing.assert_allclose(record.select("dipole.OH"), dipole[1:], rtol=1e-6)
    np.testing.assert_array_equal(record.select("dipole.Na"), 0.0)
    charge = np.array([CHARGE[n] for n in names])
    parts = 0.8 * (centre["Na"] - centre["Cl"]) + dipole
    np.testing.assert_allclose(parts, np.einsum("a,fax->fx", charge, x), atol=1e-9)


def test_a_killed_run_leaves_the_rows_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(6, stress=10)
    whole = run(tmp_path, plan)
    flush, calls = Recorder.flush, []

    def die(self: Recorder) -> None:
        flush(self)
        calls.append(1)
        if len(calls) == 3:
            # Rows that no checkpoint vouches for.
            with self.currents.path.open("ab") as stream:
                stream.write(b"\0" * 100)
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "flush", die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, plan, "killed")
    monkeypatch.setattr(Recorder, "flush", flush)
    killed = run(tmp_path, plan, "killed")
    for name in (CURRENTS, STRESS):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert read_record(whole / STRESS).values.shape == (6, 6)


def test_recording_does_not_change_the_trajectory(tmp_path: Path) -> None:
    bare = run(tmp_path, plan_for(4, record=0), "bare")
    full = run(tmp_path, plan_for(4, record=2, stress=5), "full")
    assert not (bare / CURRENTS).exists()
    assert (bare / "trajectory.xtc").read_bytes() == (full / "trajectory.xtc").read_bytes()


def test_a_run_can_be_made_longer_and_start_to_record_late(tmp_path: Path) -> None:
    folder = run(tmp_path, plan_for(4))
    assert run(tmp_path, plan_for(8)) == folder
    assert len(read_record(folder / CURRENTS).values) == 16
    (folder / CURRENTS).unlink()
    run(tmp_path, plan_for(10))
    record = read_record(folder / CURRENTS)
    assert (record.start, len(record.values)) == (pytest.approx(0.08), 4)
    run(tmp_path, plan_for(12))
    assert len(read_record(folder / CURRENTS).values) == 8


def test_another_spacing_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = run(tmp_path, plan_for(4))
    before = (folder / CURRENTS).read_bytes()
    with pytest.raises(WorkspaceError, match=r"every 0.005 ps, the recipe asks for 0.002 ps"):
        run(tmp_path, plan_for(6, record=2))
    assert (folder / CURRENTS).read_bytes() == before


def test_induced_dipoles_belong_to_their_molecule(tmp_path: Path) -> None:
    """A Drude particle moves the dipole of its molecule, and not its neighbour's."""
    folder = prepare(tmp_path / "prepared")
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    drude = openmm.DrudeForce()
    light = system.addParticle(0.4)
    nonbonded.addParticle(-1.2, 0.1, 0.0)
    drude.addParticle(light, 8, -1, -1, -1, -1.2, 1e-3, 1, 1)
    nonbonded.addException(light, 8, 0, 1, 0)
    system.addForce(drude)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    names, weights, species = weigh_particles(context, topology)
    assert species["OH"]["number"] == 8
    rows = weights[:, light]
    assert rows[names.index("velocity.OH")] == pytest.approx(0.4 / 17.4)
    assert rows[names.index("dipole.OH")] == pytest.approx(-1.2 + 1.2 * 0.4 / 17.4)
    assert np.count_nonzero(rows) == 2


def test_rows_that_do_not_fill_an_interval_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="rows every 4 steps do not fill"):
        run(tmp_path, plan_for(4, record=4))
