"""Formulas of charged species, as they stand in ``summary.json``."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["name_cluster", "write_charge", "write_member"]


def name_cluster(members: Sequence[tuple[str, int, int]], charge: int) -> str:
    """Write the formula of a cluster with its charge.

    Parameters
    ----------
    members
        Name, number of atoms in the ion, and count of each ionic species; cations first.
    charge
        e.

    Examples
    --------
    >>> name_cluster([("Mg", 1, 2), ("TFSI", 15, 3)], 1)
    '[Mg2(TFSI)3]+'
    >>> name_cluster([("Mg", 1, 1), ("TFSI", 15, 1)], 1)
    '[MgTFSI]+'
    """
    body = "".join(write_member(name, n_atoms, count) for name, n_atoms, count in members if count)
    return f"[{body}]{write_charge(charge)}"


def write_member(name: str, n_atoms: int, count: int) -> str:
    """Write one species of a formula: count over 1 written, parentheses for several atoms."""
    if count == 1:
        return name
    return f"({name}){count}" if n_atoms > 1 else f"{name}{count}"


def write_charge(charge: int) -> str:
    """Write a charge: ``2+``, ``+``, ``0``, ``-``, ``3-``."""
    if charge == 0:
        return "0"
    size = "" if abs(charge) == 1 else str(abs(charge))
    return f"{size}{'+' if charge > 0 else '-'}"
