"""A results tree as a short run of Mg(TFSI)2 in DME leaves it, made without a simulation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from solvation.results import Quantity

DME = ("C", "O", "C", "C", "O", "C") + ("H",) * 10
DME_BONDS = (
    [(i, i + 1) for i in range(5)]
    + [(0, 6), (0, 7), (0, 8), (2, 9), (2, 10), (3, 11), (3, 12), (5, 13), (5, 14), (5, 15)]
)  # fmt: skip
TFSI = ("N", "S", "S", "O", "O", "O", "O", "C", "C", "F", "F", "F", "F", "F", "F")
TFSI_BONDS = [
    (0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6), (1, 7), (2, 8),
    (7, 9), (7, 10), (7, 11), (8, 12), (8, 13), (8, 14),
]  # fmt: skip


def chelate_dme() -> np.ndarray:
    """Place one DME around a cation at the origin, its oxygens 2.08 Å away, along +y."""
    half = [
        (2.62, 1.36, 0.42), (1.33, 1.60, 0.05), (0.70, 2.82, 0.36),
        (3.05, 0.52, -0.12), (3.22, 2.24, 0.20), (2.66, 1.16, 1.49),
        (0.96, 3.05, 1.39), (1.02, 3.63, -0.28),
    ]  # fmt: skip
    a = np.array(half)
    b = a * [-1, 1, -1]
    return np.vstack([a[:3], b[2], b[1], b[0], a[3:6], a[6:8], b[6:8], b[3:6]])


def chelate_tfsi() -> np.ndarray:
    """Place one TFSI with its oxygen 3 at 2.1 Å from the origin, along +y."""
    return np.array(
        [
            (1.30, 3.60, 0.40), (0.0, 3.55, -0.45), (2.45, 2.55, 0.30),
            (0.0, 2.10, -0.60), (0.1, 4.35, -1.65), (2.2, 1.40, -0.50), (3.7, 3.1, 0.1),
            (-1.45, 4.05, 0.55), (2.55, 1.95, 2.05),
            (-1.4, 5.36, 0.8), (-2.6, 3.8, -0.05), (-1.4, 3.35, 1.68),
            (3.5, 1.02, 2.1), (1.4, 1.4, 2.4), (2.85, 2.9, 2.95),
        ]
    )  # fmt: skip


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def about_z(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def make_shell(n_dme: int, n_tfsi: int) -> dict[str, Any]:
    """Draw a cation with ``n_dme`` chelating DME and ``n_tfsi`` TFSI bound through one oxygen."""
    elements, positions, bonds, contacts = ["Mg"], [np.zeros((1, 3))], [], []
    tilt = np.array([[0.6, 0, -0.8], [0, 1, 0], [0.8, 0, 0.6]])
    for k in range(n_dme + n_tfsi):
        kind, template, pairs, donors = (
            (DME, chelate_dme(), DME_BONDS, (1, 4))
            if k < n_dme
            else (TFSI, chelate_tfsi(), TFSI_BONDS, (3,))
        )
        start = len(elements)
        turn = about_z(360.0 * k / (n_dme + n_tfsi)) @ tilt
        elements += kind
        positions.append(template @ turn.T)
        bonds += [(i + start, j + start) for i, j in pairs]
        contacts += [(0, start + i) for i in donors]
    xyz = np.round(np.vstack(positions), 3).tolist()
    return {"elements": elements, "positions": xyz, "bonds": bonds, "contacts": contacts}


def make_structure(rng: np.random.Generator, edge: float = 30.4) -> xr.Dataset:
    """Fill a box with 8 Mg, 16 TFSI and 144 DME on a lattice, each turned at random."""
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = rng.permutation((grid + 0.5) * edge / 6)
    element, molecule, position, bond, species = [], [], [], [], []
    shell = make_shell(3, 0)
    for m in range(8 + 16 + 120):
        start = len(element)
        if m < 8:
            kinds, template, pairs, name = ["Mg"], np.zeros((1, 3)), [], "Mg"
        elif m < 24:
            kinds, template, pairs, name = list(TFSI), chelate_tfsi(), TFSI_BONDS, "TFSI"
        else:
            kinds, template, pairs, name = list(DME), chelate_dme(), DME_BONDS, "DME"
        body = (template - template.mean(0)) @ rotation(rng).T + sites[m]
        element += kinds
        molecule += [m] * len(kinds)
        species.append(name)
        position.append(body)
        bond += [(i + start, j + start) for i, j in pairs]
    for k in range(8):  # three more DME on every Mg
        turn = rotation(rng)
        for d in range(3):
            start = len(element)
            body = np.array(shell["positions"])[1 + 16 * d : 17 + 16 * d] @ turn.T + sites[k]
            element += DME
            molecule += [len(species)] * 16
            species.append("DME")
            position.append(body)
            bond += [(i + start, j + start) for i, j in DME_BONDS]
    return xr.Dataset(
        {
            "position": (("atom", "xyz"), np.vstack(position), {"units": "Å", "long_name": "p"}),
            "bond": (
                ("bond", "pair2"),
                np.array(bond),
                {"units": "1", "long_name": "bonded atoms"},
            ),
            "box": (("six",), [edge] * 3 + [90.0] * 3, {"units": "Å, degree", "long_name": "box"}),
            "species_of_molecule": (
                ("n_molecules",),
                np.array(species),
                {"units": "1", "long_name": "species"},
            ),
        },
        coords={"element": ("atom", np.array(element)), "molecule": ("atom", np.array(molecule))},
    )


def _rdf(r: np.ndarray, peak: float, height: float, width: float, cn: float, rho: float) -> Any:
    g = height * np.exp(-0.5 * ((r - peak) / width) ** 2)
    g += 1 / (1 + np.exp(-(r - 5.2) / 0.35)) * (1 + 0.25 * np.cos(2.2 * (r - 5.9)) * np.exp(-r / 9))
    first = np.cumsum(np.exp(-0.5 * ((r - peak) / width) ** 2))
    running = cn * first / first[-1]
    running += np.cumsum(4 * np.pi * r**2 * rho * np.where(r > 3.6, g, 0)) * (r[1] - r[0])
    return g, running


def _data(**variables: tuple[Any, ...]) -> dict[str, Any]:
    """Give every variable its units and a long name: ``name=(dims, values, units)``."""
    return {
        name: (dims, values, {"units": units, "long_name": name.replace("_", " ")})
        for name, (dims, values, units) in variables.items()
    }


def make_tree() -> xr.DataTree:
    rng = np.random.default_rng(7)
    r = np.linspace(0.025, 9.975, 200)
    pairs = ["Mg-DME.O", "Mg-TFSI.O", "Mg-TFSI.N"]
    shapes = [(2.07, 31.0, 0.07, 5.62, 0.0125), (2.05, 3.2, 0.08, 0.25, 0.0056)]
    curves = [_rdf(r, *shape) for shape in shapes] + [_rdf(r, 4.6, 1.6, 0.3, 0.0, 0.0014)]
    g, running = (np.array([c[k] for c in curves]) for k in (0, 1))
    nan = float("nan")
    rdf = xr.Dataset(
        _data(
            g=(("pair", "r"), g, "1"), g_stderr=(("pair", "r"), 0.03 * g + 0.01, "1"),
            running=(("pair", "r"), running, "1"),
            running_stderr=(("pair", "r"), 0.02 * running, "1"),
            first_peak=(("pair",), [2.07, 2.05, nan], "Å"),
            first_peak_stderr=(("pair",), [0.004, 0.02, nan], "Å"),
            cutoff=(("pair",), [2.95, 2.9, nan], "Å"),
            cutoff_low=(("pair",), [2.45, 2.35, nan], "Å"),
            cutoff_high=(("pair",), [4.15, 3.55, nan], "Å"),
            defined=(("pair",), [1, 1, 0], "1"),
        ),
        coords={"pair": pairs, "r": r},
    )  # fmt: skip
    distribution = np.zeros((3, 8))
    distribution[0, [4, 5, 6]] = 0.12, 0.13, 0.75
    distribution[1, [0, 1]] = 0.75, 0.25
    distribution[2, 0] = 1.0
    coordination = xr.Dataset(
        _data(
            number=(("pair",), [5.62, 0.25, 0.0], "1"),
            number_stderr=(("pair",), [0.12, 0.11, 0.0], "1"),
            total=(("cation",), [5.88], "1"), total_stderr=(("cation",), [0.05], "1"),
            distribution=(("pair", "count"), distribution, "1"),
        ),
        coords={"pair": pairs, "cation": ["Mg"], "count": np.arange(8)},
    )  # fmt: skip
    names = ["[Mg]2+", "[MgTFSI]+", "[Mg(TFSI)2]0", "[Mg2(TFSI)3]+"]
    speciation = xr.Dataset(
        _data(
            cation=(("class",), [0.52, 0.23, 0.23, 0.02], "1"),
            cation_stderr=(("class",), [0.06, 0.04, 0.09, 0.01], "1"),
            anion=(("class",), [0.66, 0.20, 0.14, 0.0], "1"),
            anion_stderr=(("class",), [0.05, 0.03, 0.05, 0.0], "1"),
            species_fraction=(("species",), [0.75, 0.23, 0.01, 0.01], "1"),
            species_fraction_stderr=(("species",), [0.09, 0.09, 0.01, 0.008], "1"),
            species_charge=(("species",), [2, 1, 0, 1], "e"),
            species_count=(("species",), [6.0, 1.84, 0.08, 0.04], "1"),
            cation_counterions=(("n_counterions",), [0.75, 0.235, 0.015], "1"),
            cation_counterions_stderr=(("n_counterions",), [0.09, 0.09, 0.01], "1"),
        ),
        coords={"class": ["free", "ssip", "cip", "agg"], "species": names,
                "n_counterions": [0, 1, 2]},
    )  # fmt: skip
    kinds = {"Mg(DME)3": (3, 0, 0.73, 0.09), "Mg(DME)2(TFSI)1": (2, 1, 0.17, 0.08),
             "Mg(DME)3(TFSI)1": (3, 1, 0.06, 0.03), "Mg(DME)2(TFSI)2": (2, 2, 0.02, 0.01),
             "Mg(DME)2": (2, 0, 0.02, 0.01)}  # fmt: skip
    shells = xr.Dataset(
        _data(
            fraction=(("shell",), [k[2] for k in kinds.values()], "1"),
            fraction_stderr=(("shell",), [k[3] for k in kinds.values()], "1"),
            structure=(("shell",), [json.dumps(make_shell(*k[:2])) for k in kinds.values()], "1"),
            frame=(("shell",), [120, 44, 80, 12, 3], "1"),
            replica=(("shell",), [0, 1, 1, 1, 0], "1"),
        ),
        coords={"shell": list(kinds)},
    )
    residence = xr.Dataset(
        _data(
            residence_time=(("pair",), [nan, 1.9], "ns"),
            low=(("pair",), [1.56, 0.33], "ns"),
            high=(("pair",), [np.inf, 9.8], "ns"),
            n_events=(("pair",), [0, 2], "1"), exposure=(("pair",), [4.7, 0.45], "ns"),
            survival=(("pair",), [1.0, 0.6], "1"),
        ),
        coords={"pair": ["Mg-DME", "Mg-TFSI"]},
    )  # fmt: skip
    lag = np.unique(np.round(np.geomspace(1, 100, 40)))
    d = np.array([1.9e-10, 2.6e-10, 1.45e-9])  # m2/s; 1e-9 m2/s = 0.1 Å2/ps
    msd = 6 * d[:, None] * 1e8 * lag + 1.2 * (1 - np.exp(-lag / 2))
    diffusion = xr.Dataset(
        _data(
            msd=(("species", "lag"), msd, "Å2"),
            msd_stderr=(("species", "lag"), msd * (0.02 + lag / 400), "Å2"),
            diffusion=(("species",), d, "m2/s"),
            diffusion_stderr=(("species",), 0.12 * d, "m2/s"),
            exponent=(("species",), [0.82, 0.88, 0.97], "1"),
            window_low=(("species",), [10.0] * 3, "ps"),
            window_high=(("species",), [50.0] * 3, "ps"),
            n_effective=(("species",), [32.0, 64.0, 576.0], "1"),
            scan=(("species", "start"), d[:, None] * np.array([1.3, 1.1, 1.0, 0.9]), "m2/s"),
            scan_stderr=(
                ("species", "start"),
                d[:, None] * np.array([0.03, 0.06, 0.12, 0.2]),
                "m2/s",
            ),
        ),
        coords={
            "species": ["Mg", "TFSI", "DME"],
            "lag": lag,
            "start": [1.0, 4.0, 10.0, 25.0],
        },
    )
    conductivity = xr.Dataset(
        _data(
            collective=(("lag",), 4.2 * lag + 9, "e2 Å2"),
            collective_stderr=(("lag",), 0.25 * (4.2 * lag + 9), "e2 Å2"),
            nernst_einstein=((), 6.1, "mS/cm"), nernst_einstein_stderr=((), 0.6, "mS/cm"),
            einstein=((), 4.8, "mS/cm"), einstein_stderr=((), 1.6, "mS/cm"),
            window_low=((), 10.0, "ps"), window_high=((), 20.0, "ps"),
        ),
        coords={"lag": lag},
    )  # fmt: skip
    shares = np.array([3.6, 2.5, 0.7, -1.8, -0.2])
    onsager = xr.Dataset(
        _data(
            contribution=(("part",), shares, "mS/cm"),
            contribution_stderr=(("part",), [0.4, 0.3, 0.9, 1.2, 0.8], "mS/cm"),
        ),
        coords={"part": ["Mg self", "TFSI self", "Mg-Mg", "Mg-TFSI", "TFSI-TFSI"]},
    )
    density = xr.Dataset(
        _data(density=((), 1.021, "g/cm3"), density_stderr=((), 0.003, "g/cm3"),
              volume=((), 28094.0, "Å3"))
    )  # fmt: skip
    time = np.arange(0, 320, 1.0)
    target = np.interp(time, [0, 20, 80, 320], [480, 480, 298.15, 298.15])
    temperature = target + rng.normal(0, 5.5, (2, time.size))
    settle = np.exp(-np.maximum(time - 80, 0) / 25)
    rho = 1.021 - 0.11 * settle + rng.normal(0, 0.006, (2, time.size))
    rho[:, time < 20] = 0.90
    rho[:, time > 220] = 1.021
    energy = -41000 + 30 * (target - 298.15) + rng.normal(0, 180, (2, time.size))
    energy[1] += 350
    for values in (temperature, rho, energy):
        values[1, 300:] = nan
    edges = {"heat": [0, 20], "anneal": [20, 80], "density": [80, 220], "production": [220, 320]}
    stages = [(s, a, b) for s, (a, b) in edges.items()]
    times = np.where(np.isfinite(rho), time, nan)
    thermo = xr.Dataset(
        _data(
            time=(("replica", "report"), times, "ps"),
            density=(("replica", "report"), rho, "g/cm3"),
            temperature=(("replica", "report"), temperature, "K"),
            potential_energy=(("replica", "report"), energy, "kJ/mol"),
        ),
        coords={"replica": ["separated", "contact"]},
        attrs={"stages": json.dumps({"separated": stages, "contact": stages})},
    )
    root = xr.Dataset(
        attrs={"name": "mg-tfsi2-dme", "kind": "run", "n_frames": 200, "time_total": 200.0,
               "n_replicas": 2, "temperature": 298.15, "volume": 28094.0, "charge_scale": 0.726,
               "counts": json.dumps({"Mg": 8, "TFSI": 16, "DME": 144}),
               "roles": json.dumps({"Mg": "cation", "TFSI": "anion", "DME": "solvent"}),
               "notes": json.dumps(["Species recognised from bonds."])}
    )  # fmt: skip
    return xr.DataTree.from_dict(
        {"/": root, "/rdf": rdf, "/coordination": coordination, "/speciation": speciation,
         "/shells": shells, "/residence": residence, "/diffusion": diffusion,
         "/conductivity": conductivity, "/onsager": onsager, "/density": density, "/thermo": thermo,
         "/structure": make_structure(rng)}
    )  # fmt: skip


FROZEN = "No DME left a Mg in 4.7 ns of contact: this remembers how the box was packed."


def make_quantities() -> tuple[Quantity, ...]:
    def q(
        name: str, value: float | None, stderr: float | None, unit: str = "1", **more: Any
    ) -> Any:
        return Quantity(name=name, value=value, stderr=stderr, unit=unit, **more)

    late: dict[str, Any] = {"status": "not_converged", "note": FROZEN}
    short: dict[str, Any] = {
        "status": "not_converged",
        "note": "MSD exponent 0.82: the ions still rattle in their cages.",
    }
    return (
        q("density", 1.021, 0.003, "g/cm3"),
        q("concentration.Mg(TFSI)2", 0.473, 0.001, "mol/L"),
        q("rdf.Mg-DME.O.first_peak", 2.07, 0.004, "Å"),
        q("rdf.Mg-DME.O.cutoff", 2.95, None, "Å", note="plateau from 2.45 to 4.15 Å"),
        q("rdf.Mg-TFSI.O.first_peak", 2.05, 0.02, "Å"),
        q("rdf.Mg-TFSI.O.cutoff", 2.9, None, "Å", note="plateau from 2.35 to 3.55 Å"),
        q("rdf.Mg-TFSI.N.first_peak", None, None, "Å", status="undefined", note="no contact seen"),
        q("rdf.Mg-TFSI.N.cutoff", None, None, "Å", status="undefined", note="no contact seen"),
        q("coordination.Mg-DME.O", 5.62, 0.12, **late),
        q("coordination.Mg-TFSI.O", 0.25, 0.11, **late),
        q("coordination.Mg-TFSI.N", 0.0, 0.0, **late),
        q("coordination.Mg.total", 5.88, 0.05, **late),
        *(
            q(f"speciation.{ion}.{c}", v, e, **late)
            for ion, rows in {
                "cation": [(0.52, 0.06), (0.23, 0.04), (0.23, 0.09), (0.02, 0.01)],
                "anion": [(0.66, 0.05), (0.20, 0.03), (0.14, 0.05), (0.0, 0.0)],
            }.items()
            for c, (v, e) in zip(("free", "ssip", "cip", "agg"), rows, strict=True)
        ),
        q("species.[Mg]2+", 0.75, 0.09, **late),
        q("species.[MgTFSI]+", 0.23, 0.09, **late),
        q("species.[Mg(TFSI)2]0", 0.01, 0.01, **late),
        q("species.[Mg2(TFSI)3]+", 0.01, 0.008, **late),
        q("shell.Mg(DME)3", 0.73, 0.09, **late),
        q("shell.Mg(DME)2(TFSI)1", 0.17, 0.08, **late),
        q("shell.Mg(DME)3(TFSI)1", 0.06, 0.03, **late),
        q("shell.Mg(DME)2(TFSI)2", 0.02, 0.01, **late),
        q("shell.Mg(DME)2", 0.02, 0.01, **late),
        q("residence.Mg-DME", 1.56, None, "ns", status="bound", bound="lower", n_events=0,
          note="No exchange in 4.7 ns of contact."),
        q("residence.Mg-TFSI", 1.9, 1.3, "ns", status="not_converged", n_events=2,
          note="2 events; 20 are needed."),
        q("diffusion.Mg", 1.9e-10, 2.3e-11, "m2/s", **short),
        q("diffusion.TFSI", 2.6e-10, 3.1e-11, "m2/s", **short),
        q("diffusion.DME", 1.45e-9, 1.7e-10, "m2/s"),
        q("conductivity.nernst_einstein", 6.1, 0.6, "mS/cm", **short),
        q("conductivity.einstein", 4.8, 1.6, "mS/cm", **short),
    )  # fmt: skip


RECIPE = """name = "mg-tfsi2-dme"
title = "0.5 M Mg(TFSI)2 in DME"

[[salt]]
cation = "Mg"
anion = "TFSI"
concentration = "0.5 mol/L"
"""

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "name": "mg-tfsi2-dme",
    "command": "solvation run mg-tfsi2-dme --profile quick",
    "created": "2026-03-02T10:11:12+00:00",
    "versions": {"solvation": "0.1.0", "openmm": "8.6.1", "numpy": "2.4.0", "MDAnalysis": "2.11.0"},
    "recipe_hash": "3f0c5a7e9b1d",
    "seed": 2026,
    "platform": "CPU",
    "stages": {
        "build": {"state": "done", "inputs": "aa", "started": "2026-03-02T10:11:12", "wall_s": 21},
        "simulate": {"state": "done", "inputs": "bb", "started": "", "wall_s": 291.4},
        "analyze": {"state": "done", "inputs": "cc", "started": "", "wall_s": 11.8},
    },
    "replicas": {
        "separated": {"start": "separated", "seed": 11, "platform": "CPU", "ns_per_day": 61.2,
                      "production_ps": 100.0, "density_stationary": True},
        "contact": {"start": "contact", "seed": 12, "platform": "CPU", "ns_per_day": 60.7,
                    "production_ps": 100.0, "density_stationary": False},
    },
    "model": {"forcefield": "opls-clp", "charge_scale": 0.7262, "charge_scale_asked": "ecc",
              "cutoff": "10 angstrom"},
    "composition": {
        "counts": {"Mg": 8, "TFSI": 16, "DME": 144},
        "asked": {"Mg(TFSI)2": "0.5 mol/L"},
        "reached": {"Mg(TFSI)2": 0.473},
    },
}  # fmt: skip
