"""Extension: folders with species of the user's own, beside the library.

Such a folder is what ``solvation parametrize`` writes: ``species.toml``, ``card.toml`` and an
XML. A recipe names it in ``model.species``; reading the recipe makes its species known to the
library for as long as the program runs, as if it lay on ``SOLVATION_PATH``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from solvation.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["add_species", "list_extensions"]

_FOLDERS: list[Path] = []
"""Latest first."""


def add_species(folders: Iterable[str | Path]) -> None:
    """Make the species of folders known.

    Raises
    ------
    RecipeError
        If one is not such a folder.
    """
    for entry in folders:
        folder = Path(entry).expanduser().resolve()
        for name in ("species.toml", "card.toml"):
            if not (folder / name).is_file():
                raise RecipeError(
                    f'model.species: {folder} has no {name}; "solvation parametrize" writes such '
                    "a folder"
                )
        if folder not in _FOLDERS:
            _FOLDERS.insert(0, folder)


def list_extensions() -> tuple[Path, ...]:
    """List the folders that were added, the latest first."""
    return tuple(_FOLDERS)
