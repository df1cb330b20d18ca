"""Layers: TOML laid over the TOML it extends, and single keys laid over both."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError
from solvation.library import find_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["apply_setting", "flatten", "read_layers"]


def read_layers(path: Path, *, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read TOML and merge it over what it extends.

    Raises
    ------
    RecipeError
        If a file cannot be read, is not TOML, or extends itself.
    """
    if path.resolve() in seen:
        raise RecipeError(f"{path}: extends itself in a circle; remove one extends line")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise RecipeError(f"{path}: extends = {base!r} must be text, the name or path of a recipe")
    beside = path.parent / base
    source = beside if beside.is_file() else base
    return _merge(read_layers(find_system(source), seen=(*seen, path.resolve())), data)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; lists are replaced, tables are merged."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def apply_setting(data: dict[str, Any], setting: str) -> None:
    """Apply one ``key=value`` override with a dotted key, in place.

    Raises
    ------
    RecipeError
        If the override is not understood or its key leads nowhere.
    """
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise RecipeError(
            f'--set "{setting}" is not understood; write KEY=VALUE, e.g. box.cations=24'
        )
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    table: Any = data
    for part in parents:
        if isinstance(table, list):
            table = _item(table, part, setting)
        else:
            table = table.setdefault(part, {})
        if not isinstance(table, (dict, list)):
            raise RecipeError(f'--set "{setting}": {part} is not a table')
    if isinstance(table, list):
        raise RecipeError(
            f'--set "{setting}": name the key after the number, e.g. salt.0.anion=TFSI'
        )
    table[last] = value


def _item(table: list[Any], part: str, setting: str) -> Any:
    """Pick an element of a list of tables by its number."""
    if not part.isdecimal() or int(part) >= len(table):
        raise RecipeError(
            f'--set "{setting}": "{part}" is none of the {len(table)} there are; count from 0'
        )
    return table[int(part)]


def flatten(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    """List every leaf with its dotted path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}.{index}")
    else:
        yield path, repr(value)
