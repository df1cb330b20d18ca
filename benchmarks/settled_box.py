"""A box of an electrolyte, built and settled: what the benchmarks of the simulation start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

from solvation.build.box import build_box
from solvation.recipe import Recipe, load_recipe
from solvation.simulate.drude import list_pairs
from solvation.simulate.engine import make_context
from solvation.simulate.protocol import Plan, make_plan


def make_recipe(name: str, atoms: int, *settings: str) -> Recipe:
    """Resolve a shipped recipe at a size."""
    return load_recipe(
        name, settings=[f"box={{atoms = {atoms}}}", "protocol.replicas=1", *settings]
    ).resolve("quick")


def settle(
    recipe: Recipe, folder: Path, *, platform: str, time: float, state: openmm.State | None = None,
    seed: int = 1,
) -> tuple[openmm.System, app.Topology, Plan, openmm.State]:  # fmt: skip
    """Build a box, relax it, and run it for some ps at its pressure and temperature.

    With a ``state`` the positions are those, and nothing is relaxed or run.
    """
    plan = make_plan(recipe)
    start = plan.replicas[0].start
    build_box(recipe, folder, start=start)
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    if list_pairs(system) is not None:
        raise SystemExit("these benchmarks know fixed charges only")
    if state is None:
        packed = openmm.XmlSerializer.deserialize((folder / "state.xml").read_text())
        density = next(stage for stage in plan.stages if stage.name == "density")
        context = make_context(system, plan, density, platform=platform, seed=seed)
        context.setPositions(packed.getPositions(asNumpy=True))
        openmm.LocalEnergyMinimizer.minimize(context, 20, 400)
        context.setVelocitiesToTemperature(density.temperature[1] * unit.kelvin, seed)
        context.getIntegrator().step(round(time / plan.timestep))
        state = context.getState(getPositions=True, getVelocities=True)
    return system, topology, plan, state


def write_box(
    folder: Path,
    system: openmm.System,
    topology: app.Topology,
    positions: np.ndarray,
    box: np.ndarray,
) -> Path:
    """Write the files a replica starts from; positions and box in nm."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPeriodicBoxVectors(*box)
    context.setPositions(positions)
    state = context.getState(getPositions=True)
    (folder / "state.xml").write_text(openmm.XmlSerializer.serialize(state))
    topology.setPeriodicBoxVectors([openmm.Vec3(*row) for row in box.tolist()] * unit.nanometer)
    with (folder / "topology.pdb").open("w") as stream:
        app.PDBFile.writeFile(topology, positions * unit.nanometer, stream)
    return folder
