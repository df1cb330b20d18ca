"""Parametrize: a force-field folder for an ion or molecule that no force field here covers.

Conformers, geometry and Hessian, charges, torsion scans, then the fit and its proof. Every
finished step lies in ``derivation/`` and is not done again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build import quantum
from solvation.build.analogy import assign_rows
from solvation.build.audit import relax_alone
from solvation.build.correction import (
    WORDS,
    correct_surface,
    find_correction,
    label_bond,
    parse_bond,
)
from solvation.build.derivation import (
    Listener,
    find_charges,
    find_hessian,
    find_shapes,
    keep_log,
    open_derivation,
    scan_rotor,
)
from solvation.build.fitting import (
    Agreement,
    check_angles,
    compare_minimum,
    make_system_of,
    make_template,
    settle_lengths,
)
from solvation.build.forcecard import write_card
from solvation.build.seminario import measure_dihedral
from solvation.build.stiffness import fit_constants
from solvation.build.subject import Subject, read_subject
from solvation.build.torsion import (
    Scan,
    find_impropers,
    find_known,
    find_rotors,
    fit_terms,
)
from solvation.errors import ForceFieldError, RecipeError, SimulationError
from solvation.library import Species, find_species, recognize_species
from solvation.workspace import collect_versions, write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from solvation.build.derived import Template
    from solvation.build.resp import Charges
    from solvation.build.torsion import Rotor

__all__ = ["LARGEST_RMSD", "Parametrized", "parametrize"]

LARGEST_RMSD = 0.15
"""Å; a force field whose shape is farther from the reference is flagged."""
_HOPELESS_RMSD = 1.0
"""Å; here nothing is written that a simulation could use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parametrized:
    """What came out."""

    folder: Path
    """Force-field folder: ``card.toml``, ``<name>.xml``, ``species.toml``, ``derivation/``."""
    name: str
    """Name of the species."""
    agreement: Agreement
    """Force field against reference at the minimum."""
    rrms: float
    """Relative error of the electrostatic potential."""
    flags: tuple[str, ...]
    """What is not good enough, in words; none if all is well."""


def parametrize(
    source: str,
    *,
    charge: int,
    name: str,
    output: Path,
    method: str = "gfn2",
    stretch: str | None = None,
    conformers: int = 2,
    orientations: int = 2,
    threads: int = 2,
    seed: int = 2026,
    listen: Listener = lambda text: None,
) -> Parametrized:
    """Derive parameters for a species and write a force-field folder.

    Parameters
    ----------
    source
        SMILES, or path of an SDF file.
    charge
        Formal charge in e; must be that of the SMILES.
    name
        Name of the species, used in recipes.
    output
        Folder to write.
    method
        ``"gfn2"`` or ``"b3lyp"``, for geometry, Hessian and scans.
    stretch
        Bond, e.g. ``"0-19"``, atoms numbered from 0 as in the SMILES, whose length is to follow
        B3LYP/def2-SVP where GFN2-xTB misses it.
    conformers, orientations
        Shapes, and orientations of the points around each, in the fit of the charges.
    threads
        Of the processor, for HF/6-31G*.
    seed
        Of conformers and orientations.
    listen
        Gets a line for every step.

    Raises
    ------
    RecipeError
        If the input is wrong or the extra ``parametrize`` is not installed.
    SimulationError
        If a calculation does not converge.
    ForceFieldError
        If terms of this form cannot hold the molecule.
    """
    quantum.limit_threads()
    subject = read_subject(source, charge=charge, name=name)
    if method not in quantum.METHODS:
        raise RecipeError(f'--method "{method}" is not known; use {", ".join(quantum.METHODS)}')
    if stretch is not None and method != "gfn2":
        raise RecipeError(f'--stretch mends GFN2-xTB; leave it out with --method "{method}"')
    bond = None if stretch is None else parse_bond(stretch, subject)
    rows = assign_rows(subject)
    _check_name(subject)
    quantum.require_programs()
    folder = output / "derivation"
    asked = {
        "smiles": subject.smiles, "charge": charge, "name": name, "method": method,
        "stretch": stretch, "conformers": conformers, "orientations": orientations, "seed": seed,
        "versions": _list_versions(),
    }  # fmt: skip
    open_derivation(folder, asked)
    listen = keep_log(folder / "log.txt", listen)
    surface = quantum.make_surface(method, subject.numbers, charge)
    words, scaling = quantum.METHODS[method]
    if bond is not None:
        correction = find_correction(subject, surface, bond, folder, seed, listen)
        surface = correct_surface(surface, correction)
        words += f" ({label_bond(subject, bond)} stretched as by {WORDS})"
    shapes, energies = find_shapes(subject, surface, folder, conformers, seed, listen)
    check_angles(subject, shapes[0])
    hessian = find_hessian(surface, shapes[0], folder, listen)
    _check_minimum(subject, hessian)
    charges = find_charges(subject, shapes, folder, orientations, threads, seed, listen)
    known = find_known(subject, rows)
    rotors = find_rotors(subject, shapes[0], known)
    scans = [
        scan_rotor(subject, surface, rotor, shapes[0], energies[0], folder, listen)
        for rotor in rotors
    ]
    listen("fit: bonds, angles, torsions")
    impropers, rings = find_impropers(subject, rows, shapes[0])
    torsions = {k: (*v, "OPLS-AA 1996, by analogy") for k, v in known.items()} | rings
    template = make_template(
        subject, rows, shapes[0], hessian * scaling, charges.values, torsions, impropers,
        source=f"Hessian of {words}",
    )  # fmt: skip
    draft = folder / "draft.xml"
    masses = _list_masses(subject)
    template = fit_constants(template, shapes[0], hessian * scaling, masses, draft)
    template = settle_lengths(template, shapes[0], draft)
    template, errors = _fit_torsions(template, rotors, scans, known, draft, words)
    template = fit_constants(template, shapes[0], hessian * scaling, masses, draft)
    template = settle_lengths(template, shapes[0], draft)
    agreement = compare_minimum(template, shapes[0], hessian * scaling, masses, draft)
    draft.unlink()
    flags = _judge(agreement, charges)
    report = {
        "agreement": asdict(agreement), "rrms": charges.rrms, "rmse": charges.rmse,
        "points": charges.n_points, "flags": flags, "words": words,
        "scans": [
            {"bond": "-".join(subject.elements[a] for a in rotor.atoms), "rms": round(error, 3)}
            for rotor, error in zip(rotors, errors, strict=True)
        ],
    }  # fmt: skip
    write_atomic(folder / "validation.json", json.dumps(report, indent=1) + "\n")
    if agreement.rmsd > _HOPELESS_RMSD:
        raise ForceFieldError(
            f"{name}: the force field's shape is {agreement.rmsd:.2f} angstrom from that of {words}"
            f", more than {_HOPELESS_RMSD}; nothing was written but {folder}"
        )
    write_atomic(output / f"{name}.xml", template.to_xml())
    write_card(output, subject, shapes[0], asked, report)
    listen(f"done: {output.name}")
    return Parametrized(
        folder=output, name=name, agreement=agreement, rrms=charges.rrms, flags=tuple(flags)
    )


def _check_name(subject: Subject) -> None:
    """Refuse a name that means something else, and a species that has another name."""
    known = recognize_species(subject.elements, subject.bonds)
    if known is not None and known.name != subject.name:
        raise RecipeError(f"this is {known.title}, known as {known.name}; use --name {known.name}")
    taken: Species | None = None
    try:
        taken = find_species(subject.name)
    except RecipeError:
        return
    if known is None or taken.name != known.name:
        raise RecipeError(f'--name "{subject.name}" already means {taken.title}; choose another')


def _check_minimum(subject: Subject, hessian: NDArray[np.float64]) -> None:
    lowest = quantum.compute_frequencies(hessian, _list_masses(subject)).min()
    if lowest < -30:
        raise SimulationError(
            f"{subject.name}: the shape is a saddle point ({lowest:.0f} /cm); choose another --seed"
        )


def _fit_torsions(
    template: Template, rotors: tuple[Rotor, ...], scans: list[Scan], known: Any,
    draft: Path, words: str,
) -> tuple[Template, tuple[float, ...]]:  # fmt: skip
    """Relax the force field without the torsions along every scan and fit the difference."""
    from dataclasses import replace

    if not rotors:
        return template, ()
    system = make_system_of(template, scans[0].shapes[0], draft)
    bare = []
    for rotor, scan in zip(rotors, scans, strict=True):
        pairs = [
            relax_alone(system, s, held=(rotor.atoms, measure_dihedral(s, rotor.atoms)))
            for s in scan.shapes
        ]
        bare.append(
            Scan(
                reference=scan.reference,
                bare=np.array([energy for _, energy in pairs]),
                shapes=np.array([shape for shape, _ in pairs]),
            )
        )
    terms, errors = fit_terms(template.subject, rotors, bare, known)
    fitted = {key: (*v, f"fitted to {words} scans") for key, v in terms.items()}
    return replace(template, torsions={**template.torsions, **fitted}), errors


def _judge(agreement: Agreement, charges: Charges) -> list[str]:
    flags = []
    if agreement.rmsd > LARGEST_RMSD:
        flags.append(f"heavy atoms {agreement.rmsd:.3f} A from the reference, above {LARGEST_RMSD}")
    if charges.rrms > 0.2:
        flags.append(f"RRMS of the potential {charges.rrms:.3f}, above 0.2")
    if agreement.lowest_frequency < -5:
        flags.append(f"lowest frequency {agreement.lowest_frequency:.0f} /cm: no minimum")
    if agreement.frequency_relative_rms > 0.2:
        flags.append(
            f"frequencies above 200 /cm off by {agreement.frequency_relative_rms:.0%}, above 20 %"
        )
    return flags


def _list_masses(subject: Subject) -> NDArray[np.float64]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return np.array([table.GetAtomicWeight(number) for number in subject.numbers])


def _list_versions() -> dict[str, str]:
    from importlib.metadata import version

    programs = {name: version(name) for name in ("tblite", "pyscf", "geometric")}
    return {**{name: collect_versions()[name] for name in ("solvation", "rdkit")}, **programs}
