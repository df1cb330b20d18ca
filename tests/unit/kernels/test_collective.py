"""Products of collective displacements, their slopes and errors, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from solvation.kernels.collective import (
    change_frame,
    count_samples,
    cross_displacement,
    functional_error,
    multiply_steps,
    weigh_lags,
    widen_few,
)
from solvation.kernels.timecorr import mean_squared_displacement


@pytest.fixture
def rng():
    return np.random.default_rng(2026)


def test_products_are_those_of_all_pairs_of_times(rng):
    x = rng.normal(size=(30, 3, 2)).cumsum(axis=0)
    found = cross_displacement(x)
    for lag in (1, 7, 29):
        step = x[lag:] - x[:-lag]
        slow = np.einsum("tak,tbk->ab", step, step) / len(step)
        np.testing.assert_allclose(found[lag], slow, atol=1e-9)
    np.testing.assert_allclose(cross_displacement(x, 8), found[:8])
    diagonal = np.diagonal(found, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal, mean_squared_displacement(x), atol=1e-9)
    np.testing.assert_allclose(multiply_steps(x, [1, 7]).sum(axis=1), found[[1, 7]], atol=1e-9)


def test_opposite_motion_has_a_negative_product():
    x = np.arange(10.0)[:, None, None] * np.array([[1.0], [-2.0]])
    assert cross_displacement(x)[3, 0, 1] == pytest.approx(-18.0)


def test_the_frame_of_one_species_lets_it_rest():
    counts, masses = [2, 4, 10], [24.0, 35.0, 18.0]
    frame = change_frame(counts, masses, [False, False, True])
    np.testing.assert_allclose(frame[2], 0.0)
    # A common velocity is no motion in any frame.
    np.testing.assert_allclose(frame @ np.array(counts), 0.0, atol=1e-12)
    both = change_frame(counts, masses, [False, True, True])
    np.testing.assert_allclose(np.array(masses)[1:] @ both[1:], 0.0, atol=1e-12)


def test_slopes_do_not_see_a_constant_and_find_a_line():
    fit = weigh_lags(300, 5, 20)
    assert fit.weights.sum() == pytest.approx(0.0, abs=1e-12)
    assert fit.weights @ (3.0 + 0.7 * fit.lags) == pytest.approx(0.7)
    # More noise makes the same run worth less.
    assert weigh_lags(300, 5, 20, 10.0).n_effective < 0.8 * fit.n_effective
    with pytest.raises(ValueError, match="0 < low < high"):
        weigh_lags(10, 5, 20)


def test_slopes_scatter_as_the_number_of_samples_says(rng):
    fit = weigh_lags(200, 4, 8)
    walks = rng.normal(size=(200, 4000, 1)).cumsum(axis=0)
    curves = mean_squared_displacement(walks)
    slopes = fit.weights @ curves[fit.lags]
    assert slopes.mean() == pytest.approx(1.0, abs=4.0 * slopes.std() / 63.0)
    assert 2.0 / slopes.var() == pytest.approx(fit.n_effective, rel=0.1)
    # And so does the displacement over a single lag.
    assert 2.0 * 16.0 / curves[4].var() == pytest.approx(count_samples(200, [4])[0], rel=0.1)


@pytest.mark.parametrize("n", [6.0, 12.0, 50.0])
def test_widened_errors_hold_a_mean_of_squares(n):
    """Exactly 95 % by the distribution itself, which is drawn here."""
    drawn = stats.chi2.rvs(n, size=40_000, random_state=1) / n
    error = drawn * np.sqrt(2.0 / n)
    held = np.abs(drawn - 1.0) < 1.959964 * widen_few(n) * error
    assert held.mean() == pytest.approx(0.95, abs=0.005)
    bare = np.abs(drawn - 1.0) < 1.959964 * error
    assert bare.mean() < 0.94


def test_errors_of_functions_are_those_that_are_seen(rng):
    truth = np.array([[2.0, -1.0], [-1.0, 3.0]])
    root = np.linalg.cholesky(truth)
    n = 40
    drawn = rng.normal(size=(5000, n, 2)) @ root.T
    seen = np.einsum("sna,snb->sab", drawn, drawn) / n
    for gradient in ([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.5, 0.0]], [[4.0, -2.0], [-2.0, 1]]):
        values = np.einsum("ab,sab->s", np.array(gradient), seen)
        assert functional_error(truth, gradient, n) == pytest.approx(values.std(), rel=0.05)
