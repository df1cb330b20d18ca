r"""Shear viscosity by Green and Kubo, from the pressure tensor that a run recorded.

.. math:: \eta = \frac{V}{k_B T} \int_0^\infty \langle P_i(0) P_i(t) \rangle\, dt

for five independent shear components :math:`P_i` of an isotropic liquid: xy, xz, yz, half of
yy - zz, and (xx - (yy + zz)/2)/sqrt(3), which use all that the tensor knows once (Daivis, Evans, J.
Chem. Phys. 1994, 100, 541, 10.1063/1.466970; the independent form is that of STACIE's
documentation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.green_kubo import describe_integral, doubt_integral
from solvation.analyze.integral import FEWEST_ROWS
from solvation.analyze.recording import Stresses
from solvation.results import Quantity
from solvation.units import BOLTZMANN

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_viscosity", "split_shear", "summarize_viscosity"]

Floats = npt.NDArray[np.float64]


def split_shear(tensor: npt.ArrayLike) -> Floats:
    """Turn pressure tensors ``(..., 6)`` into five independent shear components ``(..., 5)``.

    They keep the unit, bar.

    Examples
    --------
    >>> split_shear([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    p = np.asarray(tensor, dtype=np.float64)
    xx, yy, zz = p[..., 0], p[..., 1], p[..., 2]
    first = (xx - 0.5 * (yy + zz)) / np.sqrt(3.0)
    return np.stack([first, 0.5 * (yy - zz), p[..., 3], p[..., 4], p[..., 5]], axis=-1)


def measure_viscosity(stresses: Stresses, *, temperature: float) -> xr.Dataset | None:
    """Measure the viscosity; None when the recording is too short.

    Parameters
    ----------
    stresses
        From `solvation.analyze.recording.load_stresses`.
    temperature
        K.

    Returns
    -------
    Dataset
        ``viscosity`` in mPa s with its error, what the fit looks like, the running integral, and
        the mean ``pressure`` in bar.
    """
    n_replicas, n_rows, _ = stresses.tensor.shape
    if n_rows < FEWEST_ROWS:
        return None
    shear = np.moveaxis(split_shear(stresses.tensor), 2, 1).reshape(-1, n_rows)
    # bar2 ps Å3 / J in mPa s is 1e10 1e-12 1e-30 1e3.
    prefactor = 1e-29 * stresses.volume / (BOLTZMANN * temperature)
    node = describe_integral(
        shear, n_replicas, prefactor=prefactor, spacing=stresses.spacing, name="viscosity",
        unit="mPa s", text="shear viscosity", shape="lorentz",
        attrs={
            "temperature": temperature, "volume": stresses.volume,
            "spacing": f"{stresses.spacing:g} ps", "virial": "molecular",
        },
    )  # fmt: skip
    pressure = float(stresses.tensor[..., :3].mean())
    return node.assign(pressure=((), pressure, {"units": "bar", "long_name": "mean pressure"}))


def summarize_viscosity(node: xr.Dataset) -> tuple[Quantity, ...]:
    """Write the viscosity for the summary, with a status."""
    doubts = doubt_integral(node)
    return (
        Quantity(
            name="viscosity", value=float(node["viscosity"]),
            stderr=float(node["viscosity_stderr"]), unit="mPa s",
            status="not_converged" if doubts else "ok",
            note="; ".join(["Green-Kubo", *doubts]),
        ),
    )  # fmt: skip
