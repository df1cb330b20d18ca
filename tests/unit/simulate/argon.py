"""Argon: the smallest system with everything the engine needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

from solvation.simulate.protocol import Plan, Replica, Stage

EDGE = 2.4
"""nm"""


def make_system(n: int = 64) -> openmm.System:
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((EDGE, 0, 0), (0, EDGE, 0), (0, 0, EDGE))
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(1.0)
    for _ in range(n):
        system.addParticle(39.948)
        force.addParticle(0.0, 0.34, 1.0)
    system.addForce(force)
    return system


def make_positions(n: int = 64) -> np.ndarray:
    """A cubic lattice, nm."""
    side = round(n ** (1 / 3))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)
    return (grid + 0.5) * EDGE / side


def make_topology(n: int = 64) -> app.Topology:
    topology = app.Topology()
    chain = topology.addChain()
    for _ in range(n):
        topology.addAtom("Ar", app.Element.getBySymbol("Ar"), topology.addResidue("Ar", chain))
    vectors = [openmm.Vec3(*row) for row in (np.eye(3) * EDGE).tolist()]
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    return topology


def make_stage(name: str, n: int, n_max: int | None = None, hot: float = 90.0) -> Stage:
    return Stage(
        name=name,  # type: ignore[arg-type]
        ensemble="NPT" if name in ("anneal", "density") else "NVT",
        temperature=(hot, 90.0),
        n_intervals=n,
        n_intervals_max=n_max or n,
    )


def make_plan(*stages: Stage, checkpoint: int = 3) -> Plan:
    return Plan(
        stages=stages,
        replicas=(Replica(name="random-1", start="random", seed=5),),
        timestep=0.004,
        friction=1.0,
        pressure=50.0,
        steps_per_interval=10,
        intervals_per_checkpoint=checkpoint,
    )


def write_prepared(folder: Path) -> Path:
    """What the build stage would have left."""
    folder.mkdir(parents=True, exist_ok=True)
    system = make_system()
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(make_positions())
    state = context.getState(getPositions=True)
    (folder / "state.xml").write_text(openmm.XmlSerializer.serialize(state))
    with (folder / "topology.pdb").open("w") as stream:
        app.PDBFile.writeFile(make_topology(), make_positions() * unit.nanometer, stream)
    return folder
