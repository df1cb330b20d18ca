"""Integers in order, each once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["sort_unique"]

Ints = npt.NDArray[np.int64]


def sort_unique(keys: Ints) -> Ints:
    """Return distinct integers in order, shape ``(n_distinct,)``.

    Faster than `numpy.unique`, which hashes, for keys that are nearly in order already.

    Examples
    --------
    >>> sort_unique(np.array([3, 1, 3]))
    array([1, 3])
    """
    keys = np.sort(keys)
    keep = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=keep[1:])
    return keys[keep]
