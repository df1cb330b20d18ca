r"""Ionic conductivity: Nernst–Einstein from single ions, Einstein from all together.

Both use the ions' *formal* charges, also when a force field scales the charges that the ions
feel. Scaling (the electronic continuum correction) stands for the electrons' screening of forces;
a current carries the whole ion, whose charge is the formal one (Leontyev, Stuchebrukhov, Phys.
Chem. Chem. Phys. 2011, 13, 2613; Jorge, Lue, J. Chem. Phys. 2019, 150, 084108).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.centre import Path
from solvation.analyze.diffusion import Slope, common_lags, fit_slope, thin_lags
from solvation.analyze.topology import Scene
from solvation.kernels.timecorr import mean_squared_displacement
from solvation.kernels.uncertainty import block_error, largest_error
from solvation.units import BOLTZMANN, ELEMENTARY_CHARGE

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_conductivity"]

Floats = npt.NDArray[np.float64]

_TIME_BLOCKS = 4
"""Stretches of each replica whose collective displacement is taken as independent."""


def to_conductivity(charge_diffusion: float, volume: float, temperature: float) -> float:
    r"""Turn :math:`\sum z^2 D` (e2 m2/s) into mS/cm, by :math:`e^2 / (V k_B T)`.

    Parameters
    ----------
    charge_diffusion
        e2 m2/s.
    volume
        Å3.
    temperature
        K.
    """
    siemens = ELEMENTARY_CHARGE**2 * charge_diffusion / (volume * 1e-30 * BOLTZMANN * temperature)
    return 10.0 * siemens


def measure_conductivity(
    scene: Scene, paths: Sequence[Path], diffusion: xr.Dataset, *, temperature: float
) -> xr.Dataset | None:
    r"""Measure the Nernst–Einstein and the Einstein conductivity.

    .. math::
        \sigma_{NE} = \frac{e^2}{V k_B T} \sum_i N_i z_i^2 D_i, \qquad
        \sigma = \frac{e^2}{6 V k_B T} \frac{d}{dt}
                 \Big\langle \Big| \sum_j z_j [r_j(t) - r_j(0)] \Big|^2 \Big\rangle

    Parameters
    ----------
    scene
        Species, with formal charges.
    paths
        One per replica.
    diffusion
        From `measure_diffusion`.
    temperature
        K.

    Notes
    -----
    The collective displacement is one vector per frame, so its statistics are poor: each replica is
    cut in four, each stretch gives three components, and the fit is repeated without each of
    these in turn. The window ends at an eighth of the run, or at a twentieth where the slope is
    already the same there.
    """
    import xarray as xr

    lag = common_lags(paths)
    ions = [s for s in scene.species if s.charge]
    if lag is None or not ions:
        return None
    volume = float(np.concatenate([p.volume for p in paths]).mean())
    names = [str(s) for s in diffusion["species"].values]
    value, variance = 0.0, 0.0
    for ion in ions:
        i = names.index(ion.name)
        factor = ion.n_molecules * ion.charge**2
        value += factor * float(diffusion["diffusion"].values[i])
        variance += (factor * float(diffusion["diffusion_stderr"].values[i])) ** 2
    samples, whole = _displace_charges(scene, paths, len(lag))
    slope = _find_slope(lag[: samples.shape[1]], samples, lag[-1])
    scale = to_conductivity(1e-8 / 6.0, volume, temperature)
    spans = sum(float(p.times[-1] - p.times[0]) for p in paths)
    n_independent = spans / slope.high if slope.high > 0 else 0.0
    # Squares of few Gaussian displacements scatter by sqrt(2 / 3n) whatever the blocks say.
    least = abs(slope.slope) * np.sqrt(2.0 / (3.0 * max(n_independent, 1.0)))
    keep = thin_lags(whole.shape[1])
    text = "mean squared collective charge displacement"

    def scalar(number: float, unit: str, name: str) -> tuple[tuple[()], float, dict[str, str]]:
        return ((), number, {"units": unit, "long_name": name})

    return xr.Dataset(
        {
            "collective": ("lag", whole.mean(axis=0)[keep], {"units": "e2 Å2", "long_name": text}),
            "collective_stderr": (
                "lag", _stretch(3.0 * block_error(samples), whole.shape[1])[keep],
                {"units": "e2 Å2", "long_name": f"standard error of the {text}"},
            ),
            "nernst_einstein": scalar(
                to_conductivity(value, volume, temperature), "mS/cm", "Nernst-Einstein conductivity"
            ),
            "nernst_einstein_stderr": scalar(
                to_conductivity(float(np.sqrt(variance)), volume, temperature), "mS/cm",
                "standard error of the Nernst-Einstein conductivity",
            ),
            "einstein": scalar(scale * slope.slope, "mS/cm", "Einstein conductivity"),
            "einstein_stderr": scalar(
                scale * largest_error(slope.stderr, least), "mS/cm",
                "standard error of the Einstein conductivity",
            ),
            "exponent": scalar(slope.exponent, "1", "slope of log displacement over log t"),
            "exponent_stderr": scalar(
                slope.exponent_stderr, "1", "standard error of the exponent"
            ),
            "diffusive": scalar(float(slope.diffusive), "1", "whether the exponent is 1"),
            "window_low": scalar(slope.low, "ps", "shortest lag fitted"),
            "window_high": scalar(slope.high, "ps", "longest lag fitted"),
            "n_independent": scalar(n_independent, "1", "independent displacements"),
        },
        coords={"lag": ("lag", lag[: whole.shape[1]][keep], {"units": "ps", "long_name": "lag"})},
        attrs={"temperature": temperature, "volume": volume},
    )  # fmt: skip


def _displace_charges(scene: Scene, paths: Sequence[Path], n_lags: int) -> tuple[Floats, Floats]:
    """Return MSDs of the charge by stretch and component, and by replica over all of it."""
    charge = np.zeros(scene.n_molecules)
    for species in scene.species:
        charge[species.molecules] = species.charge
    samples, whole = [], []
    for path in paths:
        # A net charge would turn the removed drift of the system into current.
        moment = np.einsum("m,tmk->tk", charge - charge.mean(), path.positions)
        whole.append(mean_squared_displacement(moment)[:n_lags])
        size = max(n_lags // _TIME_BLOCKS, 2)
        for start in range(0, size * _TIME_BLOCKS, size):
            piece = moment[start : start + size]
            if len(piece) == size:
                samples += [mean_squared_displacement(piece[:, k : k + 1]) for k in range(3)]
    return np.array(samples), np.array(whole)


def _find_slope(lag: Floats, samples: Floats, span: float) -> Slope:
    """Fit the slope, summed over components, early where that is as good."""
    late = fit_slope(lag, 3.0 * samples, window=(span / 32.0, span / 8.0))
    early = fit_slope(lag, 3.0 * samples, window=(span / 80.0, span / 20.0))
    apart = abs(early.slope - late.slope)
    if early.diffusive and apart <= 2.0 * float(np.hypot(early.stderr, late.stderr)):
        return early
    return late


def _stretch(values: Floats, n: int) -> Floats:
    """Continue an array with nan."""
    out = np.full(n, np.nan)
    out[: min(n, len(values))] = values[:n]
    return out
