"""``solvation new``: a commented recipe from a few words."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors

__all__ = ["new_command"]


def new_command(
    name: Annotated[str, typer.Argument(help="Name of the recipe.", metavar="NAME")],
    salt: Annotated[
        list[str] | None,
        typer.Option(
            help='Salt and amount: "Ca(BHFIP4)2 0.25 M", "LiTFSI 1 mol/kg", "Mg(TFSI)2 1:18".',
            metavar="SALT",
        ),
    ] = None,
    solvent: Annotated[
        list[str] | None,
        typer.Option(
            help='Solvent: DME, "G2 30 vol%", "EC:PC 1:1", "EMIM OTf".', metavar="SOLVENT"
        ),
    ] = None,
    additive: Annotated[
        list[str] | None,
        typer.Option(help='Additive: "TMP 1 per cation", "TMP 0.1 M".', metavar="ADDITIVE"),
    ] = None,
    temperature: Annotated[
        str, typer.Option(help="Temperature with its unit.", metavar="T")
    ] = "298.15 K",
    forcefield: Annotated[
        str | None, typer.Option(help="Force field [default: one that covers it].", metavar="NAME")
    ] = None,
    species: Annotated[
        list[str] | None,
        typer.Option(help="Folder that `solvation parametrize` wrote.", metavar="DIR"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File [default: NAME.toml].", metavar="FILE"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a recipe for an electrolyte of your own.

    Every key has a comment; no file is overwritten.

    Names, aliases, formulas and SMILES are understood. Options may be given several times.

    Example:

      solvation new my-electrolyte --salt "Ca(TFSI)2 0.25 M" --solvent DME
    """
    with guard_errors():
        from solvation.build.box import choose_charge_scale
        from solvation.build.composition import compose
        from solvation.catalog import find_coverage
        from solvation.draft import draft_recipe, save_draft
        from solvation.errors import SolvationError
        from solvation.extension import add_species
        from solvation.formula import read_additive, read_salt, read_solvents
        from solvation.section import Model

        path = output or Path(f"{name}.toml")
        folders = [str(Path(folder).expanduser().resolve()) for folder in species or ()]
        add_species(folders)
        draft = partial(
            draft_recipe,
            name,
            salts=[read_salt(text) for text in salt or ()],
            solvents=read_solvents(solvent or ()),
            additives=[read_additive(text) for text in additive or ()],
            temperature=temperature,
            species=folders,
        )
        covering, lacking = find_coverage(draft()[1])
        usual = Model().forcefield
        chosen = forcefield or (usual if usual in covering or not covering else covering[0])
        text, recipe = draft(forcefield=chosen)
        composition = compose(recipe.resolve())
        save_draft(text, path)
        if as_json:
            row = {"file": str(path), "recipe": recipe.to_dict(), "lacking": list(lacking),
                   "counts": dict(composition.counts)}  # fmt: skip
            print(json.dumps(row, indent=1))
            return
        counts = ", ".join(f"{number} {kind}" for kind, number in composition.counts.items())
        print(f"{path}: {recipe.title}")
        print(f"profile standard: {counts} in a box of about {composition.edge:.0f} angstrom")
        if lacking:
            print(f"no force field has parameters for {', '.join(lacking)} yet: "
                  "solvation parametrize derives them, and --species takes its folder")  # fmt: skip
        elif chosen not in covering:
            print(f"force field {chosen} does not cover all of it; {', '.join(covering)} would")
        try:
            choose_charge_scale(recipe)
        except SolvationError as error:
            print(error)
        if chosen in covering:
            print(f"run it with: solvation run {path} --profile quick")
