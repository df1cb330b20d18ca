from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
import xarray as xr

from solvation.errors import WorkspaceError
from solvation.experiment import load_experiment
from solvation.library import find_system
from solvation.report.page import SECTIONS, render_report, write_report
from solvation.report.table import Notes, list_key_numbers, list_unsettled
from solvation.results import Quantity

from .made_results import RECIPE

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Ids, text and tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        self.links += [v for k, v in attrs if k in ("src", "href") and v]

    def handle_startendtag(self, tag, attrs):
        self.ids += [v for k, v in attrs if k == "id"]

    def handle_endtag(self, tag):
        assert self.open[-1] == tag, f"{tag} closes {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def everything(tree, quantities, manifest) -> dict[str, Any]:
    return {
        "tree": tree,
        "document": {"schema": 1, "recipe": "mg-tfsi2-dme"},
        "quantities": quantities,
        "manifest": manifest,
        "recipe_text": RECIPE,
        "experiment": load_experiment(find_system("mg-tfsi2-dme").with_name("experiment.toml")),
        "title": "0.5 M Mg(TFSI)2 in DME",
    }


@pytest.fixture(scope="module")
def page(everything) -> str:
    return render_report(**everything)


def test_page_is_sound_html_with_every_section(page):
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert set(SECTIONS) <= set(outline.ids)
    for link in outline.links:
        assert link.startswith(("#", "https://doi.org/", "data:")), link
        if link.startswith("#"):
            assert link[1:] in outline.ids


def test_page_needs_no_network(page):
    assert not re.search(r"<(script|img|iframe|link)[^>]+(src|href)=[\"'](?!data:)", page)
    assert "url(http" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert len(page) < 6_000_000


def test_page_says_the_numbers_and_their_states(page, quantities):
    text = Outline(page).text
    assert "1.021 ± 0.003" in text
    assert "(1.90 ± 0.23) × 10⁻¹⁰" in text
    assert "not converged" in text
    assert "> 1.56" in text
    assert "Mg(DME)₃" in text
    for q in quantities:
        assert q.name in text  # all numbers, by their names
        for part in (q.note or "").split("; "):
            assert part in text


def test_page_tells_how_to_repeat_the_run(page, manifest):
    text = Outline(page).text
    assert manifest["command"] in text
    assert RECIPE.strip() in text
    for name, version in manifest["versions"].items():
        assert name in text
        assert version in text
    assert "4 min 51 s" in text
    assert "0.5 mol/L" in text
    assert "0.4730 ± 0.0010 mol/L" in text
    assert "scaled by 0.7262 (1/n of the solvent)" in text


def test_page_compares_with_sources(page):
    outline = Outline(page)
    assert "https://doi.org/10.1021/acs.jpcc.6b07733" in outline.links
    assert "not converged; most frequent so far" in outline.text


def test_nothing_in_the_page_comes_unescaped(tree, quantities, manifest):
    evil = '</script><script>alert("x")</script>'
    text = render_report(
        tree=tree,
        document={"recipe": evil},
        quantities=[*quantities, Quantity(name=evil, value=1.0, stderr=None, unit="1", note=evil)],
        manifest={**manifest, "command": evil},
        recipe_text=evil,
        title=evil,
    )
    assert evil not in text
    assert Outline(text).open == []


def test_external_trajectory_has_a_page_too(tree, quantities):
    nodes = {n: c.to_dataset() for n, c in tree.children.items() if n != "thermo"}
    root = xr.Dataset(attrs={**tree.attrs, "kind": "trajectory", "temperature": float("nan")})
    root.attrs.pop("charge_scale")
    outside = xr.DataTree.from_dict({"/": root, **nodes})
    text = render_report(
        tree=outside, document={"recipe": "traj"}, quantities=quantities, title="T"
    )
    outline = Outline(text)
    assert set(SECTIONS) <= set(outline.ids)
    assert "No log came with this trajectory" in outline.text
    assert "made by another program" in outline.text
    assert "No values from elsewhere are known" in outline.text


def test_least_results_still_make_a_page():
    outline = Outline(
        render_report(tree=xr.DataTree(), document={"recipe": "x"}, quantities=(), title="x")
    )
    assert set(SECTIONS) <= set(outline.ids)


def test_same_results_same_bytes_and_one_file(tmp_path, everything, page):
    path = write_report(tmp_path / "report.html", **everything)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == page


def test_unwritable_folder_is_one_line(tmp_path):
    path = tmp_path / "absent" / "report.html"
    with pytest.raises(WorkspaceError, match="choose another folder with -o"):
        write_report(path, tree=xr.DataTree(), document={}, quantities=(), title="x")


def test_key_numbers_are_few_and_ordered(quantities):
    names = [row["name"] for row in list_key_numbers(quantities, Notes())]
    assert names[0] == "density"
    assert sum(n.startswith("shell.") for n in names) == 3
    assert "rdf.Mg-TFSI.N.first_peak" not in names  # undefined


def test_equal_notes_share_a_letter():
    notes = Notes()
    assert [notes.mark(t) for t in ("x", "y", "x; z", None)] == ["a", "b", "a, c", ""]
    assert notes.items() == [("a", "x"), ("b", "y"), ("c", "z")]
    assert notes.letter(27) == "ab"


def test_every_doubtful_number_is_listed(quantities):
    upper = Quantity(name="x", value=1.0, stderr=None, unit="1", status="bound", bound="upper")
    words = [g["why"] for g in list_unsettled([*quantities, upper])]
    assert sum("larger" in w for w in words) == sum("smaller" in w for w in words) == 1
    groups = list_unsettled(quantities)
    assert [g["status"] for g in groups] == ["not_converged", "bound", "undefined"]
    members = [m for g in groups for rows in g["reasons"].values() for m in rows]
    assert len(members) == sum(q.status != "ok" for q in quantities)
