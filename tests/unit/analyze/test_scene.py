"""Scenes from files: formats, roles, and everything that can be wrong with a file."""

from __future__ import annotations

import re

import MDAnalysis as mda
import numpy as np
import pytest

from solvation.analyze.reader import open_trajectory
from solvation.analyze.scene import open_scene, scene_from_universe
from solvation.analyze.stage import analyze_scene
from solvation.errors import TrajectoryError
from solvation.synthetic import make_mixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:MDAnalysis"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:MDAnalysis"),
]


def _make_universe(system, *, bonds=True, residues=True):
    n_atoms = len(system.elements)
    n_ions = sum(e in ("Mg", "Cl") for e in system.elements)
    index = np.arange(n_atoms)
    resindex = np.where(index < n_ions, index, n_ions + (index - n_ions) // 3)
    if not residues:
        resindex = np.zeros(n_atoms, dtype=int)
    universe = mda.Universe.empty(
        n_atoms, n_residues=int(resindex.max()) + 1, atom_resindex=resindex, trajectory=True
    )
    names = ["MG" if e == "Mg" else "CL" if e == "Cl" else e for e in system.elements]
    universe.add_TopologyAttr("names", names)
    universe.add_TopologyAttr("elements", list(system.elements))
    universe.add_TopologyAttr("resnames", ["MOL"] * (int(resindex.max()) + 1))
    if bonds:
        universe.add_TopologyAttr("bonds", [tuple(b) for b in system.bonds])
    universe.load_new(system.positions.astype(np.float32), dimensions=system.box, dt=2.0)
    return universe


def _write(universe, path):
    with mda.Writer(str(path), universe.atoms.n_atoms, dt=2.0) as writer:
        for _ in universe.trajectory:
            writer.write(universe.atoms)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    universe = _make_universe(make_mixture(np.random.default_rng(1), n_frames=6))
    universe.atoms.write(str(folder / "topology.pdb"), bonds="all")
    for suffix in ("xtc", "trr", "dcd"):
        _write(universe, folder / f"trajectory.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["xtc", "trr", "dcd"])
def test_formats_give_the_same_frames(files, suffix):
    before = sorted(p.name for p in files.iterdir())
    scene = open_scene(files / "topology.pdb", files / f"trajectory.{suffix}")
    assert scene.counts == {"Mg": 4, "Cl": 8, "water": 30}
    (block,) = scene.iterate(0, 0, 6)
    np.testing.assert_allclose(np.diff(block.times), 2.0, atol=1e-5)
    expected = make_mixture(np.random.default_rng(1), n_frames=6).positions
    np.testing.assert_allclose(block.positions, expected, atol=0.0101)
    # No index, no lock: the folder may be somebody else's.
    assert sorted(p.name for p in files.iterdir()) == before


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize("choice", [{}, {"dt": 3.0}, {"box": np.arange(1.0, 7.0)}])
def test_xtc_frames_are_those_of_mdanalysis(tmp_path, boxed, choice):
    """To the last bit, though they are read without its reader; boxes change and lean."""
    universe = _make_universe(make_mixture(np.random.default_rng(1), n_frames=5))
    with mda.Writer(str(tmp_path / "some.xtc"), universe.atoms.n_atoms) as writer:
        for k, step in enumerate(universe.trajectory):
            angles = (90.0, 90.0, 90.0) if k < 2 else (80.0, 75.0, 85.0)
            step.dimensions = [12.0 + k // 2, 13.0, 14.0, *angles] if boxed else None
            writer.write(universe.atoms)
    spare = None if "box" in choice else np.arange(2.0, 8.0)
    options = {"dt": None, "box": None, "spare": spare} | choice
    found = open_trajectory(tmp_path / "some.xtc", universe.atoms.n_atoms, **options)
    reader = mda.coordinates.XTC.XTCReader(str(tmp_path / "some.xtc"))
    for start, stop in ((0, 5), (3, 5), (1, 2)):
        positions, boxes, times = found.read(start, stop)
        for row, step in enumerate(reader[start:stop]):
            np.testing.assert_array_equal(positions[row], step.positions)
            box = options["box"] if step.dimensions is None else step.dimensions
            box = choice.get("box", spare if box is None else box)
            np.testing.assert_array_equal(boxes[row], np.zeros(6) if box is None else box)
            assert times[row] == (3.0 * (start + row) if "dt" in choice else step.time)


def test_replicas_are_one_scene(files):
    scene = open_scene(files / "topology.pdb", [files / "trajectory.xtc"] * 2, temperature=300.0)
    assert scene.n_replicas == 2
    tree, quantities = analyze_scene(scene, cutoffs={"*": 3.0})
    assert tree.attrs["n_frames"] == 12
    assert tree.attrs["n_replicas"] == 2
    alone, _ = analyze_scene(
        open_scene(files / "topology.pdb", files / "trajectory.xtc"), cutoffs={"*": 3.0}
    )
    for name in ("cation", "anion"):
        np.testing.assert_allclose(
            tree["speciation"][name].values, alone["speciation"][name].values, atol=1e-12
        )
    assert any(q.status == "undefined" for q in quantities if q.name.startswith("diffusion"))


def test_choices_of_the_user(files):
    scene = open_scene(
        files / "topology.pdb", files / "trajectory.xtc", cation="name MG", anion="name CL",
        solvent={"water": "element O"}, charges={"Mg": 1}, dt=50.0, box=[30.0, 30.0, 30.0],
    )  # fmt: skip
    assert [(s.name, s.role, s.charge) for s in scene.species] == [
        ("Mg", "cation", 1), ("Cl", "anion", -1), ("water", "solvent", 0),
    ]  # fmt: skip
    block = scene.read_frame(0, 3)
    assert block.times.tolist() == [150.0]
    assert block.matrix[0, 0, 0] == 30.0


def test_a_universe_will_do():
    scene = scene_from_universe(_make_universe(make_mixture(np.random.default_rng(1), n_frames=6)))
    assert scene.counts["water"] == 30
    assert scene.sources[0].n_frames == 6


def test_bonds_are_guessed_per_residue_and_that_is_said():
    system = make_mixture(np.random.default_rng(1), n_frames=2)
    scene = scene_from_universe(_make_universe(system, bonds=False))
    assert scene.counts == {"Mg": 4, "Cl": 8, "water": 30}
    assert "guessed" in scene.notes[0]


def test_bonds_to_metals_are_coordination():
    system = make_mixture(np.random.default_rng(1), n_frames=2)
    oxygen = system.elements.index("O")
    universe = _make_universe(system)
    universe.add_bonds([(0, oxygen), (0, 5)])
    assert scene_from_universe(universe).counts == {"Mg": 4, "Cl": 8, "water": 30}


def _cut(files, name, target, size):
    contents = (files / name).read_bytes()
    target.write_bytes(contents[: len(contents) + size] if size <= 0 else contents[:size])
    return target


@pytest.mark.parametrize("name", ["trajectory.xtc", "trajectory.trr", "trajectory.dcd"])
@pytest.mark.parametrize("size", [-7, -300, 60])
def test_truncated(files, tmp_path, name, size):
    path = _cut(files, name, tmp_path / name, size)
    with pytest.raises(TrajectoryError, match=r"truncated") as caught:
        open_scene(files / "topology.pdb", path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["trajectory.xtc", "topology.pdb"])
def test_empty(files, tmp_path, name):
    path = tmp_path / name
    path.touch()
    pair = {"topology.pdb": files / "topology.pdb", "trajectory.xtc": files / "trajectory.xtc"}
    pair[name] = path
    with pytest.raises(TrajectoryError, match=f"{name} is empty"):
        open_scene(*pair.values())


def test_absent(files):
    with pytest.raises(TrajectoryError, match="does not exist"):
        open_scene(files / "topology.pdb", files / "other.xtc")
    with pytest.raises(TrajectoryError, match="no trajectory was given"):
        open_scene(files / "topology.pdb", [])


def test_of_another_system(files, tmp_path):
    universe = _make_universe(make_mixture(np.random.default_rng(1), n_frames=2, n_solvent=29))
    _write(universe, tmp_path / "other.xtc")
    with pytest.raises(TrajectoryError, match=r"has 99 atoms, the topology has 102"):
        open_scene(files / "topology.pdb", tmp_path / "other.xtc")


def test_not_a_trajectory(files, tmp_path):
    path = tmp_path / "notes.xtc"
    path.write_text("this is not a trajectory, it is prose\n" * 50)
    with pytest.raises(TrajectoryError, match=r"cannot read trajectory notes\.xtc"):
        open_scene(files / "topology.pdb", path)
    path = tmp_path / "notes.xyzzy"
    path.write_text("neither is this")
    with pytest.raises(TrajectoryError, match=r"cannot read trajectory notes\.xyzzy"):
        open_scene(files / "topology.pdb", path)


def test_no_box(files, tmp_path):
    universe = _make_universe(make_mixture(np.random.default_rng(1), n_frames=2))
    universe.dimensions = None
    universe.load_new(universe.trajectory.coordinate_array, order="fac")
    with mda.Writer(str(tmp_path / "bare.xyz"), universe.atoms.n_atoms) as writer:
        for _ in universe.trajectory:
            writer.write(universe.atoms)
    # XYZ has no box; that of the topology stands in, and without one there is none.
    assert open_scene(files / "topology.pdb", tmp_path / "bare.xyz").read_frame(0, 0)
    text = (files / "topology.pdb").read_text()
    (tmp_path / "bare.pdb").write_text(re.sub(r"CRYST1.*\n", "", text))
    scene = open_scene(tmp_path / "bare.pdb", tmp_path / "bare.xyz")
    with pytest.raises(TrajectoryError, match=r"has no box in frame 0; give one with --box"):
        analyze_scene(scene)
    given = open_scene(tmp_path / "bare.pdb", tmp_path / "bare.xyz", box=[12.0] * 3)
    _, quantities = analyze_scene(given)
    notes = {q.name: q.note for q in quantities}
    assert notes["diffusion.Mg"] == "the trajectory has no times; give --dt"
    assert "without times" in notes["residence.Mg-Cl"]
    assert given.read_frame(0, 0).matrix[0, 2, 2] == 12.0
    with pytest.raises(TrajectoryError, match="is not three lengths"):
        open_scene(tmp_path / "bare.pdb", tmp_path / "bare.xyz", box=[12.0])


def test_no_bonds_and_no_residues():
    system = make_mixture(np.random.default_rng(1), n_frames=2)
    with pytest.raises(TrajectoryError, match="no bonds and no residues"):
        scene_from_universe(_make_universe(system, bonds=False, residues=False))


def test_no_cation(make_scene):
    system = make_mixture(np.random.default_rng(1), n_frames=2)
    with pytest.raises(TrajectoryError, match=r"no cation among .*--cation SEL or --charge"):
        make_scene(system, charges={"Mg": 0})


def _argon(elements=("Ar",) * 8, **options):
    """Bare atoms of an element that no species of the library has."""
    universe = mda.Universe.empty(len(elements), n_residues=len(elements),
                                  atom_resindex=range(len(elements)), trajectory=True)  # fmt: skip
    universe.add_TopologyAttr("elements", list(elements))
    universe.add_TopologyAttr("bonds", [])
    rng = np.random.default_rng(2)
    universe.load_new(rng.uniform(0, 20, (5, len(elements), 3)), dimensions=[20.0] * 3 + [90.0] * 3)
    return scene_from_universe(universe, **options)


def test_what_is_said_to_be_a_solvent_needs_no_cation():
    with pytest.raises(TrajectoryError, match=r"no cation among Ar .*--solvent NAME=SEL"):
        _argon()
    (argon,) = _argon(solvent={"argon": "element Ar"}).species
    assert (argon.name, argon.role, argon.n_molecules) == ("argon", "solvent", 8)
    assert argon.mass == pytest.approx(39.95, abs=0.01)
    with pytest.raises(TrajectoryError, match="no cation among"):
        _argon(solvent={"argon": "index 0:3"})


def test_a_molecule_without_mass_is_refused():
    with pytest.raises(TrajectoryError, match="dummy has no mass; give a topology with masses"):
        _argon(("Xx",) * 4, solvent={"dummy": "all"})


def test_positions_that_are_not_numbers(make_scene):
    system = make_mixture(np.random.default_rng(1), n_frames=4)
    system.positions[2, 5, 1] = np.nan
    with pytest.raises(TrajectoryError, match="frame 2 has positions that are not numbers"):
        analyze_scene(make_scene(system))


def test_selections_that_match_nothing(files):
    with pytest.raises(TrajectoryError, match='selection "name XX" matches no atom'):
        open_scene(files / "topology.pdb", files / "trajectory.xtc", cation="name XX")
    with pytest.raises(TrajectoryError, match="is not understood"):
        open_scene(files / "topology.pdb", files / "trajectory.xtc", cation="nome MG")
