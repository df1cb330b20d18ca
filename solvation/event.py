"""Events: news of a running stage, for whoever shows progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Event", "Listener", "StageName", "relay_frames", "tell"]

StageName = Literal["build", "simulate", "analyze", "report"]
"""The four stages, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """News of a running stage, for a progress display."""

    stage: StageName
    """Which stage."""
    done: float
    """Fraction of it that is done, 0 to 1."""
    text: str
    """What is going on, a few words."""


Listener = Callable[[Event], None]
"""Something that wants to hear."""


def relay_frames(progress: Listener | None) -> Callable[[int, int, str], None]:
    """Turn the analyzers' progress into events."""

    def listen(done: int, total: int, label: str) -> None:
        tell(progress, "analyze", done / max(total, 1), label)

    return listen


def tell(progress: Listener | None, stage: StageName, done: float, text: str) -> None:
    """Send an event, if anybody listens."""
    if progress is not None:
        progress(Event(stage=stage, done=done, text=text))
