"""0.46 M Mg(TFSI)2 in DME: what an analyzer must find, however it is written.

The trajectory is from molmd/mdproptools; the values were computed independently of this package.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.contact import Contacts, list_ligands
from solvation.analyze.coordination import measure_coordination
from solvation.analyze.diffusion import A2_PER_PS
from solvation.analyze.driver import run_analyzers
from solvation.analyze.pairing import find_pairing
from solvation.analyze.residence import measure_residence
from solvation.analyze.scene import open_scene
from solvation.analyze.shell import count_shells
from solvation.analyze.speciation import measure_speciation
from solvation.analyze.stage import analyze_scene
from solvation.kernels.timecorr import mean_squared_displacement

DEPENDENT = (
    "coordination.", "denticity.", "bridging.", "shape.", "speciation.", "species.", "shell.",
    "motif.", "uncoordinated.", "percolation", "conformation.DME.hanging.",
    "conformation.DME.chelating.", "exchange.",
)  # fmt: skip
"""Names of numbers that depend on exchanges."""

PAIRS = [("Mg", "DME.O"), ("Mg", "TFSI.O"), ("Mg", "TFSI.N")]


@pytest.fixture(scope="module", params=["topology.data", "topology.pdb"])
def scene(request, data):
    folder = data / "mg_tfsi_dme"
    return open_scene(folder / request.param, folder / "traj.xtc")


def _find_contacts(scene, cutoff):
    found = run_analyzers(scene, [Contacts(cutoffs=dict.fromkeys(PAIRS, cutoff))])
    (table,) = found["contacts"].total().result()
    return table


@pytest.fixture(scope="module")
def table(scene):
    return _find_contacts(scene, 2.9)


@pytest.fixture(scope="module")
def automatic(scene):
    tree, quantities = analyze_scene(scene)
    return tree, {q.name: q for q in quantities}


def test_species_are_recognised(scene):
    assert scene.counts == {"Mg": 33, "TFSI": 66, "DME": 591}
    assert [(s.role, s.charge) for s in scene.species] == [
        ("cation", 2), ("anion", -1), ("solvent", 0),
    ]  # fmt: skip
    assert [s.name for s in scene.sites] == ["DME.O", "TFSI.O", "TFSI.N"]


def test_coordination_numbers(scene, table):
    number = measure_coordination(scene, [table], PAIRS)["number"].values
    np.testing.assert_allclose(number, [4.324, 1.677, 0.0], atol=0.005)


def test_mean_distances(scene, table):
    for site, distance in (("DME.O", 1.969), ("TFSI.O", 2.057)):
        rows = table.contacts[np.isin(table.contacts["atom"], scene.find_site(site).atoms)]
        assert rows["distance"].mean() == pytest.approx(distance, abs=0.005)


def test_number_of_counterions(scene, table):
    counts = find_pairing(scene, table).cation_counterions
    percent = 100.0 * np.bincount(counts.ravel()) / counts.size
    np.testing.assert_allclose(percent, [10.80, 22.53, 57.88, 5.76, 3.03], atol=0.05)


def test_shells_of_frame_50(scene, table):
    shells = count_shells(scene, table)[50]
    names = [s.name for s in scene.species]
    pairs = [(int(row[names.index("DME")]), int(row[names.index("TFSI")])) for row in shells]
    expected = {(2, 2): 20, (3, 1): 8, (3, 0): 3, (1, 4): 1, (2, 3): 1}
    assert {pair: pairs.count(pair) for pair in set(pairs)} == expected


def test_no_glyme_leaves(scene, table):
    residence = measure_residence(scene, [table])
    one = residence.sel(pair="Mg-DME")
    assert float(one["survival"]) == 1.0
    assert int(one["n_events"]) == 0
    # The same from the table itself: every pair of the first frame is in all 101.
    ligands, _ = list_ligands(scene, table)
    dme = scene.molecule_species[ligands[:, 2]] == 2
    ligands = ligands[dme]
    pairs = [set(map(tuple, ligands[ligands[:, 0] == f, 1:].tolist())) for f in range(101)]
    assert all(found == pairs[0] for found in pairs)


def test_charged_species(scene):
    table = _find_contacts(scene, 2.6)
    keep = table.contacts["frame"] >= 20
    contacts = table.contacts[keep].copy()
    contacts["frame"] -= 20
    late = replace(
        table, contacts=contacts, shared=table.shared[:0], n_frames=81, times=table.times[20:]
    )
    found = measure_speciation(scene, [late])
    fraction = dict(zip(found["species"].values, found["species_fraction"].values, strict=True))
    expected = {
        "[Mg]2+": 0.112, "[MgTFSI]+": 0.221, "[Mg(TFSI)2]0": 0.323, "[Mg(TFSI)3]-": 0.041,
        "[Mg2(TFSI)3]+": 0.225, "[Mg2(TFSI)4]0": 0.017, "[Mg2(TFSI)5]-": 0.061,
    }  # fmt: skip
    for name, value in expected.items():
        assert fraction[name] == pytest.approx(value, abs=0.002), name
    assert sum(fraction.values()) == pytest.approx(1.0, abs=1e-9)


@pytest.fixture(scope="module")
def path(scene):
    (path,) = run_analyzers(scene, [Centres()])["centres"].total().result()
    return path


@pytest.mark.parametrize(("name", "value"), [("DME", 13.38), ("TFSI", 2.08), ("Mg", 1.69)])
def test_all_origins_and_a_plain_line_give_the_value_without_bias(scene, path, name, value):
    """As it was computed elsewhere: lags of 0.5 to 2 ns, drift of the system, least squares."""
    molecules = scene.find_species(name).molecules
    msd = mean_squared_displacement(path.positions[:, molecules]).mean(axis=1)
    window = slice(10, 41)
    slope = np.polyfit(path.times[window] - path.times[0], msd[window], 1)[0]
    assert slope / 6.0 * A2_PER_PS * 1e10 == pytest.approx(value, rel=0.01)
    assert not path.unwrapped


def _biased_diffusion(scene, path, name):
    """Fit as the data were published: one origin, a line through zero, drift of each species."""
    positions = path.positions[:, scene.find_species(name).molecules]
    positions = positions - positions.mean(axis=1, keepdims=True)
    msd = ((positions - positions[0]) ** 2).sum(axis=2).mean(axis=1)
    slope = (path.times @ msd) / (path.times @ path.times)
    return slope / 6.0 * A2_PER_PS * 1e10


@pytest.mark.parametrize(("name", "value"), [("DME", 13.305), ("TFSI", 1.976), ("Mg", 1.585)])
def test_the_biased_recipe_gives_the_published_values(scene, path, name, value):
    assert _biased_diffusion(scene, path, name) == pytest.approx(value, rel=1e-3)


def test_everything_is_found_without_being_told(automatic):
    """The plateau of g(r) is wide: cutoffs found give what 2.9 Å gives."""
    tree, found = automatic
    for pair in ("Mg-DME.O", "Mg-TFSI.O"):
        low, high = (float(tree["rdf"][k].sel(pair=pair)) for k in ("cutoff_low", "cutoff_high"))
        assert low < 2.6 < 2.9 < high
    assert found["coordination.Mg-DME.O"].value == pytest.approx(4.324, abs=0.005)
    assert found["coordination.Mg-TFSI.O"].value == pytest.approx(1.677, abs=0.005)
    assert found["coordination.Mg-TFSI.N"].value == 0.0
    counts = 100.0 * tree["speciation"]["cation_counterions"].values
    np.testing.assert_allclose(counts, [10.80, 22.53, 57.88, 5.76, 3.03], atol=0.05)
    for name, value in (("DME", 13.38), ("TFSI", 2.08), ("Mg", 1.69)):
        diffusion = found[f"diffusion.{name}"]
        assert abs(diffusion.value * 1e10 - value) < diffusion.stderr * 1e10, name
    assert found["diffusion.DME"].value * 1e10 == pytest.approx(13.38, rel=0.05)


def test_ions_that_do_not_diffuse_yet_are_flagged(automatic):
    """In 5 ns the MSD of the ions grows with a power of 0.86: whatever is fitted is no D."""
    tree, found = automatic
    for name in ("Mg", "TFSI"):
        exponent = tree["diffusion"]["scan_exponent"].sel(species=name).values
        error = tree["diffusion"]["scan_exponent_stderr"].sel(species=name).values
        assert (exponent + 2.0 * error < 1.0)[:-1].all(), name
        assert found[f"diffusion.{name}"].status == "not_converged"
    assert "MSD grows with power 0.86" in found["diffusion.TFSI"].note


def test_fractions_close(automatic):
    _, found = automatic
    for side in ("cation", "anion"):
        total = sum(q.value for n, q in found.items() if n.startswith(f"speciation.{side}."))
        assert total == pytest.approx(1.0, abs=1e-9)
    assert sum(q.value for n, q in found.items() if n.startswith("species.")) == pytest.approx(1.0)
    assert sum(q.value for n, q in found.items() if n.startswith("shell.")) == pytest.approx(1.0)


def test_what_cannot_be_known_is_said(automatic):
    """No glyme ever left: a bound instead of a time, and no population is believed."""
    _, found = automatic
    dme, tfsi = found["residence.Mg-DME"], found["residence.Mg-TFSI"]
    assert (dme.status, dme.bound, dme.n_events) == ("bound", "lower", 0)
    assert 120.0 < dme.value < 130.0
    assert tfsi.n_events == 5
    low, high = (float(x) for x in tfsi.note.split("interval ")[1].split(" ns")[0].split(" to "))
    assert low < 44.0 < high
    for name, quantity in found.items():
        if name.startswith(DEPENDENT):
            assert quantity.status == "not_converged", name
            assert quantity.stderr > 0.0, name
    assert found["diffusion.DME"].status == "ok"
    assert found["conductivity.einstein"].status == "not_converged"
    assert found["conductivity.einstein"].stderr > 0.0


def test_conductivity_includes_the_square_of_the_charge(automatic):
    _, found = automatic
    d = {n: found[f"diffusion.{n}"].value for n in ("Mg", "TFSI")}
    charge2 = 33 * 4 * d["Mg"] + 66 * 1 * d["TFSI"]
    volume = 49.182349**3 * 1e-30
    sigma = 1.602176634e-19**2 * charge2 / (volume * 1.380649e-23 * 298.15) * 10.0
    assert found["conductivity.nernst_einstein"].value == pytest.approx(sigma, rel=1e-4)


def test_lengths_denticities_and_shapes(automatic):
    tree, found = automatic
    assert found["distance.Mg-DME.O"].value == pytest.approx(1.969, abs=0.005)
    assert found["distance.Mg-TFSI.O"].value == pytest.approx(2.057, abs=0.005)
    # Two oxygens per chelating DME, one per hanging one, make the coordination number.
    two, one = (found[f"denticity.Mg-DME.{n}"].value for n in (2, 1))
    per_mg = float(tree["denticity"]["ligands"].sel(pair="Mg-DME"))
    assert two + one == pytest.approx(1.0)
    assert per_mg * (2.0 * two + one) == pytest.approx(4.324, abs=0.005)
    assert found["shape.Mg.OC-6"].value > 0.99
    assert found["conformation.DME.chelating.tgt"].value > 0.95
    for head in ("shape.Mg.", "motif.", "denticity.Mg-TFSI.", "exchange.Mg-TFSI."):
        total = sum(q.value for n, q in found.items() if n.startswith(head))
        assert total == pytest.approx(1.0, abs=0.01), head


def test_anions_as_raman_sees_them(automatic):
    _, found = automatic
    parts = (found[f"speciation.anion.{c}"].value for c in ("free", "ssip"))
    assert found["uncoordinated.TFSI"].value == pytest.approx(sum(parts))


def test_survival_and_exchange(automatic):
    tree, found = automatic
    residence = tree["residence"].sel(pair="Mg-DME")
    for curve in ("kaplan_meier", "continuous", "intermittent"):
        np.testing.assert_allclose(residence[curve].values, 1.0)
    assert int(tree["exchange"]["departures"].sel(pair="Mg-TFSI")) == 5
    assert int(tree["exchange"]["departures"].sel(pair="Mg-DME")) == 0
    assert "residence.Mg-DME.kaplan_meier" not in found


def test_specimens_carry_the_charge_of_their_ions(automatic, tmp_path):
    from solvation.analyze.specimen import write_specimens

    tree, _ = automatic
    files = write_specimens(tmp_path, tree["shells"].to_dataset())
    index = json.loads(files[-1].read_text())
    charges = {row["motif"].partition(" ")[0]: row["charge"] for row in index}
    assert charges["Mg(DME)3"] == 2
    assert charges["Mg(DME)2(TFSI)2"] == 0
    assert len({row["graph"] for row in index}) == len(index)
    assert sum(row["fraction"] for row in index) == pytest.approx(1.0)
