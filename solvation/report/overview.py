"""What was simulated and how: the plain facts of a run, for the template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import RecipeError
from solvation.report import view
from solvation.report.look import clean_drawing
from solvation.report.text import write_chemical, write_duration, write_formula, write_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.results import Quantity

__all__ = [
    "find_role",
    "list_concentrations",
    "list_facts",
    "list_provenance",
    "list_species",
    "read_counts",
]


def list_species(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Describe each kind of ion and molecule in the box, with pictures."""
    from solvation.library import draw_species, find_species

    structure = tree["structure"].to_dataset() if "structure" in tree.children else None
    rows = []
    for name, count in read_counts(tree).items():
        row: dict[str, Any] = {"name": name, "count": count, "role": find_role(tree, name)}
        try:
            species = find_species(name)
        except RecipeError:  # a species of the user's own
            row |= {"title": "named by the user", "formula": "", "drawing": ""}
        else:
            charge = f"{abs(species.charge) if abs(species.charge) > 1 else ''}"
            charge += "" if not species.charge else "+" if species.charge > 0 else "-"
            row["title"] = species.title
            row["formula"] = write_formula(species.formula, charge)
            row["drawing"] = clean_drawing(draw_species(species))
        scene = None if structure is None else view.make_molecule_scene(structure, name)
        row["scene"] = scene
        if scene is not None and len(scene["kind"]) == 1:
            row["drawing"] = ""  # a lone ion is a ball; its formula is in the caption
        rows.append(row)
    return rows


def find_role(tree: xr.DataTree, name: str) -> str:
    """Tell cations, anions and solvents apart, as the analyze stage did."""
    roles: dict[str, str] = json.loads(str(tree.attrs.get("roles", "{}")))
    return roles.get(name, "solvent")


def read_counts(tree: xr.DataTree) -> dict[str, int]:
    """Read how many of each species the box holds."""
    counts: dict[str, int] = json.loads(str(tree.attrs.get("counts", "{}")))
    return counts


def list_facts(
    tree: xr.DataTree, document: Mapping[str, Any], manifest: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """List what was simulated, as label and value."""
    attrs = tree.attrs
    model = {**document.get("model", {}), **manifest.get("model", {})}
    model.setdefault("charge_scale", attrs.get("charge_scale", document.get("charge_scale")))
    asked = model.pop("charge_scale_asked", None)
    if attrs.get("kind") == "trajectory":  # nobody knows what another program did
        model["charge_scale"] = None
    facts: list[tuple[str, Any]] = [
        ("Force field", model.pop("forcefield", None)),
        ("Ions", model.pop("ions", None)),
        ("Charges of the ions", _describe_charges(model.pop("charge_scale", None), asked)),
        ("Cutoff of forces", str(model.pop("cutoff", "")).replace("angstrom", "Å")),
        *((key.replace("_", " ").capitalize(), value) for key, value in model.items()),
    ]
    if "structure" in tree.children:
        edges = np.asarray(tree["structure"]["box"], dtype=float)
        facts.append(("Box", " × ".join(f"{e:.2f}" for e in edges[:3]) + " Å"))
        facts.append(("Atoms", f"{tree['structure'].sizes['atom']:,}".replace(",", " ")))
    if "temperature" in attrs:
        value = float(attrs["temperature"])
        facts.append(("Temperature", f"{value:g} K" if np.isfinite(value) else "not given"))
    if "n_frames" in attrs and "time_total" in attrs:
        time, replicas = float(attrs["time_total"]), int(attrs.get("n_replicas", 1))
        length = f"{time / 1000:g} ns" if time >= 1000 else f"{time:g} ps"
        split = f" in {replicas} replicas" if replicas > 1 else ""
        facts.append(("Analyzed", f"{length}{split}, {int(attrs['n_frames'])} frames"))
    return [(label, str(value)) for label, value in facts if value not in (None, "", {}, [])]


def _describe_charges(scale: object, asked: object) -> str:
    if not isinstance(scale, (int, float)) or not np.isfinite(scale):
        return "" if scale is None else str(scale)
    rule = " (1/n of the solvent)" if asked == "ecc" else ""
    return "full, not scaled" if scale == 1 else f"scaled by {scale:.4g}{rule}"


def list_concentrations(
    quantities: Sequence[Quantity], manifest: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """List salt, concentration asked for and reached."""
    asked = manifest.get("composition", {}).get("asked", {})
    rows = []
    for q in quantities:
        if q.name.startswith("concentration."):
            salt = q.name.removeprefix("concentration.")
            wish = asked.get(salt, "") if isinstance(asked, dict) else asked
            words = f"{wish:g} mol/L" if isinstance(wish, (int, float)) else str(wish)
            rows.append((write_chemical(salt), words, write_quantity(q)))
    return rows


def list_provenance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what is needed to repeat the run."""
    stages = [
        (name, stage.get("state", ""), write_duration(float(stage["wall_s"])))
        if "wall_s" in stage
        else (name, stage.get("state", ""), "—")
        for name, stage in manifest.get("stages", {}).items()
    ]
    return {
        "command": manifest.get("command", ""),
        "created": str(manifest.get("created", "")).replace("T", " ")[:16],
        "seed": manifest.get("seed"),
        "platform": manifest.get("platform"),
        "hash": manifest.get("recipe_hash", ""),
        "versions": manifest.get("versions", {}),
        "stages": stages,
        "replicas": manifest.get("replicas", {}),
    }
