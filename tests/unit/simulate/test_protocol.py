"""Protocol: a recipe laid out in stages and replicas, as data."""

from __future__ import annotations

import pytest

from solvation.errors import RecipeError
from solvation.profile import PROFILES
from solvation.recipe import load_recipe
from solvation.simulate.protocol import Plan, Stage, make_plan


def plan(*settings: str, profile: str = "quick") -> Plan:
    return make_plan(load_recipe("mg-tfsi2-dme", settings=settings).resolve(profile))


@pytest.mark.parametrize("profile", list(PROFILES))
def test_stages_are_those_of_the_design(profile: str) -> None:
    made = plan(profile=profile)
    assert [(s.name, s.ensemble) for s in made.stages] == [
        ("heat", "NVT"), ("anneal", "NPT"), ("density", "NPT"), ("production", "NVT"),
    ]  # fmt: skip
    heat, anneal, density, production = made.stages
    assert 450 <= heat.temperature[0] == heat.temperature[1] <= 500
    assert anneal.temperature == (heat.temperature[1], 298.15)
    assert density.temperature == production.temperature == (298.15, 298.15)
    assert density.n_intervals_max > density.n_intervals
    assert made.timestep == pytest.approx(0.004)
    for stage in (heat, anneal, production):
        assert stage.n_intervals == stage.n_intervals_max


def test_times_become_intervals() -> None:
    made = plan("protocol.report_interval=0.4 ps", "protocol.production_time=30 ps")
    assert made.steps_per_interval == 100
    assert made.interval == pytest.approx(0.4)
    assert made.stages[-1].n_intervals == 75
    assert made.intervals_per_checkpoint == 10
    assert made.pressure == pytest.approx(1.0)


def test_friction_is_weak_only_where_motion_is_measured() -> None:
    made = plan("protocol.tempering=600 K", profile="standard")
    assert [made.friction_in(stage) for stage in made.stages] == [1.0] * 5
    made = plan(profile="standard")
    assert [made.friction_in(stage) for stage in made.stages] == [1.0, 1.0, 1.0, 0.1]
    made = plan("protocol.friction=5 1/ps", profile="production")
    assert [made.friction_in(stage) for stage in made.stages] == [5.0] * 4
    assert plan(profile="quick").friction == 1.0


def test_dipoles_on_springs_keep_a_strong_bath() -> None:
    """What theirs at 1 K takes from the atoms has to come back."""
    made = plan("model.forcefield=clpol-drude", profile="production")
    assert made.friction == 1.0


def test_a_stage_of_no_time_is_left_out_and_a_short_one_is_not() -> None:
    made = plan("protocol.heat_time=0 ps", "protocol.anneal_time=0.1 ps")
    assert [stage.name for stage in made.stages] == ["anneal", "density", "production"]
    assert made.stages[0].n_intervals == 1
    assert plan("protocol.checkpoint_interval=0.1 ps").intervals_per_checkpoint == 1


def test_the_anneal_ends_at_the_target() -> None:
    stage = Stage(
        name="anneal", ensemble="NPT", temperature=(480.0, 300.0), n_intervals=9, n_intervals_max=9
    )
    temperatures = [stage.temperature_at(i) for i in range(9)]
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[0] == pytest.approx(460.0)
    assert temperatures[-1] == pytest.approx(300.0)


def test_a_hot_target_is_not_cooled_to() -> None:
    made = plan("conditions.temperature=550 K")
    assert {t for stage in made.stages for t in stage.temperature} == {550.0}


def test_replicas_take_the_starts_in_turn() -> None:
    made = plan('protocol.starts=["separated", "contact"]', "protocol.replicas=5")
    assert [replica.name for replica in made.replicas] == [
        "separated-1", "contact-1", "separated-2", "contact-2", "separated-3",
    ]  # fmt: skip
    assert [replica.start for replica in made.replicas] == ["separated", "contact"] * 2 + [
        "separated"
    ]
    assert len({replica.seed for replica in made.replicas}) == 5


def test_adding_replicas_leaves_the_others_as_they_are() -> None:
    """A run can be made wider: what was simulated stays valid."""
    few, many = (plan(f"protocol.replicas={n}").replicas for n in (2, 9))
    assert many[:2] == few
    assert plan("protocol.seed=1", "protocol.replicas=2").replicas != few


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("protocol.report_interval=1 fs", "is shorter than the time step 4 fs; make it longer"),
        ("protocol.timestep=3 fs", "not a whole number of time steps of 3 fs; use 0.501 ps"),
        ("protocol.production_time=1 ps", "holds 2 report intervals of 0.5 ps; make it at least 4"),
        ("protocol.density_time=1 ps", "density_time = 1 ps holds 2"),
    ],
)
def test_times_that_do_not_fit(setting: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        plan(setting)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unresolved_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"call recipe.resolve\(\) first"):
        make_plan(load_recipe("mg-tfsi2-dme"))


@pytest.mark.parametrize(
    ("report", "record", "expected"),
    [
        ("500 fs", "20 fs", 5),
        ("500 fs", "0 fs", 0),
        ("28 fs", "20 fs", 1),
        ("2 ps", "1 ps", 250),
    ],
)
def test_rows_divide_a_report_interval_and_are_no_farther_apart(
    report: str, record: str, expected: int
) -> None:
    made = plan(
        f"protocol.report_interval={report}", f"protocol.record_interval={record}",
        f"protocol.stress_interval={record}", "protocol.timestep=4 fs",
        "protocol.density_time=20 ps", "protocol.density_time_max=40 ps",
    )  # fmt: skip
    assert made.steps_per_record == made.steps_per_stress == expected


def test_every_replica_has_a_packing_of_its_own() -> None:
    made = plan("protocol.replicas=5", 'protocol.starts=["separated", "contact"]')
    assert [(item.name, item.start, item.packing, item.box) for item in made.replicas] == [
        ("separated-1", "separated", 0, "separated"),
        ("contact-1", "contact", 0, "contact"),
        ("separated-2", "separated", 1, "separated-2"),
        ("contact-2", "contact", 1, "contact-2"),
        ("separated-3", "separated", 2, "separated-3"),
    ]
