"""Permittivity with ions: rotation, travel and what they share, each against a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.dielectric import measure_dielectric, summarize_dielectric
from solvation.kernels.dielectric import (
    dielectric_factor,
    find_relaxation,
    measure_permittivity,
    transform_relaxation,
)

from .made_currents import average, draw_ou, make_currents

TEMPERATURE, VOLUME = 300.0, 3e4
FACTOR = dielectric_factor(volume=VOLUME, temperature=TEMPERATURE)


@pytest.mark.parametrize("step", [0.02, 0.5])
def test_an_exponential_gives_debye(step: float) -> None:
    lag, frequency = np.arange(0, 150, step), np.logspace(-3, np.log10(0.4 / step), 25)
    found = transform_relaxation(lag, np.exp(-lag / 5.0), frequency)
    exact = 1.0 / (1.0 - 2j * np.pi * frequency * 5.0)
    np.testing.assert_allclose(found, exact, atol=2e-4 if step < 0.1 else 2e-3)


def test_two_debye_terms_obey_kramers_and_kronig() -> None:
    """The loss, integrated over the logarithm of the frequency, is the strength times pi / 2."""
    lag, frequency = np.arange(0, 200, 0.02), np.logspace(-4.5, 1.2, 400)
    relaxation = 3.0 * np.exp(-lag / 8.0) + 1.0 * np.exp(-lag / 0.3)
    loss = transform_relaxation(lag, relaxation, frequency).imag
    assert np.trapezoid(loss, np.log(frequency)) == pytest.approx(4.0 * np.pi / 2, rel=0.01)


def make_liquid(rng: np.random.Generator, *, couple: float, n_rows: int = 12_000):
    """Make a Debye dipole and two kinds of ions whose current has memory, and part of the dipole's.

    The travelling moment is that of an Ornstein-Uhlenbeck current plus ``couple`` times the
    dipole: its parts of the permittivity are minus variance times time squared, and so on.
    """
    step, every = 0.02, 5
    dipole = draw_ou(rng, (1 + n_rows * every, 3), step=step, time=2.5, variance=40.0)
    flow = draw_ou(rng, (n_rows * every, 3), step=step, time=0.5, variance=30.0)
    flow += couple * np.diff(dipole, axis=0) / step
    velocity = np.zeros((1, n_rows, 2, 3))
    velocity[0, :, 0] = average(flow, every) / 0.8
    turning = np.zeros_like(velocity)
    turning[0, :, 1] = dipole[every::every]
    made = make_currents(
        velocity, turning, spacing=step * every, charge=(0.8, 0.0), number=(10, 90), volume=VOLUME
    )
    own = 3 * 40.0
    exact = np.array([own, 2 * couple * own, couple**2 * own - 3 * 30.0 * 0.25])
    return made, FACTOR * exact


@pytest.mark.parametrize("couple", [0.0, -0.4])
def test_every_part_has_its_closed_form(couple: float) -> None:
    made, exact = make_liquid(np.random.default_rng(9), couple=couple)
    node = measure_dielectric(made, temperature=TEMPERATURE)
    assert node is not None
    found, error = node["contribution"].values, node["contribution_stderr"].values
    assert np.all(np.abs(found - exact) < 4 * error + 0.03 * abs(exact[0]))
    total, stderr = float(node["permittivity"]), float(node["permittivity_stderr"])
    assert abs(total - 1 - exact.sum()) < 3.5 * stderr
    assert stderr < 0.3 * exact[0]
    assert float(node["n_independent"]) > 10
    (quantity,) = summarize_dielectric(node)
    assert quantity.name == "permittivity"
    assert quantity.status == "ok"
    assert "translation" in (quantity.note or "")


def test_the_spectrum_has_the_parts_of_its_models() -> None:
    made, exact = make_liquid(np.random.default_rng(10), couple=0.0, n_rows=30_000)
    node = measure_dielectric(made, temperature=TEMPERATURE)
    assert node is not None
    w = 2 * np.pi * node["frequency"].values * 1e-3
    debye = exact[0] / (1 - 1j * w * 2.5)
    found = node["spectrum_real"].values + 1j * node["spectrum_imag"].values
    assert np.abs(found[0] - debye).max() < 0.15 * exact[0]
    # i (sigma(w) - sigma(0)) / w of an exponential current is - variance time^2 / (1 - i w time).
    drude = exact[2] / (1 - 1j * w * 0.5)
    assert np.abs(found[2] - drude).max() < 0.25 * exact[0]


def test_without_ions_it_is_the_fluctuation_of_the_dipole_alone() -> None:
    made, _ = make_liquid(np.random.default_rng(3), couple=0.0, n_rows=4000)
    made = make_currents(
        np.zeros_like(made.velocity), made.dipole, spacing=0.1, charge=(0.0, 0.0), number=(1, 1)
    )
    node = measure_dielectric(made, temperature=TEMPERATURE)
    assert node is not None
    dipole = made.dipole.sum(axis=2)[0]
    value, _ = measure_permittivity(dipole, volume=VOLUME, temperature=TEMPERATURE)
    assert float(node["permittivity"]) == pytest.approx(value, rel=1e-9)
    np.testing.assert_array_equal(node["contribution"].values[1:], 0.0)


def test_a_short_or_silent_recording_gives_nothing() -> None:
    made, _ = make_liquid(np.random.default_rng(3), couple=0.0, n_rows=60)
    assert measure_dielectric(made, temperature=TEMPERATURE) is None
    silent = make_currents(
        np.zeros((1, 500, 2, 3)), np.zeros((1, 500, 2, 3)), spacing=0.1, charge=(1, -1),
        number=(1, 1),
    )  # fmt: skip
    assert measure_dielectric(silent, temperature=TEMPERATURE) is None


def test_a_window_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"window of 5 to 50 ps does not fit 100 frames"):
        find_relaxation(np.zeros((100, 3)), np.zeros((100, 3)), spacing=0.1, window=(5.0, 50.0))
