"""The box as it is in one frame, for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from solvation.analyze.topology import Scene
from solvation.kernels.cell import wrap

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["take_structure"]


def take_structure(scene: Scene, *, replica: int = 0) -> xr.Dataset:
    """Take the last frame of a replica: whole molecules, their centres inside the box."""
    import xarray as xr

    source = scene.sources[replica]
    block = scene.read_frame(replica, source.n_frames - 1)
    _, boxes, _ = source.read(source.n_frames - 1, source.n_frames)
    size = np.bincount(scene.molecule).astype(np.float64)
    centres = np.stack(
        [np.bincount(scene.molecule, weights=x) / size for x in block.positions[0].T], axis=1
    )
    shift = wrap(centres[None], block.matrix)[0] - centres
    species = [scene.species[i].name for i in scene.molecule_species]

    def attrs(unit: str, text: str) -> dict[str, str]:
        return {"units": unit, "long_name": text}

    return xr.Dataset(
        {
            "position": (
                ("atom", "xyz"), block.positions[0] + shift[scene.molecule],
                attrs("Å", "positions in the last frame"),
            ),
            "bond": (("bond_index", "end"), scene.bonds, attrs("1", "bonded pairs of atoms")),
            "box": (
                "edge", boxes[0], attrs("Å and degrees", "lengths and angles of the box"),
            ),
            "species_of_molecule": ("molecule_index", species, attrs("1", "species")),
        },
        coords={
            "element": ("atom", [str(e) for e in scene.elements]),
            "molecule": ("atom", scene.molecule),
            "xyz": ["x", "y", "z"],
        },
    )  # fmt: skip
