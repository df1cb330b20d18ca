"""A small periodic electrolyte, relaxed a little, for everything that needs a real box."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solvation.build.box import choose_charge_scale
from solvation.build.composition import compose
from solvation.build.forcefield import load_forcefield
from solvation.build.packing import pack_box
from solvation.build.system import Prepared, make_system
from solvation.library import Species, find_species
from solvation.recipe import Recipe, parse_recipe


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return parse_recipe(
        {
            "name": "small",
            "salt": [{"cation": "Mg", "anion": "TFSI", "solvent_ratio": 15}],
            "solvent": [{"name": "DME"}],
            "model": {"cutoff": "8 angstrom"},
            "box": {"cations": 2},
            "protocol": {"profile": "quick"},
        }
    ).resolve()


@pytest.fixture(scope="session")
def species() -> dict[str, Species]:
    return {name: find_species(name) for name in ("Mg", "TFSI", "DME")}


@pytest.fixture(scope="session")
def prepared(recipe: Recipe, species: dict[str, Species]) -> Prepared:
    """2 Mg, 4 TFSI, 30 DME; every contact is that of a liquid."""
    import openmm
    from openmm import unit

    packed = pack_box(compose(recipe), species, start="contact", seed=11)
    made = make_system(
        packed,
        species,
        load_forcefield("opls-clp"),
        recipe,
        charge_scale=choose_charge_scale(recipe),
    )
    context = openmm.Context(
        made.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(made.positions * unit.angstrom)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 25)
    state = context.getState(getPositions=True)
    return replace(made, positions=state.getPositions(asNumpy=True).value_in_unit(unit.angstrom))
