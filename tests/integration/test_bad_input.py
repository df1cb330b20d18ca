"""Whatever the user gets wrong: one line on standard error, exit code 2, nothing left behind."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from solvation.cli import main

BASE = """
name = "x"
[[salt]]
cation = "Mg"
anion = "TFSI"
concentration = "0.5 mol/L"
[[solvent]]
name = "DME"
"""

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command line in an empty folder: exit code and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # it would outlive the test
    (tmp_path / "base.toml").write_text(BASE)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["solvation", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        return int(done.value.code or 0), capfd.readouterr().err

    return run


def check(result: tuple[int, str], message: str, code: int = 2) -> None:
    status, text = result
    assert text.startswith("solvation: "), text
    assert text.count("\n") == 1, text
    assert message in text
    assert len(text) < 400
    assert status == code


# Recipes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("protocol.profil=quick", 'key "protocol.profil" is not known; did you mean "profile"?'),
        ("protocl.profile=quick", 'key "protocl" is not known; did you mean "protocol"?'),
        ("protocol.profile=quikc", 'did you mean "quick"?'),
        ("salt.0.concentration=-0.5 mol/L", '"-0.5 mol/L" is negative'),
        ("salt.0.concentration=0.5 m/s", "the wrong unit; it must convert to mol/L"),
        ("salt.0.concentration=0.5", 'has no unit; write it as "0.5 mol/L"'),
        ("salt.0.concentration=8 mol/L", "the ions alone would fill"),
        ("salt.0.concentration=1 nmol/L", "atoms, at most"),
        ("conditions.temperature=25", 'has no unit; write it as "25 K"'),
        ('conditions.temperature="-5 K"', '"-5 K" is negative'),
        ("solvent.0.name=DMEE", 'solvent "DMEE" is not known; did you mean DME'),
        ("solvent.0.name=TFSI", "it cannot be the solvent"),
        ("salt.0.cation=TFSI", "it cannot be the cation"),
        ("solvent.0.name=FEC", "force field opls-clp has no parameters for FEC; it covers"),
        ("model.forcefield=opls", 'force field "opls" is not known; did you mean opls-clp'),
        ("model.charge_scale=abc", 'is neither "ecc" nor a number'),
        ("box.cations=2", "raise box.cations to at least"),
        ('box.edge="15 angstrom"', "raise box.edge to at least"),
        ("protocol.report_interval=1 fs", "is shorter than the time step"),
        ("protocol.production_time=1 ps", "make it at least 4"),
        ("foo", "write KEY=VALUE"),
        ("salt.5.anion=TFSI", "none of the 1 there are"),
    ],
)
def test_recipe(call: Call, tmp_path: Path, setting: str, message: str) -> None:
    check(call("run", "base.toml", "--set", setting), message)
    assert [path.name for path in tmp_path.iterdir()] == ["base.toml"], "nothing is left behind"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "cannot read"),
        (b"", 'key "name" is missing'),
        (b'extends = "bad.toml"', "extends itself in a circle"),
        (BASE.replace('"DME"', '"DMEE"').encode(), "did you mean DME"),
        (BASE.replace('"TFSI"', '"TFSII"').encode(), "did you mean TFSI"),
        (BASE.replace('anion = "TFSI"', "").encode(), 'key "salt.0.anion" is missing'),
        (BASE.replace('anion = "TFSI"', 'anion = "Mg"').encode(), "it cannot be the anion"),
        (BASE.replace('cation = "Mg"', 'cation = "TFSI"').encode(), "it cannot be the cation"),
        (BASE.partition("[[solvent]]")[0].encode(), "solvent: is empty; give at least one"),
        ((BASE + "fraction = 0.0").encode(), "greater than 0"),
        ((BASE + "fraction = 0.5").encode(), "the fractions add up to 0.5"),
        ((BASE + '[[solvent]]\nname = "glyme"\nfraction = 0.5').encode(), "add up to 1.5"),
        (
            (BASE + BASE[BASE.index("[[salt]]") : BASE.index("[[solvent]]")]).encode(),
            "Mg(TFSI)2 is listed twice; join the two",
        ),
        (
            (BASE + '[[additive]]\nname = "PC"\nper_cation = 0.01').encode(),
            "would be none: raise box.cations to at least 50",
        ),
        (
            (BASE + '[[additive]]\nname = "PC"\nconcentration = "1 mol/kg"').encode(),
            "mix mol/L, mol/kg",
        ),
        (BASE.replace("[[salt]]", "[salt]").encode(), "write [[salt]] with two brackets"),
    ],
)
def test_recipe_file(call: Call, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    check(call("run", "bad.toml"), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nofile.toml"], "neither a shipped electrolyte nor a file"),
        (["run", "mg-tfsi2-dmee"], "did you mean mg-tfsi2-dme"),
        (["run", "two\nlines"], "neither a shipped electrolyte nor a file"),
        (["run", "/"], "holds no recipe.toml"),
        (["run"], "Missing argument"),
        (["run", "base.toml", "--profile", "foo"], "'foo' is not one of 'quick'"),
        (["run", "base.toml", "--until", "foo"], "'foo' is not one of 'build'"),
        (["run", "base.toml", "--replicas", "0"], "--replicas"),
        (["run", "base.toml", "--bogus"], "No such option: --bogus"),
        (["bogus"], "No such command 'bogus'"),
        (["run", "base.toml", "--platform", "Foo"], 'platform "Foo" is not known; choose one of'),
        (["run", "base.toml", "-o", "base.toml"], "cannot write in base.toml"),
        (["run", "base.toml", "-o", "base.toml/x"], "choose another folder with -o"),
        (["show", "none"], "is not a folder"),
        (["show", "."], "holds no run"),
        (["systems", "nope"], '"solvation systems" lists all'),
        (["systems", "--cation", "Caa"], 'cation "Caa" is not known; did you mean Ca'),
        (["systems", "--solvent", "Mg"], "it cannot be the solvent"),
        (["systems", "--tier", "D"], "choose one of A, B, C"),
        (["run", "mg-apc-thf"], "mg-apc-thf cannot be run: the Mg-C bond"),
        (["build", "ca-bf42-polymer", "--profile", "quick"], "cross-linked"),
        (["compare"], "Missing argument"),
        (["compare", "none"], "give two runs or more"),
        (["compare", "none", "nowhere"], "holds no summary.json"),
        (["compare", "none", "./none"], "is given twice"),
        (["new", "n", "--salt", "LiTFSI 1 M"], "no solvent is given"),
        (["new", "n", "--salt", "LiTFSI 1 M", "--solvent", "DMEE"], "did you mean DME"),
        (["new", "n", "--salt", "LiTFSII 1 M", "--solvent", "DME"], "did you mean TFSI"),
        (["new", "n", "--salt", "LiTFSI", "--solvent", "DME"], "has no amount"),
        (["new", "n", "--salt", "LiTFSI 99 M", "--solvent", "DME"], "alone would fill"),
        (["new", "n", "--solvent", "DME 0 %", "--solvent", "G2"], "above 0"),
        (["new", "n n", "--solvent", "DME"], "without spaces"),
        (["new", "n", "--solvent", "DME", "--temperature", "25"], "has no unit"),
        (["forcefields", "opls-clq"], "did you mean opls-clp"),
        (["analyze"], "one of the two"),
        (["analyze", "base.toml", "--topology", "x"], "one of the two"),
        (["analyze", "base.toml", "--trajectory", "x"], "goes with --topology"),
        (["analyze", "--topology", "x"], "needs --trajectory"),
        (
            ["analyze", "--topology", "x", "--trajectory", "y", "--frame", "lab"],
            "choose barycentric, solvent, volume",
        ),
        (
            ["analyze", "--topology", "x", "--trajectory", "y", "--viscosity", "0.5"],
            "has no unit",
        ),
    ],
)
def test_arguments(call: Call, arguments: list[str], message: str) -> None:
    check(call(*arguments), message)


def test_a_platform_that_is_not_here(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the input is wrong but the machine: exit code 3."""
    from solvation.simulate import hardware

    monkeypatch.setattr(hardware, "find_fault", lambda name: "no device" if name == "HIP" else None)
    hardware.choose_platform.cache_clear()
    check(call("run", "base.toml", "--platform", "HIP"), "platform HIP cannot run here", code=3)
    hardware.choose_platform.cache_clear()


# Trajectories -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``top.pdb``, ``traj.xtc``, and what can be wrong with them."""
    import MDAnalysis as mda
    from openmm import app, unit

    from solvation.build.composition import Composition
    from solvation.build.packing import pack_box
    from solvation.build.system import _make_topology
    from solvation.library import find_species

    folder = tmp_path_factory.mktemp("trajectory")
    packed = {}
    for name, counts in (("top", {"Mg": 2, "TFSI": 4, "DME": 8}), ("dme", {"DME": 4})):
        composition = Composition(counts=counts, salts={}, asked={}, volume=5000.0, mass=1.0)
        species = {key: find_species(key) for key in counts}
        packed[name] = pack_box(composition, species, start="random", seed=1)
        with (folder / f"{name}.pdb").open("w") as stream:
            app.PDBFile.writeFile(
                _make_topology(packed[name]), packed[name].positions * unit.angstrom, stream
            )
    positions, edge = packed["top"].positions, packed["top"].edge
    random = np.random.default_rng(1)
    universe = mda.Universe.empty(len(positions), trajectory=True)
    with mda.Writer(str(folder / "traj.xtc"), len(positions)) as writer:
        for frame in range(6):
            universe.atoms.positions = positions + random.normal(scale=0.05, size=positions.shape)
            universe.dimensions = [edge, edge, edge, 90, 90, 90]
            universe.trajectory.ts.time = float(frame)
            writer.write(universe.atoms)
    whole = (folder / "traj.xtc").read_bytes()
    (folder / "empty.xtc").write_bytes(b"")
    (folder / "cut.xtc").write_bytes(whole[:-100])
    (folder / "stub.xtc").write_bytes(whole[:300])
    (folder / "junk.xtc").write_bytes(b"hello world" * 50)
    return folder


@pytest.mark.parametrize(
    ("topology", "trajectory_file", "message"),
    [
        ("top.pdb", "empty.xtc", "is empty"),
        ("top.pdb", "cut.xtc", "it may be truncated"),
        ("top.pdb", "stub.xtc", "it may be truncated"),
        ("top.pdb", "junk.xtc", "cannot read trajectory"),
        ("top.pdb", "none.xtc", "does not exist"),
        ("none.pdb", "traj.xtc", "does not exist"),
        ("dme.pdb", "traj.xtc", "give the topology that belongs to the trajectory"),
    ],
)
def test_trajectory(
    call: Call, trajectory: Path, topology: str, trajectory_file: str, message: str
) -> None:
    result = call(
        "analyze", "--topology", str(trajectory / topology),
        "--trajectory", str(trajectory / trajectory_file), "-o", "out", "--json",
    )  # fmt: skip
    check(result, message)
    assert not Path("out/summary.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--charge", "Mg"], "write NAME=VALUE"),
        (["--charge", "Mg=two"], '"two" is not a number'),
        (["--charge", "Xx=2"], 'no species is called "Xx"'),
        (["--dt", "5"], 'write it as "5 ps"'),
        (["--dt", "5 K"], "it must convert to ps"),
        (["--box", "a b c"], '"a" is not a number'),
        (["--box", "1 2"], "is not three lengths"),
        (["--box", "-1 20 20"], "above zero"),
        (["--box", "nan 20 20"], "above zero"),
        (["--temperature", "300"], 'write it as "300 K"'),
        (["--cutoff", "Mg-DME.O=3"], 'write it as "3 angstrom"'),
        (["--cutoff", "Mg-XX.O=3 angstrom"], "no such pair; there are"),
        (["--cutoff", "Mg-DME.O=-3 angstrom"], "not between 0 and"),
        (["--cation", "name XX"], "matches no atom"),
        (["--cation", "(("], "is not understood"),
        (["--solvent", "DME"], "write NAME=VALUE"),
        (["-o", "base.toml/x"], "cannot write in"),
    ],
)
def test_analyze_options(call: Call, trajectory: Path, arguments: list[str], message: str) -> None:
    result = call(
        "analyze", "--topology", str(trajectory / "top.pdb"),
        "--trajectory", str(trajectory / "traj.xtc"), "--json", "-o", "out", *arguments,
    )  # fmt: skip
    check(result, message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--charge", "Mg=nan"],
        ["--charge", "Mg=1.5"],
        ["--dt", "0 ps"],
        ["--dt", "-5 ps"],
        ["--temperature", "-3 K"],
    ],
    ids=" ".join,
)
def test_analyze_options_that_cannot_be(call: Call, trajectory: Path, arguments: list[str]) -> None:
    result = call(
        "analyze", "--topology", str(trajectory / "top.pdb"),
        "--trajectory", str(trajectory / "traj.xtc"), "--json", "-o", "out", *arguments,
    )  # fmt: skip
    check(result, arguments[1].partition("=")[2] or arguments[1])


# Processes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "base.toml", "--set", "salt.0.concentration=-1 mol/L"], 2),
        (["run", "base.toml", "--bogus"], 2),
        (["systems"], 0),
        ([], 0),
    ],
)
def test_exit_codes_reach_the_shell(tmp_path: Path, arguments: list[str], code: int) -> None:
    (tmp_path / "base.toml").write_text(BASE)
    done = subprocess.run(
        [sys.executable, "-m", "solvation", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if code:
        assert done.stdout == ""
        check((done.returncode, done.stderr), "")
