"""Options: text typed on the command line, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from solvation.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "read_charge",
    "read_choice",
    "read_number",
    "read_positive",
    "split_pairs",
    "split_pieces",
]


Choice = TypeVar("Choice", bound=str)


def split_pairs(option: str, items: Sequence[str] | None) -> dict[str, str]:
    """Read ``NAME=VALUE`` options.

    Raises
    ------
    RecipeError
        If an item is not understood.
    """
    pairs = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals or not key or not value:
            raise RecipeError(f'--{option} "{item}" is not understood; write NAME=VALUE')
        pairs[key.strip()] = value.strip()
    return pairs


def split_pieces(path: Path) -> list[Path]:
    """Split ``a.xtc+b.xtc`` into the files of one trajectory, unless a file has that very name."""
    if path.exists() or "+" not in str(path):
        return [path]
    from pathlib import Path

    return [Path(piece) for piece in str(path).split("+")]


def read_number(option: str, text: Any) -> float:
    """Read one number of an option.

    Raises
    ------
    RecipeError
        If it is none.
    """
    try:
        return float(text)
    except ValueError as error:
        raise RecipeError(f'--{option}: "{text}" is not a number') from error


def read_charge(name: str, text: str) -> int:
    """Read a formal charge.

    Raises
    ------
    RecipeError
        If it is no whole number.
    """
    value = read_number("charge", text)
    if not value.is_integer():
        raise RecipeError(f'--charge "{name}={text}": a formal charge is a whole number, e.g. 2')
    return int(value)


def read_choice(option: str, text: str, choices: Sequence[Choice]) -> Choice:
    """Read one of several words.

    Raises
    ------
    RecipeError
        If it is none of the choices.
    """
    for choice in choices:
        if text == choice:
            return choice
    raise RecipeError(f'--{option} "{text}" is not known; choose {", ".join(choices)}')


def read_positive(option: str, text: str | None, unit: str) -> float | None:
    """Read an amount that must be above zero.

    Raises
    ------
    RecipeError
        If it is not.
    """
    from solvation.units import parse_quantity

    if text is None:
        return None
    value = parse_quantity(text, unit, name=f"--{option}")
    if value <= 0:
        raise RecipeError(f'--{option} "{text}" must be above zero')
    return value
