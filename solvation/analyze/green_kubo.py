r"""Conductivity by Green and Kubo, from the charge current that a run recorded.

.. math:: \sigma = \frac{e^2}{3 V k_B T} \int_0^\infty \langle j(0) \cdot j(t) \rangle\, dt,
          \qquad j = \sum_m z_m v_m

with formal charges, as everywhere for currents (`solvation.analyze.conductivity`). What is
recorded is the mean current over the spacing of rows, whose spectrum at zero frequency is that of
the current itself; the integral is `solvation.analyze.integral`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.integral import FEWEST_ROWS, Integral, integrate_correlation, run_integral
from solvation.analyze.recording import Currents
from solvation.kernels.uncertainty import largest_error, replica_error
from solvation.results import Quantity
from solvation.units import BOLTZMANN, ELEMENTARY_CHARGE

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "describe_integral",
    "doubt_integral",
    "measure_current_correlation",
    "summarize_current_correlation",
]

FEWEST_SAMPLES = 10.0
"""Independent samples below which an integral is not converged."""
_WORST_SCORE = 3.0
"""Standard deviations of misfit above which the model of the spectrum is not believed."""
_PANEL_POINTS = 400
"""Points of each curve that are kept for the report."""


def measure_current_correlation(
    currents: Currents, charge: Mapping[str, int], *, temperature: float
) -> xr.Dataset | None:
    """Measure the Green–Kubo conductivity.

    Parameters
    ----------
    currents
        From `solvation.analyze.recording.load_currents`.
    charge
        Formal charge of one molecule by species, e.
    temperature
        K.

    Returns
    -------
    Dataset
        ``green_kubo`` in mS/cm with its error, what the fit looks like, and the running integral;
        None without ions, or when the recording is too short.
    """
    z = np.array([charge.get(name, 0) for name in currents.species], dtype=np.float64)
    if not z.any() or currents.velocity.shape[1] < FEWEST_ROWS:
        return None
    flow = currents.charge_current(z)
    # (e Å/ps)2 ps / (Å3 J) in S/m is e2 1e-20 1e24 1e-12 1e30; 10 mS/cm are one S/m.
    prefactor = 10.0 * ELEMENTARY_CHARGE**2 * 1e22 / (currents.volume * BOLTZMANN * temperature)
    return describe_integral(
        flow, len(currents.velocity), prefactor=prefactor, spacing=currents.spacing,
        name="green_kubo", unit="mS/cm", text="Green-Kubo conductivity",
        attrs={
            "temperature": temperature, "volume": currents.volume, "charges": "formal",
            "spacing": f"{currents.spacing:g} ps, currents are means over it",
        },
    )  # fmt: skip


def describe_integral(
    sequences: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    n_replicas: int,
    *,
    prefactor: float,
    spacing: float,
    name: str,
    unit: str,
    text: str,
    attrs: Mapping[str, object],
    shape: str = "smooth",
) -> xr.Dataset:
    """Integrate, and put value, error, fit and running integral into one dataset.

    The error is the larger of the fit's own and the scatter between three replicas or more.

    Parameters
    ----------
    sequences
        Shape ``(n_sequences, n_rows)``, replica by replica.
    n_replicas
        How many replicas they come from.
    prefactor, spacing, shape
        See `integrate_correlation`.
    name, unit, text
        Of the result.
    attrs
        How it was made.
    """
    import xarray as xr

    kind = "lorentz" if shape == "lorentz" else "smooth"
    found = integrate_correlation(sequences, prefactor=prefactor, spacing=spacing, shape=kind)  # type: ignore[arg-type]
    between = float("nan")
    if n_replicas >= 3:
        parts = np.split(sequences, n_replicas)
        low = np.array([_low_mean(x, found, prefactor, spacing) for x in parts])
        between = replica_error(low, np.ones(n_replicas))
    longest = 10.0 / max(found.cutoff, 1e-9)
    lag, running = run_integral(sequences, prefactor=prefactor, spacing=spacing, longest=longest)
    every = max(1, len(lag) // _PANEL_POINTS)
    frequency, spectrum, fit = _bin_spectrum(found)

    def scalar(number: float, of: str, label: str) -> tuple[tuple[()], float, dict[str, str]]:
        return ((), number, {"units": of, "long_name": label})

    return xr.Dataset(
        {
            name: scalar(found.value, unit, text),
            f"{name}_stderr": scalar(
                largest_error(found.stderr, between), unit, f"standard error of the {text}"
            ),
            "cutoff_frequency": scalar(found.cutoff, "1/ps", "frequency up to which is fitted"),
            "n_points": scalar(found.n_points, "1", "effective number of frequencies fitted"),
            "n_independent": scalar(
                found.n_points * n_replicas, "1", "independent stretches in all replicas"
            ),
            "cost_zscore": scalar(found.cost_zscore, "1", "misfit in standard deviations"),
            "criterion_zscore": scalar(
                found.criterion_zscore, "1", "disagreement of halves in standard deviations"
            ),
            "spectrum": (
                "frequency", spectrum, {"units": unit, "long_name": "power spectrum"},
            ),
            "fit": ("frequency", fit, {"units": unit, "long_name": "model of the spectrum"}),
            "running": ("lag", running[::every], {"units": unit, "long_name": "running integral"}),
        },
        coords={
            "frequency": ("frequency", frequency, {"units": "1/ps", "long_name": "frequency"}),
            "lag": ("lag", lag[::every], {"units": "ps", "long_name": "lag"}),
        },
        attrs={**attrs, "integral": "STACIE: spectrum fitted near zero, cut-offs averaged"},
    )  # fmt: skip


def doubt_integral(node: xr.Dataset) -> list[str]:
    """Say what is wrong with an integral."""
    notes = []
    n = float(node["n_independent"])
    if n < FEWEST_SAMPLES:
        notes.append(f"{n:.1f} independent stretches, fewer than {FEWEST_SAMPLES:g}")
    for key, what in (("cost_zscore", "misfit"), ("criterion_zscore", "disagreement of halves")):
        score = float(node[key])
        if score > _WORST_SCORE:
            notes.append(f"the model misses the spectrum: {what} {score:.1f} standard deviations")
    return notes


def summarize_current_correlation(node: xr.Dataset) -> tuple[Quantity, ...]:
    """Write the Green–Kubo conductivity for the summary, with a status."""
    doubts = doubt_integral(node)
    return (
        Quantity(
            name="conductivity.green_kubo", value=float(node["green_kubo"]),
            stderr=float(node["green_kubo_stderr"]), unit="mS/cm",
            status="not_converged" if doubts else "ok",
            note="; ".join(["formal charges", *doubts]),
        ),
    )  # fmt: skip


def _low_mean(
    sequences: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    found: Integral,
    prefactor: float,
    spacing: float,
) -> float:
    """Mean spectrum of a few sequences below the cut-off, scaled as the fit falls off there."""
    n = sequences.shape[1]
    frequency = np.fft.rfftfreq(n, spacing)
    keep = frequency <= max(found.cutoff, frequency[1])
    power = np.abs(np.fft.rfft(sequences, axis=1)[:, keep]) ** 2
    mean = float(0.5 * prefactor * spacing / n * power.mean())
    below = found.frequency <= found.cutoff
    fall = float(np.nanmean(found.fit[below])) if below.any() else found.value
    return mean * found.value / fall


def _bin_spectrum(
    found: Integral,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average neighbouring frequencies so that a curve and no noise is seen."""
    size = max(1, len(found.frequency) // 60)
    n = len(found.frequency) // size * size
    columns = (found.frequency, found.spectrum, found.fit)
    x, y, fit = (c[:n].reshape(-1, size).mean(axis=1) for c in columns)
    return x, y, fit
