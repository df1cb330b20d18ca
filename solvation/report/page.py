"""The page: one HTML file with everything in it, for a browser without a network."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import WorkspaceError
from solvation.report import figures, overview, structure, table, transport, view
from solvation.report.answer import find_cations, write_answer, write_convergence
from solvation.report.compare import compare
from solvation.report.spectrum import draw_recorded
from solvation.report.text import write_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import xarray as xr

    from solvation.experiment import Experiment
    from solvation.results import Quantity

__all__ = ["SECTIONS", "render_report", "write_report"]

SECTIONS = {
    "summary": "Summary",
    "simulated": "What was simulated",
    "convergence": "Convergence",
    "rdf": "Radial distribution",
    "coordination": "Coordination",
    "denticity": "Denticity and chelation",
    "geometry": "Geometry",
    "conformations": "Conformations",
    "speciation": "Speciation",
    "clusters": "Clusters",
    "shells": "Shells",
    "residence": "Residence times",
    "exchange": "Exchange",
    "agreement": "Do the starts agree?",
    "diffusion": "Diffusion",
    "conductivity": "Conductivity",
    "viscosity": "Viscosity",
    "permittivity": "Permittivity",
    "comparison": "This work vs experiment",
    "not-converged": "Not converged",
    "reproduce": "How to reproduce",
    "made": "How it was made",
}
"""Id and heading of every section; all are always there."""

MOST_BARS = 8
"""How many shells or charged species the bar charts show."""


def write_report(
    path: Path,
    *,
    tree: xr.DataTree,
    document: Mapping[str, Any],
    quantities: Sequence[Quantity],
    manifest: Mapping[str, Any] | None = None,
    recipe_text: str | None = None,
    experiment: Experiment | None = None,
    title: str,
) -> Path:
    """Write the report, complete or not at all.

    Parameters
    ----------
    path
        The HTML file.
    tree
        Results, as ``results.nc`` holds them.
    document
        Top-level keys of ``summary.json``.
    quantities
        Numbers of ``summary.json``.
    manifest
        Of the run folder; None for a trajectory that another program made.
    recipe_text
        The recipe as TOML, if there is one.
    experiment
        What others measured, if known.
    title
        Heading of the page.

    Raises
    ------
    WorkspaceError
        If the file cannot be written.
    """
    text = render_report(
        tree=tree,
        document=document,
        quantities=quantities,
        manifest=manifest,
        recipe_text=recipe_text,
        experiment=experiment,
        title=title,
    )
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {path}: {error}; choose another folder with -o"
        ) from error
    return path


def render_report(
    *,
    tree: xr.DataTree,
    document: Mapping[str, Any],
    quantities: Sequence[Quantity],
    manifest: Mapping[str, Any] | None = None,
    recipe_text: str | None = None,
    experiment: Experiment | None = None,
    title: str,
) -> str:
    """Render the report as HTML text; the parameters are those of `write_report`."""
    import jinja2

    folder = files("solvation.report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chemical"] = write_counts
    notes = {name: table.Notes() for name in (*SECTIONS, "all")}
    known = {q.name: q for q in quantities}
    cations = find_cations(quantities)
    made = manifest or {}
    temperature = float(tree.attrs.get("temperature", "nan"))
    compared = () if experiment is None else compare(
        quantities, experiment, temperature=temperature if np.isfinite(temperature) else None
    )  # fmt: skip
    tone, convergence = write_convergence(quantities)
    rows, sources = table.list_comparison(compared, notes["comparison"])
    return environment.get_template("page.html.jinja").render(
        title=title,
        name=str(tree.attrs.get("name", document.get("recipe", title))),
        sections=SECTIONS,
        css=folder.joinpath("page.css").read_text("utf-8"),
        script=folder.joinpath("molecule.js").read_text("utf-8"),
        notes=notes,
        answer=write_answer(quantities),
        convergence=convergence,
        tone=tone,
        key_numbers=table.list_key_numbers(quantities, notes["summary"]),
        all_numbers=[table.make_row(q, notes["all"]) for q in quantities],
        facts=overview.list_facts(tree, document, made),
        species=overview.list_species(tree),
        concentrations=overview.list_concentrations(quantities, made),
        box=_make_box(tree),
        plots=_draw_plots(tree, cations),
        rdf=table.list_rdf(tree, known, notes["rdf"]),
        coordination=[
            table.make_row(q, notes["coordination"])
            for q in quantities
            if q.name.startswith(("coordination.", "distance.", "bite."))
        ],
        denticity=_pick(quantities, ("denticity.", "bridging."), notes["denticity"]),
        bindings=structure.list_bindings(tree),
        shapes=structure.list_shapes(tree),
        geometry=_pick(quantities, ("shape.",), notes["geometry"]),
        conformations=_pick(quantities, ("conformation.",), notes["conformations"]),
        speciation=_pick(
            quantities, ("speciation.", "uncoordinated.", "species."), notes["speciation"]
        ),
        clusters=_pick(quantities, ("percolation",), notes["clusters"]),
        motifs=structure.list_motifs(tree, known, notes["shells"]),
        exchange=_pick(quantities, ("exchange.",), notes["exchange"]),
        agreement=structure.list_agreement(tree),
        shells=table.list_shells(tree, known, notes["shells"]),
        residence=table.list_residence(tree, known, notes["residence"]),
        diffusion=table.list_diffusion(tree, known, notes["diffusion"]),
        conductivity=[
            table.make_row(q, notes["conductivity"])
            for q in quantities
            if q.name.startswith(("conductivity.", "transference.", "onsager.", "walden"))
        ],
        viscosity=_pick(quantities, ("viscosity",), notes["viscosity"]),
        permittivity=_pick(quantities, ("permittivity",), notes["permittivity"]),
        compared=rows,
        sources=sources,
        unsettled=table.list_unsettled(quantities),
        made=overview.list_provenance(made),
        recipe=recipe_text,
        is_run=tree.attrs.get("kind", "run") == "run",
        analyzers=_list_analyzers(tree),
        remarks=json.loads(str(tree.attrs.get("notes", "[]"))),
    )


def _pick(
    quantities: Sequence[Quantity], heads: tuple[str, ...], notes: table.Notes
) -> list[dict[str, Any]]:
    """Make a row of every quantity whose name starts so."""
    return [table.make_row(q, notes) for q in quantities if q.name.startswith(heads)]


def _make_box(tree: xr.DataTree) -> dict[str, Any] | None:
    if "structure" not in tree.children:
        return None
    structure = tree["structure"].to_dataset()
    return view.make_box_scene(structure, lambda name: overview.find_role(tree, name))


def _draw_plots(tree: xr.DataTree, cations: Sequence[str]) -> dict[str, list[str]]:
    """Draw the plots of every node that the tree has, by section."""
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    plots: dict[str, list[str]] = {name: [] for name in (*SECTIONS, "rdf-more")}
    plots.update(structure.draw_structure(nodes))
    if "thermo" in nodes:
        stages = _read_stages(nodes["thermo"])
        for name, label in (
            ("density", "density"),
            ("potential_energy", "potential energy"),
            ("temperature", "temperature"),
        ):
            if name in nodes["thermo"]:
                plots["convergence"].append(
                    figures.draw_series(nodes["thermo"], name, label, stages)
                )
    if "rdf" in nodes:
        for pair in nodes["rdf"]["pair"].to_numpy().astype(str):
            has_shell = bool(np.isfinite(float(nodes["rdf"]["cutoff"].sel(pair=pair))))
            section = "rdf" if has_shell else "rdf-more"
            plots[section].append(figures.draw_rdf(nodes["rdf"], pair))
        if len(plots["rdf"]) + len(plots["rdf-more"]) <= 3:  # room for all in one row
            plots["rdf"] += plots.pop("rdf-more")
            plots["rdf-more"] = []
    if "coordination" in nodes:
        data = nodes["coordination"]
        for cation in cations:
            pairs = [
                pair
                for pair in data["pair"].to_numpy().astype(str)
                if pair.startswith(f"{cation}-") and float(data["number"].sel(pair=pair)) > 0.005
            ]
            if pairs:
                plots["coordination"].append(figures.draw_coordination(data, pairs, cation))
    if "speciation" in nodes:
        plots["speciation"] = _draw_speciation(nodes["speciation"])
    if "shells" in nodes:
        shells = nodes["shells"].isel(shell=slice(MOST_BARS))
        plots["shells"].append(
            figures.draw_fractions(
                shells["shell"].to_numpy().astype(str).tolist(),
                shells["fraction"].to_numpy(),
                shells["fraction_stderr"].to_numpy(),
                key="shells",
                label="fraction of cations",
                color=0,
            )
        )
    if "residence" in nodes and nodes["residence"].sizes["pair"]:
        plots["residence"].append(figures.draw_residence(nodes["residence"]))
    if "diffusion" in nodes:
        plots["diffusion"].append(figures.draw_msd(nodes["diffusion"]))
        if "scan" in nodes["diffusion"]:  # not in results of older versions
            plots["diffusion"].append(figures.draw_scan(nodes["diffusion"]))
    if "conductivity" in nodes and "collective" in nodes["conductivity"]:
        plots["conductivity"].append(figures.draw_charge(nodes["conductivity"]))
    if "onsager" in nodes:
        plots["conductivity"].append(transport.draw_decomposition(nodes["onsager"]))
    for section, panels in draw_recorded(nodes).items():
        plots[section] += panels
    return plots


def _draw_speciation(speciation: xr.Dataset) -> list[str]:
    fraction = speciation["species_fraction"].to_numpy()
    first = np.argsort(-fraction, kind="stable")[: min(MOST_BARS, int((fraction > 0).sum()))]
    counterions = speciation["cation_counterions"].to_numpy()
    last = int(np.max(np.flatnonzero(counterions > 5e-4), initial=0)) + 1
    return [
        figures.draw_classes(speciation),
        figures.draw_fractions(
            speciation["species"].to_numpy().astype(str)[first].tolist(),
            fraction[first],
            speciation["species_fraction_stderr"].to_numpy()[first],
            key="species",
            label="fraction of cations",
            title="Charged species",
        ),
        figures.draw_fractions(
            [
                f"{n:g} anion{'s' * (n != 1)}"
                for n in speciation["n_counterions"].to_numpy().tolist()[:last]
            ],
            counterions[:last],
            speciation["cation_counterions_stderr"].to_numpy()[:last],
            key="counterions",
            label="fraction of cations",
            title="Anions in the first shell",
            color=4,
        ),
    ]


def _read_stages(thermo: xr.Dataset) -> list[figures.Stage]:
    """Read the stages of the first replica: name, begin and end in ps."""
    stages: dict[str, list[tuple[str, float, float]]] = json.loads(str(thermo.attrs["stages"]))
    return [(name, float(begin), float(end)) for name, begin, end in next(iter(stages.values()))]


def _list_analyzers(tree: xr.DataTree) -> list[tuple[str, list[tuple[str, str]]]]:
    """List what each analyzer says of how it worked: the attributes of its node."""
    rows = []
    for name, node in tree.children.items():
        said = [(str(k).replace("_", " "), str(v)) for k, v in node.attrs.items() if k != "stages"]
        if said:
            rows.append((name, said))
    return rows
