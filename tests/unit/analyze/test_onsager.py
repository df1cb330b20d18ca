"""Onsager coefficients, frames and transference numbers against prescriptions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.collective import fit_motion, sum_species
from solvation.analyze.conductivity import measure_conductivity
from solvation.analyze.diffusion import measure_diffusion
from solvation.analyze.driver import run_analyzers
from solvation.analyze.onsager import check_identities, measure_onsager, summarize_onsager
from solvation.brownian import BrownianIons, Kind, make_brownian_ions
from solvation.errors import TrajectoryError

MIXED = BrownianIons(
    kinds=(
        Kind(element="Mg", charge=2, n=6, mass=24.305, diffusion=1e-9),
        Kind(element="Li", charge=1, n=6, mass=6.94, diffusion=2e-9),
        Kind(element="Cl", charge=-1, n=12, mass=35.45, diffusion=2e-9),
        Kind(element="F", charge=-1, n=6, mass=18.998, diffusion=3e-9),
        Kind(element="Ar", charge=0, n=40, mass=39.948, diffusion=3e-9),
    ),
    collective=(
        (5e-9, 1e-9, 4e-9, -1e-9),
        (1e-9, 11e-9, 2e-9, 3e-9),
        (4e-9, 2e-9, 20e-9, 2e-9),
        (-1e-9, 3e-9, 2e-9, 16e-9),
    ),
)
BINARY = BrownianIons(
    kinds=(MIXED.kinds[0], MIXED.kinds[2], MIXED.kinds[4]),
    collective=((5e-9, 6e-9), (6e-9, 20e-9)),
)


def _measure(make_scene, ions, rng, n_frames=6000):
    scene = make_scene(make_brownian_ions(ions, rng, n_frames=n_frames), masses=ions.masses)
    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    diffusion = measure_diffusion(scene, paths)
    collective = fit_motion([sum_species(scene, p) for p in paths], timestep=1.0, low=1.0)
    return scene, collective, diffusion, measure_onsager(scene, collective, diffusion, scale=1e9)


@pytest.fixture(scope="module")
def mixed():
    from .made_scenes import make_scene

    return _measure(make_scene, MIXED, np.random.default_rng(4))


def test_four_species_have_the_prescribed_coefficients(mixed):
    scene, _, _, node = mixed
    names = [k.element for k in MIXED.kinds[:-1]]
    for frame, truth in (("barycentric", MIXED.complete()), ("solvent", MIXED.solvent_frame())):
        one = node.sel(frame=frame)
        for a, first in enumerate(names):
            for b, second in enumerate(names):
                at = {"species": first, "partner": second}
                value = float(one["coefficient"].sel(at))
                error = float(one["coefficient_stderr"].sel(at))
                assert abs(value - 1e9 * truth[a, b]) < 3.5 * error, (frame, first, second)
                assert error < 0.1 * 1e9 * np.sqrt(truth[a, a] * truth[b, b])
    assert {q.name for q in summarize_onsager(scene, node)} >= {
        "onsager.Mg-Cl", "onsager.Li-Li", "transference.cation", "transference.Mg",
        "transference.cation.barycentric", "transference.Li.apparent",
    }  # fmt: skip


def test_transference_numbers_are_those_of_their_frame(mixed):
    _, _, _, node = mixed
    z = MIXED.charges[:-1]
    truths = {"barycentric": MIXED.complete()[:-1, :-1], "solvent": MIXED.solvent_frame()}
    seen = []
    for frame, matrix in truths.items():
        exact = z * (matrix @ z) / (z @ matrix @ z)
        one = node.sel(system=frame)
        for k, kind in enumerate(MIXED.kinds[:-1]):
            at = {"carrier": kind.element}
            value, error = (float(one[n].sel(at)) for n in ("transference", "transference_stderr"))
            assert abs(value - exact[k]) < 3.5 * error
        total = float(one["transference"].sel(carrier="cation"))
        assert total == pytest.approx(float(one["transference"].sel(carrier=["Mg", "Li"]).sum()))
        seen.append(total)
    assert seen[0] != pytest.approx(seen[1], abs=0.01)
    own = np.array([k.n * k.charge**2 * k.diffusion for k in MIXED.kinds[:-1]])
    apparent = node["transference"].sel(system="apparent")
    exact = dict(zip((k.element for k in MIXED.kinds), own / own.sum(), strict=False))
    for name, value in exact.items():
        assert float(apparent.sel(carrier=name)) == pytest.approx(value, abs=0.02)


def test_fractions_and_parts_add_up(mixed):
    _, collective, _, node = mixed
    for system in node["system"].values:
        ions = node["transference"].sel(system=system).values[:-1]
        assert ions.sum() == pytest.approx(1.0, abs=1e-9)
    z = np.append(node["charge"].values, 0.0)
    # The scene lists cations, then anions, each by alphabet, as the node does.
    sigma = 1e9 * float(z @ collective.matrix @ z)
    assert float(node["contribution"].sum()) == pytest.approx(sigma, rel=1e-9)
    for frame in ("barycentric", "solvent"):
        matrix = node["coefficient"].sel(frame=frame).values
        assert z[:-1] @ matrix @ z[:-1] == pytest.approx(sigma, rel=1e-9)
    whole = np.diag(node["self"].values) + node["distinct"].values
    np.testing.assert_allclose(whole, node["coefficient"].sel(frame="barycentric").values)


def test_a_binary_salt_has_the_names_of_the_contract(make_scene, rng):
    scene, _, _, node = _measure(make_scene, BINARY, rng, n_frames=2000)
    rows = {q.name: q for q in summarize_onsager(scene, node)}
    assert list(rows) == [
        "onsager.++", "onsager.+-", "onsager.--", "transference.cation",
        "transference.cation.barycentric", "transference.cation.apparent",
    ]  # fmt: skip
    assert rows["transference.cation"].note.startswith("solvent frame")
    assert rows["onsager.+-"].unit == "mS/cm"
    assert rows["onsager.+-"].status == "ok"
    doubted = summarize_onsager(scene, node, doubts=["too few exchanges"])
    assert {q.status for q in doubted} == {"not_converged"}


def test_broken_identities_are_noticed(mixed):
    scene, collective, _, _ = mixed
    check_identities(scene, collective.matrix)
    broken = collective.matrix.copy()
    broken[0, 0] *= 1.5
    with pytest.raises(TrajectoryError, match="centre of mass moves"):
        check_identities(scene, broken)
    with pytest.raises(TrajectoryError):
        check_identities(scene, broken * np.nan)


def test_without_a_solvent_there_is_no_solvent_frame(make_scene, rng):
    """Of two species alone the masses fix t: t+ = M- / (M- + M+) for equal charges."""
    kinds = (replace(MIXED.kinds[1], n=20), replace(MIXED.kinds[3], n=20))
    ions = BrownianIons(kinds=kinds, collective=((10e-9,),))
    scene = make_scene(make_brownian_ions(ions, rng, n_frames=600), masses=ions.masses)
    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    diffusion = measure_diffusion(scene, paths)
    node = measure_conductivity(scene, paths, diffusion, temperature=300.0)["onsager"]
    assert list(node["frame"].values) == ["barycentric"]
    light, heavy = (float(scene.masses[s.atoms[0, 0]]) for s in scene.species)
    value = float(node["transference"].sel(system="barycentric", carrier="Li"))
    assert value == pytest.approx(heavy / (heavy + light), abs=1e-6)
    rows = {q.name: q for q in summarize_onsager(scene, node)}
    assert "fixed by their masses" in rows["transference.cation"].note
