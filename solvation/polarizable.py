"""Polarizable: whether a force field has induced dipoles, which decides time step and charges."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from solvation.errors import ForceFieldError
from solvation.library import find_forcefield

__all__ = ["is_polarizable"]


def is_polarizable(forcefield: str) -> bool:
    """Tell whether the card of a force field, or one that it extends, has induced dipoles.

    Examples
    --------
    >>> is_polarizable("clpol-drude"), is_polarizable("opls-clp")
    (True, False)
    """
    seen: set[str] = set()
    while forcefield not in seen:
        seen.add(forcefield)
        try:
            card = find_forcefield(forcefield) / "card.toml"
            has_dipoles, extends = _read_card(card, card.stat().st_mtime_ns)
        except (ForceFieldError, OSError, ValueError):  # said better where the card is checked
            return False
        if has_dipoles:
            return True
        forcefield = extends or forcefield
    return False


@lru_cache(maxsize=64)
def _read_card(path: Path, changed: int) -> tuple[bool, str]:
    """Whether a card has induced dipoles, and what it extends; once for each time it `changed`."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return "drude" in data, str(data.get("extends", ""))
