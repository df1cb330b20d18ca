"""Ion sets: the numbers of their papers, converted as said, and refused where they must be."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from solvation.build.box import build_box, check_recipe
from solvation.build.forcefield import ForceField, load_forcefield
from solvation.build.ionset import choose_induction, choose_ions, convert_sigma, list_ions
from solvation.build.molecule import embed_cluster, pick_donors
from solvation.build.system import _list_induction
from solvation.build.terms import (
    add_induction,
    apply_geometric_mixing,
    scale_charges,
    set_lennard_jones,
)
from solvation.errors import ForceFieldError, RecipeError
from solvation.library import find_forcefield, find_species
from solvation.recipe import Recipe, parse_recipe

FORCEFIELD = load_forcefield("opls-clp")

PUBLISHED = {
    ("aqvist1990", "Mg"): (0.1644471, 3.661184096),
    ("aqvist1990", "Ca"): (0.2412031, 1.881364888),
    ("lm-hfe", "Mg"): (0.22878279, 0.016554498),
    ("lm-hfe", "Ca"): (0.27225865, 0.2026866),
    ("lm-hfe", "Zn"): (0.2093612, 0.002993987),
    ("lm-iod", "Mg"): (0.24856074, 0.062412728),
    ("lm-iod", "Ca"): (0.28651303, 0.348860288),
    ("lm-iod", "Zn"): (0.24856074, 0.062412728),
    ("lm-cm", "Mg"): (0.24232445, 0.042686716),
    ("lm-cm", "Ca"): (0.2938184, 0.443205681),
    ("lm-cm", "Zn"): (0.22646645, 0.013819166),
    ("lm-1264", "Mg"): (0.25604429, 0.09447313),
    ("lm-1264", "Ca"): (0.29257114, 0.426181194),
    ("lm-1264", "Zn"): (0.25925153, 0.111410799),
}
"""sigma in nm and epsilon in kJ/mol, written a second time."""


def make_recipe(**model: object) -> Recipe:
    return parse_recipe(
        {
            "name": "ions",
            "salt": [{"cation": "Zn", "anion": "TFSI", "solvent_ratio": 15}],
            "solvent": [{"name": "DME"}],
            "model": {"cutoff": "6 angstrom", **model},
            "box": {"cations": 1},
            "protocol": {"profile": "quick"},
        }
    ).resolve()


# Numbers ------------------------------------------------------------------------------------


def test_every_set_has_its_published_numbers() -> None:
    found = {(name, ion) for name, ions in list_ions(FORCEFIELD).items() for ion in ions}
    assert found - {("default", ion) for ion in ("Mg", "Ca", "Zn")} == set(PUBLISHED)
    for (name, ion), (sigma, epsilon) in PUBLISHED.items():
        chosen = choose_ions(FORCEFIELD, name, [ion, "DME", "Li"])
        if name != "aqvist1990":  # made for Lorentz-Berthelot; keep the contact with ether oxygen
            contact = (sigma + 0.29) / 2
            assert (chosen[ion][0] * 0.29) ** 0.5 == pytest.approx(contact, rel=1e-14)
            sigma = contact**2 / 0.29
        assert chosen == {ion: (pytest.approx(sigma, rel=1e-14), epsilon)}


def test_the_conversion_uses_the_oxygen_of_the_ethers() -> None:
    for name in ("opls-clp", "opls1996-clp"):
        field = load_forcefield(name)
        text = field.files[0].read_text()
        assert 'type="opls-clp:ether_O" sigma="0.29"' in text
        assert field.card["conversion"]["sigma_oxygen"] == 0.29
    assert [round(convert_sigma(s, oxygen=0.29), 4) for s in (0.24856074, 0.24232445)] == [
        0.25,
        0.2443,
    ]


def test_the_default_is_what_the_file_has() -> None:
    assert choose_ions(FORCEFIELD, "default", ["Mg", "Ca", "Zn"]) == {}
    default = FORCEFIELD.card["ions"]["default"]
    assert default == {"Mg": "lm-iod", "Ca": "lm-cm", "Zn": "lm-iod"}
    text = (FORCEFIELD.folder / "common.xml").read_text()
    for ion, name in default.items():
        sigma, epsilon = choose_ions(FORCEFIELD, name, [ion])[ion]
        assert f'type="opls-clp:{ion}" sigma="{sigma!r}" epsilon="{epsilon!r}"' in text


def test_a_force_field_that_mixes_like_the_set_takes_it_as_it_is() -> None:
    from dataclasses import replace

    other = replace(FORCEFIELD, mixing="lorentz-berthelot")
    assert choose_ions(other, "lm-iod", ["Mg"])["Mg"] == PUBLISHED["lm-iod", "Mg"]


# Gas-phase complexes ------------------------------------------------------------------------

DISTANCES = {
    ("Mg", "aqvist1990"): (1.911, 1.950, 1.962),
    ("Mg", "lm-cm"): (1.956, 2.000, 2.013),
    ("Mg", "lm-iod"): (2.001, 2.046, 2.059),
    ("Mg", "lm-hfe"): (1.868, 1.911, 1.924),
    ("Zn", "lm-cm"): (1.855, 1.898, 1.910),
    ("Ca", "aqvist1990"): (2.345, 2.399, 2.415),
    ("Ca", "lm-cm"): (2.431, 2.488, 2.497),
    ("Ca", "lm-iod"): (2.392, 2.449, 2.464),
    ("Ca", "lm-hfe"): (2.317, 2.379, 2.394),
}
"""Mean ion-O distance (angstrom) in minima of [Mg(DME)3]2+, [Zn(DME)3]2+ and [Ca(DME)4]2+ with
charges x 1, 0.8 and 0.75, OPLS/2020 DME; Aqvist with geometric, Li/Merz with Lorentz-Berthelot
mixing. Computed independently of this package, by other people's hands."""


def measure_distance(forcefield: ForceField, ion: str, name: str, scale: float) -> float:
    """Mean ion-O distance of the lowest minimum found, in angstrom."""
    dme = find_species("DME")
    ligands = [(dme, pick_donors(dme))] * (4 if ion == "Ca" else 3)
    field = app.ForceField(*map(str, forcefield.files))
    found = []
    for seed in (6, 8, 20) if ion == "Ca" else (0, 1):  # lowest of 24, and two more
        cluster = embed_cluster(find_species(ion), ligands, seed=seed)
        topology = app.Topology()
        chain = topology.addChain()
        for molecule in cluster.molecules:
            residue = topology.addResidue(molecule.name, chain)
            atoms = [
                topology.addAtom(label, app.Element.getBySymbol(element), residue)
                for label, element in zip(molecule.atom_names, molecule.elements, strict=True)
            ]
            for i, j in molecule.bonds:
                topology.addBond(atoms[i], atoms[j])
        system = field.createSystem(topology)
        for sigma, epsilon in choose_ions(forcefield, name, [ion]).values():
            set_lennard_jones(system, [0], sigma, epsilon)
        scale_charges(system, [0], scale)
        apply_geometric_mixing(system)
        induction = choose_induction(forcefield, name, [ion], charge_scale=scale)
        if induction is not None:
            add_induction(system, *_list_induction(topology, induction))
        context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )
        context.setPositions(np.concatenate([m.positions for m in cluster.molecules]) / 10)
        openmm.LocalEnergyMinimizer.minimize(context, 0.1)
        state = context.getState(getEnergy=True, getPositions=True)
        x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
        oxygen = [a.index for a in topology.atoms() if a.element.symbol == "O"]
        distance = np.linalg.norm(x[oxygen] - x[0], axis=1).mean()
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        found.append((energy, float(distance)))
    return min(found)[1]


DEFAULT = {("Mg", "lm-iod"), ("Ca", "lm-cm")}
"""What a recipe gets; the other sets are minimised in the slow run."""


@pytest.mark.parametrize(
    ("ion", "name"),
    [pytest.param(*k, marks=() if k in DEFAULT else pytest.mark.slow) for k in DISTANCES],
)
def test_gas_phase_distances(ion: str, name: str) -> None:
    forcefield = load_forcefield("opls1996-clp")
    for scale, expected in zip((1.0, 0.8, 0.75), DISTANCES[ion, name], strict=True):
        distance = measure_distance(forcefield, ion, name, scale)
        assert distance == pytest.approx(expected, abs=0.02), scale


# Choice -------------------------------------------------------------------------------------


def test_the_set_is_in_the_system_and_in_the_audit(tmp_path: Path) -> None:
    audits = {}
    for name in ("default", "lm-cm"):
        audits[name] = build_box(make_recipe(ions=name), tmp_path / name, start="separated")
        assert audits[name]["ions"] == name
        system = openmm.XmlSerializer.deserialize((tmp_path / name / "system.xml").read_text())
        attractive = next(f for f in system.getForces() if f.getName() == "Dispersion")
        *_, found = attractive.getParticleParameters(0)  # 4 epsilon sigma^6 in disguise
        sigma, epsilon = choose_ions(FORCEFIELD, {"default": "lm-iod"}.get(name, name), ["Zn"])[
            "Zn"
        ]
        assert found / unit.kilojoule_per_mole == pytest.approx(epsilon * (sigma / 0.01) ** 6)
    energies = [audits[name]["energies"] for name in audits]
    assert energies[0]["bond"] == energies[1]["bond"]
    assert energies[0]["dispersion"] != energies[1]["dispersion"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lm-1266", r"is no ion set of opls-clp; choose one of default, aqvist1990, lm-hfe"),
        (
            "eccr2018",
            r"already scaled \(x 0.75\) and may not be scaled again; choose one of default",
        ),
        ("aqvist1990", r"has no Zn; choose one of default, lm-hfe, lm-iod, lm-cm, lm-1264$"),
    ],
)
def test_what_cannot_be_chosen(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f'model.ions = "{name}" .*{message}') as caught:
        check_recipe(make_recipe(ions=name))
    assert "\n" not in str(caught.value)


def test_a_force_field_without_sets_has_the_default_only() -> None:
    from dataclasses import replace

    bare = replace(FORCEFIELD, card={**FORCEFIELD.card, "ions": {}})
    assert choose_ions(bare, "default", ["Mg"]) == {}
    with pytest.raises(RecipeError, match=r"choose one of default$"):
        choose_ions(bare, "lm-cm", ["Mg"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('Mg = "lm-iod"', 'Mg = "lm-dio"', '"lm-dio" is no set with Mg'),
        ('Zn = "lm-iod"', 'Zn = "aqvist1990"', '"aqvist1990" is no set with Zn'),
        ("Mg = { sigma", "Al = { sigma", "has Al, which is not in the coverage"),
        ("Mg = { sigma", "Mg = { size", "Mg must be"),
        ('title = "Aqvist', 'titel = "Aqvist', "has titel, which is not in the coverage"),
        ('mixing = "geometric"\nnote', 'mixing = "kong"\nnote', "mixing must be geometric or"),
        ('doi = "10.1021/j100384a009"\n', "", "lacks the key doi"),
        ("sigma_oxygen = 0.29", "oxygen = 0.29", r"needs \[conversion\] sigma_oxygen"),
    ],
)
def test_a_bad_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    card = folder / "card.toml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new, 1))
    with pytest.raises(ForceFieldError, match=message):
        load_forcefield("opls-clp")
