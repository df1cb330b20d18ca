"""Scenes and chance, as fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from .made_scenes import make_scene as _make


@pytest.fixture
def make_scene():
    return _make


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2026)
