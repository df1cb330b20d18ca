"""Polarizable: whether a force field has induced dipoles, which decides time step and charges."""

from __future__ import annotations

import tomllib

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
            data = tomllib.loads(card.read_text(encoding="utf-8"))
        except (ForceFieldError, OSError, ValueError):  # said better where the card is checked
            return False
        if "drude" in data:
            return True
        forcefield = str(data.get("extends", forcefield))
    return False
