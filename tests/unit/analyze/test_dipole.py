"""Permittivity of molecules that turn freely, which Debye's formula gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from solvation.analyze.dipole import spread_charges
from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import Scene, scene_from_arrays
from solvation.results import check_units

N, EDGE, TEMPERATURE = 60, 25.0, 300.0
CHARGES = {"ACN": [0.0, 0.3, -0.3, 0.0, 0.0, 0.0]}
"""e; 1.16 Å apart."""
SHAPE = np.array(
    [[0, 0, 0], [1.46, 0, 0], [2.62, 0, 0], [-0.4, 1, 0], [-0.4, -0.5, 0.9], [-0.4, -0.5, -0.9]]
)


def make_turning(n_frames: int, *, replicas: int = 1, seed: int = 3) -> Scene:
    """Acetonitriles at fixed places, each turned anew in every frame; some across the walls."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0.0, EDGE, size=(N, 3))
    sources = []
    for _ in range(replicas):
        turns = Rotation.random(n_frames * N, random_state=rng).as_matrix()
        turns = turns.reshape(n_frames, N, 3, 3)
        positions = places[:, None, :] + np.einsum("fnxy,ay->fnax", turns, SHAPE)
        positions = np.mod(positions, EDGE).reshape(n_frames, 6 * N, 3)
        box = np.array([EDGE, EDGE, EDGE, 90.0, 90.0, 90.0])
        times = np.arange(n_frames, dtype=float)
        sources.append(ArraySource(positions=positions, boxes=box, times=times))
    one = np.array([[0, 1], [1, 2], [0, 3], [0, 4], [0, 5]])
    bonds = (6 * np.arange(N)[:, None, None] + one).reshape(-1, 2)
    return scene_from_arrays(("C", "C", "N", "H", "H", "H") * N, bonds, sources)


def test_molecules_that_turn_freely_obey_debye() -> None:
    moment = 0.3 * 1.602176634e-19 * 1.16e-10  # C m
    exact = 1.0 + N * moment**2 / (
        3 * 8.8541878128e-12 * (EDGE * 1e-10) ** 3 * 1.380649e-23 * TEMPERATURE
    )
    tree, quantities = analyze_scene(
        make_turning(600, replicas=2), temperature=TEMPERATURE, partial_charges=CHARGES
    )
    check_units(tree)
    found = next(q for q in quantities if q.name == "permittivity")
    assert found.status == "ok"
    assert found.stderr is not None
    assert found.value == pytest.approx(exact, abs=4 * found.stderr)
    assert 0.0 < found.stderr < 0.1 * (exact - 1.0)


def test_few_frames_are_not_converged() -> None:
    _, quantities = analyze_scene(make_turning(6), temperature=TEMPERATURE, partial_charges=CHARGES)
    found = next(q for q in quantities if q.name == "permittivity")
    assert found.status == "not_converged"
    assert "fewer than 10" in str(found.note)


@pytest.mark.parametrize(
    "choices",
    [
        {"temperature": TEMPERATURE},
        {"partial_charges": CHARGES},
        {"temperature": TEMPERATURE, "partial_charges": {"ACN": [0.3, -0.3]}},
    ],
    ids=["no charges", "no temperature", "too few charges"],
)
def test_without_charges_or_temperature_there_is_none(choices: dict) -> None:
    tree, quantities = analyze_scene(make_turning(20), **choices)
    assert "permittivity" not in {q.name for q in quantities}
    assert "permittivity" not in tree.children


def test_charges_go_to_the_atoms_of_their_molecule() -> None:
    charges = spread_charges(make_turning(2), CHARGES)
    assert charges is not None
    np.testing.assert_array_equal(charges.reshape(N, 6), np.tile(CHARGES["ACN"], (N, 1)))
