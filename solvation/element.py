"""Elements by their symbols, from RDKit's table."""

from __future__ import annotations

from functools import cache

__all__ = ["atomic_number", "atomic_weight"]


@cache
def atomic_weight(symbol: str) -> float:
    """Return the standard atomic weight in u, 0 for what is no element (virtual sites, dummies).

    Examples
    --------
    >>> atomic_weight("Ar"), atomic_weight("EP")
    (39.948, 0.0)
    """
    from rdkit import Chem

    return float(Chem.GetPeriodicTable().GetAtomicWeight(atomic_number(symbol)))


@cache
def atomic_number(symbol: str) -> int:
    """Return the atomic number, 0 for what is no element.

    Examples
    --------
    >>> atomic_number("Mg"), atomic_number("Xx")
    (12, 0)
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            return int(Chem.GetPeriodicTable().GetAtomicNumber(symbol))
        except RuntimeError:
            return 0
