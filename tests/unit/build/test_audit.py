"""Audit: a box that must not be simulated is refused, and a good one described."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import openmm
import pytest

from solvation.build.audit import audit_system
from solvation.build.system import Prepared
from solvation.build.terms import TERMS
from solvation.errors import AuditError


def copy_system(prepared: Prepared) -> Prepared:
    return replace(prepared, system=openmm.XmlSerializer.clone(prepared.system))


def move(prepared: Prepared, atom: int, where: np.ndarray) -> Prepared:
    positions = prepared.positions.copy()
    positions[atom] = where
    return replace(prepared, positions=positions)


def test_a_good_box_is_described(prepared: Prepared) -> None:
    audit = audit_system(prepared)
    assert audit["n_atoms"] == 542
    assert audit["n_constraints"] == 300
    assert audit["residues"] == {"Mg": 2, "TFSI": 4, "DME": 30}
    assert audit["charge"] == pytest.approx(0, abs=1e-6)
    assert audit["charge_scale"] == pytest.approx(1 / 1.377)
    assert audit["edge"] == pytest.approx(prepared.edge, abs=1e-4)
    assert tuple(audit["energies"]) == TERMS
    json.dumps(audit, allow_nan=False)


def test_the_closest_contact_is_between_molecules_and_periodic(prepared: Prepared) -> None:
    """By brute force over all pairs and images; bonds inside molecules do not count."""
    owner = np.array([atom.residue.index for atom in prepared.topology.atoms()])
    delta = prepared.positions[:, None] - prepared.positions[None]
    delta -= prepared.edge * np.round(delta / prepared.edge)
    distance = np.sqrt((delta**2).sum(axis=2))
    expected = distance[owner[:, None] != owner[None]].min()
    assert audit_system(prepared)["closest"] == pytest.approx(expected, abs=1e-3)
    distance[owner[:, None] == owner[None]] = np.inf
    first, _ = np.unravel_index(distance.argmin(), distance.shape)
    for shift in (7 * prepared.edge, 0.01 - prepared.positions[first]):  # the pair at a corner
        for sign in (0, -0.02):
            moved = replace(prepared, positions=prepared.positions + shift + sign)
            assert audit_system(moved)["closest"] == pytest.approx(expected, abs=1e-3)


def test_a_charged_box_is_refused(prepared: Prepared) -> None:
    charged = copy_system(prepared)
    force = next(f for f in charged.system.getForces() if f.getName() == "CoulombRepulsion")
    charge, sigma, epsilon = force.getParticleParameters(0)
    force.setParticleParameters(0, 2 * charge, sigma, epsilon)
    with pytest.raises(AuditError, match=r"the box carries \+1\.45\d\d e") as caught:
        audit_system(charged)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("image", [0, 1, -3])
def test_overlapping_molecules_are_refused(prepared: Prepared, image: int) -> None:
    """The first Mg on top of the second, in the same cell or another."""
    where = prepared.positions[1] + image * prepared.edge + [0.6, 0.6, 0.0]
    with pytest.raises(AuditError, match=r"two atoms are 0\.\d\d angstrom apart"):
        audit_system(move(prepared, 0, where))


def test_atoms_on_the_faces_of_the_box(prepared: Prepared) -> None:
    """-1e-20 wraps to exactly the edge, which a periodic tree refuses."""
    audit_system(replace(prepared, positions=prepared.positions - prepared.positions[0] - 1e-20))


def test_an_infinite_energy_is_refused(prepared: Prepared) -> None:
    """Two atoms of one molecule in one place are no clash between molecules."""
    dme = [a.index for r in prepared.topology.residues() if r.name == "DME" for a in r.atoms()][:6]
    on_top = move(prepared, dme[5], prepared.positions[dme[0]])
    with pytest.raises(AuditError, match=r"energy is (nan|inf); build again"):
        audit_system(on_top)
