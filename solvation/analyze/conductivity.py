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
from solvation.analyze.diffusion import common_lags, thin_lags
from solvation.analyze.topology import Scene
from solvation.kernels.regime import find_slope
from solvation.kernels.slope import Curves
from solvation.kernels.timecorr import displacement_product
from solvation.kernels.uncertainty import block_error
from solvation.units import BOLTZMANN, ELEMENTARY_CHARGE

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_conductivity"]

Floats = npt.NDArray[np.float64]


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
    The collective displacement is one vector per frame, so its statistics are poor. The window,
    the fit and its error are those of `solvation.kernels.slope`.
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
    samples = _displace_charges(scene, paths, len(lag))
    curves = Curves(
        timestep=float(lag[1]), samples=samples,
        n_frames=np.repeat([len(p.times) for p in paths], 3),
    )  # fmt: skip
    slope = find_slope(curves)
    scale = to_conductivity(1e-8 / 2.0, volume, temperature)
    keep = thin_lags(len(lag))
    text = "mean squared collective charge displacement"

    def scalar(number: float, unit: str, name: str) -> tuple[tuple[()], float, dict[str, str]]:
        return ((), number, {"units": unit, "long_name": name})

    return xr.Dataset(
        {
            "collective": ("lag", 3.0 * curves.mean[keep], {"units": "e2 Å2", "long_name": text}),
            "collective_stderr": (
                "lag", 3.0 * block_error(samples)[keep],
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
                scale * slope.stderr, "mS/cm",
                "standard error of the Einstein conductivity",
            ),
            "exponent": scalar(slope.exponent, "1", "slope of log displacement over log t"),
            "exponent_stderr": scalar(
                slope.exponent_stderr, "1", "standard error of the exponent"
            ),
            "diffusive": scalar(float(slope.diffusive), "1", "whether the exponent is 1"),
            "window_low": scalar(slope.low, "ps", "shortest lag fitted"),
            "window_high": scalar(slope.high, "ps", "longest lag fitted"),
            "n_effective": scalar(slope.n_effective, "1", "independent displacements"),
        },
        coords={"lag": ("lag", lag[keep], {"units": "ps", "long_name": "lag"})},
        attrs={"temperature": temperature, "volume": volume},
    )  # fmt: skip


def _displace_charges(scene: Scene, paths: Sequence[Path], n_lags: int) -> Floats:
    """Return MSDs of the charge of each replica and component, shape ``(3 n_replicas, n_lags)``."""
    charge = np.zeros(scene.n_molecules)
    for species in scene.species:
        charge[species.molecules] = species.charge
    samples = []
    for path in paths:
        # A net charge would turn the removed drift of the system into current.
        moment = np.einsum("m,tmk->tk", charge - charge.mean(), path.positions)
        samples.append(displacement_product(moment, moment)[:n_lags].T)
    return np.concatenate(samples)
