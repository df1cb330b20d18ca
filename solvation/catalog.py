"""Catalog: the electrolytes at hand, what is known of them and which force field covers them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from solvation.errors import RecipeError, SolvationError
from solvation.experiment import Experiment, load_experiment
from solvation.library import find_species, find_system, list_forcefields, list_systems
from solvation.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Electrolyte",
    "describe_electrolyte",
    "filter_electrolytes",
    "find_coverage",
    "list_electrolytes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrolyte:
    """One row of the catalog."""

    name: str
    """Name of its folder, e.g. ``"mg-tfsi2-dme"``."""
    title: str
    """What it is, for people."""
    tier: str = ""
    """``"A"``, ``"B"``, ``"C"`` (cannot be simulated yet), or nothing."""
    salts: tuple[str, ...] = ()
    """Amount and formula of each salt, e.g. ``"0.5 mol/L Mg(TFSI)2"``."""
    solvents: tuple[str, ...] = ()
    """Each solvent with its share, each additive with its amount."""
    cations: tuple[str, ...] = ()
    """Names of the cations."""
    anions: tuple[str, ...] = ()
    """Names of the anions."""
    molecules: tuple[str, ...] = ()
    """Names of the solvents and additives."""
    known: str = ""
    """What experiment says, in a line."""
    forcefields: tuple[str, ...] = ()
    """Force fields with parameters for all of it."""
    lacking: tuple[str, ...] = ()
    """Species that no force field covers."""
    problem: str = ""
    """Why it cannot be run; empty when it can."""


def list_electrolytes() -> tuple[Electrolyte, ...]:
    """List every electrolyte at hand, sorted by name; one that cannot be read says why.

    Examples
    --------
    >>> "mg-tfsi2-dme" in [item.name for item in list_electrolytes()]
    True
    """
    return tuple(describe_electrolyte(name) for name in list_systems())


def describe_electrolyte(name: str) -> Electrolyte:
    """Describe one electrolyte by its name.

    Raises
    ------
    RecipeError
        If there is none of that name.
    """
    path = find_system(name)
    file = path.with_name("experiment.toml")
    experiment = Experiment(system=name)
    try:
        experiment = load_experiment(file) if file.is_file() else experiment
        recipe = load_recipe(name)
    except RecipeError as error:
        return Electrolyte(
            name=name, title=_read_title(path), tier=experiment.tier or "", known=experiment.known,
            problem=str(error),
        )  # fmt: skip
    return _describe(name, recipe, experiment)


def filter_electrolytes(
    items: Sequence[Electrolyte], *, cation: str | None = None, anion: str | None = None,
    solvent: str | None = None, tier: str | None = None,
) -> tuple[Electrolyte, ...]:  # fmt: skip
    """Pick the electrolytes that hold all of the given ions and molecules.

    Parameters
    ----------
    items
        Of `list_electrolytes`.
    cation, anion, solvent
        Names or aliases, in any case.
    tier
        ``"A"``, ``"B"`` or ``"C"``.

    Raises
    ------
    RecipeError
        If a name is not known, with the nearest that are; or the tier is not one.
    """
    wanted = (("cations", cation), ("anions", anion), ("molecules", solvent))
    found = list(items)
    for field, name in wanted:
        if name is not None:
            kept = _understand(name, {x for item in items for x in getattr(item, field)}, field)
            found = [item for item in found if kept in getattr(item, field)]
    if tier is not None:
        if tier.upper() not in ("A", "B", "C"):
            raise RecipeError(f'tier "{tier}" is not known; choose one of A, B, C')
        found = [item for item in found if item.tier == tier.upper()]
    return tuple(found)


def _understand(name: str, present: set[str], field: str) -> str:
    """Find what a name in a filter stands for: a species, or what a recipe calls missing."""
    literal = next((item for item in present if item.lower() == name.strip().lower()), None)
    if literal is not None:
        return literal
    roles = {"cations": "cation", "anions": "anion", "molecules": "solvent"}
    return find_species(name, kind=roles[field]).name  # type: ignore[arg-type]


def _describe(name: str, recipe: Recipe, experiment: Experiment) -> Electrolyte:
    """Describe a recipe that could be read."""
    known = "; ".join(part for part in (experiment.known, _say_conductivity(experiment)) if part)
    blank = Electrolyte(name=name, title=recipe.title, tier=experiment.tier or "", known=known)
    if recipe.missing is not None:
        gone = recipe.missing
        return replace(
            blank, salts=gone.salts, solvents=gone.solvents, cations=gone.cations,
            anions=gone.anions, molecules=gone.solvents, problem=gone.reason,
        )  # fmt: skip
    names = _list_roles(recipe)
    covering, lacking = find_coverage(recipe)
    problem = f"no force field has parameters for {', '.join(lacking)}" if lacking else ""
    if not covering and not lacking:
        problem = "no single force field covers all of it"
    return replace(
        blank,
        salts=tuple(_say_amount(salt.concentration, salt.solvent_ratio, salt.formula)
                    for salt in recipe.salt),
        solvents=_say_solvents(recipe),
        cations=tuple(n for n, role in names.items() if role == "cation"),
        anions=tuple(n for n, role in names.items() if role == "anion"),
        molecules=tuple(n for n, role in names.items() if role == "solvent"),
        forcefields=covering, lacking=lacking, problem=problem,
    )  # fmt: skip


def find_coverage(recipe: Recipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the force fields that cover a recipe, and the species that none covers.

    Species of the recipe's own folders (``model.species``) count as covered.
    """
    from solvation.build.forcefield import load_card

    own = {
        name for folder in recipe.model.species for name in load_card(Path(folder))[0]["coverage"]
    }
    needed = set(_list_roles(recipe)) - own
    coverage = _read_coverage()
    covering = tuple(field for field, covers in coverage.items() if needed <= covers)
    anywhere = frozenset().union(*coverage.values())
    return covering, tuple(name for name in _list_roles(recipe) if name in needed - anywhere)


def _list_roles(recipe: Recipe) -> dict[str, str]:
    """List every species of a recipe with its role."""
    parts = [kind for solvent in recipe.solvent for kind, _ in solvent.parts]
    ions = [ion for salt in recipe.salt for ion in salt.ions]
    return {s.name: s.role for s in (*ions, *parts, *(item.species for item in recipe.additive))}


@cache
def _read_coverage() -> dict[str, frozenset[str]]:
    """Read what each force field covers; a broken one covers nothing."""
    from solvation.build.forcefield import load_forcefield

    found = {}
    for name in list_forcefields():
        try:
            found[name] = frozenset(load_forcefield(name).coverage)
        except SolvationError:
            found[name] = frozenset()
    return found


def _say_amount(concentration: str | None, ratio: float | None, formula: str) -> str:
    return f"{concentration} {formula}" if concentration else f"{formula}, 1:{ratio:g}"


def _say_solvents(recipe: Recipe) -> tuple[str, ...]:
    """Write each solvent with its share, if it is not the only one, and each additive."""
    percent = {"volume": "vol%", "mole": "mol%", "mass": "wt%"}
    said = [
        solvent.label
        if len(recipe.solvent) == 1
        else f"{100 * solvent.fraction:.3g} {percent[solvent.fraction_of]} {solvent.label}"
        for solvent in recipe.solvent
    ]
    said += [
        f"{additive.concentration or f'{additive.per_cation:g} per cation'} {additive.species.name}"
        for additive in recipe.additive
    ]
    return tuple(said)


def _say_conductivity(experiment: Experiment) -> str:
    """Write the measured conductivity, if there is one to be judged by."""
    values = [
        item
        for item in experiment.values
        if item.name.startswith("conductivity.") and item.kind == "experiment" and item.judged
    ]
    if not values:
        return ""
    first = values[0]
    if len(values) > 1:
        return first.statement
    sign = {"above": "more than ", "below": "less than "}.get(first.expect, "")
    return f"{sign}{first.value:g} {first.unit}"


def _read_title(path: Path) -> str:
    """Read the title of a recipe that cannot be read otherwise."""
    from solvation.layers import read_layers

    try:
        return str(read_layers(path).get("title", ""))
    except RecipeError:
        return ""
