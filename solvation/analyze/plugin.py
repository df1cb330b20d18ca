"""Plug-ins: observables of your own, looked at in the same reading as ours.

A plug-in is an `Analyzer` that also says what to write. It comes as an object
(``analyze_trajectory(..., plugins=[...])``), from a file (``--plugin mine.py:Tilt``) or from an
installed package that lists it under the entry point ``solvation.analyzers``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from solvation.analyze.driver import Analyzer, Parts
from solvation.errors import RecipeError

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity

__all__ = ["GROUP", "Plugin", "describe_plugins", "load_plugin"]

GROUP = "solvation.analyzers"
"""Entry point under which packages list plug-ins."""


class Plugin(Analyzer, Protocol):
    """An analyzer that also says what to write."""

    def describe(self, parts: Parts[Any]) -> tuple[xr.Dataset, Sequence[Quantity]]:
        """Turn what was seen, by replica and stretch of time, into arrays and numbers.

        Every variable of the dataset has ``units`` and ``long_name``; it becomes the node `name`
        of the results. Every number is called `name` or ``<name>.<more>``.
        """


def load_plugin(text: str) -> Plugin:
    """Find a plug-in by the name of its entry point, or as ``file.py:Class``.

    Parameters
    ----------
    text
        ``"tilt"``, ``"mine.py:Tilt"`` or ``"package.module:Tilt"``. A class is called without
        arguments; an object is taken as it is.

    Raises
    ------
    RecipeError
        If there is no such plug-in, or it lacks ``name``, ``start`` or ``describe``.
    """
    home, _, label = text.rpartition(":")
    try:
        found = getattr(_import(home), label) if home else _find_entry(label)
    except (ImportError, AttributeError) as error:
        raise RecipeError(
            f"plug-in {text} cannot be loaded: {error}; give file.py:Class"
        ) from error
    plugin = found() if isinstance(found, type) else found
    for member in ("name", "start", "describe"):
        if not hasattr(plugin, member):
            raise RecipeError(f"plug-in {text} has no {member}; an analyzer needs all three")
    return plugin  # type: ignore[no-any-return]


def describe_plugins(
    plugins: Sequence[Plugin], parts: Mapping[str, Parts[Any]], taken: Sequence[str]
) -> tuple[dict[str, xr.Dataset], list[Quantity]]:
    """Collect what plug-ins have to say.

    Parameters
    ----------
    plugins
        In the order in which they were given.
    parts
        What was seen, by the name of the analyzer.
    taken
        Names of nodes that are ours.

    Raises
    ------
    RecipeError
        If a plug-in takes the name of a node that is ours, or writes a number that is not called
        after it.
    """
    nodes: dict[str, xr.Dataset] = {}
    rows: list[Quantity] = []
    for plugin in plugins:
        name = plugin.name
        if name in taken:
            raise RecipeError(f'plug-in "{name}" has the name of a node of ours; choose another')
        nodes[name], quantities = plugin.describe(parts[name])
        for quantity in quantities:
            if quantity.name != name and not quantity.name.startswith(f"{name}."):
                raise RecipeError(
                    f'plug-in "{name}" writes {quantity.name}; call it {name}.{quantity.name}'
                )
        rows += quantities
    return nodes, rows


def _import(home: str) -> Any:
    """Import a module by name, or a file; its folder is searched, so that workers find it too."""
    if not home.endswith(".py"):
        return import_module(home)
    file = Path(home).expanduser().resolve()
    if not file.is_file():
        raise ImportError(f"there is no file {home}")
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = import_module(file.stem)
    if Path(str(module.__file__)).resolve() != file:
        raise ImportError(f"another module is called {file.stem}; rename the file")
    return module


def _find_entry(label: str) -> Any:
    """Find what an installed package calls ``label``."""
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if label not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ImportError(f'no installed package has one called "{label}" (installed: {known})')
    return found[label].load()
