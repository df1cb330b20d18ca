"""Origin: the end of another run, from which a branched run starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import WorkspaceError
from solvation.simulate.drude import list_pairs
from solvation.simulate.snapshot import load_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    import openmm

    from solvation.simulate.snapshot import Snapshot

__all__ = ["ORIGIN", "load_origin", "place_origin"]

ORIGIN = "origin"
"""Name of the snapshot that a replica starts from, in its folder."""
_CALM = 20_000.0
"""kJ/mol/nm; in a liquid at room temperature no atom feels more. Above it, other forces than
those the origin was made with need a minimisation first."""


def load_origin(folder: Path) -> Snapshot | None:
    """Read the snapshot a replica starts from; None when it starts from a packed box.

    Raises
    ------
    WorkspaceError
        If the file is damaged.
    """
    return load_snapshot(folder / ORIGIN)


def place_origin(context: openmm.Context, origin: Snapshot, n_atoms: int) -> bool:
    """Put a context where another run ended.

    Parameters
    ----------
    context
        Of the new run.
    origin
        The last snapshot of the other.
    n_atoms
        Atoms of the new system; it may have Drude particles besides.

    Returns
    -------
    bool
        Whether the run can go on as it is, with its velocities; otherwise it must be relaxed.

    Raises
    ------
    WorkspaceError
        If the atoms cannot be the same.
    """
    import openmm
    from openmm import unit

    state = openmm.XmlSerializer.deserialize(origin.state)
    velocity = unit.nanometer / unit.picosecond
    x = np.array(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    v = np.array(state.getVelocities(asNumpy=True).value_in_unit(velocity))
    system = context.getSystem()
    pairs, n = list_pairs(system), system.getNumParticles()
    if len(x) < n_atoms:
        raise WorkspaceError(
            f"the run to branch from has {len(x)} particles, fewer than the {n_atoms} atoms here"
        )
    same = len(x) == n
    if not same:  # with Drude particles or without, unlike the other run
        x, v = x[:n_atoms], v[:n_atoms]
        if pairs is not None:
            whole = np.zeros((n, 3))
            whole[:n_atoms] = x
            whole[pairs.drude] = x[pairs.core]
            x = whole
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(x)
    if not same:
        return False
    per = unit.kilojoule_per_mole / unit.nanometer
    forces = context.getState(getForces=True).getForces(asNumpy=True).value_in_unit(per)
    if not np.linalg.norm(forces[:n_atoms], axis=1).max() < _CALM:
        return False
    context.setVelocities(v)
    return True
