"""Names, graphs, drawings and data folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation import library
from solvation.errors import ForceFieldError, RecipeError
from solvation.library import (
    Species,
    draw_species,
    find_forcefield,
    find_species,
    find_system,
    graph_key,
    list_forcefields,
    list_species,
    list_systems,
    recognize_smiles,
    recognize_species,
    write_formula,
)
from solvation.smiles import read_smiles

EVERY = {species.name: species for species in list_species()}
every_species = pytest.mark.parametrize("name", EVERY)


def test_every_name_and_alias_means_one_species() -> None:
    names = [n.lower() for s in EVERY.values() for n in (s.name, *s.aliases)]
    assert len(names) == len(set(names))


def test_no_two_species_share_a_graph() -> None:
    keys = [graph_key(s.elements, s.bonds) for s in EVERY.values()]
    assert len(keys) == len(set(keys))


@every_species
def test_charge_is_that_of_the_smiles(name: str) -> None:
    from rdkit import Chem

    species = EVERY[name]
    assert Chem.GetFormalCharge(read_smiles(species.smiles)) == species.charge


@every_species
def test_every_number_has_a_source(name: str) -> None:
    species = EVERY[name]
    given_numbers = {
        key
        for key in ("density", "refractive_index", "molar_volume")
        if getattr(species, key) is not None
    }
    assert set(dict(species.sources)) == given_numbers
    if species.role == "solvent":
        assert given_numbers == {"density", "refractive_index"}
    else:
        assert given_numbers == {"molar_volume"}


@every_species
def test_names_and_aliases_are_found_in_any_case(name: str) -> None:
    species = EVERY[name]
    for alias in (species.name, *species.aliases):
        assert find_species(alias) is species
        assert find_species(f" {alias.upper()}") is species
        assert find_species(alias.lower(), kind=species.role) is species


@pytest.mark.parametrize(
    ("name", "formula", "mass", "n_atoms", "role", "donors"),
    [
        ("DME", "C4H10O2", 90.12, 16, "solvent", ("O",)),
        ("TFSI", "C2F6NO4S2", 280.15, 15, "anion", ("O", "N", "F")),
        ("ClO4", "ClO4", 99.45, 5, "anion", ("O",)),
        ("Cl", "Cl", 35.45, 1, "anion", ("Cl",)),
        ("BH4", "BH4", 14.84, 5, "anion", ("H",)),
        ("FEC", "C3H3FO3", 106.05, 10, "solvent", ("O",)),
        ("Mg", "Mg", 24.305, 1, "cation", ()),
    ],
)
def test_what_follows_from_the_graph(
    name: str, formula: str, mass: float, n_atoms: int, role: str, donors: tuple[str, ...]
) -> None:
    species = EVERY[name]
    assert species.formula == formula
    assert species.mass == pytest.approx(mass, abs=0.01)
    assert (species.n_atoms, species.role, species.donors) == (n_atoms, role, donors)


def test_formula_without_carbon_is_alphabetic() -> None:
    assert write_formula(["O", "H", "H"]) == "H2O"
    assert write_formula(["H", "B", "H"]) == "BH2"
    assert write_formula(["N", "H", "C"]) == "CHN"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_graph_key_does_not_depend_on_the_order_of_atoms(data: st.DataObject) -> None:
    species = data.draw(st.sampled_from(list(EVERY.values())), label="species")
    order = data.draw(st.permutations(range(species.n_atoms)), label="order")
    where = {old: new for new, old in enumerate(order)}
    elements = [species.elements[old] for old in order]
    bonds = data.draw(st.permutations([(where[j], where[i]) for i, j in species.bonds]))
    assert graph_key(elements, bonds) == graph_key(species.elements, species.bonds)
    assert recognize_species(elements, bonds) is species


def test_graph_key_tells_isomers_and_missing_atoms_apart() -> None:
    dme = EVERY["DME"]
    diethylene = Species(name="x", title="1,4-butanediol", smiles="OCCCCO", charge=0)
    assert diethylene.formula == dme.formula
    assert recognize_species(diethylene.elements, diethylene.bonds) is None
    assert recognize_species(dme.elements[:-1], dme.bonds[:-1]) is None
    assert recognize_species(["Na", "Cl"], [(0, 1)]) is None


def test_elements_are_understood_in_any_case() -> None:
    assert recognize_species(["MG"], []) is EVERY["Mg"]
    assert recognize_species(["CL"], []) is EVERY["Cl"]


def test_smiles_find_their_species() -> None:
    assert recognize_smiles("C(OC)COC") is EVERY["DME"]
    with pytest.raises(RecipeError, match='SMILES "CCO" is none of the known'):
        recognize_smiles("CCO")
    for unreadable in ("C(", ""):
        with pytest.raises(RecipeError, match="cannot be read"):
            recognize_smiles(unreadable)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        find_species("DMEE", kind="solvent")
    assert str(caught.value) == (
        'solvent "DMEE" is not known; did you mean DME, DMC, DMAc? '
        '("solvation forcefields" lists all)'
    )
    with pytest.raises(RecipeError, match=r'species "zzzz" is not known; "solvation'):
        find_species("zzzz")
    with pytest.raises(RecipeError, match=r"is the solvent .*, it cannot be the anion"):
        find_species("DME", kind="anion")
    with pytest.raises(ForceFieldError, match="did you mean opls-clp"):
        find_forcefield("opls-cpl")


@every_species
def test_drawing_is_plain_svg_without_background(name: str) -> None:
    svg = draw_species(EVERY[name])
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")
    assert "<rect" not in svg
    assert "#FFFFFF" not in svg.upper()
    root = ElementTree.fromstring(svg)
    assert root[0].tag.endswith("title")
    assert len(root) > 1


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOLVATION_PATH", os.pathsep.join((str(tmp_path / "none"), str(tmp_path))))
    (tmp_path / "forcefields").mkdir()
    return tmp_path


def test_solvation_path_comes_first(data_root: Path) -> None:
    for folder in ("mine", "opls-clp"):
        (data_root / "forcefields" / folder).mkdir()
        (data_root / "forcefields" / folder / "card.toml").touch()
    assert set(list_forcefields()) >= {"mine", "opls-clp"}
    assert find_forcefield("opls-clp") == data_root / "forcefields" / "opls-clp"


def test_species_can_be_added_and_replaced(data_root: Path) -> None:
    (data_root / "forcefields" / "species.toml").write_text(
        '[[species]]\nname = "EtOH"\ntitle = "ethanol"\nsmiles = "CCO"\ncharge = 0\n'
        '[[species]]\nname = "DME"\ntitle = "ours"\nsmiles = "COCCOC"\ncharge = 0\n'
    )
    assert recognize_smiles("OCC").name == "EtOH"
    assert find_species("DME").title == "ours"
    assert find_species("TFSI") == EVERY["TFSI"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[species]", "is not valid TOML"),
        ('[[species]]\nname = "X"\ntitle = "x"\nsmiles = "C"', "lacks the key charge"),
        ('[[species]]\nname = "X"\ncolour = 1', "unknown key colour"),
    ],
)
def test_a_broken_species_table_is_refused(data_root: Path, text: str, message: str) -> None:
    (data_root / "forcefields" / "species.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        list_species()


def test_a_system_is_a_name_or_a_file(data_root: Path) -> None:
    shipped = data_root / "systems" / "salt-water"
    shipped.mkdir(parents=True)
    (shipped / "recipe.toml").touch()
    mine = data_root / "mine.toml"
    mine.touch()
    assert "salt-water" in list_systems()
    assert find_system("salt-water") == shipped / "recipe.toml"
    assert find_system(mine) == mine
    assert find_system(str(shipped)) == shipped / "recipe.toml"
    with pytest.raises(RecipeError, match="neither a shipped electrolyte nor a file; did you mean"):
        find_system("salt-watr")


def test_import_needs_no_rdkit() -> None:
    code = "import sys, solvation.library; sys.exit('rdkit' in sys.modules)"
    root = Path(library.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
