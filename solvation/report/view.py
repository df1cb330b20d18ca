"""Scenes for the 3-D viewer: what to draw, as plain numbers for ``molecule.js``.

A scene is a JSON object: ``kinds`` (element symbols), ``kind`` (index into them, per atom),
``xyz`` (flat, hundredths of Å), ``look`` (per atom: 0 ball and stick, 1 stick, 2 faint line),
``bonds`` and ``contacts`` (flat pairs of atoms) and ``edges`` (flat triples, hundredths of Å:
the twelve edges of the box as pairs of points).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["make_box_scene", "make_molecule_scene", "make_scene", "make_shell_scene"]

BALL, STICK, FAINT = 0, 1, 2


def make_scene(
    elements: Sequence[str],
    positions: NDArray[Any],
    bonds: NDArray[Any],
    *,
    contacts: NDArray[Any] | None = None,
    look: NDArray[Any] | None = None,
    edges: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Pack atoms and bonds into a scene, centred.

    Parameters
    ----------
    elements
        Element symbols, one per atom.
    positions
        Å, shape ``(n_atoms, 3)``.
    bonds, contacts
        Pairs of atoms, shape ``(n, 2)``; contacts are dashed.
    look
        0 ball and stick, 1 stick, 2 faint line, shape ``(n_atoms,)``; all 0 if left out.
    edges
        Points of the box edges, Å, shape ``(n, 2, 3)``.
    """
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    frame = positions if edges is None else np.asarray(edges, dtype=float).reshape(-1, 3)
    centre = 0.5 * (frame.min(0) + frame.max(0)) if frame.size else np.zeros(3)
    kinds = sorted(set(elements))
    return {
        "kinds": kinds,
        "kind": [kinds.index(e) for e in elements],
        "xyz": _flatten(100.0 * (positions - centre)),
        "look": [] if look is None else _flatten(look),
        "bonds": _flatten(bonds),
        "contacts": [] if contacts is None else _flatten(contacts),
        "edges": [] if edges is None else _flatten(100.0 * (edges - centre)),
    }


def make_shell_scene(text: str) -> dict[str, Any]:
    """Unpack one ``structure`` string of the ``/shells`` node into a scene."""
    shell = json.loads(text)
    pairs = {key: np.reshape(shell.get(key, []), (-1, 2)) for key in ("bonds", "contacts")}
    return make_scene(shell["elements"], np.array(shell["positions"]), **pairs)


def make_box_scene(structure: xr.Dataset, find_role: Callable[[str], str]) -> dict[str, Any]:
    """Show the whole box: cations as balls, anions as sticks, the solvent faint, without its H.

    Parameters
    ----------
    structure
        Node ``/structure``.
    find_role
        Gives ``"cation"``, ``"anion"`` or ``"solvent"`` for the name of a species.
    """
    element = np.asarray(structure["element"]).astype(str)
    species = np.asarray(structure["species_of_molecule"]).astype(str)
    looks = {"cation": BALL, "anion": STICK, "solvent": FAINT}
    look_of = {name: looks[find_role(name)] for name in set(species.tolist())}
    molecule = np.asarray(structure["molecule"], dtype=int)
    look = np.array([look_of[name] for name in species.tolist()], dtype=int)[molecule]
    keep = (look != FAINT) | (element != "H")
    renumber = np.cumsum(keep) - 1
    bonds = np.asarray(structure["bond"], dtype=int).reshape(-1, 2)
    bonds = renumber[bonds[keep[bonds].all(1)]]
    return make_scene(
        element[keep].tolist(),
        np.asarray(structure["position"], dtype=float)[keep],
        bonds,
        look=look[keep],
        edges=_find_edges(np.asarray(structure["box"], dtype=float)),
    )


def make_molecule_scene(structure: xr.Dataset, species: str) -> dict[str, Any] | None:
    """Show the first molecule of one species as it is in the box; None if there is none."""
    names = np.asarray(structure["species_of_molecule"]).astype(str)
    found = np.flatnonzero(names == species)
    if not found.size:
        return None
    mine = np.asarray(structure["molecule"], dtype=int) == found[0]
    bonds = np.asarray(structure["bond"], dtype=int).reshape(-1, 2)
    bonds = (np.cumsum(mine) - 1)[bonds[mine[bonds].all(1)]]
    position = np.asarray(structure["position"], dtype=float)[mine]
    return make_scene(np.asarray(structure["element"]).astype(str)[mine].tolist(), position, bonds)


def _find_edges(box: NDArray[Any]) -> NDArray[Any]:
    """Find the twelve edges of a box from lengths (Å) and angles (degrees), ``(12, 2, 3)``."""
    a, b, c = box[:3]
    alpha, beta, gamma = np.radians(box[3:6])
    y = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    z = np.sqrt(max(0.0, 1 - np.cos(beta) ** 2 - y**2))
    vectors = np.array(
        [
            [a, 0.0, 0.0],
            [b * np.cos(gamma), b * np.sin(gamma), 0.0],
            [c * np.cos(beta), c * y, c * z],
        ]
    )
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    pairs = [
        (p, q)
        for p in range(8)
        for q in range(p + 1, 8)
        if np.abs(corners[p] - corners[q]).sum() == 1
    ]
    edges: NDArray[Any] = (corners @ vectors)[np.array(pairs)]
    return edges


def _flatten(values: NDArray[Any]) -> list[int]:
    flat: list[int] = np.rint(np.asarray(values, dtype=float)).astype(int).ravel().tolist()
    return flat
