"""Input hashes: changed by what decides a stage, and by nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from solvation.inputs import hash_build, hash_simulation, hash_text, list_differences
from solvation.library import find_forcefield
from solvation.recipe import Recipe, load_recipe


def load(*settings: str) -> Recipe:
    return load_recipe("mg-tfsi2-dme", settings=settings).resolve("quick")


LONGER = [
    "title=another",
    "note=another",
    'protocol.production_time="9 ns"',
    "protocol.replicas=7",
    'protocol.checkpoint_interval="8 ps"',
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


def test_a_force_field_that_shares_files_depends_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "model.forcefield=opls2020-clp"
    before = hash_build(load(setting))
    assert before != hash_build(load())
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    assert hash_build(load(setting)) == before
    with (folder / "common.xml").open("a") as file:
        file.write("\n")
    assert hash_build(load(setting)) != before


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
