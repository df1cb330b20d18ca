"""Paths of centres of mass, wrapped and not."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze import unwrapping
from solvation.analyze.centre import Centres, find_path
from solvation.analyze.driver import run_analyzers
from solvation.kernels.cell import box_matrix, wrap
from solvation.synthetic import make_mixture


def _walk(rng, *, n_frames=60, step=0.3, edge=15.0, n=20):
    path = np.cumsum(rng.normal(scale=step, size=(n_frames, n, 3)), axis=0)
    path += rng.random((n, 3)) * edge
    path -= path.mean(axis=1, keepdims=True)
    matrix = np.repeat(box_matrix([edge] * 3 + [90.0] * 3)[None], n_frames, axis=0)
    return np.arange(n_frames) * 2.0, path, matrix, np.ones(n)


def test_centres_are_weighted_by_mass(make_scene, rng):
    scene = make_scene(make_mixture(rng, n_frames=4))
    (path,) = run_analyzers(scene, [Centres()])["centres"].total().result()
    x = scene.sources[0].positions
    first = scene.find_species("water").atoms[0]
    centre = (x[:, first] * scene.masses[first][:, None]).sum(1) / scene.masses[first].sum()
    drift = (x * scene.masses[:, None]).sum(1) / scene.masses.sum()
    molecule = int(scene.molecule[first[0]])
    np.testing.assert_allclose(path.positions[:, molecule], centre - drift, atol=1e-9)


def test_wrapped_paths_are_unwrapped(rng):
    times, path, matrix, mass = _walk(rng)
    found = find_path(0, times, wrap(path, matrix), matrix, mass)
    assert found.unwrapped
    assert found.problem is None
    assert found.timestep == pytest.approx(2.0)
    steps = np.diff(path, axis=0)
    np.testing.assert_allclose(np.diff(found.positions, axis=0), steps, atol=1e-9)


def test_unwrapped_paths_are_left_alone(rng):
    times, path, matrix, mass = _walk(rng, step=8.0)
    found = find_path(0, times, path, matrix, mass)
    assert not found.unwrapped
    assert found.problem is None
    np.testing.assert_allclose(found.positions, path, atol=1e-9)


def test_steps_too_long_to_unwrap_are_a_problem(rng):
    times, path, matrix, mass = _walk(rng, step=3.0)
    found = find_path(0, times, wrap(path, matrix), matrix, mass)
    assert "too far apart to unwrap" in found.problem


def test_times_must_be_even(rng):
    times, path, matrix, mass = _walk(rng)
    times[7] += 0.5
    assert "not evenly spaced" in find_path(0, times, path, matrix, mass).problem
    none = np.full(len(times), np.nan)
    assert "no times" in find_path(0, none, path, matrix, mass).problem
    alone = find_path(0, times[:1], path[:1], matrix[:1], mass)
    assert "single frame" in alone.problem


def test_times_rounded_to_single_precision_are_even(rng):
    _, path, matrix, mass = _walk(rng)
    times = (1e5 + 0.1 * np.arange(len(path))).astype(np.float32).astype(float)
    assert find_path(0, times, path, matrix, mass).problem is None


@pytest.mark.parametrize("angles", [[90.0, 90.0, 90.0], [70.0, 80.0, 110.0]])
def test_breathing_boxes_are_unwrapped_piece_by_piece(rng, angles, monkeypatch):
    """NPT, any cell: each step is the nearest image in the later box, whatever the pieces."""
    monkeypatch.setattr(unwrapping, "_BYTES", 24 * 30 * 7)
    n = 100
    scale = np.exp(0.01 * rng.normal(size=n))
    matrix = box_matrix([18.0, 20.0, 22.0, *angles])[None] * scale[:, None, None]
    path = np.cumsum(rng.normal(scale=0.6, size=(n, 30, 3)), axis=0) + 10.0
    images = wrap(path, matrix)
    found = find_path(0, np.arange(float(n)), images.copy(), matrix, np.ones(30))
    assert found.unwrapped
    assert found.problem is None
    fraction = np.matmul(np.diff(images, axis=0), np.linalg.inv(matrix[1:]))
    steps = np.diff(images, axis=0) - np.matmul(np.round(fraction), matrix[1:])
    steps -= steps.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(np.diff(found.positions, axis=0), steps, atol=1e-9)


def test_molecules_that_leave_the_cell_a_little_are_still_wrapped(rng):
    """Long molecules: centres spread over 1.5 cells, but jumps are whole cells."""
    times, path, matrix, mass = _walk(rng, n_frames=300)
    images = wrap(path, matrix)
    images[:, ::2, 0] += 0.5 * 15.0
    found = find_path(0, times, images, matrix, mass)
    assert found.unwrapped
    np.testing.assert_allclose(np.diff(found.positions, axis=0), np.diff(path, axis=0), atol=1e-9)


def test_one_step_of_nearly_half_a_box_is_refused(rng):
    times, path, matrix, mass = _walk(rng, n_frames=300, step=0.2)
    path[150:, 3, 1] += 0.47 * 15.0
    found = find_path(0, times, wrap(path, matrix), matrix, mass)
    assert "too far apart to unwrap" in found.problem
    assert "\n" not in found.problem


def test_what_was_seen_may_lie_on_disk(make_scene, rng):
    """The driver spools tracks; joining them again changes nothing."""
    from solvation.analyze.spool import Spool

    scene = make_scene(make_mixture(rng, n_frames=9))
    one, two = (Centres().start(scene) for _ in range(2))
    spool = Spool()
    for start in (0, 4):
        piece = Centres().start(scene)
        for block in scene.iterate(0, start, start + 4 if start == 0 else 9):
            one.add(block)
            piece.add(block)
        piece.spill(spool)
        two = two + piece
    assert all(isinstance(t.centres, np.memmap) for t in two.tracks)
    np.testing.assert_array_equal(one.result()[0].positions, two.result()[0].positions)
