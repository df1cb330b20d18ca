"""Memory: whether a run has forgotten how its box was packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FEWEST_EVENTS", "Memory", "judge_memory"]

FEWEST_EVENTS = 10
"""Exchanges below which a population is the memory of how the box was packed."""
FEWEST_LIFETIMES = 3.0
"""Residence times that a run must last before its populations are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Whether a run has forgotten its start as far as one ligand is concerned."""

    pair: str
    """E.g. ``"Mg-DME"``."""
    forgotten: bool
    """Whether populations that depend on this exchange are the run's own."""
    n_events: int
    """Contacts seen to break."""
    note: str | None
    """Why not, in one sentence."""


def judge_memory(residence: xr.Dataset, *, longest: float) -> dict[str, Memory]:
    """Say of each cation–ligand pair whether the run has forgotten its start.

    Parameters
    ----------
    residence
        From `measure_residence`.
    longest
        Length of the longest replica in ps.
    """
    verdicts = {}
    span = f"{longest / 1000.0:.3g} ns"
    for i, pair in enumerate(str(p) for p in residence["pair"].values):
        events = int(residence["n_events"].values[i])
        tau = float(residence["residence_time"].values[i])
        exposure = float(residence["exposure"].values[i])
        note = None
        if not longest > 0.0:
            note = f"without times no {pair} exchange can be seen"
        elif exposure == 0.0:
            note = f"no {pair} contact in {span}: this is the memory of the packing"
        elif events == 0:
            note = f"no {pair} exchange in {span}: this is the memory of the packing"
        elif events < FEWEST_EVENTS:
            word = "exchange" if events == 1 else "exchanges"
            note = f"only {events} {pair} {word} in {span}, fewer than {FEWEST_EVENTS}"
        elif longest / 1000.0 < FEWEST_LIFETIMES * tau:
            note = (
                f"{span} is shorter than {FEWEST_LIFETIMES:g} residence times of {pair} "
                f"({tau:.3g} ns)"
            )
        verdicts[pair] = Memory(pair=pair, forgotten=note is None, n_events=events, note=note)
    return verdicts
