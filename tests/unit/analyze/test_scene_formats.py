"""Files of the common engines, written here, give the same scene and the same frames."""

from __future__ import annotations

import warnings

import MDAnalysis as mda
import numpy as np
import pytest

from solvation.analyze.frames import ArraySource, join_sources
from solvation.analyze.scene import open_scene
from solvation.analyze.stage import analyze_scene
from solvation.errors import TrajectoryError
from solvation.kernels.cell import box_matrix, wrap
from solvation.synthetic import make_mixture

from .test_scene import _make_universe, _write

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:MDAnalysis"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:MDAnalysis"),
]

SKEWED = np.array([14.0, 14.0, 15.0, 80.0, 75.0, 85.0])


def _make_system(box=None):
    system = make_mixture(np.random.default_rng(1), n_frames=6)
    if box is not None:
        object.__setattr__(system, "box", box)
    return system


def _write_lammps_data(system, path):
    """Atom style full: charges, no residues, types by element."""
    kinds = {"Mg": (1, 24.305, 2.0), "Cl": (2, 35.45, -1.0), "O": (3, 15.999, -0.8),
             "H": (4, 1.008, 0.4)}  # fmt: skip
    edges = "\n".join(f"0.0 {system.box[k]} {a}lo {a}hi" for k, a in enumerate("xyz"))
    masses = "\n".join(f"{i} {m}" for i, m, _ in kinds.values())
    atoms = "\n".join(
        f"{i + 1} 1 {kinds[e][0]} {kinds[e][2]} {x:.5f} {y:.5f} {z:.5f}"
        for i, (e, (x, y, z)) in enumerate(zip(system.elements, system.positions[0], strict=True))
    )
    bonds = "\n".join(f"{k + 1} 1 {i + 1} {j + 1}" for k, (i, j) in enumerate(system.bonds))
    path.write_text(
        f"LAMMPS\n\n{len(system.elements)} atoms\n{len(system.bonds)} bonds\n4 atom types\n"
        f"1 bond types\n\n{edges}\n\nMasses\n\n{masses}\n\nAtoms # full\n\n{atoms}\n\n"
        f"Bonds\n\n{bonds}\n"
    )


def _write_lammps_dump(system, path):
    lines = []
    for step, frame in enumerate(system.positions):
        edges = "\n".join(f"0.0 {system.box[k]}" for k in range(3))
        lines.append(
            f"ITEM: TIMESTEP\n{step * 1000}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n"
            f"ITEM: BOX BOUNDS pp pp pp\n{edges}\nITEM: ATOMS id type xu yu zu"
        )
        lines += [f"{i + 1} 1 {x:.5f} {y:.5f} {z:.5f}" for i, (x, y, z) in enumerate(frame)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    system = _make_system()
    universe = _make_universe(system)
    _write_lammps_data(system, folder / "system.data")
    _write_lammps_dump(system, folder / "run.lammpsdump")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe.add_TopologyAttr("resids", np.arange(1, universe.residues.n_residues + 1))
        universe.atoms.write(str(folder / "conf.gro"))
        universe.atoms.write(str(folder / "top.pdb"), bonds="all")
        for suffix in ("xtc", "trr", "dcd", "nc"):
            _write(universe, folder / f"run.{suffix}")
    return folder


PAIRS = [
    ("system.data", "run.lammpsdump"),
    ("system.data", "run.dcd"),
    ("conf.gro", "run.xtc"),
    ("conf.gro", "run.trr"),
    ("top.pdb", "run.dcd"),
    ("top.pdb", "run.nc"),
]


@pytest.mark.parametrize(("topology", "trajectory"), PAIRS)
def test_engines_give_the_same_scene(folder, topology, trajectory):
    scene = open_scene(folder / topology, folder / trajectory, dt=2.0)
    assert scene.counts == {"Mg": 4, "Cl": 8, "water": 30}
    assert [s.charge for s in scene.species] == [2, -1, 0]
    assert any("guessed" in note for note in scene.notes) == (topology == "conf.gro")
    assert [s.name for s in scene.sites] == ["water.O", "Cl.Cl"]
    (block,) = scene.iterate(0, 0, 6)
    expected = _make_system().positions
    # A minimum image each: what one program writes wrapped another does not.
    matrix = np.repeat(box_matrix(_make_system().box)[None], 6, axis=0)
    for frame in range(6):
        apart = block.positions[frame] - expected[frame]
        apart -= np.round(apart @ np.linalg.inv(matrix[frame])) @ matrix[frame]
        assert np.abs(apart).max() < 0.011
    assert block.times.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


@pytest.mark.parametrize("box", [None, SKEWED], ids=["rectangular", "triclinic"])
def test_wrapped_and_unwrapped_files_give_the_same(tmp_path, box):
    system = _make_system(box)
    matrix = np.repeat(box_matrix(system.box)[None], 6, axis=0)
    found = []
    for name, positions in (
        ("as it is", system.positions),
        ("wrapped", wrap(system.positions, matrix)),
    ):
        object.__setattr__(system, "positions", positions)
        universe = _make_universe(system)
        universe.atoms.write(str(tmp_path / "top.pdb"), bonds="all")
        _write(universe, tmp_path / f"{name}.trr")
        scene = open_scene(tmp_path / "top.pdb", tmp_path / f"{name}.trr")
        _, quantities = analyze_scene(scene, cutoffs={"*": 3.0})
        found.append({q.name: q.value for q in quantities if not q.name.startswith("rdf.")})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        other = found[1][name]
        assert (value is None) == (other is None), name
        assert value is None or value == pytest.approx(other, rel=1e-5, abs=1e-9), name


def test_pieces_are_one_replica_and_repeated_frames_count_once(folder, tmp_path):
    system = _make_system()
    for name, frames in (("a", slice(0, 4)), ("b", slice(3, 6))):
        universe = _make_universe(system)
        with mda.Writer(str(tmp_path / f"{name}.xtc"), universe.atoms.n_atoms) as writer:
            for _ in universe.trajectory[frames]:
                writer.write(universe.atoms)
    one = open_scene(folder / "top.pdb", folder / "run.xtc")
    two = open_scene(folder / "top.pdb", [[tmp_path / "a.xtc", tmp_path / "b.xtc"]])
    assert two.n_replicas == 1
    (whole,), (joined,) = (list(s.iterate(0, 0, 6)) for s in (one, two))
    np.testing.assert_array_equal(joined.times, whole.times)
    np.testing.assert_array_equal(joined.positions, whole.positions)
    replicas = open_scene(folder / "top.pdb", [tmp_path / "a.xtc", tmp_path / "b.xtc"])
    assert replicas.n_replicas == 2
    with pytest.raises(TrajectoryError, match=r"a\.xtc starts at 0 ps and does not continue"):
        open_scene(folder / "top.pdb", [[tmp_path / "b.xtc", tmp_path / "a.xtc"]])


def test_pieces_are_read_across_their_ends():
    rng = np.random.default_rng(0)
    positions = rng.random((9, 2, 3))
    box = np.array([9.0, 9.0, 9.0, 90.0, 90.0, 90.0])
    times = np.arange(9.0)
    pieces = [
        ArraySource(positions=positions[a:b], boxes=box, times=times[a:b])
        for a, b in ((0, 3), (3, 4), (4, 9))
    ]
    joined = join_sources(pieces)
    assert joined.n_frames == 9
    for start, stop in ((0, 9), (2, 5), (3, 4), (5, 8)):
        found, _, when = joined.read(start, stop)
        np.testing.assert_array_equal(found, positions[start:stop])
        np.testing.assert_array_equal(when, times[start:stop])


def test_what_a_topology_lacks_is_said(folder):
    """A GRO file has neither bonds nor charges; charges come from the library."""
    scene = open_scene(folder / "conf.gro", folder / "run.xtc")
    assert scene.notes == (
        "the topology has no bonds; they were guessed from distances per residue",
    )


def test_a_single_frame_in_a_box_that_changes(folder):
    """Constant pressure, wrapped, one frame: structure, and one line why there are no dynamics."""
    scene = open_scene(folder / "top.pdb", folder / "conf.gro")
    _, quantities = analyze_scene(scene, cutoffs={"*": 3.0})
    notes = {q.name: q.note for q in quantities}
    assert notes["diffusion.Mg"] == "a single frame has no dynamics"


def test_a_pdb_file_with_more_atoms_than_digits(tmp_path):
    """Beyond 99999 OpenMM counts on in hexadecimal, from A0000; the bonds with it."""
    from solvation.analyze.reader import open_topology

    def number(k: int) -> str:
        return f"{k:5d}" if k < 100_000 else f"{k - 100_000 + 0xA0000:5X}"

    n = 50_010
    atoms, bonds = [], []
    for k in range(n):
        for side in (0, 1):
            serial = 2 * k + side + 1
            atoms.append(
                f"HETATM{number(serial)}  N{side + 1}  N2  A{k % 9999 + 1:4d}    "
                f"{0.1 * (k % 7):8.3f}{1.1 * side:8.3f}{0.0:8.3f}  1.00  0.00           N  "
            )
        bonds.append(f"CONECT{number(2 * k + 1)}{number(2 * k + 2)}")
        bonds.append(f"CONECT{number(2 * k + 2)}{number(2 * k + 1)}")
    path = tmp_path / "long.pdb"
    path.write_text("\n".join([*atoms, *bonds, "END"]) + "\n")
    universe = open_topology(path)
    assert len(universe.atoms) == 2 * n
    np.testing.assert_array_equal(
        universe.bonds.indices, np.arange(2 * n, dtype=int).reshape(-1, 2)
    )
