"""Runs side by side: aligned whatever the cation, and never called settled when they are not."""

from __future__ import annotations

import csv
import io
import re

import pytest

from solvation.experiment import Experiment, Reference
from solvation.report.compare import compare
from solvation.report.lineup import (
    Entry,
    align_quantities,
    describe_trend,
    render_lineup,
    write_experiment_csv,
    write_quantity_csv,
)
from solvation.results import Quantity


def make(cation: str, paired: float, *, error: float = 0.01, status: str = "ok") -> Entry:
    """A run with a few numbers."""
    rows = [
        ("density", 1.0 + paired / 10, "g/cm3"),
        (f"concentration.{cation}(TFSI)2", 0.4, "mol/L"),
        (f"coordination.{cation}.total", 6.0, "1"),
        (f"rdf.{cation}-G2.O.first_peak", 2.1, "Å"),
        ("speciation.cation.free", 0.0, "1"),
        ("speciation.cation.ssip", 1 - paired, "1"),
        ("speciation.cation.cip", paired, "1"),
        ("speciation.cation.agg", 0.0, "1"),
        (f"species.[{cation}TFSI]+", paired, "1"),
        (f"shell.{cation}(G2)2", 1 - paired, "1"),
        (f"shell.{cation}(G2)1(TFSI)1", 0.001, "1"),
        (f"diffusion.{cation}", 1e-10, "m2/s"),
        ("diffusion.TFSI", 2e-10, "m2/s"),
        ("conductivity.einstein", 2.0 + 50 * paired, "mS/cm"),
    ]
    quantities = [
        Quantity(name=n, value=v, stderr=0.1 * v if u == "m2/s" else error, unit=u, status=status)  # type: ignore[arg-type]
        for n, v, u in rows
    ]
    known = Experiment(
        system="x",
        values=(Reference(name="conductivity.einstein", value=4.0, factor=3.0, unit="mS/cm",
                          citation="Nobody <2024>", conditions="a & b"),),
    )  # fmt: skip
    return Entry(
        label=f"{cation.lower()}-tfsi2-g2",
        title=f"0.4 M {cation}(TFSI)2 in G2",
        facts={"Force field": "opls-clp", "Production": "2 x 1 ns"},
        quantities=quantities,
        compared=compare(quantities, known),
    )


def test_rows_are_shared_whatever_the_cation() -> None:
    rows = align_quantities([make("Mg", 0.5), make("Ca", 0.7)])
    assert all(None not in found for found in rows.values())
    assert {"coordination.M.total", "rdf.M-G2.O.first_peak", "species.[MTFSI]+", "shell.M(G2)2",
            "diffusion.M", "diffusion.TFSI", "concentration.salt"} <= set(rows)  # fmt: skip
    first, second = rows["coordination.M.total"]
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("coordination.Mg.total", "coordination.Ca.total")


def test_equal_cations_keep_their_name() -> None:
    rows = align_quantities([make("Mg", 0.5), make("Mg", 0.7)])
    assert "coordination.Mg.total" in rows


def test_a_cation_is_not_found_inside_another_name() -> None:
    """K is not the K of anything, and Mg not that of a longer symbol."""
    extra = Quantity(name="diffusion.KTFSI", value=1.0, stderr=0.1, unit="m2/s")
    entry = make("K", 0.1)
    odd = Entry(label="k", title="k", facts={}, quantities=[*entry.quantities, extra])
    assert "diffusion.M" in align_quantities([odd, make("Ca", 0.2)])


def test_organic_cations_are_not_what_rows_are_aligned_by() -> None:
    extra = Quantity(name="coordination.EMIM.total", value=0.1, stderr=0.1, unit="1")
    entry = make("Ca", 0.1)
    liquid = Entry(label="il", title="il", facts={}, quantities=[*entry.quantities, extra])
    rows = align_quantities([liquid, make("Mg", 0.2)])
    assert None not in rows["coordination.M.total"]
    assert rows["coordination.EMIM.total"][1] is None


def test_the_trend_is_an_order_only_when_it_is_settled() -> None:
    tone, words = describe_trend([make("Li", 0.1), make("Mg", 0.5), make("Ca", 0.9)])
    assert tone == "good"
    assert [words.index(x) for x in ("ca-tfsi2", "mg-tfsi2", "li-tfsi2")] == sorted(
        words.index(x) for x in ("ca-tfsi2", "mg-tfsi2", "li-tfsi2")
    )
    tone, words = describe_trend([make("Mg", 0.5, error=0.2), make("Ca", 0.7, error=0.2)])
    assert tone == "part"
    assert "Within their errors: ca-tfsi2-g2 and mg-tfsi2-g2" in words
    tone, words = describe_trend([make("Mg", 0.1), make("Ca", 0.9, status="not_converged")])
    assert tone == "part"
    assert "not settled: not converged in ca-tfsi2-g2" in words
    assert describe_trend([make("Mg", 0.1)]) == ("part", "")


def test_no_number_is_lost_in_the_csv() -> None:
    entries = [make("Mg", 0.5), make("Ca", 0.7)]
    rows = list(csv.DictReader(io.StringIO(write_quantity_csv(entries))))
    assert len(rows) == sum(len(entry.quantities) for entry in entries)
    for entry in entries:
        for quantity in entry.quantities:
            (row,) = [r for r in rows if (r["run"], r["quantity"]) == (entry.label, quantity.name)]
            assert float(row["value"]) == quantity.value
            assert float(row["stderr"]) == quantity.stderr
    judged = list(csv.DictReader(io.StringIO(write_experiment_csv(entries))))
    assert [row["run"] for row in judged] == [entry.label for entry in entries]
    assert judged[1]["verdict"] == entries[1].compared[0].verdict
    assert float(judged[0]["difference"]) == pytest.approx(23.0)


def test_the_page_is_whole_and_needs_no_network() -> None:
    page = render_lineup([make("Mg", 0.5), make("Ca", 0.7)], title="A & <b>", made="x")
    assert "A &amp; &lt;b&gt;" in page
    assert "Nobody &lt;2024&gt;" in page
    assert page.count("<svg") >= 6
    assert not re.findall(r'(?:src|href)="(?!#|data:|https://doi\.org/)', page)
    assert "<script" not in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "2.7 × 10" not in page  # the rare shell is in the CSV only
    assert "Shell M(G2)(TFSI)" not in page


def test_doubt_is_shown_beside_every_number() -> None:
    page = render_lineup(
        [make("Mg", 0.5, status="not_converged"), make("Ca", 0.7)], title="x", made="x"
    )
    assert page.count("badge not_converged") >= 10
    assert "The order is not settled" in page
