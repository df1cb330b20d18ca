"""Integers, and rows of integers, in order and each once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["narrow", "number_rows", "sort_pairs", "sort_unique"]

Ints = npt.NDArray[np.int64]


def narrow(numbers: Ints) -> npt.NDArray[np.integer[Any]]:
    """Write whole numbers from 0 on, shape ``(...)``, in as few bytes as the largest needs.

    Examples
    --------
    >>> narrow(np.array([0, 255])).dtype
    dtype('uint8')
    """
    found: npt.NDArray[np.integer[Any]] = numbers.astype(
        np.min_scalar_type(int(numbers.max(initial=0)))
    )
    return found


def sort_unique(keys: Ints) -> Ints:
    """Return distinct integers in order, as indices are, shape ``(n_distinct,)``.

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


def sort_pairs(pairs: Ints) -> Ints:
    """Return pairs of indices each once and in order, the lower index first.

    Parameters
    ----------
    pairs
        Indices from 0 on, shape ``(n, 2)``.

    Examples
    --------
    >>> sort_pairs(np.array([[3, 1], [0, 2], [1, 3]])).tolist()
    [[0, 2], [1, 3]]
    """
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    size = int(pairs.max(initial=0)) + 1
    return np.stack(np.divmod(sort_unique(low * size + high), size), axis=1)


def number_rows(rows: Ints) -> tuple[Ints, Ints]:
    """Return distinct rows in order, and which of them each row is.

    Parameters
    ----------
    rows
        Shape ``(n, n_columns)``.

    Returns
    -------
    distinct
        Shape ``(n_distinct, n_columns)``, sorted by the first column, then the second, ...
    number
        Shape ``(n,)``.

    Examples
    --------
    >>> number_rows(np.array([[2, 0], [1, 5], [2, 0]]))[1].tolist()
    [1, 0, 1]
    """
    if not len(rows):
        return rows, np.empty(0, dtype=np.int64)
    low = rows.min(axis=0)
    span = (rows.max(axis=0) - low + 1).tolist()
    size = 1
    for n in span:
        size *= n
    if size >= 2**62:
        distinct, number = np.unique(rows, axis=0, return_inverse=True)
        return distinct, number.reshape(-1)
    # One integer per row, whose digits are the columns, sorts much faster.
    code = np.zeros(len(rows), dtype=np.int64)
    for k, n in enumerate(span):
        code = code * n + (rows[:, k] - low[k])
    code, number = np.unique(code, return_inverse=True)
    distinct = np.empty((len(code), len(span)), dtype=np.int64)
    for k, n in reversed(list(enumerate(span))):
        code, distinct[:, k] = np.divmod(code, n)
    return distinct + low, number.reshape(-1)
