"""Speed of the simulate stage against a bare OpenMM loop over the same ``system.xml``.

Run ``python benchmarks/bench_simulation_speed.py [RUN_FOLDER]``. Both sides take turns in one
process, several times, on the same atoms, the same thermostat and the same platform; the package's
side does everything it does in production (log, unwrapped trajectory, checkpoints at the default
spacing). What counts is the ratio: machines are noisy, ratios in one run much less so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import openmm
from openmm import app, unit

from solvation.build.box import build_box
from solvation.recipe import load_recipe
from solvation.simulate.engine import Progress, choose_platform, make_context
from solvation.simulate.files import ReplicaFiles
from solvation.simulate.loop import StageRun
from solvation.simulate.protocol import make_plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="a run folder; built when absent")
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--intervals", type=int, default=8, help="report intervals per turn")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="cpu: of this process, for the CPU platform on a busy machine",
    )  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(arguments, Path(scratch)), indent=1))


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, object]:
    """Alternate between the two loops and compare their times."""
    recipe = (
        load_recipe(arguments.run / "recipe.toml")
        if arguments.run
        else load_recipe("mg-tfsi2-dme").resolve("quick")
    )
    plan = make_plan(recipe)
    start = plan.replicas[0].start
    prepared = arguments.run / "build" / start if arguments.run else scratch / "build"
    if not arguments.run:
        build_box(recipe, prepared, start=start)
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text())
    packed = openmm.XmlSerializer.deserialize((prepared / "state.xml").read_text())
    topology = app.PDBFile(str(prepared / "topology.pdb")).topology
    production = plan.stages[-1]
    density = next(stage for stage in plan.stages if stage.name == "density")
    settled = make_context(system, plan, density, platform=arguments.platform, seed=1)
    settled.setPositions(packed.getPositions(asNumpy=True))
    openmm.LocalEnergyMinimizer.minimize(settled, 20, 400)
    settled.setVelocitiesToTemperature(298.15 * unit.kelvin, 1)
    settled.getIntegrator().step(2500)
    state = settled.getState(getPositions=True, getVelocities=True)

    ours = make_context(system, plan, production, platform=arguments.platform, seed=1)
    bare = openmm.Context(
        system,
        openmm.LangevinMiddleIntegrator(
            production.temperature[0] * unit.kelvin,
            plan.friction / unit.picosecond,
            plan.timestep * unit.picosecond,
        ),
        choose_platform(arguments.platform),
        {"Precision": "mixed"}
        if choose_platform(arguments.platform).getName() in ("CUDA", "HIP", "OpenCL")
        else {},
    )
    for context in (ours, bare):
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocities(state.getVelocities(asNumpy=True))
        context.getIntegrator().step(50)
    del settled
    files = ReplicaFiles(
        trajectory=scratch / "trajectory.xtc",
        log=scratch / "log.csv",
        snapshot=scratch / "checkpoint",
    )
    steps = arguments.intervals * plan.steps_per_interval
    at = Progress(
        stage="production", interval=0, n_frames=0, trajectory_bytes=0, log_bytes=0,
        inputs="benchmark", platform="",
    )  # fmt: skip
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    ratios, ours_s, bare_s = [], [], []
    for number in range(arguments.rounds):
        stage = replace(
            production,
            n_intervals=at.interval + arguments.intervals,
            n_intervals_max=at.interval + arguments.intervals,
        )
        loop = StageRun(ours, topology, files, plan, stage, plan.replicas[0], None)

        def run_package(loop: StageRun = loop) -> float:
            nonlocal at
            began = clock()
            at = loop.advance(at)
            return clock() - began

        def run_bare() -> float:
            began = clock()
            bare.getIntegrator().step(steps)
            bare.getState(getEnergy=True).getPotentialEnergy()  # wait for the device
            return clock() - began

        if number % 2:
            theirs, mine = run_bare(), run_package()
        else:
            mine, theirs = run_package(), run_bare()
        ratios.append(theirs / mine)
        ours_s.append(mine)
        bare_s.append(theirs)
        print(f"round {number + 1}: {ratios[-1]:.3f} of bare OpenMM", file=sys.stderr, flush=True)
    simulated = arguments.rounds * steps * plan.timestep * 1e-3 * 86400  # ns in a day
    return {
        "atoms": system.getNumParticles(),
        "platform": ours.getPlatform().getName(),
        "ns_per_day": round(simulated / sum(ours_s), 2),
        "ns_per_day_bare": round(simulated / sum(bare_s), 2),
        "ratio_of_total_times": round(sum(bare_s) / sum(ours_s), 3),
        "median_of_ratios": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }


if __name__ == "__main__":
    main()
