"""Particles with friction: a synthetic system whose diffusion and velocities are known."""

from __future__ import annotations

import numpy as np

from solvation.synthetic import SyntheticSystem

__all__ = ["make_langevin_gas"]


def make_langevin_gas(
    rng: np.random.Generator,
    *,
    n: int = 40,
    n_frames: int = 1000,
    diffusion: float = 1e-9,
    memory: float = 2.0,
    dt: float = 1.0,
    edge: float = 30.0,
    breathing: float = 0.0,
) -> SyntheticSystem:
    r"""Let Li+ and F- move with friction: velocities are Ornstein–Uhlenbeck processes.

    The velocity autocorrelation of each component is :math:`(D/\tau)\,e^{-t/\tau}`, the mean
    squared displacement :math:`2 D [t - \tau (1 - e^{-t/\tau})]`. Positions and velocities are
    drawn from their exact joint distribution (Gillespie, Phys. Rev. E 1996, 54, 2084).

    Parameters
    ----------
    rng
        Source of chance.
    n
        Of each ion.
    n_frames, dt
        Frames and ps between them.
    diffusion
        m2/s.
    memory
        Relaxation time :math:`\tau` of the velocity in ps.
    edge
        Mean edge of the box, Å.
    breathing
        Standard deviation of the logarithm of the edge, of a box that fluctuates with a
        relaxation time of 20 frames, as under a barostat: molecules are moved with the box, from
        where they are inside it. The positions given are those of a program that follows them.
    """
    spread = diffusion * 1e8
    keep = float(np.exp(-dt / memory))
    kick = np.sqrt(spread / memory * (1.0 - keep**2))
    # Given the kick of the velocity, what is left of that of the position.
    free = 2.0 * spread * (dt - memory * (1.0 - keep)) - spread * memory * (1.0 - keep) ** 2
    joint = spread * (1.0 - keep) ** 2
    rest = np.sqrt(max(free - (joint / kick) ** 2, 0.0))
    velocity = rng.normal(scale=np.sqrt(spread / memory), size=(2 * n, 3))
    steps = np.empty((n_frames, 2 * n, 3))
    steps[0] = rng.random((2 * n, 3)) * edge
    for frame in range(1, n_frames):
        first, second = rng.normal(size=(2, 2 * n, 3))
        steps[frame] = memory * (1.0 - keep) * velocity + joint / kick * first + rest * second
        velocity = keep * velocity + kick * first
    scale = np.ones(n_frames)
    positions = np.cumsum(steps, axis=0)
    if breathing > 0.0:
        slow = np.exp(-1.0 / 20.0)
        noise = rng.normal(size=n_frames) * np.sqrt(1.0 - slow**2)
        log = np.zeros(n_frames)
        for frame in range(1, n_frames):
            log[frame] = slow * log[frame - 1] + breathing * noise[frame]
        scale = np.exp(log)
        inside = positions[0].copy()
        for frame in range(1, n_frames):
            old, new = edge * scale[frame - 1], edge * scale[frame]
            moved = np.mod(inside + steps[frame], old) * (new / old)
            wander = steps[frame] + (new / old - 1.0) * np.mod(inside + steps[frame], old)
            positions[frame] = positions[frame - 1] + wander
            inside = moved
    box = np.tile([edge, edge, edge, 90.0, 90.0, 90.0], (n_frames, 1))
    box[:, :3] *= scale[:, None]
    return SyntheticSystem(
        name="Langevin gas",
        elements=("Li",) * n + ("F",) * n,
        bonds=np.empty((0, 2), dtype=np.int64),
        positions=positions,
        box=box if breathing > 0.0 else box[0],
        times=np.arange(n_frames, dtype=np.float64) * dt,
        charges={"Li": 1, "F": -1},
        truth={"diffusion.Li": diffusion, "diffusion.F": diffusion},
    )
