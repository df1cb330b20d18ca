"""Known torsions are found, and fitted ones give back what made the scan."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.build.analogy import assign_rows
from solvation.build.subject import embed_conformers, read_subject
from solvation.build.torsion import Scan, find_known, find_rotors, fit_terms, list_angles

HFIP = "OC(C(F)(F)F)C(F)(F)F"


@pytest.fixture
def borate():
    return read_subject(f"[B-]({HFIP})({HFIP})({HFIP}){HFIP}", charge=-1, name="X")


def test_ether_needs_no_scan():
    subject = read_subject("COCCOC", charge=0, name="X")
    known = find_known(subject, assign_rows(subject))
    assert len(known) == 6
    shape = embed_conformers(subject, 1, seed=1)[0]
    assert find_rotors(subject, shape, known) == ()


def test_borate_has_three_kinds_of_rotor(borate):
    shape = embed_conformers(borate, 1, seed=1)[0]
    rotors = find_rotors(borate, shape, find_known(borate, assign_rows(borate)))
    kinds = {tuple(sorted(borate.elements[i] for i in rotor.atoms[1:3])) for rotor in rotors}
    assert kinds == {("B", "O"), ("C", "O"), ("C", "C")}
    assert sorted(rotor.fold for rotor in rotors) == [1, 1, 3]


def test_made_up_torsion_comes_back():
    subject = read_subject("FOOF", charge=0, name="X")
    shape = embed_conformers(subject, 1, seed=1)[0]
    (rotor,) = find_rotors(subject, shape, {})
    angles = list_angles(rotor, 0.3)
    assert len(angles) == 12
    first, second, third = 12.0, -7.0, 3.0
    shapes = []
    for angle in angles:
        cis = np.array([[0.5, 1.4, 0], [0, 0, 0], [1.3, 0, 0], [0.8, 1.4, 0]])
        moved = cis.copy()
        order = [subject.torsions[0].index(a) for a in range(4)]
        moved[3] = [0.8, 1.4 * np.cos(angle), 1.4 * np.sin(angle)]
        shapes.append(moved[order])
    made = (
        first / 2 * (1 + np.cos(angles))
        + second / 2 * (1 - np.cos(2 * angles))
        + third / 2 * (1 + np.cos(3 * angles))
    )
    bare = np.linspace(3, 9, len(angles))
    scan = Scan(reference=made + bare, bare=bare, shapes=np.array(shapes))
    terms, errors = fit_terms(subject, (rotor,), [scan], {})
    (values,) = terms.values()
    np.testing.assert_allclose(
        values, (first, second, third), atol=0.15
    )  # the ridge pulls a little
    assert errors[0] < 1e-3
