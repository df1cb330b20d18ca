"""What can be parametrized, what cannot and why, and which atoms are equal."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from solvation.build.analogy import assign_rows
from solvation.build.subject import embed_conformers, estimate_volume, read_subject
from solvation.errors import RecipeError

HFIP = "OC(C(F)(F)F)C(F)(F)F"
BHFIP4 = f"[B-]({HFIP})({HFIP})({HFIP}){HFIP}"


def test_equal_atoms_are_equal():
    subject = read_subject(BHFIP4, charge=-1, name="BHFIP4")
    assert subject.n_atoms == 45
    counts = Counter(zip(subject.classes, subject.elements, strict=True))
    assert sorted(counts.values()) == [1, 4, 4, 4, 8, 24]
    assert len(subject.angles) == 6 + 4 + 4 * 6 + 8 * 6
    # Resonance does not count: both oxygens of an acetate are one class.
    acetate = read_subject("CC(=O)[O-]", charge=-1, name="OAc")
    oxygens = {c for c, e in zip(acetate.classes, acetate.elements, strict=True) if e == "O"}
    assert len(oxygens) == 1
    assert len(acetate.torsions) == 6


def test_rows_follow_the_neighbours():
    subject = read_subject(BHFIP4, charge=-1, name="BHFIP4")
    assert Counter(row.label for row in assign_rows(subject)) == {
        "B": 1, "OS": 4, "CT": 12, "FC": 24, "HC": 4}  # fmt: skip
    triflate = read_subject("[O-]S(=O)(=O)C(F)(F)F", charge=-1, name="X")
    assert Counter(row.label for row in assign_rows(triflate)) == {
        "OB": 3, "SB": 1, "CT": 1, "FC": 3}  # fmt: skip
    assert all(row.source for row in assign_rows(triflate))


@pytest.mark.parametrize(
    ("smiles", "charge", "message"),
    [
        ("CCO[", 0, "neither a SMILES"),
        ("[BH4-]", 0, "formal charge -1, not \\+0"),
        ("C[CH2]", 0, "unpaired electrons"),
        ("[Mg+2].[Cl-]", 1, "several parts"),
        ("C[Mg]C", 0, "metal complexes are not parametrized"),
        ("CBr", 0, "Br has no Lennard-Jones"),
        ("[Cl-]", -1, "single atom"),
        ("missing.sdf", 0, "not a file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(smiles, charge, message):
    with pytest.raises(RecipeError, match=message) as error:
        read_subject(smiles, charge=charge, name="X")
    assert "\n" not in str(error.value)


def test_names_with_spaces_are_refused():
    with pytest.raises(RecipeError, match="--name"):
        read_subject("[BH4-]", charge=-1, name="my ion")


def test_sdf_brings_its_shape(tmp_path):
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    mol = Chem.AddHs(Chem.MolFromSmiles("COC"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    mol = Chem.RenumberAtoms(mol, list(range(mol.GetNumAtoms()))[::-1])
    file = tmp_path / "x.sdf"
    with Chem.SDWriter(str(file)) as writer:
        writer.write(mol)
    subject = read_subject(str(file), charge=0, name="X")
    assert subject.elements[:3] == ("C", "O", "C")
    assert subject.start is not None
    bonded = [np.linalg.norm(subject.start[i] - subject.start[j]) for i, j in subject.bonds]
    assert 0.9 < min(bonded) < max(bonded) < 1.6
    np.testing.assert_array_equal(embed_conformers(subject, 1, seed=1)[0], subject.start)


def test_volume_guess_is_near_those_that_are_shipped():
    subject = read_subject("[B-](F)(F)(F)F", charge=-1, name="BF4")
    volume = estimate_volume(subject, embed_conformers(subject, 1, seed=1)[0])
    assert 40 < volume < 65


CARBORANE = (
    "[CH]1234[BH]567[BH]89%10[BH]5%11%12[BH]5%13%14[BH]%15%16%17[BH]8%18([BH]961[BH]%18%152"
    "[BH]5%163[BH]%11%1374)[BH-]%10%12%14%17"
)


def test_a_carborane_has_belts_and_no_angles_inside():
    subject = read_subject(CARBORANE, charge=-1, name="X")
    counts = Counter(zip(subject.classes, subject.elements, strict=True))
    by_element = {e: sorted(n for (_, f), n in counts.items() if f == e) for e in "BCH"}
    assert by_element == {"C": [1], "B": [1, 5, 5], "H": [1, 1, 5, 5]}
    assert len(subject.cage_bonds) == 30
    assert len(subject.angles) == 12 * 5
    assert len(subject.cage_angles) == 12 * 10
    assert subject.torsions == ()
    (shape,) = embed_conformers(subject, 1, seed=1)
    lengths = [np.linalg.norm(shape[i] - shape[j]) for i, j in sorted(subject.cage_bonds)]
    np.testing.assert_allclose(lengths, 1.78, atol=0.02)
    assert 100 < estimate_volume(subject, shape) < 200


@pytest.mark.parametrize(
    ("smiles", "charge"),
    [(CARBORANE.replace("[CH]1234", "[CH3]1234"), -1), ("C[BH](C)(C)(C)C", 0), ("CN(C)(C)C", 0)],
    ids=["seven neighbours", "no cage", "no cage either"],
)
def test_other_hypervalent_atoms_are_refused(smiles, charge):
    with pytest.raises(RecipeError):
        read_subject(smiles, charge=charge, name="X")
