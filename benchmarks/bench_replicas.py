"""Replicas on one device: ns/day of all together, through the package and of bare OpenMM loops.

Run ``python benchmarks/bench_replicas.py --platform CUDA`` on a machine with a GPU; ``nvidia-smi``
must show nothing else on it. Boxes of about 3 000, 10 000, 30 000 and 100 000 atoms are tiles of
one settled box of 3 000; 1, 4 and 8 replicas run at a time, as processes and as threads. Every line
of the output is one case: ``ns_per_day`` of all replicas together while all were running, with log,
frames and checkpoints at the spacing of the profile ``standard``, ``bare`` for loops of
``integrator.step`` over the same ``system.xml``, and how much one replica alone would do. With
``--mps`` the same under NVIDIA's multi-process service, which the script starts and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from settled_box import make_recipe, settle, write_box

from solvation.simulate.crew import Task, run_crew
from solvation.simulate.halt import Halt
from solvation.simulate.hardware import Hardware, choose_platform, explain_platform, make_properties
from solvation.simulate.protocol import Plan, Replica

TILES = {3_000: (1, 1, 1), 10_000: (1, 1, 3), 30_000: (1, 2, 5), 100_000: (3, 3, 4)}
"""Copies along the edges of the box of 3 000 atoms."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mg-tfsi2-dme")
    parser.add_argument("--base", type=int, default=3000, help="atoms of the box that is tiled")
    parser.add_argument("--atoms", type=int, nargs="+", default=list(TILES))
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--spread", nargs="+", default=["processes", "threads"])
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--device", default="")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    parser.add_argument("--settle", type=float, default=20, help="ps before the box is tiled")
    parser.add_argument("--report", type=float, default=2.0, help="ps between reports")
    parser.add_argument("--mps", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    if arguments.mps:
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            rows = measure(arguments, Path(scratch))
    finally:
        if arguments.mps:
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", check=True)
    text = json.dumps(rows, indent=1)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    print(text)


def measure(arguments: argparse.Namespace, scratch: Path) -> list[dict[str, object]]:
    """Measure every case."""
    hardware = Hardware(platform=arguments.platform, device=arguments.device)
    platform = choose_platform(arguments.platform).getName()
    print(explain_platform(hardware), file=sys.stderr)
    hardware = replace(hardware, platform=platform)
    recipe = make_recipe(arguments.recipe, arguments.base)
    system, topology, plan, state = settle(
        recipe, scratch / "base", platform=platform, time=arguments.settle
    )
    steps = round(arguments.report / plan.timestep)
    production = replace(
        plan.stages[-1], n_intervals=10**9, n_intervals_max=10**9
    )  # until it is stopped
    plan = replace(
        plan, stages=(production,), steps_per_interval=steps,
        intervals_per_checkpoint=max(1, round(20.0 / arguments.report)),
    )  # fmt: skip
    rows = []
    for atoms in arguments.atoms:
        tiles = TILES.get(atoms, (1, 1, max(1, round(atoms / arguments.base))))
        folder = write_box(scratch / f"{atoms}", *tile(system, topology, state, tiles))
        alone: dict[str, float] = {}
        for spread, number in product(arguments.spread, arguments.replicas):
            if number == 1 and spread in alone:
                continue
            bare = run_bare(folder, plan, hardware, number, spread, arguments.seconds)
            target = scratch / f"run-{atoms}-{spread}-{number}"
            ours = run_ours(folder, target, plan, hardware, number, spread, arguments.seconds)
            alone.setdefault(spread, ours / number if number == 1 else float("nan"))
            rows.append(
                {
                    "platform": platform,
                    "atoms": topology.getNumAtoms() * int(np.prod(tiles)),
                    "spread": spread,
                    "mps": arguments.mps,
                    "replicas": number,
                    "ns_per_day": round(ours, 3),
                    "bare": round(bare, 3),
                    "ratio_to_bare": round(ours / bare, 3),
                    "times_one_alone": round(ours / alone[spread], 3),
                }
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def run_ours(
    prepared: Path, target: Path, plan: Plan, hardware: Hardware, number: int, spread: str,
    seconds: float,
) -> float:  # fmt: skip
    """Run replicas through the package; returns ns/day of all, while all were running."""
    tasks = [
        Task(
            prepared=prepared,
            folder=target / f"{index}",
            plan=plan,
            replica=Replica(name=f"{index}", start="separated", seed=index + 1),
            inputs="benchmark",
        )
        for index in range(number)
    ]
    ticks: dict[str, list[tuple[float, float]]] = defaultdict(list)
    halt, failed = Halt(), []
    threads = hardware.threads or max(1, len(os.sched_getaffinity(0)) // number)
    slot = replace(hardware, threads=threads)

    def on_tick(tick) -> None:
        ticks[tick.replica].append((time.perf_counter(), tick.time))
        if len(ticks) == number and all(len(rows) > 1 for rows in ticks.values()):
            began = max(rows[1][0] for rows in ticks.values())
            if time.perf_counter() - began > seconds:
                halt.ask("measured")

    def on_end(name: str, ended: object) -> None:
        if not halt.reason:
            failed.append(ended)
            halt.ask("failed")

    run_crew(tasks, [slot] * number, halt=halt, spread=spread, on_tick=on_tick, on_end=on_end)
    if failed:
        raise SystemExit(str(failed[0]))
    began = max(rows[1][0] for rows in ticks.values())
    ended = min(rows[-1][0] for rows in ticks.values())
    total = 0.0
    for rows in ticks.values():
        inside = [row for row in rows if began - 1e-9 <= row[0] <= ended + 1e-9]
        if len(inside) < 2:  # reports are further apart than the measurement is long
            inside = rows[1:] if len(rows) > 2 else rows
        total += (inside[-1][1] - inside[0][1]) * 1e-3 / (inside[-1][0] - inside[0][0]) * 86400
    return total


def run_bare(
    prepared: Path, plan: Plan, hardware: Hardware, number: int, spread: str, seconds: float
) -> float:
    """Run as many loops of bare OpenMM; returns ns/day of all together."""
    threads = hardware.threads or max(1, len(os.sched_getaffinity(0)) // number)
    slot = replace(hardware, threads=threads)
    if spread == "threads":
        speeds: list[float] = []
        barrier = threading.Barrier(number)

        def work() -> None:
            context = make_bare(prepared, plan, slot)
            barrier.wait()
            speeds.append(step_for(context, plan, seconds))

        workers = [threading.Thread(target=work) for _ in range(number)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if len(speeds) < number:
            raise SystemExit("a bare loop failed")
        return sum(speeds)
    job = json.dumps(
        {
            "prepared": str(prepared), "platform": slot.platform, "device": slot.device,
            "threads": slot.threads, "timestep": plan.timestep, "friction": plan.friction,
            "temperature": plan.stages[-1].temperature[0], "seconds": seconds,
        }
    )  # fmt: skip
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "--bare", job], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        for _ in range(number)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            raise SystemExit("a bare loop failed")
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return sum(float(child.communicate()[0]) for child in children)


def run_child(job: str) -> None:
    """Be one of the bare loops."""
    asked = json.loads(job)
    plan = argparse.Namespace(
        timestep=asked["timestep"], friction=asked["friction"],
        stages=[argparse.Namespace(temperature=[asked["temperature"]])],
    )  # fmt: skip
    hardware = Hardware(
        platform=asked["platform"], device=asked["device"], threads=asked["threads"]
    )
    context = make_bare(Path(asked["prepared"]), plan, hardware)
    print("ready", flush=True)
    sys.stdin.readline()
    print(step_for(context, plan, asked["seconds"]))


def make_bare(prepared: Path, plan: Plan, hardware: Hardware) -> openmm.Context:
    """Make a context as a script of a few lines would."""
    system = openmm.XmlSerializer.deserialize((prepared / "system.xml").read_text())
    state = openmm.XmlSerializer.deserialize((prepared / "state.xml").read_text())
    platform = choose_platform(hardware.platform)
    temperature = plan.stages[-1].temperature[0] * unit.kelvin
    integrator = openmm.LangevinMiddleIntegrator(
        temperature, plan.friction / unit.picosecond, plan.timestep * unit.picosecond
    )
    context = openmm.Context(system, integrator, platform, make_properties(platform, hardware))
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocitiesToTemperature(temperature, 1)
    integrator.step(20)
    context.getState(getEnergy=True).getPotentialEnergy()
    return context


def step_for(context: openmm.Context, plan: Plan, seconds: float) -> float:
    """Step for some seconds; returns ns/day, the median of pieces."""
    step, speeds, chunk = context.getIntegrator().step, [], 20
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not speeds:
        began = time.perf_counter()
        step(chunk)
        context.getState(getEnergy=True).getPotentialEnergy()  # wait for the device
        spent = time.perf_counter() - began
        speeds.append(chunk * plan.timestep * 1e-3 * 86400 / spent)
        chunk = max(20, round(chunk * min(4.0, seconds / 10 / spent)))
    return statistics.median(speeds[1:] or speeds)


def tile(
    system: openmm.System, topology: app.Topology, state: openmm.State, tiles: tuple[int, int, int]
) -> tuple[openmm.System, app.Topology, np.ndarray, np.ndarray]:
    """Repeat a box along its edges: the same liquid, larger."""
    box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    x = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    shifts = [np.array(cell) @ box for cell in product(*(range(n) for n in tiles))]
    positions = np.concatenate([x + shift for shift in shifts])
    larger = box * np.array(tiles)[:, None]
    n, copies = system.getNumParticles(), len(shifts)
    made = openmm.XmlSerializer.clone(system)
    made.setDefaultPeriodicBoxVectors(*larger)
    whole = app.Topology()
    for _ in range(copies):
        add_topology(whole, topology)
    for copy in range(1, copies):
        for index in range(n):
            made.addParticle(system.getParticleMass(index))
        for index in range(system.getNumConstraints()):
            a, b, length = system.getConstraintParameters(index)
            made.addConstraint(a + copy * n, b + copy * n, length)
        for old, new in zip(system.getForces(), made.getForces(), strict=True):
            add_terms(old, new, copy * n)
    return made, whole, positions, larger


def add_topology(whole: app.Topology, part: app.Topology) -> None:
    """Append one topology to another."""
    chain, atoms = whole.addChain(), {}
    for residue in part.residues():
        made = whole.addResidue(residue.name, chain)
        for atom in residue.atoms():
            atoms[atom] = whole.addAtom(atom.name, atom.element, made)
    for a, b in part.bonds():
        whole.addBond(atoms[a], atoms[b])


def add_terms(old: openmm.Force, new: openmm.Force, shift: int) -> None:
    """Append the terms of a force to its larger copy."""
    kinds = {
        openmm.HarmonicBondForce: ("Bond", 2),
        openmm.HarmonicAngleForce: ("Angle", 3),
        openmm.PeriodicTorsionForce: ("Torsion", 4),
        openmm.RBTorsionForce: ("Torsion", 4),
    }
    if isinstance(old, openmm.NonbondedForce):
        for index in range(old.getNumParticles()):
            new.addParticle(*old.getParticleParameters(index))
        for index in range(old.getNumExceptions()):
            a, b, *rest = old.getExceptionParameters(index)
            new.addException(a + shift, b + shift, *rest)
    elif type(old) in kinds:
        word, number = kinds[type(old)]
        for index in range(getattr(old, f"getNum{word}s")()):
            terms = getattr(old, f"get{word}Parameters")(index)
            members = [a + shift for a in terms[:number]]
            getattr(new, f"add{word}")(*members, *terms[number:])
    elif not isinstance(old, openmm.CMMotionRemover):
        raise SystemExit(f"{type(old).__name__} cannot be tiled; choose another recipe")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        run_child(sys.argv[2])
    else:
        main()
