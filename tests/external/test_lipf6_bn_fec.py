"""LiPF6 in butyronitrile and fluoroethylene carbonate, against a peer's published test values.

The values are those of the tests of solvation-analysis, which count *molecules* any atom of which
is within a radius of Li. Its radii are 2.8 Å (PF6), 2.61468 Å (BN) and 2.43158 Å (FEC), as its
test configuration says. (With 3.42 Å for N(BN) and 3.30 Å for O(FEC), which are quoted beside
the same values, the trajectory gives 4.43 and 0.41.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.contact import Contacts, list_ligands
from solvation.analyze.driver import run_analyzers
from solvation.analyze.scene import open_scene
from solvation.analyze.shell import count_shells
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import Site

PEER = {"BN": 2.61468, "FEC": 2.43158, "PF6": 2.8}


@pytest.fixture(scope="module", params=["wrap", "unwrap"])
def scene(request, data):
    folder = data / "lipf6_bn_fec"
    return open_scene(folder / "bn_fec.data", folder / f"bn_fec_short_{request.param}.dcd")


def _find_contacts(scene, cutoffs):
    pairs = {("Li", site): cutoff for site, cutoff in cutoffs.items()}
    (table,) = run_analyzers(scene, [Contacts(cutoffs=pairs)])["contacts"].total().result()
    return table


def _count_molecules(scene, table):
    """Return molecules of each species per Li and frame, by name, shape (10, 49)."""
    counts = count_shells(scene, table)
    return {s.name: counts[..., i] for i, s in enumerate(scene.species)}


@pytest.fixture(scope="module")
def peer(scene):
    """Count as the peer does: any atom of a molecule is a donor."""
    sites = tuple(
        Site(name=f"{n}.any", species=n, element="X", atoms=scene.find_species(n).atoms.ravel())
        for n in PEER
    )
    wide = replace(scene, sites=sites)
    table = _find_contacts(wide, {f"{n}.any": r for n, r in PEER.items()})
    return _count_molecules(wide, table)


def test_species_are_recognised(scene, data):
    assert scene.counts == {"Li": 49, "PF6": 49, "BN": 363, "FEC": 237}
    assert [s.charge for s in scene.species] == [1, -1, 0, 0]
    listed = (data / "lipf6_bn_fec" / "bn_fec_elements.csv").read_text().split()
    assert scene.elements.tolist() == [e.capitalize() for e in listed]


def test_coordination_numbers_of_the_peer(peer):
    for name, number in (("BN", 4.33), ("FEC", 0.25), ("PF6", 0.15)):
        assert peer[name].mean() == pytest.approx(number, abs=0.05), name


def test_fractions_of_li_that_are_coordinated(peer):
    """The fractions quoted are of the *Li* that has at least one PF6, or FEC."""
    for name, fraction in (("PF6", 0.14), ("FEC", 0.21)):
        assert (peer[name] > 0).mean() == pytest.approx(fraction, abs=0.01), name


def test_shells_of_the_peer(peer):
    five = (peer["BN"] == 5) & (peer["FEC"] == 0) & (peer["PF6"] == 0)
    three = (peer["BN"] == 3) & (peer["FEC"] == 0) & (peer["PF6"] == 1)
    assert five.size == 490
    assert int(five.sum()) == 175
    assert int(three.sum()) == 13


def test_donor_atoms_alone_give_nearly_the_same(scene):
    """Counting N, O and F instead of any atom changes what the peer counts by a few contacts."""
    radii = {"BN.N": PEER["BN"], "FEC.O": PEER["FEC"], "PF6.F": PEER["PF6"]}
    counts = _count_molecules(scene, _find_contacts(scene, radii))
    for name, number in (("BN", 4.33), ("FEC", 0.25), ("PF6", 0.15)):
        assert counts[name].mean() == pytest.approx(number, abs=0.05), name
    five = (counts["BN"] == 5) & (counts["FEC"] == 0) & (counts["PF6"] == 0)
    assert int(five.sum()) == 175


def test_with_the_wider_cutoffs_more_is_counted(scene):
    counts = _count_molecules(scene, _find_contacts(scene, {"BN.N": 3.42, "FEC.O": 3.30}))
    assert counts["BN"].mean() == pytest.approx(4.433, abs=0.001)
    assert counts["FEC"].mean() == pytest.approx(0.414, abs=0.001)


def test_a_fluorine_pair_is_one_anion(scene):
    table = _find_contacts(scene, {"PF6.F": 2.8})
    ligands, denticity = list_ligands(scene, table)
    assert len(table.contacts) == 78
    assert len(ligands) == 67
    assert denticity.max() == 3
    assert denticity.sum() == 78


def test_without_being_told(scene):
    """The first minima found lie at 2.8 to 3.1 Å; the tails of g(r) make the difference to 2.6."""
    tree, quantities = analyze_scene(scene)
    found = {q.name: q for q in quantities}
    for pair, first in (("Li-BN.N", 2.1), ("Li-FEC.O", 2.2), ("Li-PF6.F", 2.2)):
        assert found[f"rdf.{pair}.first_peak"].value == pytest.approx(first, abs=0.1)
        assert 2.6 < found[f"rdf.{pair}.cutoff"].value < 3.3
    assert found["coordination.Li-PF6.F"].value == pytest.approx(0.15, abs=0.05)
    closed = sum(q.value for n, q in found.items() if n.startswith("speciation.cation."))
    assert closed == pytest.approx(1.0, abs=1e-9)
    assert found["diffusion.Li"].status == "undefined"
    assert np.isfinite(tree["speciation"]["species_count"].values).all()


@pytest.mark.parametrize(
    ("pair", "number"), [("Li-BN.N", 4.33), ("Li-FEC.O", 0.25)], ids=["BN", "FEC"]
)
@pytest.mark.xfail(
    strict=True,
    reason="no plateau in g(r): at its first minimum (3.13, 2.88 Å) BN is 4.41 and FEC 0.34",
)
def test_automatic_cutoffs_give_the_values_of_the_peer(scene, pair, number):
    _, quantities = analyze_scene(scene)
    found = {q.name: q for q in quantities}
    assert found[f"coordination.{pair}"].value == pytest.approx(number, abs=0.05)


def test_wrapped_and_unwrapped_agree(data):
    folder = data / "lipf6_bn_fec"
    values = []
    for kind in ("wrap", "unwrap"):
        scene = open_scene(folder / "bn_fec.data", folder / f"bn_fec_short_{kind}.dcd")
        _, quantities = analyze_scene(scene)
        values.append({q.name: q.value for q in quantities})
    assert values[0].keys() == values[1].keys()
    for name, value in values[0].items():
        assert value is None or value == pytest.approx(values[1][name], rel=1e-6, abs=1e-9), name
