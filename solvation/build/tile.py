"""Tile: large boxes as copies of a small packed one, with exactly the molecules asked for.

Packmol's time grows faster than the number of molecules. So a large box is packed as ``k`` x ``k``
x ``k`` tiles: one periodic tile is packed with as many of every body as the fullest tile needs, set
down in every place, and thinned: where a tile should have one fewer of a body, a random copy is
left out. Copies fit to each other as the tile fits to its own images, so nothing can overlap that
Packmol kept apart. Then every body is pushed a little at random, so that tiles differ from the
first step on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["choose_tiles", "fill_tile", "lay_tiles"]

_LARGEST = 8_000
"""Atoms up to which a box is packed in one piece; Packmol takes some 20 s of CPU time for them."""
_TILE = 3_000
"""Atoms of a tile, about."""
_PUSH = 0.2
"""Å, longest push of a body: two neighbours come at most 0.4 nearer than Packmol's 2."""


def choose_tiles(n_atoms: int) -> int:
    """Choose how many tiles an edge of the box has; 1 when it is packed in one piece.

    Examples
    --------
    >>> choose_tiles(5_000), choose_tiles(100_000)
    (1, 3)
    """
    if n_atoms <= _LARGEST:
        return 1
    return max(2, round(math.cbrt(n_atoms / _TILE)))


def fill_tile(numbers: Sequence[int], tiles: int) -> list[int]:
    """Count the bodies of the fullest tile.

    Parameters
    ----------
    numbers
        Of every kind of body in the whole box.
    tiles
        Along an edge.
    """
    return [-(-number // tiles**3) for number in numbers]


def lay_tiles(
    tile: NDArray[np.float64],
    sizes: Sequence[int],
    numbers: Sequence[int],
    *,
    tiles: int,
    edge: float,
    seed: int,
) -> NDArray[np.float64]:
    """Make the whole box of one tile.

    Parameters
    ----------
    tile
        Atoms of the tile in Å, kind of body by kind, `fill_tile` copies of each; shape
        ``(n_tile, 3)``.
    sizes
        Atoms of a body of every kind.
    numbers
        Bodies of every kind in the whole box.
    tiles
        Along an edge.
    edge
        Of the whole box, Å.
    seed
        Of what is left out and of the pushes.

    Returns
    -------
    Atoms of the whole box in Å, kind of body by kind; shape ``(n_atoms, 3)``.

    Examples
    --------
    >>> lay_tiles(np.zeros((2, 3)), [1], [9], tiles=2, edge=8.0, seed=1).shape
    (9, 3)
    """
    random = np.random.default_rng(seed)
    steps = np.arange(tiles) * (edge / tiles)
    corners = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    placed = []
    first = 0
    for size, number, copies in zip(sizes, numbers, fill_tile(numbers, tiles), strict=True):
        last = first + size * copies
        bodies = tile[first:last].reshape(copies, size, 3)
        first = last
        kept = np.ones((len(corners), copies), dtype=bool)
        spare = len(corners) * copies - number
        thinned = random.choice(len(corners), spare, replace=False)
        kept[thinned, random.integers(copies, size=spare)] = False
        where, which = np.nonzero(kept)
        pushes = random.normal(size=(number, 3))
        pushes *= (
            _PUSH * random.random((number, 1)) ** (1 / 3)
            / np.linalg.norm(pushes, axis=1, keepdims=True)
        )  # fmt: skip
        placed.append((bodies[which] + (corners[where] + pushes)[:, None]).reshape(-1, 3))
    return np.concatenate(placed)
