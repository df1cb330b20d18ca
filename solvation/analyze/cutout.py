"""Cut-outs: a cation and the molecules bound to it, out of a frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvation.analyze.contact import ContactTable, find_frame
from solvation.analyze.ion import list_ions
from solvation.analyze.specimen import NUMBERS
from solvation.analyze.spool import release
from solvation.analyze.topology import Scene
from solvation.kernels.cell import minimum_image

__all__ = ["extract_shell"]


def extract_shell(scene: Scene, table: ContactTable, frame: int, cation: int) -> dict[str, Any]:
    """Cut a cation and the molecules bound to it out of a frame.

    Returns
    -------
    ``elements``, ``positions`` (Å, the cation at the origin, ligands whole), ``bonds`` and
    ``contacts`` (pairs of indices into the former), ``molecule`` (number of each atom's molecule,
    the cation's is 0), ``names`` (species of each molecule), ``charge`` (sum of the formal
    charges) and ``multiplicity`` (the lowest that the number of electrons allows); plain lists
    and numbers, ready for JSON.
    """
    ions = list_ions(scene)
    block = scene.read_frame(table.replica, frame)
    low, high = (find_frame(table.contacts, i) for i in (frame, frame + 1))
    rows = np.array(table.contacts[low:high])
    release(table.contacts)
    rows = rows[rows["cation"] == cation]
    centre = int(ions.cation_atoms[cation])
    own = int(ions.cation_molecules[cation])
    order = [m for m in np.unique(scene.molecule[rows["atom"]]) if m != own]
    atoms = [np.flatnonzero(scene.molecule == m) for m in (own, *order)]
    origin = block.positions[0, centre]
    placed = []
    for members in atoms:
        at = block.positions[0, members] - origin
        donors = np.flatnonzero(np.isin(members, rows["atom"]))
        # Move the molecule as a whole, by the image its first donor is bound in.
        anchor = at[donors[0]] if len(donors) else np.zeros(3)
        placed.append(at + (minimum_image(anchor[None, None], block.matrix)[0, 0] - anchor))
    chosen = np.concatenate(atoms)
    index = {int(a): i for i, a in enumerate(chosen)}
    inside = np.isin(scene.bonds[:, 0], chosen)
    positions = np.round(np.concatenate(placed), 3) + 0.0
    species = [scene.species[int(scene.molecule_species[m])] for m in (own, *order)]
    charge = sum(one.charge for one in species)
    electrons = sum(NUMBERS[str(e)] for e in scene.elements[chosen]) - charge
    return {
        "molecule": [k for k, members in enumerate(atoms) for _ in members],
        "names": [one.name for one in species],
        "charge": int(charge),
        "multiplicity": 1 + electrons % 2,
        "elements": [str(e) for e in scene.elements[chosen]],
        "positions": positions.tolist(),
        "bonds": [[index[int(i)], index[int(j)]] for i, j in scene.bonds[inside]],
        "contacts": [[index[centre], index[int(a)]] for a in rows["atom"]],
    }
