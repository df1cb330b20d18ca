"""The page of a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvation.event import Listener, tell
from solvation.experiment import find_experiment
from solvation.results import load_results, load_summary

if TYPE_CHECKING:
    from solvation.recipe import Recipe
    from solvation.workspace import RunFolder

__all__ = ["write_page"]


def write_page(folder: RunFolder, *, recipe: Recipe | None, progress: Listener | None) -> None:
    """Write ``report.html`` from what is in the folder.

    Parameters
    ----------
    folder
        With results and summary.
    recipe
        None for a trajectory of another program.
    progress
        Called with news.
    """
    from solvation.report.page import write_report

    tell(progress, "report", 0.0, "drawing")
    experiment = find_experiment(recipe) if recipe is not None else None
    document, quantities = load_summary(folder.summary)
    write_report(
        folder.report,
        tree=load_results(folder.results),
        document=document,
        quantities=quantities,
        manifest=folder.read_manifest(),
        recipe_text=folder.recipe.read_text(encoding="utf-8") if recipe is not None else None,
        experiment=experiment,
        title=(recipe.title or recipe.name) if recipe is not None else document["recipe"],
    )
    tell(progress, "report", 1.0, str(folder.report))
