"""Panel: one set of axes, and its way onto the page as a piece of inline SVG.

Plots are drawn without pyplot (no global state) and in ink that follows the page: text and axes
take the colour of the text around them, light or dark.
"""

from __future__ import annotations

import io
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from solvation.report.look import SIZE, STYLE, clean_plot

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

__all__ = ["start_panel", "styled", "write_panel"]

P = ParamSpec("P")


def styled(draw: Callable[P, str]) -> Callable[P, str]:
    """Run a drawing function in the report's style, and leave no trace of it."""

    @wraps(draw)
    def run(*args: P.args, **kwargs: P.kwargs) -> str:
        from matplotlib import rc_context

        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return run


def start_panel(*, taller: float = 1.0) -> Axes:
    """Make empty axes, `taller` times as high as usual."""
    from matplotlib.figure import Figure

    return Figure(figsize=(SIZE[0], SIZE[1] * taller), layout="constrained").add_subplot()


def write_panel(axes: Axes, key: str, title: str) -> str:
    """Write axes as inline SVG.

    Parameters
    ----------
    axes
        Of `start_panel`.
    key
        Prefix of every id, unique on the page.
    title
        What a screen reader says.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure: Any = axes.figure
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    # With a layout engine it would be drawn twice: once for the layout, which is made here.
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return clean_plot(buffer.getvalue(), key, title)
