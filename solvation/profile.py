"""Profiles: the choices a recipe leaves open, for three purposes."""

from __future__ import annotations

from typing import Any

__all__ = ["POLARIZABLE", "PROFILES"]

_COMMON: dict[str, Any] = {
    "timestep": "4 fs",
    "hydrogen_mass": "3 u",
    "friction": "1 / ps",
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

POLARIZABLE: dict[str, Any] = {"timestep": "1 fs", "hydrogen_mass": "1.008 u"}
"""What replaces these choices when dipoles swing on springs: their period is 6 fs."""
