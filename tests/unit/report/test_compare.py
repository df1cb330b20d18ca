from __future__ import annotations

from pathlib import Path

import pytest

from solvation.errors import RecipeError
from solvation.library import find_system
from solvation.report.compare import Experiment, Reference, compare, load_experiment
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


HEAD = 'system = "x"\n[[value]]\nname = "density"\nvalue = 1.0\nunit = "g/cm3"\ncitation = "A"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + 'citatoin = "B"\n', "did you mean 'citation'"),
        ('systm = "x"\n', "did you mean 'system'"),
        (HEAD + 'kind = "guess"\n', "use one of experiment"),
        (HEAD.replace("value = 1.0", 'value = "1.0"'), "not a finite number"),
        (HEAD.replace("value = 1.0", "value = nan"), "not a finite number"),
        (HEAD.replace("value = 1.0\n", ""), "needs a value"),
        (HEAD.replace("g/cm3", "g/cmm3"), "not known"),
        (HEAD.replace('citation = "A"', ""), "citation"),
        (HEAD + "temperature = 298.0\n", "no unit"),
        ("system = ", "cannot read"),
    ],
)
def test_mistakes_in_the_file_are_refused(tmp_path: Path, text, message):
    path = tmp_path / "experiment.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_experiment(path)


def test_absent_file_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match="cannot read"):
        load_experiment(tmp_path / "none.toml")


def test_shipped_values_of_mg_tfsi2_dme(quantities):
    experiment = load_experiment(find_system("mg-tfsi2-dme").with_name("experiment.toml"))
    assert experiment.system == "mg-tfsi2-dme"
    assert all(v.doi for v in experiment.values)
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
