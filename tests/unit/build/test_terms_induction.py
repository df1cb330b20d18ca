"""The r^-4 term of 12-6-4 ions against a sum in NumPy, and against what it must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
import pytest
from numpy.typing import NDArray
from openmm import unit

from solvation.build.box import build_box
from solvation.build.forcefield import load_forcefield
from solvation.build.ionset import choose_induction
from solvation.build.system import Prepared, make_system
from solvation.errors import ForceFieldError, MissingParameterError
from solvation.library import find_species
from solvation.recipe import Recipe, parse_recipe

FORCEFIELD = load_forcefield("opls-clp")
KCAL = 4.184

C4 = {"Mg": 132.9, "Ca": 87.3, "Zn": 231.6}
"""kcal/mol A^4, TIP3P; written a second time."""
ALPHA = {
    "DME": {"O": 0.637, "C": 1.061, "H": 0.387},
    "TFSI": {"N": 1.09, "S": 3.0, "O": 0.569, "C": 1.061, "F": 0.32},
    "Mg": {"Mg": 0.0},
}
"""A^3; written a second time, by residue and element."""


def make_recipe(scale: float | str = 1.0, **salt: object) -> Recipe:
    return parse_recipe(
        {
            "name": "induced",
            "salt": [{"cation": "Mg", "anion": "TFSI", "solvent_ratio": 15, **salt}],
            "solvent": [{"name": "DME"}],
            "model": {"cutoff": "8 angstrom", "ions": "lm-1264", "charge_scale": scale},
            "box": {"cations": 2},
            "protocol": {"profile": "quick"},
        }
    ).resolve()


def rebuild(prepared: Prepared, scale: float) -> openmm.System:
    """The relaxed box again, with 12-6-4 ions."""
    species = {name: find_species(name) for name in ("Mg", "TFSI", "DME")}
    made = make_system(
        _Repacked(prepared),  # type: ignore[arg-type]
        species,
        FORCEFIELD,
        make_recipe(scale),
        charge_scale=scale,
    )
    return made.system


class _Repacked:
    """What `make_system` needs of packed molecules."""

    def __init__(self, prepared: Prepared) -> None:
        from solvation.build.molecule import Molecule

        self.positions = prepared.positions
        self.edge = prepared.edge
        self.molecules = tuple(
            Molecule(
                name=residue.name,
                elements=tuple(a.element.symbol for a in residue.atoms()),
                bonds=find_species(residue.name).bonds,
                positions=prepared.positions[[a.index for a in residue.atoms()]],
            )
            for residue in prepared.topology.residues()
        )


def measure(
    system: openmm.System, x: NDArray[np.float64], platform: str = "Reference"
) -> tuple[float, NDArray[np.float64]]:
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName(platform),
    )
    context.setPositions(x / 10)
    (group,) = {f.getForceGroup() for f in system.getForces() if f.getName() == "Induction"}
    state = context.getState(getEnergy=True, getForces=True, groups={group})
    return (
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.angstrom),
    )


def sum_by_hand(
    prepared: Prepared, x: NDArray[np.float64], scale: float
) -> tuple[float, NDArray[np.float64]]:
    """Energy in kJ/mol and forces in kJ/mol/A: -C4 alpha/alpha_water / r^4 inside the cutoff."""
    atoms = list(prepared.topology.atoms())
    alpha = np.array([ALPHA[a.residue.name][a.element.symbol] for a in atoms])
    energy = 0.0
    forces = np.zeros_like(x)
    for ion in (a.index for a in atoms if a.residue.name == "Mg"):
        rays = x - x[ion]
        rays -= prepared.edge * np.round(rays / prepared.edge)
        r = np.linalg.norm(rays, axis=1)
        near = (r < 8.0) & (alpha > 0)
        strength = scale**2 * C4["Mg"] * KCAL * alpha[near] / 1.444
        energy -= (strength / r[near] ** 4).sum()
        pull = -(4 * strength / r[near] ** 6)[:, None] * rays[near]
        forces[near] += pull
        forces[ion] -= pull.sum(axis=0)
    return energy, forces


@pytest.mark.parametrize("scale", [1.0, 0.75])
def test_energy_and_forces_are_those_of_the_sum(prepared: Prepared, scale: float) -> None:
    system = rebuild(prepared, scale)
    energy, forces = measure(system, prepared.positions)
    expected, pulls = sum_by_hand(prepared, prepared.positions, scale)
    assert expected < -100
    assert energy == pytest.approx(expected, rel=1e-6)
    assert np.abs(forces - pulls).max() < 1e-6 * np.abs(pulls).max()


def test_the_cpu_platform_agrees(prepared: Prepared) -> None:
    system = rebuild(prepared, 1.0)
    energy, _ = measure(system, prepared.positions, "CPU")
    expected, _ = sum_by_hand(prepared, prepared.positions, 1.0)
    assert energy == pytest.approx(expected, rel=1e-5)


def test_only_such_a_set_has_the_force(prepared: Prepared) -> None:
    names = [force.getName() for force in rebuild(prepared, 1.0).getForces()]
    assert names.count("Induction") == 1
    assert "Induction" not in [force.getName() for force in prepared.system.getForces()]


def test_the_term_is_in_the_audit(tmp_path: Path) -> None:
    audit = build_box(make_recipe(), tmp_path, start="separated")
    assert audit["ions"] == "lm-1264"
    assert audit["energies"]["induction"] < -100
    assert list(audit["energies"])[-1] == "induction"


def test_c4_goes_with_the_square_of_the_charge() -> None:
    whole = choose_induction(FORCEFIELD, "lm-1264", ["Mg", "DME"], charge_scale=1.0)
    half = choose_induction(FORCEFIELD, "lm-1264", ["Mg", "DME"], charge_scale=0.5)
    assert whole is not None
    assert half is not None
    assert whole.c4 == {"Mg": pytest.approx(C4["Mg"] * KCAL * 1e-4, rel=1e-9)}
    assert half.c4["Mg"] == pytest.approx(whole.c4["Mg"] / 4)
    for name in ("default", "lm-iod"):
        assert choose_induction(FORCEFIELD, name, ["Mg"], charge_scale=1.0) is None


@pytest.mark.parametrize("ion", ["Mg", "Ca", "Zn"])
def test_c4_of_the_card(ion: str) -> None:
    found = choose_induction(FORCEFIELD, "lm-1264", [ion], charge_scale=1.0)
    assert found is not None
    assert found.c4[ion] == pytest.approx(C4[ion] * KCAL * 1e-4, rel=1e-9)


def test_an_element_without_polarizability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MissingParameterError, match=r"polarizability of B1 in BF4 \(B with 4 bonds"
    ) as e:
        build_box(make_recipe(anion="BF4"), tmp_path, start="separated")
    assert "\n" not in str(e.value)


def test_a_c4_needs_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from solvation.library import find_forcefield

    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    card = folder / "card.toml"
    card.write_text(card.read_text().replace("water_polarizability = 1.444\n", ""))
    with pytest.raises(ForceFieldError, match="has c4, which needs"):
        load_forcefield("opls-clp")
