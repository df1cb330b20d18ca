"""Denticity, chelate rings, bridges, motifs and specimens, on molecules drawn by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from solvation.analyze.binding import find_bindings, label_binding
from solvation.analyze.contact import Contacts
from solvation.analyze.denticity import measure_denticity
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.shell import measure_shells, name_motif
from solvation.analyze.specimen import assign_orders, format_sdf, hash_graph, write_specimens
from solvation.analyze.topology import scene_from_arrays
from solvation.analyze.way import find_ways

FAR = np.array([0.0, 0.0, 15.0])


def _diglyme():
    """C O C C O C C O C: heavy atoms of diglyme with its hydrogens, in the order of a chain."""
    heavy = "COCCOCCOC"
    elements, bonds = list(heavy), [(k, k + 1) for k in range(8)]
    for k, element in enumerate(heavy):
        if element == "C":
            for _ in range(3 if k in (0, 8) else 2):
                bonds.append((k, len(elements)))
                elements.append("H")
    return elements, bonds


def _make(bound, *, reverse=False):
    """One Mg, one diglyme whose oxygens bind where ``bound`` says, and two far Cl."""
    elements, bonds = _diglyme()
    bonds = np.array(bonds)
    if reverse:
        bonds = len(elements) - 1 - bonds
        elements = elements[::-1]
    n = len(elements)
    rng = np.random.default_rng(1)
    places = FAR + 0.3 * rng.normal(size=(n, 3))
    oxygens = [k for k, e in enumerate(elements) if e == "O"]
    for k, here in zip(oxygens, bound, strict=True):
        if here:
            places[k] = 2.1 * np.array([np.cos(k), np.sin(k), 0.0])
    ions = np.array([[0.0, 0, 0], [9.0, 9, 9], [-9.0, 9, 9]])
    source = ArraySource(
        positions=np.concatenate([ions, places])[None],
        boxes=np.array([60.0, 60, 60, 90, 90, 90]), times=np.zeros(1),
    )  # fmt: skip
    return scene_from_arrays(["Mg", "Cl", "Cl", *elements], bonds + 3, [source])


def _table(scene, *, cutoff=2.9):
    ligand = next(s.name for s in scene.sites if s.element == "O")
    pairs = {("Mg", ligand): cutoff, ("Mg", "Cl.Cl"): cutoff}
    return run_analyzers(scene, [Contacts(cutoffs=pairs)])["contacts"].total().result()[0]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("bound", "label"),
    [
        ([1, 0, 0], "O"),
        ([1, 1, 0], "O2 (5)"),
        ([1, 1, 1], "O3 (5+5)"),
        ([1, 0, 1], "O2 (8, skips)"),
    ],
)
def test_rings_of_a_glyme(bound, label, reverse):
    scene = _make(bound, reverse=reverse)
    table = _table(scene)
    found = find_bindings(scene, table)
    assert found.denticity.tolist() == [sum(bound)]
    assert label_binding(scene, found.atom) == label
    measured = measure_denticity(scene, *find_ways(scene, [table]))
    assert measured["binding_name"].values.tolist() == [label]
    assert measured["binding_fraction"].values.tolist() == [1.0]
    assert float(measured["fraction"].sel(denticity=sum(bound))[0]) == 1.0
    assert np.isnan(measured["fraction"].sel(pair="Mg-Cl")).all()


def test_oxygens_of_one_and_of_two_sulfurs_close_different_rings():
    """TFSI: M-O-S-O is a ring of four, M-O-S-N-S-O of six, M-O-S-N of four."""
    elements = ["Mg", "N", "S", "S", "O", "O", "O", "O", "C", "C", *["F"] * 6]
    bonds = [(1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (3, 7), (2, 8), (3, 9)]
    bonds += [(8, k) for k in (10, 11, 12)] + [(9, k) for k in (13, 14, 15)]
    source = ArraySource(
        positions=np.random.default_rng(0).normal(size=(1, 16, 3)) * 3.0,
        boxes=np.array([40.0, 40, 40, 90, 90, 90]), times=np.zeros(1),
    )  # fmt: skip
    scene = scene_from_arrays(elements, bonds, [source])
    assert label_binding(scene, np.array([4, 5])) == "O2 (4)"
    assert label_binding(scene, np.array([4, 6])) == "O2 (6)"
    assert label_binding(scene, np.array([1, 4])) == "ON (4)"


def _bridge(chlorides):
    """Two Mg at 0 and 4 Å with chlorides where told."""
    positions = np.concatenate([[[0.0, 0, 0], [4.0, 0, 0]], chlorides])
    source = ArraySource(
        positions=positions[None], boxes=np.array([40.0, 40, 40, 90, 90, 90]), times=np.zeros(1)
    )
    scene = scene_from_arrays(["Mg", "Mg"] + ["Cl"] * len(chlorides), [], [source])
    table = run_analyzers(scene, [Contacts(cutoffs={("Mg", "Cl.Cl"): 2.9})])
    return scene, table["contacts"].total().result()


def test_a_chloride_bridges_through_one_atom():
    scene, tables = _bridge(np.array([[2.0, 1.4, 0], [2.0, -1.4, 0], [-2.4, 0, 0], [15.0, 15, 15]]))
    found = measure_denticity(scene, *find_ways(scene, tables))
    assert float(found["bridging"][0]) == pytest.approx(2 / 3)
    assert float(found["bridging_atom"][0]) == pytest.approx(2 / 3)
    assert float(found["bridging_stderr"][0]) > 0.0


def test_motifs_sum_to_their_shells():
    scene = _make([1, 1, 0])
    shells = measure_shells(scene, [_table(scene)])
    ligand = scene.list_role("solvent")[0].name
    assert shells["motif"].values.tolist() == [f"Mg({ligand})1 [2]"]
    assert shells["motif_shell"].values.tolist() == shells["shell"].values.tolist()
    assert (
        name_motif("Mg", [("DME", [1, 2]), ("TFSI", []), ("Cl", [1])]) == "Mg(DME)2(Cl)1 [2+1 | 1]"
    )
    assert name_motif("Mg", []) == "Mg"


def test_specimens_are_written_with_charge_and_spin(tmp_path):
    rdkit = pytest.importorskip("rdkit.Chem")
    scene = _make([1, 1, 1])
    shells = measure_shells(scene, [_table(scene)])
    files = write_specimens(tmp_path / "structures", shells)
    names = [path.name for path in files]
    assert [name.rpartition(".")[2] for name in names] == ["xyz", "pdb", "sdf", "json"]
    xyz = files[0].read_text().splitlines()
    assert int(xyz[0]) == 24
    assert "charge=2 multiplicity=1" in xyz[1]
    assert xyz[2].split() == ["Mg", "0.000000", "0.000000", "0.000000"]
    (index,) = json.loads(files[-1].read_text())
    assert (index["charge"], index["multiplicity"], index["fraction"]) == (2, 1, 1.0)
    mol = next(iter(rdkit.SDMolSupplier(str(files[2]), removeHs=False)))
    assert rdkit.GetFormalCharge(mol) == 2
    assert rdkit.MolToSmiles(rdkit.RemoveHs(mol)) == "COCCOCCOC.[Mg+2]"
    assert mol.GetProp("charge") == "2"
    pdb = files[1].read_text()
    assert pdb.count("HETATM") == 24
    assert "CONECT" in pdb
    # A later analysis with other shells leaves none of these behind.
    (tmp_path / "structures" / "99_old.xyz").write_text("old")
    write_specimens(tmp_path / "structures", shells)
    assert not (tmp_path / "structures" / "99_old.xyz").exists()


@pytest.mark.parametrize(
    ("elements", "bonds", "charge", "orders", "charges"),
    [
        ("OCO", [(0, 1), (1, 2)], 0, [2, 2], [0, 0, 0]),
        ("CN", [(0, 1)], -1, [3], [-1, 0]),
        ("BHHHH", [(0, 1), (0, 2), (0, 3), (0, 4)], -1, [1] * 4, [-1, 0, 0, 0, 0]),
        (["P", *"FFFFFF"], [(0, k) for k in range(1, 7)], -1, [1] * 6, [-1, *[0] * 6]),
        (["Cl", *"OOOO"], [(0, k) for k in range(1, 5)], -1, [2, 2, 2, 1], [0, 0, 0, 0, -1]),
        (["N", *"HHHH"], [(0, k) for k in range(1, 5)], 1, [1] * 4, [1, 0, 0, 0, 0]),
    ],
    ids=["CO2", "CN-", "BH4-", "PF6-", "ClO4-", "NH4+"],
)
def test_bond_orders(elements, bonds, charge, orders, charges):
    shell = {
        "elements": ["Mg", *elements], "bonds": [(i + 1, j + 1) for i, j in bonds],
        "molecule": [0, *[1] * len(elements)], "charge": 2 + charge,
    }  # fmt: skip
    found, formal = assign_orders(shell)
    assert found == orders
    assert formal == [2, *charges]


def test_graphs_are_equal_however_they_are_numbered():
    scene, other = _make([1, 1, 0]), _make([1, 1, 0], reverse=True)
    one, two = (
        json.loads(str(measure_shells(s, [_table(s)])["graph"].values[0])) for s in (scene, other)
    )
    assert hash_graph(one) == hash_graph(two)
    third = json.loads(
        str(measure_shells(s, [_table(s)])["graph"].values[0]) if (s := _make([1, 0, 1])) else ""
    )
    assert hash_graph(third) != hash_graph(one)
    assert format_sdf(one, "x").splitlines()[3].startswith(" 24 22")
