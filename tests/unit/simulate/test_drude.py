"""What a system with induced dipoles needs of a simulation, on a small box of Mg(TFSI)2 in DME."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import unit

from solvation.build.box import build_box
from solvation.log import DRUDE_HEADER, read_log
from solvation.recipe import parse_recipe
from solvation.simulate.drude import (
    DRUDE_TEMPERATURE,
    Pairs,
    list_pairs,
    make_drude_integrator,
    measure_temperatures,
    relax_drudes,
    set_velocities,
)

from . import argon


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drude")
    recipe = parse_recipe(
        {
            "name": "small",
            "salt": [{"cation": "Mg", "anion": "BF4", "solvent_ratio": 12}],
            "solvent": [{"name": "DME"}],
            "model": {"forcefield": "clpol-drude", "cutoff": "6 angstrom"},
            "box": {"cations": 1},
            "protocol": {"profile": "quick"},
        }
    ).resolve()
    build_box(recipe, path, start="separated")
    return path


@pytest.fixture
def context(folder: Path) -> openmm.Context:
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text())
    state = openmm.XmlSerializer.deserialize((folder / "state.xml").read_text())
    integrator = make_drude_integrator(300.0, 5.0, 0.001, seed=3)
    platform = openmm.Platform.getPlatformByName("CPU")
    context = openmm.Context(system, integrator, platform, {"Threads": "1"})
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    return context


def read(context: openmm.Context, *, velocities: bool = False) -> np.ndarray:
    state = context.getState(getPositions=True, getVelocities=True)
    values = state.getVelocities(asNumpy=True) if velocities else state.getPositions(asNumpy=True)
    return np.array(values._value)


def energy(context: openmm.Context) -> float:
    state = context.getState(getEnergy=True)
    return float(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))


def pairs_of(context: openmm.Context) -> Pairs:
    pairs = list_pairs(context.getSystem())
    assert pairs is not None
    return pairs


def test_a_system_without_dipoles_has_no_pairs() -> None:
    assert list_pairs(argon.make_system()) is None


def test_dipoles_come_after_all_atoms(context: openmm.Context) -> None:
    pairs = pairs_of(context)
    n_atoms = len(pairs.mass) - len(pairs.drude)
    assert pairs.drude.min() == n_atoms
    assert pairs.core.max() < n_atoms
    assert len(set(pairs.core.tolist())) == len(pairs.core)


def test_the_barostat_moves_dipoles_with_their_molecules(context: openmm.Context) -> None:
    """1 Mg, 2 BF4 and 12 DME, each with its Drude particles."""
    molecules = context.getMolecules()
    assert len(molecules) == 15
    owner = {particle: k for k, molecule in enumerate(molecules) for particle in molecule}
    pairs = pairs_of(context)
    assert [owner[k] for k in pairs.drude.tolist()] == [owner[k] for k in pairs.core.tolist()]


def test_relaxing_dipoles_moves_no_atom(context: openmm.Context) -> None:
    pairs = pairs_of(context)
    before, high = read(context), energy(context)
    relax_drudes(context, pairs)
    after = read(context)
    n_atoms = len(pairs.mass) - len(pairs.drude)
    assert (after[:n_atoms] == before[:n_atoms]).all()
    arms = np.linalg.norm(after[pairs.drude] - after[pairs.core], axis=1)
    assert 1e-4 < arms.mean() < arms.max() < 0.02
    assert energy(context) < high - 10


def test_velocities_start_with_cold_dipoles(context: openmm.Context) -> None:
    pairs = pairs_of(context)
    set_velocities(context, pairs, 300.0, seed=5)
    n_constraints = context.getSystem().getNumConstraints()
    warm, cold = measure_temperatures(read(context, velocities=True), pairs, n_constraints)
    assert cold == pytest.approx(0, abs=1e-3)
    freedom = 3 * (len(pairs.mass) - len(pairs.drude)) - n_constraints
    assert warm == pytest.approx(300, rel=5 * (2 / freedom) ** 0.5)


def test_temperatures_of_drawn_velocities() -> None:
    """Centre and inner motion drawn from Maxwell's law at two temperatures."""
    n, light, heavy, gas = 20000, 0.4, 11.6, 8.31446261815324e-3
    random = np.random.default_rng(1)
    whole, reduced = light + heavy, light * heavy / (light + heavy)
    centre = random.normal(scale=(gas * 300 / whole) ** 0.5, size=(n, 3))
    inner = random.normal(scale=(gas * 2 / reduced) ** 0.5, size=(n, 3))
    v = np.concatenate([centre - light / whole * inner, centre + heavy / whole * inner])
    pairs = Pairs(drude=np.arange(n, 2 * n), core=np.arange(n), mass=np.repeat([heavy, light], n))
    warm, cold = measure_temperatures(v, pairs, 0)
    assert warm == pytest.approx(300, rel=0.02)
    assert cold == pytest.approx(2, rel=0.02)


def test_dipoles_stay_cold_and_inside_the_wall(context: openmm.Context) -> None:
    pairs = pairs_of(context)
    relax_drudes(context, pairs)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 100)
    set_velocities(context, pairs, 300.0, seed=5)
    colds = []
    for _ in range(10):
        context.getIntegrator().step(20)
        v, x = read(context, velocities=True), read(context)
        colds.append(measure_temperatures(v, pairs, context.getSystem().getNumConstraints())[1])
        assert np.linalg.norm(x[pairs.drude] - x[pairs.core], axis=1).max() < 0.02 + 1e-6
    assert 0.3 * DRUDE_TEMPERATURE < np.mean(colds) < 5 * DRUDE_TEMPERATURE


def test_a_log_with_dipoles(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(DRUDE_HEADER + "heat,10,0.01,-1.0,2.0,300.5,1000.0,0.9,5.0,1.2\n")
    assert read_log(path).drude_temperature == pytest.approx([1.2])
    assert read_log(path).select("heat").temperature == pytest.approx([300.5])
