"""Permittivity against what is known of dipoles that do not see each other."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels.dielectric import measure_permittivity


def test_free_dipoles_obey_debye() -> None:
    r"""N dipoles that point anywhere: :math:`\varepsilon = 1 + N\mu^2/(3\varepsilon_0 V k T)`.

    The right-hand side is in SI units, from the constants.
    """
    rng = np.random.default_rng(5)
    n, n_frames, volume, temperature, debye = 200, 4000, 30000.0, 298.15, 1.7
    directions = rng.normal(size=(n_frames, n, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    moment = debye * 3.33564095e-30  # C m
    dipoles = directions.sum(axis=1) * moment / 1.602176634e-19 * 1e10  # e Å
    exact = 1.0 + n * moment**2 / (
        3.0 * 8.8541878128e-12 * volume * 1e-30 * 1.380649e-23 * temperature
    )
    value, stderr = measure_permittivity(dipoles, volume=volume, temperature=temperature)
    assert abs(value - exact) < 4.0 * stderr
    assert 0.0 < stderr < 0.05 * exact


def test_error_bars_hold_the_truth_when_the_dipole_is_correlated() -> None:
    """Ornstein–Uhlenbeck dipoles of known variance: 2 errors hold it 95 % of the time."""
    rng = np.random.default_rng(11)
    n_frames, decay, hits = 2000, np.exp(-1 / 10.0), 0
    exact = measure_permittivity(np.ones((2, 3)), volume=1e4, temperature=300.0)[0]  # <M2> = 3
    for _ in range(100):
        noise = rng.normal(scale=np.sqrt(1 - decay**2), size=(n_frames, 3))
        dipole = np.empty((n_frames, 3))
        dipole[0] = rng.normal(size=3)
        for i in range(1, n_frames):
            dipole[i] = decay * dipole[i - 1] + noise[i]
        value, stderr = measure_permittivity(dipole, volume=1e4, temperature=300.0)
        hits += abs(value - exact) < 2.0 * stderr
    assert 86 <= hits <= 100


def test_what_is_no_series_of_vectors_is_refused() -> None:
    for bad in (np.zeros((4, 2)), np.zeros(3), np.zeros((1, 3))):
        with pytest.raises(ValueError, match="give \\(n_frames, 3\\)"):
            measure_permittivity(bad, volume=1.0, temperature=300.0)
