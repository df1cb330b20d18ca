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
DRUDE_HEADER = LOG_HEADER.rstrip("\n") + ",drude_temperature_K\n"
"""First line of ``log.csv`` of a polarizable run."""


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
    drude_temperature: NDArray[np.float64]
    """K, of induced dipoles in the frame of their atoms; NaN where there are none."""

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
    if not lines or lines[0] + "\n" not in (LOG_HEADER, DRUDE_HEADER):
        raise WorkspaceError(f"{path} is not a log of this version; run this replica again")
    names = (*_COLUMNS, "drude_temperature")[: lines[0].count(",") + 1]
    rows = [line.split(",") for line in lines[1:]]
    if any(len(row) != len(names) for row in rows):
        raise WorkspaceError(f"{path} has a broken line; run this replica again")
    columns = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    columns.setdefault("drude_temperature", ("nan",) * len(rows))
    kinds = {"stage": np.str_, "step": np.int64}
    try:
        return Log(
            **{
                name: np.array(column, dtype=kinds.get(name, np.float64))
                for name, column in columns.items()
            }
        )
    except ValueError as error:
        raise WorkspaceError(
            f"{path} has a broken line ({error}); run this replica again"
        ) from error
