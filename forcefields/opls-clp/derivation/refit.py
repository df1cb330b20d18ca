"""Fit the torsions of TMP and TEP again, to DF-MP2 energies of the scans.

    solvation parametrize "COP(=O)(OC)OC" --charge 0 --name TMP --conformers 3 -o TMP
    python refit.py TMP

Reads the folder that `solvation parametrize` wrote, adds DF-MP2/cc-pVDZ energies at the shapes of
every scan (a few minutes, kept in ``derivation/``), and writes the XML with torsions fitted to
them. Bonds, angles and charges stay what they were, but for the lengths and angles at rest, which
settle again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvation.build import quantum
from solvation.build.analogy import assign_rows
from solvation.build.audit import relax_alone
from solvation.build.fitting import compare_minimum, make_system_of, make_template, settle_lengths
from solvation.build.seminario import measure_dihedral
from solvation.build.subject import read_subject
from solvation.build.torsion import Scan, find_impropers, find_known, find_rotors, fit_terms

METHOD = "DF-MP2/cc-pVDZ//GFN2-xTB"


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


def refit(output: Path) -> None:
    """Fit again and write the XML."""
    from rdkit import Chem

    quantum.limit_threads()
    folder = output / "derivation"
    asked = json.loads((folder / "input.json").read_text())
    name = asked["name"]
    subject = read_subject(asked["smiles"], charge=asked["charge"], name=name)
    rows = assign_rows(subject)
    with np.load(folder / "conformers.npz") as data:
        shape = data["shapes"][0]
    with np.load(folder / "hessian.npz") as data:
        hessian = data["hessian"] * quantum.METHODS[asked["method"]][1]
    charges = np.array(json.loads((folder / "charges.json").read_text())["charges"])
    known = find_known(subject, rows)
    rotors = find_rotors(subject, shape, known)
    impropers, rings = find_impropers(subject, rows, shape)
    torsions = {k: (*v, "OPLS-AA 1996, by analogy") for k, v in known.items()} | rings
    words = quantum.METHODS[asked["method"]][0]
    template = make_template(
        subject, rows, shape, hessian, charges, torsions, impropers,
        source=f"modified Seminario on {words}",
    )  # fmt: skip
    draft = folder / "draft.xml"
    template = settle_lengths(template, shape, draft)
    system = make_system_of(template, shape, draft)
    scans = []
    for rotor in rotors:
        stem = f"scan-{'-'.join(map(str, rotor.atoms))}"
        with np.load(folder / f"{stem}.npz") as data:
            shapes = np.array(data["shapes"])
        wanted = compute_energies(subject.elements, shapes, folder / f"{stem}-mp2.txt")
        pairs = [
            relax_alone(system, s, held=(rotor.atoms, measure_dihedral(s, rotor.atoms)))
            for s in shapes
        ]
        bare = np.array([energy for _, energy in pairs])
        relaxed = np.array([s for s, _ in pairs])
        scans.append(Scan(reference=wanted - wanted.min(), bare=bare, shapes=relaxed))
    terms, errors = fit_terms(subject, rotors, scans, known)
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
