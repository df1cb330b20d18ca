"""Delivery: a run folder exported, read back and compared."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import ForceFieldError, WorkspaceError
from solvation.export.amber import write_amber
from solvation.export.blueprint import Blueprint
from solvation.export.comparison import EnergyRow, compare_energies, make_reference, read_back
from solvation.export.extraction import read_blueprint
from solvation.export.gromacs import write_gromacs
from solvation.export.lammps import write_lammps
from solvation.workspace import RunFolder, write_atomic

if TYPE_CHECKING:
    import openmm

__all__ = ["TARGETS", "Delivery", "export_run", "open_blueprint"]

TARGETS = {"gromacs": write_gromacs, "lammps": write_lammps, "amber": write_amber}
"""Program: what writes its files."""

_LIMITS = {
    "gromacs": (
        "Coulomb's constant is that of CODATA 2018 here, 138.935456, and 138.935458 there",
        "rigid water is [ settles ]; other X-H bonds become rigid by constraints = h-bonds (.mdp)",
    ),
    "lammps": (
        "pppm 1e-5 is not the PME mesh used here; Coulomb differs by the accuracy of either",
        "rigid bonds are a fix shake, written as a comment in the input",
    ),
    "amber": (
        "AMBER's own Coulomb constant is 18.2223^2, 3.5e-5 less than here",
        "the tail of the dispersion (vdwmeth = 1) is AMBER's own average over the pair table",
        "rigid bonds are ntc = 2 (.mdin); water is made rigid by its angle only if you say so",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was written, what it leaves out, and how well it reads back."""

    target: str
    """Program."""
    files: tuple[Path, ...]
    """What was written."""
    notes: tuple[str, ...]
    """What the format does not hold or holds otherwise."""
    energies: tuple[EnergyRow, ...]
    """Every term, here and read back."""


def export_run(
    run: str | Path,
    folder: str | Path,
    *,
    target: str,
    source: str | None = None,
    allow_scripts: bool = False,
) -> Delivery:
    """Write a built system for another program, read it back and compare energies.

    Parameters
    ----------
    run
        Run folder with a built box.
    folder
        Where the files go.
    target
        ``"gromacs"``, ``"lammps"`` or ``"amber"``.
    source
        A start (``"separated"``), or a replica (``"separated-1"``), whose latest positions are
        taken; the first built start when not given.
    allow_scripts
        Whether the force field may run Python code.

    Raises
    ------
    WorkspaceError
        If there is nothing to export.
    ForceFieldError
        If the format cannot hold the system.
    """
    system, blueprint, name = open_blueprint(Path(run), source, allow_scripts=allow_scripts)
    if blueprint.c4 is not None and target != "amber":
        raise ForceFieldError(
            f"{target} files cannot hold the r^-4 term of 12-6-4 ions; use --to amber, or another "
            "model.ions"
        )
    files = TARGETS[target](blueprint, name)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for label, text in files.items():
        write_atomic(place / label, text)
    rows = compare_energies(
        blueprint,
        make_reference(system, blueprint),
        read_back(target, place, name, blueprint.cutoff),
    )
    notes = [
        "masses are ordinary: hydrogens are not made heavier, so take a time step of 2 fs, not 4",
        "temperature, pressure and integrator are not exported",
        *_LIMITS[target],
    ]
    if blueprint.rigid:
        notes.insert(0, f"{len(blueprint.rigid)} distances that are rigid here have a force "
                        "constant in the files, and so an energy")  # fmt: skip
    return Delivery(
        target=target,
        files=tuple(place / label for label in files),
        notes=tuple(notes),
        energies=tuple(rows),
    )


def open_blueprint(
    run: Path, source: str | None = None, *, allow_scripts: bool = False
) -> tuple[openmm.System, Blueprint, str]:
    """Open a built box: the System, what is in it, and the name of the recipe."""
    import openmm
    from openmm import app, unit

    from solvation.build.supplement import load_model
    from solvation.library import recognize_species
    from solvation.recipe import load_recipe

    folder = RunFolder(path=run)
    start, state = _find_state(folder, source)
    recipe = load_recipe(folder.recipe)
    model = load_model(recipe, allow_scripts=allow_scripts)
    system = openmm.XmlSerializer.deserialize((start / "system.xml").read_text(encoding="utf-8"))
    pdb = app.PDBFile(io.StringIO((start / "topology.pdb").read_text(encoding="utf-8")))
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    edge = float(state.getPeriodicBoxVectors(asNumpy=True)[0, 0].value_in_unit(unit.angstrom))
    flexible = app.ForceField(*map(str, (*model.files, *model.extra))).createSystem(
        pdb.topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False
    )
    names = []
    for residue in pdb.topology.residues():
        atoms = {atom.index: number for number, atom in enumerate(residue.atoms())}
        species = recognize_species(
            [atom.element.symbol for atom in residue.atoms()],
            [(atoms[b[0].index], atoms[b[1].index]) for b in residue.bonds()],
        )
        names.append(species.name if species is not None else residue.name)
    blueprint = read_blueprint(
        system, flexible, pdb.topology, positions, edge=edge, names=names,
        mixing=model.mixing, scale_14=model.scale_14,
    )  # fmt: skip
    return system, blueprint, recipe.name


def _find_state(folder: RunFolder, source: str | None) -> tuple[Path, Any]:
    """Find the box a start or a replica is made of, and its positions."""
    import openmm

    from solvation.simulate.engine import load_snapshot

    built = sorted(path.parent for path in folder.path.glob("build/*/audit.json"))
    if not built:
        raise WorkspaceError(f"{folder.path} has no built box; run `solvation build` first")
    starts = {path.name: path for path in built}
    ran = source is not None and (folder.simulate(source) / "checkpoint").exists()
    if source is None or (source in starts and not ran):
        start = starts[source] if source else built[0]
        text = (start / "state.xml").read_text(encoding="utf-8")
        return start, openmm.XmlSerializer.deserialize(text)
    snapshot = load_snapshot(folder.simulate(source) / "checkpoint")
    start_of = folder.read_manifest().get("replicas", {}).get(source, {}).get("start")
    origin = starts.get(start_of or source.rpartition("-")[0])
    if snapshot is None or origin is None:
        replicas = sorted(path.parent.name for path in folder.path.glob("simulate/*/checkpoint"))
        raise WorkspaceError(
            f'{folder.path} has no start or replica "{source}"; choose one of '
            f"{', '.join([*starts, *replicas])}"
        )
    return origin, openmm.XmlSerializer.deserialize(snapshot.state)
