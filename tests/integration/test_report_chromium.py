"""The page in a real browser without a network: every section there, nothing in the console."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from solvation.experiment import load_experiment
from solvation.library import find_system
from solvation.report.page import SECTIONS, write_report

BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    None,
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH to open the page with")

CONSOLE = re.compile(r":CONSOLE[:(]|Uncaught|SyntaxError|Refused to|net::ERR")


class Ids(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.ids |= {v for k, v in attrs if k == "id"}


def browse(page: Path, *flags: str, profile: Path) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    return subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
            "--enable-logging=stderr", "--v=0", "--window-size=1280,3000",
            "--virtual-time-budget=4000", f"--user-data-dir={profile}", *flags, page.as_uri(),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    made = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "report" / "made_results.py"))
    return write_report(
        tmp_path_factory.mktemp("page") / "report.html",
        tree=made["make_tree"](),
        document={"recipe": "mg-tfsi2-dme"},
        quantities=made["make_quantities"](),
        manifest=made["MANIFEST"],
        recipe_text=made["RECIPE"],
        experiment=load_experiment(find_system("mg-tfsi2-dme").with_name("experiment.toml")),
        title="0.5 M Mg(TFSI)2 in DME",
    )


def test_every_section_is_shown_and_the_console_is_silent(page, tmp_path):
    done = browse(page, "--dump-dom", profile=tmp_path)
    assert set(SECTIONS) <= Ids(done.stdout).ids, done.stderr
    assert not [line for line in done.stderr.splitlines() if CONSOLE.search(line)]
    # the viewers ran: every canvas was given its size
    canvases = re.findall(r"<canvas[^>]*>", done.stdout)
    assert len(canvases) >= 8
    assert all(re.search(r'\bwidth="\d+"', c) for c in canvases)


def test_a_broken_script_would_be_noticed(page, tmp_path):
    broken = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8")
    broken.write_text(text.replace('"use strict";', '"use strict"; null.x;', 1), encoding="utf-8")
    done = browse(broken, "--dump-dom", profile=tmp_path / "profile")
    assert [line for line in done.stderr.splitlines() if CONSOLE.search(line)]


def test_molecules_are_really_drawn(page, tmp_path):
    from matplotlib.image import imread

    picture = tmp_path / "page.png"
    done = browse(page, f"--screenshot={picture}", profile=tmp_path / "profile")
    assert picture.exists(), done.stderr
    pixels = imread(picture)[:1800, :, :3]  # the key numbers and the box
    red, green, blue = (pixels[..., k] for k in range(3))
    magnesium = (green > red + 0.2) & (green > blue + 0.1)
    oxygen = (red > green + 0.4) & (red > blue + 0.4)
    assert magnesium.sum() > 1000
    assert oxygen.sum() > 1000
