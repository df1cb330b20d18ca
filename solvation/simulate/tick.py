"""Tick: news of a running replica."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tick"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What is going on, for a progress display; one per report."""

    replica: str
    """Its name."""
    stage: str
    """Stage of the protocol, e.g. ``"production"``."""
    done: float
    """Fraction of the replica that is done, 0 to 1."""
    time: float
    """ps in this stage."""
    time_total: float
    """ps this stage lasts, at most."""
    speed: float
    """ns/day."""
    remaining: float
    """Seconds left for this replica at this speed."""
    temperature: float
    """K."""
    density: float
    """g/cm3."""
