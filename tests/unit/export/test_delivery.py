"""Exported files against the System they were made of: by other readers, and other programs."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from solvation.analyze.scene import open_scene
from solvation.errors import ForceFieldError, WorkspaceError
from solvation.export.blueprint import Blueprint, find_exclusions
from solvation.export.comparison import (
    TERMS,
    compare_energies,
    make_reference,
    measure_energies,
    read_back,
)
from solvation.export.delivery import TARGETS as WRITERS
from solvation.export.delivery import export_run, open_blueprint
from solvation.export.extraction import read_blueprint, restore_sigma
from solvation.pipeline import run
from solvation.recipe import parse_recipe

TARGETS = ("gromacs", "lammps", "amber")
KCAL = 4.184


def build(folder: Path, *starts: str, **model: object) -> Path:
    """Mg(TFSI)2 and LiPF6 in DME and EC: rings, impropers, octahedra, scaled charges."""
    recipe = parse_recipe(
        {
            "name": "mixed",
            "salt": [
                {"cation": "Mg", "anion": "TFSI", "solvent_ratio": 12},
                {"cation": "Li", "anion": "PF6", "solvent_ratio": 12},
            ],
            "solvent": [{"name": "DME", "fraction": 0.7}, {"name": "EC", "fraction": 0.3}],
            "model": {"cutoff": "8 angstrom", **model},
            "box": {"cations": 2},
            "protocol": {
                "profile": "quick",
                "starts": starts,
                "replicas": 2,
                "seed": 3,
            },
        }
    )
    run(recipe, folder, until="build")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("export") / "run", "contact", "separated")


@pytest.fixture(scope="module")
def blueprint(built: Path) -> Blueprint:
    return open_blueprint(built)[1]


# Read back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("start", ["contact", "separated"])
def test_every_term_reads_back(built: Path, tmp_path: Path, target: str, start: str) -> None:
    if target == "amber":
        pytest.importorskip("parmed", reason="AMBER files need ParmEd")
    done = export_run(built, tmp_path, target=target, source=start)
    assert [row.term for row in done.energies] == list(TERMS)
    for row in done.energies:
        assert abs(row.here) > 10, row
        assert abs(row.difference) < 1e-6 * abs(row.here) + 2e-4, row
    assert all(file.is_file() for file in done.files)
    assert any("rigid" in note for note in done.notes)


def test_the_comparison_sees_the_wrong_mixing_rule(built: Path, tmp_path: Path) -> None:
    export_run(built, tmp_path, target="gromacs")
    _, blueprint, name = open_blueprint(built)
    system, x = read_back("gromacs", tmp_path, name, blueprint.cutoff)
    right = measure_energies(system, x, blueprint.edge)
    top = tmp_path / f"{name}.top"
    top.write_text(top.read_text().replace("1 3 yes", "1 2 yes"))
    system, x = read_back("gromacs", tmp_path, name, blueprint.cutoff)
    wrong = measure_energies(system, x, blueprint.edge)
    assert abs(wrong["lennard_jones"] - right["lennard_jones"]) > 1
    assert wrong["coulomb"] == pytest.approx(right["coulomb"], rel=1e-9)


def test_scaled_charges_are_in_the_files(built: Path, blueprint: Blueprint) -> None:
    magnesium = [i for i, element in enumerate(blueprint.elements) if element == "Mg"]
    scale = blueprint.charges[magnesium] / 2
    assert np.ptp(scale) == 0
    assert 0.6 < scale[0] < 0.8
    assert blueprint.charges.sum() == pytest.approx(0, abs=1e-6)


def test_sigma_and_epsilon_are_those_of_the_force_field(blueprint: Blueprint) -> None:
    found = {
        (blueprint.elements[i], round(blueprint.sigmas[i], 6), round(blueprint.epsilons[i], 6))
        for i in range(blueprint.n_atoms)
    }
    assert ("O", 2.9, 0.50208) in found  # ether O, OPLS/2020: 0.12 kcal/mol
    assert ("N", 3.25, 0.71128) in found  # TFSI
    assert ("P", 3.74, 0.8368) in found
    sigma, epsilon = 0.2856, 0.0624
    assert restore_sigma(epsilon * (sigma / 100) ** 12, epsilon * (sigma * 10) ** 6) == (
        pytest.approx(sigma, rel=1e-12),
        pytest.approx(epsilon, rel=1e-12),
    )
    assert restore_sigma(0.0, 0.0)[1] == 0.0


def test_octahedra_have_twelve_angles(blueprint: Blueprint) -> None:
    centres = [i for i, element in enumerate(blueprint.elements) if element == "P"]
    assert centres
    for centre in centres:
        assert sum(angle[1] == centre for angle in blueprint.angles) == 12


def test_hydrogens_have_their_own_mass(blueprint: Blueprint) -> None:
    light = [m for m, e in zip(blueprint.masses, blueprint.elements, strict=True) if e == "H"]
    assert set(np.round(light, 3)) == {1.008}


def test_exclusions_of_a_ring_and_a_chain() -> None:
    close, far = find_exclusions(4, [(0, 1), (1, 2), (2, 3)])
    assert (close, far) == ({(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}, {(0, 3)})
    ring = [(i, (i + 1) % 5) for i in range(5)]
    close, far = find_exclusions(5, ring)
    assert len(close) == 10
    assert not far


def test_the_command_prints_what_it_wrote(built: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from solvation.cli import app

    asked = ["export", str(built), "--to", "lammps", "-o", str(tmp_path / "x")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0
    assert "mixed.data" in done.stdout
    assert "note: masses are ordinary" in done.stdout
    assert re.search(r"lennard_jones +-?\d+\.\d{5} +-?\d+\.\d{5} +[+-]\d\.\de-\d\d", done.stdout)
    machine = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert [row["term"] for row in machine["energies"]] == list(TERMS)
    assert len(machine["files"]) == 2


# Rigid water, the other mixing rule ---------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_rigid_water_with_the_other_mixing_rule(tmp_path: Path, target: str) -> None:
    """Na+ and Cl- in TIP3P as OpenMM makes it: Lorentz-Berthelot, H-H distances held too."""
    from openmm import Vec3, app, unit

    if target == "amber":
        pytest.importorskip("parmed", reason="AMBER files need ParmEd")
    field = app.ForceField("amber14/tip3p.xml")
    modeller = app.Modeller(app.Topology(), [] * unit.nanometer)
    box = Vec3(1.9, 1.9, 1.9) * unit.nanometer
    modeller.addSolvent(field, boxSize=box, ionicStrength=0.3 * unit.molar)
    choices = {"nonbondedCutoff": 0.8, "hydrogenMass": 3.0 * unit.dalton}
    system, flexible = (
        field.createSystem(
            modeller.topology, nonbondedMethod=method, rigidWater=rigid, removeCMMotion=False,
            **choices,
        )
        for method, rigid in ((app.PME, True), (app.NoCutoff, False))
    )  # fmt: skip
    blueprint = read_blueprint(
        system,
        flexible,
        modeller.topology,
        np.array(modeller.positions.value_in_unit(unit.angstrom)),
        edge=19.0,
        names=[residue.name for residue in modeller.topology.residues()],
        mixing="lorentz-berthelot",
        scale_14=(0.8333333333333334, 0.5),
    )
    assert len(blueprint.rigid) == 3 * len(blueprint.angles) == 1.5 * len(blueprint.bonds)
    for name, text in WRITERS[target](blueprint, "water").items():
        (tmp_path / name).write_text(text)
    back = read_back(target, tmp_path, "water", blueprint.cutoff)
    rows = compare_energies(blueprint, make_reference(system, blueprint), back)
    for row in rows:
        assert abs(row.difference) < 1e-6 * abs(row.here) + 2e-4, row
    assert {"Na", "Cl"} <= set(blueprint.elements)
    if target == "gromacs":
        text = (tmp_path / "water.top").read_text()
        assert re.search(r"\[ settles \]\n1 1 0\.09572\S* 0\.15139", text)


# What cannot be -----------------------------------------------------------------------------


def test_induced_dipoles_go_to_amber_only(tmp_path: Path) -> None:
    pytest.importorskip("parmed", reason="AMBER files need ParmEd")
    folder = build(tmp_path / "run", "contact", ions="lm-1264", charge_scale=1.0)
    done = export_run(folder, tmp_path / "amber", target="amber")
    for row in done.energies:
        assert abs(row.difference) < 1e-6 * abs(row.here) + 2e-4, row
    _, blueprint, _ = open_blueprint(folder)
    without = replace(blueprint, c4=None)
    assert len(without.types[0]) <= len(blueprint.types[0])
    for target in ("gromacs", "lammps"):
        with pytest.raises(ForceFieldError, match="cannot hold the r\\^-4 term"):
            export_run(folder, tmp_path / target, target=target)
        assert not (tmp_path / target).exists()


def test_nothing_to_export(built: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="has no built box"):
        export_run(tmp_path, tmp_path / "x", target="gromacs")
    with pytest.raises(
        WorkspaceError, match=r'no start or replica "random"; choose one of contact'
    ):
        export_run(built, tmp_path / "x", target="gromacs", source="random")


# The programs themselves --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "topology", "trajectory"),
    [("gromacs", "x.tpr", "xtc"), ("gromacs", "x.tpr", "trr"), ("amber", "mixed.prmtop", "nc"),
     ("amber", "mixed.prmtop", "dcd"), ("lammps", "mixed.data", "lammpsdump")],
)  # fmt: skip
def test_files_of_every_engine_are_read_as_the_same_scene(
    built: Path, blueprint: Blueprint, tmp_path: Path, target: str, topology: str, trajectory: str
) -> None:
    """What was exported is analyzed: same species, charges, molecules, bonds and frames."""
    if target == "amber":
        pytest.importorskip("parmed", reason="AMBER files need ParmEd")
    for name, text in WRITERS[target](blueprint, "mixed").items():
        (tmp_path / name).write_text(text)
    if target == "gromacs":
        make_tpr(tmp_path)
    rng = np.random.default_rng(8)
    frames = blueprint.positions + rng.normal(scale=0.05, size=(3, *blueprint.positions.shape))
    write_frames(tmp_path / f"run.{trajectory}", frames, blueprint.edge)
    write_frames(tmp_path / "reference.xtc", frames, blueprint.edge)
    found = open_scene(tmp_path / topology, tmp_path / f"run.{trajectory}", dt=2.0)
    expected = open_scene(built / "build/contact/topology.pdb", tmp_path / "reference.xtc", dt=2.0)
    assert found.counts == expected.counts == {"Li": 2, "Mg": 2, "PF6": 2, "TFSI": 4, **{
        name: expected.counts[name] for name in ("DME", "EC")}}  # fmt: skip
    assert [s.charge for s in found.species] == [s.charge for s in expected.species]
    assert sum(s.charge * s.n_molecules for s in found.species) == 0
    np.testing.assert_array_equal(found.molecule, expected.molecule)
    np.testing.assert_array_equal(found.elements, expected.elements)
    np.testing.assert_allclose(found.masses, expected.masses, rtol=2e-3)
    bonds = [{tuple(sorted(pair)) for pair in scene.bonds.tolist()} for scene in (found, expected)]
    assert bonds[0] == bonds[1]
    assert [s.name for s in found.sites] == [s.name for s in expected.sites]
    assert not found.notes
    (one,), (other,) = (scene.iterate(0, 0, 3) for scene in (found, expected))
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-3)
    np.testing.assert_allclose(one.positions, other.positions, atol=0.011)
    assert one.times.tolist() == [0.0, 2.0, 4.0]


def make_tpr(folder: Path) -> None:
    program = shutil.which("gmx_d") or shutil.which("gmx")
    if program is None:
        pytest.skip("GROMACS is not installed, so there is no grompp to write a TPR")
    (folder / "one.mdp").write_text(
        "integrator = md\nnsteps = 0\ncutoff-scheme = Verlet\nrcoulomb = 0.8\nrvdw = 0.8\n"
    )
    run_program(
        [program, "grompp", "-f", "one.mdp", "-p", "mixed.top", "-c", "mixed.gro", "-o", "x.tpr",
         "-maxwarn", "3"], folder,
    )  # fmt: skip


def write_frames(path: Path, frames: np.ndarray, edge: float) -> None:
    if path.suffix == ".lammpsdump":
        bounds = "\n".join([f"0.0 {edge}"] * 3)
        path.write_text(
            "".join(
                f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n"
                f"ITEM: BOX BOUNDS pp pp pp\n{bounds}\nITEM: ATOMS id xu yu zu\n"
                + "".join(f"{i + 1} {x:.6f} {y:.6f} {z:.6f}\n" for i, (x, y, z) in enumerate(frame))
                for step, frame in enumerate(frames)
            )
        )
        return
    import MDAnalysis as mda

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = mda.Universe.empty(frames.shape[1], trajectory=True)
        universe.load_new(frames.astype(np.float32), dimensions=[edge, edge, edge, 90, 90, 90])
        with mda.Writer(str(path), frames.shape[1]) as writer:
            for _ in universe.trajectory:
                writer.write(universe.atoms)


def run_program(command: list[str], folder: Path, text: str = "") -> str:
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_gromacs_agrees(built: Path, tmp_path: Path) -> None:
    program = shutil.which("gmx_d") or shutil.which("gmx")
    if program is None:
        pytest.skip("GROMACS is not installed")
    done = export_run(built, tmp_path, target="gromacs")
    rows = {row.term: row.here for row in done.energies}
    (tmp_path / "one.mdp").write_text(
        "integrator = md\nnsteps = 0\ncutoff-scheme = Verlet\ncoulombtype = PME\n"
        "rcoulomb = 0.8\nrvdw = 0.8\nrlist = 0.8\nverlet-buffer-tolerance = -1\nnstlist = 1\n"
        "vdw-modifier = None\nDispCorr = no\nconstraints = none\newald-rtol = 1e-6\n"
        "fourierspacing = 0.06\npme-order = 6\nnstenergy = 1\n"
    )
    run_program(
        [program, "grompp", "-f", "one.mdp", "-p", "mixed.top", "-c", "mixed.gro", "-o", "x.tpr",
         "-maxwarn", "2"], tmp_path,
    )  # fmt: skip
    run_program([program, "mdrun", "-s", "x.tpr", "-deffnm", "x", "-nt", "1"], tmp_path)
    out = run_program(
        [program, "energy", "-f", "x.edr"], tmp_path, " ".join(map(str, range(1, 12)))
    )
    row = re.compile(r"^([A-Z][\w .()-]+?)\s{2,}(-?\d\S*)\s", re.M)
    found = {name.strip(): float(value) for name, value in row.findall(out)}
    torsion = sum(v for key, v in found.items() if "Dih" in key)
    lj = found["LJ-14"] + found["LJ (SR)"]
    coulomb = found["Coulomb-14"] + found["Coulomb (SR)"] + found["Coul. recip."]
    assert found["Bond"] == pytest.approx(rows["bond"], rel=1e-4)
    assert found["Angle"] == pytest.approx(rows["angle"], rel=1e-4)
    assert torsion == pytest.approx(rows["torsion"], rel=1e-4)
    assert lj == pytest.approx(rows["lennard_jones"], rel=1e-4, abs=0.02)
    assert coulomb == pytest.approx(rows["coulomb"], rel=1e-3)  # two meshes


def test_lammps_agrees(built: Path, tmp_path: Path) -> None:
    """``LAMMPS`` names the program when it is not on the PATH."""
    program = os.environ.get("LAMMPS") or shutil.which("lmp")
    if program is None:
        pytest.skip("LAMMPS is not installed")
    done = export_run(built, tmp_path, target="lammps")
    rows = {row.term: row.here for row in done.energies}
    out = run_program([program, "-in", "mixed.in", "-log", "none"], tmp_path)
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split()[:2] == ["Step", "E_bond"])
    found = dict(zip(lines[at].split(), map(float, lines[at + 1].split()), strict=True))
    assert found["E_bond"] * KCAL == pytest.approx(rows["bond"], rel=1e-6)
    assert found["E_angle"] * KCAL == pytest.approx(rows["angle"], rel=1e-6)
    assert found["E_dihed"] * KCAL == pytest.approx(rows["torsion"], rel=1e-6)
    lj = found["E_vdwl"] - found["E_tail"]
    assert lj * KCAL == pytest.approx(rows["lennard_jones"], rel=1e-6, abs=1e-3)
    coulomb = (found["E_coul"] + found["E_long"]) * KCAL
    assert coulomb == pytest.approx(rows["coulomb"], rel=1e-3)  # two meshes
    assert math.isfinite(found["Press"])
