"""Connected components of many small graphs at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["count_members", "label_components"]

Ints = npt.NDArray[np.int64]


def label_components(n_nodes: int, first: npt.ArrayLike, second: npt.ArrayLike) -> Ints:
    """Number the connected component of every node.

    Parameters
    ----------
    n_nodes
        Number of nodes. Graphs of several frames are one graph without edges between them.
    first, second
        The ends of the edges, shape ``(n_edges,)``; repeated edges do no harm.

    Returns
    -------
    Component of each node, shape ``(n_nodes,)``, numbered from 0.

    Examples
    --------
    >>> label_components(4, [0, 1], [1, 0]).tolist()
    [0, 0, 1, 2]
    """
    row = np.asarray(first, dtype=np.int64)
    column = np.asarray(second, dtype=np.int64)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(n_nodes, n_nodes))
    _, label = connected_components(graph, directed=False)
    return label.astype(np.int64)


def count_members(label: Ints, kind: Ints, n_kinds: int) -> Ints:
    """Count the nodes of each kind in each component.

    Parameters
    ----------
    label
        Component of each node, shape ``(n_nodes,)``.
    kind
        Kind of each node, shape ``(n_nodes,)``.
    n_kinds
        Number of kinds.

    Returns
    -------
    Counts, shape ``(n_components, n_kinds)``.
    """
    n_components = int(label.max(initial=-1)) + 1
    flat = np.bincount(label * n_kinds + kind, minlength=n_components * n_kinds)
    return flat.reshape(n_components, n_kinds).astype(np.int64)
