"""The ``[drude]`` table of a card, and what a polarizable model does to a recipe."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from solvation.build.box import check_recipe, choose_charge_scale
from solvation.build.forcefield import load_forcefield
from solvation.build.ionset import choose_ions, list_ions
from solvation.build.polarization import check_drude, read_polarization
from solvation.build.supplement import supplement_forcefield
from solvation.errors import ForceFieldError, RecipeError
from solvation.polarizable import is_polarizable
from solvation.recipe import Recipe, parse_recipe


def test_only_a_card_with_dipoles_is_polarizable() -> None:
    assert is_polarizable("clpol-drude")
    assert not is_polarizable("opls-clp")
    assert not is_polarizable("opls1996-clp")
    assert not is_polarizable("no-such")
    assert read_polarization(load_forcefield("opls-clp")) is None


def test_hydrogens_are_merged_into_heavy_atoms() -> None:
    polarization = read_polarization(load_forcefield("clpol-drude"))
    assert polarization is not None
    assert polarization.alpha_of("DME", "C", 3) == pytest.approx(1.016 + 3 * 0.323)
    assert polarization.alpha_of("DME", "O", 0) == 1.144
    assert polarization.alpha_of("DME", "H", 0) == 0
    assert polarization.alpha_of("Mg", "Mg", 0) == 0


def test_factors_between_species() -> None:
    polarization = read_polarization(load_forcefield("clpol-drude"))
    assert polarization is not None
    assert polarization.factor_of("G2", "DME") == 0.89
    assert polarization.factor_of("TFSI", "THF") == polarization.factor_of("THF", "TFSI") == 0.75
    assert polarization.factor_of("TFSI", "BF4") == 1, "ions of like charge are not scaled"
    assert polarization.factor_of("Mg", "DME") == 1


def test_ions_default_to_what_the_card_says() -> None:
    forcefield = load_forcefield("clpol-drude")
    plain = load_forcefield("opls-clp")
    assert set(list_ions(forcefield)) >= {"default", "lm-iod", "aqvist1990", "dft-dme"}
    assert choose_ions(plain, "default", ["Mg", "Ca"]) == {}
    assert choose_ions(forcefield, "default", ["Mg"]) == choose_ions(plain, "lm-iod", ["Mg"])
    assert choose_ions(forcefield, "default", ["Ca"]) == choose_ions(plain, "lm-cm", ["Ca"])
    assert choose_ions(forcefield, "dft-dme", ["Mg"])["Mg"][0] == 0.26173


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thole": None}, r"\[drude\] lacks thole"),
        ({"colour": 1.0}, "has the unknown key colour"),
        ({"mass": -0.4}, "mass = -0.4 must be a positive number"),
        ({"alpha": {}}, "alpha has no DME"),
        ({"fragment": {}}, "fragment has no DME"),
        ({"factor": []}, "factor has no pair dme"),
        ({"factor": [{"pair": ["dme", "dme"], "k": 2.0, "source": ""}]}, r"k \(0 to 1\)"),
        ({"damping": {"b": 45.0}}, "damping must have b, c, ions and source"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(change: dict[str, Any], message: str) -> None:
    card = copy.deepcopy(dict(load_forcefield("clpol-drude").card))
    check_drude(card, "card.toml")
    card["drude"] = {k: v for k, v in (card["drude"] | change).items() if v is not None}
    with pytest.raises(ForceFieldError, match=message):
        check_drude(card, "card.toml")


def make_recipe(**model: Any) -> Recipe:
    return parse_recipe(
        {
            "name": "x",
            "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
            "solvent": [{"name": "DME"}],
            "model": {"forcefield": "clpol-drude", **model},
        }
    ).resolve()


def test_charges_are_full() -> None:
    for scale in ({}, {"charge_scale": "ecc"}, {"charge_scale": 1.0}):
        assert choose_charge_scale(make_recipe(**scale)) == 1.0


def test_scaled_charges_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"charge_scale = 0.8 with .* explicitly; leave it out"):
        check_recipe(make_recipe(charge_scale=0.8))


def test_species_without_polarizabilities_are_refused() -> None:
    folder = load_forcefield("opls-clp").folder
    with pytest.raises(ForceFieldError, match=r"has no polarizabilities for DME, .* needs; use"):
        supplement_forcefield(load_forcefield("clpol-drude"), [folder])
