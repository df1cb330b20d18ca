"""Systems whose answers are known by thought: for tests, documentation and benchmarks.

Each function returns a `SyntheticSystem`: plain arrays that `solvation.analyze.topology`'s
`scene_from_arrays` takes, and the exact answers in `SyntheticSystem.truth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "SyntheticSystem",
    "draw_two_state",
    "make_ideal_gas",
    "make_ion_pairs",
    "make_lattice",
    "make_mixture",
    "make_random_walk",
    "make_two_state_contacts",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSystem:
    """A trajectory made up, with what an analyzer must find in it."""

    name: str
    """What it is."""
    elements: tuple[str, ...]
    """Symbol of every atom."""
    bonds: npt.NDArray[np.int64]
    """Pairs of atoms, shape ``(n_bonds, 2)``."""
    positions: Floats
    """Å, shape ``(n_frames, n_atoms, 3)``; not wrapped."""
    box: Floats
    """Lengths in Å and angles in degrees, shape ``(6,)``, or ``(n_frames, 6)`` if it changes."""
    times: Floats
    """ps, shape ``(n_frames,)``."""
    charges: Mapping[str, int]
    """Formal charges by species name, where they matter."""
    truth: Mapping[str, float]
    """Exact answers by the name of the quantity."""


def _cube(edge: float) -> Floats:
    return np.array([edge, edge, edge, 90.0, 90.0, 90.0])


def _no_bonds() -> npt.NDArray[np.int64]:
    return np.empty((0, 2), dtype=np.int64)


def make_ideal_gas(
    rng: np.random.Generator, *, n: int = 50, n_frames: int = 20, edge: float = 20.0
) -> SyntheticSystem:
    """Scatter Li+ and F- independently: g(r) = 1 everywhere, no first shell.

    Examples
    --------
    >>> make_ideal_gas(np.random.default_rng(0), n=3, n_frames=2).positions.shape
    (2, 6, 3)
    """
    return SyntheticSystem(
        name="ideal gas",
        elements=("Li",) * n + ("F",) * n,
        bonds=_no_bonds(),
        positions=rng.random((n_frames, 2 * n, 3)) * edge,
        box=_cube(edge),
        times=np.arange(n_frames, dtype=np.float64),
        charges={"Li": 1, "F": -1},
        truth={"g": 1.0},
    )


def make_lattice(
    *, cells: int = 3, spacing: float = 2.0, n_frames: int = 3, skew: int = 0
) -> SyntheticSystem:
    """Stack rock salt, LiF: six neighbours at ``spacing``, every ion in one aggregate.

    Parameters
    ----------
    cells
        Unit cells along each edge.
    spacing
        Å between an ion and its nearest counter-ions.
    n_frames
        Equal frames.
    skew
        Unit cells by which the third box vector leans along the first: the same lattice in a
        triclinic box.
    """
    edge = 2.0 * spacing * cells
    steps = np.arange(2 * cells)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    odd = grid.sum(axis=1) % 2
    order = np.argsort(odd, kind="stable")
    sites = grid[order] * spacing
    n = len(sites)
    lean = 2.0 * spacing * skew
    length = float(np.hypot(edge, lean))
    beta = float(np.degrees(np.arccos(lean / length)))
    return SyntheticSystem(
        name="lattice",
        elements=("Li",) * (n // 2) + ("F",) * (n // 2),
        bonds=_no_bonds(),
        positions=np.broadcast_to(sites, (n_frames, n, 3)).copy(),
        box=np.array([edge, edge, length, 90.0, beta, 90.0]),
        times=np.arange(n_frames, dtype=np.float64),
        charges={"Li": 1, "F": -1},
        truth={"coordination.Li-F.F": 6.0, "rdf.Li-F.F.first_peak": spacing},
    )


def make_random_walk(
    rng: np.random.Generator,
    *,
    n: int = 50,
    n_frames: int = 400,
    diffusion: float = 1e-9,
    dt: float = 1.0,
    edge: float = 30.0,
    charge: int = 2,
) -> SyntheticSystem:
    r"""Let Mg2+ and Cl- walk independently: :math:`\sigma = \sigma_{NE}` and D is known.

    Parameters
    ----------
    rng
        Source of the steps.
    n
        Cations; there are ``charge`` times as many anions.
    n_frames, dt
        Frames and ps between them.
    diffusion
        m2/s, of both.
    edge
        Of the box, Å.
    charge
        Of the cation, e.
    """
    n_atoms = n * (1 + charge)
    sigma = np.sqrt(2.0 * diffusion * 1e8 * dt)
    steps = rng.normal(scale=sigma, size=(n_frames, n_atoms, 3))
    steps[0] = rng.random((n_atoms, 3)) * edge
    return SyntheticSystem(
        name="random walk",
        elements=("Mg",) * n + ("Cl",) * (charge * n),
        bonds=_no_bonds(),
        positions=np.cumsum(steps, axis=0),
        box=_cube(edge),
        times=np.arange(n_frames, dtype=np.float64) * dt,
        charges={"Mg": charge, "Cl": -1},
        truth={"diffusion.Mg": diffusion, "diffusion.Cl": diffusion},
    )


def make_ion_pairs(
    rng: np.random.Generator,
    *,
    n: int = 40,
    n_frames: int = 400,
    diffusion: float = 1e-9,
    dt: float = 1.0,
    edge: float = 30.0,
) -> SyntheticSystem:
    """Let Li+ and F- walk in rigid pairs: every ion diffuses and no current flows.

    Pairs hold together at 2 Å, so the Nernst–Einstein conductivity is above zero and the Einstein
    conductivity is zero.
    """
    sigma = np.sqrt(2.0 * diffusion * 1e8 * dt)
    steps = rng.normal(scale=sigma, size=(n_frames, n, 3))
    steps[0] = rng.random((n, 3)) * edge
    cations = np.cumsum(steps, axis=0)
    axis = rng.normal(size=(n, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    return SyntheticSystem(
        name="ion pairs",
        elements=("Li",) * n + ("F",) * n,
        bonds=_no_bonds(),
        positions=np.concatenate([cations, cations + 2.0 * axis], axis=1),
        box=_cube(edge),
        times=np.arange(n_frames, dtype=np.float64) * dt,
        charges={"Li": 1, "F": -1},
        truth={
            "diffusion.Li": diffusion, "diffusion.F": diffusion, "conductivity.einstein": 0.0,
        },
    )  # fmt: skip


def draw_two_state(
    rng: np.random.Generator,
    *,
    n_pairs: int,
    n_frames: int,
    lifetime: float,
    absence: float,
    dt: float = 1.0,
) -> npt.NDArray[np.bool_]:
    """Draw contacts that break and form at constant rates, in equilibrium.

    Parameters
    ----------
    rng
        Source of chance.
    n_pairs, n_frames
        Shape of the result.
    lifetime, absence
        Mean time together and apart, in the unit of ``dt``; an infinite ``absence`` lets all
        pairs start together and never meet again.
    dt
        Time between frames.

    Returns
    -------
    Whether each pair is in contact, shape ``(n_frames, n_pairs)``.
    """
    off, on = 1.0 / lifetime, 1.0 / absence
    decay = np.exp(-(on + off) * dt)
    break_chance = off / (on + off) * (1.0 - decay)
    form_chance = on / (on + off) * (1.0 - decay)
    bound = np.empty((n_frames, n_pairs), dtype=np.bool_)
    bound[0] = rng.random(n_pairs) < on / (on + off) if np.isfinite(absence) else True
    for frame in range(1, n_frames):
        chance = rng.random(n_pairs)
        stay = chance >= break_chance
        bound[frame] = np.where(bound[frame - 1], stay, chance < form_chance)
    return bound


def make_two_state_contacts(
    rng: np.random.Generator,
    *,
    n: int = 27,
    n_frames: int = 200,
    lifetime: float = 50.0,
    absence: float = 50.0,
    dt: float = 1.0,
) -> SyntheticSystem:
    """Give each Mg2+ one water that is bound at 2 Å or away at 4.5 Å, switching at known rates.

    Two Cl- per Mg2+ keep far away, so that the system is neutral.
    """
    side = round(np.ceil(n ** (1.0 / 3.0)))
    spacing = 20.0
    bound = draw_two_state(
        rng, n_pairs=n, n_frames=n_frames, lifetime=lifetime, absence=absence, dt=dt
    )
    index = np.arange(n)
    centres = spacing * np.stack(
        [index // side**2, index // side % side, index % side], axis=1
    ).astype(np.float64)
    oxygen = np.repeat(centres[None], n_frames, axis=0)
    oxygen[..., 0] += np.where(bound, 2.0, 4.5)
    hydrogens = [oxygen + np.array([0.6, y, 0.0]) for y in (0.75, -0.75)]
    chlorides = [centres + np.array([0.0, s * 8.0, 5.0]) for s in (1.0, -1.0)]
    water = np.stack([oxygen, *hydrogens], axis=2).reshape(n_frames, 3 * n, 3)
    still = np.repeat(np.concatenate([centres, *chlorides])[None], n_frames, axis=0)
    first = 3 * n + 3 * np.arange(n)
    pairs = np.concatenate([np.stack([first, first + k], axis=1) for k in (1, 2)])
    return SyntheticSystem(
        name="two-state contacts",
        elements=("Mg",) * n + ("Cl",) * (2 * n) + ("O", "H", "H") * n,
        bonds=pairs.astype(np.int64),
        positions=np.concatenate([still, water], axis=1),
        box=_cube(spacing * side),
        times=np.arange(n_frames, dtype=np.float64) * dt,
        charges={"Mg": 2, "Cl": -1},
        truth={"residence": lifetime / 1000.0, "bound": lifetime / (lifetime + absence)},
    )


def make_mixture(
    rng: np.random.Generator,
    *,
    n_cations: int = 4,
    n_solvent: int = 30,
    n_frames: int = 24,
    edge: float = 12.0,
    step: float = 0.25,
) -> SyntheticSystem:
    """Let Mg2+, Cl- and rigid waters walk at random through each other.

    No answer is known; what must not change when it is moved, wrapped, rotated or renumbered is.

    Parameters
    ----------
    rng
        Source of chance.
    n_cations, n_solvent
        Molecules; there are twice as many anions as cations.
    n_frames
        One per ps.
    edge
        Of the box, Å.
    step
        Standard deviation of a step in Å, each axis.
    """
    n_molecules = 3 * n_cations + n_solvent
    steps = rng.normal(scale=step, size=(n_frames, n_molecules, 3))
    steps[0] = rng.random((n_molecules, 3)) * edge
    path = np.cumsum(steps, axis=0)
    ions, oxygen = path[:, : 3 * n_cations], path[:, 3 * n_cations :]
    arms = rng.normal(size=(2, n_solvent, 3))
    arms *= 0.96 / np.linalg.norm(arms, axis=2, keepdims=True)
    water = np.stack([oxygen, oxygen + arms[0], oxygen + arms[1]], axis=2)
    first = 3 * n_cations + 3 * np.arange(n_solvent)
    pairs = np.concatenate([np.stack([first, first + k], axis=1) for k in (1, 2)])
    return SyntheticSystem(
        name="mixture",
        elements=("Mg",) * n_cations + ("Cl",) * (2 * n_cations) + ("O", "H", "H") * n_solvent,
        bonds=pairs.astype(np.int64),
        positions=np.concatenate([ions, water.reshape(n_frames, 3 * n_solvent, 3)], axis=1),
        box=_cube(edge),
        times=np.arange(n_frames, dtype=np.float64),
        charges={"Mg": 2, "Cl": -1},
        truth={},
    )
