from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvation.experiment import Experiment, Reference, load_experiment
from solvation.library import find_system
from solvation.report.compare import compare, find_quantity
from solvation.results import Quantity


def judge(reference: Reference, *quantities: Quantity, temperature: float | None = 298.15):
    experiment = Experiment(system="x", values=(reference,))
    (row,) = compare(quantities, experiment, temperature=temperature)
    return row


def density(value: float = 1.02, stderr: float | None = 0.003, **more) -> Quantity:
    return Quantity(name="density", value=value, stderr=stderr, unit="g/cm3", **more)


def measured(**more) -> Reference:
    return Reference(**{"name": "density", "value": 1.0, "unit": "g/cm3", "citation": "A", **more})


def shells(first: float, second: float, error: float = 0.02, status: str = "ok"):
    return [
        Quantity(name=f"shell.{name}", value=value, stderr=error, unit="1", status=status)
        for name, value in (("Mg(DME)3", first), ("Mg(DME)2(TFSI)1", second))
    ]


DOMINANT = Reference(name="shell.Mg(DME)3", expect="dominant", citation="A")


def test_both_errors_give_a_z_score():
    row = judge(measured(stderr=0.004), density(1.02, 0.003))
    assert row.z == pytest.approx(0.02 / 0.005)
    assert row.tone == "bad"
    assert "+4.0 σ" in row.verdict


def test_agreement_within_two_sigma():
    row = judge(measured(stderr=0.02), density(1.02, 0.003))
    assert row.tone == "good"
    assert row.verdict.startswith("agrees")


@pytest.mark.parametrize("value", [1.0, 1.02])
def test_not_converged_never_agrees(value):
    row = judge(measured(stderr=0.02), density(value, status="not_converged"))
    assert row.tone == "open"
    assert "agree" not in row.verdict
    assert row.z is None


def test_exactly_equal_but_not_converged_shell_is_open():
    row = judge(DOMINANT, *shells(0.9, 0.1, status="not_converged"))
    assert row.tone == "open"
    assert row.verdict == "not converged; most frequent so far"


def test_units_are_converted():
    row = judge(measured(value=1020.0, unit="kg/m3", stderr=5.0), density(1.02))
    assert row.difference == pytest.approx(0.0, abs=1e-12)
    assert row.tone == "good"


def test_small_units_keep_their_digits():
    reference = Reference(
        name="diffusion.Mg", value=1.585e8, unit="nm2/s", stderr=1e6, citation="A"
    )
    ours = Quantity(name="diffusion.Mg", value=1.585e-10, stderr=1e-12, unit="m2/s")
    row = judge(reference, ours)
    assert row.difference == pytest.approx(0.0, abs=1e-16)
    assert row.tone == "good"


def test_other_dimensions_are_not_comparable():
    row = judge(measured(unit="mS/cm", stderr=0.1), density())
    assert row.tone == "none"
    assert "not comparable" in row.verdict


def test_no_error_means_no_verdict_unless_there_is_a_tolerance():
    assert judge(measured(), density()).tone == "none"
    assert judge(measured(tolerance=0.05), density()).tone == "good"
    assert judge(measured(tolerance=0.01), density()).tone == "bad"


def test_other_temperature_is_not_compared():
    row = judge(measured(stderr=0.02, temperature=353.0), density())
    assert row.tone == "none"
    assert "55 K apart" in row.verdict


def test_unjudged_values_are_shown_without_verdict():
    row = judge(measured(stderr=0.02, judged=False), density())
    assert row.tone == "none"
    assert row.difference == pytest.approx(0.02)


def test_missing_quantity_is_said_to_be_missing():
    assert judge(measured(), Quantity(name="x", value=1.0, stderr=None, unit="1")).tone == "open"
    undefined = Quantity(name="density", value=None, stderr=None, unit="g/cm3", status="undefined")
    assert "no such number" in judge(measured(), undefined).verdict


@pytest.mark.parametrize(
    ("values", "tone"), [((0.8, 0.2), "good"), ((0.2, 0.8), "bad"), ((0.51, 0.49), "open")]
)
def test_dominant_needs_more_than_the_error(values, tone):
    assert judge(DOMINANT, *shells(*values)).tone == tone


def test_limits_on_a_sum():
    reference = Reference(
        name="speciation.cation.free + speciation.cation.ssip",
        expect="above",
        value=0.2,
        citation="A",
    )
    parts = [
        Quantity(name=f"speciation.cation.{c}", value=v, stderr=0.01, unit="1")
        for c, v in (("free", 0.15), ("ssip", 0.25))
    ]
    row = judge(reference, *parts)
    assert row.quantity is not None
    assert row.quantity.value == pytest.approx(0.4)
    assert row.quantity.stderr == pytest.approx(0.02)
    assert row.tone == "good"
    low = [Quantity(name=q.name, value=0.02, stderr=0.01, unit="1") for q in parts]
    assert judge(reference, *low).tone == "bad"
    assert judge(reference, parts[0]).tone == "open"


def test_a_lower_bound_meets_an_above_but_not_a_below():
    bound = Quantity(
        name="residence.Mg-DME", value=50.0, stderr=None, unit="ns", status="bound", bound="lower"
    )
    above, below = (
        Reference(name=bound.name, expect=e, value=v, unit="ns", citation="A")
        for e, v in (("above", 10.0), ("below", 100.0))
    )
    assert judge(above, bound).tone == "good"
    assert judge(below, bound).tone == "open"
    value = Reference(name=bound.name, value=50.0, stderr=5.0, unit="ns", citation="A")
    assert judge(value, bound).tone == "open"


def test_shipped_values_of_mg_tfsi2_dme(quantities):
    experiment = load_experiment(find_system("mg-tfsi2-dme").with_name("experiment.toml"))
    assert experiment.system == "mg-tfsi2-dme"
    assert all(v.doi for v in experiment.values if v.judged)
    rows = {r.reference.name: r for r in compare(quantities, experiment, temperature=298.15)}
    assert rows["shell.Mg(DME)3"].tone == "open"  # frozen shells are no agreement
    assert rows["density"].tone == "none"
    assert not any(r.tone == "good" for r in rows.values())


def test_shipped_values_are_met_by_a_converged_run():
    experiment = load_experiment(find_system("mg-tfsi2-dme").with_name("experiment.toml"))
    good = [
        *shells(0.8, 0.2),
        Quantity(name="coordination.Mg.total", value=5.95, stderr=0.02, unit="1"),
        Quantity(name="speciation.cation.free", value=0.5, stderr=0.02, unit="1"),
        Quantity(name="speciation.cation.ssip", value=0.3, stderr=0.02, unit="1"),
    ]
    rows = compare(good, experiment, temperature=298.15)
    assert sum(r.tone == "good" for r in rows) == 3


def test_a_z_score_has_both_errors():
    row = judge(measured(stderr=0.004), density(1.02, 0.003))
    assert row.sigma == pytest.approx(0.005)
    assert judge(measured(stderr=0.004), density(1.02, None)).z is None
    assert "this run gives no error" in judge(measured(stderr=0.1), density(1.02, None)).verdict
    assert judge(measured(), density()).z is None
    assert judge(measured(stderr=0.0), density(1.02, 0.0)).z is None


def test_an_error_that_agrees_with_anything_is_no_agreement():
    row = judge(measured(stderr=0.1), density(1.6, 0.6))
    assert row.tone == "open"
    assert "cannot tell" in row.verdict
    assert judge(measured(stderr=0.1), density(5.0, 0.6)).tone == "bad"


@pytest.mark.parametrize(
    ("value", "error", "tone", "words"),
    [
        (2.5, 0.1, "good", "agrees within a factor of 3"),
        (0.4, 0.01, "good", "agrees within a factor of 3"),
        (3.05, 0.1, "open", "within its error"),
        (4.0, 0.1, "bad", "4 times larger"),
        (0.1, 0.01, "bad", "10 times smaller"),
    ],
)
def test_a_factor(value, error, tone, words):
    row = judge(measured(factor=3.0), density(value, error))
    assert (row.tone, words in row.verdict) == (tone, True)
    late = judge(measured(factor=3.0), density(value, error, status="not_converged"))
    assert late.tone == "open"


@pytest.mark.parametrize(
    ("side", "value", "tone"),
    [
        ("lower", 50.0, "open"),
        ("lower", 90.0, "bad"),
        ("upper", 90.0, "open"),
        ("upper", 10.0, "bad"),
    ],
)
def test_a_bound_can_rule_a_value_out_but_confirms_none(side, value, tone):
    ours = Quantity(name="residence.Mg-DME", value=value, stderr=None, unit="ns", status="bound",
                    bound=side)  # fmt: skip
    theirs = Reference(name=ours.name, value=60.0, stderr=5.0, unit="ns", citation="A")
    assert judge(theirs, ours).tone == tone


def test_a_shell_that_never_occurred_is_not_missing():
    rows = [Quantity(name="shell.Mg(DME)2(TFSI)1", value=1.0, stderr=0.0, unit="1")]
    assert judge(DOMINANT, *rows).tone == "bad"
    late = [Quantity(name=rows[0].name, value=1.0, stderr=0.0, unit="1", status="not_converged")]
    assert judge(DOMINANT, *late).tone == "open"
    assert "no such number" in judge(DOMINANT).verdict
    other = [Quantity(name="shell.Ca(DME)4", value=1.0, stderr=0.0, unit="1")]
    assert "no such number" in judge(DOMINANT, *other).verdict


def test_shells_of_another_cation_are_no_rivals():
    other = Quantity(name="shell.Ca(DME)4", value=0.95, stderr=0.01, unit="1")
    assert judge(DOMINANT, *shells(0.8, 0.2), other).tone == "good"


numbers = st.floats(-1e3, 1e3)
errors = st.one_of(st.none(), st.floats(0, 1e3))
references = st.builds(
    lambda expect, value, stderr, tolerance, factor: Reference(
        name="shell.Mg(DME)3", expect=expect, value=None if expect == "dominant" else value,
        stderr=stderr, tolerance=tolerance, factor=factor, citation="A",
    ),
    st.sampled_from(["value", "above", "below", "dominant"]),
    numbers, errors, errors, st.one_of(st.none(), st.floats(1.01, 10)),
)  # fmt: skip
ours = st.builds(
    lambda value, stderr, status, bound: Quantity(
        name="shell.Mg(DME)3", value=value, stderr=stderr, unit="1", status=status,
        bound=bound if status == "bound" else None,
    ),
    numbers, errors, st.sampled_from(["ok", "bound", "not_converged"]),
    st.sampled_from(["lower", "upper"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(references, ours, ours)
def test_only_what_is_converged_is_ever_judged(reference, quantity, rival):
    others = [replace(rival, name="shell.Mg(DME)2")]
    row = judge(reference, quantity, *others)
    if quantity.status == "not_converged":
        assert row.tone == "open"
        assert "agree" not in row.verdict
        assert "met" not in row.verdict
        assert row.z is None
    if quantity.status == "bound" and reference.expect == "value":
        assert row.tone != "good"
    if row.z is not None and reference.stderr is not None and quantity.stderr is not None:
        assert row.sigma == pytest.approx(math.hypot(reference.stderr, quantity.stderr))
        assert row.difference == pytest.approx((quantity.value or 0) - (reference.value or 0))
        if row.tone == "good":
            assert abs(row.z) <= 2


def test_a_class_and_the_rest_of_the_ions_have_one_error():
    """Contact pairs and aggregates trade places; that nobody is free is known better."""
    values = {"free": (0.0, 0.03), "ssip": (0.0, 0.02), "cip": (0.4, 0.4), "agg": (0.6, 0.4)}
    table = {
        f"speciation.cation.{name}": Quantity(
            name=f"speciation.cation.{name}", value=value, stderr=stderr, unit="1"
        )
        for name, (value, stderr) in values.items()
    }
    paired = find_quantity("speciation.cation.cip + speciation.cation.agg", table)
    assert paired is not None
    assert (paired.value, paired.stderr) == (pytest.approx(1.0), pytest.approx(0.05))
    del table["speciation.cation.free"]
    paired = find_quantity("speciation.cation.cip + speciation.cation.agg", table)
    assert paired is not None
    assert paired.stderr == pytest.approx(0.8)
