"""Diffusion by kinisi (McCluskey et al., doi:10.1021/acs.jctc.4c01249) of positions we unwrapped.

Needs numpy and kinisi only, so that it also runs by itself in an environment of its own:
``python kinisi_peer.py positions.npz`` with arrays ``positions`` (Å), ``timestep``, ``start`` and
``longest`` (ps) writes D and its standard deviation in m2/s.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def measure_with_kinisi(
    positions: np.ndarray, *, timestep: float, start: float, longest: float, n_lags: int = 60
) -> tuple[float, float]:
    """Return D and its standard deviation in m2/s, of lags from ``start`` to ``longest`` in ps."""
    import scipp as sc
    from kinisi.diffusion import Diffusion
    from kinisi.displacement import calculate_msd
    from kinisi.parser import Parser

    # A cell so large that nothing is wrapped; kinisi takes the first frame as the origin.
    edge = 10.0 * float(np.abs(positions).max()) + 1.0
    fractions = np.concatenate([positions[:1], positions]) / edge
    cells = np.repeat(edge * np.eye(3)[None], len(fractions), axis=0)
    first, last = max(1, round(start / timestep)), round(longest / timestep)
    lags = np.unique(np.round(np.linspace(first, last, n_lags)).astype(int))
    nobody = sc.array(dims=["particle"], values=np.empty(0, dtype=int))
    parser = Parser(
        coords=sc.array(dims=["time", "particle", "dimension"], values=fractions),
        latt=sc.array(
            dims=["time", "dimension1", "dimension2"], values=cells, unit=sc.units.angstrom
        ),
        time_step=sc.scalar(timestep, unit="ps"),
        step_skip=sc.scalar(1, unit="dimensionless"),
        dt=sc.array(dims=["time interval"], values=lags * timestep, unit="ps"),
        specie_indices=sc.array(dims=["particle"], values=np.arange(positions.shape[1])),
        drift_indices=nobody,
        dimension="xyz",
    )
    diffusion = Diffusion(calculate_msd(parser, progress=False))
    diffusion._diffusion(
        sc.scalar(start, unit="ps"), progress=False, random_state=np.random.RandomState(1)
    )
    samples = diffusion.D.values * 1e-4  # cm2/s
    return float(np.mean(samples)), float(np.std(samples))


if __name__ == "__main__":
    data = np.load(Path(sys.argv[1]))
    value, error = measure_with_kinisi(
        data["positions"],
        timestep=float(data["timestep"]),
        start=float(data["start"]),
        longest=float(data["longest"]),
    )
    sys.stdout.write(f"{value:.5g} {error:.3g}\n")
