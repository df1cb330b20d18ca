"""Shipped force fields: card and files agree, templates are the species, every term is right."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from solvation.build.box import check_recipe
from solvation.build.coverage import check_coverage, describe_gaps
from solvation.build.forcefield import ForceField, load_forcefield
from solvation.build.molecule import embed_molecule
from solvation.build.terms import drop_opposite_angles
from solvation.errors import ForceFieldError, MissingParameterError
from solvation.library import (
    find_forcefield,
    find_species,
    graph_key,
    list_forcefields,
    list_species,
    openmm_forcefield_directory,
)
from solvation.pipeline import run
from solvation.recipe import parse_recipe

from .energy_by_hand import Molecule

FORCEFIELD = load_forcefield("opls-clp")
FORCEFIELDS = {name: load_forcefield(name) for name in ("opls-clp", "opls1996-clp")}
DERIVED = (
    "BH4", "AlCl4", "BHFIP4", "ALHFIP4", "TPFA", "CB11H12", "FCB11H11", "FPB", "BTFE3OTf", "BBu2Ph2"
)  # fmt: skip
"""Species of our own derivation, each in a file of its own."""
every_forcefield = pytest.mark.parametrize(
    "forcefield", FORCEFIELDS.values(), ids=list(FORCEFIELDS)
)
every_residue = pytest.mark.parametrize(
    ("forcefield", "name"),
    [
        pytest.param(forcefield, name, id=f"{forcefield.name}-{name}")
        for forcefield in FORCEFIELDS.values()
        for name in forcefield.coverage
    ],
)


def read_molecule(name: str, forcefield: ForceField = FORCEFIELD) -> Molecule:
    return Molecule(forcefield.files, name)


def load_openmm(forcefield: ForceField) -> Any:
    from openmm import app

    return app.ForceField(*map(str, forcefield.files))


def make_positions(name: str, seed: int = 1) -> NDArray[np.float64]:
    """Positions (nm) from RDKit, every atom moved at random by about 0.05 Å per axis."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    if name == "PF6":  # which RDKit does not know
        positions = 1.6 * np.array([[0, 0, 0], *np.eye(3), *-np.eye(3)])
        positions = positions[[0, 6, 2, 1, 4, 3, 5]]  # opposite ones are not neighbours in order
        positions += np.random.default_rng(seed).normal(scale=0.05, size=positions.shape)
        return np.asarray(positions / 10.0)
    if name in ("CB11H12", "FCB11H11"):  # nor these
        positions = embed_molecule(find_species(name), seed=seed).positions
        positions = positions + np.random.default_rng(seed).normal(scale=0.05, size=positions.shape)
        return np.asarray(positions / 10.0)
    molecule = Chem.AddHs(Chem.MolFromSmiles(find_species(name).smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=seed, useRandomCoords=name in DERIVED) == 0
    positions = molecule.GetConformer().GetPositions()
    positions += np.random.default_rng(seed).normal(scale=0.05, size=positions.shape)
    return np.asarray(positions / 10.0)


def make_topology(molecule: Molecule, name: str) -> Any:
    from openmm import app

    topology = app.Topology()
    residue = topology.addResidue(name, topology.addChain())
    atoms = [
        topology.addAtom(label, app.Element.getBySymbol(element), residue)
        for label, element in zip(molecule.names, molecule.elements, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    return topology


def measure_energies(system: Any, x: NDArray[np.float64]) -> dict[str, float]:
    """Energy by force in kJ/mol on the Reference platform."""
    import openmm
    from openmm import unit

    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(x)
    return {
        force.getName(): context.getState(getEnergy=True, groups={group})
        .getPotentialEnergy()
        .value_in_unit(unit.kilojoule_per_mole)
        for group, force in enumerate(system.getForces())
    }


def test_every_shipped_forcefield_loads() -> None:
    assert "opls-clp" in list_forcefields()
    for name in list_forcefields():
        assert load_forcefield(name).name == name


@every_residue
def test_charges_sum_to_the_formal_charge(forcefield: ForceField, name: str) -> None:
    total = read_molecule(name, forcefield).charges.sum()
    assert total == pytest.approx(find_species(name).charge, abs=1e-9)


@every_residue
def test_template_is_the_species(forcefield: ForceField, name: str) -> None:
    molecule, species = read_molecule(name, forcefield), find_species(name)
    assert graph_key(molecule.elements, molecule.bonds) == graph_key(
        species.elements, species.bonds
    )
    assert molecule.elements == species.elements
    assert {frozenset(b) for b in molecule.bonds} == {frozenset(b) for b in species.bonds}
    assert len(set(molecule.names)) == len(molecule.names)


@every_residue
def test_energies_agree_term_by_term(forcefield: ForceField, name: str) -> None:
    import openmm

    molecule = read_molecule(name, forcefield)
    x = make_positions(name)
    system = load_openmm(forcefield).createSystem(make_topology(molecule, name))
    octahedral = name in forcefield.card["octahedral"]
    if octahedral:
        drop_opposite_angles(system, [0], x)
    bond, angle, torsion, nonbonded = (
        next(f for f in system.getForces() if isinstance(f, kind))
        for kind in (
            openmm.HarmonicBondForce,
            openmm.HarmonicAngleForce,
            openmm.PeriodicTorsionForce,
            openmm.NonbondedForce,
        )
    )
    assert bond.getNumBonds() == len(molecule.bonds)
    assert angle.getNumAngles() == (12 if octahedral else molecule.count_angles())
    assert torsion.getNumTorsions() == len(molecule.torsion_terms())

    coulomb, lj = molecule.nonbonded_energies(x)
    full = measure_energies(system, x)
    for i in range(system.getNumParticles()):
        _, sigma, epsilon = nonbonded.getParticleParameters(i)
        nonbonded.setParticleParameters(i, 0.0, sigma, epsilon)
    for i in range(nonbonded.getNumExceptions()):
        a, b, _, sigma, epsilon = nonbonded.getExceptionParameters(i)
        nonbonded.setExceptionParameters(i, a, b, 0.0, sigma, epsilon)
    uncharged = measure_energies(system, x)

    tolerance = {"rel": 1e-6, "abs": 1e-9}
    assert full["HarmonicBondForce"] == pytest.approx(molecule.bond_energy(x), **tolerance)
    assert full["HarmonicAngleForce"] == pytest.approx(
        molecule.angle_energy(x, octahedral=octahedral), **tolerance
    )
    assert full["PeriodicTorsionForce"] == pytest.approx(molecule.torsion_energy(x), **tolerance)
    assert uncharged["NonbondedForce"] == pytest.approx(lj, **tolerance)
    assert full["NonbondedForce"] - uncharged["NonbondedForce"] == pytest.approx(
        coulomb, **tolerance
    )


@every_forcefield
def test_every_row_names_its_source_and_types_are_namespaced(forcefield: ForceField) -> None:
    root = read_molecule("DME", forcefield).root
    for path in (
        "AtomTypes/Type",
        "Residues/Residue",
        "HarmonicBondForce/Bond",
        "HarmonicAngleForce/Angle",
        "PeriodicTorsionForce/Proper",
        "PeriodicTorsionForce/Improper",
        "NonbondedForce/Atom",
    ):
        rows = list(root.iterfind(path))
        assert rows
        for row in rows:
            assert row.attrib["source"]
            labels = [v for k, v in row.attrib.items() if k.startswith(("class", "type"))]
            names = ("opls-clp", *DERIVED)
            assert all(not label or label.split(":")[0] in names for label in labels)


@every_forcefield
@pytest.mark.parametrize("name", ["TFSI", "DME"])
def test_openmm_users_get_geometric_mixing(
    forcefield: ForceField, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openmm import app

    monkeypatch.setattr(app.forcefield, "_dataDirectories", [openmm_forcefield_directory()])
    molecule = read_molecule(name, forcefield)
    x = make_positions(name)
    field = app.ForceField(f"solvation/{forcefield.name}.xml")
    system = field.createSystem(make_topology(molecule, name))
    bonded = molecule.bond_energy(x) + molecule.angle_energy(x) + molecule.torsion_energy(x)
    right = bonded + sum(molecule.nonbonded_energies(x, geometric=True))
    wrong = bonded + sum(molecule.nonbonded_energies(x))
    assert abs(right - wrong) > 0.01
    assert sum(measure_energies(system, x).values()) == pytest.approx(right, abs=1e-3)


def test_missing_species_are_named_with_the_reason() -> None:
    check_coverage(FORCEFIELD, ["glyme", "Mg2+", "NTf2"])
    with pytest.raises(
        MissingParameterError, match=r"no parameters for FEC, BN; it covers \d+ others, which"
    ) as e:
        check_coverage(FORCEFIELD, ["DME", "FEC", "butyronitrile"])
    assert "(BN: The OPLS nitrile" in str(e.value)
    assert 'solvation parametrize "O=C1OCC(F)O1" --charge 0 --name FEC and' in str(e.value)
    assert 'species = ["FEC", "BN"] under [model]' in str(e.value)
    assert "\n" not in str(e.value)
    with pytest.raises(MissingParameterError, match=r"rows under \[drude.alpha\] and \[drude.frag"):
        check_coverage(load_forcefield("clpol-drude"), ["EC"])


def test_gaps_are_all_species_that_are_not_covered() -> None:
    for name in list_forcefields():
        field = load_forcefield(name)
        lines = describe_gaps(field)
        named = [word for line in lines for word in line.split(":")[0].split(", ")]
        assert sorted([*named, *field.coverage]) == sorted(one.name for one in list_species())
        assert all("would supply" in line or "can add" in line for line in lines)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "forcefields" / "opls-clp"
    shutil.copytree(find_forcefield("opls-clp"), folder)
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    assert load_forcefield("opls-clp").folder == folder
    return folder


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</ForceField>", "<Script>x = 1</Script></ForceField>", "<Script>, which runs Python"),
        (" <Residues>", "<InitializationScript/><Residues>", "<InitializationScript>, which"),
        (" <Residues>", '<Include file="x.xml"/><Residues>', "<Include>, which loads another"),
        ("<!-- What", "<!DOCTYPE x [<!ENTITY a 'b'>]><!-- What", "has a DOCTYPE"),
        ("</ForceField>", "", "cannot be read: .*; correct it"),
        ('coulomb14scale="0.5"', 'coulomb14scale="0.8333"', "not those of the card"),
        ('coulomb14scale="0.5"', 'coulomb14scale="half"', "not numbers"),
        ('Residue name="Ca"', 'Residue name="Cb"', "Ca is in the card but not in the XML"),
        ('Residue name="G4"', 'Residue name="G3"', "G4 is in the card but not in the XML"),
        (" </Residues>", ' <Residue name="G3"/></Residues>', "G3 is there twice"),
    ],
)
def test_a_bad_or_unsafe_xml_is_refused(copied: Path, old: str, new: str, message: str) -> None:
    file = copied / "common.xml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ForceFieldError, match=message) as caught:
        load_forcefield("opls-clp")
    assert "\n" not in str(caught.value)


def test_allowed_scripts_run_when_a_box_is_built(copied: Path, tmp_path: Path) -> None:
    """Allowed by the caller and by nothing else; what they add is in the System."""
    file = copied / "common.xml"
    script = 'import openmm; sys.addForce(openmm.CustomExternalForce("0"))'
    text = file.read_text()
    file.write_text(text.replace("</ForceField>", f"<Script>{script}</Script></ForceField>"))
    recipe = parse_recipe(
        {
            "name": "scripted",
            "solvent": [{"name": "DME"}],
            "model": {"cutoff": "6 angstrom"},
            "box": {"atoms": 300},
            "protocol": {"profile": "quick"},
        }
    ).resolve()
    for refused in (lambda: check_recipe(recipe), lambda: run(recipe, tmp_path / "run")):
        with pytest.raises(ForceFieldError, match="read it and say --allow-scripts"):
            refused()
    assert not (tmp_path / "run").exists()
    run(recipe, tmp_path / "run", until="build", allow_scripts=True)
    (system,) = (tmp_path / "run").glob("build/*/system.xml")
    assert "CustomExternalForce" in system.read_text()
    file.write_text(text.replace("</ForceField>", "<Script>1/0</Script></ForceField>"))
    with pytest.raises(ForceFieldError, match=r"ZeroDivisionError.*correct its script") as caught:
        run(recipe, tmp_path / "other", until="build", allow_scripts=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "opls-clp"', 'name = "other"', 'named "other" but lies in "opls-clp"'),
        ('mixing = "geometric"', 'mixing = "kong"', 'mixing = "kong" is not known; use geometric'),
        ("licence =", "license =", "lacks the key licence"),
        ("units =", 'colour = "red"\nunits =', "unknown key colour"),
        ("lj = 0.5", "vdw = 0.5", "scale_14 must be"),
        ("lj = 0.5", 'lj = "half"', "scale_14 must be"),
        ("title = ", "title = 1 #", "title = 1 must be a str"),
        ('coverage = ["DME"', 'coverage = ["G1"', 'coverage names "G1"; write "DME"'),
        ('coverage = ["DME"', 'coverage = ["DMEE"', '"DMEE" is not known; did you mean DME'),
        ('"common.xml"', '"../common.xml"', 'files lists "../common.xml"; write "name.xml"'),
        ('"common.xml"', '"other/x/common.xml"', "files lists"),
        ('"common.xml"', '"nowhere/common.xml"', '"nowhere" is not known'),
        ('"common.xml"', '"nothing.xml"', "nothing.xml cannot be read"),
        ("units =", 'extends = "opls-clp"\nunits =', "cut the circle"),
        ("units =", 'extends = "opls1996-clp"\nunits =', "cut the circle"),
        ('PF6 = "P1"', 'PF6 = "P2"', r"\[octahedral\] PF6 has no atom P2"),
        ('species = ["ACN"]', "species = []", r"no \[\[block\]\] says where ACN comes from"),
        ("units = ", "units = = ", "cannot be read"),
    ],
)
def test_a_bad_card_is_refused(copied: Path, old: str, new: str, message: str) -> None:
    file = copied / "card.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ForceFieldError, match=message):
        load_forcefield("opls-clp")


def test_a_card_that_extends_says_only_what_differs() -> None:
    old, new = FORCEFIELDS["opls-clp"], FORCEFIELDS["opls1996-clp"]
    assert new.coverage == old.coverage
    assert new.files[1:] == old.files[1:]
    assert old.folder / "common.xml" in new.files
    assert new.files[0] != old.files[0]
    blocks = [{b["name"]: b for b in field.card["block"]} for field in (old, new)]
    changed = [name for name in blocks[0] if blocks[0][name] != blocks[1][name]]
    assert changed == ["ethers", "cyclic ethers and polyTHF"]
    assert "10.1021/acs.jpcb.3c06602" not in str(blocks[1]["ethers"])
    assert new.card["failings"]["twelve_six"] == old.card["failings"]["twelve_six"]
    assert new.card["failings"]["density"] != old.card["failings"]["density"]


EXTENDING = """extends = "opls-clp"
name = "mine"
title = "one species more"
{lines}
"""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('adds = ["x.xml", "opls1996-clp/y.xml"]', ["mine/x.xml", "opls1996-clp/y.xml"]),
        ('replaces = { "occo.xml" = "opls-clp-occo/occo.xml" }', ["opls-clp-occo/occo.xml"]),
        ('replaces = { "occo.xml" = "x.xml" }\nadds = ["y.xml"]', ["mine/x.xml", "mine/y.xml"]),
    ],
)
def test_a_card_that_extends_takes_over_the_files(
    lines: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "forcefields" / "mine"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(EXTENDING.format(lines=lines))
    shutil.copy(FORCEFIELD.folder / "occo.xml", folder / "x.xml")
    (folder / "y.xml").write_text("<ForceField/>")
    shutil.copytree(find_forcefield("opls1996-clp"), folder.parent / "opls1996-clp")
    (folder.parent / "opls1996-clp" / "y.xml").write_text("<ForceField/>")
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    found = ["/".join(file.parts[-2:]) for file in load_forcefield("mine").files]
    theirs = [f"opls-clp/{file.name}" for file in FORCEFIELD.files]
    assert [file for file in found if file not in theirs] == expected
    gone = {"opls-clp/occo.xml"} if "replaces" in lines else set()
    assert set(theirs) - set(found) == gone
    if gone:  # in its place, so that the order is the same
        assert found[theirs.index("opls-clp/occo.xml")] == expected[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('replaces = { "ethers.xml" = "x.xml" }', 'replaces "ethers.xml", but opls-clp has opls'),
        ('replaces = ["occo.xml"]', "write replaces = {"),
        ('adds = "x.xml"', "write replaces = {"),
        ('adds = ["../x.xml"]', 'files lists "../x.xml"'),
    ],
)
def test_what_a_card_takes_over_must_be_there(
    lines: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "forcefields" / "mine"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(EXTENDING.format(lines=lines))
    monkeypatch.setenv("SOLVATION_PATH", str(tmp_path))
    with pytest.raises(ForceFieldError, match=message) as caught:
        load_forcefield("mine")
    assert "\n" not in str(caught.value)


@every_forcefield
def test_the_file_for_plain_openmm_follows_the_card(forcefield: ForceField) -> None:
    """Octahedra need the geometry, which plain OpenMM does not see when it makes a System."""
    lines = [
        f' <Include file="../{file.parent.name}/{file.name}"/>'
        for file in forcefield.files
        if not set(forcefield.card["octahedral"])
        & {residue.get("name") for residue in ElementTree.parse(file).iterfind("Residues/Residue")}
    ]
    text = (
        Path(openmm_forcefield_directory()) / "solvation" / f"{forcefield.name}.xml"
    ).read_text()
    assert [line for line in text.splitlines() if "<Include" in line] == lines


def test_the_two_ether_sets_differ_where_their_papers_do() -> None:
    """C-O-C-C, H-C-C-O, C-C-C-O and C-C-C-C torsions; O, H of CH2 and alkyl; nothing else."""
    changed = []
    for path in (
        "HarmonicBondForce/Bond",
        "HarmonicAngleForce/Angle",
        "PeriodicTorsionForce/*",
        "NonbondedForce/Atom",
    ):
        old, new = (
            {
                tuple(v for k, v in row.attrib.items() if k.startswith(("class", "type"))): {
                    k: v
                    for k, v in row.attrib.items()
                    if k.startswith(("k", "phase", "period", "sigma", "epsilon", "angle", "length"))
                }
                for row in read_molecule("DME", field).root.iterfind(path)
            }
            for field in FORCEFIELDS.values()
        )
        assert set(old) == set(new)
        changed += ["-".join(key).replace("opls-clp:", "") for key in old if old[key] != new[key]]
    assert sorted(changed) == [
        "CT-CT-CT-CT", "CT-CT-CT-OS", "CT-OS-CT-CT", "OS-CT-CT-HC",
        "alkyl_CH3", "ether_CB", "ether_H2", "ether_HB", "ether_O",
    ]  # fmt: skip


@every_forcefield
def test_card_cites_every_block(forcefield: ForceField) -> None:
    for block in forcefield.card["block"]:
        assert block["cite"]
        assert block["doi"]
        assert block["fitted_to"]
