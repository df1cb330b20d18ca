"""Write a synthetic electrolyte as XTC and PDB: ``python benchmarks/synthetic_trajectory.py DIR``.

33 Mg(TFSI)2 in 591 DME (10 479 atoms) at 49.2 Å, as in a real box of 0.46 mol/L. The molecules are
rigid and stand on a grid in random orientations; three DME and one TFSI are moved to each Mg2+ so
that an oxygen binds it. Clusters sway, atoms tremble, some DME leave and return. Nothing is
physical but what costs time: numbers of atoms, donors and contacts.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

EDGE = 49.18
N_MG, N_TFSI, N_DME = 33, 66, 591
SHELL = 3
"""DME on each Mg2+."""
FREQUENCY = 1000.0
"""Frames between two exchanges of one DME, on average."""

_DME = ["C", "O", "C", "C", "O", "C", *["H"] * 10]
_DME_BONDS = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 6), (0, 7), (0, 8), (2, 9), (2, 10),
              (3, 11), (3, 12), (5, 13), (5, 14), (5, 15)]  # fmt: skip
_TFSI = ["N", "S", "S", "O", "O", "O", "O", "C", "C", *["F"] * 6]
_TFSI_BONDS = [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6), (1, 7), (2, 8), (7, 9), (7, 10),
               (7, 11), (8, 12), (8, 13), (8, 14)]  # fmt: skip


def place_atoms(rng: np.random.Generator, n_atoms: int, bonds: list[tuple[int, int]]) -> np.ndarray:
    """Put bonded atoms 1.2 to 1.5 Å apart and the others further, as a relaxed random tree."""
    positions = rng.normal(size=(n_atoms, 3))
    pairs = np.array(bonds)
    for _ in range(2000):
        force = np.zeros_like(positions)
        away = positions[:, None] - positions[None]
        distance = np.linalg.norm(away, axis=2) + np.eye(n_atoms)
        push = np.maximum(2.3 - distance, 0.0)[..., None] * away / distance[..., None]
        force += push.sum(axis=1)
        bond = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        length = np.linalg.norm(bond, axis=1, keepdims=True)
        pull = 3.0 * (length - 1.35) * bond / length
        np.add.at(force, pairs[:, 0], pull)
        np.add.at(force, pairs[:, 1], -pull)
        positions += 0.05 * force
    return positions - positions.mean(axis=0)


def rotate(rng: np.random.Generator, points: np.ndarray, n: int) -> np.ndarray:
    """Turn ``n`` copies of a molecule at random, shape ``(n, n_atoms, 3)``."""
    matrices, _ = np.linalg.qr(rng.normal(size=(n, 3, 3)))
    return np.einsum("ak,nkl->nal", points, matrices)


def make_start(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the first frame in Å, and the cluster of each molecule."""
    side = int(np.ceil((N_TFSI + N_DME) ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = rng.permutation(grid * (EDGE / side))
    tfsi = rotate(rng, place_atoms(rng, 15, _TFSI_BONDS), N_TFSI)
    dme = rotate(rng, place_atoms(rng, 16, _DME_BONDS), N_DME)
    tfsi += grid[:N_TFSI, None]
    dme += grid[N_TFSI : N_TFSI + N_DME, None]
    magnesium = grid[N_TFSI : N_TFSI + N_MG] + rng.normal(size=(N_MG, 3))
    cluster = np.arange(N_MG + N_TFSI + N_DME)
    axes = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    for i in range(N_MG):
        away = 2.05 * axes
        bound = [(dme, SHELL * i + k, (1, 4)) for k in range(SHELL)] + [(tfsi, i, (3,))]
        for place, (molecules, j, donors) in enumerate(bound):
            target = magnesium[i] + away[place]
            outwards = molecules[j].mean(axis=0) - molecules[j, donors[0]]
            # Turn the molecule so that the rest of it points away from the ion.
            turn = align(outwards, away[place] + 0.3 * away[(place + 2) % 6])
            molecules[j] = (molecules[j] - molecules[j, donors[0]]) @ turn.T + target
            cluster[(N_MG + N_TFSI if molecules is dme else N_MG) + j] = i
    keep_away(magnesium, tfsi, cluster[N_MG : N_MG + N_TFSI])
    keep_away(magnesium, dme, cluster[N_MG + N_TFSI :])
    positions = np.concatenate([magnesium, tfsi.reshape(-1, 3), dme.reshape(-1, 3)])
    return positions, cluster


def keep_away(magnesium: np.ndarray, molecules: np.ndarray, cluster: np.ndarray) -> None:
    """Move molecules that are not bound until no atom is within 4 Å of a cation."""
    for j in np.flatnonzero(cluster >= N_MG):
        for _ in range(50):
            away = molecules[j][:, None] - magnesium[None]
            away -= EDGE * np.rint(away / EDGE)
            distance = np.linalg.norm(away, axis=2)
            atom, ion = np.unravel_index(distance.argmin(), distance.shape)
            if distance[atom, ion] >= 4.0:
                break
            molecules[j] += (4.1 / distance[atom, ion] - 1.0) * away[atom, ion]


def align(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the rotation that turns ``a`` into the direction of ``b``."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + cosine)


def write_trajectory(folder: Path, *, n_frames: int, seed: int = 2026) -> tuple[Path, Path]:
    """Write ``topology.pdb`` and ``trajectory-<n_frames>.xtc``, one frame per 10 ps, unwrapped."""
    import MDAnalysis as mda

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    start, cluster = make_start(rng)
    elements = ["Mg"] * N_MG + _TFSI * N_TFSI + _DME * N_DME
    sizes = [1] * N_MG + [15] * N_TFSI + [16] * N_DME
    molecule = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum([0, *sizes])
    bonds = [(first[N_MG + i] + a, first[N_MG + i] + b) for i in range(N_TFSI)
             for a, b in _TFSI_BONDS]  # fmt: skip
    bonds += [(first[N_MG + N_TFSI + i] + a, first[N_MG + N_TFSI + i] + b) for i in range(N_DME)
              for a, b in _DME_BONDS]  # fmt: skip
    universe = mda.Universe.empty(
        len(start), n_residues=len(sizes), atom_resindex=molecule, trajectory=True
    )
    names = ["MG"] * N_MG + [e + str(k) for e, k in zip(_TFSI, range(15), strict=True)] * N_TFSI
    names += [e + str(k) for e, k in zip(_DME, range(16), strict=True)] * N_DME
    universe.add_TopologyAttr("names", names)
    universe.add_TopologyAttr("elements", elements)
    universe.add_TopologyAttr("resnames", ["MG"] * N_MG + ["TFS"] * N_TFSI + ["DME"] * N_DME)
    universe.add_TopologyAttr("resids", np.arange(1, len(sizes) + 1))
    universe.add_TopologyAttr("bonds", bonds)
    universe.dimensions = [EDGE, EDGE, EDGE, 90.0, 90.0, 90.0]
    universe.atoms.positions = start
    topology, path = folder / "topology.pdb", folder / f"trajectory-{n_frames}.xtc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe.atoms.write(str(topology), bonds="all")
    partners = cluster[molecule]
    walk = np.zeros((len(sizes), 3))
    loose = np.zeros(len(sizes), dtype=bool)
    dme = N_MG + N_TFSI + np.arange(SHELL * N_MG)
    with mda.Writer(str(path), len(start)) as writer:
        for frame in range(n_frames):
            # Clusters and molecules sway about where they are: density and shells stay.
            walk = 0.9 * walk + rng.normal(scale=0.13, size=walk.shape)
            flip = rng.random(len(dme)) < 1.0 / FREQUENCY
            loose[dme[flip]] ^= True
            moved = start + walk[partners] + 3.0 * loose[molecule][:, None]
            universe.atoms.positions = moved + rng.normal(scale=0.06, size=moved.shape)
            universe.trajectory.ts.time = 10.0 * frame
            universe.trajectory.ts.frame = frame
            writer.write(universe.atoms)
    return topology, path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=2000)
    arguments = parser.parse_args()
    print(*write_trajectory(arguments.folder, n_frames=arguments.frames), sep="\n")


if __name__ == "__main__":
    main()
