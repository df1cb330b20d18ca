"""4 fs with heavy hydrogens against 2 fs without: speed, density, first shell, energy drift.

Run ``python benchmarks/bench_timestep.py --platform CUDA --time 2000`` where there is time; what is
asked: at least 1.7 times the ns/day, densities within 0.3 %, first shells equal within errors, and
below 0.01 kT per degree of freedom and ns of drift without a thermostat at 4 fs. Both sides start
from the same settled box and take turns, at constant pressure, in one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import openmm
from openmm import unit
from settled_box import make_recipe, settle

from solvation.kernels.drift import fit_drift
from solvation.kernels.uncertainty import series_error
from solvation.simulate.engine import make_context
from solvation.simulate.hardware import Hardware, choose_platform, make_properties

SIDES = {
    "4 fs, 3 u": ("protocol.timestep=4 fs", "protocol.hydrogen_mass=3 u"),
    "2 fs, 1.008 u": ("protocol.timestep=2 fs", "protocol.hydrogen_mass=1.008 u"),
}
GAS = 8.31446261815324e-3
"""kJ/mol/K."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mg-tfsi2-dme")
    parser.add_argument("--atoms", type=int, default=2500)
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--settle", type=float, default=50, help="ps before anything is measured")
    parser.add_argument("--time", type=float, default=100, help="ps per side")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--frame", type=float, default=0.2, help="ps between looks at the box")
    parser.add_argument("--drift", type=float, default=50, help="ps without a thermostat; 0: none")
    parser.add_argument("--precision", default="mixed")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="cpu: of this process, for the CPU platform on a busy machine",
    )  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(arguments, Path(scratch)), indent=1))


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, object]:
    """Take turns, then let the energy go its own way."""
    state, sides, result = None, {}, {}
    for name, settings in SIDES.items():
        recipe = make_recipe(arguments.recipe, arguments.atoms, *settings)
        system, topology, plan, state = settle(
            recipe, scratch / f"{len(sides)}", platform=arguments.platform,
            time=arguments.settle, state=state,
        )  # fmt: skip
        density = next(stage for stage in plan.stages if stage.name == "density")
        context = make_context(system, plan, density, platform=arguments.platform, seed=3)
        place(context, state, density.temperature[1])
        sides[name] = {"context": context, "plan": plan, "wall": 0.0, "density": [], "shell": []}
    mass = sum(system.getParticleMass(k)._value for k in range(system.getNumParticles()))
    atoms = list(topology.atoms())
    metals = [a.index for a in atoms if a.element is not None and a.element.symbol in METALS]
    oxygens = [a.index for a in atoms if a.element is not None and a.element.symbol == "O"]
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    frames = max(1, round(arguments.time / arguments.turns / arguments.frame))
    for turn in range(arguments.turns):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            side = sides[name]
            steps = round(arguments.frame / side["plan"].timestep)
            for _ in range(frames):
                began = clock()
                side["context"].getIntegrator().step(steps)
                got = side["context"].getState(getPositions=True)
                side["wall"] += clock() - began
                volume = got.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
                side["density"].append(mass / volume * 1.66053906660)
                side["shell"].append(look(got, metals, oxygens))
        print(f"turn {turn + 1}", file=sys.stderr, flush=True)
    length = arguments.turns * frames * arguments.frame
    for name, side in sides.items():
        shell = np.array(side["shell"])
        row: dict[str, float] = {"ns_per_day": round(length * 86.4 / side["wall"], 2)}
        for key, series in (
            ("density", np.array(side["density"])),
            ("coordination", shell[:, 0]),
            ("distance", shell[:, 1]),
        ):
            mean, stderr = estimate(series)
            row[key], row[f"{key}_stderr"] = round(mean, 5), round(stderr, 5)
        result[name] = row
    fast, slow = (result[name] for name in SIDES)
    compared = {
        "speed_ratio": round(fast["ns_per_day"] / slow["ns_per_day"], 3),
        "density_ratio": round(fast["density"] / slow["density"], 5),
    }
    for key in ("density", "coordination", "distance"):
        error = np.hypot(fast[f"{key}_stderr"], slow[f"{key}_stderr"])
        compared[f"{key}_z"] = round(float((fast[key] - slow[key]) / error), 2) if error else 0.0
    result["compared"] = compared
    if arguments.drift:
        result["drift"] = {
            name: measure_drift(scratch / f"{k}", side, arguments)
            for k, (name, side) in enumerate(sides.items())
        }
    return {"atoms": len(atoms), "platform": arguments.platform, "ps_per_side": length, **result}


METALS = frozenset(("Li", "Na", "K", "Mg", "Ca", "Zn"))
REACH = 3.0
"""Å; oxygens nearer than this are bound, for Mg2+ and Ca2+ alike."""


def look(state: openmm.State, metals: list[int], oxygens: list[int]) -> tuple[float, float]:
    """Oxygens around a metal, and their mean distance in Å."""
    x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.angstrom)
    rays = x[oxygens][None] - x[metals][:, None]
    rays -= np.round(rays @ np.linalg.inv(box)) @ box
    distances = np.linalg.norm(rays, axis=2)
    near = distances < REACH
    return float(near.sum() / max(1, len(metals))), float(distances[near].mean())


def estimate(series: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of a correlated series."""
    if np.ptp(series) == 0:
        return float(series[0]), 0.0
    return float(series.mean()), series_error(series)


def place(context: openmm.Context, state: openmm.State, temperature: float) -> None:
    """Put the settled box into a context, with new velocities: masses differ."""
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocitiesToTemperature(temperature * unit.kelvin, 7)
    context.getIntegrator().step(500)


def measure_drift(folder: Path, side: dict, arguments: argparse.Namespace) -> dict[str, float]:
    """Run at constant energy; the slope of the total energy in kT per degree of freedom and ns."""
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    timestep = side["plan"].timestep
    integrator = openmm.VerletIntegrator(timestep * unit.picosecond)
    integrator.setConstraintTolerance(1e-6)
    platform = choose_platform(arguments.platform, precision=arguments.precision)
    hardware = Hardware(platform=platform.getName(), precision=arguments.precision)
    context = openmm.Context(system, integrator, platform, make_properties(platform, hardware))
    state = side["context"].getState(getPositions=True, getVelocities=True)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocities(state.getVelocities(asNumpy=True))
    freedom = 3 * system.getNumParticles() - system.getNumConstraints() - 3
    steps = round(0.1 / timestep)
    times, energies, heat = [], [], []
    for index in range(round(arguments.drift / 0.1)):
        integrator.step(steps)
        got = context.getState(getEnergy=True)
        kinetic = got.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        potential = got.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        times.append(index * 1e-4)
        energies.append(kinetic + potential)
        heat.append(2 * kinetic / freedom)
    slope, stderr = fit_drift(np.array(times), np.array(energies))
    scale = freedom * float(np.mean(heat))
    return {
        "platform": platform.getName(),
        "ps": arguments.drift,
        "temperature": round(float(np.mean(heat)) / GAS, 1),
        "kT_per_freedom_per_ns": float(f"{slope / scale:.3g}"),
        "stderr": float(f"{stderr / scale:.3g}"),
    }


if __name__ == "__main__":
    main()
