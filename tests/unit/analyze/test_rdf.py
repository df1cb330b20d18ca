"""g(r) of systems known by thought."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.rdf import RDF, collect_rdfs, find_first_peak, peak_error
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import TrajectoryError
from solvation.synthetic import make_ideal_gas, make_lattice


def test_an_ideal_gas_is_flat(make_scene, rng):
    scene = make_scene(make_ideal_gas(rng, n=60, n_frames=60))
    parts = run_analyzers(scene, [RDF(a="Li", b="F.F", r_max=9.0, width=0.5)])
    found = collect_rdfs(parts, ["Li-F.F"]).isel(pair=0)
    score = (found["g"] - 1.0) / found["g_stderr"]
    assert found["g"].values[2:] == pytest.approx(1.0, abs=0.1)
    assert np.abs(score.values[2:]).mean() < 2.0
    volume = 4.0 / 3.0 * np.pi * 9.0**3
    assert float(found["running"][-1]) == pytest.approx(60 * volume / 20.0**3, rel=0.02)


def test_a_point_is_not_its_own_neighbour(make_scene, rng):
    scene = make_scene(make_ideal_gas(rng, n=60, n_frames=60))
    parts = run_analyzers(scene, [RDF(a="F", b="F.F", r_max=9.0, width=1.0)])
    _, g, _ = parts["F-F.F"].total().result()
    assert g[1:] == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("skew", [0, 1])
def test_a_lattice_has_its_shells(make_scene, skew):
    scene = make_scene(make_lattice(spacing=2.0, skew=skew))
    parts = run_analyzers(scene, [RDF(a="Li", b="F.F"), RDF(a="Li", b="Li")])
    counts = parts["Li-F.F"].total()
    r, _, running = counts.result()
    for radius, number in ((1.9, 0), (2.1, 6), (3.6, 14), (4.6, 38)):
        assert running[np.searchsorted(r, radius)] == pytest.approx(number)
    assert find_first_peak(counts, 2.0) == pytest.approx(2.0, abs=0.02)
    assert peak_error(parts["Li-F.F"], 2.0) == pytest.approx(0.025 / 6.0, rel=0.01)
    r, _, running = parts["Li-Li"].total().result()
    assert running[np.searchsorted(r, 2.9)] == pytest.approx(12)


def test_r_max_stays_within_half_the_box(make_scene, rng):
    scene = make_scene(make_ideal_gas(rng, n=5, n_frames=2, edge=12.0))
    counts = run_analyzers(scene, [RDF(a="Li", b="F.F")])["Li-F.F"].total()
    assert len(counts.counts) * counts.width == pytest.approx(5.7)


def test_a_box_that_shrinks_is_refused(rng):
    gas = make_ideal_gas(rng, n=5, n_frames=2, edge=12.0)
    boxes = np.array([gas.box, gas.box * [0.9, 0.9, 0.9, 1, 1, 1]])
    source = ArraySource(positions=gas.positions, boxes=boxes, times=gas.times)
    scene = scene_from_arrays(gas.elements, gas.bonds, [source], charges=gas.charges)
    with pytest.raises(TrajectoryError, match="shrunk by more than 5 % in frame 1"):
        run_analyzers(scene, [RDF(a="Li", b="F.F")])
