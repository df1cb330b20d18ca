"""Card and species entry of a species that was parametrized here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvation.build.quantum import METHODS
from solvation.build.subject import estimate_volume
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from solvation.build.subject import Subject

__all__ = ["write_card"]

_CAGE = (
    "Thirty harmonic edges hold the icosahedron; angles and torsions inside it have rows with "
    "k = 0. Vibrations of the cage itself come out 5 to 25 % too low (CB11H12-)."
)


def write_card(
    output: Path,
    subject: Subject,
    shape: NDArray[np.float64],
    asked: dict[str, Any],
    report: dict[str, Any],
) -> None:
    """Write ``species.toml`` and, last, ``card.toml``.

    Parameters
    ----------
    output
        Force-field folder.
    subject, shape
        The species and its lowest conformer in Å.
    asked
        What was asked for, and the versions of the programs.
    report
        What was measured: see ``derivation/validation.json``.
    """
    import tomli_w

    name = subject.name
    words, scaling = METHODS[asked["method"]]
    words, stretch = report.get("words", words), asked.get("stretch")
    measured = report["agreement"]
    flags = report["flags"]
    species: dict[str, Any] = {
        "name": name, "title": f"{name} ({subject.smiles})", "smiles": subject.smiles,
        "charge": subject.charge,
    }  # fmt: skip
    if subject.charge:
        species["molar_volume"] = estimate_volume(subject, shape)
        species["sources"] = {"molar_volume": "packing guess, 1.6 x van der Waals volume"}
    write_atomic(output / "species.toml", tomli_w.dumps({"species": [species]}))
    scans = "; ".join(f"{s['bond']} rms {s['rms']:.2f} kJ/mol" for s in report["scans"])
    card = {
        "name": name,
        "title": f"{name}, derived by solvation parametrize",
        "licence": "Derived numbers, yours to use; cite the methods in [[block]].",
        "units": "nm, kJ/mol, rad, e, u; E = k/2 (x - x0)^2; k_n = V_n/2 with phases 0, pi, 0",
        "mixing": "geometric",
        "scale_14": {"coulomb": 0.5, "lj": 0.5},
        "coverage": [name],
        "block": [
            {
                "name": "bonds and angles", "species": [name],
                "cite": "S. Sami et al., J. Chem. Theory Comput. 2021, 17, 4946 (constants by "
                "least squares on the Hessian), started from A. E. A. Allen, M. C. Payne, "
                "D. J. Cole, J. Chem. Theory Comput. 2018, 14, 274 (modified Seminario)",
                "doi": "10.1021/acs.jctc.1c00195; 10.1021/acs.jctc.7b00785",
                "fitted_to": f"Hessian of {words} (times {scaling:.4g}) at its lowest conformer "
                "found; one constant for equivalent terms; lengths and angles at rest then moved "
                "until the relaxed molecule has the reference's averages",
            },
            {
                "name": "charges", "species": [name],
                "cite": "C. I. Bayly, P. Cieplak, W. D. Cornell, P. A. Kollman, J. Phys. Chem. "
                "1993, 97, 10269 (RESP)",
                "doi": "10.1021/j100142a004",
                "fitted_to": f"HF/6-31G* potential (density-fitted), {report['points']} points, "
                f"{asked['conformers']} conformers at most x {asked['orientations']} orientations",
            },
            {
                "name": "Lennard-Jones", "species": [name],
                "cite": "By analogy, see the source of every row in the XML",
                "fitted_to": "nothing here",
            },
            {
                "name": "torsions", "species": [name],
                "cite": "OPLS-AA 1996 by analogy where it has them, else fitted here",
                "doi": "10.1021/ja9621760",
                "fitted_to": f"{words} scans in vacuum: {scans}" if scans else "none were scanned",
            },
        ],
        "validation": {
            "heavy_atom_rmsd": f"{measured['rmsd']:.4f} angstrom, target below 0.15",
            "bond_rms": f"{measured['bond_rms']:.4f} angstrom",
            "angle_rms": f"{measured['angle_rms']:.2f} degree",
            "potential_rrms": f"{report['rrms']:.5f}",
            "potential_rmse": f"{report['rmse']:.3f} kJ/mol/e",
            "frequency_rms": f"{measured['frequency_rms']:.1f} 1/cm",
            "frequency_relative_rms": f"{measured['frequency_relative_rms']:.3f} above 200 1/cm",
            "lowest_frequency": f"{measured['lowest_frequency']:.1f} 1/cm",
            "verdict": "; ".join(flags) or "within all bounds",
            "reproduce": f"solvation parametrize \"{subject.smiles}\" --charge {subject.charge} "
            f"--name {name} --method {asked['method']} "
            + (f"--stretch {stretch} " if stretch else "")
            + f"--conformers {asked['conformers']} --seed {asked['seed']}",
            "versions": asked["versions"],
        },
        "failings": {
            "mixing": "OpenMM mixes by Lorentz-Berthelot; these terms are for geometric mixing.",
            "untested": "Checked on the molecule in vacuum only: no density, no ion pairing.",
            "lennard_jones": "By analogy, not fitted for this species.",
            **({"cage": _CAGE} if subject.cages else {}),
            **({"flags": "; ".join(flags)} if flags else {}),
        },
    }  # fmt: skip
    write_atomic(output / "card.toml", tomli_w.dumps(card))
