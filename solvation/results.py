"""Results: one `xarray.DataTree` per run, and the flat list of numbers people quote.

The tree (``results.nc``) holds every array with ``units`` and ``long_name``; a variable ``x``
that carries an error has it beside it as ``x_stderr``. The summary (``summary.json``) holds the
`Quantity` list: stable dotted names, a value, its standard error, and a status that says whether
the value may be believed.
"""

from __future__ import annotations

import json
import math
import threading
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import xarray as xr

__all__ = [
    "SCHEMA",
    "Quantity",
    "Status",
    "check_units",
    "load_results",
    "load_summary",
    "save_results",
    "save_summary",
]

SCHEMA = 1
"""Version of the layout of ``summary.json``."""

Status = Literal["ok", "bound", "not_converged", "undefined"]
"""``bound``: only a one-sided limit is known. ``not_converged``: the run is too short to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number of the summary.

    Examples
    --------
    >>> Quantity(name="density", value=1.014, stderr=0.003, unit="g/cm3").text()
    '1.014 ± 0.003 g/cm3'
    """

    name: str
    """Dotted and stable, e.g. ``"coordination.Mg.total"``."""
    value: float | None
    """The number, in `unit`; None when `status` is ``"undefined"``."""
    stderr: float | None
    """One standard error, in `unit`; None when it cannot be known."""
    unit: str
    """The field's unit, e.g. ``"g/cm3"``; ``"1"`` for fractions and counts."""
    status: Status = "ok"
    """Whether the value may be believed."""
    n_events: int | None = None
    """How many events (exchanges) the value rests on, where that decides its worth."""
    bound: Literal["lower", "upper"] | None = None
    """Which side `value` limits, when `status` is ``"bound"``."""
    note: str | None = None
    """What a reader must know, one sentence."""

    def text(self) -> str:
        """Write value, error and unit with as many digits as the error allows."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.value is None or not math.isfinite(self.value):
            return "undefined"
        sign = {"lower": "> ", "upper": "< ", None: ""}[self.bound]
        if not self.stderr or not math.isfinite(self.stderr) or self.bound:
            return f"{sign}{self.value:.4g}{unit}"
        mantissa, _, exponent = f"{self.stderr:.1e}".partition("e")
        digits = (0 if mantissa[0] > "2" else 1) - int(exponent)
        power = int(f"{max(abs(self.value), self.stderr):.0e}".partition("e")[2])
        if digits <= 5 and abs(self.value) < 1e5:
            return f"{self.value:z.{max(0, digits)}f} ± {self.stderr:.{max(0, digits)}f}{unit}"
        places = min(max(0, digits + power), 15)
        value, stderr = (Decimal(x).scaleb(-power) for x in (self.value, self.stderr))
        return f"({value:z.{places}f} ± {stderr:.{places}f})e{power}{unit}"


_ONE_AT_A_TIME = threading.Lock()
"""The library below netCDF4 is not safe in threads, and netCDF4 does not lock it."""


def check_units(tree: xr.DataTree) -> None:
    """Assert that every variable of every node says its unit and what it is.

    Raises
    ------
    ValueError
        Naming the first variable without ``units`` or ``long_name``.
    """
    for node in tree.subtree:
        for name, variable in node.data_vars.items():
            for key in ("units", "long_name"):
                if key not in variable.attrs:
                    raise ValueError(f"{node.path}/{name} has no {key!r}; set it in the analyzer")


def save_results(tree: xr.DataTree, path: Path) -> None:
    """Write the tree as NetCDF, complete or not at all.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    check_units(tree)
    partial = path.with_name(path.name + ".partial")
    try:
        with _ONE_AT_A_TIME:
            tree.to_netcdf(partial, engine="netcdf4")
        partial.replace(path)
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error}; choose another folder with -o"
        ) from error
    except RuntimeError as error:  # how netCDF4 says that a write came back short
        partial.unlink(missing_ok=True)
        raise WorkspaceError(
            f"cannot write {path} ({error}), perhaps the disk or a quota is full; make room or "
            "choose another folder with -o"
        ) from error


def load_results(path: Path) -> xr.DataTree:
    """Read a tree written by `save_results` into memory.

    Raises
    ------
    WorkspaceError
        If the file is absent or is not NetCDF.
    """
    import xarray as xr

    try:
        with _ONE_AT_A_TIME, xr.open_datatree(path, engine="netcdf4") as tree:
            # `tree.load()` leaves out every variable that has the name of a node.
            for node in tree.subtree:
                for variable in node.variables.values():
                    variable.load()
            return tree
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkspaceError(
            f"cannot read {path}: {error}; run `solvation analyze` again"
        ) from error


def save_summary(
    quantities: Iterable[Quantity],
    path: Path,
    *,
    recipe: str,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write ``summary.json``, complete or not at all.

    Parameters
    ----------
    quantities
        The numbers, in the order a reader wants them.
    path
        Where to.
    recipe
        Name of the recipe, or of the trajectory.
    extra
        Further top-level keys, such as the model and its charge scale.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    rows = []
    for quantity in quantities:
        row = {key: value for key, value in asdict(quantity).items() if value is not None}
        for key in ("value", "stderr"):
            number = row.get(key)
            row[key] = None if number is None or not math.isfinite(number) else float(number)
        rows.append(row)
    document = {"schema": SCHEMA, "recipe": recipe, **(extra or {}), "quantities": rows}
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(
            json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        partial.replace(path)
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error}; choose another folder with -o"
        ) from error


def load_summary(path: Path) -> tuple[dict[str, Any], Sequence[Quantity]]:
    """Read ``summary.json``: the top-level keys and the quantities.

    Raises
    ------
    WorkspaceError
        If the file is absent, broken, or of a schema this version does not know.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, expected {SCHEMA}")
        quantities = tuple(Quantity(**row) for row in document.pop("quantities"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"cannot read {path}: {error}; run `solvation analyze` again"
        ) from error
    return document, quantities
