r"""Static permittivity and dielectric spectrum from recorded currents and dipoles.

With the charges of the force field, since it is their response that the run knows: the permittivity
is one of fixed charges, without the electrons'. In an electrolyte it is what the current of all
charges responds with beyond its conductivity; its parts are the turning of molecules (with the
rotation of ions that have a dipole), the travel of ions in their cages, and what these two share
(`solvation.kernels.dielectric`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.recording import Currents
from solvation.kernels.dielectric import (
    Relaxation,
    dielectric_factor,
    find_relaxation,
    transform_relaxation,
)
from solvation.kernels.timecorr import statistical_inefficiency
from solvation.kernels.uncertainty import block_error, largest_error, replica_error, series_error
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_dielectric", "summarize_dielectric"]

Floats = npt.NDArray[np.float64]

PARTS = ("rotation", "cross", "translation")
"""Of the permittivity, in this order in the dataset."""
_BLOCKS = 4
"""Stretches of each replica."""
_FEWEST_SAMPLES = 10.0
"""Independent dipoles of the box below which their square is not converged."""
_LARGEST_ERROR = 0.5
"""Of the permittivity; one that is known no better is not converged."""
_WINDOW = (4.0, 8.0)
"""Begin and end of the fitted lags, in relaxation times of the dipole."""
_SHORTEST = 2.0
"""ps; no relaxation of a liquid's dipole is taken as faster than this."""
_PER_DECADE = 12
"""Frequencies of the spectrum."""


def measure_dielectric(currents: Currents, *, temperature: float) -> xr.Dataset | None:
    """Measure permittivity and dielectric spectrum.

    Parameters
    ----------
    currents
        From `solvation.analyze.recording.load_currents`.
    temperature
        K.

    Returns
    -------
    Dataset
        ``permittivity``, its parts ``contribution`` by ``part``, and ``spectrum_real`` and
        ``spectrum_imag`` of the susceptibility by part and frequency, each with its error over
        replicas and blocks; None when the recording is too short for one relaxation, or when
        nothing has charge.
    """
    n_replicas, n_rows = currents.velocity.shape[:2]
    dipole = currents.dipole.sum(axis=2)
    flow = np.einsum("s,rtsk->rtk", currents.charge, currents.velocity)
    moment = np.cumsum(flow, axis=1) * currents.spacing
    if n_rows < 50 or not (np.ptp(dipole) > 0.0 or np.ptp(moment) > 0.0):
        return None
    size = n_rows // _BLOCKS
    memory = _find_memory(dipole, currents.spacing)
    window = _choose_window(memory, size * currents.spacing, currents.spacing)
    if window is None:
        return None
    pieces = [
        find_relaxation(
            dipole[r, k : k + size], moment[r, k : k + size], spacing=currents.spacing,
            window=window,
        )
        for r in range(n_replicas) for k in range(0, size * _BLOCKS, size)
    ]  # fmt: skip
    factor = dielectric_factor(volume=currents.volume, temperature=temperature)
    travels = bool(np.any(np.abs(currents.charge) > 1e-9))
    strength = factor * np.array([piece.strength for piece in pieces])
    strength[:, 1:] *= travels
    frequency = _choose_frequencies(window[1], currents.spacing)
    rows = [_transform(piece, frequency, travels) for piece in pieces]
    spectra: npt.NDArray[np.complex128] = factor * np.array(rows, dtype=np.complex128)
    squares = [(d**2).sum(axis=1) for d in dipole]
    samples = sum(len(square) / statistical_inefficiency(square) for square in squares)
    turning = factor * float(np.linalg.norm([series_error(q) for q in squares])) / n_replicas
    return _describe(
        strength, spectra, frequency, n_replicas=n_replicas, samples=samples, turning=turning,
        attrs={
            "boundary": "conducting; mean dipole zero; fixed charges, none of the electrons",
            "charges": "of the force field", "memory": f"{memory:.3g} ps",
            "window": f"{window[0]:.3g} to {window[1]:.3g} ps",
            "temperature": temperature, "volume": currents.volume,
        },
    )  # fmt: skip


def summarize_dielectric(node: xr.Dataset) -> tuple[Quantity, ...]:
    """Write the permittivity for the summary, with a status."""
    samples = float(node["n_independent"])
    few = samples < _FEWEST_SAMPLES
    parts = dict(zip(PARTS, node["contribution"].values, strict=True))
    notes = [f"{samples:.1f} independent dipoles of the box, fewer than 10"] if few else []
    if parts["translation"] or parts["cross"]:
        notes.insert(0, ", ".join(f"{name} {value:.3g}" for name, value in parts.items()))
    value, error = float(node["permittivity"]), float(node["permittivity_stderr"])
    if error > _LARGEST_ERROR * abs(value):
        notes.append("the error is as large as the number")
        few = True
    return (
        Quantity(
            name="permittivity", value=value,
            stderr=error if np.isfinite(error) else None, unit="1",
            status="not_converged" if few else "ok", note="; ".join(notes) or None,
        ),
    )  # fmt: skip


def _find_memory(dipole: Floats, spacing: float) -> float:
    """Relaxation time of the box's dipole in ps, the mean over replicas and components."""
    times = [
        0.5 * (statistical_inefficiency(d[:, k]) - 1.0) * spacing
        for d in dipole for k in range(3) if np.ptp(d[:, k]) > 0.0
    ]  # fmt: skip
    return max(_SHORTEST, float(np.mean(times))) if times else _SHORTEST


def _choose_window(memory: float, length: float, spacing: float) -> tuple[float, float] | None:
    """Lags that are beyond all relaxation and still well within a block."""
    low, high = (edge * memory for edge in _WINDOW)
    if high > length / 2.0:
        low, high = length / 4.0, length / 2.0
    return (low, high) if high - low >= 5.0 * spacing and low > memory else None


def _choose_frequencies(longest: float, spacing: float) -> Floats:
    """Frequencies in 1/ps that the correlation knows, equally spaced in their logarithm."""
    low, high = np.log10(0.5 / longest), np.log10(0.25 / spacing)
    number = max(4, round((high - low) * _PER_DECADE))
    return np.logspace(low, high, number)


def _transform(piece: Relaxation, frequency: Floats, travels: bool) -> npt.NDArray[np.complex128]:
    """Susceptibilities of the parts of one stretch, without the factor, ``(3, n_frequencies)``."""
    rows = [piece.rotation, piece.cross * travels, piece.translation * travels]
    return np.array([transform_relaxation(piece.lag, row, frequency) for row in rows])


def _describe(
    strength: Floats,
    spectra: npt.NDArray[np.complex128],
    frequency: Floats,
    *,
    n_replicas: int,
    samples: float,
    turning: float,
    attrs: dict[str, object],
) -> xr.Dataset:
    """Average stretches; of the errors over blocks, over replicas and in time, the largest."""
    import xarray as xr

    total = strength.sum(axis=1)
    means = total.reshape(n_replicas, -1).mean(axis=1)
    between = replica_error(means, np.ones(n_replicas))

    def attrs_of(unit: str, text: str) -> dict[str, str]:
        return {"units": unit, "long_name": text}

    data: dict[str, tuple[object, object, dict[str, str]]] = {
        "permittivity": (
            (), 1.0 + float(total.mean()), attrs_of("1", "static relative permittivity"),
        ),
        "permittivity_stderr": (
            (), largest_error(float(block_error(total)), between, turning),
            attrs_of("1", "standard error of the static relative permittivity"),
        ),
        "n_independent": (
            (), float(samples), attrs_of("1", "independent samples of the squared dipole"),
        ),
        "contribution": (
            "part", strength.mean(axis=0), attrs_of("1", "part of the static permittivity"),
        ),
        "contribution_stderr": (
            "part", block_error(strength), attrs_of("1", "standard error of the part"),
        ),
    }  # fmt: skip
    for key, values, text in (
        ("real", spectra.real, "in phase"), ("imag", spectra.imag, "loss"),
    ):  # fmt: skip
        label = f"dielectric susceptibility without the conductivity, {text}"
        data[f"spectrum_{key}"] = (("part", "frequency"), values.mean(axis=0), attrs_of("1", label))
        data[f"spectrum_{key}_stderr"] = (
            ("part", "frequency"),
            block_error(values),
            attrs_of("1", f"standard error, {label}"),
        )
    return xr.Dataset(
        data,
        coords={
            "part": list(PARTS),
            "frequency": (
                "frequency", 1e3 * frequency, {"units": "GHz", "long_name": "frequency"},
            ),
        },
        attrs=attrs,
    )  # fmt: skip
