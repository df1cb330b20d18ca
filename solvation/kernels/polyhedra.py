r"""Continuous shape measures: how far a first shell is from an ideal polyhedron.

.. math:: S = 100 \min_{R, s, \pi}
    \frac{\sum_k |q_k - s R\,p_{\pi(k)}|^2}{\sum_k |q_k - \bar q|^2}

over rotations :math:`R` (mirror images too: every reference here has mirror planes), sizes
:math:`s` and assignments :math:`\pi` of vertices (Pinsky, Avnir, Inorg. Chem. 1998, 37, 5575,
doi:10.1021/ic9804925). The central atom is point 0 of both and keeps its place, as usual for
coordination compounds (Alvarez et al., Coord. Chem. Rev. 2005, 249, 1693,
doi:10.1016/j.ccr.2005.03.031). S is 0 for the ideal shape and at most 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST", "SMALLEST", "Polyhedron", "list_polyhedra", "measure_shapes"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SMALLEST, LARGEST = 4, 9
"""Vertices for which there are references."""
_MOST = 100_000
"""Assignments tried at once; what they need fits the cache of a small machine."""
_PAIRS = ((0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Polyhedron:
    """An ideal polyhedron around a central atom."""

    label: str
    """Short name as in the SHAPE program, e.g. ``"OC-6"``."""
    name: str
    """E.g. ``"octahedron"``."""
    vertices: Floats
    """Unit vectors from the central atom, shape ``(n, 3)``."""


# Rings of vertices: polar angle (degrees), vertices in the ring, azimuth of the first (degrees).
# Angles of polyhedra whose symmetry leaves them free are those of the SHAPE references, computed
# from their coordinates (GrupEstructuraElectronicaSimetria/cosymlib, symeess/shape/
# ideal_structures.yaml), all distances to the centre equal.
_RINGS: dict[int, dict[str, tuple[str, list[tuple[float, int, float]]]]] = {
    4: {
        "T-4": ("tetrahedron", [(0, 1, 0), (109.4712206, 3, 0)]),
        "SP-4": ("square", [(90, 4, 0)]),
        "SS-4": ("seesaw", [(0, 1, 0), (180, 1, 0), (90, 1, 0), (90, 1, 90)]),
    },
    5: {
        "TBPY-5": ("trigonal bipyramid", [(0, 1, 0), (180, 1, 0), (90, 3, 0)]),
        "SPY-5": ("square pyramid", [(0, 1, 0), (104.4775122, 4, 0)]),
    },
    6: {
        "OC-6": ("octahedron", [(0, 1, 0), (180, 1, 0), (90, 4, 0)]),
        "TPR-6": ("trigonal prism", [(49.1066054, 3, 0), (130.8933946, 3, 0)]),
        "PPY-6": ("pentagonal pyramid", [(0, 1, 0), (90, 5, 0)]),
    },
    7: {
        "PBPY-7": ("pentagonal bipyramid", [(0, 1, 0), (180, 1, 0), (90, 5, 0)]),
        "COC-7": ("capped octahedron", [(0, 1, 0), (77.87, 3, 0), (133.48, 3, 60)]),
        "CTPR-7": (
            "capped trigonal prism",
            [(0, 1, 0), (76.27, 4, 45), (141.87, 2, 0)],
        ),
    },
    8: {
        "SAPR-8": ("square antiprism", [(59.2641, 4, 0), (120.7359, 4, 45)]),
        "TDD-8": (
            "triangular dodecahedron",
            [(36.85, 2, 0), (69.46, 2, 90), (110.54, 2, 0), (143.15, 2, 90)],
        ),
        "CU-8": ("cube", [(54.7356103, 4, 0), (125.2643897, 4, 0)]),
        "BTPR-8": (
            "bicapped trigonal prism",
            [(40.893395, 2, 0), (60.01, 2, 90), (112.1997, 4, 45)],
        ),
        "HBPY-8": ("hexagonal bipyramid", [(0, 1, 0), (180, 1, 0), (90, 6, 0)]),
    },
    9: {
        "TCTPR-9": (
            "tricapped trigonal prism",
            [(41.8103149, 3, 0), (90, 3, 60), (138.1896851, 3, 0)],
        ),
        "CSAPR-9": ("capped square antiprism", [(0, 1, 0), (68.78, 4, 0), (127.55, 4, 45)]),
        "CCU-9": ("capped cube", [(0, 1, 0), (65.192, 4, 45), (130.372, 4, 45)]),
    },
}  # fmt: skip


@cache
def list_polyhedra(n: int) -> tuple[Polyhedron, ...]:
    """List the references with ``n`` vertices; none outside `SMALLEST` to `LARGEST`.

    Examples
    --------
    >>> [p.label for p in list_polyhedra(6)]
    ['OC-6', 'TPR-6', 'PPY-6']
    """
    return tuple(
        Polyhedron(label=label, name=name, vertices=_place(rings))
        for label, (name, rings) in _RINGS.get(n, {}).items()
    )


def _place(rings: list[tuple[float, int, float]]) -> Floats:
    points = []
    for polar, count, first in rings:
        theta = np.radians(polar)
        phi = np.radians(first) + 2.0 * np.pi * np.arange(count) / count
        ring = np.stack(
            [
                np.sin(theta) * np.cos(phi),
                np.sin(theta) * np.sin(phi),
                np.full(count, np.cos(theta)),
            ],
            axis=1,
        )
        points.append(ring)
    return np.concatenate(points)


def measure_shapes(shells: npt.ArrayLike) -> Floats:
    """Measure shells of ``n`` vertices against every reference with ``n`` vertices.

    Parameters
    ----------
    shells
        Vectors from the central atom to its neighbours, any unit, shape ``(n_shells, n, 3)``.

    Returns
    -------
    Continuous shape measures, shape ``(n_shells, n_polyhedra)``, in the order of
    `list_polyhedra`; no columns where there is no reference.

    Notes
    -----
    Every assignment of vertices is tried that the symmetry of the reference does not repeat (15
    for the octahedron, 45 360 for the capped square antiprism), so that the minimum is the true
    one. The best rotation and size of each follow in closed form: the overlap is the sum of the
    singular values of :math:`\\sum_k q_k p_k^T`.

    Examples
    --------
    >>> measure_shapes([list_polyhedra(6)[0].vertices]).round(2).tolist()
    [[0.0, 16.74, 30.44]]
    """
    points = np.asarray(shells, dtype=np.float64)
    references = list_polyhedra(points.shape[1])
    result = np.empty((len(points), len(references)))
    for column, reference in enumerate(references):
        result[:, column] = _measure(points, reference)
    return result


def _measure(points: Floats, reference: Polyhedron) -> Floats:
    head, tail, heads, tails = _list_ways(reference.label)
    q, size_q = _centre(points)
    p, size_p = _centre(reference.vertices[None])
    half = heads.shape[1]
    best = np.empty(len(points))
    step = max(1, _MOST // len(head))
    for start in range(0, len(points), step):
        some = q[start : start + step]
        # Sums over the first and the last vertices repeat: find each once, then add.
        first = np.einsum("bik,wil->klbw", some[:, 1 : half + 1], p[0, 1:][heads])
        first += np.einsum("bk,l->klb", some[:, 0], p[0, 0])[..., None]
        last = np.einsum("bik,wil->klbw", some[:, half + 1 :], p[0, 1:][tails])
        norm = _nuclear_norm(first[..., head] + last[..., tail])
        best[start : start + step] = norm.max(axis=1)
    overlap = best**2 / (size_q * size_p[0])
    return np.asarray(np.clip(100.0 * (1.0 - overlap), 0.0, 100.0), dtype=np.float64)


@cache
def _list_ways(label: str) -> tuple[Ints, Ints, Ints, Ints]:
    """List assignments, one of every set that the symmetry of the reference makes equal.

    Returns
    -------
    Which first and which last part each assignment has, shape ``(n_ways,)`` each, and these
    parts: the vertices of the reference for the first half of the shell, and for the rest.
    """
    n = int(label.rpartition("-")[2])
    (reference,) = (p for p in list_polyhedra(n) if p.label == label)
    every = np.array(list(permutations(range(n))), dtype=np.int64)
    weights = n ** np.arange(n)
    code = every @ weights
    smallest = code.copy()
    for operation in _find_symmetry(reference.vertices):
        np.minimum(smallest, operation[every] @ weights, out=smallest)
    ways = every[smallest == code]
    heads, head = np.unique(ways[:, : n // 2], axis=0, return_inverse=True)
    tails, tail = np.unique(ways[:, n // 2 :], axis=0, return_inverse=True)
    return head.reshape(-1), tail.reshape(-1), heads, tails


def _find_symmetry(vertices: Floats) -> Ints:
    """List the rotations and reflections of a polyhedron as permutations of its vertices."""
    n = len(vertices)
    metric = vertices @ vertices.T
    found: list[tuple[int, ...]] = [()]
    for k in range(n):
        found = [
            (*way, j)
            for way in found
            for j in range(n)
            if j not in way
            and abs(metric[j, j] - metric[k, k]) < 1e-3
            and all(abs(metric[way[i], j] - metric[i, k]) < 1e-3 for i in range(k))
        ]
    return np.array(found, dtype=np.int64)


def _centre(points: Floats) -> tuple[Floats, Floats]:
    """Put the central atom in front, move the mean to the origin; return summed squares too."""
    whole = np.concatenate([np.zeros((len(points), 1, 3)), points], axis=1)
    moved = whole - whole.mean(axis=1, keepdims=True)
    return moved, np.einsum("bik,bik->b", moved, moved)


def _nuclear_norm(m: Floats) -> Floats:
    """Return the sum of the singular values of 3 x 3 matrices ``(3, 3, ...)``, in closed form."""
    # Eigenvalues of the symmetric m^T m by Cardano's formula, each entry for all matrices at once.
    a, b, c = (m[0, i] ** 2 + m[1, i] ** 2 + m[2, i] ** 2 for i in range(3))
    d, e, f = (
        m[0, i] * m[0, j] + m[1, i] * m[1, j] + m[2, i] * m[2, j] for i, j in _PAIRS
    )  # fmt: skip
    mean = (a + b + c) / 3.0
    a, b, c = a - mean, b - mean, c - mean
    spread = np.sqrt((a * a + b * b + c * c + 2.0 * (d * d + e * e + f * f)) / 6.0)
    spread = np.maximum(spread, 1e-150)
    half = 0.5 * (a * (b * c - f * f) - d * (d * c - e * f) + e * (d * f - e * b)) / spread**3
    angle = np.arccos(np.clip(half, -1.0, 1.0)) / 3.0
    wide, narrow = np.cos(angle), np.sqrt(3.0) * np.sin(angle)
    total = np.sqrt(np.maximum(mean + 2.0 * spread * wide, 0.0))
    total += np.sqrt(np.maximum(mean - spread * (wide - narrow), 0.0))
    total += np.sqrt(np.maximum(mean - spread * (wide + narrow), 0.0))
    return np.asarray(total)
