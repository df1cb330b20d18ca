"""Green–Kubo: known integrals, agreement with Einstein, and a spacing that does not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from solvation.analyze.green_kubo import (
    doubt_integral,
    measure_current_correlation,
    summarize_current_correlation,
)
from solvation.analyze.integral import integrate_correlation, run_integral
from solvation.analyze.recording import load_currents, load_stresses
from solvation.analyze.viscosity import measure_viscosity, split_shear, summarize_viscosity
from solvation.errors import WorkspaceError
from solvation.kernels.timecorr import mean_squared_displacement
from solvation.record import CURRENTS, STRESS, write_header
from solvation.units import BOLTZMANN, ELEMENTARY_CHARGE

from .made_currents import average, draw_ou, make_currents

TEMPERATURE, VOLUME = 300.0, 3e4
UNIT = 10.0 * ELEMENTARY_CHARGE**2 * 1e22 / (VOLUME * BOLTZMANN * TEMPERATURE)
"""mS/cm in a (e Å)2/ps of the one-dimensional integral."""


def make_ions(rng: np.random.Generator, *, n_rows: int = 4000, n_replicas: int = 1):
    """Draw 20 ions of +2 and 40 of -1, velocities with 0.4 and 0.2 ps of memory, independent."""
    fine = [
        np.stack(
            [
                draw_ou(rng, (5 * n_rows, n, 3), step=0.01, time=time, variance=var).sum(axis=1)
                for n, time, var in ((20, 0.4, 1.5), (40, 0.2, 2.5))
            ],
            axis=1,
        )
        for _ in range(n_replicas)
    ]
    velocity = np.array([average(v, 5) for v in fine])
    made = make_currents(
        velocity, np.zeros_like(velocity), spacing=0.05, charge=(1.6, -0.8), number=(20, 40)
    )
    exact = UNIT * (4 * 20 * 1.5 * 0.4 + 40 * 2.5 * 0.2)
    return made, exact


def test_ornstein_uhlenbeck_ions_conduct_what_they_must_and_einstein_agrees() -> None:
    currents, exact = make_ions(np.random.default_rng(7))
    node = measure_current_correlation(currents, {"A": 2, "B": -1}, temperature=TEMPERATURE)
    assert node is not None
    value, error = float(node["green_kubo"]), float(node["green_kubo_stderr"])
    # A spectrum scatters in proportion to itself: what came out low says too small an error.
    assert abs(value - exact) < 3 * error * exact / value
    assert 0.01 * exact < error < 0.2 * exact
    # The same ions by Einstein: the slope of the displacement of their charge.
    moved = np.cumsum(currents.charge_current([2, -1]), axis=1) * currents.spacing
    msd = np.array([mean_squared_displacement(row[:, None]) for row in moved])
    lags = np.array([100, 200])
    slope = np.diff(msd[:, lags], axis=1)[:, 0] / (100 * currents.spacing) / 2
    scatter = UNIT * slope.std(ddof=1) / np.sqrt(3) + 0.08 * exact
    assert abs(UNIT * slope.mean() - value) < 3 * np.hypot(error, scatter)
    # At a tenth of the run, where the running integral must have come to its end.
    lag, running = node["lag"].values, node["running"].values
    assert running[np.searchsorted(lag, 3.0)] == pytest.approx(exact, rel=0.25)
    (quantity,) = summarize_current_correlation(node)
    assert (quantity.name, quantity.unit) == ("conductivity.green_kubo", "mS/cm")


@pytest.mark.slow
def test_intervals_hold_the_conductivity() -> None:
    """95 % intervals of 300 realisations, 200 ps each."""
    held, values = 0, []
    for seed in range(300):
        currents, exact = make_ions(np.random.default_rng(seed))
        node = measure_current_correlation(currents, {"A": 2, "B": -1}, temperature=TEMPERATURE)
        assert node is not None
        value, error = float(node["green_kubo"]), float(node["green_kubo_stderr"])
        held += abs(value - exact) < 1.96 * error
        values.append(value / exact)
    assert 0.92 <= held / 300 <= 0.98, f"{held / 300:.1%} of the intervals hold the truth"
    assert np.mean(values) == pytest.approx(1.0, abs=0.03)


def test_the_spacing_of_rows_does_not_bias_the_integral() -> None:
    """Means over five correlation times still have the spectrum at zero; samples have not."""
    rng = np.random.default_rng(3)
    fine = draw_ou(rng, (200_000, 6), step=0.02, time=0.1, variance=1.0)
    means = average(fine, 25)
    found = integrate_correlation(means.T, prefactor=1.0, spacing=0.5)
    assert abs(found.value - 0.1) < 3 * found.stderr
    assert found.stderr < 0.01
    samples = fine[::25]
    wrong = integrate_correlation(samples.T, prefactor=1.0, spacing=0.5)
    assert wrong.value > 2.0 * found.value


def test_ions_that_move_in_pairs_conduct_nothing() -> None:
    rng = np.random.default_rng(5)
    own = np.moveaxis(draw_ou(rng, (2000, 1, 1, 3), step=0.05, time=0.4, variance=30.0), 1, 0)
    velocity = np.concatenate([own, own], axis=2)
    cage = np.diff(rng.normal(scale=0.05, size=(1, 2001, 1, 3)), axis=1) / 0.05
    velocity[:, :, :1] += cage
    made = make_currents(
        velocity, np.zeros_like(velocity), spacing=0.05, charge=(1, -1), number=(9, 9)
    )
    node = measure_current_correlation(made, {"A": 1, "B": -1}, temperature=TEMPERATURE)
    alone = measure_current_correlation(made, {"A": 1}, temperature=TEMPERATURE)
    assert node is not None
    assert alone is not None
    assert float(node["green_kubo"]) < 0.01 * float(alone["green_kubo"])


def test_a_short_recording_gives_nothing_and_few_frequencies_are_said() -> None:
    currents, _ = make_ions(np.random.default_rng(7), n_rows=200)
    charge = {"A": 2, "B": -1}
    assert measure_current_correlation(currents, charge, temperature=TEMPERATURE) is None
    currents, _ = make_ions(np.random.default_rng(7), n_rows=600)
    assert measure_current_correlation(currents, {}, temperature=TEMPERATURE) is None
    node = measure_current_correlation(currents, charge, temperature=TEMPERATURE)
    assert node is not None
    node["n_independent"] = 7.0
    assert "7.0 independent stretches, fewer than 10" in doubt_integral(node)[0]
    node["cost_zscore"] = 5.0
    assert "misfit 5.0 standard deviations" in doubt_integral(node)[1]
    assert summarize_current_correlation(node)[0].status == "not_converged"


def test_the_running_integral_is_the_sum_of_the_correlation() -> None:
    x = np.random.default_rng(2).normal(size=(2, 500))
    lag, running = run_integral(x, prefactor=2.0, spacing=0.5, longest=5.0)
    own = [(x[:, : 500 - k] * x[:, k:]).sum() / (2 * (500 - k)) for k in range(11)]
    expected = np.concatenate([[0], np.cumsum(np.add(own[1:], own[:-1]) * 0.5)]) * 2.0 * 0.5
    np.testing.assert_allclose(running, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(lag, 0.5 * np.arange(11))


def test_shear_components_have_one_variance_in_an_isotropic_liquid() -> None:
    """Rotating a tensor turns any component into any other; all five must weigh the same."""
    rng = np.random.default_rng(4)
    symmetric = rng.normal(size=(200_000, 3, 3))
    symmetric = symmetric + np.swapaxes(symmetric, 1, 2)  # this ensemble is isotropic
    rows = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    shear = split_shear(np.stack([symmetric[:, a, b] for a, b in rows], axis=1))
    np.testing.assert_allclose(np.cov(shear.T), 2.0 * np.eye(5), atol=0.04)


def write_stress(folder: Path, rng: np.random.Generator, *, time: float, eta: float) -> None:
    folder.mkdir()
    n, spacing = 6_000, 0.04
    variance = eta * BOLTZMANN * TEMPERATURE / (1e-29 * VOLUME * time)
    rows = np.empty((n, 6))
    diagonal = draw_ou(rng, (n, 3), step=spacing, time=time, variance=2.0 * variance)
    rows[:, :3] = 1.0 + diagonal
    rows[:, 3:] = draw_ou(rng, (n, 3), step=spacing, time=time, variance=variance)
    columns, about = ["xx", "yy", "zz", "xy", "xz", "yz"], {"volume": VOLUME}
    write_header(folder / STRESS, spacing=spacing, start=0.0, columns=columns, about=about)
    with (folder / STRESS).open("ab") as stream:
        stream.write(rows.astype("<f4").tobytes())


def test_a_maxwell_liquid_has_the_viscosity_of_its_modulus_and_time(tmp_path: Path) -> None:
    write_stress(tmp_path / "a", np.random.default_rng(11), time=0.5, eta=0.7)
    stresses = load_stresses([tmp_path / "a"])
    assert stresses is not None
    node = measure_viscosity(stresses, temperature=TEMPERATURE)
    assert node is not None
    value, error = float(node["viscosity"]), float(node["viscosity_stderr"])
    assert abs(value - 0.7) < 3 * error
    assert error < 0.1
    (quantity,) = summarize_viscosity(node)
    assert (quantity.name, quantity.unit) == ("viscosity", "mPa s")


def write_currents(folder: Path, rows: np.ndarray, *, names: tuple[str, ...] = ("K", "Cl")) -> None:
    folder.mkdir()
    about = {
        "species": {
            name: {"number": 2, "charge": 1.0 - 2 * k, "mass": 30.0 * (k + 1), "first": 2 * k}
            for k, name in enumerate(names)
        },
        "volume": 1e3,
    }
    columns = [f"{kind}.{n}.{x}" for kind in ("velocity", "dipole") for n in names for x in "xyz"]
    write_header(folder / CURRENTS, spacing=0.02, start=0.0, columns=columns, about=about)
    with (folder / CURRENTS).open("ab") as stream:
        stream.write(rows.astype("<f4").tobytes())


def test_the_drift_of_the_box_is_taken_out_and_replicas_are_cut_to_the_shortest(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(9, 12))
    write_currents(tmp_path / "a", rows)
    write_currents(tmp_path / "b", rows[:7])
    found = load_currents([tmp_path / "a", tmp_path / "b"], names={0: "potassium"})
    assert found is not None
    assert found.species == ("potassium", "Cl")
    assert found.velocity.shape == found.dipole.shape == (2, 7, 2, 3)
    np.testing.assert_allclose(np.einsum("s,rtsk->rtk", found.mass, found.velocity), 0, atol=1e-5)
    flow = rows[:7, :6].reshape(7, 2, 3)
    drift = (30 * flow[:, 0] + 60 * flow[:, 1]) / 180
    np.testing.assert_allclose(found.velocity[0, :, 0], flow[:, 0] - 2 * drift, atol=1e-5)
    assert load_currents([tmp_path / "a", tmp_path / "c"]) is None
    write_currents(tmp_path / "d", rows, names=("K", "Br"))
    with pytest.raises(WorkspaceError, match="different species"):
        load_currents([tmp_path / "a", tmp_path / "d"])
