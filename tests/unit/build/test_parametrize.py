"""From a SMILES to a force field that a recipe can use, on the smallest of ions."""

from __future__ import annotations

import json
import math
import tomllib
from importlib.util import find_spec

import numpy as np
import pytest

from solvation import cli
from solvation.build.fitting import check_angles
from solvation.build.parametrize import parametrize
from solvation.build.subject import read_subject
from solvation.errors import ForceFieldError, RecipeError

EXTRA = all(find_spec(name) for name in ("pyscf", "tblite", "geometric"))
needs_extra = pytest.mark.skipif(
    not EXTRA, reason='needs pyscf, tblite and geometric; pip install "solvation[parametrize]"'
)
quiet = pytest.mark.filterwarnings("ignore")  # those of the programs are theirs


@pytest.fixture(scope="module")
def borohydride(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "mine"
    lines: list[str] = []
    done = parametrize(
        "[BH4-]", charge=-1, name="BH4", output=folder, orientations=1, listen=lines.append
    )
    return done, folder, lines


@needs_extra
@quiet
def test_borohydride_agrees_with_its_reference(borohydride):
    done, folder, _ = borohydride
    assert done.flags == ()
    assert done.agreement.rmsd < 0.001
    assert done.rrms < 0.005
    charges = json.loads((folder / "derivation" / "charges.json").read_text())["charges"]
    # DF-B3LYP geometry, HF/6-31G* potential: B -0.019, H -0.245.
    assert charges[0] == pytest.approx(-0.019, abs=0.015)
    assert charges[1:] == pytest.approx([-0.245] * 4, abs=0.004)
    assert math.fsum(charges) == pytest.approx(-1, abs=1e-9)
    assert done.agreement.lowest_frequency > 900


@needs_extra
@quiet
def test_every_row_says_where_it_comes_from(borohydride):
    from xml.etree import ElementTree

    _, folder, _ = borohydride
    root = ElementTree.parse(folder / "BH4.xml").getroot()
    rows = [
        row
        for force in root
        for row in force
        if row.tag in ("Type", "Residue", "Bond", "Angle", "Proper", "Atom")
    ]
    assert len(rows) >= 7
    assert all(row.get("source", "").startswith("derived: ") for row in rows)
    card = tomllib.loads((folder / "card.toml").read_text())
    assert card["coverage"] == ["BH4"]
    assert float(card["validation"]["heavy_atom_rmsd"].split()[0]) < 0.15


@needs_extra
@quiet
def test_finished_steps_are_not_repeated(borohydride, monkeypatch):
    done, folder, lines = borohydride
    assert any("HF/6-31G*" in line for line in lines)
    before = (folder / "BH4.xml").read_text()
    again: list[str] = []
    second = parametrize(
        "[BH4-]", charge=-1, name="BH4", output=folder, orientations=1, listen=again.append
    )
    assert again == ["fit: bonds, angles, torsions", f"done: {folder.name}"]
    assert second.rrms == done.rrms
    assert (folder / "BH4.xml").read_text() == before
    with pytest.raises(RecipeError, match="was made with method = gfn2, not b3lyp"):
        parametrize("[BH4-]", charge=-1, name="BH4", output=folder, orientations=1, method="b3lyp")


@needs_extra
@quiet
def test_a_corrected_bond_has_the_length_of_the_density_functional(tmp_path):
    from solvation.build import quantum
    from solvation.build.correction import correct_surface, find_correction
    from solvation.build.subject import embed_conformers

    subject = read_subject("F[BH3-]", charge=-1, name="X")
    surface = quantum.make_surface("gfn2", subject.numbers, -1)
    lines: list[str] = []
    found = find_correction(subject, surface, (0, 1), tmp_path, 1, lines.append)
    assert len(lines) == 5
    assert found.error < 0.5
    again: list[str] = []
    assert find_correction(subject, surface, (0, 1), tmp_path, 1, again.append) == found
    assert not again
    start = embed_conformers(subject, 1, seed=1)[0]
    shape, _ = quantum.relax(correct_surface(surface, found), subject.elements, start)
    # Relaxed with B3LYP/def2-SVP in everything: 1.4417.
    assert np.linalg.norm(shape[0] - shape[1]) == pytest.approx(1.4417, abs=0.006)


def test_octahedra_are_refused():
    subject = read_subject("[P-](F)(F)(F)(F)(F)F", charge=-1, name="X")
    ends = np.concatenate([np.eye(3), -np.eye(3)]) * 1.6
    shape = np.concatenate([np.zeros((1, 3)), ends])
    with pytest.raises(ForceFieldError, match="F-P-F angles from 90 to 180 degrees"):
        check_angles(subject, shape)


@needs_extra
@quiet
def test_recipe_uses_the_folder(borohydride, tmp_path, monkeypatch):
    from solvation.build.box import build_box
    from solvation.recipe import load_recipe

    monkeypatch.setattr("solvation.extension._FOLDERS", [])
    _, folder, _ = borohydride
    file = tmp_path / "recipe.toml"
    file.write_text(
        f"""
        name = "own"
        [[salt]]
        cation = "Mg"
        anion = "BH4"
        solvent_ratio = 30
        [[solvent]]
        name = "DME"
        [model]
        species = ["{folder}"]
        [box]
        cations = 2
        """
    )
    recipe = load_recipe(file).resolve("quick")
    audit = build_box(recipe, tmp_path / "box", start="random")
    assert audit["residues"]["BH4"] == 4
    assert all(math.isfinite(energy) for energy in audit["energies"].values())


def test_missing_extra_is_one_line_and_code_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("solvation.build.quantum.find_spec", lambda name: None)
    monkeypatch.setattr(
        "sys.argv",
        ["solvation", "parametrize", "[BH4-]", "--charge", "-1", "--name", "BH4", "-o",
         str(tmp_path / "x")],
    )  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith('pip install "solvation[parametrize]"')
    assert "\n" not in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("smiles", "name", "message"),
    [
        ("COCCOC", "MINE", "known as DME; use --name DME"),
        ("[B-](F)(F)(F)C", "TFSI", "already means bis"),
        ("[B-](F)(F)(F)C", "monoglyme", "already means 1,2-dim"),
    ],
)
def test_names_keep_their_meaning(smiles, name, message, tmp_path):
    charge = smiles.count("-")
    with pytest.raises(RecipeError, match=message):
        parametrize(smiles, charge=-charge, name=name, output=tmp_path)
