"""The garbage collector of Python, paused where it finds nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pause_collector"]


@contextmanager
def pause_collector() -> Iterator[None]:
    """Pause the collector of cyclic garbage while very many objects are made that all stay.

    Arrays are freed when their last user is gone, without it. Looking through hundreds of
    thousands of objects for cycles, again and again, would take longer than reading a topology.

    Examples
    --------
    >>> with pause_collector():
    ...     gc.isenabled()
    False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
