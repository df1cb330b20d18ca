"""Halt: when a run is asked to stop, by the clock, a signal or another process."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from solvation.errors import StopError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Halt", "heed_signals"]


class Halt:
    """Whether to stop, and why; asked by the loop between steps, told by anyone.

    Examples
    --------
    >>> halt = Halt()
    >>> halt.ask("enough")
    >>> halt.reason
    'enough'
    """

    def __init__(self, deadline: float | None = None, *, reason: str = "time is up") -> None:
        self.deadline = deadline
        """Moment of `time.monotonic` after which to stop; None for never."""
        self._late = reason
        self._asked: str | None = None

    @property
    def reason(self) -> str | None:
        """Why to stop; None to go on."""
        if self._asked is None and self.deadline is not None and time.monotonic() > self.deadline:
            self._asked = self._late
        return self._asked

    def ask(self, reason: str) -> None:
        """Ask to stop."""
        self._asked = self._asked or reason

    def check(self) -> None:
        """Raise `StopError` when it is time to stop."""
        if self.reason is not None:
            raise StopError(f"stopped ({self.reason}); run the same command again to continue")


@contextmanager
def heed_signals(halt: Halt) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a request to stop; the second one interrupts at once.

    Outside the main thread signals belong to somebody else, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGINT, signal.SIGTERM)

    def heed(number: int, _frame: FrameType | None) -> None:
        if halt.reason is not None:
            raise KeyboardInterrupt
        halt.ask("interrupted" if number == signal.SIGINT else "asked to by SIGTERM")

    earlier = [signal.signal(kind, heed) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, earlier, strict=True):
            signal.signal(kind, handler)
