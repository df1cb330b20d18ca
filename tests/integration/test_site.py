"""The site of the documentation: it builds without a network and warnings, and fits a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    None,
)
WIDTHS = (390, 1280)
"""A phone and a desktop, in CSS pixels."""

LOOK = """<!doctype html><meta charset="utf-8"><body><script>
const pages = PAGES, widths = WIDTHS, found = [];
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.src = page;
  await new Promise(done => { frame.onload = done; document.body.append(frame); });
  await new Promise(done => setTimeout(done, 300));
  const inside = frame.contentDocument, root = inside.documentElement;
  const images = [...inside.images].filter(i => i.complete && i.naturalWidth === 0);
  const foreign = [...inside.querySelectorAll("script[src],link[href],img[src]")]
    .map(e => e.src || e.href).filter(u => /^https?:/.test(u));
  const wide = root.scrollWidth > width + 1 ? [...inside.querySelectorAll("article *")]
    .filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest(".table-wrapper, pre"))
    .slice(0, 3).map(e => e.tagName + ": " + e.textContent.slice(0, 60)) : [];
  found.push({page, width, scroll: root.scrollWidth, wide, broken: images.map(i => i.src), foreign,
              title: inside.title});
  frame.remove();
}
(async () => {
  for (const page of pages) for (const width of widths) await look(page, width);
  const result = document.createElement("pre");
  result.id = "found"; result.textContent = JSON.stringify(found);
  document.body.append(result);
})();
</script>"""


def look_at(site: Path, profile: Path) -> list[dict[str, object]]:
    """Open every page of a built site at every width; say what is too wide, broken or foreign."""
    assert BROWSER is not None
    pages = [p.as_uri() for p in sorted(site.rglob("*.html"))]
    outer = profile / "look.html"
    text = LOOK.replace("PAGES", json.dumps(pages), 1).replace("WIDTHS", json.dumps(WIDTHS), 1)
    outer.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
            "--window-size=1400,1000", "--virtual-time-budget=600000",
            f"--user-data-dir={profile / 'chromium'}", "--dump-dom", outer.as_uri(),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert match, "the pages were not looked at"
    from html import unescape

    found: list[dict[str, object]] = json.loads(unescape(match[1]))
    assert len(found) == len(pages) * len(WIDTHS)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("sphinx") is None or find_spec("furo") is None:
        pytest.skip('the site needs pip install "solvation[docs]"')
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q",
         str(ROOT / "docs"), str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_there(site: Path) -> None:
    built = {p.relative_to(site).with_suffix("").as_posix() for p in site.rglob("*.html")}
    written = {
        p.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for p in (ROOT / "docs").rglob("*.md")
        if "_build" not in p.parts
    }
    assert not written - built


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH to open the pages with")
def test_pages_fit_a_phone_and_need_no_network(site: Path, tmp_path: Path) -> None:
    for seen in look_at(site, tmp_path):
        where = f"{seen['page']} at {seen['width']} px"
        assert not seen["broken"], f"{where}: broken pictures {seen['broken']}"
        assert not seen["foreign"], f"{where}: asks the network for {seen['foreign']}"
        assert not seen["wide"], f"{where}: wider than the screen: {seen['wide']}"
