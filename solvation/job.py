"""Job: an opened run folder, and the numbers in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from solvation.errors import WorkspaceError
from solvation.results import Quantity, load_results, load_summary
from solvation.workspace import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

__all__ = ["Run", "open_results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder and what is in it."""

    folder: RunFolder
    """Where the files are."""

    @property
    def results(self) -> xr.DataTree:
        """Every array, with units; see `solvation.results`."""
        return load_results(self.folder.results)

    @property
    def quantities(self) -> Sequence[Quantity]:
        """The numbers of ``summary.json``."""
        return load_summary(self.folder.summary)[1]

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder.report

    def __getitem__(self, name: str) -> Quantity:
        """Look up one quantity, e.g. ``run["density"]``.

        Raises
        ------
        KeyError
            If there is no quantity of that name.
        """
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(name)


def open_results(path: str | Path) -> Run:
    """Open a finished run.

    Raises
    ------
    WorkspaceError
        If there are no results in the folder.
    """
    folder = RunFolder(path=Path(path))
    if not folder.summary.exists():
        raise WorkspaceError(
            f"{path} holds no summary.json; run `solvation run` or `analyze` first"
        )
    return Run(folder=folder)
