"""Record: small series at femtosecond spacing that a run writes beside its trajectory.

One file per series: a line of JSON that says what the columns are, then rows of 32-bit numbers,
so that a file can be cut to any number of rows and read whatever became of the run that wrote it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CURRENTS", "FLOW", "STRESS", "Record", "read_header", "read_record", "write_header"]

CURRENTS = "currents.rec"
"""Name of the file with currents and dipoles by species."""
STRESS = "stress.rec"
"""Name of the file with the pressure tensor."""
FLOW = "flow-{number}.rec"
"""Names of the files with a driven flow, one for each acceleration."""
ROW_TYPE = np.dtype("<f4")
"""Of every number after the header; seven digits, far below the noise of any of them."""
_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A series as it was written."""

    spacing: float
    """ps between rows."""
    start: float
    """ps of production before the first row."""
    columns: tuple[str, ...]
    """Name of each column, e.g. ``"velocity.Mg.x"``."""
    values: NDArray[np.float32]
    """Shape ``(n_rows, n_columns)``, in the units that `about` names."""
    about: Mapping[str, Any]
    """What else the writer knew: species, their numbers, charges and masses; volume; units."""

    def select(self, name: str, axes: Sequence[str] = ("x", "y", "z")) -> NDArray[np.float64]:
        """Columns ``name.x``, ``name.y``, ... as one array of shape ``(n_rows, len(axes))``."""
        index = [self.columns.index(f"{name}.{axis}") for axis in axes]
        return self.values[:, index].astype(np.float64)


def write_header(
    path: Path, *, spacing: float, start: float, columns: Sequence[str], about: Mapping[str, Any]
) -> int:
    """Begin a file; return how many bytes come before the first row.

    Parameters
    ----------
    path
        Replaced when it exists.
    spacing, start
        ps, see `Record`.
    columns, about
        See `Record`.
    """
    header = {
        "schema": _SCHEMA, "spacing": round(spacing, 12), "start": round(start, 9),
        "columns": list(columns), "about": dict(about),
    }  # fmt: skip
    line = (json.dumps(header, ensure_ascii=False) + "\n").encode()
    path.write_bytes(line)
    return len(line)


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Read what a file says of itself, and how many bytes that takes.

    Raises
    ------
    WorkspaceError
        If it is not such a file.
    """
    try:
        with path.open("rb") as stream:
            line = stream.readline()
        header = json.loads(line)
        if header["schema"] != _SCHEMA:
            raise ValueError(f"schema {header['schema']}, expected {_SCHEMA}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"cannot read {path}: {error}; remove it to analyze the run without it"
        ) from error
    return header, len(line)


def read_record(path: Path) -> Record:
    """Read a whole series; an incomplete last row is left out.

    Raises
    ------
    WorkspaceError
        If the file is absent or damaged.
    """
    header, offset = read_header(path)
    columns = tuple(header["columns"])
    size = (path.stat().st_size - offset) // (ROW_TYPE.itemsize * len(columns))
    values = np.fromfile(path, dtype=ROW_TYPE, count=size * len(columns), offset=offset)
    return Record(
        spacing=header["spacing"], start=header["start"], columns=columns,
        values=values.reshape(size, len(columns)), about=header["about"],
    )  # fmt: skip
