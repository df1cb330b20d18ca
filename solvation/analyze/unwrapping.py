r"""Whether centres of mass were wrapped into the cell, and their continuous paths if so.

Steps are taken to the nearest image, in the box of the later frame, of the difference between
*wrapped* positions, and summed (`solvation.kernels.cell.unwrap_centres`). This keeps every
displacement as it was when the box breathes.
Adding lattice vectors of a fluctuating box to positions does not: it turns the fluctuation of the
box into displacements that grow with the number of boxes crossed (von Bülow, Bullerjahn, Hummer,
J. Chem. Phys. 2020, 153, 021101, doi:10.1063/5.0008316; Bullerjahn et al., J. Chem. Theory Comput.
2023, 19, 3406, doi:10.1021/acs.jctc.3c00308; Kulke and Vermaas, J. Chem. Theory Comput. 2022, 18,
6161, doi:10.1021/acs.jctc.2c00327, on what each scheme keeps).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from solvation.kernels.cell import unwrap_centres

__all__ = ["Steps", "survey_steps", "unwrap_in_place"]

Floats = npt.NDArray[np.float64]

_BYTES = 4_000_000
"""Positions looked at at a time."""
_SPREAD = 1.25
"""Cells over which wrapped centres may spread: molecules are whole, so some stick out."""
_NEAR = 0.45
"""Of a box: steps this long say nothing of the direction they went."""
_MISTAKES = 0.01
"""Wrong images that may be expected in a whole trajectory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What the steps between frames say, in fractions of the box vectors."""

    n_jumps: int
    """Steps longer than half a box along some axis."""
    spread: float
    """Extent of all positions along the widest axis, in boxes."""
    longest: float
    """Longest step along an axis once taken to the nearest image."""
    mistakes: float
    """Wrong images to be expected if the steps of each molecule are Gaussian."""

    @property
    def clear(self) -> bool:
        """Whether the nearest image is the right one in every step."""
        return self.mistakes <= _MISTAKES and self.longest <= _NEAR

    @property
    def wrapped(self) -> bool:
        """Whether positions were wrapped: some jump, and are not merely far apart in time."""
        return self.n_jumps > 0 and (self.spread <= _SPREAD or self.clear)


def survey_steps(centres: Floats, matrix: Floats) -> Steps:
    """Look at all steps between consecutive frames.

    Parameters
    ----------
    centres
        Å, shape ``(n_frames, n_molecules, 3)``.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``.
    """
    n_frames, n_molecules, _ = centres.shape
    jumps, longest = 0, 0.0
    squares = np.zeros((n_molecules, 3))
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for start, stop in _cut(n_frames, n_molecules):
        inverse = np.linalg.inv(matrix[start : stop + 1])
        fraction = np.matmul(centres[start : stop + 1], inverse)
        low = np.minimum(low, fraction.min(axis=(0, 1)))
        high = np.maximum(high, fraction.max(axis=(0, 1)))
        step = np.diff(fraction, axis=0)
        jumps += int(np.count_nonzero(np.abs(step) > 0.5))
        step -= np.round(step)
        longest = max(longest, float(np.abs(step).max(initial=0.0)))
        squares += np.einsum("tmk,tmk->mk", step, step)
    n_steps = max(n_frames - 1, 1)
    # Per molecule, because a few fast ions among many molecules would not show in the mean.
    sigma = np.sqrt(squares / n_steps)
    mistakes = float(2.0 * n_steps * stats.norm.sf(0.5 / np.maximum(sigma, 1e-9)).sum())
    spread = float((high - low).max(initial=0.0))
    return Steps(n_jumps=jumps, spread=spread, longest=longest, mistakes=mistakes)


def unwrap_in_place(centres: Floats, matrix: Floats) -> None:
    """Turn wrapped positions into continuous paths that start where they did.

    Parameters
    ----------
    centres
        Å, shape ``(n_frames, n_molecules, 3)``; overwritten.
    matrix
        Box vectors in Å, shape ``(n_frames, 3, 3)``; any lower-triangular cell.
    """
    n_frames, n_molecules, _ = centres.shape
    before = centres[:1].copy()
    for start, stop in _cut(n_frames, n_molecules):
        if stop == start:
            continue
        piece = np.concatenate([before, centres[start + 1 : stop + 1]])
        path = unwrap_centres(piece, matrix[start : stop + 1])
        centres[start + 1 : stop + 1] = path[1:] + (centres[start] - path[0])
        before = piece[-1:]


def _cut(n_frames: int, n_molecules: int) -> Iterator[tuple[int, int]]:
    """Cut the steps into pieces: from a first frame to a last one, which the next begins with."""
    size = max(1, _BYTES // (24 * max(n_molecules, 1)))
    if n_frames < 2:
        yield 0, 0
    for start in range(0, n_frames - 1, size):
        yield start, min(start + size, n_frames - 1)
