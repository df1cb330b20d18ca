"""Series: finished runs set side by side, as a table, CSV and a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, WorkspaceError
from solvation.experiment import find_experiment
from solvation.job import open_results
from solvation.recipe import load_recipe
from solvation.report.compare import compare
from solvation.report.lineup import (
    Entry,
    describe_trend,
    render_lineup,
    write_experiment_csv,
    write_quantity_csv,
)
from solvation.results import load_summary
from solvation.temperature import TemperatureFit, fit_temperatures, write_temperature_csv
from solvation.workspace import collect_versions, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Series", "compare_runs"]

RUN_FILES = ("summary.json", "manifest.json", "recipe.toml")
"""What makes a folder a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Runs side by side, and where they were written."""

    entries: tuple[Entry, ...]
    """One per run, in the order given."""
    page: Path
    """The HTML page; ``quantities.csv`` and ``experiment.csv`` lie beside it, and
    ``temperature.csv`` if there is a temperature series."""
    trend: str
    """The order in which the cations pair, in words."""
    temperatures: tuple[TemperatureFit, ...] = ()
    """Transport coefficients against temperature, if the runs are one electrolyte at several."""


def compare_runs(
    paths: Sequence[str | Path],
    output: str | Path = "runs/comparison",
    *,
    title: str | None = None,
    command: str | None = None,
) -> Series:
    """Set finished runs side by side.

    Parameters
    ----------
    paths
        Run folders, two or more, or a folder that holds them.
    output
        Folder for ``compare.html``, ``quantities.csv`` and ``experiment.csv``.
    title
        Heading of the page; from the runs when not given.
    command
        What the user typed, for the page.

    Raises
    ------
    RecipeError
        If fewer than two runs are given, or one twice.
    WorkspaceError
        If a folder holds no results, or the output cannot be written.
    """
    folders = [folder for path in paths for folder in _expand(Path(path))]
    if len(folders) < 2:
        raise RecipeError("give two runs or more, to be compared with each other")
    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places):
        again = next(f for f, p in zip(folders, places, strict=True) if places.count(p) > 1)
        raise RecipeError(f"{again} is given twice; name each run once")
    entries = tuple(
        _read(folder, label) for folder, label in zip(folders, _label(places), strict=True)
    )
    temperatures = _fit_series(entries)
    target = Path(output)
    if (target / "manifest.json").exists():
        raise RecipeError(f"{target} is a run; choose another folder for the comparison with -o")
    version = collect_versions()["solvation"]
    typed = command or f"solvation.compare_runs({[str(f) for f in folders]!r}, {str(target)!r})"
    page = target / "compare.html"
    text = render_lineup(
        entries,
        title=title or _write_title(entries),
        made=f"{typed}\nsolvation {version}",
        temperatures=temperatures,
    )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"cannot make {target}: {error}; choose another with -o") from error
    write_atomic(page, text)
    write_atomic(target / "quantities.csv", write_quantity_csv(entries))
    write_atomic(target / "experiment.csv", write_experiment_csv(entries))
    if temperatures:
        write_atomic(target / "temperature.csv", write_temperature_csv(temperatures))
    return Series(
        entries=entries, page=page, trend=describe_trend(entries)[1], temperatures=temperatures
    )


def _expand(path: Path) -> list[Path]:
    """Return the runs in a folder that is not one itself."""
    if path.is_dir() and not any((path / name).exists() for name in RUN_FILES):
        inside = sorted(p.parent for p in path.glob("*/summary.json"))
        if inside:
            return inside
    return [path]


def _fit_series(entries: Sequence[Entry]) -> tuple[TemperatureFit, ...]:
    """Fit laws of temperature, if all runs are one electrolyte and the temperatures differ."""
    known = [(e.label, e.temperature, e.quantities) for e in entries if e.temperature is not None]
    if len(known) < len(entries) or len({e.system for e in entries}) > 1:
        return ()
    if len({round(t, 3) for _, t, _ in known}) < 2:
        return ()
    return fit_temperatures(known)


def _label(places: Sequence[Path]) -> list[str]:
    """Name each folder by as few of its last parts as tell all of them apart."""
    for depth in range(1, max(len(place.parts) for place in places)):
        labels = ["/".join(place.parts[-depth:]) for place in places]
        if len(set(labels)) == len(labels):
            return labels
    return [str(place) for place in places]


def _read(path: Path, label: str) -> Entry:
    """Read one run."""
    run = open_results(path)
    document, quantities = load_summary(run.folder.summary)
    manifest = run.folder.read_manifest()
    experiment, temperature, title = None, None, str(document.get("recipe", label))
    species = sorted(q.name for q in quantities if q.name.startswith("diffusion."))
    system = " ".join(species)
    if run.folder.recipe.exists():
        recipe = load_recipe(run.folder.recipe)
        title = recipe.title or recipe.name
        temperature = recipe.conditions.temperature.magnitude
        experiment = find_experiment(recipe)
        alike = {"salt", "solvent", "additive", "model"}
        system = recipe.model_dump_json(include=alike)
    elif run.folder.results.exists():
        given = float(run.results.attrs.get("temperature", float("nan")))
        temperature = given if given > 0.0 else None
    return Entry(
        label=label,
        title=title,
        facts=_list_facts(document, manifest, temperature),
        quantities=tuple(quantities),
        temperature=temperature,
        system=system,
        compared=()
        if experiment is None
        else compare(quantities, experiment, temperature=temperature),
    )


def _list_facts(
    document: dict[str, Any], manifest: dict[str, Any], temperature: float | None
) -> dict[str, str]:
    """List how a run was made."""
    model = {**manifest.get("model", {}), **document.get("model", {})}
    replicas = manifest.get("replicas", {})
    times = [float(item.get("production_ps", 0.0)) for item in replicas.values()]
    scale = model.get("charge_scale")
    facts = {
        "Force field": str(model.get("forcefield", "")),
        "Ions": str(model.get("ions", "")),
        "Charges": f"x {scale:.4g}" if isinstance(scale, (int, float)) else "",
        "Temperature": "" if temperature is None else f"{temperature:g} K",
        "Production": f"{len(times)} x {max(times) / 1000:.3g} ns" if times else "",
        "Starts": ", ".join(dict.fromkeys(str(item.get("start")) for item in replicas.values())),
    }
    return {key: value for key, value in facts.items() if value}


def _write_title(entries: Sequence[Entry]) -> str:
    """Name the comparison after its runs."""
    labels = [entry.label for entry in entries]
    return " · ".join(labels) if len(labels) <= 4 else f"{labels[0]} and {len(labels) - 1} others"
