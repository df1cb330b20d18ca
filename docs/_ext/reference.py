"""Directives that put what `drawn` reads from the program into a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import drawn
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["setup"]

PAGES: dict[str, Callable[..., str]] = {
    "recipe-keys": drawn.draw_keys,
    "commands": drawn.draw_commands,
    "result-arrays": drawn.draw_arrays,
    "error-tree": drawn.draw_errors,
    "public-names": drawn.draw_public,
    "modules-of": drawn.draw_modules,
}
"""What each directive draws; ``modules-of`` takes the name of a package."""


class Drawn(SphinxDirective):
    """Stands for Markdown that a function of `drawn` writes."""

    optional_arguments: ClassVar[int] = 1  # type: ignore[misc]

    def run(self) -> list[nodes.Node]:
        """Draw, and parse what was drawn as a part of this page."""
        self.env.note_reread()  # the program may have changed although the page has not
        text = PAGES[self.name](*self.arguments)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    for name in PAGES:
        app.add_directive(name, Drawn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
