"""Composition: whole, neutral, and as near to what was asked as whole molecules allow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from solvation.build.composition import (
    Composition,
    compose,
    compute_concentrations,
    compute_refractive_index,
)
from solvation.errors import RecipeError
from solvation.library import find_species
from solvation.recipe import Recipe, parse_recipe
from solvation.units import AVOGADRO

CUTOFF = {"cutoff": "4 angstrom"}
"""So that small boxes are not refused for their size."""


def make(**tables: Any) -> Recipe:
    data = {
        "name": "x",
        "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
        "solvent": [{"name": "DME"}],
        "model": CUTOFF,
        "box": {"cations": 8},
        **tables,
    }
    return parse_recipe(data).resolve("quick")


def salt(cation: str, anion: str, amount: str | float) -> dict[str, Any]:
    key = "concentration" if isinstance(amount, str) else "solvent_ratio"
    return {"cation": cation, "anion": anion, key: amount}


def total_charge(composition: Composition) -> int:
    return sum(find_species(name).charge * n for name, n in composition.counts.items())


# Cases --------------------------------------------------------------------------------------


def test_the_reference_electrolyte_by_hand() -> None:
    """At 1.03 g/cm3, 0.5 M Mg(TFSI)2 in DME has (2000 cm3 - 585 g / 1.03) / 87.5 = 16.4 DME."""
    composition = compose(make(box={"cations": 8}))
    assert composition.counts["Mg"] == 8
    assert composition.counts["TFSI"] == 16
    assert composition.counts["DME"] / 8 == pytest.approx(16.4, abs=0.5)
    assert list(composition.counts) == ["Mg", "TFSI", "DME"]
    assert composition.salts == {"Mg(TFSI)2": 8}
    assert composition.asked == {"Mg(TFSI)2": "0.5 mol/L"}
    assert composition.n_molecules == sum(composition.counts.values())


def test_a_solvent_ratio_is_exact() -> None:
    composition = compose(make(salt=[salt("Mg", "TFSI", 18)], box={"cations": 5}))
    assert composition.counts == {"Mg": 5, "TFSI": 10, "DME": 90}
    assert composition.asked == {"Mg(TFSI)2": "18 solvent molecules per formula unit"}


def test_molality_by_hand() -> None:
    composition = compose(make(salt=[salt("Mg", "TFSI", "0.6 mol/kg")], box={"cations": 30}))
    kilograms = composition.counts["DME"] * 90.122e-3 / AVOGADRO
    assert 30 / AVOGADRO / kilograms == pytest.approx(0.6, rel=2e-3)


def test_mass_and_volume_by_hand() -> None:
    composition = compose(make(salt=[], box={"atoms": 1600}))
    assert composition.counts == {"DME": 100}
    assert composition.mass == pytest.approx(9012.2, rel=1e-4)
    density = composition.mass / AVOGADRO / (composition.volume * 1e-24)
    assert density == pytest.approx(find_species("DME").density, rel=1e-9)
    assert composition.edge**3 == pytest.approx(composition.volume)


@pytest.mark.parametrize(
    ("box", "low", "high"),
    [({"atoms": 5000}, 4800, 5200), ({"edge": "40 angstrom"}, None, None)],
)
def test_box_by_atoms_and_by_edge(box: dict[str, Any], low: int | None, high: int | None) -> None:
    composition = compose(make(box=box))
    if low is not None and high is not None:
        n_atoms = sum(find_species(name).n_atoms * n for name, n in composition.counts.items())
        assert low <= n_atoms <= high
    else:
        assert composition.edge == pytest.approx(40, rel=0.02)


def test_solvent_fractions_are_of_what_they_say() -> None:
    """DME and THF half and half by volume, mole and mass."""
    dme, thf = find_species("DME"), find_species("THF")
    for kind, weight in (
        ("mole", (1.0, 1.0)),
        ("mass", (dme.mass, thf.mass)),
        ("volume", (dme.mass / dme.density, thf.mass / thf.density)),  # type: ignore[operator]
    ):
        solvents = [{"name": n, "fraction": 0.5, "fraction_of": kind} for n in ("DME", "THF")]
        counts = compose(make(salt=[], solvent=solvents, box={"atoms": 60_000})).counts
        assert counts["DME"] * weight[0] == pytest.approx(counts["THF"] * weight[1], rel=2e-3), kind


def test_a_trace_salt_needs_a_box_that_holds_one() -> None:
    trace = [salt("Mg", "TFSI", "0.001 mol/L"), salt("Li", "TFSI", "1 mol/L")]
    with pytest.raises(RecipeError) as caught:
        compose(make(salt=trace, box={"atoms": 4000}))
    found = re.search(r"0.001 mol/L of Mg.* box\.atoms to at least (\d+)", str(caught.value))
    assert found, caught.value
    composition = compose(make(salt=trace, box={"atoms": int(found[1])}))
    assert composition.salts["Mg(TFSI)2"] == 1
    assert 0.9 < compute_concentrations(composition, volume=composition.volume)["LiTFSI"] < 1.1


# Additives and ionic liquids ------------------------------------------------------------------


def test_additives_per_cation_are_counted_over_all_salts() -> None:
    salts = [salt("Mg", "TFSI", "0.4 mol/L"), salt("Li", "TFSI", "0.1 mol/L")]
    additive = [{"name": "ACN", "per_cation": 1.5}]
    composition = compose(make(salt=salts, additive=additive, box={"cations": 8}))
    assert composition.counts["ACN"] == 15
    assert composition.additives == {"ACN": 15}
    assert composition.asked["ACN"] == "1.5 per cation"


def test_an_additive_takes_room_from_the_solvent() -> None:
    """1 mol/L of acetonitrile is 52.8 cm3 of the liter."""
    plain = compose(make(box={"cations": 40}))
    more = compose(
        make(additive=[{"name": "ACN", "concentration": "1 mol/L"}], box={"cations": 40})
    )
    acn, dme = find_species("ACN"), find_species("DME")
    assert more.counts["ACN"] == 80
    lost = (plain.counts["DME"] - more.counts["DME"]) * dme.mass / dme.density  # type: ignore[operator]
    assert lost == pytest.approx(80 * acn.mass / acn.density, rel=0.02)  # type: ignore[operator]
    assert more.volume == pytest.approx(plain.volume, rel=1e-3)


def test_molal_additives_are_per_kilogram_of_solvent() -> None:
    composition = compose(
        make(
            salt=[salt("Mg", "TFSI", "0.5 mol/kg")],
            additive=[{"name": "ACN", "concentration": "0.25 mol/kg"}],
            box={"cations": 30},
        )
    )
    assert composition.counts["ACN"] == 15
    kilograms = composition.counts["DME"] * find_species("DME").mass * 1e-3
    assert 30 / kilograms == pytest.approx(0.5, rel=2e-3)


def test_an_ionic_liquid_is_a_solvent_of_two_ions() -> None:
    """Any salt will do as the liquid; the shared ion is counted once."""
    liquid = {"cation": "Li", "anion": "TFSI"}
    composition = compose(make(salt=[salt("Ca", "TFSI", 10)], solvent=[liquid], box={"cations": 4}))
    assert composition.counts == {"Ca": 4, "Li": 40, "TFSI": 48}
    assert composition.salts == {"Ca(TFSI)2": 4}
    assert total_charge(composition) == 0


def test_a_divalent_liquid_beside_a_molecule() -> None:
    solvents = [
        {"cation": "Mg", "anion": "TFSI", "fraction": 0.25, "fraction_of": "mole"},
        {"name": "DME", "fraction": 0.75, "fraction_of": "mole"},
    ]
    composition = compose(make(salt=[], solvent=solvents, box={"atoms": 8000}))
    assert composition.counts["DME"] == pytest.approx(3 * composition.counts["Mg"], abs=2)
    assert composition.counts["TFSI"] == 2 * composition.counts["Mg"]


def test_magnesium_aluminate_chloride_is_two_salts() -> None:
    """3 MgCl2 + 2 AlCl3 -> 3 Mg2+, 4 Cl-, 2 AlCl4-: two MgCl2 for one Mg(AlCl4)2.

    BF4 stands for AlCl4 here: what is tested is the count.
    """
    salts = [salt("Mg", "Cl", "0.2 mol/L"), salt("Mg", "BF4", "0.1 mol/L")]
    counts = compose(make(salt=salts, box={"cations": 8})).counts
    assert (counts["Mg"], counts["Cl"], counts["BF4"]) == (12, 16, 8)


# Laws ---------------------------------------------------------------------------------------

amounts = st.floats(0.05, 1.5).map(lambda x: float(f"{x:.3g}"))
kinds = st.sampled_from(["mol/L", "mol/kg", "ratio"])
ions = st.lists(
    st.tuples(st.sampled_from(["Mg", "Ca", "Li", "K"]), st.sampled_from(["TFSI", "BF4", "OTf"])),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip
solvents = st.sampled_from(
    [
        [{"name": "DME"}],
        [{"name": "DME", "fraction": 0.3}, {"name": "G4", "fraction": 0.7}],
        [{"name": n, "fraction": 0.5, "fraction_of": "mole"} for n in ("THF", "ACN")],
    ]
)
boxes = st.one_of(
    st.integers(4, 60).map(lambda n: {"cations": n}),
    st.integers(1500, 20_000).map(lambda n: {"atoms": n}),
    st.floats(30, 60).map(lambda x: {"edge": f"{x:.3f} angstrom"}),
)


@settings(max_examples=100, deadline=None)
@given(ions, st.data(), kinds, solvents, boxes)
def test_neutral_whole_and_within_half_a_formula_unit(
    pairs: list[tuple[str, str]], data: st.DataObject, kind: str, solvent: Any, box: Any
) -> None:
    values = data.draw(st.lists(amounts, min_size=len(pairs), max_size=len(pairs)))
    salts = [
        salt(*pair, 20 / value if kind == "ratio" else f"{value} {kind}")
        for pair, value in zip(pairs, values, strict=True)
    ]
    try:
        recipe = make(salt=salts, solvent=solvent, box=box)
        composition = compose(recipe)
    except RecipeError as error:
        assume("too small for the cutoff" not in str(error))
        assume("which would be none" not in str(error))
        raise
    assert total_charge(composition) == 0
    assert all(isinstance(n, int) and n >= 1 for n in composition.counts.values())
    ionic = {"Mg", "Ca", "Li", "K", "TFSI", "BF4", "OTf"}
    molecules = {name: n for name, n in composition.counts.items() if name not in ionic}
    amount = dict(zip(composition.salts, values, strict=True))
    n_solvents = sum(molecules.values())
    # What the solvent that is really there would hold, in formula units, by each definition.
    if kind == "ratio":
        ideal = {formula: n_solvents * value / 20 for formula, value in amount.items()}
        one = 1 / min(20 / v for v in values)
    elif kind == "mol/kg":
        mass = sum(find_species(name).mass * n for name, n in molecules.items()) / 1000
        ideal = {formula: mass * value for formula, value in amount.items()}
        one = max(values) * 0.3
    else:
        volume = composition.volume * 1e-27 * AVOGADRO
        ideal = {formula: volume * value for formula, value in amount.items()}
        one = max(values) * 0.3
    for formula, n in composition.salts.items():
        # half a unit, and what rounding the solvents (half a molecule each) is worth in units
        assert abs(n - ideal[formula]) <= 0.5 + one * len(molecules) + 0.02 * n
    if "cations" in box:
        first = recipe.salt[0]
        assert composition.salts[first.formula] == box["cations"]


@settings(max_examples=30, deadline=None)
@given(amounts.filter(lambda x: x > 0.2), st.sampled_from(["Mg", "Li"]), solvents)
def test_the_three_ways_to_say_it_agree(molar: float, cation: str, solvent: Any) -> None:
    """The box that mol/L makes, described in mol/kg or as a ratio, makes the same box."""
    size = {"cations": 40}
    first = compose(make(salt=[salt(cation, "TFSI", f"{molar} mol/L")], solvent=solvent, box=size))
    molecules = {k: n for k, n in first.counts.items() if not find_species(k).charge}
    grams = sum(find_species(name).mass * n for name, n in molecules.items())
    molal = 40 / grams * 1000
    ratio = sum(molecules.values()) / 40
    for amount in (f"{molal!r} mol/kg", ratio):
        again = compose(make(salt=[salt(cation, "TFSI", amount)], solvent=solvent, box=size))
        for name, n in first.counts.items():
            assert abs(again.counts[name] - n) <= 1
    reached = compute_concentrations(first, volume=first.volume)
    assert reached[next(iter(first.salts))] == pytest.approx(molar, rel=0.02)


@settings(max_examples=100, deadline=None)
@given(
    ions, st.data(), solvents, st.sampled_from(["mol/L", "mol/kg"]), boxes,
    st.one_of(st.none(), st.floats(0.1, 3).map(lambda x: round(x, 3))),
)  # fmt: skip
def test_each_salt_and_additive_is_within_half_a_unit(
    pairs: list[tuple[str, str]], data: st.DataObject, solvent: Any, kind: str, box: Any,
    per_cation: float | None,
) -> None:  # fmt: skip
    """Of the moles times one factor, the same for all; and the ratio of any two shows it."""
    values = data.draw(st.lists(amounts, min_size=len(pairs), max_size=len(pairs)))
    salts = [salt(*pair, f"{v} {kind}") for pair, v in zip(pairs, values, strict=True)]
    share = {"concentration": f"0.2 {kind}"} if per_cation is None else {"per_cation": per_cation}
    recipe = make(salt=salts, solvent=solvent, box=box, additive=[{"name": "PC", **share}])
    try:
        composition = compose(recipe)
    except RecipeError as error:
        assume("too small for the cutoff" not in str(error))
        assume("which would be none" not in str(error))
        assume("alone would fill" not in str(error))
        raise
    assert total_charge(composition) == 0
    cations = sum(
        value * item.stoichiometry[0] for value, item in zip(values, recipe.salt, strict=True)
    )
    moles = dict(zip(composition.salts, values, strict=True))
    moles["PC"] = 0.2 if per_cation is None else per_cation * cations
    counts = {**composition.salts, **composition.additives}
    low = max((counts[name] - 0.5) / moles[name] for name in moles)
    high = min((counts[name] + 0.5) / moles[name] for name in moles)
    assert low <= high * (1 + 1e-9), "no factor puts every salt within half a unit"


@settings(max_examples=40, deadline=None)
@given(st.floats(0.001, 0.1), boxes)
def test_the_size_that_a_trace_needs_is_accepted(dilute: float, box: Any) -> None:
    salts = [salt("Mg", "TFSI", "0.8 mol/L"), salt("Li", "TFSI", f"{dilute:.4f} mol/L")]
    refusal = ""
    try:
        compose(make(salt=salts, box=box))
    except RecipeError as error:
        refusal = str(error)
    assume("too small for the cutoff" not in refusal)
    if refusal:
        found = re.search(r"box\.(\w+) to at least ([\d.]+)( angstrom)?$", refusal)
        assert found, refusal
        value: Any = f"{found[2]} angstrom" if found[3] else int(found[2])
        assert compose(make(salt=salts, box={found[1]: value})).salts["LiTFSI"] >= 1


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.5, 1.5),
    st.floats(13, 16),
    st.sampled_from([{"cations": 1}, {"cations": 3}, {"atoms": 60}, {"edge": "10 angstrom"}]),
    solvents,
)
def test_the_size_that_a_refusal_names_is_accepted(
    molar: float, cutoff: float, box: dict[str, Any], solvent: Any
) -> None:
    model = {"cutoff": f"{cutoff:.2f} angstrom"}
    salts = [salt("Mg", "TFSI", f"{molar:.3f} mol/L")]
    with pytest.raises(RecipeError) as caught:
        compose(make(salt=salts, model=model, box=box, solvent=solvent))
    found = re.search(r"box\.(\w+) to at least ([\d.]+)( angstrom)?", str(caught.value))
    assert found, caught.value
    value: Any = f"{found[2]} angstrom" if found[3] else int(found[2])
    compose(make(salt=salts, model=model, box={found[1]: value}, solvent=solvent))


# Refractive index ---------------------------------------------------------------------------


def test_refractive_index_of_one_solvent_is_its_own() -> None:
    assert compute_refractive_index(make()) == pytest.approx(1.377, rel=1e-12)


def test_refractive_index_of_a_mixture_lies_between() -> None:
    solvents = [{"name": "DME", "fraction": 0.5}, {"name": "G4", "fraction": 0.5}]
    index = compute_refractive_index(make(solvent=solvents))
    assert 1.377 < index < 1.432
    assert index == pytest.approx((1.377 + 1.432) / 2, abs=1e-3)
    swapped = compute_refractive_index(make(solvent=solvents[::-1]))
    assert swapped == pytest.approx(index, rel=1e-12)


# What cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"salt": [salt("Mg", "TFSI", "8 mol/L")]}, "the ions alone would fill 2"),
        (
            {"salt": [salt("Mg", "TFSI", "1 mol/L"), salt("Li", "TFSI", "1 mol/kg")]},
            "mix mol/L, mol/kg and solvent_ratio; use one of them",
        ),
        ({"box": {"cations": 2}, "model": {}}, "too small for the cutoff of 10 angstrom"),
        ({"box": {"edge": "1 m"}}, "at most 1000000 can be packed"),
        ({"salt": [salt("Mg", "TFSI", "1 nmol/L")]}, "the salt less dilute"),
        (
            {"additive": [{"name": "PC", "concentration": "1 mol/kg"}]},
            "the salts and additives mix mol/L, mol/kg",
        ),
        (
            {"additive": [{"name": "PC", "concentration": "20 mol/L"}]},
            "the ions and additives alone would fill",
        ),
        (
            {"additive": [{"name": "PC", "per_cation": 0.01}]},
            "0.01 per cation of PC is 0.08 units in this box, which would be none: raise "
            "box.cations to at least 50",
        ),
    ],
)
def test_what_cannot_be_built(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        compose(make(**tables))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_solvent_without_refractive_index_needs_a_number(monkeypatch: Any) -> None:
    import dataclasses

    bare = dataclasses.replace(find_species("DME"), refractive_index=None)
    monkeypatch.setattr("solvation.section.find_species", lambda name, kind=None: bare)
    with pytest.raises(RecipeError, match="give a number instead"):
        compute_refractive_index(make(salt=[], box={"atoms": 900}))
