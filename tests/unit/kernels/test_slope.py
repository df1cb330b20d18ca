"""Slopes of displacement curves against exact answers, and errors that hold the truth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from solvation.kernels.lagcovariance import displacement_covariance
from solvation.kernels.regime import find_slope, scan_windows
from solvation.kernels.slope import Curves, fit_slope
from solvation.kernels.timecorr import displacement_product, mean_squared_displacement


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def _walk(rng, n_frames, n, scale=1.0):
    return np.cumsum(rng.normal(scale=scale, size=(n_frames, n, 3)), axis=0)


def _curves(path):
    samples = mean_squared_displacement(path).T / 3.0
    return Curves(timestep=1.0, samples=samples, n_frames=len(path), copies=3.0)


def _cross(first, second):
    own, other, cross = (
        displacement_product(a, b) for a, b in ((first, first), (second, second), (first, second))
    )
    partners = (own.mean(axis=1), other.mean(axis=1))
    return Curves(timestep=1.0, samples=cross.T, n_frames=len(first), partners=partners)


def test_products_of_displacements_are_those_of_the_definition(rng):
    x, y = rng.normal(size=(2, 30, 2))
    found = displacement_product(x, y)
    for lag in (1, 7, 29):
        direct = ((x[lag:] - x[:-lag]) * (y[lag:] - y[:-lag])).mean(axis=0)
        np.testing.assert_allclose(found[lag], direct, atol=1e-12)
    np.testing.assert_allclose(
        displacement_product(x, x).sum(axis=1), mean_squared_displacement(x), atol=1e-12
    )


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_covariance_of_lags_is_that_of_many_walks(noise):
    rng = np.random.default_rng(2)
    n, lags = 100, np.array([1, 2, 5, 12, 40])
    path = np.cumsum(rng.normal(size=(n, 8000, 1)), axis=0)
    path += noise * rng.normal(size=path.shape)
    seen = np.cov(mean_squared_displacement(path)[lags])
    curve = np.arange(n) + 2.0 * noise**2 * (np.arange(n) > 0)
    found = displacement_covariance(lags, curve, n_frames=n, reach=1)
    np.testing.assert_allclose(found, displacement_covariance(lags, curve, n_frames=n), rtol=1e-12)
    scale = np.sqrt(np.outer(np.diag(seen), np.diag(seen)))
    np.testing.assert_allclose(found / scale, seen / scale, atol=0.06)


def test_covariance_of_products_knows_both_partners():
    rng = np.random.default_rng(3)
    n, lags, rho = 100, np.array([1, 3, 20]), -0.6
    first = rng.normal(size=(n, 8000))
    second = 2.0 * (rho * first + np.sqrt(1.0 - rho**2) * rng.normal(size=(n, 8000)))
    seen = np.cov(displacement_product(np.cumsum(first, axis=0), np.cumsum(second, axis=0))[lags])
    t = np.arange(float(n))
    found = displacement_covariance(lags, 2.0 * rho * t, n_frames=n, reach=1, partners=(t, 4.0 * t))
    scale = np.sqrt(np.outer(np.diag(seen), np.diag(seen)))
    np.testing.assert_allclose(found / scale, seen / scale, atol=0.06)


def test_intervals_of_walks_hold_the_truth():
    """Of 300 walks 92 to 98 % have their slope within 1.96 errors, the window found each time."""
    rng = np.random.default_rng(5)
    held = []
    for _ in range(300):
        slope = find_slope(_curves(_walk(rng, 120, 12)))
        held.append(abs(slope.slope - 1.0) < 1.96 * slope.stderr)
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.parametrize("rho", [-0.5, 0.3])
def test_intervals_of_cross_terms_hold_the_truth(rho):
    rng = np.random.default_rng(7)
    held = []
    for _ in range(150):
        first = rng.normal(size=(300, 3))
        second = rho * first + np.sqrt(1.0 - rho**2) * rng.normal(size=(300, 3))
        slope = find_slope(_cross(np.cumsum(first, axis=0), np.cumsum(second, axis=0)))
        held.append(abs(slope.slope - rho) < 1.96 * slope.stderr)
    assert 0.90 <= np.mean(held) <= 0.99


def test_independent_displacements_are_counted(rng):
    """In a window from lag k on there are about n / k of them per path, and no more."""
    counts = [
        fit_slope(_curves(_walk(rng, 2000, 20)), window=(low, 800.0)).n_effective
        for low in (1.0, 50.0)
    ]
    assert 0.1 < counts[0] / (20 * 2000) < 1.0
    assert 0.1 < counts[1] / (20 * 2000 / 50) < 1.0


def test_parts_that_disagree_widen_the_error(rng):
    quiet = _curves(_walk(rng, 400, 20))
    parts = [_curves(_walk(rng, 400, 20, scale)).mean for scale in (0.7, 0.9, 1.1, 1.3)]
    replicas = Curves(timestep=1.0, samples=np.array(parts), n_frames=400, copies=60.0)
    known = fit_slope(quiet, window=(1.0, 100.0))
    widened = fit_slope(
        Curves(timestep=1.0, samples=quiet.samples, n_frames=400, copies=3.0, parts=(replicas,)),
        window=(1.0, 100.0),
    )
    assert widened.slope == known.slope
    assert widened.stderr > 5.0 * known.stderr


def test_frozen_and_moving_molecules_are_no_single_sample(rng):
    """Half of the molecules stand still: what the mean is depends on which were drawn."""
    path = _walk(rng, 400, 20)
    path[:, ::2] *= 0.1
    slope = find_slope(_curves(path))
    assert slope.inflation > 3.0


def test_slow_beginnings_and_cages_are_left_out(rng):
    """Friction of 1/5 per step: the window starts late, and the slope is that of long times."""
    keep = np.exp(-1.0 / 5.0)
    velocity = rng.normal(size=(4000, 20, 3))
    for before, after in pairwise(velocity):
        after[:] = keep * before + np.sqrt(1.0 - keep**2) * after
    slope = find_slope(_curves(np.cumsum(velocity, axis=0)))
    exact = (1.0 + keep) / (1.0 - keep)
    assert slope.diffusive
    assert slope.low >= 20.0
    assert abs(slope.slope - exact) < 3.0 * slope.stderr < 0.3 * exact
    rattle = _curves(rng.normal(size=(400, 20, 3)))
    assert not find_slope(rattle).diffusive


def test_what_ends_in_a_cage_does_not_diffuse(rng):
    """Free at first, confined later: straight early windows are no diffusive regime."""
    path = np.empty((3000, 20, 3))
    path[0] = 0.0
    for i in range(1, len(path)):
        path[i] = 0.99 * path[i - 1] + rng.normal(size=(20, 3))
    assert not find_slope(_curves(path)).diffusive


def test_a_cross_term_that_bends_is_not_steady(rng):
    first = rng.normal(size=(4000, 3))
    second = np.cumsum(first, axis=0)
    confined = np.empty_like(second)
    confined[0] = 0.0
    for i in range(1, len(confined)):
        confined[i] = 0.995 * confined[i - 1] + first[i]
    curves = _cross(second, -confined)
    assert (curves.mean[1:10] < 0.0).all()
    found = find_slope(curves)
    assert found.slope > -0.9 or not found.diffusive


def test_slopes_with_common_weights_add_up(rng):
    first, second = _walk(rng, 300, 2).transpose(1, 0, 2)
    whole = mean_squared_displacement((first - second)[..., None]).T
    total = find_slope(Curves(timestep=1.0, samples=whole, n_frames=300))
    window = (total.low, total.high)
    parts = [
        fit_slope(_cross(a, b), window=window, weights_of=total).slope
        for a, b in ((first, first), (first, second), (second, second))
    ]
    assert parts[0] - 2.0 * parts[1] + parts[2] == pytest.approx(total.slope, rel=1e-9)


def test_nothing_that_moves_gives_exactly_nothing():
    slope = find_slope(Curves(timestep=1.0, samples=np.zeros((3, 100)), n_frames=100))
    assert (slope.slope, slope.stderr) == (0.0, 0.0)


def test_windows_are_scanned_from_early_to_late(rng):
    slopes = scan_windows(_curves(_walk(rng, 400, 10)))
    lows = [s.low for s in slopes]
    assert lows == sorted(set(lows))
    assert (lows[0], lows[-1]) == (1.0, 80.0)
    assert {s.high for s in slopes} == {160.0}
    assert slopes[-1].stderr > 2.0 * slopes[0].stderr
