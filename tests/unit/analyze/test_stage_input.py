"""Inputs that lack something, or are awkward: what is said of each, in one line.

Truncated, empty and missing files are in ``test_scene.py``, frames without a box too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.stage import analyze_scene
from solvation.errors import TrajectoryError
from solvation.kernels.cell import box_matrix, wrap
from solvation.synthetic import make_mixture


def _breathe(system, scale):
    """Give the box a size of its own in every frame, and wrap the atoms into it."""
    scale = np.broadcast_to(scale, len(system.times))[:, None]
    boxes = system.box * np.concatenate(
        [np.repeat(scale, 3, axis=1), np.ones((len(scale), 3))], axis=1
    )
    positions = wrap(system.positions, box_matrix(boxes))
    return replace(system, box=boxes, positions=positions)


def test_wrapped_in_a_box_that_breathes_has_structure_and_transport(make_scene, rng):
    system = make_mixture(rng, n_frames=40)
    breath = 1.0 + 0.02 * np.sin(np.arange(40.0))
    found, plain = (
        {q.name: q for q in analyze_scene(make_scene(s), cutoffs={"*": 3.0})[1]}
        for s in (_breathe(system, breath), replace(system, box=_breathe(system, breath).box))
    )
    for name in ("coordination.Mg.total", "speciation.cation.free"):
        assert found[name].value == pytest.approx(plain[name].value, rel=1e-9), name
    assert found["diffusion.Mg"].note is None or "unwrap" not in found["diffusion.Mg"].note


def test_wrapped_with_frames_too_far_apart_is_structure_without_dynamics(make_scene, rng):
    system = _breathe(make_mixture(rng, n_frames=40, step=4.0), 1.0 + 0.01 * rng.normal(size=40))
    found = {q.name: q for q in analyze_scene(make_scene(system), cutoffs={"*": 3.0})[1]}
    assert found["coordination.Mg.total"].value > 0.0
    for name in ("diffusion.Mg", "conductivity.einstein"):
        assert found[name].note.startswith("frames are too far apart to unwrap this trajectory")
        assert found[name].note.endswith("save frames more often, or unwrapped coordinates")
        assert "\n" not in found[name].note


def test_a_box_that_shrinks_away_is_one_line(make_scene, rng):
    system = _breathe(make_mixture(rng, n_frames=10), np.linspace(1.0, 0.9, 10))
    with pytest.raises(TrajectoryError) as caught:
        analyze_scene(make_scene(system))
    assert str(caught.value) == (
        "the box of replica 0 has shrunk by more than 5 % in frame 5; "
        "analyze the equilibrated part only"
    )


def test_no_charges_and_an_ion_nobody_knows_is_one_line(make_scene, rng):
    """GaH is no species of the library: without charges it is neutral, and nothing is a cation."""
    system = make_mixture(rng, n_frames=2)
    elements = ["Ga", "H", "Ga", "H", *system.elements[4:]]
    bonds = np.concatenate([[[0, 1], [2, 3]], system.bonds])
    with pytest.raises(TrajectoryError) as caught:
        make_scene(replace(system, elements=tuple(elements), bonds=bonds), charges={})
    said = str(caught.value)
    assert said.startswith("no cation among")
    assert said.endswith(
        "name it with --cation SEL or --charge NAME=CHARGE, or what is a solvent with "
        "--solvent NAME=SEL"
    )
    assert "\n" not in said
    given = make_scene(replace(system, elements=tuple(elements), bonds=bonds), charges={"GaH": 2})
    assert given.find_species("GaH").role == "cation"
