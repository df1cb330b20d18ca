"""Density and concentrations, from the boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.centre import Path
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import largest_error, replica_error, series_error
from solvation.units import AVOGADRO

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["measure_density", "name_salt"]


def name_salt(scene: Scene) -> tuple[str, float] | None:
    """Name the salt and count its formula units; None unless one cation meets one anion.

    Examples of names: ``"Mg(TFSI)2"``, ``"LiPF6"``.
    """
    cations, anions = scene.list_role("cation"), scene.list_role("anion")
    if len(cations) != 1 or len(anions) != 1:
        return None
    (cation,), (anion,) = cations, anions
    if cation.charge <= 0 or anion.charge >= 0:
        return None
    if cation.charge * cation.n_molecules + anion.charge * anion.n_molecules:
        return None
    common = math.gcd(cation.charge, -anion.charge)
    n_cation, n_anion = -anion.charge // common, cation.charge // common
    head = cation.name + (str(n_cation) if n_cation > 1 else "")
    if n_anion == 1:
        tail = anion.name
    else:
        tail = f"({anion.name}){n_anion}" if anion.n_atoms > 1 else f"{anion.name}{n_anion}"
    return head + tail, cation.n_molecules / n_cation


def measure_density(scene: Scene, paths: Sequence[Path]) -> xr.Dataset:
    """Average the volume and the density over all frames and replicas.

    At constant volume the error is that between replicas, and zero for one: the density was put
    in, not measured.
    """
    import xarray as xr

    mass = sum(s.mass * s.n_molecules for s in scene.species)
    volumes = [p.volume for p in paths]
    weights = np.array([len(v) for v in volumes], dtype=np.float64)
    values, errors = [], []
    for series in ([mass / AVOGADRO / (v * 1e-24) for v in volumes], volumes):
        mean = float(np.concatenate(series).mean())
        # XTC and DCD round box lengths; what changes by less than 1e-5 does not change.
        still = all(float(np.ptp(s)) <= 1e-5 * mean for s in series)
        share = weights / weights.sum()
        within = 0.0
        if not still:
            within = float(np.sqrt(sum((w * series_error(s)) ** 2
                                       for w, s in zip(share, series, strict=True))))  # fmt: skip
        between = replica_error([s.mean() for s in series], weights) if len(series) > 1 else 0.0
        values.append(mean)
        errors.append(largest_error(within, between))
    data = {
        "density": ((), values[0], {"units": "g/cm3", "long_name": "density"}),
        "density_stderr": (
            (), errors[0], {"units": "g/cm3", "long_name": "standard error of the density"},
        ),
        "volume": ((), values[1], {"units": "Å3", "long_name": "volume of the box"}),
        "volume_stderr": (
            (), errors[1], {"units": "Å3", "long_name": "standard error of the volume"},
        ),
    }  # fmt: skip
    salt = name_salt(scene)
    if salt is not None:
        name, units = salt
        molar = units / AVOGADRO / (values[1] * 1e-27)
        text = f"concentration of {name}"
        data["concentration"] = ((), molar, {"units": "mol/L", "long_name": text})
        data["concentration_stderr"] = (
            (), molar * errors[1] / values[1],
            {"units": "mol/L", "long_name": f"standard error of the {text}"},
        )  # fmt: skip
    return xr.Dataset(data, attrs={"salt": salt[0]} if salt else {})
