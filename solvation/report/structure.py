"""Plots and tables of what stands around the cations: denticity, geometry, conformations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.report import distribution, figures, table
from solvation.report.text import label_quantity, write_motif, write_pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from solvation.results import Quantity

__all__ = ["draw_structure", "list_agreement", "list_bindings", "list_motifs", "list_shapes"]

MOST = 10
"""Rows of a table, bars of a plot."""


def draw_structure(nodes: Mapping[str, xr.Dataset]) -> dict[str, list[str]]:
    """Draw what the tree has of denticity, geometry, conformations, clusters and exchanges."""
    plots: dict[str, list[str]] = {
        name: [] for name in ("denticity", "geometry", "conformations", "clusters", "exchange")
    }
    if "denticity" in nodes:
        plots["denticity"] = _draw_denticity(nodes["denticity"])
    if "geometry" in nodes:
        plots["geometry"] = _draw_geometry(nodes["geometry"])
    if "shapes" in nodes:
        plots["geometry"] += _draw_shapes(nodes["shapes"])
    if "conformations" in nodes:
        plots["conformations"] = _draw_conformations(nodes["conformations"])
    if "clusters" in nodes:
        plots["clusters"] = _draw_clusters(nodes["clusters"])
    if "residence" in nodes and "kaplan_meier" in nodes["residence"]:
        plots["exchange"] = _draw_survival(nodes["residence"])
    if "exchange" in nodes:
        plots["exchange"] += _draw_exchange(nodes["exchange"])
    return plots


def _draw_denticity(node: xr.Dataset) -> list[str]:
    pairs = node["pair"].to_numpy().astype(str)
    values, errors = (node[k].to_numpy() for k in ("fraction", "fraction_stderr"))
    seen = np.isfinite(values).all(axis=1)
    if not seen.any():
        return []
    numbers = [str(n) for n in node["denticity"].to_numpy()]
    rows = {write_pair(p): (values[i], errors[i]) for i, p in enumerate(pairs) if seen[i]}
    return [
        distribution.draw_groups(
            numbers, rows, key="denticity", xlabel="atoms it binds through",
            ylabel="fraction of bound ligands", title="Denticity",
        )
    ]  # fmt: skip


def _draw_geometry(node: xr.Dataset) -> list[str]:
    drawn = []
    lengths = {
        write_pair(p): node["length_density"].to_numpy()[i]
        for i, p in enumerate(node["pair"].to_numpy().astype(str))
        if np.isfinite(node["length"].to_numpy()[i])
    }
    if lengths:
        drawn.append(
            distribution.draw_densities(
                node["distance"].to_numpy(), lengths, key="lengths", xlabel="distance (Å)",
                title="Contacts",
            )
        )  # fmt: skip
    angles = {
        t.replace("-", "–"): node["angle_density"].to_numpy()[i]
        for i, t in enumerate(node["triple"].to_numpy().astype(str))
        if node["angle_density"].to_numpy()[i].any()
    }
    if angles:
        drawn.append(
            distribution.draw_densities(
                node["angle"].to_numpy(), angles, key="angles", xlabel="angle (°)",
                title="Donor–cation–donor",
            )
        )  # fmt: skip
    return drawn


def _draw_shapes(node: xr.Dataset) -> list[str]:
    fraction = node["fraction"].to_numpy()
    order = [k for k in np.argsort(-fraction, kind="stable") if fraction[k] > 5e-4][:MOST]
    if not order:
        return []
    cations = node["cation"].to_numpy().astype(str)
    names = node["name"].to_numpy().astype(str)
    several = len(set(cations.tolist())) > 1
    return [
        figures.draw_fractions(
            [f"{cations[k]} {names[k]}" if several else names[k] for k in order],
            fraction[order], node["fraction_stderr"].to_numpy()[order], key="shapes",
            label="fraction of cations", title="Closest shape", color=4,
        )
    ]  # fmt: skip


def _draw_conformations(node: xr.Dataset) -> list[str]:
    drawn = []
    bindings = node["binding"].to_numpy().astype(str)
    names = node["conformation"].to_numpy().astype(str)
    for i, species in enumerate(node["species"].to_numpy().astype(str)):
        values = node["fraction"].to_numpy()[i]
        errors = node["fraction_stderr"].to_numpy()[i]
        used = np.flatnonzero(np.nanmax(np.nan_to_num(values), axis=0) >= 0.02)
        rows = {
            b: (values[j][used], errors[j][used])
            for j, b in enumerate(bindings)
            if np.isfinite(values[j]).all()
        }
        drawn.append(
            distribution.draw_groups(
                [str(n) for n in names[used]], rows, key=f"conformation-{species}",
                xlabel="C–O–C–C, O–C–C–O, C–C–O–C", ylabel="fraction of units",
                title=f"Conformations of {species}",
            )
        )  # fmt: skip
    return drawn


def _draw_clusters(node: xr.Dataset) -> list[str]:
    drawn = []
    for what, label in (("size", "ions in the cluster"), ("charge", "charge of the cluster (e)")):
        levels = [f"{int(n):+d}" if what == "charge" and n else str(int(n))
                  for n in node[what].to_numpy()]  # fmt: skip
        rows = {
            f"per {side}": (
                node[f"{what}_{side}"].to_numpy()[:MOST],
                node[f"{what}_{side}_stderr"].to_numpy()[:MOST],
            )
            for side in ("cation", "anion", "cluster")
        }
        drawn.append(
            distribution.draw_groups(
                levels[:MOST], rows, key=f"clusters-{what}", xlabel=label, ylabel="fraction",
                title=f"Clusters by {what}",
            )
        )  # fmt: skip
    return drawn


def _draw_survival(node: xr.Dataset) -> list[str]:
    seen = [
        (i, p) for i, p in enumerate(node["pair"].to_numpy().astype(str))
        if float(node["exposure"].to_numpy()[i]) > 0.0
    ]  # fmt: skip
    if not seen or node.sizes["lag"] < 3:
        return []
    columns = ("kaplan_meier", "kaplan_meier_stderr", "intermittent")
    curves = {write_pair(p): tuple(node[k].to_numpy()[i] for k in columns) for i, p in seen}
    return [distribution.draw_survival(node["lag"].to_numpy(), curves)]


def _draw_exchange(node: xr.Dataset) -> list[str]:
    pairs = node["pair"].to_numpy().astype(str)
    seen = np.flatnonzero(node["departures"].to_numpy() > 0)
    if not seen.size:
        return []
    rows = {
        f"{write_pair(str(pairs[i]))} ({int(node['departures'].to_numpy()[i])})": (
            node["fraction"].to_numpy()[i], node["fraction_stderr"].to_numpy()[i],
        )
        for i in seen
    }  # fmt: skip
    return [
        distribution.draw_groups(
            [str(m) for m in node["mechanism"].to_numpy()], rows, key="mechanism", xlabel="",
            ylabel="fraction of departures", title="How ligands leave",
        )
    ]  # fmt: skip


def list_motifs(
    tree: xr.DataTree, known: Mapping[str, Quantity], notes: table.Notes
) -> list[dict[str, Any]]:
    """List the most frequent shells with their denticities."""
    if "shells" not in tree.children or "motif" not in tree["shells"].coords:
        return []
    names = tree["shells"]["motif"].to_numpy().astype(str)[:MOST]
    return [
        {"name": write_motif(name), "row": table.make_row(known[f"motif.{name}"], notes)}
        for name in names
        if f"motif.{name}" in known
    ]


def list_bindings(tree: xr.DataTree) -> list[dict[str, str]]:
    """List how ligands bind: donors, chelate rings, fraction of the bound ligands."""
    if "denticity" not in tree.children:
        return []
    node = tree["denticity"].to_dataset()
    keys = ("binding_pair", "binding_name", "binding_fraction", "binding_fraction_stderr")
    rows = zip(*(node[k].to_numpy() for k in keys), strict=True)
    return [
        {"pair": write_pair(str(pair)), "name": str(name), "value": f"{value:.3f} ± {error:.3f}"}
        for pair, name, value, error in rows
        if value >= 5e-4
    ][: 2 * MOST]


def list_shapes(tree: xr.DataTree) -> list[dict[str, str]]:
    """List the shapes that occur, with their measures."""
    if "shapes" not in tree.children:
        return []
    node = tree["shapes"].to_dataset()
    keys = ("cation", "label", "name", "fraction", "fraction_stderr", "measure", "measure_overall")
    rows = list(zip(*(node[k].to_numpy() for k in keys), strict=True))
    share: dict[tuple[str, str], float] = {}
    for cation, label, _, value, *_ in rows:
        kind = (str(cation), str(label).rpartition("-")[2])
        share[kind] = share.get(kind, 0.0) + float(value)
    return [
        {
            "cation": str(cation),
            "label": str(label),
            "name": str(name),
            "fraction": f"{value:.3f} ± {error:.3f}",
            "measure": f"{measure:.2f}" if np.isfinite(measure) else "—",
            "overall": f"{overall:.2f}" if np.isfinite(overall) else "—",
        }
        for cation, label, name, value, error, measure, overall in rows
        if value > 0.0 or share[str(cation), str(label).rpartition("-")[2]] >= 0.01
    ]


def list_agreement(tree: xr.DataTree) -> dict[str, Any] | None:
    """Set the starts side by side, those numbers first about which they disagree."""
    if "agreement" not in tree.children:
        return None
    node = tree["agreement"].to_dataset()
    starts = node["start"].to_numpy().astype(str).tolist()
    shown: list[dict[str, Any]] = []
    heads = ("coordination", "speciation", "shell", "denticity")
    order: Sequence[int] = np.argsort(node["p"].to_numpy(), kind="stable").tolist()
    for i in order:
        name = str(node["quantity"].to_numpy()[i])
        agree = bool(node["agree"].to_numpy()[i])
        if agree and name.partition(".")[0] not in heads:
            continue
        values, errors = (node[k].to_numpy()[i] for k in ("value", "value_stderr"))
        shown.append(
            {
                "label": label_quantity(name),
                "values": [f"{v:.2f} ± {e:.2f}" for v, e in zip(values, errors, strict=True)],
                "agree": agree,
                "p": f"{float(node['p'].to_numpy()[i]):.2g}",
            }
        )
    agreed = int(node["agree"].to_numpy().sum())
    return {
        "starts": starts,
        "rows": shown[: 2 * MOST],
        "agreed": agreed,
        "total": node.sizes["quantity"],
    }
