"""Verdict: from a transport coefficient and what is doubtful about it to a quantity."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solvation.results import Quantity

__all__ = ["FEWEST_SAMPLES", "doubt_samples", "say_samples", "state_coefficient"]

FEWEST_SAMPLES = 10.0
"""Independent samples below which a transport coefficient is not converged."""


def doubt_samples(n_effective: float) -> list[str]:
    """Say that there are too few independent samples, if there are.

    Examples
    --------
    >>> doubt_samples(4.0)
    ['4.0 independent displacements, fewer than 10']
    >>> doubt_samples(40.0)
    []
    """
    if n_effective >= FEWEST_SAMPLES:
        return []
    return [f"{n_effective:.1f} independent displacements, fewer than {FEWEST_SAMPLES:.0f}"]


def say_samples(n_effective: float) -> list[str]:
    """Say how many independent samples there are, if they are enough."""
    if n_effective < FEWEST_SAMPLES:
        return []
    return [f"{n_effective:.0f} independent displacements"]


def state_coefficient(
    name: str,
    unit: str,
    value: float,
    stderr: float,
    *,
    doubts: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Quantity:
    """Write a coefficient with its status: not converged as soon as anything is doubtful.

    Parameters
    ----------
    name, unit, value, stderr
        As in `Quantity`; nan says that there is none.
    doubts
        Reasons not to believe the value.
    notes
        What a reader must know in any case.
    """
    note = "; ".join(dict.fromkeys([*notes, *doubts])) or None
    if not math.isfinite(value):
        return Quantity(
            name=name, value=None, stderr=None, unit=unit, status="undefined", note=note
        )
    return Quantity(
        name=name, value=value, stderr=stderr if math.isfinite(stderr) else None, unit=unit,
        status="not_converged" if doubts else "ok", note=note,
    )  # fmt: skip
