r"""Collective motion: the matrix behind conductivity, Onsager coefficients and their errors.

Of each species all displacements are summed, one vector per frame. Their products grow with the
slopes :math:`6 \Lambda_{ab}`, and every collective coefficient is a function of this one matrix:
so parts add up exactly, frames are changed by multiplying matrices, and one account of how the
elements fluctuate together gives every error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.analyze.centre import Path
from solvation.analyze.topology import Scene
from solvation.kernels.collective import (
    change_frame,
    cross_displacement,
    functional_error,
    multiply_steps,
    weigh_lags,
    widen_few,
)

__all__ = ["Collective", "Estimate", "collect_motion", "fit_motion", "sum_species"]

Floats = npt.NDArray[np.float64]

_STRETCH = 256
"""Frames whose positions are picked apart at once."""
_PRIOR = 4.0
"""Degrees of freedom with which the expected scatter stands against the one seen."""
_BLOCKS = 4
"""Most stretches of time per replica."""
_SPAN = 5
"""A stretch is at least as many times as long as the longest lag fitted."""
_LEAST_OFFSET, _MOST_OFFSET = -0.5, 4.0
"""Shortest lags by which the line of the fit may be ahead of one through zero."""
_WIDTH = 2.0
"""Longest lag of the fit over the shortest. Longer ones add next to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number, its error, and what it rests on."""

    value: float
    """In whatever unit."""
    stderr: float
    """One standard error."""
    n_effective: float
    """Independent displacement vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    r"""Collective coefficients :math:`\Lambda_{ab}` of all species in one window of lags."""

    matrix: Floats
    """m2/s, in the frame of the paths, shape ``(n_species, n_species)``."""
    parts: tuple[tuple[Floats, Floats], ...]
    """The same from parts of the data, cut in several ways: coefficients of each part, shape
    ``(n_parts, n_species, n_species)``, and its share of the samples, shape ``(n_parts,)``."""
    n_effective: float
    """Independent displacement vectors that the matrix is worth."""
    low: float
    """Shortest lag fitted, ps."""
    high: float
    """Longest lag fitted, ps."""

    def estimate(self, function: Callable[[Floats], float]) -> Estimate:
        r"""Evaluate a function of the matrix, with its error.

        Parameters
        ----------
        function
            Takes a matrix in m2/s.

        Notes
        -----
        The elements of the matrix are mean products of Gaussian displacements, whose covariance
        follows from the matrix itself and the number of independent samples
        (`functional_error`). The error is widened, first because it is taken of an estimate that
        may be small by chance (`widen_few`; a ratio, which has no scale, is spared), then if
        replicas, or stretches of time and components, scatter more than this says.
        """
        value = float(function(self.matrix))
        gradient = _differentiate(function, self.matrix)
        samples = 3.0 * self.n_effective
        if not np.isfinite(value) or samples <= 0.0:
            return Estimate(value=value, stderr=float("nan"), n_effective=0.0)
        error = functional_error(self.matrix, gradient, samples)
        ratio = 1.0
        for matrices, share in self.parts:
            ratio = max(ratio, _compare_scatter(matrices, share, gradient, error))
        # How much of the uncertainty is that of the scale: all of it for a mean square.
        scale = float(np.sum(gradient * self.matrix)) ** 2
        share_of_scale = min(scale / (0.5 * samples * error**2), 1.0) if error > 0.0 else 0.0
        wider = 1.0 + share_of_scale * (widen_few(round(samples, 1)) - 1.0)
        return Estimate(
            value=value,
            stderr=error * wider * float(np.sqrt(ratio)),
            n_effective=self.n_effective / ratio,
        )


def sum_species(scene: Scene, path: Path) -> Floats:
    """Sum the positions of each species, relative to the centre of mass of all.

    Returns
    -------
    Å, shape ``(n_frames, n_species, 3)``, whatever frame the path is in.
    """
    sums = np.empty((len(path.times), len(scene.species), 3))
    # A stretch at a time: picking a species out copies it, and the solvent is nearly everything.
    for start in range(0, len(sums), _STRETCH):
        rows = path.positions[start : start + _STRETCH]
        for i, s in enumerate(scene.species):
            sums[start : start + _STRETCH, i] = rows[:, s.molecules].sum(axis=1)
    counts = [s.n_molecules for s in scene.species]
    masses = [float(scene.masses[s.atoms[0]].sum()) for s in scene.species]
    rest = change_frame(counts, masses, np.ones(len(counts)))
    moved: Floats = np.einsum("ab,tbk->tak", rest, sums)
    return moved


def collect_motion(sums: Sequence[Floats], n_lags: int) -> Floats:
    """Return the mean products of collective displacements of all replicas.

    Parameters
    ----------
    sums
        Å, of each replica, shape ``(n_frames, n_species, 3)``.
    n_lags
        Lags to return.

    Returns
    -------
    Å2, shape ``(n_lags, n_species, n_species)``, the three components summed.
    """
    curves = np.array([cross_displacement(path, n_lags) for path in sums])
    mean: Floats = np.average(curves, axis=0, weights=[len(path) for path in sums])
    return mean


def fit_motion(sums: Sequence[Floats], *, timestep: float, low: float) -> Collective | None:
    """Fit the collective coefficients from a lag on at which the motion is diffusive.

    Parameters
    ----------
    sums
        Å, of each replica, shape ``(n_frames, n_species, 3)``.
    timestep
        ps between frames.
    low
        Shortest lag of the fit, ps; the longest is twice that.

    Returns
    -------
    None if the longest lag is more than half a replica.
    """
    first = max(1, round(low / timestep))
    last = max(first + 1, round(_WIDTH * first))
    shortest = min(len(path) for path in sums)
    if 2 * last > shortest:
        return None
    to_diffusion = 1e-8 / (2.0 * timestep)
    offset = _find_offset(collect_motion(sums, last + 1), first, last)
    whole = [_fit_parts(path, first, last, 1, offset) for path in sums]
    matrices, samples = (np.concatenate([w[i] for w in whole]) for i in (0, 1))
    whole_share = samples / samples.sum()
    parts = [(matrices * to_diffusion, whole_share)]
    blocks = min(_BLOCKS, shortest // (_SPAN * last))
    if blocks > 1:
        pieces = [_fit_parts(path, first, last, blocks, offset) for path in sums]
        counted = np.concatenate([n for _, n in pieces])
        parts = [(np.concatenate([m for m, _ in pieces]) * to_diffusion, counted / counted.sum())]
    if len(sums) > 1:
        each = matrices.reshape(len(sums), 3, *matrices.shape[1:]).mean(axis=1)
        share = samples.reshape(len(sums), 3).sum(axis=1)
        parts.append((each * to_diffusion, share / share.sum()))
    return Collective(
        matrix=np.einsum("s,sab->ab", whole_share, matrices) * to_diffusion,
        parts=tuple(parts), n_effective=float(samples.sum()) / 3.0,
        low=first * timestep, high=last * timestep,
    )  # fmt: skip


def _find_offset(curves: Floats, first: int, last: int) -> float:
    """Return by how many frames the lines are ahead of lines through zero, to one digit."""
    own = np.diagonal(curves, axis1=1, axis2=2)[:, np.diagonal(curves[last]) > 0.0]
    if not own.size:
        return 0.0
    start = float((own[first] / own[last]).mean())
    rise = (1.0 - start) / (last - first)
    share = _MOST_OFFSET if rise <= 0.0 else start / (rise * first) - 1.0
    # Coarse, because the weights hardly depend on it and are kept for the next fit.
    return round(min(max(share, _LEAST_OFFSET), _MOST_OFFSET) * 4.0) / 4.0 * first


def _fit_parts(
    path: Floats, first: int, last: int, blocks: int, offset: float
) -> tuple[Floats, Floats]:
    """Return slopes per frame of each stretch and component, and their independent samples."""
    size = len(path) // blocks
    fit = weigh_lags(size, first, last, offset)
    slopes = [
        np.einsum("l,lkab->kab", fit.weights, multiply_steps(path[i : i + size], fit.lags))
        for i in range(0, size * blocks, size)
    ]
    return np.concatenate(slopes), np.full(3 * blocks, fit.n_effective)


def _differentiate(function: Callable[[Floats], float], matrix: Floats) -> Floats:
    """Return the symmetric gradient of a function of a symmetric matrix."""
    n = len(matrix)
    gradient = np.zeros((n, n))
    size = 1e-5 * max(float(np.abs(matrix).max()), 1e-300)
    for a in range(n):
        for b in range(a + 1):
            step = np.zeros((n, n))
            step[a, b] = step[b, a] = size
            rise = (function(matrix + step) - function(matrix - step)) / (2.0 * size)
            gradient[a, b] = gradient[b, a] = rise if a == b else 0.5 * rise
    return gradient


def _compare_scatter(matrices: Floats, share: Floats, gradient: Floats, error: float) -> float:
    """Return how much more the parts scatter than they should, as a ratio of variances.

    A few parts say little about a variance; the one expected stands against it with the weight of
    four degrees of freedom.
    """
    degrees = len(matrices) - 1
    if degrees < 1 or not error > 0.0:
        return 1.0
    values = np.einsum("ab,sab->s", gradient, matrices)
    centre = float(share @ values)
    # A part with a share s of the samples has the variance error^2 / s.
    ratio = float((share * (values - centre) ** 2).sum()) / (degrees * error**2)
    return (_PRIOR + degrees * ratio) / (_PRIOR + degrees)
