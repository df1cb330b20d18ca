"""The built wheel carries its data, and works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the unpacked wheel, its dist-info included."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
         str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("solvation-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run_there(site: Path, code: str, folder: Path) -> str:
    """Run Python with the wheel before everything else, away from the checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "SOLVATION_PATH"}
    environment["PYTHONPATH"] = str(site)
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_it_must_and_nothing_else(site: Path) -> None:
    tops = {path.name for path in site.iterdir()}
    assert {name.partition("-")[0] for name in tops} == {"solvation"}
    package = site / "solvation"
    for name in ("py.typed", "report/page.html.jinja", "report/page.css", "report/molecule.js"):
        assert (package / name).is_file(), name
    for group in ("forcefields", "systems"):
        here = {p.relative_to(ROOT / group) for p in (ROOT / group).rglob("*") if p.is_file()}
        there = package / "_data" / group
        assert {p.relative_to(there) for p in there.rglob("*") if p.is_file()} == here
    assert not list(site.rglob("test_*.py"))
    assert list(site.glob("solvation-*.dist-info/licenses/LICENSE"))


def test_the_data_resolve_from_the_wheel(site: Path, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import solvation
from solvation import library

site = Path({str(site)!r})
assert Path(solvation.__file__).is_relative_to(site), solvation.__file__
data = site / "solvation" / "_data"
assert "mg-tfsi2-dme" in library.list_systems()
assert "opls-clp" in library.list_forcefields()
assert library.find_system("mg-tfsi2-dme").is_relative_to(data)
assert library.find_forcefield("opls-clp").is_relative_to(data)
assert library.openmm_forcefield_directory() == str(data / "forcefields")
assert library.find_species("monoglyme").name == "DME"
recipe = solvation.load_recipe("mg-tfsi2-dme").resolve("quick")
print(recipe.salt[0].formula)

from solvation.build.box import check_recipe
check_recipe(recipe)
"""
    assert run_there(site, code, tmp_path) == "Mg(TFSI)2\n"


def test_openmm_finds_the_force_field_of_the_wheel(site: Path, tmp_path: Path) -> None:
    """Through the entry point in the wheel's own dist-info."""
    code = f"""
from importlib.metadata import entry_points
from pathlib import Path

found = {{}}
for point in entry_points(group="openmm.forcefielddir"):
    if point.name == "solvation":
        found[str(point.dist.locate_file(""))] = point.load()()
assert str(Path({str(site)!r})) in map(str, map(Path, found)), found

from openmm import app
field = app.ForceField("solvation/opls-clp.xml")
assert any("opls-clp" in name for name in field._atomTypes)
directories = [Path(p) for p in app.forcefield._dataDirectories or []]
ours = [p for p in directories if p.name == "forcefields"]
assert ours, directories
assert all(p.is_relative_to({str(site)!r}) for p in ours), ours
print(len(field._templates))
"""
    assert int(run_there(site, code, tmp_path)) >= 15


def test_the_command_of_the_wheel(site: Path, tmp_path: Path) -> None:
    (entry,) = site.glob("solvation-*.dist-info/entry_points.txt")
    assert "solvation = solvation.cli:main" in entry.read_text()
    code = "import sys; sys.argv = ['solvation', 'systems']; from solvation.cli import main; main()"
    assert "mg-tfsi2-dme" in run_there(site, code, tmp_path)
