r"""Conductivities in an infinite system: what the correction of D does to them.

The correction of Yeh and Hummer adds the same :math:`\Delta` to the diffusion coefficient of every
species, because it is the flow field of the images that is missing. The same field couples every
ion to every other, so the collective coefficients change by
:math:`\Delta\,\langle \delta N_a\, \delta N_b \rangle / V k_B T` with the numbers' fluctuations in
an open system: for a neutral mixture that is the correction :math:`\Delta / \Gamma` of
Maxwell–Stefan coefficients (Jamali, Wolff, Becker, Bardow, Vlugt, Moultos, J. Chem. Theory Comput.
2018, 14, 2667, doi:10.1021/acs.jctc.8b00170). Charge does not fluctuate in a large volume,
:math:`\sum_b z_b \langle \delta N_a\, \delta N_b \rangle = 0`, so the conductivity and the
transference numbers need no correction to this order; simulations of boxes of several sizes
show that the conductivity keeps while the Nernst–Einstein one grows (Shao, Shigenobu, Watanabe,
Zhang, J. Phys. Chem. B 2020, 124, 4774, doi:10.1021/acs.jpcb.0c02544). What changes is
the division: self parts grow and distinct parts shrink by as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.verdict import state_coefficient
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["correct_conductivity"]


def correct_conductivity(tree: xr.DataTree, quantities: Sequence[Quantity]) -> list[Quantity]:
    """Add the Nernst–Einstein conductivity and the ionicity of an infinite system.

    Parameters
    ----------
    tree
        Results; with ``corrected`` in its node ``diffusion``, the node ``onsager`` gets
        ``self_corrected`` and ``distinct_corrected``.
    quantities
        Of the tree; ``conductivity.nernst_einstein.corrected`` and
        ``conductivity.ionicity.corrected`` follow the uncorrected ones.
    """
    import xarray as xr

    if "onsager" not in tree or "corrected" not in tree["diffusion"]:
        return list(quantities)
    node, diffusion = (tree[name].to_dataset() for name in ("onsager", "diffusion"))
    names = [str(s) for s in node["species"].values]
    one = diffusion.sel(species=names)
    ratio = one["corrected"].values / one["diffusion"].values
    own = node["self"].values * ratio
    error = own * one["corrected_stderr"].values / one["corrected"].values
    whole = node["coefficient"].sel(frame="barycentric").values
    attrs = {"units": "mS/cm"}
    text = "in an infinite system"
    tree["onsager"] = xr.DataTree(
        node.assign(
            self_corrected=("species", own, {**attrs, "long_name": f"part of single ions {text}"}),
            self_corrected_stderr=(
                "species", error, {**attrs, "long_name": "standard error of that"},
            ),
            distinct_corrected=(
                ("species", "partner"), whole - np.diag(own),
                {**attrs, "long_name": f"part of different ions {text}"},
            ),
        )
    )  # fmt: skip
    z2 = node["charge"].values ** 2
    single, single_error = float(z2 @ own), float(np.sqrt(((z2 * error) ** 2).sum()))
    together = tree["conductivity"].to_dataset()
    sigma, sigma_error = (float(together[f"einstein{s}"]) for s in ("", "_stderr"))
    how = str(diffusion.attrs.get("finite_size", ""))
    # The shift is one number for all species: what is doubtful of it is said with D.
    shaky = [
        q.note or "the diffusion coefficient"
        for q in quantities
        if q.name in {f"diffusion.{n}.corrected" for n in names} and q.status != "ok"
    ]
    found = {
        "conductivity.nernst_einstein": state_coefficient(
            "conductivity.nernst_einstein.corrected", "mS/cm", single, single_error,
            doubts=shaky, notes=["formal charges", how],
        ),
        "conductivity.ionicity": state_coefficient(
            "conductivity.ionicity.corrected", "1", sigma / single,
            float(np.hypot(sigma_error, sigma * single_error / single)) / single,
            notes=["only the Nernst-Einstein conductivity depends on the size of the box", how],
            doubts=[*shaky, *(q.note or q.status for q in quantities
                              if q.name == "conductivity.einstein" and q.status != "ok")],
        ),
    }  # fmt: skip
    listed = []
    for quantity in quantities:
        listed.append(quantity)
        if quantity.name in found:
            listed.append(found[quantity.name])
    return listed
