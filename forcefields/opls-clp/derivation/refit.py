"""Fit the torsions of TMP and TEP again, to DF-MP2 energies of the scans.

    solvation parametrize "COP(=O)(OC)OC" --charge 0 --name TMP --conformers 3 -o TMP
    python refit.py TMP

Reads the folder that `solvation parametrize` wrote, adds DF-MP2/cc-pVDZ energies at the shapes of
every scan (a few minutes, kept in ``derivation/``), and writes the XML with torsions fitted to
them: relaxed along the scans with the torsions of the round before, fitted, and again, because
the other P-O bonds turn when one is turned. Charges stay what they were; bonds and angles have the
constants of modified Seminario, not those that `solvation parametrize` fits to the whole Hessian;
lengths and angles at rest settle again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit

from solvation.build import quantum
from solvation.build.analogy import assign_rows
from solvation.build.audit import relax_alone
from solvation.build.derivation import find_hessian, find_shapes, scan_rotor
from solvation.build.fitting import compare_minimum, make_system_of, make_template, settle_lengths
from solvation.build.seminario import measure_dihedral
from solvation.build.subject import read_subject
from solvation.build.torsion import Scan, find_impropers, find_known, find_rotors, fit_terms

METHOD = "DF-MP2/cc-pVDZ//GFN2-xTB"
ROUNDS = 12
SCALE = 10.0
"""kJ/mol; a point this high weighs 1/e of the lowest, as in `solvation.build.torsion`."""


def compute_energies(
    elements: tuple[str, ...], shapes: NDArray[np.float64], file: Path
) -> NDArray[np.float64]:
    """DF-MP2/cc-pVDZ energy of every shape in kJ/mol, kept in a file."""
    if not file.is_file():
        from pyscf import gto, scf
        from pyscf.mp.dfmp2_native import DFMP2

        found = []
        for shape in shapes:
            atoms = list(zip(elements, shape.tolist(), strict=True))
            molecule = gto.M(atom=atoms, basis="cc-pvdz", verbose=0)
            energy = DFMP2(scf.RHF(molecule).density_fit().run()).run().e_tot
            found.append(energy * 2625.49963948)
        np.savetxt(file, np.array(found) - min(found), fmt="%.4f", header=f"{METHOD}, kJ/mol")
    return np.loadtxt(file)


def compute_bare(system: openmm.System, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy without the fitted torsions at every shape, kJ/mol."""
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    found = []
    for shape in shapes:
        context.setPositions(shape / 10)
        energy = context.getState(getEnergy=True).getPotentialEnergy()
        found.append(energy.value_in_unit(unit.kilojoule_per_mole))
    return np.array(found)


def refit(output: Path) -> None:
    """Fit again and write the XML."""
    from rdkit import Chem

    quantum.limit_threads()
    folder = output / "derivation"
    asked = json.loads((folder / "input.json").read_text())
    name = asked["name"]
    subject = read_subject(asked["smiles"], charge=asked["charge"], name=name)
    rows = assign_rows(subject)
    words, scaling = quantum.METHODS[asked["method"]]
    surface = quantum.make_surface(asked["method"], subject.numbers, subject.charge)
    shapes, lowest = find_shapes(
        subject, surface, folder, asked["conformers"], asked["seed"], print
    )  # fmt: skip
    shape = shapes[0]
    hessian = find_hessian(surface, shape, folder, print) * scaling
    charges = np.array(json.loads((folder / "charges.json").read_text())["charges"])
    known = find_known(subject, rows)
    rotors = find_rotors(subject, shape, known)
    impropers, rings = find_impropers(subject, rows, shape)
    torsions = {k: (*v, "OPLS-AA 1996, by analogy") for k, v in known.items()} | rings
    template = make_template(
        subject, rows, shape, hessian, charges, torsions, impropers,
        source=f"modified Seminario on {words}",
    )  # fmt: skip
    draft = folder / "draft.xml"
    template = settle_lengths(template, shape, draft)
    bare = make_system_of(template, shape, draft)
    paths, wanted = [], []
    for rotor in rotors:
        scan = scan_rotor(subject, surface, rotor, shape, lowest[0], folder, print)
        paths.append(scan.shapes)
        file = folder / f"scan-{'-'.join(map(str, rotor.atoms))}-mp2.txt"
        energies = compute_energies(subject.elements, scan.shapes, file)
        wanted.append(energies - energies.min())
    terms: dict[tuple[int, int, int, int], tuple[float, float, float]] = {}
    best, errors = terms, [np.inf] * len(rotors)
    for _ in range(ROUNDS):
        fitted = {key: (*v, f"fitted to {METHOD} scans") for key, v in terms.items()}
        trial = replace(template, torsions={**template.torsions, **fitted})
        system = make_system_of(trial, shape, draft)
        scans, left = [], []
        for rotor, path, energies in zip(rotors, paths, wanted, strict=True):
            pairs = [
                relax_alone(system, s, held=(rotor.atoms, measure_dihedral(s, rotor.atoms)))
                for s in path
            ]
            relaxed = np.array([s for s, _ in pairs])
            scans.append(Scan(reference=energies, bare=compute_bare(bare, relaxed), shapes=relaxed))
            off = np.array([energy for _, energy in pairs]) - energies
            weights = np.exp(-energies / SCALE)
            weights /= weights.sum()
            left.append(float(np.sqrt(weights @ (off - weights @ off) ** 2)))
        print("weighted rms errors (kJ/mol):", *(f"{error:.2f}" for error in left))
        if terms and np.hypot(*left) < np.hypot(*errors):
            best, errors = terms, left
        found, _ = fit_terms(subject, rotors, scans, known)
        step = 0.5 if terms else 1.0
        terms = {
            key: tuple(  # type: ignore[misc]
                old + step * (new - old)
                for new, old in zip(v, terms.get(key, (0.0, 0.0, 0.0)), strict=True)
            )
            for key, v in found.items()
        }
    terms = best
    terms = {key: (round(a, 4), round(b, 4), round(c, 4)) for key, (a, b, c) in terms.items()}
    fitted = {key: (*v, f"fitted to {METHOD} scans") for key, v in terms.items()}
    template = replace(template, torsions={**template.torsions, **fitted})
    template = settle_lengths(template, shape, draft)
    table = Chem.GetPeriodicTable()
    masses = np.array([table.GetAtomicWeight(number) for number in subject.numbers])
    agreement = compare_minimum(template, shape, hessian, masses, draft)
    draft.unlink()
    (output / f"{name}.xml").write_text(template.to_xml())
    report = {
        "agreement": asdict(agreement),
        "scans": {
            "-".join(subject.elements[a] for a in rotor.atoms): round(error, 3)
            for rotor, error in zip(rotors, errors, strict=True)
        },
    }
    (folder / "refit.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    refit(Path(sys.argv[1]))
