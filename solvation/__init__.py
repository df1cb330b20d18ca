"""What does this salt do in this solvent?

``solvation`` builds and runs salt–ether electrolytes and tells, with error bars, which ions are
free, what coordinates them, how they move and what the electrolyte conducts::

    import solvation

    run = solvation.run(solvation.load_recipe("mg-tfsi2-dme"), "runs/x", profile="quick")
    run.results  # an xarray.DataTree, units on every variable

Names are imported when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solvation.build.parametrize import parametrize
    from solvation.campaign.schedule import run_campaign
    from solvation.errors import (
        AuditError,
        ForceFieldError,
        MissingParameterError,
        PackingError,
        RecipeError,
        SimulationError,
        SolvationError,
        StopError,
        TrajectoryError,
        UnitError,
        WorkspaceError,
    )
    from solvation.export.delivery import export_run
    from solvation.job import Run, open_results
    from solvation.library import find_species, list_forcefields, list_species, list_systems
    from solvation.pipeline import analyze_trajectory, run
    from solvation.recipe import Recipe, load_recipe
    from solvation.results import Quantity
    from solvation.series import compare_runs

_HOMES = {
    "AuditError": "errors",
    "ForceFieldError": "errors",
    "MissingParameterError": "errors",
    "PackingError": "errors",
    "Quantity": "results",
    "Recipe": "recipe",
    "RecipeError": "errors",
    "Run": "job",
    "SimulationError": "errors",
    "SolvationError": "errors",
    "StopError": "errors",
    "TrajectoryError": "errors",
    "UnitError": "errors",
    "WorkspaceError": "errors",
    "analyze_trajectory": "pipeline",
    "compare_runs": "series",
    "export_run": "export.delivery",
    "find_species": "library",
    "list_forcefields": "library",
    "list_species": "library",
    "list_systems": "library",
    "load_recipe": "recipe",
    "open_results": "job",
    "parametrize": "build.parametrize",
    "run": "pipeline",
    "run_campaign": "campaign.schedule",
}

__version__ = "0.1.0"

__all__ = [
    "AuditError",
    "ForceFieldError",
    "MissingParameterError",
    "PackingError",
    "Quantity",
    "Recipe",
    "RecipeError",
    "Run",
    "SimulationError",
    "SolvationError",
    "StopError",
    "TrajectoryError",
    "UnitError",
    "WorkspaceError",
    "__version__",
    "analyze_trajectory",
    "compare_runs",
    "export_run",
    "find_species",
    "list_forcefields",
    "list_species",
    "list_systems",
    "load_recipe",
    "open_results",
    "parametrize",
    "run",
    "run_campaign",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'solvation' has no attribute {name!r}")
    value = getattr(import_module(f"solvation.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
