"""Pages whose text lies elsewhere in the repository, and links that lead out of ``docs/``.

``CONTRIBUTING.md`` and ``CHANGELOG.md`` are read where they are; links to them, and links in them
to pages under ``docs/``, are turned so that they work on GitHub and on the site. A section lists
its pages in ``index.md``: those whose order matters by name, all others by ``*``.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

ELSEWHERE = {"development/contributing": "CONTRIBUTING.md", "development/changes": "CHANGELOG.md"}
"""Files of the repository by the page that shows them."""


def read_elsewhere(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the text of a stand-in by that of its file, and turn links."""
    root = Path(app.srcdir).parent
    if page in ELSEWHERE:
        file = root / ELSEWHERE[page]
        app.env.note_dependency(str(file))
        source[0] = re.sub(r"\]\(docs/", "](/", file.read_text(encoding="utf-8"))
    for there, name in ELSEWHERE.items():
        source[0] = re.sub(rf"\]\((?:\.\./)*{re.escape(name)}", f"](/{there}.md", source[0])


def complete_order(app: Sphinx, page: str, source: list[str]) -> None:
    """Expand ``folder/*`` in an order of pages to those of the folder that it does not name."""

    def expand(match: re.Match[str]) -> str:
        folder, listed = match[3], match[2].split()
        home = (Path(app.srcdir) / page).parent / folder
        found = sorted(f"{folder}{file.stem}" for file in home.glob("*.md"))
        rest = [name for name in found if name not in (*listed, f"{folder}index")]
        return match[1] + match[2] + "".join(f"{name}\n" for name in rest)

    source[0] = re.sub(
        r"(```\{toctree\}\n(?::.*\n)*\n?)((?:[\w/.-]+\n)*)([\w/-]*)\*\n", expand, source[0]
    )


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put the program that draws formulas beside the pages."""
    if error is not None or app.builder.format != "html":
        return
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None or found.origin is None:
        raise RuntimeError('sphinx-mathjax-offline is not installed; pip install "solvation[docs]"')
    file = Path(found.origin).parent / "static" / "mathjax" / "tex-svg.js"
    shutil.copyfile(file, Path(app.outdir) / "_static" / file.name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", read_elsewhere)
    app.connect("source-read", complete_order)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
