r"""Ions whose collective motion is prescribed: answers known for every transport coefficient.

Each ion :math:`j` of species :math:`a` moves by a part of its own and a part that all of its
species share. The shared parts of different species are correlated, so that the collective
displacements :math:`S_a = \sum_{j \in a} \Delta r_j` have any covariance one asks for, and a
solvent takes up the recoil, so that the centre of mass of all rests. Brownian particles have no
memory; Ornstein–Uhlenbeck particles keep their velocity for a time, so that Green–Kubo integrals
can be taken of them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvation.synthetic import SyntheticSystem

__all__ = ["BrownianIons", "Kind", "draw_brownian", "draw_velocities", "make_brownian_ions"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A species of ions, or the solvent, and how its molecules move."""

    element: str
    """Symbol of its one atom."""
    charge: int
    """e; 0 for the solvent."""
    n: int
    """Molecules."""
    mass: float
    """u."""
    diffusion: float
    """m2/s, self-diffusion coefficient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrownianIons:
    r"""Ions and solvent, and the covariance of their collective displacements.

    ``collective`` is :math:`\Lambda_{ab} = \lim \langle S_a \cdot S_b \rangle / 6t`, in the frame
    of the centre of mass; the solvent's follows from it. The Onsager coefficients are
    :math:`L_{ab} = \Lambda_{ab} / V k_B T`.

    Examples
    --------
    >>> ions = BrownianIons(
    ...     kinds=(Kind(element="Mg", charge=2, n=10, mass=24.0, diffusion=1e-9),
    ...            Kind(element="Cl", charge=-1, n=20, mass=35.0, diffusion=1e-9),
    ...            Kind(element="Ar", charge=0, n=100, mass=40.0, diffusion=2e-9)),
    ...     collective=((8e-9, 5e-9), (5e-9, 15e-9)))
    >>> round(ions.charge_diffusion * 1e9, 9)
    27.0
    """

    kinds: tuple[Kind, ...]
    """Ionic species, and the solvent last."""
    collective: tuple[tuple[float, ...], ...]
    """m2/s, of the ionic species, symmetric."""

    def __post_init__(self) -> None:
        small = np.linalg.eigvalsh(self.complete()).min()
        if small < -1e-6 * float(np.abs(self.complete()).max()):
            raise ValueError("no motion has these collective coefficients: not positive definite")
        for kind, own in zip(self.kinds, self.complete().diagonal(), strict=True):
            if kind.diffusion < own / kind.n**2:
                raise ValueError(
                    f"{kind.element}: the shared motion alone gives {own / kind.n**2:.3g} m2/s, "
                    f"more than {kind.diffusion:.3g}"
                )

    @property
    def charges(self) -> Floats:
        """Charges of the kinds, e, the solvent's last.

        Shape ``(n_kinds,)``.
        """
        return np.array([k.charge for k in self.kinds], dtype=np.float64)

    @property
    def masses(self) -> Floats:
        """Masses of all molecules, u, shape ``(n_molecules,)``."""
        return np.repeat([k.mass for k in self.kinds], [k.n for k in self.kinds])

    @property
    def charge_diffusion(self) -> float:
        r""":math:`\sum z_a z_b \Lambda_{ab}` in e2 m2/s; the conductivity but for a factor."""
        z = self.charges
        return float(z @ self.complete() @ z)

    def complete(self) -> Floats:
        """Return the coefficients of all kinds, the solvent among them, m2/s.

        Shape ``(n_kinds, n_kinds)``.
        """
        ionic = np.array(self.collective, dtype=np.float64)
        mass = np.array([k.mass for k in self.kinds])
        # The centre of mass rests: the solvent moves against the ions.
        spread = np.concatenate([np.eye(len(ionic)), -(mass[:-1] / mass[-1])[None]])
        whole: Floats = spread @ ionic @ spread.T
        return whole

    def solvent_frame(self) -> Floats:
        """Return the coefficients of the ionic species relative to the solvent, m2/s.

        Shape ``(n_ionic, n_ionic)``.
        """
        n = np.array([k.n for k in self.kinds], dtype=np.float64)
        shift = np.eye(len(n))
        shift[:, -1] -= n / n[-1]
        whole: Floats = (shift @ self.complete() @ shift.T)[:-1, :-1]
        return whole


def draw_brownian(
    ions: BrownianIons, rng: np.random.Generator, *, n_frames: int, dt: float = 1.0
) -> list[Floats]:
    """Let the ions and the solvent walk without memory.

    Parameters
    ----------
    ions
        What moves.
    rng
        Source of chance.
    n_frames, dt
        Frames, and ps between them.

    Returns
    -------
    Positions of each kind in Å, shape ``(n_frames, n, 3)``, from the origin on.
    """
    shared = _factor(ions.complete()) * np.sqrt(2e8 * dt)
    steps = rng.normal(size=(n_frames, len(shared), 3))
    common = np.einsum("ab,tbk->tak", shared, steps)
    paths = []
    for i, kind in enumerate(ions.kinds):
        own = rng.normal(size=(n_frames, kind.n, 3)) * np.sqrt(2e8 * dt * _own(ions, i))
        own -= own.mean(axis=1, keepdims=True)
        own += common[:, [i]] / kind.n
        own[0] = 0.0
        paths.append(np.cumsum(own, axis=0))
    return paths


def draw_velocities(
    ions: BrownianIons,
    rng: np.random.Generator,
    *,
    n_frames: int,
    dt: float,
    memory: float,
) -> tuple[list[Floats], list[Floats]]:
    r"""Let the ions and the solvent move as Ornstein–Uhlenbeck particles.

    Velocities are Gaussian with :math:`\langle v(0) v(t) \rangle = (D/\tau) e^{-t/\tau}`, and
    positions are their exact integrals, so that D and all coefficients are those prescribed at
    times much longer than the memory.

    Parameters
    ----------
    ions
        What moves.
    rng
        Source of chance.
    n_frames, dt
        Frames, and ps between them.
    memory
        :math:`\tau`, ps.

    Returns
    -------
    positions
        Of each kind in Å, shape ``(n_frames, n, 3)``, from the origin on.
    velocities
        Of each kind in Å/ps, same shape, at the same times.

    Notes
    -----
    Velocity and displacement over a step are drawn together from their joint distribution
    (Gillespie, Phys. Rev. E 1996, 54, 2084, doi:10.1103/PhysRevE.54.2084).
    """
    shared = _factor(ions.complete())
    paths, speeds = [], []
    common = _draw_ornstein(rng, (len(shared), 3), n_frames, dt, memory)
    for i, kind in enumerate(ions.kinds):
        own = _draw_ornstein(rng, (kind.n, 3), n_frames, dt, memory)
        both = []
        for mine, all_of_it in zip(own, common, strict=True):
            mine = (mine - mine.mean(axis=1, keepdims=True)) * np.sqrt(1e8 * _own(ions, i))
            mine += np.einsum("b,tbk->tk", shared[i], all_of_it)[:, None] * 1e4 / kind.n
            both.append(mine)
        paths.append(both[0])
        speeds.append(both[1])
    return paths, speeds


def make_brownian_ions(
    ions: BrownianIons,
    rng: np.random.Generator,
    *,
    n_frames: int = 400,
    dt: float = 1.0,
    edge: float = 30.0,
    rates: npt.ArrayLike | None = None,
) -> SyntheticSystem:
    """Make a trajectory of ions and solvent with prescribed Onsager coefficients.

    Parameters
    ----------
    ions
        What moves; the elements must be told apart.
    rng
        Source of chance.
    n_frames, dt
        Frames, and ps between them.
    edge
        Of the box, Å.
    rates
        Edges of the box in units of ``edge``, shape ``(n_frames,)``: a box that breathes. The
        ions' paths are not scaled with it.
    """
    paths = draw_brownian(ions, rng, n_frames=n_frames, dt=dt)
    start = rng.random((1, sum(k.n for k in ions.kinds), 3)) * edge
    cube = np.array([edge, edge, edge, 90.0, 90.0, 90.0])
    box = cube
    if rates is not None:
        box = np.repeat(cube[None], n_frames, axis=0)
        box[:, :3] *= np.asarray(rates, dtype=np.float64)[:, None]
    names = _list_elements(ions.kinds)
    return SyntheticSystem(
        name="Brownian ions",
        elements=names,
        bonds=np.empty((0, 2), dtype=np.int64),
        positions=start + np.concatenate(paths, axis=1),
        box=box,
        times=np.arange(n_frames, dtype=np.float64) * dt,
        charges={k.element: k.charge for k in ions.kinds},
        truth={f"diffusion.{k.element}": k.diffusion for k in ions.kinds},
    )


def _list_elements(kinds: Sequence[Kind]) -> tuple[str, ...]:
    return tuple(k.element for k in kinds for _ in range(k.n))


def _own(ions: BrownianIons, i: int) -> float:
    """Return D of the part of its own that a molecule of a kind moves by, before centring."""
    kind = ions.kinds[i]
    if kind.n == 1:
        return 0.0
    shared = float(ions.complete()[i, i])
    return max(kind.diffusion - shared / kind.n**2, 0.0) / (1.0 - 1.0 / kind.n)


def _factor(covariance: Floats) -> Floats:
    """Return a square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _draw_ornstein(
    rng: np.random.Generator, shape: tuple[int, ...], n_frames: int, dt: float, memory: float
) -> tuple[Floats, Floats]:
    """Draw displacements and velocities of Ornstein–Uhlenbeck particles with D = 1."""
    decay = np.exp(-dt / memory)
    x = dt / memory
    speed2 = (1.0 - decay**2) / memory
    mixed = (1.0 - decay) ** 2
    place2 = memory * (2.0 * x - 3.0 + 4.0 * decay - decay**2)
    noise = rng.normal(size=(2, n_frames, *shape))
    kick = np.sqrt(speed2) * noise[0]
    push = mixed / np.sqrt(speed2) * noise[0]
    push += np.sqrt(max(place2 - mixed**2 / speed2, 0.0)) * noise[1]
    speed, place = np.empty((n_frames, *shape)), np.zeros((n_frames, *shape))
    speed[0] = rng.normal(size=shape) / np.sqrt(memory)
    for k in range(1, n_frames):
        speed[k] = decay * speed[k - 1] + kick[k]
        place[k] = place[k - 1] + memory * (1.0 - decay) * speed[k - 1] + push[k]
    return place, speed
