"""Recipe: what to simulate, as data.

A recipe is TOML with the unit in every value. `load_recipe` reads a shipped name or a file,
refuses what it does not know and says what was probably meant. A loaded recipe is frozen and
valid; `Recipe.resolve` spells out every choice its profile left open, which is what a run
folder keeps. ``Recipe -> TOML -> Recipe`` is the identity.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from solvation.errors import RecipeError, UnitError
from solvation.library import Species, find_species, find_system
from solvation.profile import PROFILES
from solvation.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Amount", "Box", "Conditions", "Model", "Protocol", "Recipe", "Salt", "Solvent", "load_recipe"]


class Amount(str):
    """A value with its unit, kept as written; ``magnitude`` is the number in `unit`."""

    __slots__ = ("magnitude",)

    unit: str = "dimensionless"
    """Unit of `magnitude`, in pint's spelling."""
    minimum: float = 0.0
    """Smallest value allowed; itself allowed only when `inclusive`."""
    inclusive: bool = False

    magnitude: float

    def __new__(cls, text: object) -> Amount:
        """Parse ``text``; raises `UnitError` or `RecipeError`."""
        value = parse_quantity(text, cls.unit)
        if value < cls.minimum or (value == cls.minimum and not cls.inclusive):
            word = "negative" if value < 0 else "too small"
            raise RecipeError(f'"{text}" is {word}; it must be above {cls.minimum:g}')
        self = super().__new__(cls, str(text))
        self.magnitude = value
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Teach pydantic to read text through the constructor and to write the text back."""

        def read(text: object) -> Amount:
            try:
                return text if isinstance(text, cls) else cls(text)
            except (UnitError, RecipeError) as error:
                raise ValueError(str(error)) from error

        return core_schema.no_info_plain_validator_function(read)


class Temperature(Amount):
    """A temperature in K."""

    unit = "kelvin"


class Pressure(Amount):
    """A pressure in bar; zero is allowed."""

    unit = "bar"
    inclusive = True


class Time(Amount):
    """A time in ps."""

    unit = "picosecond"


class Duration(Amount):
    """A time in ps that may be zero."""

    unit = "picosecond"
    inclusive = True


class Length(Amount):
    """A length in Å."""

    unit = "angstrom"


class Rate(Amount):
    """A rate in 1/ps."""

    unit = "1/picosecond"


class Mass(Amount):
    """A mass in u."""

    unit = "dalton"


class Concentration(Amount):
    """A concentration, in mol/L or in mol per kg of solvent."""

    __slots__ = ("per",)

    per: Literal["liter", "kilogram"]

    def __new__(cls, text: object) -> Concentration:
        """Parse ``text`` as mol/L, or else as mol/kg."""
        errors = []
        for per, unit in (("liter", "mole/liter"), ("kilogram", "mole/kilogram")):
            try:
                value = parse_quantity(text, unit)
            except UnitError as error:
                errors.append(error)
                continue
            if value <= 0:
                word = "negative" if value < 0 else "zero"
                raise RecipeError(f'"{text}" is {word}; a concentration must be above 0')
            self = str.__new__(cls, str(text))
            self.magnitude = value
            self.per = per  # type: ignore[assignment]
            return self
        raise UnitError(str(errors[0]))


class _Table(BaseModel):
    """A frozen table of a recipe that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Salt(_Table):
    """One salt: a cation, an anion, and how much of it."""

    cation: str
    """Name of the cation, e.g. ``"Mg"``; aliases are understood."""
    anion: str
    """Name of the anion, e.g. ``"TFSI"``."""
    concentration: Concentration | None = None
    """Amount of formula units, mol/L of solution or mol/kg of solvent."""
    solvent_ratio: float | None = Field(default=None, gt=0)
    """Solvent molecules per formula unit, instead of a concentration."""

    @model_validator(mode="after")
    def _check(self) -> Salt:
        if (self.concentration is None) == (self.solvent_ratio is None):
            raise ValueError("give either concentration or solvent_ratio, one of the two")
        for kind, name in (("cation", self.cation), ("anion", self.anion)):
            _find(name, kind)
        return self

    @property
    def ions(self) -> tuple[Species, Species]:
        """Cation and anion."""
        return _find(self.cation, "cation"), _find(self.anion, "anion")

    @property
    def stoichiometry(self) -> tuple[int, int]:
        """Cations and anions per formula unit."""
        cation, anion = self.ions
        divisor = gcd(cation.charge, -anion.charge)
        return -anion.charge // divisor, cation.charge // divisor

    @property
    def formula(self) -> str:
        """Formula unit, e.g. ``"Mg(TFSI)2"``."""
        parts = []
        for species, count in zip(self.ions, self.stoichiometry, strict=True):
            name = species.name if count == 1 or species.n_atoms == 1 else f"({species.name})"
            parts.append(name if count == 1 else f"{name}{count}")
        return "".join(parts)


class Solvent(_Table):
    """One component of the solvent."""

    name: str | None = None
    """Name, e.g. ``"DME"``; aliases are understood."""
    smiles: str | None = None
    """SMILES, instead of a name."""
    fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the solvent."""
    fraction_of: Literal["volume", "mole", "mass"] = "volume"
    """What `fraction` is a share of."""

    @model_validator(mode="after")
    def _check(self) -> Solvent:
        if (self.name is None) == (self.smiles is None):
            raise ValueError("give either name or smiles, one of the two")
        _ = self.species
        return self

    @property
    def species(self) -> Species:
        """The molecule."""
        if self.name is not None:
            return _find(self.name, "solvent")
        from solvation.library import recognize_smiles

        try:
            return recognize_smiles(self.smiles or "")
        except RecipeError as error:
            raise ValueError(str(error)) from error


class Conditions(_Table):
    """Temperature and pressure."""

    temperature: Temperature = Temperature("298.15 K")
    pressure: Pressure = Pressure("1 bar")


class Model(_Table):
    """The interactions."""

    forcefield: str = "opls-clp"
    """Name of a force field, see ``solvation forcefields``."""
    charge_scale: float | str = "ecc"
    """Factor on the charges of all ions: ``"ecc"`` is 1/n_D of the solvent, 1.0 full charges."""
    cutoff: Length = Length("10 angstrom")
    """Cutoff of the direct-space interactions."""

    @model_validator(mode="after")
    def _check(self) -> Model:
        scale = self.charge_scale
        if isinstance(scale, str) and scale != "ecc":
            raise ValueError(f'charge_scale = "{scale}" is neither "ecc" nor a number')
        if isinstance(scale, float) and not 0 < scale <= 1.5:
            raise ValueError(f"charge_scale = {scale:g} is outside 0 to 1.5")
        return self


class Box(_Table):
    """How large; one of the three, or none and the profile decides."""

    cations: int | None = Field(default=None, ge=1)
    """Number of cations of the first salt."""
    atoms: int | None = Field(default=None, ge=50)
    """About how many atoms."""
    edge: Length | None = None
    """Edge of the cubic box."""

    @model_validator(mode="after")
    def _check(self) -> Box:
        if sum(x is not None for x in (self.cations, self.atoms, self.edge)) > 1:
            raise ValueError("give only one of cations, atoms and edge")
        return self


class Protocol(_Table):
    """How to simulate; what is left out comes from the profile."""

    profile: Literal["quick", "standard", "production"] = "standard"
    """``quick`` shows the whole road in minutes, ``standard`` gives structure, ``production`` transport."""
    starts: tuple[Literal["separated", "contact", "random"], ...] | None = None
    """How replicas are packed, taken in turn."""
    replicas: int | None = Field(default=None, ge=1)
    """Independent runs."""
    seed: int = Field(default=2026, ge=0, lt=2**31)
    """The one seed: packing, velocities and noise follow from it."""
    timestep: Time | None = None
    hydrogen_mass: Mass | None = None
    friction: Rate | None = None
    heat_temperature: Temperature | None = None
    """Temperature at which packing is forgotten."""
    heat_time: Duration | None = None
    """NVT at `heat_temperature`."""
    anneal_time: Duration | None = None
    """NPT from `heat_temperature` down to the target."""
    density_time: Time | None = None
    """NPT at the target, at least; it goes on until the density is stationary."""
    density_time_max: Time | None = None
    """NPT at the target, at most."""
    production_time: Time | None = None
    """NVT at the mean density."""
    report_interval: Time | None = None
    """Time between frames."""
    checkpoint_interval: Time | None = None
    """Time between checkpoints."""


class Recipe(_Table):
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
    solvent: tuple[Solvent, ...] = Field(min_length=1)
    conditions: Conditions = Conditions()
    model: Model = Model()
    box: Box = Box()
    protocol: Protocol = Protocol()

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if len({solvent.fraction_of for solvent in self.solvent}) > 1:
            raise ValueError("solvent: fraction_of must be the same for every solvent")
        total = sum(solvent.fraction for solvent in self.solvent)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"solvent: the fractions add up to {total:g}; make them add up to 1")
        names = [solvent.species.name for solvent in self.solvent]
        if len(set(names)) < len(names):
            raise ValueError(f"solvent: {_repeated(names)} is listed twice; join the two")
        formulas = [salt.formula for salt in self.salt]
        if len(set(formulas)) < len(formulas):
            raise ValueError(f"salt: {_repeated(formulas)} is listed twice; join the two")
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
            If the profile is not known.
        """
        name = profile or self.protocol.profile
        if name not in PROFILES:
            raise RecipeError(f'profile "{name}" is not known; choose one of {", ".join(PROFILES)}')
        data = self.to_dict()
        defaults = dict(PROFILES[name])
        cations, atoms = defaults.pop("cations"), defaults.pop("atoms")
        data["protocol"] = {**defaults, **data.get("protocol", {}), "profile": name}
        if not data.get("box"):
            data["box"] = {"cations": cations} if self.salt else {"atoms": atoms}
        return parse_recipe(data, where=f"recipe {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Write the recipe as plain data, without what was left out."""
        data: dict[str, Any] = self.model_dump(exclude_none=True, exclude_defaults=True)
        return _plain(data)

    def to_toml(self) -> str:
        """Write the recipe as TOML."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @property
    def hash(self) -> str:
        """Sixteen hex digits that change when anything that is simulated changes."""
        data = self.to_dict()
        for key in ("title", "note"):
            data.pop(key, None)
        return hashlib.sha256(repr(sorted(_flatten(data))).encode()).hexdigest()[:16]


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
    """
    path = find_system(source)
    data = _read(path, seen=())
    for setting in settings:
        _apply(data, setting)
    return parse_recipe(data, where=str(source))


def parse_recipe(data: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Validate plain data as a recipe; raises `RecipeError` with one line."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error


def _find(name: str, kind: Literal["cation", "anion", "solvent"]) -> Species:
    """Find a species and insist on its role, in pydantic's terms."""
    try:
        return find_species(name, kind=kind)
    except RecipeError as error:
        raise ValueError(str(error)) from error


def _read(path: Path, *, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read TOML and merge it over the recipe it extends."""
    if path.resolve() in seen:
        raise RecipeError(f"{path}: extends itself in a circle; remove one extends line")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise RecipeError(f'{path}: extends = {base!r} must be text, the name or path of a recipe')
    beside = path.parent / base
    source = beside if beside.is_file() else base
    return _merge(_read(find_system(source), seen=(*seen, path.resolve())), data)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; lists are replaced, tables are merged."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _apply(data: dict[str, Any], setting: str) -> None:
    """Apply one ``key=value`` override in place."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f'--set "{setting}" is not understood; write KEY=VALUE, e.g. box.cations=24')
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    table: Any = data
    for part in parents:
        if isinstance(table, list):
            table = _item(table, part, setting)
        else:
            table = table.setdefault(part, {})
        if not isinstance(table, (dict, list)):
            raise RecipeError(f'--set "{setting}": {part} is not a table')
    if isinstance(table, list):
        raise RecipeError(f'--set "{setting}": name the key after the number, e.g. salt.0.anion=TFSI')
    table[last] = value


def _item(table: list[Any], part: str, setting: str) -> Any:
    """Pick an element of a list of tables by its number."""
    if not part.isdigit() or int(part) >= len(table):
        raise RecipeError(
            f'--set "{setting}": "{part}" is not a number from 0 to {len(table) - 1}'
        )
    return table[int(part)]


def _explain(error: ValidationError) -> str:
    """Turn pydantic's report into one line about the first mistake."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = "" if error.error_count() == 1 else f" (and {error.error_count() - 1} more)"
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = _known_keys(first["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f'key "{where}" is not known; {hint}{more}'
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f'key "{where}" is missing; add it{more}'
    message = message[0].lower() + message[1:] if message[:2] != message[:2].upper() else message
    if message.startswith("value = "):
        message = message.removeprefix("value = ")
    given = first.get("input")
    shown = f" = {given!r}" if isinstance(given, (str, int, float)) and repr(given) not in message else ""
    return f"{where or 'recipe'}{shown}: {message}{more}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the table at a location accepts."""
    tables: dict[str, type[_Table]] = {
        "salt": Salt,
        "solvent": Solvent,
        "conditions": Conditions,
        "model": Model,
        "box": Box,
        "protocol": Protocol,
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


def _flatten(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    """List every leaf with its dotted path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flatten(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flatten(item, f"{path}.{index}")
    else:
        yield path, repr(value)
