"""Replicas: what each says alone, beside what all say together."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.results import check_units, load_results, save_results
from solvation.synthetic import make_mixture


def _make(seeds):
    systems = [make_mixture(np.random.default_rng(seed), n_frames=8 + seed) for seed in seeds]
    sources = [
        ArraySource(positions=s.positions, boxes=s.box, times=s.times, label=f"run-{k}")
        for k, s in enumerate(systems)
    ]
    one = systems[0]
    return scene_from_arrays(one.elements, one.bonds, sources, charges=one.charges)


def _analyze(*seeds, **choices):
    return analyze_scene(_make(seeds), cutoffs={"*": 3.0}, **choices)


@pytest.fixture(scope="module")
def three():
    return _analyze(1, 2, 3, starts=["separated", "contact", "separated"])


def test_every_replica_is_a_value_along_a_dimension(three, tmp_path):
    tree, quantities = three
    node = tree["replicas"]
    assert dict(node.sizes)["replica"] == 3
    assert node["start"].values.tolist() == ["separated", "contact", "separated"]
    assert node["trajectory"].values.tolist() == ["run-0", "run-1", "run-2"]
    for k, seed in enumerate((1, 2, 3)):
        alone = {q.name: q for q in _analyze(seed)[1]}
        mine = node["value"].isel(replica=k).to_series().dropna()
        assert len(mine) > 20
        for name, value in mine.items():
            assert value == alone[name].value, name
    check_units(tree)
    save_results(tree, tmp_path / "results.nc")
    assert "replica" in load_results(tmp_path / "results.nc")["replicas"].dims
    # All together is the mean, weighted by frames, of what each says alone.
    name = "coordination.Mg.total"
    values = node["value"].sel(quantity=name).values
    mean = np.average(values, weights=[9, 10, 11])
    (together,) = (q for q in quantities if q.name == name)
    assert together.value == pytest.approx(mean)


def test_the_difference_of_replicas_is_part_of_the_error(three):
    node = three[0]["replicas"]
    name = "coordination.Mg.total"
    values = node["value"].sel(quantity=name).values
    (together,) = (q for q in three[1] if q.name == name)
    share = np.array([9, 10, 11]) / 30
    scatter = np.sqrt((share * (values - together.value) ** 2).sum() / (1 / (share**2).sum() - 1))
    assert together.stderr >= scatter * (1 - 1e-9)


def test_starts_are_compared_where_there_are_several(three):
    assert three[0]["agreement"]["start"].values.tolist() == ["separated", "contact"]
    tree, _ = _analyze(1, 2, starts=["separated", "separated"])
    assert "agreement" not in tree
    assert "replicas" in tree


def test_one_replica_has_nothing_beside_it():
    tree, _ = _analyze(1)
    assert "replicas" not in tree
