"""MSDs against their definition, correlation times against known processes."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.kernels.timecorr import (
    autocovariance,
    mean_squared_displacement,
    statistical_inefficiency,
)


def test_msd_is_its_definition():
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(size=(17, 3, 3)), axis=0) + 1e4
    by_hand = [((path[k:] - path[: len(path) - k]) ** 2).sum(-1).mean(0) for k in range(17)]
    np.testing.assert_allclose(mean_squared_displacement(path), by_hand, atol=1e-6)


def test_autocovariance_is_its_definition():
    x = np.random.default_rng(1).normal(size=30)
    d = x - x.mean()
    by_hand = [(d[k:] * d[: len(d) - k]).mean() for k in range(30)]
    np.testing.assert_allclose(autocovariance(x), by_hand, atol=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_inefficiency_of_an_autoregressive_process(rho):
    rng = np.random.default_rng(2)
    noise = rng.normal(size=40_000)
    x = np.empty_like(noise)
    x[0] = noise[0]
    for i in range(1, len(x)):
        x[i] = rho * x[i - 1] + np.sqrt(1 - rho**2) * noise[i]
    assert statistical_inefficiency(x) == pytest.approx((1 + rho) / (1 - rho), rel=0.15)


def test_a_constant_series_is_one_sample():
    assert statistical_inefficiency(np.full(50, 0.3)) == 50.0
    assert statistical_inefficiency([1.0]) == 1.0
