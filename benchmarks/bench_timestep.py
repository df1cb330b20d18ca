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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from settled_box import make_recipe, settle

from solvation.kernels.drift import fit_drift
from solvation.kernels.uncertainty import series_error
from solvation.simulate.engine import make_context
from solvation.simulate.hardware import Hardware, choose_platform, make_properties
from solvation.simulate.protocol import Plan

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
    parser.add_argument("--time", type=float, default=100, help="ps per side, those kept included")
    parser.add_argument("--turn", type=float, default=5, help="ps per turn of a side")
    parser.add_argument("--frame", type=float, default=0.2, help="ps between looks at the box")
    parser.add_argument(
        "--barostat", type=float, default=0.0,
        help="ps between trial volumes; 0: 25 steps, as a run has. Speeds count with 0 only",
    )  # fmt: skip
    parser.add_argument("--drift", type=float, default=50, help="ps without a thermostat; 0: none")
    parser.add_argument("--precision", default="mixed")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="cpu: of this process, for the CPU platform on a busy machine",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument(
        "--keep", type=Path,
        help="a folder with all that was measured: a second call goes on from its last turn",
    )  # fmt: skip
    parser.add_argument(
        "--together", type=Path, nargs="+", metavar="KEPT",
        help="run nothing; put what several such folders hold together, by their times",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.together:
        print(
            json.dumps(
                compare([read_rows(kept, arguments.frame) for kept in arguments.together]), indent=1
            )
        )
        return
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(arguments, arguments.keep or Path(scratch)), indent=1))


@dataclass(slots=True, kw_only=True)
class Side:
    """One of the two, and all that was seen of it; ``seen`` has shape ``(n, 3)``."""

    folder: Path
    plan: Plan
    context: openmm.Context
    seconds: float = 0.0
    seen: np.ndarray

    def keep(self) -> None:
        """Write what was seen and where the box is, the new in place of the old."""
        state = self.context.getState(getPositions=True, getVelocities=True, getParameters=True)
        np.savez(
            self.folder / "new.npz",
            seen=self.seen,
            seconds=self.seconds,
            state=openmm.XmlSerializer.serialize(state),
        )
        (self.folder / "new.npz").replace(self.folder / "kept.npz")


def open_side(
    arguments: argparse.Namespace, folder: Path, settings: tuple[str, ...],
    state: openmm.State | None,
) -> tuple[Side, app.Topology, float, openmm.State]:  # fmt: skip
    """A side as it was left, or as it begins."""
    kept = np.load(folder / "kept.npz") if (folder / "kept.npz").exists() else None
    if kept is not None:
        state = openmm.XmlSerializer.deserialize(str(kept["state"]))
    recipe = make_recipe(arguments.recipe, arguments.atoms, *settings)
    system, topology, plan, state = settle(
        recipe, folder, platform=arguments.platform, time=arguments.settle, state=state,
        seed=arguments.seed,
    )  # fmt: skip
    density = next(stage for stage in plan.stages if stage.name == "density")
    seed = arguments.seed + (0 if kept is None else 1000 + len(kept["seen"]))
    context = make_context(system, plan, density, platform=arguments.platform, seed=seed)
    if arguments.barostat:
        [barostat] = [
            f for f in context.getSystem().getForces() if isinstance(f, openmm.MonteCarloBarostat)
        ]
        barostat.setFrequency(round(arguments.barostat / plan.timestep))
        context.reinitialize()
    side = Side(folder=folder, plan=plan, context=context, seen=np.empty((0, 3)))
    if kept is not None:
        context.setState(state)
        side.seen, side.seconds = kept["seen"], float(kept["seconds"])
    else:
        # Masses differ between the sides, so velocities are new.
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocitiesToTemperature(density.temperature[1] * unit.kelvin, arguments.seed + 4)
        context.getIntegrator().step(500)
    mass = sum(system.getParticleMass(k)._value for k in range(system.getNumParticles()))
    return side, topology, mass, state


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Take turns, then let the energy go its own way."""
    state, sides = None, []
    for number, settings in enumerate(SIDES.values()):
        side, topology, mass, started = open_side(arguments, folder / f"{number}", settings, state)
        state = state or started
        sides.append(side)
    atoms = list(topology.atoms())
    metals = [a.index for a in atoms if a.element is not None and a.element.symbol in METALS]
    oxygens = [a.index for a in atoms if a.element is not None and a.element.symbol == "O"]
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    frames, asked = (round(x / arguments.frame) for x in (arguments.turn, arguments.time))
    while min(len(side.seen) for side in sides) < asked:
        # The one that is behind; of two that are level, they begin by turns.
        turn = len(sides[0].seen) // frames
        side = min(sides[:: 1 if turn % 2 else -1], key=lambda side: len(side.seen))
        steps = round(arguments.frame / side.plan.timestep)
        seen = []
        for _ in range(frames):
            began = clock()
            side.context.getIntegrator().step(steps)
            got = side.context.getState(getPositions=True)
            side.seconds += clock() - began
            volume = got.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
            seen.append((mass / volume * 1.66053906660, *look(got, metals, oxygens)))
        side.seen = np.concatenate([side.seen, seen])
        side.keep()
        print(f"{side.folder.name}: {len(side.seen) * arguments.frame:g} ps", file=sys.stderr)
    for side in sides:
        side.keep()
    result = compare([read_rows(folder, arguments.frame)])
    if arguments.drift:
        result["drift"] = drifts = {}
        for name, side in zip(SIDES, sides, strict=True):
            drifts[name] = measure_drift(side, arguments)
            print(f"{name}: {drifts[name]}", file=sys.stderr, flush=True)
    return {"atoms": len(atoms), "platform": arguments.platform, **result}


QUANTITIES = ("density", "coordination", "distance")


def read_rows(folder: Path, frame: float) -> list[dict[str, float]]:
    """What was seen of each side, as means and errors."""
    rows = []
    for number in range(len(SIDES)):
        kept = np.load(folder / f"{number}" / "kept.npz")
        ps = len(kept["seen"]) * frame
        row = {"ps": round(ps, 3), "ns_per_day": round(ps * 86.4 / float(kept["seconds"]), 2)}
        for key, series in zip(QUANTITIES, kept["seen"].T, strict=True):
            row[key], row[f"{key}_stderr"] = estimate(series)
        rows.append(row)
    return rows


def compare(folders: list[list[dict[str, float]]]) -> dict[str, object]:
    """Ratios and differences, each folder weighted by its time."""
    weights = np.array([rows[0]["ps"] for rows in folders]) / sum(r[0]["ps"] for r in folders)
    sides = []
    for rows in zip(*folders, strict=True):
        side = {"ps": sum(row["ps"] for row in rows)}
        days = sum(row["ps"] / row["ns_per_day"] for row in rows)
        side["ns_per_day"] = round(side["ps"] / days, 2)
        for key in QUANTITIES:
            side[key] = round(float(weights @ [row[key] for row in rows]), 5)
            errors = weights * [row[f"{key}_stderr"] for row in rows]
            side[f"{key}_stderr"] = round(float(np.hypot.reduce(errors)), 5)
        sides.append(side)
    fast, slow = sides
    error = np.hypot(*(side["density_stderr"] / side["density"] for side in sides))
    compared = {
        "speed_ratio": round(fast["ns_per_day"] / slow["ns_per_day"], 3),
        "density_ratio": round(fast["density"] / slow["density"], 5),
        "density_ratio_stderr": round(float(error), 5),
    }
    for key in QUANTITIES:
        error = np.hypot(fast[f"{key}_stderr"], slow[f"{key}_stderr"])
        compared[f"{key}_z"] = round(float((fast[key] - slow[key]) / error), 2) if error else 0.0
    return {**dict(zip(SIDES, sides, strict=True)), "compared": compared}


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


def measure_drift(side: Side, arguments: argparse.Namespace) -> dict[str, float]:
    """Run at constant energy; the slope of the total energy in kT per degree of freedom and ns."""
    system = openmm.XmlSerializer.deserialize((side.folder / "system.xml").read_text())
    timestep = side.plan.timestep
    integrator = openmm.VerletIntegrator(timestep * unit.picosecond)
    integrator.setConstraintTolerance(1e-6)
    platform = choose_platform(arguments.platform, precision=arguments.precision)
    hardware = Hardware(platform=platform.getName(), precision=arguments.precision)
    context = openmm.Context(system, integrator, platform, make_properties(platform, hardware))
    state = side.context.getState(getPositions=True, getVelocities=True)
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
