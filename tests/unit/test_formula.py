"""What people write is understood, and what is not is answered with the nearest names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation.errors import RecipeError
from solvation.formula import (
    read_additive,
    read_salt,
    read_solvents,
    split_salt,
    understand_species,
)
from solvation.library import list_species
from solvation.recipe import parse_recipe


@pytest.mark.parametrize(
    ("text", "cation", "anion"),
    [
        ("Mg(TFSI)2", "Mg", "TFSI"),
        ("Mg(NTf2)2", "Mg", "TFSI"),
        ("Mg[Tf2N]2", "Mg", "TFSI"),
        ("MgTFSI2", "Mg", "TFSI"),
        ("Mg TFSI", "Mg", "TFSI"),
        ("magnesium triflate", "Mg", "OTf"),
        ("Mg(CF3SO3)2", "Mg", "OTf"),
        ("catfsi2", "Ca", "TFSI"),
        ("LiTFSI", "Li", "TFSI"),
        ("NaTFSA", "Na", "TFSI"),
        ("KPF6", "K", "PF6"),
        ("LiBH4", "Li", "BH4"),
        ("Ca(BH4)2", "Ca", "BH4"),
        ("CaCl2", "Ca", "Cl"),
        ("Ca(ClO4)2", "Ca", "ClO4"),
        ("Zn2+ TFSI", "Zn", "TFSI"),
        ("Bu4NCl", "Bu4N", "Cl"),
        ("EMIM OTf", "EMIM", "OTf"),
        ("[Mg+2].[Cl-].[Cl-]", "Mg", "Cl"),
        ("[Ca+2].[B-](F)(F)(F)F.[B-](F)(F)(F)F", "Ca", "BF4"),
    ],
)
def test_salts(text: str, cation: str, anion: str) -> None:
    assert [ion.name for ion in split_salt(text)] == [cation, anion]


ions = {role: [s for s in list_species() if s.role == role] for role in ("cation", "anion")}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ions["cation"]), st.sampled_from(ions["anion"]), st.data())
def test_every_pair_of_ions_by_every_name(cation: Any, anion: Any, data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([cation.name, *cation.aliases]))
    second = data.draw(st.sampled_from([anion.name, *anion.aliases]))
    count = cation.charge // -anion.charge
    text = f"{first}({second}){count if count > 1 else ''}"
    assert split_salt(text) == (cation, anion)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ca(TFSI)", "is not neutral; write Ca(TFSI)2"),
        ("Ca(TFSI)3", "is not neutral; write Ca(TFSI)2"),
        ("CaCl", "is not neutral; write CaCl2"),
        ("Mg(TFSIA)2", 'anion "TFSIA" is not known; did you mean TFSI'),
        ("Xy(TFSI)2", "begins with no known cation"),
        ("TFSI", "has no cation"),
        ("Mg", "has no anion"),
        ("[Mg+2].[Cl-]", "is not neutral"),
        ("[Mg+2].[Ca+2]", "is not one cation and one anion"),
    ],
)
def test_salts_that_are_none(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        split_salt(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Mg(TFSI)2 0.5 M", {"concentration": "0.5 mol/L"}),
        ("Mg(TFSI)2 0.5M", {"concentration": "0.5 mol/L"}),
        ("0.5 mol/L Mg(TFSI)2", {"concentration": "0.5 mol/L"}),
        ("0.5 M Mg TFSI", {"concentration": "0.5 mol/L"}),
        ("Mg(TFSI)2 500 mM", {"concentration": "500 mmol/L"}),
        ("Mg(TFSI)2, 0.6 mol/kg", {"concentration": "0.6 mol/kg"}),
        ("Mg(TFSI)2 0.6 m", {"concentration": "0.6 mol/kg"}),
        ("Mg(TFSI)2 1:18", {"solvent_ratio": 18.0}),
    ],
)
def test_amounts(text: str, amount: dict[str, Any]) -> None:
    assert read_salt(text) == {"cation": "Mg", "anion": "TFSI", **amount}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Mg(TFSI)2", 'has no amount; write e.g. "Mg(TFSI)2 0.5 M"'),
        ("Mg(TFSI)2 0.5", "has no unit"),
        ("Mg(TFSI)2 0.5 K", "wrong unit"),
        ("Mg(TFSI)2 0 M", "is zero"),
        ("Mg(TFSI)2 0.5 mool/L", "is not known"),
    ],
)
def test_amounts_that_are_none(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_salt(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("G1", "DME"),
        ("monoglyme", "DME"),
        ("diglyme", "G2"),
        ("C1CCOC1", "THF"),
        ("CC#N", "ACN"),
        ("CH3CN", "ACN"),
        ("C2H3N", "ACN"),
        ("Acetonitrile", "ACN"),
    ],
)
def test_molecules(text: str, name: str) -> None:
    assert understand_species(text, kind="solvent").name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DMEE", "did you mean DME"),
        ("tetragylme", "did you mean G4"),
        ("CCOCCOCC", "solvation parametrize"),
        ("C(", 'solvent "C(" is not known'),
        ("[Mg+2]", "it cannot be the solvent"),
        ("TFSI", "is not known"),
        ("", "is not known"),
    ],
)
def test_molecules_that_are_none(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        understand_species(text, kind="solvent")
    assert message in str(caught.value) or "it cannot be the solvent" in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "shares", "kind"),
    [
        (["DME:G2 1:1"], {"DME": 0.5, "G2": 0.5}, "volume"),
        (["EC:PC:DMC:EMC 2:2:3:3 w/w"], {"EC": 0.2, "PC": 0.2, "DMC": 0.3, "EMC": 0.3}, "mass"),
        (["DME", "G2"], {"DME": 0.5, "G2": 0.5}, "volume"),
        (["DME", "G2 30 %"], {"DME": 0.7, "G2": 0.3}, "volume"),
        (["DME 70 mol%", "G2 30 mol%"], {"DME": 0.7, "G2": 0.3}, "mole"),
        (["DME 25 wt%", "glyme:THF", "EC 25 wt%"], None, ""),
        (["THF 5.4 vol%", "DME"], {"THF": 0.054, "DME": 0.946}, "volume"),
    ],
)
def test_shares(texts: list[str], shares: dict[str, float] | None, kind: str) -> None:
    tables = read_solvents(texts)
    assert sum(table["fraction"] for table in tables) == pytest.approx(1, abs=1e-12)
    if shares is not None:
        assert {t["name"]: t["fraction"] for t in tables} == pytest.approx(shares)
        assert {t["fraction_of"] for t in tables} == {kind}
        parse_recipe({"name": "x", "solvent": tables})


def test_one_solvent_needs_no_share_and_a_liquid_of_ions_is_one() -> None:
    assert read_solvents(["diglyme"]) == [{"name": "G2"}]
    assert read_solvents(["EMIM OTf"]) == [{"cation": "EMIM", "anion": "OTf"}]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no solvent is given"),
        (["DME 60 %", "G2 60 %"], "add up to 120 %"),
        (["DME 60 %", "G2 30 %"], "add up to 90 %"),
        (["DME 100 %", "G2"], "leaves nothing for the others"),
        (["DME 0 %", "G2"], "above 0"),
        (["DME:G2 1:0"], "every part must be above 0"),
        (["DME:G2 1:1:1"], "2 names and 3 parts"),
        (["DME 50 mol%", "G2 50 wt%"], "mass and mole; use one"),
        (["DME 50 xyz%", "G2"], '"xyz" is not known; use vol%'),
        (["DMEE:G2 1:1"], "did you mean DME"),
    ],
)
def test_shares_that_are_none(texts: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_solvents(texts)
    assert message in str(caught.value)


def test_additives() -> None:
    assert read_additive("TMP 1 per cation") == {"name": "TMP", "per_cation": 1.0}
    assert read_additive("trimethyl phosphate 1.5/Mg") == {"name": "TMP", "per_cation": 1.5}
    assert read_additive("TMP 0.1 M") == {"name": "TMP", "concentration": "0.1 mol/L"}
    with pytest.raises(RecipeError, match="give it with --solvent"):
        read_additive("CP 5.4 vol%")
    with pytest.raises(RecipeError, match="has no amount"):
        read_additive("TMP")
