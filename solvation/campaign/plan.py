"""Plan: a campaign file, and the points of its product.

A point is one electrolyte at one concentration, one temperature and in one model, with all its
replicas; it is an ordinary run folder.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from solvation.amount import Concentration, Length, Temperature
from solvation.errors import RecipeError, SolvationError
from solvation.inputs import list_differences
from solvation.recipe import Recipe, load_recipe, parse_recipe
from solvation.section import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "OWN",
    "Campaign",
    "ModelChoice",
    "Point",
    "Staff",
    "check_points",
    "list_points",
    "load_campaign",
]

OWN = "own"
"""What a concentration or model is called where the campaign leaves it to the recipe."""


class ModelChoice(Table):
    """One model of the product; what is left out is the recipe's."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """What it is called in folders and results, e.g. ``"full-charges"``."""
    forcefield: str | None = None
    """Name of a force field."""
    ions: str | None = None
    """Set of Lennard-Jones parameters of the divalent ions."""
    species: tuple[str, ...] | None = None
    """Folders with species of your own."""
    charge_scale: float | str | None = None
    """Factor on the charges of all ions."""
    cutoff: Length | None = None
    """Of the direct-space interactions."""


class Staff(Table):
    """The table ``[workers]``: who does the work."""

    kind: Literal["processes", "threads", "scheduler", "slurm", "pbs", "lsf"] = "processes"
    """Of this machine, of a Dask scheduler that runs already, or jobs of a batch system."""
    number: int = Field(default=1, ge=1, strict=True)
    """Workers; each runs one replica at a time. Of a batch system: jobs, at most."""
    address: str | None = None
    """Of the scheduler, for ``kind = "scheduler"``."""
    gpus: bool = Field(default=False, strict=True)
    """Whether every worker has a GPU of its own, as the Dask resource ``GPU``."""
    platform: str = "auto"
    """OpenMM platform of the replicas."""
    retries: int = Field(default=1, ge=0, strict=True)
    """How often a task that failed is tried again."""
    cores: int | None = Field(default=None, ge=1, strict=True)
    """Cores of one worker; on this machine its share of them, of a job 1."""
    memory: str = "4 GB"
    """Of one job."""
    walltime: str | None = None
    """Of one job, as the batch system writes it; the batch system's own when left out."""
    queue: str | None = None
    """Queue or partition of the jobs."""
    account: str | None = None
    """To which the jobs are booked."""
    interface: str | None = None
    """Network interface between the nodes, e.g. ``"ib0"``."""
    directives: tuple[str, ...] = ()
    """Further lines of the job's head, e.g. ``"--gres=gpu:1"``."""
    prologue: tuple[str, ...] = ()
    """Shell lines before the worker starts, e.g. ``"module load cuda"``."""

    @property
    def is_batch(self) -> bool:
        """Whether workers are jobs."""
        return self.kind in ("slurm", "pbs", "lsf")

    @model_validator(mode="after")
    def _check(self) -> Staff:
        if (self.kind == "scheduler") != (self.address is not None):
            raise ValueError('address goes with kind = "scheduler", and only with it')
        given = [name for name in _BATCH_KEYS if getattr(self, name)]
        if given and not self.is_batch:
            raise ValueError(f'{given[0]} is for jobs; give kind = "slurm", "pbs" or "lsf"')
        if self.gpus and self.kind == "threads":
            raise ValueError('threads share one GPU; give kind = "processes"')
        return self


_INGREDIENTS = ("salt", "solvent", "additive", "model", "box")
"""Tables of a recipe that decide whether a box can be built."""
_BATCH_KEYS = ("walltime", "queue", "account", "interface", "directives", "prologue")


class Campaign(Table):
    """The product of recipes, concentrations, temperatures and models, with replicas."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """Name of its folder."""
    title: str = ""
    """What it is, for people."""
    recipes: tuple[str, ...] = Field(min_length=1)
    """Shipped names, or paths seen from the campaign file."""
    concentrations: tuple[Concentration, ...] = ()
    """Of the salt; each recipe's own when left out."""
    temperatures: tuple[Temperature, ...] = ()
    """Each recipe's own when left out."""
    model: tuple[ModelChoice, ...] = ()
    """Each recipe's own when left out."""
    replicas: int | None = Field(default=None, ge=1, strict=True)
    """Of every point; each recipe's own, or its profile's, when left out."""
    profile: Literal["quick", "standard", "production"] | None = None
    """Replaces that of the recipes."""
    settings: tuple[str, ...] = Field(default=(), alias="set")
    """Overrides of every recipe, ``"key=value"`` as after ``--set``."""
    workers: Staff = Staff()
    """Who does the work."""

    @field_validator("recipes", "concentrations", "temperatures")
    @classmethod
    def _check_repeats(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_repeats(values)
        return values

    @model_validator(mode="after")
    def _check(self) -> Campaign:
        _refuse_repeats([choice.name for choice in self.model])
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a campaign."""

    system: str
    """Name of the recipe."""
    concentration: str
    """As the campaign writes it, or `OWN`."""
    temperature: float
    """K."""
    model: str
    """Name of the model, or `OWN`."""
    recipe: Recipe
    """Resolved."""
    label: str
    """Name of its folder, which tells it from the others."""


def load_campaign(source: str | Path) -> Campaign:
    """Read a campaign file.

    Parameters
    ----------
    source
        A TOML file. Recipes that lie beside it may be given by their names.

    Raises
    ------
    RecipeError
        One line: what is wrong, where, and what to do.
    """
    path = Path(source)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror}; give a campaign file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    try:
        campaign = Campaign.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{path}: {_explain(error)}") from error
    beside = path.resolve().parent
    recipes = tuple(
        str(beside / name) if (beside / name).exists() else name for name in campaign.recipes
    )
    return campaign.model_copy(update={"recipes": recipes})


def list_points(campaign: Campaign) -> tuple[Point, ...]:
    """Write out the product, every recipe resolved and checked for what it needs to be run.

    Raises
    ------
    SolvationError
        The first point that cannot be run, and why; a `RecipeError` if two have one name.
    """
    points = []
    names: dict[str, str] = {}
    for source in campaign.recipes:
        loaded = load_recipe(source, settings=campaign.settings)
        if names.setdefault(loaded.name, source) != source:
            raise RecipeError(
                f'recipes {names[loaded.name]} and {source} are both named "{loaded.name}"; '
                "rename one"
            )
        for choice in product(
            campaign.concentrations or (None,),
            campaign.temperatures or (None,),
            campaign.model or (None,),
        ):
            points.append(_make_point(campaign, loaded, *choice))
    return tuple(points)


def check_points(points: Sequence[Point], output: Path) -> None:
    """Find out before anything is started whether every point can be run in its folder.

    Raises
    ------
    SolvationError
        The first that cannot, and why; a `RecipeError` where the recipe is to blame.
    """
    from solvation.build.box import check_recipe
    from solvation.simulate.protocol import make_plan

    checked = set()
    for point in points:
        data = point.recipe.to_dict()
        ingredients = json.dumps([data.get(key) for key in _INGREDIENTS], sort_keys=True)
        try:
            if ingredients not in checked:
                check_recipe(point.recipe)
            checked.add(ingredients)
            make_plan(point.recipe)
        except SolvationError as error:
            raise type(error)(f"point {point.label}: {error}") from error
        kept = output / point.label / "recipe.toml"
        if kept.exists():
            changed = list_differences(load_recipe(kept).to_dict(), point.recipe.to_dict())
            if changed:
                raise RecipeError(
                    f"{kept.parent} holds another run ({changed[0]}); choose another folder with "
                    "-o, or remove this one"
                )


def _make_point(
    campaign: Campaign,
    recipe: Recipe,
    concentration: Concentration | None,
    temperature: Temperature | None,
    model: ModelChoice | None,
) -> Point:
    """Apply one choice of every axis to a recipe."""
    data: dict[str, Any] = recipe.to_dict()
    parts = [recipe.name]
    if concentration is not None:
        if len(data.get("salt", ())) != 1:
            raise RecipeError(
                f"recipe {recipe.name} has {len(data.get('salt', ()))} salts, and concentrations "
                "are those of one; leave concentrations out"
            )
        data["salt"][0].pop("solvent_ratio", None)
        data["salt"][0]["concentration"] = str(concentration)
        parts.append(f"{concentration.magnitude:g}{'M' if concentration.per == 'liter' else 'm'}")
    if temperature is not None:
        data["conditions"] = {**data.get("conditions", {}), "temperature": str(temperature)}
        parts.append(f"{temperature.magnitude:g}K")
    if model is not None:
        given = model.model_dump(exclude_none=True, exclude={"name"})
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
        data["model"] = {**data.get("model", {}), **plain}
        parts.append(model.name)
    if campaign.replicas is not None:
        data["protocol"] = {**data.get("protocol", {}), "replicas": campaign.replicas}
    label = "-".join(parts)
    resolved = parse_recipe(data, where=f"point {label}").resolve(campaign.profile)
    return Point(
        system=recipe.name,
        concentration=OWN if concentration is None else str(concentration),
        temperature=resolved.conditions.temperature.magnitude,
        model=OWN if model is None else model.name,
        recipe=resolved,
        label=label,
    )


def _refuse_repeats(values: Sequence[str]) -> None:
    """Refuse a list with the same twice, in pydantic's terms."""
    for value in values:
        if list(values).count(value) > 1:
            raise ValueError(f'"{value}" is listed twice; list it once')


def _explain(error: ValidationError) -> str:
    """Turn pydantic's report into one line about the first mistake."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"workers": Staff, "model": ModelChoice}
        table = tables.get(str(first["loc"][0]), Campaign) if len(first["loc"]) > 1 else Campaign
        known = [field.alias or name for name, field in table.model_fields.items()]
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f'key "{where}" is not known; {hint}'
    if first["type"] == "missing":
        return f'key "{where}" is missing; add it'
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if first["type"] == "tuple_type":
        message = "must be a list" + (", [[model]] with two brackets" if where == "model" else "")
    return f"{where}: {message}" if where else message
