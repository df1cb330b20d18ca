"""``solvation parametrize``: a force field for a species that none here covers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors

__all__ = ["parametrize_command"]


def parametrize_command(
    source: Annotated[
        str, typer.Argument(help="SMILES, or an SDF file.", metavar="SMILES|FILE.sdf")
    ],
    charge: Annotated[int, typer.Option(help="Formal charge in e.", metavar="Q")],
    name: Annotated[str, typer.Option(help="Name of the species, for recipes.", metavar="NAME")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write [default: NAME].", metavar="DIR"),
    ] = None,
    method: Annotated[
        str, typer.Option(help="gfn2 or b3lyp: geometry, Hessian, scans.", metavar="METHOD")
    ] = "gfn2",
    stretch: Annotated[
        str | None,
        typer.Option(
            help="Bond that GFN2-xTB misses, e.g. 0-19, to follow B3LYP; atoms of the SMILES "
            "from 0.",
            metavar="I-J",
        ),
    ] = None,
    conformers: Annotated[
        int, typer.Option(min=1, help="Shapes in the fit of the charges.", metavar="N")
    ] = 2,
    orientations: Annotated[
        int, typer.Option(min=1, help="Orientations of the points around each.", metavar="N")
    ] = 2,
    threads: Annotated[int, typer.Option(min=1, help="For HF/6-31G*.", metavar="N")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of conformers and points.")] = 2026,
    as_json: JsonOption = False,
) -> None:
    """Derive a force field for a species that has none.

    Run it again to continue; finished steps lie in DIR/derivation. Use the result in a recipe
    with `species = ["DIR"]` in [model].

    Example:

      solvation parametrize "[B-](F)(F)(F)C#N" --charge -1 --name BF3CN -o mine
    """
    with guard_errors():
        from dataclasses import asdict

        from solvation.build.parametrize import parametrize

        done = parametrize(
            source,
            charge=charge,
            name=name,
            output=output or Path(name),
            method=method,
            stretch=stretch,
            conformers=conformers,
            orientations=orientations,
            threads=threads,
            seed=seed,
            listen=lambda text: None if as_json else print(text, file=sys.stderr, flush=True),
        )
        if as_json:
            print(json.dumps(asdict(done), indent=1, default=str))
            return
        at = done.agreement
        print(f"heavy atoms within {at.rmsd:.3f} angstrom of the reference, RRMS {done.rrms:.4f}")
        print(
            f"vibrations within {at.frequency_rms:.0f} /cm ({at.frequency_relative_rms:.0%}), rms"
        )
        for flag in done.flags:
            print(f"doubtful: {flag}")
