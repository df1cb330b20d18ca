"""Profiles: the choices a recipe leaves open, for three purposes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvation.amount import Duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from solvation.library import Species

__all__ = ["POLARIZABLE", "PROFILES", "stretch_annealing"]

_COMMON: dict[str, Any] = {
    "timestep": "4 fs",
    "hydrogen_mass": "3 u",
    "heat_temperature": "480 K",
    "record_interval": "20 fs",
    "stress_interval": "0 fs",
    "shear_time": "0 ps",
}

PROFILES: dict[str, dict[str, Any]] = {
    "quick": {
        **_COMMON,
        "cations": 8,
        "atoms": 2500,
        "starts": ["separated"],
        "replicas": 1,
        "friction": "1 / ps",
        "heat_time": "5 ps",
        "anneal_time": "15 ps",
        "density_time": "20 ps",
        "density_time_max": "40 ps",
        "production_time": "100 ps",
        "report_interval": "0.5 ps",
        "checkpoint_interval": "4 ps",
    },
    "standard": {
        **_COMMON,
        "cations": 16,
        "atoms": 5000,
        "starts": ["separated", "contact"],
        "replicas": 2,
        "friction": "0.1 / ps",
        "heat_time": "100 ps",
        "anneal_time": "500 ps",
        "density_time": "500 ps",
        "density_time_max": "2 ns",
        "production_time": "10 ns",
        "report_interval": "2 ps",
        "checkpoint_interval": "20 ps",
    },
    "production": {
        **_COMMON,
        "cations": 48,
        "atoms": 15000,
        "starts": ["separated", "contact"],
        "replicas": 4,
        "friction": "0.1 / ps",
        "heat_time": "200 ps",
        "anneal_time": "2 ns",
        "density_time": "2 ns",
        "density_time_max": "10 ns",
        "production_time": "100 ns",
        "report_interval": "5 ps",
        "checkpoint_interval": "100 ps",
    },
}
"""Box size, replicas and times by profile name; each key can be overridden in a recipe."""

POLARIZABLE: dict[str, Any] = {
    "timestep": "1 fs",
    "hydrogen_mass": "1.008 u",
    "friction": "1 / ps",
}
"""What replaces these choices when dipoles swing on springs: their period is 6 fs, and what their
bath at 1 K takes from the atoms, the one of the atoms has to bring back."""

RADII = {"Li": 0.76, "Na": 1.02, "K": 1.38, "Mg": 0.72, "Zn": 0.74, "Ca": 1.00}
"""Å, ionic radii in sixfold coordination, Shannon, Acta Cryst. A 1976, 32, 751,
10.1107/S0567739476001551 (from memory)."""


def stretch_annealing(defaults: Mapping[str, Any], ions: Iterable[Species]) -> dict[str, Any]:
    r"""Make heating and annealing as many times longer as the salt holds on to its shells.

    The factor is the largest field strength of its cations, charge over radius in e/Å, and at least
    1: potassium and sodium 1, lithium 1.3, calcium 2, zinc 2.7, magnesium 2.8. It orders the
    barriers to exchange, it does not measure them.

    Parameters
    ----------
    defaults
        A profile.
    ions
        Of the salts.

    Examples
    --------
    >>> from solvation.library import find_species
    >>> stretch_annealing(PROFILES["standard"], [find_species("Ca")])["anneal_time"]
    '1000 ps'
    """
    factor = max([1.0, *(ion.charge / RADII[ion.name] for ion in ions if ion.name in RADII)])
    changed = dict(defaults)
    if factor > 1:
        for key in ("heat_time", "anneal_time"):
            changed[key] = f"{round(Duration(changed[key]).magnitude * factor)} ps"
    return changed
