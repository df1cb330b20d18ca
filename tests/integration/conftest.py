"""A box so small that the whole road takes seconds; its physics is not to be trusted."""

from __future__ import annotations

import pytest

import solvation
from solvation.recipe import parse_recipe

TINY = {
    "name": "tiny",
    "title": "Two Mg(TFSI)2 in DME",
    "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.7 mol/L"}],
    "solvent": [{"name": "DME"}],
    "model": {"cutoff": "7 angstrom"},
    "box": {"cations": 2},
    "protocol": {
        "profile": "quick",
        "heat_time": "0.4 ps",
        "anneal_time": "0.8 ps",
        "density_time": "1.2 ps",
        "density_time_max": "2 ps",
        "production_time": "8 ps",
        "report_interval": "0.2 ps",
        "checkpoint_interval": "0.4 ps",
    },
}


@pytest.fixture(scope="session")
def tiny_recipe() -> solvation.Recipe:
    return parse_recipe(TINY)


@pytest.fixture(scope="session")
def tiny_run(tiny_recipe, tmp_path_factory) -> solvation.Run:
    """Both starts, all four stages."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = parse_recipe(
        {
            **TINY,
            "protocol": {**TINY["protocol"], "starts": ["separated", "contact"], "replicas": 2},
        }
    )
    return solvation.run(recipe, folder)
