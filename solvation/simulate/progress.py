"""Progress of a simulation, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvation.simulate.dynamics import Tick

__all__ = ["describe_tick"]


def describe_tick(tick: Tick) -> str:
    """Put a tick in words."""
    hours, minutes = tick.remaining / 3600, tick.remaining / 60
    left = f"{hours:.1f} h" if hours > 1.5 else f"{minutes:.1f} min"
    return (
        f"{tick.replica} {tick.stage} {tick.time:.4g}/{tick.time_total:.4g} ps · "
        f"{tick.speed:.3g} ns/day · {left} left · "
        f"{tick.density:.3f} g/cm3 · {tick.temperature:.0f} K"
    )
