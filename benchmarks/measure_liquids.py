"""Density, enthalpy of vaporisation and permittivity of pure liquids, against experiment.

Run ``python benchmarks/measure_liquids.py -o FOLDER``. Every liquid is a recipe without salt that
``solvation run`` takes; a run that was stopped goes on where it was, what is finished is not
repeated, and ``--replicas 2`` adds a second run to the first. ``--only PART`` measures the cases
with PART in their name, ``--table`` only prints what is there. ``liquids.json`` in the folder has
every number with its error, the Markdown table is printed. Experimental values and their sources
are in ``liquids.toml``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

import solvation
from solvation.build.forcefield import load_forcefield
from solvation.build.molecule import embed_molecule
from solvation.build.terms import apply_geometric_mixing
from solvation.errors import SolvationError
from solvation.kernels.dielectric import measure_permittivity
from solvation.kernels.stationarity import judge_stationarity
from solvation.kernels.uncertainty import largest_error, replica_error, series_error
from solvation.library import find_species
from solvation.log import Log, read_log
from solvation.recipe import Recipe, parse_recipe
from solvation.units import GAS_CONSTANT
from solvation.workspace import RunFolder

ETHERS = ("DME", "THF", "G2", "G3", "G4")
OTHERS = ("ACN", "PC", "EC")
CASES = [
    *(("opls-clp", name) for name in ("DME", "THF", "G2")),
    *(("opls1996-clp", name) for name in ("DME", "THF", "G2")),
    *(("opls-clp", name) for name in OTHERS),
    ("opls-clp-occo", "DME"),
    *((field, name) for name in ("G3", "G4") for field in ("opls-clp", "opls1996-clp")),
]
BOUNDS = {"density": 0.015, "vaporization": 0.06}
"""Largest relative deviation from experiment that passes."""


def load_experiment() -> dict[str, Any]:
    """Read ``liquids.toml``."""
    path = Path(__file__).with_name("liquids.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def make_recipe(field: str, species: str, arguments: argparse.Namespace) -> Recipe:
    """Write the recipe of one liquid."""
    temperature = load_experiment()[species]["temperature"]
    recipe = parse_recipe(
        {
            "name": f"{field}-{species.lower()}",
            "title": f"Pure {species}",
            "solvent": [{"name": species}],
            "conditions": {"temperature": f"{temperature} K"},
            "model": {"forcefield": field},
            "box": {"atoms": arguments.atoms},
            "protocol": {
                "starts": ["random"],
                "replicas": arguments.replicas,
                "heat_time": "5 ps",
                "anneal_time": "40 ps",
                "density_time": f"{arguments.density:g} ps",
                "density_time_max": f"{arguments.density:g} ps",
                "production_time": f"{arguments.production:g} ps",
                "report_interval": "0.2 ps",
                "checkpoint_interval": "4 ps",
            },
        }
    )
    return recipe.resolve("quick")


def measure_liquid(field: str, species: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the liquid and one molecule in vacuum, or go on with both, and read the numbers."""
    recipe = make_recipe(field, species, arguments)
    run = solvation.run(
        recipe, arguments.output / recipe.name, platform=arguments.platform, until="simulate"
    )
    folder = run.folder
    temperature = recipe.conditions.temperature.magnitude
    names = [f"random-{index + 1}" for index in range(arguments.replicas)]
    logs = [read_log(folder.simulate(name) / "log.csv") for name in names]
    number = int(
        json.loads((folder.build("random") / "audit.json").read_text())["residues"][species]
    )
    gas, gas_error = measure_gas(field, species, temperature, arguments)
    density, density_error = join([_after_transient(log, "density", "density") for log in logs])
    liquid, liquid_error = join(
        [
            np.concatenate(
                [
                    _after_transient(log, stage, "potential_energy")
                    for stage in ("density", "production")
                ]
            )
            / number
            for log in logs
        ]
    )
    parts = [read_dipoles(folder, name) for name in names]
    permittivity = [
        measure_permittivity(dipoles, volume=volume, temperature=temperature)
        for dipoles, volume in parts
    ]
    between = replica_error([p for p, _ in permittivity], np.ones(len(permittivity)))
    within = float(np.sqrt(sum(e**2 for _, e in permittivity))) / len(permittivity)
    return {
        "case": recipe.name,
        "forcefield": field,
        "species": species,
        "temperature": temperature,
        "molecules": number,
        "replicas": arguments.replicas,
        "density_ps": arguments.density,
        "production_ps": arguments.production,
        "gas_ps": arguments.gas,
        "stationary": all(
            judge_stationarity(log.select("density").density).stationary for log in logs
        ),
        "density": [density, density_error],
        "vaporization": [
            gas - liquid + GAS_CONSTANT * temperature,
            float(np.hypot(gas_error, liquid_error)),
        ],
        "permittivity": [
            float(np.mean([p for p, _ in permittivity])),
            largest_error(within, between),
        ],
    }


def join(series: list[np.ndarray[Any, np.dtype[np.float64]]]) -> tuple[float, float]:
    """Mean of all replicas, with the larger of the errors within and between them."""
    weights = np.array([len(part) for part in series], dtype=np.float64)
    share = weights / weights.sum()
    means = [float(part.mean()) for part in series]
    within = float(
        np.sqrt(sum((w * series_error(part)) ** 2 for w, part in zip(share, series, strict=True)))
    )
    return float(np.dot(share, means)), largest_error(within, replica_error(means, weights))


def _after_transient(log: Log, stage: str, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Take one column of one stage from where it is stationary."""
    values = getattr(log.select(stage), column)
    return np.asarray(values[judge_stationarity(values).start :], dtype=np.float64)


def read_dipoles(folder: RunFolder, replica: str) -> tuple[Any, float]:
    """Read the dipole of the box in e Å at every frame of production, and the volume in Å3."""
    import MDAnalysis as mda

    system = openmm.XmlSerializer.deserialize((folder.build("random") / "system.xml").read_text())
    charged = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    charges = np.array(
        [
            charged.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
            for i in range(system.getNumParticles())
        ]
    )
    universe = mda.Universe(
        str(folder.build("random") / "topology.pdb"),
        str(folder.simulate(replica) / "trajectory.xtc"),
        to_guess=(),
    )
    # The trajectory is unwrapped: molecules are whole, and neutral, so that no origin is needed.
    dipoles = [charges @ step.positions.astype(np.float64) for step in universe.trajectory]
    return np.array(dipoles), float(universe.trajectory[0].volume)


def measure_gas(
    field: str, species: str, temperature: float, arguments: argparse.Namespace
) -> tuple[float, float]:
    """Mean potential energy of one molecule in vacuum, kJ/mol, and its error.

    The same constraints, masses, time step and thermostat as in the liquid.
    """
    store = arguments.output / f"gas-{field}-{species}-{arguments.gas:g}.json"
    if store.exists():
        value, error = json.loads(store.read_text())
        return float(value), float(error)
    molecule = embed_molecule(find_species(species), seed=1)
    topology = app.Topology()
    residue = topology.addResidue(molecule.name, topology.addChain())
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(element), residue)
        for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    files = [str(file) for file in load_forcefield(field).files]
    system = app.ForceField(*files).createSystem(
        topology,
        nonbondedMethod=app.NoCutoff,
        constraints=app.HBonds,
        hydrogenMass=3 * unit.dalton,
        removeCMMotion=False,
    )
    apply_geometric_mixing(system)
    integrator = openmm.LangevinMiddleIntegrator(temperature, 1.0, 0.004)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(molecule.positions * unit.angstrom)
    openmm.LocalEnergyMinimizer.minimize(context)
    context.setVelocitiesToTemperature(temperature, 1)
    integrator.step(5000)
    energies = []
    for _ in range(round(arguments.gas / 0.1)):
        integrator.step(25)
        state = context.getState(getEnergy=True)
        energies.append(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
    value, error = float(np.mean(energies)), series_error(energies)
    store.write_text(json.dumps([value, error]))
    return value, error


def list_misses(row: dict[str, Any]) -> dict[str, float]:
    """Name what is outside its bound, with the relative deviation."""
    known = load_experiment()[row["species"]]
    deviations = {key: row[key][0] / known[key] - 1 for key in BOUNDS}
    return {key: value for key, value in deviations.items() if abs(value) > BOUNDS[key]}


def write_table(rows: list[dict[str, Any]]) -> str:
    """Write Markdown, one line per liquid.

    What is outside its bound is bold; a density that was still drifting has an asterisk.
    """
    experiment = load_experiment()
    lines = [
        "| force field | liquid | density / (g/cm3) | exp. | | ΔHvap / (kJ/mol) | exp. | "
        "| permittivity | exp. |",
        "|" + "---|" * 10,
    ]
    for row in rows:
        known, misses = experiment[row["species"]], list_misses(row)
        cells = [row["forcefield"], row["species"]]
        for key, digits in (("density", 3), ("vaporization", 1)):
            value, error = row[key]
            text = f"{100 * (value / known[key] - 1):+.1f} %"
            drifts = "" if key != "density" or row["stationary"] else "*"
            cells += [
                f"{value:.{digits}f} ± {error:.{digits}f}{drifts}",
                f"{known[key]:.{digits}f}",
                f"**{text}**" if key in misses else text,
            ]
        value, error = row["permittivity"]
        cells += [f"{value:.1f} ± {error:.1f}", f"{known['permittivity']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give a parser the lengths and sizes."""
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/liquids"))
    parser.add_argument("--atoms", type=int, default=1100, help="about how many atoms per box")
    parser.add_argument("--density", type=float, default=300.0, help="ps of NPT")
    parser.add_argument("--production", type=float, default=200.0, help="ps of NVT")
    parser.add_argument("--gas", type=float, default=3000.0, help="ps of one molecule in vacuum")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--platform", default="auto")
    return parser


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--table", action="store_true", help="print what is there and stop")
    arguments = parser.parse_args()
    cases = {f"{field}-{species}".lower(): (field, species) for field, species in CASES}
    chosen = {key: case for key, case in cases.items() if arguments.only.lower() in key}
    if arguments.list:
        print("\n".join(chosen))
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    store = arguments.output / "liquids.json"
    for key, (field, species) in {} if arguments.table else chosen.items():
        print(f"{key} ...", file=sys.stderr, flush=True)
        try:
            row = measure_liquid(field, species, arguments)
        except SolvationError as error:
            print(f"{key}: {error}", file=sys.stderr, flush=True)
            continue
        known = json.loads(store.read_text()) if store.exists() else {}
        known[key] = row
        store.write_text(json.dumps(known, indent=1) + "\n")
    known = json.loads(store.read_text()) if store.exists() else {}
    print(write_table([known[key] for key in cases if key in known]))


if __name__ == "__main__":
    main()
