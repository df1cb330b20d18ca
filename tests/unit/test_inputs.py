"""Input hashes: changed by what decides a stage, and by nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from solvation.inputs import (
    hash_analysis,
    hash_build,
    hash_simulation,
    hash_text,
    list_differences,
)
from solvation.library import find_forcefield
from solvation.recipe import Recipe, load_recipe


def load(*settings: str) -> Recipe:
    return load_recipe("mg-tfsi2-dme", settings=settings).resolve("quick")


LONGER = [
    "analysis.frame=solvent",
    "analysis.viscosity=0.5 mPa s",
    "title=another",
    "note=another",
    'protocol.production_time="9 ns"',
    "protocol.replicas=7",
    'protocol.checkpoint_interval="8 ps"',
    "analysis.ssip=second-minimum",
    "analysis.series=true",
]
OTHER_RUN = [
    "protocol.timestep=2 fs",
    "protocol.report_interval=1 ps",
    "protocol.heat_time=1 ps",
    "protocol.anneal_time=1 ps",
    "protocol.friction=2 1/ps",
    "conditions.temperature=310 K",
    "conditions.pressure=2 bar",
]
OTHER_BOX = [
    "protocol.seed=7",
    "protocol.hydrogen_mass=2 u",
    "salt.0.concentration=0.4 mol/L",
    "solvent.0.name=G2",
    "model.charge_scale=1.0",
    "model.ions=lm-cm",
    "model.cutoff=9 angstrom",
    "box.cations=9",
]


@pytest.mark.parametrize("setting", LONGER)
def test_a_longer_or_wider_run_has_the_same_inputs(setting: str) -> None:
    assert hash_build(load(setting)) == hash_build(load())
    assert hash_simulation(load(setting)) == hash_simulation(load())
    assert list_differences(load().to_dict(), load(setting).to_dict()) == []


@pytest.mark.parametrize("setting", ["analysis.ssip=second-minimum", "analysis.series=true"])
def test_another_look_at_a_run_is_another_analysis(setting: str) -> None:
    assert hash_analysis(load(setting), ["1"]) != hash_analysis(load(), ["1"])
    assert hash_analysis(load(), ["1"]) != hash_analysis(load(), ["2"])
    assert load(setting).hash == load().hash


@pytest.mark.parametrize("setting", OTHER_RUN)
def test_another_protocol_uses_the_same_box(setting: str) -> None:
    assert hash_build(load(setting)) == hash_build(load())
    assert hash_simulation(load(setting)) != hash_simulation(load())
    assert len(list_differences(load().to_dict(), load(setting).to_dict())) == 1


@pytest.mark.parametrize("setting", OTHER_BOX)
def test_another_box_is_another_run(setting: str) -> None:
    assert hash_build(load(setting)) != hash_build(load())
    assert hash_simulation(load(setting)) != hash_simulation(load())
    assert len(list_differences(load().to_dict(), load(setting).to_dict())) == 1


def test_an_edited_force_field_is_another_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_build(load())
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    assert hash_build(load()) == before
    (folder / "notes.bin").write_bytes(b"\xff\xfe")
    assert hash_build(load()) != before


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_prose_and_other_species_decide_no_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_build(load())
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    _edit(folder / "card.toml", "[failings]", '[failings]\nanother = "said later"')
    _edit(folder / "card.toml", '"cations.xml"', '"cations.xml", "more.xml"')
    _edit(folder / "BH4.xml", 'name="BH4"', 'name="BH4" override="1"')
    (folder / "more.xml").write_text('<ForceField><Residues><Residue name="X"/></Residues>')
    assert hash_build(load()) == before
    assert hash_build(load("salt.0.anion=BH4")) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("card.toml", "sigma_oxygen = 0.29", "sigma_oxygen = 0.30"),
        ("card.toml", "sigma = 0.24856074", "sigma = 0.25"),
        ("opls-clp.xml", 'epsilon="0.', 'epsilon="1.'),
    ],
)
def test_a_number_decides_the_box(
    file: str, old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_build(load())
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    _edit(folder / file, old, new)
    assert hash_build(load()) != before


def test_a_force_field_that_shares_files_depends_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "model.forcefield=opls1996-clp"
    before = hash_build(load(setting))
    assert before != hash_build(load())
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    assert hash_build(load(setting)) == before
    with (folder / "common.xml").open("a") as file:
        file.write("\n")
    assert hash_build(load(setting)) != before


def test_which_file_a_card_replaces_decides_the_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "forcefields" / "mine"
    folder.mkdir(parents=True)
    card = 'extends = "opls-clp"\nname = "mine"\ntitle = "mine"\n'
    (folder / "card.toml").write_text(card)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    setting = "model.forcefield=mine"
    before = hash_build(load(setting))
    (folder / "card.toml").write_text(card + 'adds = ["x.xml"]')
    assert hash_build(load(setting)) == before  # there is no such file yet
    (folder / "card.toml").write_text(card + 'replaces = { "occo.xml" = "opls-clp-occo/occo.xml" }')
    after = hash_build(load(setting))
    assert after != before
    other = folder.with_name("opls-clp-occo")
    shutil.copytree(find_forcefield("opls-clp-occo"), other)
    assert hash_build(load(setting)) == after
    _edit(other / "occo.xml", 'k2="', 'k2="1')
    assert hash_build(load(setting)) != after


def test_differences_are_named_with_both_values() -> None:
    old: dict[str, Any] = {"a": 1, "t": {"x": 1, "y": 2}, "gone": 1}
    new: dict[str, Any] = {"a": 1, "t": {"x": 1, "y": 3}, "new": 1}
    assert list_differences(old, new) == [
        "t.y is 2 there, 3 here",
        "gone is 1 there, None here",
        "new is None there, 1 here",
    ]


def test_hashed_parts_do_not_run_together() -> None:
    assert hash_text(["ab", "c"]) != hash_text(["a", "bc"])
    assert len(hash_text([""])) == 16
