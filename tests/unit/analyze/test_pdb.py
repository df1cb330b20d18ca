"""PDB files read by columns say what MDAnalysis says of them, or nothing."""

from __future__ import annotations

import re
import shutil

import MDAnalysis as mda
import numpy as np
import pytest

from solvation.analyze.pdb import read_pdb
from solvation.analyze.scene import open_scene
from solvation.synthetic import make_mixture

from .test_scene import _make_universe, _write

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:MDAnalysis"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:MDAnalysis"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pdb")
    universe = _make_universe(make_mixture(np.random.default_rng(1), n_frames=2))
    universe.atoms.write(str(folder / "topology.pdb"), bonds="all")
    _write(universe, folder / "trajectory.xtc")
    return folder / "topology.pdb"


def test_what_mdanalysis_reads(path):
    found, universe = read_pdb(path), mda.Universe(str(path), to_guess=())
    assert found.elements.tolist() == [e.capitalize() for e in universe.atoms.elements]
    bonds = np.unique(np.sort(universe.bonds.indices, axis=1), axis=0)
    np.testing.assert_array_equal(found.bonds, bonds)
    np.testing.assert_array_equal(found.box, universe.dimensions.astype(np.float64))


def test_the_scene_is_the_same(path, tmp_path):
    """A suffix that is not read by columns goes through MDAnalysis."""
    other = tmp_path / "topology.ent"
    shutil.copy(path, other)
    assert read_pdb(other) is None
    one, two = (open_scene(p, path.parent / "trajectory.xtc") for p in (path, other))
    assert one.species[0].name == two.species[0].name
    for key in ("elements", "masses", "bonds", "molecule"):
        np.testing.assert_array_equal(getattr(one, key), getattr(two, key))
    assert [s.name for s in one.sites] == [s.name for s in two.sites]


def test_numbers_of_atoms_are_text(tmp_path):
    """Beyond 99999 they are hexadecimal, as OpenMM writes them."""
    numbers = ["99999", "A0000", "A0001", "A0002"]
    atoms = [f"HETATM{n}  N1  N2  A   1{'':54s}" for n in numbers]
    lines = [
        "CRYST1   30.000   30.000   30.000  90.00  90.00  90.00 P 1           1",
        *(atom[:76] + " N  " for atom in atoms), "CONECTA0000A0002", "CONECT99999A0001",
        "CONECTA000199999", "END",
    ]  # fmt: skip
    path = tmp_path / "long.pdb"
    path.write_text("\n".join(lines))
    found = read_pdb(path)
    assert found is not None
    assert found.bonds.tolist() == [[0, 2], [1, 3]]
    assert found.elements.tolist() == ["N"] * 4


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        (r"CRYST1.*\n", ""),
        (r"CONECT.*\n", ""),
        (r"CRYST1.{48}", "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00"),
        (r"(CONECT)(.{5}).{5}", r"\1\2  999"),
        (r"(CONECT.{5})(.*)", r"\1"),
        (r"(CONECT.{5} )(.*)", r"\1 \2"),
        (r"((?:ATOM  |HETATM).{70}) ?MG", r"\1 Xx"),
        (r"((?:ATOM  |HETATM).{66}).*", r"\1"),
        (r"(ATOM  |HETATM)    2", r"\1    1"),
        (r"^(ATOM|HETATM)", r" \1"),
        (r"^(ATOM|HETATM)", r"MODEL        1\n\1"),
        (r"^(ATOM|HETATM)", "ENDMDL\n\\1"),
        (r"\n", "\r\n"),
        (r"TITLE", "TITLÉ"),
    ],
)
def test_the_unusual_is_left_to_mdanalysis(path, tmp_path, pattern, other):
    text = path.read_text()
    changed = re.sub(pattern, other, text, count=0 if "CONECT.*" in pattern else 3, flags=re.M)
    assert changed != text
    strange = tmp_path / "strange.pdb"
    strange.write_bytes(changed.encode())
    assert read_pdb(strange) is None


def test_files_that_are_not_there_or_empty(tmp_path):
    assert read_pdb(tmp_path / "none.pdb") is None
    (tmp_path / "empty.pdb").touch()
    assert read_pdb(tmp_path / "empty.pdb") is None
