r"""Self-diffusion of ions by the state they are in: free, SSIP, CIP or AGG.

.. math::
    D_s = \frac{\langle |\Delta r(2\tau)|^2 - |\Delta r(\tau)|^2 \rangle_s}{6 \tau}

where :math:`\tau` is where the diffusive window of the species starts, and the mean is over all
time origins at which an ion

- ``origin``: is in state *s*, whatever becomes of it, or
- ``stay``: is in state *s* in every frame from the origin to :math:`2\tau`.

Neither is *the* diffusion coefficient of a state. The first mixes states that live shorter than
:math:`2\tau` and tends to the mean of all as :math:`\tau` grows. The second picks ions by what
they will do: a free ion that moves far is more likely to have met a partner on its way, so the
stayers are the slow ones. Where states live much longer than :math:`2\tau` both agree, and only
there does either say what a state does to motion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.centre import Path
from solvation.analyze.ion import list_ions
from solvation.analyze.pairing import CLASSES, Pairing
from solvation.analyze.topology import Scene
from solvation.kernels.uncertainty import jackknife_error
from solvation.results import Quantity

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["WAYS", "measure_partial_diffusion", "summarize_partial_diffusion"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.integer]

A2_PER_PS = 1e-8
"""Å2/ps in m2/s."""
FEWEST_SAMPLES = 10.0
"""Displacements below which a number is not converged."""
WAYS = ("origin", "stay")
"""Which displacements count for a state."""


def measure_partial_diffusion(
    scene: Scene, paths: Sequence[Path], pairing: Sequence[Pairing], diffusion: xr.Dataset
) -> xr.Dataset | None:
    """Measure the diffusion of the ions of each species in each state.

    Parameters
    ----------
    scene
        Species.
    paths, pairing
        One of each per replica.
    diffusion
        From `measure_diffusion`: where the diffusive window of each species starts.

    Returns
    -------
    None without ions.

    Notes
    -----
    The error is a jackknife over ions. ``n_effective`` counts displacements that do not overlap.
    """
    import xarray as xr

    ions = list_ions(scene)
    names, values = [], []
    for side, molecules, species in (
        ("cation", ions.cation_molecules, ions.cation_species),
        ("anion", ions.anion_molecules, ions.anion_species),
    ):
        for index in np.unique(species):
            name = scene.species[int(index)].name
            mine = np.flatnonzero(species == index)
            low = float(diffusion["window_low"].sel(species=name))
            step = float(paths[0].timestep or np.nan)
            if not np.isfinite(low * step):
                continue
            lag = max(1, round(low / step))
            states = [getattr(p, f"{side}_class")[:, mine] for p in pairing]
            tracks = [p.positions[:, molecules[mine]] for p in paths]
            names.append(name)
            values.append(_measure_states(tracks, states, lag, lag * step))
    if not names:
        return None
    array = np.array(values)
    text = "self-diffusion coefficient of ions in a state"
    rows = [
        ("partial", "m2/s", text),
        ("partial_stderr", "m2/s", f"standard error of the {text}"),
        ("n_effective", "1", "displacements that do not overlap"),
    ]
    dims = ("species", "way", "class")
    return xr.Dataset(
        {
            key: (dims, array[..., i], {"units": unit, "long_name": words})
            for i, (key, unit, words) in enumerate(rows)
        },
        coords={"species": names, "way": list(WAYS), "class": list(CLASSES)},
        attrs={"lag": "from once to twice the start of the diffusive window of the species"},
    )


def _measure_states(
    tracks: Sequence[Floats], states: Sequence[Shorts], lag: int, time: float
) -> Floats:
    """Return D, its error and the number of samples by way and class, shape ``(2, 4, 3)``."""
    found = np.full((len(WAYS), len(CLASSES), 3), np.nan)
    found[..., 2] = 0.0
    grown, counted = [], []
    for track, state in zip(tracks, states, strict=True):
        n = len(track) - 2 * lag
        if n < 1:
            continue
        first, second = (
            np.square(track[k : k + n] - track[:n]).sum(axis=2) for k in (lag, 2 * lag)
        )
        stays = _count_stay(state)[:n] >= 2 * lag
        masks = np.array([
            [(state[:n] == k) & (stays | (way == "origin")) for k in range(len(CLASSES))]
            for way in WAYS
        ])  # fmt: skip
        grown.append(np.einsum("wstm,tm->wsm", masks, second - first))
        counted.append(masks.sum(axis=2))
    if not grown:
        return found
    total, count = np.concatenate(grown, axis=2), np.concatenate(counted, axis=2)
    for way in range(len(WAYS)):
        for k in range(len(CLASSES)):
            seen = count[way, k] > 0
            if not seen.any():
                continue
            x, n = total[way, k, seen], count[way, k, seen].astype(np.float64)
            value = x.sum() / n.sum()
            error = np.nan
            if len(x) > 1:
                error = float(jackknife_error((x.sum() - x) / (n.sum() - n)))
            scale = A2_PER_PS / (6.0 * time)
            found[way, k] = value * scale, error * scale, n.sum() / (2.0 * lag)
    return found


def _count_stay(state: Shorts) -> Ints:
    """Return for how many frames more each ion stays in its state, shape ``(n_frames, n_ions)``."""
    stay = np.zeros(state.shape, dtype=np.int64)
    for frame in range(len(state) - 2, -1, -1):
        same = state[frame] == state[frame + 1]
        stay[frame] = np.where(same, stay[frame + 1] + 1, 0)
    return stay


def summarize_partial_diffusion(node: xr.Dataset, doubts: Mapping[str, str]) -> list[Quantity]:
    """List D of the ions that stay in each state that was seen to last.

    Parameters
    ----------
    node
        From `measure_partial_diffusion`.
    doubts
        By species: why its diffusion coefficient is not converged.
    """
    rows = []
    for name in node["species"].values.astype(str):
        for state in node["class"].values.astype(str):
            one = node.sel({"species": name, "way": "stay", "class": state})
            value, n = float(one["partial"]), float(one["n_effective"])
            if not np.isfinite(value):
                continue
            notes = [f"ions that stay {state}; {n:.3g} displacements that do not overlap"]
            notes += [doubts[name]] if name in doubts else []
            error = float(one["partial_stderr"])
            rows.append(
                Quantity(
                    name=f"diffusion.{name}.{state}", value=value,
                    stderr=error if np.isfinite(error) else None, unit="m2/s",
                    status="not_converged" if n < FEWEST_SAMPLES or name in doubts else "ok",
                    note="; ".join(notes),
                )
            )  # fmt: skip
    return rows
