"""The same trajectories in kinisi: diffusion coefficients agree within combined errors."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.diffusion import A2_PER_PS, collect_displacements
from solvation.analyze.driver import run_analyzers
from solvation.analyze.scene import open_scene
from solvation.kernels.slope import fit_slope
from solvation.synthetic import make_random_walk

from .kinisi_peer import measure_with_kinisi

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kinisi") is None,
    reason="kinisi is not installed; pip install solvation[peers]",
)


def _measure(path, molecules, window):
    moved = collect_displacements([path], molecules, timestep=path.timestep, n_lags=len(path.times))
    slope = fit_slope(moved.to_curves(), window=window)
    return slope.slope / 2.0 * A2_PER_PS, slope.stderr / 2.0 * A2_PER_PS


def _compare(path, molecules, window):
    ours, error = _measure(path, molecules, window)
    theirs, spread = measure_with_kinisi(
        path.positions[:, molecules], timestep=path.timestep, start=window[0], longest=window[1]
    )
    assert abs(ours - theirs) < 2.0 * np.hypot(error, spread)


def test_random_walk(make_paths):
    scene, path = make_paths(make_random_walk(np.random.default_rng(3), n=50, n_frames=400))
    _compare(path, scene.find_species("Mg").molecules, (1.0, 160.0))


@pytest.mark.parametrize("name", ["Mg", "TFSI", "DME"])
def test_magnesium_electrolyte(data, name):
    folder = data / "mg_tfsi_dme"
    scene = open_scene(folder / "topology.data", folder / "traj.xtc")
    (path,) = run_analyzers(scene, [Centres()])["centres"].total().result()
    _compare(path, scene.find_species(name).molecules, (500.0, 2000.0))


@pytest.fixture
def make_paths():
    from solvation.analyze.frames import ArraySource
    from solvation.analyze.topology import scene_from_arrays

    def make(system):
        source = ArraySource(positions=system.positions, boxes=system.box, times=system.times)
        scene = scene_from_arrays(
            system.elements, system.bonds, [source], charges=system.charges, name=system.name
        )
        (path,) = run_analyzers(scene, [Centres()])["centres"].total().result()
        return scene, path

    return make
