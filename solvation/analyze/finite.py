"""Self-diffusion in an infinite system: the finite-size correction of Yeh and Hummer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.infinite import correct_conductivity
from solvation.kernels.finitesize import lattice_sum
from solvation.results import Quantity
from solvation.units import BOLTZMANN

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Viscosity", "add_corrections", "correct_finite_size", "find_viscosity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viscosity:
    """A shear viscosity, and where it is from."""

    value: float
    """mPa s."""
    stderr: float
    """mPa s; 0 if nothing is said of it."""
    source: str
    """``"given"`` or ``"this run"``."""


def find_viscosity(given: float | None, node: xr.Dataset | None) -> Viscosity | None:
    """Choose the viscosity to correct with: a given one, or that of the same run.

    Parameters
    ----------
    given
        mPa s.
    node
        Of the results, with variables ``viscosity`` and ``viscosity_stderr`` in mPa s.
    """
    if given is not None:
        return Viscosity(value=given, stderr=0.0, source="given")
    if node is None or "viscosity" not in node:
        return None
    value = float(node["viscosity"])
    error = float(node["viscosity_stderr"]) if "viscosity_stderr" in node else 0.0
    if not np.isfinite(value) or value <= 0.0:
        return None
    return Viscosity(value=value, stderr=float(np.nan_to_num(error)), source="this run")


def correct_finite_size(
    diffusion: xr.Dataset, *, viscosity: Viscosity, temperature: float
) -> xr.Dataset:
    r"""Add to the diffusion coefficients what the periodic box takes from them.

    .. math:: D_0 = D + \frac{k_B T}{6 \pi \eta} \frac{\xi}{L}, \qquad L = V^{1/3}

    with :math:`\xi = 2.837297` for a cube and the lattice sum of the cell for any other
    (`solvation.kernels.finitesize`).

    Parameters
    ----------
    diffusion
        From `solvation.analyze.diffusion.measure_diffusion`.
    viscosity
        Of the *model*, which is what slows the molecules of the simulation.
    temperature
        K.

    Returns
    -------
    The dataset with ``corrected`` and ``corrected_stderr``, and what was done in the attributes.
    """
    cell = diffusion["cell"].values
    sum_ = lattice_sum(cell)
    edge = float(np.linalg.det(cell)) ** (1.0 / 3.0)
    shift = BOLTZMANN * temperature * sum_ * 1e10 / (6.0 * pi * viscosity.value * 1e-3)
    share = viscosity.stderr / viscosity.value
    value = diffusion["diffusion"].values + shift
    error = np.hypot(diffusion["diffusion_stderr"].values, shift * share)
    text = "self-diffusion coefficient in an infinite system"
    how = (
        f"+ {shift:.3g} m2/s for viscosity {viscosity.value:.3g} mPa s ({viscosity.source}), "
        f"L = {edge:.1f} Å, factor {sum_ * edge:.4f}"
    )
    return diffusion.assign(
        corrected=("species", value, {"units": "m2/s", "long_name": text}),
        corrected_stderr=(
            "species", error, {"units": "m2/s", "long_name": f"standard error of the {text}"},
        ),
    ).assign_attrs(finite_size=how)  # fmt: skip


def add_corrections(
    tree: xr.DataTree,
    quantities: Sequence[Quantity],
    *,
    given: float | None,
    temperature: float,
) -> list[Quantity]:
    """Correct the diffusion coefficients of a tree, if a viscosity is known, and list them.

    Parameters
    ----------
    tree
        Results; its node ``diffusion`` is replaced. A node ``viscosity`` is that of the run.
    quantities
        Of the tree; ``diffusion.<species>.corrected`` follows ``diffusion.<species>``, and what
        `correct_conductivity` adds follows too.
    given
        Viscosity in mPa s that is used instead of that of the run.
    temperature
        K.
    """
    import xarray as xr

    node = tree["viscosity"].to_dataset() if "viscosity" in tree else None
    viscosity = find_viscosity(given, node)
    if viscosity is None or "diffusion" not in tree:
        return list(quantities)
    corrected = correct_finite_size(
        tree["diffusion"].to_dataset(), viscosity=viscosity, temperature=temperature
    )
    tree["diffusion"] = xr.DataTree(corrected)
    shaky = viscosity.source != "given" and any(
        q.name == "viscosity" and q.status != "ok" for q in quantities
    )
    listed = []
    for quantity in quantities:
        listed.append(quantity)
        head, _, species = quantity.name.partition(".")
        if head != "diffusion" or species not in corrected["species"].values:
            continue
        one = corrected.sel(species=species)
        notes = [str(corrected.attrs["finite_size"])]
        notes += [quantity.note] if quantity.note else []
        notes += ["the viscosity is not converged"] if shaky else []
        listed.append(
            Quantity(
                name=f"{quantity.name}.corrected", value=float(one["corrected"]),
                stderr=float(one["corrected_stderr"]), unit="m2/s",
                status="not_converged" if shaky else quantity.status, note="; ".join(notes),
            )
        )  # fmt: skip
    return correct_conductivity(tree, listed)
