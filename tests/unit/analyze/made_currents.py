"""Currents and dipoles with exact answers: Ornstein-Uhlenbeck velocities, Debye dipoles."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from solvation.analyze.recording import Currents


def draw_ou(
    rng: np.random.Generator, shape: tuple[int, ...], *, step: float, time: float, variance: float
) -> np.ndarray:
    """Draw stationary Ornstein-Uhlenbeck series along the first axis."""
    keep = np.exp(-step / time)
    noise = rng.normal(size=shape) * np.sqrt(variance * (1.0 - keep**2))
    noise[0] = rng.normal(size=shape[1:]) * np.sqrt(variance)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)


def average(fine: np.ndarray, every: int) -> np.ndarray:
    """Average over the spacing of rows, as the recorder does."""
    return fine.reshape(-1, every, *fine.shape[1:]).mean(axis=1)


def make_currents(
    velocity: np.ndarray, dipole: np.ndarray, *, spacing: float, charge: tuple[float, ...],
    number: tuple[int, ...], volume: float = 3e4,
) -> Currents:  # fmt: skip
    """Wrap arrays ``(n_replicas, n_rows, n_species, 3)``."""
    n = len(charge)
    return Currents(
        species=tuple("ABCD"[:n]), number=np.array(number, float), charge=np.array(charge, float),
        mass=np.ones(n), spacing=spacing, volume=volume, velocity=velocity, dipole=dipole,
    )  # fmt: skip
