"""Log: temperature, energy and density of a replica against time, one line per report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LOG_HEADER", "Log", "read_log"]

_COLUMNS = {
    "stage": "stage",
    "step": "step",
    "time": "time_ps",
    "potential_energy": "potential_energy_kJ_mol",
    "kinetic_energy": "kinetic_energy_kJ_mol",
    "temperature": "temperature_K",
    "volume": "volume_A3",
    "density": "density_g_cm3",
    "speed": "speed_ns_day",
}

LOG_HEADER = ",".join(_COLUMNS.values()) + "\n"
"""First line of ``log.csv``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Columns of ``log.csv``, each of shape ``(n_reports,)``."""

    stage: NDArray[np.str_]
    """Name of the stage."""
    step: NDArray[np.int64]
    """Time steps since the stage began."""
    time: NDArray[np.float64]
    """ps since the stage began."""
    potential_energy: NDArray[np.float64]
    """kJ/mol."""
    kinetic_energy: NDArray[np.float64]
    """kJ/mol."""
    temperature: NDArray[np.float64]
    """K."""
    volume: NDArray[np.float64]
    """Å3."""
    density: NDArray[np.float64]
    """g/cm3."""
    speed: NDArray[np.float64]
    """ns/day."""

    def select(self, stage: str) -> Log:
        """Keep the rows of one stage."""
        mask = self.stage == stage
        return Log(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def read_log(path: Path) -> Log:
    """Read ``log.csv``.

    Raises
    ------
    WorkspaceError
        If the file is absent or not a log.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise WorkspaceError(
            f"cannot read {path}: {error.strerror}; run `solvation simulate` first"
        ) from error
    except UnicodeDecodeError as error:
        raise WorkspaceError(f"{path} is not text; run this replica again") from error
    if not lines or lines[0] + "\n" != LOG_HEADER:
        raise WorkspaceError(f"{path} is not a log of this version; run this replica again")
    rows = [line.split(",") for line in lines[1:]]
    if any(len(row) != len(_COLUMNS) for row in rows):
        raise WorkspaceError(f"{path} has a broken line; run this replica again")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    kinds = {"stage": np.str_, "step": np.int64}
    try:
        return Log(
            **{
                name: np.array(column, dtype=kinds.get(name, np.float64))
                for name, column in zip(_COLUMNS, columns, strict=True)
            }
        )
    except ValueError as error:
        raise WorkspaceError(
            f"{path} has a broken line ({error}); run this replica again"
        ) from error
