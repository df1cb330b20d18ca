"""What the friction of the thermostat does to diffusion, in a pure solvent.

Run ``python benchmarks/bench_friction.py --time 2000`` where there is time. One box is settled,
then runs at constant volume with each friction, in turns; diffusion coefficients come from one
window of lags. Expected for a Brownian particle that meets the friction kT/(mD) of its liquid
already: 1/D grows by the share γmD/kT, or more where friction slows the neighbours too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openmm
from openmm import unit
from settled_box import settle

from solvation.analyze.diffusion import A2_PER_PS, collect_displacements
from solvation.kernels.regime import find_slope
from solvation.kernels.slope import fit_slope
from solvation.recipe import parse_recipe
from solvation.simulate.engine import make_context

GAS = 0.83144626
"""u Å2/ps2/K: the gas constant for masses in u and velocities in Å/ps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solvent", default="DME")
    parser.add_argument("--atoms", type=int, default=1200)
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--friction", type=float, nargs="+", default=[1.0, 0.1], help="1/ps")
    parser.add_argument("--settle", type=float, default=40, help="ps before anything is measured")
    parser.add_argument("--time", type=float, default=300, help="ps per friction")
    parser.add_argument("--turn", type=float, default=10, help="ps per turn")
    parser.add_argument("--frame", type=float, default=0.2, help="ps between looks")
    parser.add_argument(
        "--window", type=float, nargs=2, default=[3.0, 15.0], metavar=("FIRST", "LAST"),
        help="ps, lags between which slopes are fitted",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(parser.parse_args(), Path(scratch)), indent=1))


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Run all frictions in turns from one box."""
    recipe = parse_recipe(
        {
            "name": "friction",
            "solvent": [{"name": arguments.solvent}],
            "box": {"atoms": arguments.atoms},
            "protocol": {"starts": ["random"], "replicas": 1},
        }
    ).resolve("standard")
    system, topology, plan, state = settle(
        recipe, folder, platform=arguments.platform, time=arguments.settle, seed=arguments.seed
    )
    production = plan.stages[-1]
    masses = np.array([system.getParticleMass(k)._value for k in range(system.getNumParticles())])
    owner = np.array([atom.residue.index for atom in topology.atoms()])
    share = (owner == np.arange(owner[-1] + 1)[:, None]) * masses
    share /= share.sum(axis=1, keepdims=True)
    sides = []
    for number, friction in enumerate(arguments.friction):
        context = make_context(
            system, replace(plan, friction=friction), production, platform=arguments.platform,
            seed=arguments.seed + number,
        )  # fmt: skip
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocitiesToTemperature(
            production.temperature[0] * unit.kelvin, arguments.seed + 10 * number
        )
        context.getIntegrator().step(round(10 / plan.timestep))
        sides.append((context, []))
    steps = round(arguments.frame / plan.timestep)
    for turn in range(round(arguments.time / arguments.turn)):
        for context, seen in sides:
            for _ in range(round(arguments.turn / arguments.frame)):
                context.getIntegrator().step(steps)
                seen.append(look(context, share, masses))
        print(f"{(turn + 1) * arguments.turn:g} ps", file=sys.stderr, flush=True)
    rows = {
        f"{friction:g}/ps": judge(seen, system, arguments)
        for friction, (_, seen) in zip(arguments.friction, sides, strict=True)
    }
    mass = float(masses.sum() / len(share))
    kept = rows[f"{arguments.friction[-1]:g}/ps"]["diffusion"] / A2_PER_PS
    for friction in arguments.friction:
        rows[f"{friction:g}/ps"]["expected_share"] = round(
            friction * mass * kept / (GAS * production.temperature[0]), 4
        )
    return {"solvent": arguments.solvent, "molecules": len(share), "ps": arguments.time, **rows}


def look(
    context: openmm.Context, share: np.ndarray, masses: np.ndarray
) -> tuple[np.ndarray, float]:
    """Centres of mass of all molecules relative to that of all, Å; kinetic energy, kJ/mol."""
    state = context.getState(getPositions=True, getEnergy=True)
    x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    return share @ x - masses @ x / masses.sum(), kinetic


def judge(
    seen: list[tuple[np.ndarray, float]], system: openmm.System, arguments: argparse.Namespace
) -> dict[str, float]:
    """Diffusion coefficient in m2/s with its error, and the temperature."""
    positions = np.array([centres for centres, _ in seen])
    path = SimpleNamespace(times=np.arange(len(seen)) * arguments.frame, positions=positions)
    moved = collect_displacements(
        [path], np.arange(positions.shape[1]), timestep=arguments.frame, n_lags=len(seen) // 2
    )
    slope = fit_slope(moved.to_curves(), window=tuple(arguments.window))
    free = find_slope(moved.to_curves())
    freedom = 3 * system.getNumParticles() - system.getNumConstraints() - 3
    half = 0.5 * A2_PER_PS
    return {
        "diffusion": float(f"{half * slope.slope:.4g}"),
        "stderr": float(f"{half * slope.stderr:.2g}"),
        "own_window": [round(free.low, 1), round(free.high, 1)],
        "own_diffusion": float(f"{half * free.slope:.4g}"),
        "own_stderr": float(f"{half * free.stderr:.2g}"),
        "temperature": round(
            float(np.mean([kinetic for _, kinetic in seen])) * 2e3 / (8.31446261815 * freedom), 2
        ),
    }


if __name__ == "__main__":
    main()
