"""Recipes: TOML and back is the identity; what is wrong is said in one line."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from solvation.errors import RecipeError
from solvation.profile import PROFILES
from solvation.recipe import Recipe, load_recipe, parse_recipe

BASE: dict[str, Any] = {
    "name": "x",
    "salt": [{"cation": "Mg", "anion": "TFSI", "concentration": "0.5 mol/L"}],
    "solvent": [{"name": "DME"}],
}


def change(path: str, value: Any) -> dict[str, Any]:
    """BASE with one key changed; numbers in the path count in lists."""
    data = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    table: Any = data
    for part in parents:
        table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
    table[int(last) if isinstance(table, list) else last] = value
    return data


# Recipe -> TOML -> Recipe -------------------------------------------------------------------

numbers = st.floats(0.01, 1000).map(lambda x: float(f"{x:.6g}"))


def amounts(*units: str) -> st.SearchStrategy[str]:
    return st.builds(lambda x, unit: f"{x!r} {unit}", numbers, st.sampled_from(units))


def tables(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with any selection of the keys."""
    return st.fixed_dictionaries({}, optional=keys)


salts = st.builds(
    lambda ions, amount: {"cation": ions[0], "anion": ions[1], **amount},
    st.tuples(st.sampled_from(["Mg", "ca", "Li"]), st.sampled_from(["TFSI", "ntf2", "BF4"])),
    st.one_of(
        amounts("mol/L", "mol/kg", "mmol/L").map(lambda x: {"concentration": x}),
        numbers.map(lambda x: {"solvent_ratio": x}),
    ),
)


@st.composite
def solvent_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    kinds = [{"name": "DME"}, {"smiles": "C1CCOC1"}, {"name": "diglyme"}, {"name": "ACN"},
             {"cation": "K", "anion": "FSI"}]  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique_by=repr))
    shares = draw(st.lists(st.integers(1, 9), min_size=len(chosen), max_size=len(chosen)))
    kind = draw(st.sampled_from(["volume", "mole", "mass"]))
    return [
        {**solvent, "fraction": share / sum(shares), "fraction_of": kind}
        for solvent, share in zip(chosen, shares, strict=True)
    ]


additives = st.builds(
    lambda molecule, amount: {**molecule, **amount},
    st.sampled_from([{"name": "PC"}, {"smiles": "COC(=O)OC"}, {"name": "ethylene carbonate"}]),
    st.one_of(
        amounts("mol/L", "mmol/kg").map(lambda x: {"concentration": x}),
        numbers.map(lambda x: {"per_cation": x}),
    ),
)
times = amounts("ps", "ns", "fs")
protocols = tables(
    profile=st.sampled_from(list(PROFILES)),
    starts=st.lists(
        st.sampled_from(["separated", "contact", "random"]), min_size=1, max_size=3, unique=True
    ),
    replicas=st.integers(1, 9),
    seed=st.integers(0, 2**31 - 1),
    timestep=times,
    hydrogen_mass=st.sampled_from(["1.008 u", "3 dalton"]),
    friction=amounts("1/ps"),
    heat_temperature=amounts("K"),
    heat_time=st.one_of(times, st.just("0 ps")),
    anneal_time=st.one_of(times, st.just("0 ps")),
    density_time=times,
    density_time_max=times,
    production_time=times,
    report_interval=times,
    checkpoint_interval=times,
)
recipes = st.builds(
    lambda top, solvent: {**top, "solvent": solvent},
    st.fixed_dictionaries(
        {"name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]*", fullmatch=True)},
        optional={
            "title": st.text(max_size=20),
            "note": st.text(max_size=20),
            "salt": st.lists(salts, max_size=2),
            "additive": st.lists(additives, max_size=2),
            "conditions": tables(
                temperature=amounts("K"), pressure=st.one_of(amounts("bar", "atm"), st.just("0 Pa"))
            ),
            "model": tables(
                forcefield=st.sampled_from(["opls-clp", "mine"]),
                ions=st.sampled_from(["default", "lm-cm"]),
                charge_scale=st.one_of(st.just("ecc"), st.floats(0.5, 1.5), st.just(1)),
                cutoff=amounts("angstrom", "nm"),
            ),
            "box": st.one_of(
                st.just({}),
                st.fixed_dictionaries({"cations": st.integers(1, 99)}),
                st.fixed_dictionaries({"atoms": st.integers(50, 9999)}),
                st.fixed_dictionaries({"edge": amounts("angstrom", "nm")}),
            ),
            "protocol": protocols,
        },
    ),
    solvent_lists(),
)


def accept(data: dict[str, Any]) -> Recipe:
    """Make a recipe; refusals (a salt twice, cations without a salt) are not what is tested."""
    try:
        return parse_recipe(data)
    except RecipeError:
        assume(False)
        raise


@settings(max_examples=150, deadline=None)
@given(recipes)
def test_toml_and_back_is_the_identity(data: dict[str, Any]) -> None:
    recipe = accept(data)
    again = parse_recipe(tomllib.loads(recipe.to_toml()))
    assert again == recipe
    assert again.hash == recipe.hash
    assert again.to_toml() == recipe.to_toml()
    for key, value in data.items():  # nothing that was asked for is lost
        if key in ("name", "title", "note"):
            assert getattr(again, key) == value
        if key in ("salt", "solvent", "additive"):
            assert len(getattr(again, key)) == len(value)
    for key, value in data.get("protocol", {}).items():
        kept = getattr(again.protocol, key)
        assert (list(kept) if isinstance(kept, tuple) else kept) == value


@settings(max_examples=50, deadline=None)
@given(recipes, st.sampled_from([None, *PROFILES]))
def test_resolving_fills_gaps_changes_nothing_and_is_final(
    data: dict[str, Any], profile: str | None
) -> None:
    recipe = accept(data)
    resolved = recipe.resolve(profile)
    assert resolved.resolve() == resolved
    assert parse_recipe(tomllib.loads(resolved.to_toml())) == resolved
    for key, value in resolved.protocol.model_dump().items():
        assert value is not None or key == "tempering", key  # its absence is a choice
        asked = recipe.protocol.model_dump()[key]
        if asked is not None and key != "profile":
            assert value == asked
    assert recipe.box in (resolved.box, type(recipe.box)())


def test_a_shipped_recipe_loads_and_resolves() -> None:
    recipe = load_recipe("mg-tfsi2-dme")
    assert recipe.name == "mg-tfsi2-dme"
    for profile in PROFILES:
        assert recipe.resolve(profile).protocol.profile == profile


def test_resolve_takes_the_profile_and_keeps_what_was_said() -> None:
    recipe = parse_recipe(change("protocol.production_time", "7 ps"))
    quick = recipe.resolve("quick")
    assert quick.protocol.production_time == "7 ps"
    assert quick.protocol.heat_time == PROFILES["quick"]["heat_time"]
    assert quick.box.cations == 8
    solvent = parse_recipe({"name": "x", "solvent": [{"name": "DME"}]}).resolve("quick")
    assert (solvent.box.cations, solvent.box.atoms) == (None, 2500)
    with pytest.raises(RecipeError, match='profile "fast" is not known; choose one of quick'):
        recipe.resolve("fast")


def test_accepted_recipes_are_frozen() -> None:
    recipe = parse_recipe(BASE)
    with pytest.raises(ValidationError):
        recipe.name = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        recipe.salt[0].cation = "Ca"  # type: ignore[misc]


# Hash ---------------------------------------------------------------------------------------


def test_hash_ignores_words_for_people_and_nothing_else() -> None:
    base = parse_recipe(BASE).hash
    assert parse_recipe(change("title", "a title")).hash == base
    assert parse_recipe(change("note", "a note")).hash == base
    changed = [
        change("protocol.seed", 1),
        change("protocol.timestep", "2 fs"),
        change("protocol.starts", ["contact"]),
        change("model.charge_scale", 0.8),
        change("conditions.temperature", "300 K"),
        change("salt.0.concentration", "0.6 mol/L"),
        change("salt.0.anion", "OTf"),
        change("solvent.0.name", "G2"),
        change("box.cations", 9),
    ]
    hashes = {parse_recipe(data).hash for data in changed}
    assert len(hashes | {base}) == len(changed) + 1


def test_writing_a_default_down_changes_nothing() -> None:
    explicit = parse_recipe(
        {
            **BASE,
            "solvent": [{"name": "DME", "fraction": 1.0, "fraction_of": "volume"}],
            "conditions": {"temperature": "298.15 K"},
            "model": {"charge_scale": "ecc"},
            "protocol": {"seed": 2026},
        }
    )
    assert explicit == parse_recipe(BASE)
    assert explicit.hash == parse_recipe(BASE).hash


# Chemistry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cation", "anion", "formula", "stoichiometry"),
    [
        ("Mg", "TFSI", "Mg(TFSI)2", (1, 2)),
        ("Li", "TFSI", "LiTFSI", (1, 1)),
        ("Ca", "BF4", "Ca(BF4)2", (1, 2)),
        ("magnesium", "ntf2", "Mg(TFSI)2", (1, 2)),
    ],
)
def test_formula_unit_is_neutral(
    cation: str, anion: str, formula: str, stoichiometry: tuple[int, int]
) -> None:
    salt = parse_recipe(
        {**BASE, "salt": [{"cation": cation, "anion": anion, "solvent_ratio": 18}]}
    ).salt[0]
    assert salt.formula == formula
    assert salt.stoichiometry == stoichiometry
    assert sum(n * ion.charge for n, ion in zip(stoichiometry, salt.ions, strict=True)) == 0


def test_a_solvent_may_be_a_smiles() -> None:
    assert parse_recipe({**BASE, "solvent": [{"smiles": "COCCOC"}]}).solvent[0].label == "DME"


# What is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("protocl", {}, 'key "protocl" is not known; did you mean "protocol"?'),
        ("protocol.profil", "quick", 'key "protocol.profil" is not known; did you mean "profile"?'),
        (
            "salt.0.concentraton",
            "1 mol/L",
            'key "salt.0.concentraton" is not known; did you mean "concentration"?',
        ),
        ("model.xyz", 1, "known keys: forcefield, ions, species, charge_scale, cutoff"),
        ("protocol.profile", "quikc", 'did you mean "quick"?'),
        ("salt.0.concentration", "-0.5 mol/L", '"-0.5 mol/L" is negative'),
        ("salt.0.concentration", 0.5, 'has no unit; write it as "0.5 mol/L"'),
        ("salt.0.concentration", "0.5 m/s", "wrong unit; it must convert to mol/L"),
        ("salt.0.concentration", None, "give either concentration or solvent_ratio"),
        ("salt.0.solvent_ratio", 18, "give either concentration or solvent_ratio"),
        ("salt.0.solvent_ratio", -1, "solvent_ratio = -1: should be greater than 0"),
        ("salt.0.solvent_ratio", float("inf"), "finite"),
        ("salt.0.cation", "TFSI", "it cannot be the cation"),
        ("salt.0.anion", "TFSA!", 'anion "TFSA!" is not known; did you mean TFSI'),
        ("salt", {"cation": "Mg"}, "write [[salt]] with two brackets"),
        ("salt", [*BASE["salt"], *BASE["salt"]], "Mg(TFSI)2 is listed twice"),
        ("box", [{"cations": 8}], "write [box] with one bracket"),
        ("solvent", [], "give at least one"),
        ("solvent.0.name", "DMEE", 'solvent "DMEE" is not known; did you mean DME'),
        ("solvent.0.name", "Mg", "it cannot be the solvent"),
        ("solvent.0", {"smiles": "[Mg+2]"}, "it cannot be the solvent"),
        ("solvent.0", {"smiles": "C("}, 'SMILES "C(" cannot be read'),
        ("solvent.0", {"smiles": "CCCCCC"}, "none of the known species"),
        ("solvent.0", {"name": "DME", "smiles": "COCCOC"}, "give either name or smiles"),
        ("solvent.0.fraction", 0.5, "the fractions add up to 0.5"),
        ("solvent", [{"name": "DME", "fraction": 0.5}, {"name": "G1", "fraction": 0.5}], "twice"),
        ("conditions.temperature", "-5 K", "negative"),
        ("conditions.temperature", 25, 'write it as "25 K"'),
        ("conditions.pressure", "-1 bar", "0 or above"),
        ("model.charge_scale", "full", 'model.charge_scale = "full": is neither "ecc"'),
        ("model.charge_scale", 2, "is outside 0 to 1.5"),
        ("model.charge_scale", True, "neither"),
        ("model.charge_scale", [1], "neither"),
        ("box.cations", 0, "greater than or equal to 1"),
        ("box.cations", "8", "whole number"),
        ("box.cations", 2.5, "whole number"),
        ("box", {"cations": 8, "atoms": 900}, "give only one of cations, atoms and edge"),
        ("solvent", [], "is empty; give at least one"),
        ("solvent", [{"name": "DME", "fraction": 0.0}], "greater than 0"),
        ("solvent", [{"cation": "Li"}], "an ionic liquid needs both ions; add anion"),
        ("solvent", [{"name": "DME", "anion": "OTf"}], "one of the three"),
        ("solvent", [{"cation": "Mg", "anion": "TFSI"}], "Mg(TFSI)2 is also the solvent"),
        ("additive", [{"name": "PC"}], "give either concentration or per_cation"),
        ("additive", [{"name": "PCC", "per_cation": 1}], "did you mean PC"),
        ("additive", [{"name": "glyme", "per_cation": 1}], "DME is listed twice; list it once"),
        ("additive", [{"name": "PC", "per_cation": 1}] * 2, "PC is listed twice"),
        ("additive", {"name": "PC", "per_cation": 1}, "write [[additive]] with two brackets"),
        ("additive", [{"name": "PC", "per_catoin": 1}], 'did you mean "per_cation"?'),
        ("additive", [{"name": "TFSI", "per_cation": 1}], "it cannot be the solvent"),
        ("missing", {}, 'key "missing.reason" is missing'),
        ("protocol.starts", "contact", 'must be a list, e.g. ["contact"]'),
        ("protocol.starts", [], "is empty"),
        ("protocol.starts", ["contact", "contact"], "raise replicas instead"),
        ("protocol.starts", ["contct"], 'did you mean "contact"?'),
        ("protocol.hydrogen_mass", "12 u", "outside 1 to 4 u"),
        ("protocol.seed", -1, "greater than or equal to 0"),
        ("name", "a b", "without spaces"),
        ("name", "../x", "must be letters"),
    ],
)
def test_mistakes_are_said_in_one_line(path: str, value: Any, message: str) -> None:
    data = change(path, value)
    if value is None:
        del data["salt"][0]["concentration"]
    with pytest.raises(RecipeError) as caught:
        parse_recipe(data, where="here.toml")
    text = str(caught.value)
    assert text.startswith("here.toml: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < 250


def test_missing_keys_and_several_mistakes() -> None:
    with pytest.raises(RecipeError, match=r'key "name" is missing; add it \(and 1 more\)'):
        parse_recipe({"solvent": [{"name": "DME"}], "extra": 1})
    with pytest.raises(RecipeError, match="cations needs a salt"):
        parse_recipe({"name": "x", "solvent": [{"name": "DME"}], "box": {"cations": 8}})


def test_a_bad_item_is_blamed_once() -> None:
    """Pydantic also calls the list too short when its only item is wrong."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(change("solvent.0.name", "DMEE"))
    assert "more)" not in str(caught.value)


def test_settings_change_a_loaded_recipe() -> None:
    recipe = load_recipe(
        "mg-tfsi2-dme",
        settings=["salt.0.concentration=0.3 mol/L", "protocol.seed=7", 'box.edge="30 angstrom"'],
    )
    assert recipe.salt[0].concentration == "0.3 mol/L"
    assert recipe.protocol.seed == 7
    assert recipe.box.edge is not None
    assert recipe.box.edge.magnitude == 30


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean mg-tfsi2-dme"):
        load_recipe("mg-tfsi-dme")


def test_an_additive_per_cation_needs_a_salt() -> None:
    data = {"name": "x", "solvent": [{"name": "DME"}], "additive": [{"name": "PC"}]}
    data["additive"][0]["per_cation"] = 1.0  # type: ignore[index]
    with pytest.raises(RecipeError, match="per_cation needs a salt"):
        parse_recipe(data)


def test_a_recipe_that_misses_something_says_so_when_it_is_to_be_run() -> None:
    recipe = parse_recipe({"name": "x", "missing": {"reason": "Mg-C is covalent", "salts": ["A"]}})
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe
    with pytest.raises(RecipeError, match=r"^x cannot be run: Mg-C is covalent$"):
        recipe.resolve()


def make_polarizable(**protocol: str) -> Recipe:
    return parse_recipe(
        {
            "name": "polarizable",
            "solvent": [{"name": "DME"}],
            "model": {"forcefield": "clpol-drude"},
            "protocol": {"profile": "quick", **protocol},
        }
    )


def test_a_polarizable_model_has_its_own_time_step() -> None:
    resolved = make_polarizable().resolve()
    assert resolved.protocol.timestep == "1 fs"
    assert resolved.protocol.hydrogen_mass == "1.008 u"
    assert make_polarizable(timestep="0.5 fs").resolve().protocol.timestep == "0.5 fs"


def test_a_polarizable_model_refuses_a_long_time_step() -> None:
    with pytest.raises(RecipeError, match=r'too long for the induced dipoles.* "1 fs" or less'):
        make_polarizable(timestep="2 fs").resolve()


@pytest.mark.parametrize(
    ("system", "anneal"),
    [("k-tfsi-g2", "500 ps"), ("li-tfsi-g2", "658 ps"), ("ca-tfsi2-dme", "1000 ps"),
     ("mg-tfsi2-dme", "1389 ps")],
)  # fmt: skip
def test_annealing_follows_the_field_of_the_cation(system: str, anneal: str) -> None:
    """Charge over Shannon's radius: 1/1.38, 1/0.76, 2/1.00, 2/0.72 e/Å, and never below 1."""
    recipe = load_recipe(system)
    assert recipe.resolve("standard").protocol.anneal_time == anneal
    assert recipe.resolve("quick").protocol.anneal_time == PROFILES["quick"]["anneal_time"]
    own = load_recipe(system, settings=["protocol.anneal_time=7 ps"])
    assert own.resolve("standard").protocol.anneal_time == "7 ps"
