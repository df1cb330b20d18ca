"""Tempering: populations of a double well that plain dynamics never crosses, killed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from solvation.errors import SimulationError, WorkspaceError
from solvation.kernels.tempering import GAS, count_round_trips, space_temperatures
from solvation.simulate.dynamics import run_replica
from solvation.simulate.engine import load_snapshot
from solvation.simulate.protocol import Plan, Replica, Stage
from solvation.simulate.tempering import check_frames
from solvation.walk import read_walk

N = 8
BARRIER, TILT, WELL = 28.0, 2.0, 0.15
"""kJ/mol, kJ/mol, nm: U = BARRIER ((x/WELL)^2 - 1)^2 + TILT x/WELL + harmonic in y and z."""
STIFF = 500.0
"""kJ/mol/nm2."""
COLD, HOT = 300.0, 2000.0
EDGE = 6.0


def potential(x: np.ndarray) -> np.ndarray:
    return BARRIER * ((x / WELL) ** 2 - 1) ** 2 + TILT * x / WELL


def integrate(temperature: float) -> tuple[float, float]:
    """Share of the left well, and mean energy of one particle, by quadrature."""
    x = np.linspace(-3 * WELL, 3 * WELL, 20_001)
    weight = np.exp(-potential(x) / (GAS * temperature))
    left = weight[x < 0].sum() / weight.sum()
    return left, (weight * potential(x)).sum() / weight.sum() + GAS * temperature


def write_wells(folder: Path) -> Path:
    """Particles that do not know each other, all in the right well, the higher one."""
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((EDGE, 0, 0), (0, EDGE, 0), (0, 0, EDGE))
    force = openmm.CustomExternalForce(
        f"{BARRIER}*(((x-x0)/{WELL})^2-1)^2 + {TILT}*(x-x0)/{WELL}"
        f" + 0.5*{STIFF}*((y-y0)^2+(z-z0)^2)"
    )
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3) * 3.0 + 1.5
    topology = app.Topology()
    chain = topology.addChain()
    for n, centre in enumerate(grid.tolist()):
        system.addParticle(12.0)
        force.addParticle(n, centre)
        topology.addAtom("Ar", app.Element.getBySymbol("Ar"), topology.addResidue("Ar", chain))
    # tells OpenMM that the box is periodic, as every box of ours is
    idle = openmm.NonbondedForce()
    idle.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    for _ in grid:
        idle.addParticle(0, 0.1, 0)
    system.addForce(force)
    system.addForce(idle)
    vectors = [openmm.Vec3(*row) for row in (np.eye(3) * EDGE).tolist()]
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    positions = grid + np.array([WELL, 0, 0])
    folder.mkdir(parents=True)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    state = context.getState(getPositions=True)
    (folder / "state.xml").write_text(openmm.XmlSerializer.serialize(state))
    with (folder / "topology.pdb").open("w") as stream:
        app.PDBFile.writeFile(topology, positions * unit.nanometer, stream)
    return folder


def make_plan(learn: int, production: int, tempering: float | None = HOT) -> Plan:
    stages = [
        Stage(name=name, ensemble="NVT", temperature=(COLD, COLD), n_intervals=n, n_intervals_max=n)
        for name, n in (("heat", 20), ("temper", learn), ("production", production))
        if tempering is not None or name != "temper"
    ]
    return Plan(
        stages=tuple(stages), replicas=(Replica(name="random-1", start="random", seed=5),),
        timestep=0.004, friction=10.0, pressure=1.0, steps_per_interval=40,
        intervals_per_checkpoint=10, tempering=tempering,
    )  # fmt: skip


def simulate(prepared: Path, folder: Path, plan: Plan, progress=None) -> None:
    run_replica(
        prepared, folder, plan, plan.replicas[0], inputs="abc", platform="Reference",
        progress=progress,
    )  # fmt: skip


def read_offsets(prepared: Path, folder: Path) -> np.ndarray:
    """Distance of every particle from its barrier along x, nm, frame by frame."""
    import MDAnalysis as mda

    universe = mda.Universe(
        str(prepared / "topology.pdb"), str(folder / "trajectory.xtc"), to_guess=(),
        refresh_offsets=True,
    )  # fmt: skip
    x = np.array([frame.positions[:, 0].copy() for frame in universe.trajectory]) / 10
    return x - (np.round((x - 1.5) / 3.0) * 3.0 + 1.5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wells(tmp_path_factory.mktemp("wells") / "build")


def check_physics(prepared: Path, folder: Path, plan: Plan) -> None:
    walk = read_walk(folder / "walk.csv")
    made = walk.select("production")
    ladder = space_temperatures(COLD, HOT, 3 * N)
    assert np.unique(walk.level).tolist() == list(range(len(ladder)))
    np.testing.assert_allclose(walk.temperature, ladder[walk.level], atol=1e-4)
    # frames are those at the target temperature, no others
    offsets = read_offsets(prepared, folder)
    assert len(offsets) == (made.next_level == 0).sum() + (
        walk.select("temper").next_level[-1] == 0
    )
    # every way to the hottest temperature and back brings new particles, each on its own
    trips = count_round_trips(made.level, len(ladder))
    assert trips >= 10
    top = np.flatnonzero(made.level == len(ladder) - 1)[0]
    first = len(offsets) - (made.next_level[top:] == 0).sum()
    exact, _ = integrate(COLD)
    spread = (exact * (1 - exact) / (trips * N)) ** 0.5
    assert (offsets[first:] < 0).mean() == pytest.approx(exact, abs=4 * spread)
    assert 4 * spread < 0.2  # half and half would be told apart
    # energies after the wells have mixed, in units of what neighbours differ by
    for level, temperature in enumerate(ladder):
        sample = made.potential_energy[top:][made.next_level[top:] == level]
        expected = N * integrate(temperature)[1]
        spread = temperature * GAS * (1.5 * N) ** 0.5
        assert sample.mean() == pytest.approx(expected, abs=0.5 * spread), level


def test_wells_mix_and_energies_are_boltzmann(prepared: Path, tmp_path: Path) -> None:
    plan = make_plan(400, 1600)
    simulate(prepared, tmp_path / "walk", plan)
    check_physics(prepared, tmp_path / "walk", plan)


def test_without_it_nobody_crosses(prepared: Path, tmp_path: Path) -> None:
    simulate(prepared, tmp_path / "plain", make_plan(0, 300, None))
    assert (read_offsets(prepared, tmp_path / "plain") > 0).all()
    assert not (tmp_path / "plain" / "walk.csv").exists()


def test_killed_it_goes_on_as_if_it_had_not_been(prepared: Path, tmp_path: Path) -> None:
    plan = make_plan(30, 60)
    seen = 0

    class KilledError(Exception):
        pass

    def kill(tick) -> None:
        nonlocal seen
        seen += 1
        if seen in (37, 70):  # in each of the two stages, away from a checkpoint
            raise KilledError

    for _ in range(2):
        with pytest.raises(KilledError):
            simulate(prepared, tmp_path / "walk", plan, kill)
    simulate(prepared, tmp_path / "walk", plan, kill)
    walk = read_walk(tmp_path / "walk" / "walk.csv")
    np.testing.assert_array_equal(walk.select("temper").interval, np.arange(1, 31))
    np.testing.assert_array_equal(walk.select("production").interval, np.arange(1, 61))
    np.testing.assert_array_equal(walk.next_level[:-1], walk.level[1:])
    snapshot = load_snapshot(tmp_path / "walk" / "checkpoint")
    assert snapshot is not None
    assert snapshot.progress.n_frames == len(read_offsets(prepared, tmp_path / "walk"))


def test_a_walk_that_is_gone_or_short_is_refused(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    simulate(prepared, folder, make_plan(20, 40))
    longer = make_plan(20, 50)
    path = folder / "walk.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-2]), encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"38 reports of stage production .* says 40"):
        simulate(prepared, folder, longer)
    path.unlink()
    with pytest.raises(WorkspaceError, match=r"walk.csv is gone"):
        simulate(prepared, folder, longer)


def test_never_at_the_target_is_said() -> None:
    plan = make_plan(10, 10)
    with pytest.raises(SimulationError, match="in 3 frames only, while it wandered up to 2000 K"):
        check_frames(3, plan, plan.replicas[0])
    check_frames(4, plan, plan.replicas[0])
    check_frames(0, replace(plan, tempering=None), plan.replicas[0])
