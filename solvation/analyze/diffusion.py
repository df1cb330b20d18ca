r"""Self-diffusion from mean squared displacements of centres of mass.

.. math:: D = \frac{1}{6} \frac{d}{dt} \langle |r(t_0+t) - r(t_0)|^2 \rangle

over all origins, all molecules of a species and all replicas. The diffusive regime is found and
the line fitted as `solvation.kernels.slope` and `solvation.kernels.regime` say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

from solvation.analyze.centre import Path
from solvation.analyze.topology import Scene
from solvation.kernels.regime import choose_window, scan_windows
from solvation.kernels.slope import Curves, Slope, fit_slope
from solvation.kernels.timecorr import average_displacement
from solvation.kernels.uncertainty import block_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "Displacements",
    "collect_displacements",
    "common_lags",
    "measure_diffusion",
    "thin_lags",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Labels = dict[str, str]

A2_PER_PS = 1e-8
"""Å2/ps in m2/s."""
_GROUPS = 32
"""Groups of molecules per replica, at most, from whose scatter errors come."""
_BLOCKS = 4
"""Stretches of time per replica whose scatter is looked at too."""
_FEWEST_FRAMES = 20
"""Frames below which no displacement is worth fitting."""
_LAGS = 400
"""Lags kept in the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacements:
    """Mean squared displacements of one species, by component and in independent parts."""

    timestep: float
    """ps between lags."""
    groups: Floats
    """Å2, of groups of molecules of all replicas, shape ``(n_groups, n_lags, 3)``."""
    n_frames: Ints
    """Frames of the replica of each group, shape ``(n_groups,)``."""
    n_molecules: Floats
    """Molecules in each group, shape ``(n_groups,)``."""
    replica: Ints
    """Replica of each group, shape ``(n_groups,)``."""
    blocks: Floats
    """Å2, of all molecules in stretches of time, shape ``(n_blocks, n_block_lags, 3)``."""

    def to_curves(self, axis: int | None = None) -> Curves:
        """Return what a slope is fitted to: of one component, or the mean of all three."""

        def pick(samples: Floats) -> Floats:
            chosen: Floats = samples.mean(axis=2) if axis is None else samples[:, :, axis]
            return chosen

        copies = self.n_molecules * (3.0 if axis is None else 1.0)
        groups, parts = pick(self.groups), []
        replicas = np.unique(self.replica)
        if len(replicas) > 1:
            members = [self.replica == r for r in replicas]
            means = [np.average(groups[m], axis=0, weights=self.n_molecules[m]) for m in members]
            parts.append(
                Curves(
                    timestep=self.timestep, samples=np.array(means),
                    n_frames=np.array([self.n_frames[m][0] for m in members]),
                    copies=np.array([copies[m].sum() for m in members]),
                )
            )  # fmt: skip
        if len(self.blocks) > 1:
            per_block = float(copies[self.replica == replicas[0]].sum())
            parts.append(
                Curves(
                    timestep=self.timestep, samples=pick(self.blocks),
                    n_frames=self.blocks.shape[1], copies=per_block,
                )
            )  # fmt: skip
        return Curves(
            timestep=self.timestep, samples=groups, n_frames=self.n_frames, copies=copies,
            parts=tuple(parts),
        )  # fmt: skip


def collect_displacements(
    paths: Sequence[Path], molecules: Ints, *, timestep: float, n_lags: int
) -> Displacements:
    """Average squared displacements over all origins, within groups of molecules and in blocks.

    ``molecules`` are indices, shape ``(n_molecules,)``.

    Parameters
    ----------
    paths
        One per replica.
    molecules
        Of one species.
    timestep
        ps between frames.
    n_lags
        Lags that all replicas have.
    """
    groups, frames, sizes, replica, blocks = [], [], [], [], []
    length = min(len(path.times) for path in paths) // _BLOCKS
    for number, path in enumerate(paths):
        n = min(_GROUPS, len(molecules))
        whole = np.zeros((_BLOCKS, length, 3))
        for members in (molecules[i::n] for i in range(n)):
            own = path.positions[:, members]
            groups.append(average_displacement(own)[:n_lags])
            frames.append(len(path.times))
            sizes.append(float(len(members)))
            replica.append(number)
            if length >= _FEWEST_FRAMES:
                whole += len(members) / len(molecules) * np.array([
                    average_displacement(own[k * length : (k + 1) * length])
                    for k in range(_BLOCKS)
                ])  # fmt: skip
        if length >= _FEWEST_FRAMES:
            blocks.append(whole)
    return Displacements(
        timestep=timestep, groups=np.array(groups), n_frames=np.array(frames),
        n_molecules=np.array(sizes), replica=np.array(replica),
        blocks=np.concatenate(blocks) if blocks else np.empty((0, 0, 3)),
    )  # fmt: skip


def measure_diffusion(scene: Scene, paths: Sequence[Path]) -> xr.Dataset | None:
    """Measure self-diffusion coefficients of all species, along each axis too.

    Parameters
    ----------
    scene
        Species.
    paths
        One per replica.

    Returns
    -------
    None if there are too few frames, or displacements cannot be trusted.
    """
    import xarray as xr

    lag = common_lags(paths)
    if lag is None:
        return None
    keep = thin_lags(len(lag))
    found = [
        _measure_species(
            collect_displacements(
                paths, species.molecules, timestep=float(lag[1]), n_lags=len(lag)
            ),
            keep,
        )
        for species in scene.species
    ]
    starts = np.array([slope.low for slope in found[0].scan])
    cell = np.average([p.cell for p in paths], axis=0, weights=[len(p.times) for p in paths])
    box = (("vector", "axis"), cell, {"units": "Å", "long_name": "mean box vectors"})
    return xr.Dataset(
        _tabulate(found) | {"cell": box},
        coords={
            "species": [s.name for s in scene.species],
            "lag": ("lag", lag[keep], {"units": "ps", "long_name": "lag time"}),
            "axis": ["x", "y", "z"],
            "start": ("start", starts, {"units": "ps", "long_name": "shortest lag of the window"}),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What is known of one species."""

    slope: Slope
    """In the window that was chosen."""
    scan: Sequence[Slope]
    """In all windows."""
    along: Sequence[Slope]
    """Of each component, in the window that was chosen."""
    msd: Floats
    """Å2, of three components together, at the lags that are kept."""
    msd_stderr: Floats
    """Its standard error, from the scatter between groups of molecules."""


def _measure_species(moved: Displacements, keep: Ints) -> _Measured:
    """Choose a window, and fit in it the mean and each component."""
    curves = moved.to_curves()
    scan = scan_windows(curves)
    slope = choose_window(scan)
    along = [
        fit_slope(moved.to_curves(axis), window=(slope.low, slope.high), weights_of=slope)
        for axis in range(3)
    ]
    return _Measured(
        slope=slope, scan=scan, along=along, msd=3.0 * curves.mean[keep],
        msd_stderr=3.0 * block_error(curves.samples)[keep],
    )  # fmt: skip


def _compare_axes(along: Sequence[Slope]) -> float:
    """Return the probability that chance alone sets the components so far apart."""
    value, error = np.array([s.slope for s in along]), np.array([s.stderr for s in along])
    if not (error > 0.0).all():
        return float("nan")
    weight = 1.0 / error**2
    centre = (weight @ value) / weight.sum()
    return float(stats.chi2.sf(weight @ (value - centre) ** 2, df=2))


def _tabulate(found: Sequence[_Measured]) -> dict[str, tuple[tuple[str, ...], Floats, Labels]]:
    """Turn what was measured into variables, species first."""
    half = 0.5 * A2_PER_PS  # the slope of one component is 2 D
    number, error = "self-diffusion coefficient", "standard error of the"
    msd = "mean squared displacement of centres of mass"
    one = [m.slope for m in found]
    along, scan = [m.along for m in found], [m.scan for m in found]

    def each(name: str, rows: Sequence[Sequence[Slope]], factor: float = 1.0) -> list[list[float]]:
        return [[factor * getattr(s, name) for s in row] for row in rows]

    table: list[tuple[str, str, str, str, Sequence[object]]] = [
        ("msd", "lag", "Å2", msd, [m.msd for m in found]),
        ("msd_stderr", "lag", "Å2", f"{error} {msd}", [m.msd_stderr for m in found]),
        ("diffusion", "", "m2/s", number, [half * s.slope for s in one]),
        ("diffusion_stderr", "", "m2/s", f"{error} {number}", [half * s.stderr for s in one]),
        ("exponent", "", "1", "slope of log MSD over log t in the window",
         [s.exponent for s in one]),
        ("exponent_stderr", "", "1", f"{error} exponent", [s.exponent_stderr for s in one]),
        ("window_low", "", "ps", "shortest lag fitted", [s.low for s in one]),
        ("window_high", "", "ps", "longest lag fitted", [s.high for s in one]),
        ("n_effective", "", "1", "independent displacements that would give this error",
         [s.n_effective for s in one]),
        ("inflation", "", "1", "factor by which scatter widened the error of the model",
         [s.inflation for s in one]),
        ("diffusive", "", "1", "whether the exponent is 1 and the slope steady, within errors",
         [float(s.diffusive) for s in one]),
        ("component", "axis", "m2/s", f"{number} along one axis", each("slope", along, half)),
        ("component_stderr", "axis", "m2/s", f"{error} {number} along one axis",
         each("stderr", along, half)),
        ("isotropy", "", "1", "probability that the axes differ so much by chance",
         [_compare_axes(a) for a in along]),
        ("scan", "start", "m2/s", f"{number} from windows that start later",
         each("slope", scan, half)),
        ("scan_stderr", "start", "m2/s", f"{error} {number} from windows that start later",
         each("stderr", scan, half)),
        ("scan_exponent", "start", "1", "exponent in windows that start later",
         each("exponent", scan)),
        ("scan_exponent_stderr", "start", "1", f"{error} exponent in windows that start later",
         each("exponent_stderr", scan)),
    ]  # fmt: skip
    return {
        name: (
            ("species", dim) if dim else ("species",),
            np.array(values, dtype=np.float64), {"units": unit, "long_name": text},
        )
        for name, dim, unit, text, values in table
    }  # fmt: skip


def common_lags(paths: Sequence[Path]) -> Floats | None:
    """Return the lags in ps that all replicas have, or None if dynamics cannot be had.

    Shape ``(n_lags,)``.
    """
    steps = [p.timestep for p in paths]
    if not paths or any(p.problem for p in paths) or any(s is None for s in steps):
        return None
    first = steps[0]
    n = min(len(p.times) for p in paths)
    if first is None or n < _FEWEST_FRAMES:
        return None
    if any(abs((s or 0.0) - first) > 0.02 * first for s in steps):
        return None
    return np.arange(n, dtype=np.float64) * first


def thin_lags(n: int) -> Ints:
    """Choose at most about `_LAGS` lags: all at first, then evenly on a logarithm.

    They are numbers of frames, shape ``(n_lags,)``.
    """
    if n <= _LAGS:
        return np.arange(n)
    half = _LAGS // 2
    tail = np.geomspace(half, n - 1, half)
    return np.unique(np.concatenate([np.arange(half), np.round(tail)]).astype(np.int64))
