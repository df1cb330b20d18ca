"""Folders of the user's own species: known once a recipe names them, and checked."""

from __future__ import annotations

import pytest

from solvation.build.forcefield import load_forcefield
from solvation.build.supplement import supplement_forcefield
from solvation.errors import ForceFieldError, RecipeError
from solvation.inputs import hash_build
from solvation.library import find_species
from solvation.recipe import load_recipe

CARD = """
name = "HAL"
title = "made up"
licence = "none"
units = "nm, kJ/mol"
mixing = "geometric"
scale_14 = { coulomb = 0.5, lj = 0.5 }
coverage = ["HAL"]
[[block]]
name = "all"
species = ["HAL"]
cite = "nobody"
"""
SPECIES = """
[[species]]
name = "HAL"
title = "made-up anion"
smiles = "[F-]"
charge = -1
molar_volume = 10.0
"""
XML = """<ForceField>
 <AtomTypes><Type name="HAL:F1" class="HAL:F1" element="F" mass="18.998"/></AtomTypes>
 <Residues>
  <Residue name="HAL" override="1"><Atom name="F1" type="HAL:F1" charge="-1"/></Residue>
 </Residues>
 <NonbondedForce coulomb14scale="0.5" lj14scale="0.5">
  <UseAttributeFromResidue name="charge"/><Atom type="HAL:F1" sigma="0.3" epsilon="0.3"/>
 </NonbondedForce>
</ForceField>
"""
RECIPE = """
name = "x"
[[salt]]
cation = "Mg"
anion = "HAL"
solvent_ratio = 20
[[solvent]]
name = "DME"
[model]
species = ["mine"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "card.toml").write_text(CARD)
    (mine / "species.toml").write_text(SPECIES)
    (mine / "HAL.xml").write_text(XML)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.setattr("solvation.extension._FOLDERS", [])
    return mine


def test_recipe_brings_its_species_from_beside_it(folder):
    with pytest.raises(RecipeError, match='"HAL" is not known'):
        find_species("HAL")
    recipe = load_recipe(folder.parent / "recipe.toml")
    assert recipe.salt[0].formula == "Mg(HAL)2" or recipe.salt[0].formula == "MgHAL2"
    assert recipe.model.species == (str(folder),)
    assert find_species("hal").title == "made-up anion"
    field = supplement_forcefield(load_forcefield("opls-clp"), recipe.model.species)
    assert field.extra == (folder / "HAL.xml",)
    assert "HAL" in field.coverage
    assert "DME" in field.coverage


def test_a_derived_anion_that_is_shipped_gives_way_to_ones_own(folder):
    shipped = load_forcefield("opls-clp")
    text = (shipped.folder / "BH4.xml").read_text()
    (folder / "HAL.xml").write_text(text)
    (folder / "species.toml").unlink()
    (folder / "card.toml").write_text(CARD.replace('"HAL"', '"BH4"'))
    (folder / "HAL.xml").rename(folder / "BH4.xml")
    field = supplement_forcefield(shipped, [folder])
    assert field.coverage == shipped.coverage
    assert set(shipped.files) - set(field.files) == {shipped.folder / "BH4.xml"}
    assert field.extra == (folder / "BH4.xml",)
    from openmm import app

    app.ForceField(*map(str, (*field.files, *field.extra)))  # no type is there twice
    with pytest.raises(ValueError, match="BH4"):
        app.ForceField(*map(str, (*shipped.files, *field.extra)))


def test_folder_on_the_search_path_is_known(folder, monkeypatch):
    monkeypatch.setenv("SOLVATION_PATH", str(folder))
    assert find_species("HAL").charge == -1


def test_changed_parameters_change_the_hash(folder):
    recipe = load_recipe(folder.parent / "recipe.toml")
    before = hash_build(recipe)
    assert hash_build(recipe) == before
    (folder / "HAL.xml").write_text(XML.replace('sigma="0.3"', 'sigma="0.31"'))
    assert hash_build(recipe) != before


def test_folder_without_a_card_is_refused(folder):
    (folder / "card.toml").unlink()
    with pytest.raises(RecipeError, match=r"mine has no card\.toml"):
        load_recipe(folder.parent / "recipe.toml")


@pytest.mark.parametrize(
    ("old", "new"), [("geometric", "lorentz-berthelot"), ("coulomb = 0.5", "coulomb = 0.8333")]
)
def test_other_conventions_do_not_mix(folder, old, new):
    recipe = load_recipe(folder.parent / "recipe.toml")
    (folder / "card.toml").write_text(CARD.replace(old, new))
    (folder / "HAL.xml").write_text(
        XML.replace(old.replace(" = ", '14scale="'), new.replace(" = ", '14scale="'))
    )
    with pytest.raises(ForceFieldError, match="do not go together"):
        supplement_forcefield(load_forcefield("opls-clp"), recipe.model.species)


def test_code_in_the_xml_is_refused(folder):
    recipe = load_recipe(folder.parent / "recipe.toml")
    (folder / "HAL.xml").write_text(XML.replace("</ForceField>", "<Script>1</Script></ForceField>"))
    with pytest.raises(ForceFieldError, match="runs Python code"):
        supplement_forcefield(load_forcefield("opls-clp"), recipe.model.species)
