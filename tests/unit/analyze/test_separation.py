"""Solvent-separated pairs by distance: the second minimum of g(r), found and used."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import RecipeError, TrajectoryError
from solvation.worker import open_workers


def _make_pairs(distances, *, n_frames=60, seed=5):
    """Put one F- at each distance from a Li+, nine of each kind, 20 Å from the next."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 20.0
    kind = np.arange(27) % len(distances)
    away = rng.normal(size=(n_frames, 27, 3))
    away /= np.linalg.norm(away, axis=2, keepdims=True)
    length = np.array(distances)[kind] + rng.normal(scale=0.1, size=(n_frames, 27))
    lithium = np.broadcast_to(grid, (n_frames, 27, 3))
    positions = np.concatenate([lithium, lithium + away * length[..., None]], axis=1)
    source = ArraySource(
        positions=positions, boxes=np.array([60.0, 60, 60, 90, 90, 90]),
        times=np.arange(n_frames, dtype=float),
    )  # fmt: skip
    return scene_from_arrays(["Li"] * 27 + ["F"] * 27, [], [source] * 2)


def test_pairs_within_the_second_minimum_are_solvent_separated():
    """Contacts at 2 Å, separated pairs at 5 Å, strangers at 9 Å: a third each."""
    scene = _make_pairs([2.0, 5.0, 9.0])
    (tree, _), (plain, _) = (
        analyze_scene(scene, ssip=rule, transport=False)
        for rule in ("second-minimum", "shared-solvent")
    )
    for side in ("cation", "anion"):
        np.testing.assert_allclose(tree["speciation"][side], [1 / 3, 1 / 3, 1 / 3, 0.0])
        np.testing.assert_allclose(plain["speciation"][side], [2 / 3, 0.0, 1 / 3, 0.0])
    said = tree["speciation"].attrs["ssip"]
    assert "second minimum" in said
    radius = float(said.partition('"Li-F.F": ')[2].rstrip("}"))
    assert 5.3 < radius < 8.7
    assert "solvent" in plain["speciation"].attrs["ssip"]
    with open_workers(2) as workers:
        again, _ = analyze_scene(scene, ssip="second-minimum", transport=False, workers=workers)
    np.testing.assert_array_equal(again["speciation"]["cation"], tree["speciation"]["cation"])


def test_without_contacts_the_first_peak_is_that_of_separated_pairs():
    tree, _ = analyze_scene(_make_pairs([5.0, 9.0, 9.0]), ssip="second-minimum", transport=False)
    np.testing.assert_allclose(tree["speciation"]["cation"], [2 / 3, 1 / 3, 0.0, 0.0])


def test_no_second_minimum_is_one_line():
    with pytest.raises(TrajectoryError, match=r"^Li-F: g\(r\) has no second minimum within 10.0 Å"):
        analyze_scene(_make_pairs([2.0, 2.0, 2.0]), ssip="second-minimum", transport=False)


def test_a_rule_that_is_not_known_is_one_line():
    with pytest.raises(RecipeError, match='rule "near" is not known; give shared-solvent or'):
        analyze_scene(_make_pairs([2.0]), ssip="near")
