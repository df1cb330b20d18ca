"""Sections: the tables of a recipe, each frozen, valid, and closed to unknown keys."""

from __future__ import annotations

from math import gcd
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from solvation.amount import (
    Concentration,
    Duration,
    Length,
    Mass,
    Pressure,
    Rate,
    Temperature,
    Time,
    Viscosity,
)
from solvation.errors import RecipeError
from solvation.library import Species, find_species, recognize_smiles

__all__ = [
    "Additive",
    "Analysis",
    "Box",
    "Conditions",
    "Missing",
    "Model",
    "Protocol",
    "Salt",
    "Solvent",
    "Table",
]


class Table(BaseModel):
    """A frozen table of a recipe that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Salt(Table):
    """One salt: a cation, an anion, and how much of it."""

    cation: str
    """Name of the cation, e.g. ``"Mg"``; aliases are understood."""
    anion: str
    """Name of the anion, e.g. ``"TFSI"``."""
    concentration: Concentration | None = None
    """Amount of formula units, mol/L of solution or mol/kg of solvent."""
    solvent_ratio: float | None = Field(default=None, gt=0, strict=True, allow_inf_nan=False)
    """Solvent molecules per formula unit, instead of a concentration."""

    @model_validator(mode="after")
    def _check(self) -> Salt:
        if (self.concentration is None) == (self.solvent_ratio is None):
            raise ValueError("give either concentration or solvent_ratio, one of the two")
        _ = self.ions
        return self

    @property
    def ions(self) -> tuple[Species, Species]:
        """Cation and anion."""
        return _find(self.cation, "cation"), _find(self.anion, "anion")

    @property
    def stoichiometry(self) -> tuple[int, int]:
        """Cations and anions per formula unit."""
        return _balance(*self.ions)

    @property
    def formula(self) -> str:
        """Formula unit, e.g. ``"Mg(TFSI)2"``."""
        return _write_salt(*self.ions)


class Solvent(Table):
    """One component of the solvent: a molecule, or the two ions of an ionic liquid."""

    name: str | None = None
    """Name, e.g. ``"DME"``; aliases are understood."""
    smiles: str | None = None
    """SMILES, instead of a name."""
    cation: str | None = None
    """Cation of an ionic liquid, e.g. ``"EMIM"``, instead of a name."""
    anion: str | None = None
    """Its anion, e.g. ``"OTf"``."""
    fraction: float = Field(default=1.0, gt=0, le=1, strict=True)
    """Share of the solvent."""
    fraction_of: Literal["volume", "mole", "mass"] = "volume"
    """What `fraction` is a share of."""

    @model_validator(mode="after")
    def _check(self) -> Solvent:
        ionic = self.cation is not None or self.anion is not None
        if (self.name is not None) + (self.smiles is not None) + ionic != 1:
            raise ValueError("give either name or smiles, or cation and anion, one of the three")
        if ionic and None in (self.cation, self.anion):
            lacking = "anion" if self.anion is None else "cation"
            raise ValueError(f"an ionic liquid needs both ions; add {lacking}")
        _ = self.parts
        return self

    @property
    def parts(self) -> tuple[tuple[Species, int], ...]:
        """What one unit is made of: one molecule, or the ions of a formula unit."""
        if self.cation is None or self.anion is None:
            return ((_find_molecule(self.name, self.smiles), 1),)
        ions = _find(self.cation, "cation"), _find(self.anion, "anion")
        return tuple(zip(ions, _balance(*ions), strict=True))

    @property
    def label(self) -> str:
        """Name of the molecule, or formula of the ionic liquid, e.g. ``"EMIMOTf"``."""
        species = tuple(part for part, _ in self.parts)
        return species[0].name if len(species) == 1 else _write_salt(*species)


class Additive(Table):
    """A molecule beside the solvent, a known amount of it."""

    name: str | None = None
    """Name, e.g. ``"TMP"``; aliases are understood."""
    smiles: str | None = None
    """SMILES, instead of a name."""
    concentration: Concentration | None = None
    """Amount, mol/L of solution or mol/kg of solvent."""
    per_cation: float | None = Field(default=None, gt=0, strict=True, allow_inf_nan=False)
    """Molecules per cation of the salts, instead of a concentration."""

    @model_validator(mode="after")
    def _check(self) -> Additive:
        if (self.name is None) == (self.smiles is None):
            raise ValueError("give either name or smiles, one of the two")
        if (self.concentration is None) == (self.per_cation is None):
            raise ValueError("give either concentration or per_cation, one of the two")
        _ = self.species
        return self

    @property
    def species(self) -> Species:
        """The molecule."""
        return _find_molecule(self.name, self.smiles)


class Missing(Table):
    """Why an electrolyte of the literature cannot be run, and what it is made of."""

    reason: str = Field(min_length=1)
    """What is missing and why, one line; what a run is refused with."""
    salts: tuple[str, ...] = ()
    """Salts and amounts in words."""
    solvents: tuple[str, ...] = ()
    """Solvents in words."""
    cations: tuple[str, ...] = ()
    """Names of the cations, to be found by."""
    anions: tuple[str, ...] = ()
    """Names of the anions, to be found by."""


class Conditions(Table):
    """Temperature and pressure."""

    temperature: Temperature = Temperature("298.15 K")
    """Of the thermostat, and of every result."""
    pressure: Pressure = Pressure("1 bar")
    """Of the barostat, until production."""


class Model(Table):
    """The interactions."""

    forcefield: str = "opls-clp"
    """Name of a force field, see ``solvation forcefields``."""
    ions: str = "default"
    """Set of Lennard-Jones parameters of the divalent ions, of those the force field lists."""
    species: tuple[str, ...] = ()
    """Folders with species of your own, as ``solvation parametrize`` writes them."""
    charge_scale: float | str = "ecc"
    """Factor on the charges of all ions: ``"ecc"`` is 1/n_D of the solvent, 1.0 full charges."""
    cutoff: Length = Length("10 angstrom")
    """Cutoff of the direct-space interactions."""

    @field_validator("charge_scale", mode="before")
    @classmethod
    def _check(cls, scale: Any) -> Any:
        if scale == "ecc":
            return scale
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ValueError('is neither "ecc" nor a number')
        if not 0 < scale <= 1.5:
            raise ValueError("is outside 0 to 1.5")
        return float(scale)


class Box(Table):
    """How large; one of the three, or none and the profile decides."""

    cations: int | None = Field(default=None, ge=1, strict=True)
    """Number of cations of the first salt."""
    atoms: int | None = Field(default=None, ge=50, strict=True)
    """About how many atoms."""
    edge: Length | None = None
    """Edge of the cubic box."""

    @model_validator(mode="after")
    def _check(self) -> Box:
        if sum(x is not None for x in (self.cations, self.atoms, self.edge)) > 1:
            raise ValueError("give only one of cations, atoms and edge")
        return self


class Analysis(Table):
    """How to look at what was simulated; may change between two looks at one run."""

    frame: Literal["barycentric", "solvent", "volume"] = "barycentric"
    """Against what motion is measured: the centre of mass of all, of the solvent, or of volume."""
    viscosity: Viscosity | None = None
    """Of the model, for the finite-size correction of diffusion; that of the run if left out."""
    ssip: Literal["shared-solvent", "second-minimum"] = "shared-solvent"
    """What makes a solvent-separated pair of two ions that do not touch."""
    series: bool = Field(default=False, strict=True)
    """Whether to keep coordination numbers of every cation in every frame."""


class Protocol(Table):
    """How to simulate; what is left out comes from the profile."""

    profile: Literal["quick", "standard", "production"] = "standard"
    """``quick`` shows the road, ``standard`` gives structure, ``production`` transport."""
    starts: tuple[Literal["separated", "contact", "random"], ...] | None = Field(
        default=None, min_length=1
    )
    """How replicas are packed, taken in turn."""
    replicas: int | None = Field(default=None, ge=1, strict=True)
    """Independent runs."""
    seed: int = Field(default=2026, ge=0, lt=2**31, strict=True)
    """The one seed: packing, velocities and noise follow from it."""
    timestep: Time | None = None
    """Step of the integrator."""
    hydrogen_mass: Mass | None = None
    """Mass of every hydrogen, taken from its neighbour; heavier ones allow longer steps."""
    friction: Rate | None = None
    """Friction of the Langevin thermostat."""
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
    record_interval: Duration | None = None
    """At most so much time between rows of currents and dipoles by species; zero for none."""
    stress_interval: Duration | None = None
    """At most so much time between rows of the pressure tensor, for the viscosity; zero for none.
    A row costs about as much as eleven time steps."""
    shear_time: Duration | None = None
    """How long a flow is driven with each of three accelerations after the production, for the
    viscosity; zero for none."""
    tempering: Temperature | None = None
    """Hottest temperature that the production wanders to and back, for shells that do not exchange
    at the target; only frames at the target are kept, and kinetics is not measured."""
    precision: Literal["mixed", "single", "double"] = "mixed"
    """Of GPUs; mixed sums single-precision forces in double, and integrates in double."""
    deterministic: bool = Field(default=False, strict=True)
    """Whether forces are summed in a fixed order, so that the same seed gives the same bits."""

    @model_validator(mode="after")
    def _check(self) -> Protocol:
        starts = self.starts or ()
        if len(set(starts)) < len(starts):
            raise ValueError("starts lists one twice; raise replicas instead")
        if self.hydrogen_mass is not None and not 1 <= self.hydrogen_mass.magnitude <= 4:
            raise ValueError(
                f"hydrogen_mass = {self.hydrogen_mass} is outside 1 to 4 u; heavier ones would "
                "leave nothing to their carbon"
            )
        return self


def _find(name: str, kind: Literal["cation", "anion", "solvent"]) -> Species:
    """Find a species and insist on its role, in pydantic's terms."""
    try:
        return find_species(name, kind=kind)
    except RecipeError as error:
        raise ValueError(str(error)) from error


def _find_molecule(name: str | None, smiles: str | None) -> Species:
    """Find a neutral species by name or SMILES."""
    if name is not None:
        return _find(name, "solvent")
    try:
        species = recognize_smiles(smiles or "")
    except RecipeError as error:
        raise ValueError(str(error)) from error
    return _find(species.name, "solvent")


def _balance(cation: Species, anion: Species) -> tuple[int, int]:
    """Count the ions of a formula unit."""
    divisor = gcd(cation.charge, -anion.charge)
    return -anion.charge // divisor, cation.charge // divisor


def _write_salt(cation: Species, anion: Species) -> str:
    """Write a formula unit."""
    parts = []
    for species, count in zip((cation, anion), _balance(cation, anion), strict=True):
        name = species.name if count == 1 or species.n_atoms == 1 else f"({species.name})"
        parts.append(name if count == 1 else f"{name}{count}")
    return "".join(parts)
