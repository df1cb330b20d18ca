"""Conductivities of ions whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from solvation.analyze.centre import Centres
from solvation.analyze.collective import fit_motion
from solvation.analyze.conductivity import (
    _is_steady,
    measure_conductivity,
    summarize_conductivity,
    to_conductivity,
)
from solvation.analyze.contact import Contacts
from solvation.analyze.diffusion import measure_diffusion
from solvation.analyze.driver import run_analyzers
from solvation.analyze.green_kubo import measure_current_correlation
from solvation.analyze.recording import Currents
from solvation.brownian import BrownianIons, Kind, draw_velocities, make_brownian_ions
from solvation.synthetic import make_ion_pairs, make_random_walk

IONS = BrownianIons(
    kinds=(
        Kind(element="Mg", charge=2, n=8, mass=24.305, diffusion=1e-9),
        Kind(element="Cl", charge=-1, n=16, mass=35.45, diffusion=2e-9),
        Kind(element="Ar", charge=0, n=30, mass=39.948, diffusion=3e-9),
    ),
    collective=((6e-9, 5e-9), (5e-9, 30e-9)),
)


def _conduct(scene, *, temperature=300.0, pair=None):
    analyzers = [Centres()]
    if pair is not None:
        analyzers.append(Contacts(cutoffs={pair: 2.5}, shared=False))
    found = run_analyzers(scene, analyzers)
    paths = found["centres"].total().result()
    tables = found["contacts"].total().result() if pair is not None else None
    diffusion = measure_diffusion(scene, paths)
    nodes = measure_conductivity(scene, paths, diffusion, temperature=temperature, tables=tables)
    return diffusion, nodes


def test_the_unit():
    """1 mol/L of a 1:1 salt with D = 1e-9 m2/s at 298.15 K: F2 c 2D / RT = 7.51 S/m."""
    volume = 1e30 / (1000.0 * 6.02214076e23)
    assert to_conductivity(2e-9, volume, 298.15) == pytest.approx(75.1, abs=0.05)


def test_independent_ions_conduct_as_nernst_and_einstein_say(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n=100, n_frames=1200))
    found = _conduct(scene)[1]["conductivity"]
    exact = to_conductivity((100 * 4 + 200) * 1e-9, 27000.0, 300.0)
    for name in ("nernst_einstein", "einstein"):
        value, error = float(found[name]), float(found[f"{name}_stderr"])
        assert abs(value - exact) < 3.0 * error, name
    assert float(found["nernst_einstein_stderr"]) < 0.1 * exact
    assert float(found["einstein_stderr"]) < 0.5 * exact
    ratio, error = float(found["ionicity"]), float(found["ionicity_stderr"])
    assert abs(ratio - 1.0) < 3.0 * error


def test_correlated_ions_conduct_as_prescribed(make_scene, rng):
    """The cross term takes 2 x 2 x 5 out of 54: Nernst and Einstein would give 64."""
    scene = make_scene(make_brownian_ions(IONS, rng, n_frames=4000), masses=IONS.masses)
    nodes = _conduct(scene)[1]
    found = nodes["conductivity"]
    single = to_conductivity(64e-9, 27000.0, 300.0)
    exact = to_conductivity(IONS.charge_diffusion, 27000.0, 300.0)
    assert abs(float(found["nernst_einstein"]) - single) < 3.0 * found["nernst_einstein_stderr"]
    assert abs(float(found["einstein"]) - exact) < 3.0 * found["einstein_stderr"]
    assert abs(float(found["ionicity"]) - exact / single) < 3.0 * found["ionicity_stderr"]
    parts = float(nodes["onsager"]["contribution"].sum())
    assert parts == pytest.approx(float(found["einstein"]), rel=1e-9)


@pytest.mark.slow
def test_intervals_hold_the_conductivity(make_scene):
    """The whole way, from positions on, the window found and not given; wrapped and not."""
    rng = np.random.default_rng(8)
    exact = to_conductivity(IONS.charge_diffusion, 27000.0, 300.0)
    held = {"wrapped": 0, "unwrapped": 0}
    for _ in range(300):
        made = make_brownian_ions(IONS, rng, n_frames=300)
        for name in held:
            if name == "wrapped":
                made.positions[:] = np.mod(made.positions, 30.0)
            found = _conduct(make_scene(made, masses=IONS.masses))[1]["conductivity"]
            held[name] += abs(float(found["einstein"]) - exact) < 1.96 * found["einstein_stderr"]
    for name, count in held.items():
        assert 0.92 <= count / 300 <= 0.98, name


def test_wrapping_changes_nothing(make_scene, rng):
    made = make_brownian_ions(IONS, rng, n_frames=300)
    whole = _conduct(make_scene(made, masses=IONS.masses))[1]
    made.positions[:] = np.mod(made.positions, 30.0)
    wrapped = _conduct(make_scene(made, masses=IONS.masses))[1]
    for node, name in (("conductivity", "einstein"), ("onsager", "coefficient")):
        np.testing.assert_allclose(wrapped[node][name], whole[node][name], rtol=1e-6)


def test_pairs_that_move_together_carry_no_current(make_scene, rng):
    """Neither all together nor as clusters, though every ion diffuses."""
    _, nodes = _conduct(make_scene(make_ion_pairs(rng, edge=150.0)), pair=("Li", "F.F"))
    found = nodes["conductivity"]
    single = float(found["nernst_einstein"])
    assert single > 0.0
    assert abs(float(found["einstein"])) < 1e-6 * single
    assert abs(float(found["ionicity"])) < 1e-6
    assert float(found["cluster_nernst_einstein"]) < 0.02 * single
    np.testing.assert_allclose(found["cluster_charge"].sel(cluster="[LiF]0"), 0.0)


def test_conductivity_goes_with_one_over_temperature(make_scene, rng):
    scene = make_scene(make_random_walk(rng))
    one, two = (_conduct(scene, temperature=t)[1]["conductivity"] for t in (300.0, 600.0))
    for name in ("nernst_einstein", "einstein"):
        assert float(one[name]) == pytest.approx(2.0 * float(two[name]))


def test_short_runs_are_not_converged_and_say_so(make_scene, rng):
    scene = make_scene(make_random_walk(rng, n=10, n_frames=60))
    _, nodes = _conduct(scene)
    node = nodes["conductivity"].copy()
    node["n_effective"].values = np.array(4.2)
    rows = {q.name: q for q in summarize_conductivity(node, always=["formal charges"])}
    assert rows["conductivity.einstein"].status == "not_converged"
    assert "4.2 independent displacements, fewer than 10" in rows["conductivity.einstein"].note
    assert rows["conductivity.ionicity"].unit == "1"
    assert rows["conductivity.nernst_einstein"].status == "ok"
    node["steady"].values = np.array(0.0)
    rows = {q.name: q for q in summarize_conductivity(node)}
    assert "depends on the window" in rows["conductivity.einstein"].note


def test_windows_that_disagree_are_noticed():
    assert _is_steady([(10.0, 1.0), (11.0, 2.0), (7.0, 4.0)])
    assert not _is_steady([(10.0, 1.0), (16.5, 2.0)])


def test_einstein_and_green_kubo_agree_on_particles_with_memory():
    """Displacements and velocities of the same ions; both find what was prescribed."""
    pytest.importorskip("stacie")
    rng = np.random.default_rng(21)
    dt, edge, temperature = 0.2, 30.0, 300.0
    z, displaced, velocities = IONS.charges, [], []
    for _ in range(3):
        paths, speeds = draw_velocities(IONS, rng, n_frames=8_000, dt=dt, memory=1.0)
        displaced.append(np.stack([p.sum(axis=1) for p in paths], axis=1))
        velocities.append(np.stack([v.sum(axis=1) for v in speeds], axis=1))
    scale = to_conductivity(1.0, edge**3, temperature)
    fit = fit_motion(displaced, timestep=dt, low=8.0)
    einstein = fit.estimate(lambda m: scale * float(z @ m @ z))
    currents = Currents(
        species=tuple(k.element for k in IONS.kinds), number=np.array([k.n for k in IONS.kinds]),
        charge=z, mass=np.array([k.mass for k in IONS.kinds]), spacing=dt, volume=edge**3,
        velocity=np.array(velocities), dipole=np.zeros((3, 8_000, 3, 3)),
    )  # fmt: skip
    found = measure_current_correlation(
        currents, {k.element: k.charge for k in IONS.kinds}, temperature=temperature
    )
    green, green_error = float(found["green_kubo"]), float(found["green_kubo_stderr"])
    exact = scale * IONS.charge_diffusion
    assert abs(einstein.value - exact) < 3.0 * einstein.stderr
    assert abs(green - exact) < 3.0 * green_error
    assert abs(green - einstein.value) < 2.0 * np.hypot(green_error, einstein.stderr)
    assert max(green_error, einstein.stderr) < 0.2 * exact
    # Alone the ions would carry a fifth more: the cross term is in both.
    alone = scale * sum(k.n * k.charge**2 * k.diffusion for k in IONS.kinds)
    assert alone > 1.15 * exact
