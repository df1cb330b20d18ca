"""Walk: the temperatures that a tempered replica has been at, one line per report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["WALK_HEADER", "Walk", "read_walk"]

WALK_HEADER = "stage,interval,level,temperature_K,potential_energy_kJ_mol,next_level\n"
"""First line of ``walk.csv``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Columns of ``walk.csv``, each of shape ``(n_reports,)``."""

    stage: NDArray[np.str_]
    """``"temper"`` while weights are learnt, then ``"production"``."""
    interval: NDArray[np.int64]
    """Report intervals since the stage began, from 1."""
    level: NDArray[np.int64]
    """Where the interval was spent; 0 is the target temperature."""
    temperature: NDArray[np.float64]
    """K, of that level."""
    potential_energy: NDArray[np.float64]
    """kJ/mol, at the end of the interval."""
    next_level: NDArray[np.int64]
    """What was drawn then; a frame is written when it is 0."""

    def select(self, stage: str) -> Walk:
        """Keep the rows of one stage."""
        mask = self.stage == stage
        return Walk(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


def read_walk(path: Path) -> Walk:
    """Read ``walk.csv``.

    Raises
    ------
    WorkspaceError
        If the file is absent or not a walk.
    """
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.split(",") for line in lines]
        if head + "\n" != WALK_HEADER or any(len(row) != 6 for row in rows):
            raise ValueError("it has other columns")
        columns = list(zip(*rows, strict=True)) if rows else [()] * 6
        kinds = (np.str_, np.int64, np.int64, np.float64, np.float64, np.int64)
        return Walk(
            **{
                field.name: np.array(column, dtype=kind)
                for field, column, kind in zip(fields(Walk), columns, kinds, strict=True)
            }
        )
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot read {path}: {error}; run this replica again") from error
