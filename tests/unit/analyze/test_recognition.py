"""Elements from masses, donors from graphs, species from molecules."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.recognition import find_donors, guess_elements, recognize_molecules
from solvation.errors import TrajectoryError
from solvation.kernels.cell import walk_bonds
from solvation.library import find_species


def test_elements_from_masses():
    found = guess_elements([1.008, 12.01, 14.01, 16.0, 19.0, 24.305, 32.06, 40.08, 6.94])
    assert found.tolist() == ["H", "C", "N", "O", "F", "Mg", "S", "Ca", "Li"]


def test_repartitioned_masses_need_names():
    masses = [3.024, 3.024, 3.024, 5.963, 24.305]
    names = ["H1", "H2", "H3", "C1", "MG"]
    assert guess_elements(masses, names).tolist() == ["H", "H", "H", "C", "Mg"]
    assert guess_elements(None, ["CL", "O1", "NA"]).tolist() == ["Cl", "O", "Na"]
    with pytest.raises(TrajectoryError, match=r"atom 0 has mass 5\.963 u"):
        guess_elements([5.963])


@pytest.mark.parametrize(
    ("name", "donors"),
    [("DME", {"O"}), ("TFSI", {"O", "N"}), ("PF6", {"F"}), ("BN", {"N"}), ("Cl", {"Cl"}),
     ("BH4", {"H"}), ("Mg", set())],
)  # fmt: skip
def test_donors_of_known_species(name, donors):
    species = find_species(name)
    found = find_donors(species.elements, species.bonds, species.role)
    assert {species.elements[i] for i in found} == donors


def _recognize(elements, bonds, **choices):
    tree = walk_bonds(len(elements), bonds)
    pairs = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    masses = np.ones(len(elements))
    return recognize_molecules(np.array(elements), pairs, tree.molecule, masses, **choices)


def test_the_order_of_atoms_does_not_matter():
    species, notes = _recognize(["O", "H", "H", "H", "O", "H"], [(0, 1), (0, 2), (4, 3), (4, 5)])
    assert len(species) == 1
    assert species[0].n_molecules == 2
    assert (species[0].name, notes) == ("water", ())


def test_an_unknown_molecule_without_charges_is_neutral_and_that_is_said():
    _, notes = _recognize(["Si", "H"], [(0, 1)])
    assert notes == ("HSi is unknown and the topology has no charges; taken as neutral",)


def test_unknown_species_are_named_by_formula_and_isomers_kept_apart():
    chain = ["Si", "Si", "Si", "Si", "Br"]
    one, two = [(0, 1), (1, 2), (2, 3), (3, 4)], [(5, 6), (6, 7), (7, 8), (6, 9)]
    charges = np.array([0.0] * 4 + [-1.02] + [0.0] * 5)
    species, notes = _recognize(chain * 2, one + two, partial_charges=charges)
    assert {s.name for s in species} == {"BrSi4", "BrSi4-2"}
    assert [(s.charge, s.role) for s in species] == [(-1, "anion"), (0, "solvent")]
    assert notes == ()


def test_scaled_charges_are_rounded_and_said():
    charges = np.array([0.0, 0.0, 0.0, 0.0, -0.73])
    bonds = [(0, 1), (1, 2), (2, 3), (3, 4)]
    species, notes = _recognize(["Si"] * 4 + ["Br"], bonds, partial_charges=charges)
    assert species[0].charge == -1
    assert "-0.73 e" in notes[0]


def test_the_user_has_the_last_word():
    species, _ = _recognize(["Mg", "O"], [], charges={"Mg": 1})
    assert {s.name: s.charge for s in species}["Mg"] == 1
    with pytest.raises(TrajectoryError, match='no species is called "Ca"'):
        _recognize(["Mg", "O"], [], charges={"Ca": 2})
    species, _ = _recognize(["Mg", "O"], [], roles={1: ("solvent", "water")})
    assert [s.name for s in species] == ["Mg", "water"]
