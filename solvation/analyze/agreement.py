"""Agreement of starts: do replicas that were packed differently tell the same story?

Error bars inside a start cannot know what the start decides. So every population is measured for
each start alone, the starts are compared, and what lies between them is part of the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from solvation.kernels.uncertainty import replica_error
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LEVEL", "compare_starts", "widen_errors"]

LEVEL = 0.01
"""Chance at which starts that agree are called different."""


def compare_starts(
    by_start: Mapping[str, Sequence[Quantity]], weights: Mapping[str, float]
) -> xr.Dataset:
    r"""Compare the numbers of several starts.

    Parameters
    ----------
    by_start
        Quantities of each start alone.
    weights
        Frames of each start.

    Returns
    -------
    ``value`` and ``stderr`` by quantity and start, ``between`` (the standard error of the
    weighted mean from the scatter of the starts), ``chi2``
    (:math:`\sum_i (x_i - \bar x)^2 /\sigma_i^2`), ``p`` (the chance of that or more
    between starts that agree) and ``agree``.
    A quantity that a start lacks, such as the fraction of a shell it never had, is zero there,
    with the largest error that it has elsewhere.
    """
    import xarray as xr

    starts = list(by_start)
    tables = [{q.name: q for q in by_start[start]} for start in starts]
    names = list(dict.fromkeys(name for table in tables for name in table))
    value = np.zeros((len(names), len(starts)))
    error = np.full((len(names), len(starts)), np.nan)
    for i, name in enumerate(names):
        for j, table in enumerate(tables):
            q = table.get(name)
            if q is None or q.value is None:
                continue
            value[i, j] = q.value
            error[i, j] = math.nan if q.stderr is None else q.stderr
    with np.errstate(invalid="ignore"):
        largest = np.nanmax(np.where(np.isnan(error), 0.0, error), axis=1, keepdims=True)
    error = np.where(np.isnan(error), largest, error)
    share = np.array([weights[start] for start in starts])
    between = np.array([replica_error(row, share) for row in value])
    with np.errstate(divide="ignore", invalid="ignore"):
        precise = 1.0 / error**2
        centre = (precise * value).sum(axis=1) / precise.sum(axis=1)
        chi2 = (precise * (value - centre[:, None]) ** 2).sum(axis=1)
    chi2 = np.where(np.isfinite(chi2), chi2, 0.0)
    p = stats.chi2.sf(chi2, len(starts) - 1)

    def attrs(text: str) -> dict[str, str]:
        return {"units": "1", "long_name": text}

    own = {"units": "of the quantity", "long_name": "value of each start alone"}
    return xr.Dataset(
        {
            "value": (("quantity", "start"), value, own),
            "value_stderr": (
                ("quantity", "start"), error, {**own, "long_name": "standard error of that"},
            ),
            "between": (
                "quantity", between, {**own, "long_name": "error of the mean from the starts"},
            ),
            "chi2": ("quantity", chi2, attrs("scatter of the starts over their errors")),
            "p": ("quantity", p, attrs("chance of that scatter between starts that agree")),
            "agree": ("quantity", (p >= LEVEL).astype(np.int8), attrs("whether the starts agree")),
        },
        coords={"quantity": names, "start": starts},
        attrs={"level": LEVEL},
    )  # fmt: skip


def widen_errors(quantities: Sequence[Quantity], agreement: xr.Dataset) -> list[Quantity]:
    """Put the difference of the starts into the errors, and mark what they disagree about.

    Parameters
    ----------
    quantities
        From all replicas together.
    agreement
        From `compare_starts`.
    """
    index = {str(name): i for i, name in enumerate(agreement["quantity"].values)}
    starts = [str(s) for s in agreement["start"].values]
    widened = []
    for q in quantities:
        i = index.get(q.name)
        if i is None or q.value is None:
            widened.append(q)
            continue
        between = float(agreement["between"].values[i])
        error = max(q.stderr or 0.0, between) if math.isfinite(between) else q.stderr
        if bool(agreement["agree"].values[i]):
            widened.append(replace(q, stderr=error))
            continue
        values, errors = (agreement[k].values[i] for k in ("value", "value_stderr"))
        said = ", ".join(
            f"{start} {Quantity(name='x', value=float(v), stderr=float(e), unit=q.unit).text()}"
            for start, v, e in zip(starts, values, errors, strict=True)
        )
        note = "; ".join(x for x in (q.note, f"starts disagree: {said}") if x)
        widened.append(replace(q, stderr=error, status="not_converged", note=note))
    return widened
