"""Cost of geometric mixing: whole steps against plain Lorentz-Berthelot on the same atoms.

Run ``python benchmarks/bench_mixing.py``, on a CPU that is otherwise idle or with ``--platform
CUDA``. One settled box, one integrator, three ways to the Lennard-Jones terms: *plain*, one
``NonbondedForce`` that mixes arithmetically, as OpenMM does by itself; *split*, the two
``NonbondedForce`` that the build stage makes, which mix geometrically; *custom*, the
``CustomNonbondedForce`` that is customary for OPLS. They take turns in one process; what is asked
is that *split* costs at most 1.7 times *plain*.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import openmm
from openmm import unit
from settled_box import make_recipe, settle

from solvation.simulate.engine import make_context

REPULSION, DISPERSION = 10.0, 0.01
"""nm; the sigmas of the two halves (decision 1)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mg-tfsi2-dme")
    parser.add_argument("--atoms", type=int, default=2800)
    parser.add_argument("--cutoff", default="10 angstrom")
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--settle", type=float, default=5, help="ps before anything is timed")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--steps", type=int, default=250, help="per side and turn")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="cpu: of this process, for the CPU platform on a busy machine",
    )  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(arguments, Path(scratch)), indent=1))


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, object]:
    """Take turns between the three Systems."""
    recipe = make_recipe(arguments.recipe, arguments.atoms, f"model.cutoff={arguments.cutoff}")
    system, _, plan, state = settle(
        recipe, scratch, platform=arguments.platform, time=arguments.settle
    )
    production = plan.stages[-1]
    sides = {"plain": merge(system), "split": system, "custom": merge(system, custom=True)}
    contexts = {}
    for name, side in sides.items():
        context = make_context(side, plan, production, platform=arguments.platform, seed=1)
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocities(state.getVelocities(asNumpy=True))
        context.getIntegrator().step(100)
        contexts[name] = context
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(arguments.turns):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            began = clock()
            contexts[name].getIntegrator().step(arguments.steps)
            contexts[name].getState(getEnergy=True).getPotentialEnergy()  # wait for the device
            spent[name].append(clock() - began)
        print(f"turn {turn + 1}", file=sys.stderr, flush=True)
    day = arguments.turns * arguments.steps * plan.timestep * 1e-3 * 86400
    costs = {
        name: {
            "ns_per_day": round(day / sum(times), 1),
            "cost": round(sum(times) / sum(spent["plain"]), 3),
            "median_of_turns": round(
                statistics.median(a / b for a, b in zip(times, spent["plain"], strict=True)), 3
            ),
        }
        for name, times in spent.items()
    }
    return {
        "atoms": system.getNumParticles(),
        "platform": contexts["plain"].getPlatform().getName(),
        "clock": arguments.clock,
        **costs,
    }


def merge(system: openmm.System, *, custom: bool = False) -> openmm.System:
    """Put the two halves of a built System back into the sigma and epsilon that they came from."""
    made = openmm.XmlSerializer.clone(system)
    names = [force.getName() for force in made.getForces()]
    plain, second = (made.getForce(names.index(n)) for n in ("CoulombRepulsion", "Dispersion"))
    pair = openmm.CustomNonbondedForce("a1*a2/r^12 - b1*b2/r^6")
    for parameter in ("a", "b"):
        pair.addPerParticleParameter(parameter)
    for index in range(made.getNumParticles()):
        charge, _, repulsive = plain.getParticleParameters(index)
        _, _, attractive = second.getParticleParameters(index)
        a = 4 * repulsive.value_in_unit(unit.kilojoule_per_mole) * REPULSION**12
        b = 4 * attractive.value_in_unit(unit.kilojoule_per_mole) * DISPERSION**6
        sigma, epsilon = ((a / b) ** (1 / 6), b**2 / (4 * a)) if a and b else (0.1, 0.0)
        plain.setParticleParameters(index, charge, sigma, 0.0 if custom else epsilon)
        pair.addParticle([a**0.5, b**0.5])
    for index in range(plain.getNumExceptions()):
        pair.addExclusion(*plain.getExceptionParameters(index)[:2])
    if custom:
        pair.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
        pair.setCutoffDistance(plain.getCutoffDistance())
        pair.setUseSwitchingFunction(second.getUseSwitchingFunction())
        pair.setSwitchingDistance(second.getSwitchingDistance())
        pair.setUseLongRangeCorrection(second.getUseDispersionCorrection())
        made.addForce(pair)
    made.removeForce(names.index("Dispersion"))
    return made


if __name__ == "__main__":
    main()
