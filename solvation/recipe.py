"""Recipe: what to simulate, as data.

A recipe is TOML with the unit in every value. `load_recipe` reads a shipped name or a file,
refuses what it does not know and says what was probably meant. A loaded recipe is frozen and
valid; `Recipe.resolve` spells out every choice its profile left open, which is what a run
folder keeps. ``Recipe -> TOML -> Recipe`` is the identity.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, model_validator

from solvation.errors import RecipeError
from solvation.extension import add_species
from solvation.layers import apply_setting, flatten, read_layers
from solvation.library import find_system
from solvation.polarizable import is_polarizable
from solvation.profile import POLARIZABLE, PROFILES, stretch_annealing
from solvation.section import (
    Additive,
    Analysis,
    Box,
    Conditions,
    Missing,
    Model,
    Protocol,
    Salt,
    Solvent,
    Table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["Recipe", "load_recipe", "parse_recipe", "set_replicas"]


class Recipe(Table):
    """What to simulate.

    Examples
    --------
    >>> recipe = load_recipe("mg-tfsi2-dme")
    >>> recipe.salt[0].formula
    'Mg(TFSI)2'
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """Name of the run folder, e.g. ``"mg-tfsi2-dme"``."""
    title: str = ""
    """What it is, for people."""
    note: str = ""
    """Anything a reader should know, e.g. where the concentration comes from."""
    salt: tuple[Salt, ...] = ()
    """Salts; none for a pure solvent or a mixture of solvents."""
    solvent: tuple[Solvent, ...] = ()
    """Components of the solvent; their fractions add up to 1."""
    additive: tuple[Additive, ...] = ()
    """Molecules beside the solvent, a known amount of each."""
    missing: Missing | None = None
    """Set only where no force field can describe the electrolyte; then there may be no solvent."""
    conditions: Conditions = Conditions()
    """Temperature and pressure."""
    model: Model = Model()
    """The interactions."""
    box: Box = Box()
    """How large."""
    protocol: Protocol = Protocol()
    """How to simulate."""
    analysis: Analysis = Analysis()
    """What is looked for, and against what."""

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if self.missing is None and not self.solvent:
            raise ValueError("solvent: is empty; give at least one, as [[solvent]] with a name")
        if len({solvent.fraction_of for solvent in self.solvent}) > 1:
            raise ValueError("solvent: fraction_of must be the same for every solvent")
        total = sum(solvent.fraction for solvent in self.solvent)
        if self.solvent and abs(total - 1) > 1e-6:
            raise ValueError(f"solvent: the fractions add up to {total:g}; make them add up to 1")
        names = [solvent.label for solvent in self.solvent]
        if len(set(names)) < len(names):
            raise ValueError(f"solvent: {_repeated(names)} is listed twice; join the two")
        names += [additive.species.name for additive in self.additive]
        if len(set(names)) < len(names):
            raise ValueError(f"additive: {_repeated(names)} is listed twice; list it once")
        formulas = [salt.formula for salt in self.salt]
        if len(set(formulas)) < len(formulas):
            raise ValueError(f"salt: {_repeated(formulas)} is listed twice; join the two")
        if len({*formulas, *names}) < len(formulas) + len(names):
            raise ValueError(
                f"salt: {_repeated([*formulas, *names])} is also the solvent; list it once"
            )
        if not self.salt and any(additive.per_cation for additive in self.additive):
            raise ValueError("additive: per_cation needs a salt; give a concentration")
        if not self.salt and self.box.cations is not None:
            raise ValueError("box: cations needs a salt; without one give atoms or edge")
        return self

    def resolve(self, profile: str | None = None) -> Recipe:
        """Spell out every choice that the profile decides.

        Parameters
        ----------
        profile
            Replaces ``protocol.profile`` when given.

        Raises
        ------
        RecipeError
            If the profile is not known, the recipe says that something is missing, or a time step
            is too long for the force field.
        """
        if self.missing is not None:
            raise RecipeError(f"{self.name} cannot be run: {self.missing.reason}")
        name = profile or self.protocol.profile
        if name not in PROFILES:
            raise RecipeError(f'profile "{name}" is not known; choose one of {", ".join(PROFILES)}')
        data = self.to_dict()
        defaults = dict(PROFILES[name])
        if name != "quick":  # which shows the road, and believes nothing
            defaults = stretch_annealing(defaults, [ion for s in self.salt for ion in s.ions])
        if is_polarizable(self.model.forcefield):
            defaults |= POLARIZABLE
        cations, atoms = defaults.pop("cations"), defaults.pop("atoms")
        data["protocol"] = {**defaults, **data.get("protocol", {}), "profile": name}
        if not data.get("box"):
            data["box"] = {"cations": cations} if self.salt else {"atoms": atoms}
        resolved = parse_recipe(data, where=f"recipe {self.name}")
        timestep = resolved.protocol.timestep
        if is_polarizable(self.model.forcefield) and timestep and timestep.magnitude > 0.001:
            raise RecipeError(
                f"protocol.timestep = {timestep} is too long for the induced dipoles of force "
                f'field {self.model.forcefield}; leave it out or make it "1 fs" or less'
            )
        return resolved

    def to_dict(self) -> dict[str, Any]:
        """Write the recipe as plain data, without what was left out."""
        data: dict[str, Any] = self.model_dump(exclude_none=True, exclude_defaults=True)
        plain: dict[str, Any] = _plain(data)
        return plain

    def to_toml(self) -> str:
        """Write the recipe as TOML."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @property
    def hash(self) -> str:
        """Sixteen hex digits that change when anything that is simulated changes."""
        data = self.to_dict()
        for key in ("title", "note", "analysis"):
            data.pop(key, None)
        return hashlib.sha256(repr(sorted(flatten(data))).encode()).hexdigest()[:16]


def load_recipe(source: str | Path, *, settings: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a recipe file.

    Parameters
    ----------
    source
        A shipped name such as ``"mg-tfsi2-dme"``, or a path.
    settings
        Overrides ``"key=value"`` with dotted keys, e.g. ``"box.cations=24"`` or
        ``"salt.0.concentration=0.3 mol/L"``.

    Raises
    ------
    RecipeError
        One line: what is wrong, where, and what to do.

    Examples
    --------
    >>> load_recipe("mg-tfsi2-dme", settings=["box.cations=24"]).box.cations
    24
    """
    path = find_system(source)
    data = read_layers(path)
    for setting in settings:
        apply_setting(data, setting)
    model = data.get("model")
    if isinstance(model, dict) and isinstance(model.get("species"), list):
        beside = path.resolve().parent
        model["species"] = [str((beside / str(f)).resolve()) for f in model["species"]]
    return parse_recipe(data, where=str(source))


def set_replicas(recipe: Recipe, number: int) -> Recipe:
    """Change the number of replicas."""
    data = recipe.to_dict()
    data["protocol"] = {**data.get("protocol", {}), "replicas": number}
    return parse_recipe(data, where=f"recipe {recipe.name}")


def parse_recipe(data: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Validate plain data as a recipe; raises `RecipeError` with one line."""
    model = data.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("species"), (list, tuple)):
        add_species(str(folder) for folder in model["species"])
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """Turn pydantic's report into one line about the first mistake."""
    first, *rest = error.errors()
    others = [item for item in rest if item["loc"] != first["loc"][: len(item["loc"])]]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(others)} more)" if others else ""
    given = first.get("input")
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = _known_keys(first["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f'key "{where}" is not known; {hint}{more}'
    if first["type"] == "missing":
        return f'key "{where}" is missing; add it{more}'
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ").removeprefix("value = ")
    elif first["type"] == "tuple_type" and where in ("salt", "solvent", "additive"):
        message = f"there may be several; write [[{where}]] with two brackets"
    elif first["type"] == "model_type" and isinstance(given, list):
        message = f"there is only one; write [{where}] with one bracket"
    else:
        message = _MESSAGES.get(first["type"], first["msg"].removeprefix("Input "))
        message += _say_example(first)
    shown = ""
    if isinstance(given, str) and f'"{given}"' not in message:
        shown = f' = "{given}"'
    elif isinstance(given, (int, float)):
        shown = f" = {given}"
    return f"{where}{shown}: {message}{more}" if where else f"{message}{more}"


_MESSAGES = {
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "too_short": "is empty; give at least one",
    "string_pattern_mismatch": "must be letters, digits and . _ + -, without spaces",
}
"""Pydantic's words in ours."""


def _say_example(error: ErrorDetails) -> str:
    """Suggest what was probably meant."""
    if error["type"] == "tuple_type" and isinstance(error["input"], str):
        return f', e.g. ["{error["input"]}"]'
    if error["type"] != "literal_error":
        return ""
    choices = re.findall(r"'([^']+)'", error["ctx"]["expected"])
    near = difflib.get_close_matches(str(error["input"]), choices, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the table at a location accepts."""
    tables: dict[str, type[Table]] = {
        "salt": Salt,
        "solvent": Solvent,
        "additive": Additive,
        "missing": Missing,
        "conditions": Conditions,
        "model": Model,
        "box": Box,
        "protocol": Protocol,
        "analysis": Analysis,
    }
    table = tables.get(str(location[0]), Recipe) if location else Recipe
    return [*table.model_fields, *(["extends"] if table is Recipe else [])]


def _repeated(names: list[str]) -> str:
    """Name the first entry that occurs twice."""
    return next(name for name in names if names.count(name) > 1)


def _plain(value: Any) -> Any:
    """Turn amounts into plain text and tuples into lists, for TOML."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
