"""``solvation systems``: the electrolytes at hand, and what is known of them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors
from solvation.display import show_experiment, show_table

__all__ = ["systems_command"]


def systems_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.", metavar="NAME")] = None,
    cation: Annotated[
        str | None, typer.Option(help="Only those with this cation, e.g. Ca.", metavar="NAME")
    ] = None,
    anion: Annotated[
        str | None, typer.Option(help="Only those with this anion, e.g. TFSI.", metavar="NAME")
    ] = None,
    solvent: Annotated[
        str | None, typer.Option(help="Only those with this molecule, e.g. DME.", metavar="NAME")
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            help="A: Mg and Ca in ethers, controls; B: others; C: cannot be run yet.",
            metavar="A|B|C",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the shipped electrolytes, or print one.

    One is printed as its recipe and what others measured, with sources.

    Examples:

      solvation systems --cation Ca --solvent DME

      solvation systems ca-bhfip4-dme
    """
    with guard_errors():
        if name is not None:
            _print_one(name, as_json)
            return
        from dataclasses import asdict

        from solvation.catalog import filter_electrolytes, list_electrolytes

        items = filter_electrolytes(
            list_electrolytes(), cation=cation, anion=anion, solvent=solvent, tier=tier
        )
        if as_json:
            print(json.dumps([asdict(item) for item in items], indent=1))
            return
        show_table(
            ("name", "tier", "salt", "solvent", "experiment", "force field"),
            [
                (
                    item.name,
                    item.tier,
                    ", ".join(item.salts) or item.title,
                    ", ".join(item.solvents),
                    item.known,
                    " ".join(item.forcefields) or item.problem,
                )
                for item in items
            ],
        )
        print(f"\n{len(items)} electrolytes; solvation systems NAME prints one, "
              "solvation run NAME runs it")  # fmt: skip


def _print_one(name: str, as_json: bool) -> None:
    """Print a recipe and the values with their sources."""
    from dataclasses import asdict

    from solvation.catalog import describe_electrolyte
    from solvation.experiment import load_experiment
    from solvation.library import find_system
    from solvation.recipe import load_recipe

    path = find_system(name)
    recipe = load_recipe(name)
    file = path.with_name("experiment.toml")
    experiment = load_experiment(file) if file.is_file() else None
    item = describe_electrolyte(name)
    if as_json:
        document = {
            "recipe": recipe.to_dict(),
            "experiment": {} if experiment is None else asdict(experiment),
            "forcefields": list(item.forcefields),
            "problem": item.problem,
        }
        print(json.dumps(document, indent=1))
        return
    print(path.read_text(encoding="utf-8").rstrip())
    print(f"\n# force field: {' '.join(item.forcefields) or item.problem}\n")
    if experiment is not None:
        show_experiment(experiment)
