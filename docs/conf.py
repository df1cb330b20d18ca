"""How the documentation is built: ``make docs``, without a network, warnings are errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from sphinx.ext.napoleon import NumpyDocstring  # noqa: E402

import solvation  # noqa: E402 (the checkout's own)


def read_whole(docstring: NumpyDocstring) -> list[str]:
    """Read the docstring under a field as text, also when it has a colon."""
    return docstring._consume_to_end()


NumpyDocstring._parse_attribute_docstring = read_whole  # type: ignore[method-assign]

project = "solvation"
author = "The solvation developers"
copyright = "The solvation developers"
version = release = solvation.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "repository",
    "reference",
]
exclude_patterns = ["_build", "_ext", "_static", "figures", "requirements.lock"]
nitpicky = False
# Two modules may have a type of the same name; its link is then left out.
suppress_warnings = ["ref.python"]
default_role = "code"

# Pages: Markdown as GitHub shows it, with mathematics between dollars and anchors at headings.
myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

# Docstrings: numpy's layout, in the order of the source.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_type_aliases = {name: name for name in ("Floats", "Ints", "Bools", "ArrayLike", "NDArray")}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False

# Nothing comes from a network: letters are the reader's own, formulas are drawn by a file here.
mathjax_path = "tex-svg.js"
html_theme = "furo"
html_title = "solvation"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d6396",
        "color-brand-content": "#1d6396",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7fb8e0",
        "color-brand-content": "#7fb8e0",
    },
    "footer_icons": [],
}
pygments_style = "friendly"
pygments_dark_style = "native"
copybutton_exclude = ".linenos, .gp, .go"
