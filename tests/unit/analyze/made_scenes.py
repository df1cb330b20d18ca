"""Scenes from synthetic systems."""

from __future__ import annotations

from typing import Any

from solvation.analyze.frames import ArraySource
from solvation.analyze.topology import Scene, scene_from_arrays
from solvation.synthetic import SyntheticSystem


def make_scene(system: SyntheticSystem, *, copies: int = 1, **choices: Any) -> Scene:
    """Turn a synthetic system into a scene; copies are equal replicas."""
    source = ArraySource(positions=system.positions, boxes=system.box, times=system.times)
    choices = {"charges": system.charges, "name": system.name, **choices}
    return scene_from_arrays(system.elements, system.bonds, [source] * copies, **choices)
