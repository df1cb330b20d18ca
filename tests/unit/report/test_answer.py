from __future__ import annotations

from dataclasses import replace

from solvation.report.answer import find_cations, write_answer, write_convergence


def test_answer_speaks_of_the_numbers(quantities):
    text = " ".join(write_answer(quantities))
    assert find_cations(quantities) == ("Mg",)
    assert "Mg(DME)₃, around 73 ± 9 % of the Mg" in text
    assert "5.88 ± 0.05 donor atoms" in text
    assert "52 ± 6 % free" in text
    assert "not known from this run: 4.8 ± 1.6 mS/cm (" in text


def test_answer_follows_the_largest_shell(quantities):
    changed = [
        replace(q, value=0.9) if q.name == "shell.Mg(DME)2(TFSI)1" else q for q in quantities
    ]
    assert "Mg(DME)₂(TFSI), around" in write_answer(changed)[0]


def test_answer_leaves_out_what_is_missing(quantities):
    assert write_answer([]) == ()
    only = [q for q in quantities if q.name.startswith("conductivity")]
    assert len(write_answer(only)) == 1


def test_a_conductivity_is_named_only_when_it_is_steady(quantities):
    late = [q for q in quantities if q.name.startswith("conductivity")]
    (text,) = write_answer([replace(q, status="not_converged") for q in late])
    assert text.startswith("What it conducts is not known from this run")
    steady = [
        replace(q, status="ok" if q.name == "conductivity.einstein" else "not_converged")
        for q in late
    ]
    (text,) = write_answer(steady)
    assert text.startswith("The conductivity is ")
    assert text.index("(Einstein)") < text.index("; to compare, ")


def test_convergence_counts_and_names_frozen_pairs(quantities):
    tone, words = write_convergence(quantities)
    late = sum(q.status == "not_converged" for q in quantities)
    assert tone == "bad"
    assert f"{late} of " in words
    assert "No Mg–DME exchange" in words
    steady = [replace(q, status="ok", n_events=100) for q in quantities if q.value is not None]
    assert write_convergence(steady)[0] == "good"
    frozen = [replace(q, status="ok") if q.status == "not_converged" else q for q in quantities]
    tone, words = write_convergence(frozen)
    assert tone == "part"
    assert "frozen" in words
    assert write_convergence([])[0] == "bad"
