"""Make every picture of README and documentation, and what its example prints: ``make figures``.

What is needed is run first, tutorials and examples (an hour on a laptop), and is kept in
``runs/``, so that a second call only draws. The picture of the report is taken with Chromium.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import solvation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"

COLOR = {
    "Mg": "#2f7fb8",
    "Ca": "#e08a00",
    "Li": "#b86fa3",
    "Zn": "#1f9e78",
    "TFSI": "#d1552b",
    "DME": "#7a8a99",
}
"""One colour per species in every picture: Okabe and Ito's, as in the report."""

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


SMALL = ["box.cations=3", "protocol.production_time=30 ps"]


def run_first() -> solvation.Run:
    """The run of the first tutorial: 0.5 mol/L Mg(TFSI)2 in DME, from separated ions."""
    recipe = solvation.load_recipe("mg-tfsi2-dme", settings=SMALL)
    return solvation.run(recipe, ROOT / "runs/first", profile="quick")


def run_starts() -> solvation.Run:
    """The run of the second: the same from both starts."""
    both = 'protocol.starts=["separated","contact"]'
    recipe = solvation.load_recipe("mg-tfsi2-dme", settings=[*SMALL, both])
    return solvation.run(recipe, ROOT / "runs/two-starts", profile="quick", replicas=2)


def draw_shells(axes: Axes, run: solvation.Run) -> None:
    """First shells of Mg by start, those above 5 % of either."""
    node = run.results["agreement"].to_dataset()
    names = [str(n) for n in node["quantity"].values if str(n).startswith("shell.")]
    share = node["value"].sel(quantity=names)
    error = node["value_stderr"].sel(quantity=names)
    keep = np.flatnonzero(share.max("start").values > 0.05)
    order = keep[np.argsort(-share.isel(quantity=keep).max("start").values)][:6]
    place = np.arange(len(order), dtype=float)
    labels = []
    for k, (start, hatch) in enumerate((("separated", None), ("contact", "////"))):
        height = share.isel(quantity=order).sel(start=start).values
        spread = error.isel(quantity=order).sel(start=start).values
        axes.bar(
            place + (k - 0.5) * 0.4, height, 0.38, yerr=spread, capsize=2, hatch=hatch,
            color=COLOR["Mg"] if k == 0 else "white", edgecolor=COLOR["Mg"],
            error_kw={"lw": 0.9}, label=f"from {start} ions" if k == 0 else "from contact pairs",
        )  # fmt: skip
    for index in order:
        labels.append(names[index].removeprefix("shell.").replace(")(", ")\n("))
    axes.set_xticks(place, labels, fontsize=7)
    axes.set_ylim(0, 1.45)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("fraction of Mg")
    axes.set_title("who is in the first shell")
    axes.legend()


def draw_bounds(axes: Axes, run: solvation.Run) -> None:
    """Residence times: 95 % intervals, or an arrow from the lower bound."""
    node = run.results["residence"].to_dataset()
    pairs = [str(p) for p in node["pair"].values]
    span = float(run.results.attrs["time_total"]) / run.results.attrs["n_replicas"] / 1000
    for k, pair in enumerate(pairs):
        low, high = (float(node[x].sel(pair=pair)) for x in ("low", "high"))
        color = COLOR[pair.partition("-")[2]]
        events = int(node["n_events"].sel(pair=pair))
        if np.isfinite(high):
            axes.plot([low, high], [k, k], color=color, lw=3)
            axes.plot(float(node["residence_time"].sel(pair=pair)), k, "o", color=color)
        else:
            axes.annotate(
                "", (low * 6, k), (low, k),
                arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2.5, "shrinkA": 0},
            )  # fmt: skip
            axes.plot(low, k, "|", color=color, ms=12, mew=3)
        axes.annotate(
            f"{events} exchanges", (low, k), (0, 9), textcoords="offset points", fontsize=8
        )
    axes.axvline(span, color="0.5", ls="--", lw=1)
    axes.annotate("length of the run", (span, -0.45), (-4, 0), textcoords="offset points",
                  fontsize=8, color="0.4", rotation=90, ha="right", va="bottom")  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(span / 4, 9 * float(node["low"].max()))
    axes.set_ylim(-0.5, len(pairs) - 0.3)
    axes.set_yticks(range(len(pairs)), [p.replace("-", "–") for p in pairs])
    axes.set_xlabel("residence time (ns)")
    axes.set_title("how long it stays")


def draw_two_starts(run: solvation.Run, path: Path) -> None:
    """Shells by start, and bounds on the residence times."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=(1.5, 1))
        draw_shells(left, run)
        draw_bounds(right, run)
        figure.savefig(path)
        plt.close(figure)


def draw_first_shell(run: solvation.Run, path: Path) -> None:
    """Draw g(r) of cation and ether oxygen, its running number, the cutoff and its plateau."""
    import matplotlib.pyplot as plt

    node = run.results["rdf"].to_dataset().sel(pair="Mg-DME.O")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5, 3))
        axes.fill_between(
            node.r, node.g - node.g_stderr, node.g + node.g_stderr, color=COLOR["Mg"], alpha=0.3
        )
        axes.plot(node.r, node.g, color=COLOR["Mg"])
        axes.axvspan(float(node.cutoff_low), float(node.cutoff_high), color="0.9", lw=0)
        axes.axvline(float(node.cutoff), color="0.3", ls="--", lw=1)
        axes.set(xlim=(1.5, 7), xlabel="r (Å)", ylabel="g(r), Mg–O of DME")
        twin = axes.twinx()
        twin.plot(node.r, node.running, color="0.3", lw=1.2)
        twin.spines["right"].set_visible(True)
        twin.set(ylim=(0, 18), ylabel="oxygens within r")
        figure.savefig(path)
        plt.close(figure)


def take_picture(page: Path, path: Path) -> None:
    """Photograph a page in Chromium without a network."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"no Chromium on PATH; {path.name} is as it was")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000",
                "--force-device-scale-factor=1.5", "--window-size=1100,1150",
                f"--user-data-dir={profile}", f"--screenshot={path}", page.resolve().as_uri(),
            ],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip


def write_output(page: Path) -> None:
    """Run the Python example of the README and put what it prints below it."""
    text = page.read_text(encoding="utf-8")
    example = re.search(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", text, re.M | re.S)
    assert example is not None, "the README has no example with its output"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(example[1], page.name, "exec"), {"__name__": "__main__"})
    page.write_text(text.replace(example[2], said.getvalue(), 1), encoding="utf-8")


def main() -> None:
    """Make them all."""
    os.chdir(ROOT)
    os.environ.setdefault("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt

    IMAGES.mkdir(exist_ok=True)
    first, starts = run_first(), run_starts()
    draw_first_shell(first, IMAGES / "first-shell.png")
    draw_two_starts(starts, IMAGES / "two-starts.png")
    for name in ("long-enough", "who-pairs"):  # made by the examples of that name
        with plt.rc_context(STYLE):
            runpy.run_path(str(ROOT / f"examples/{name.replace('-', '_')}.py"), run_name="__main__")
        shutil.copy(ROOT / f"runs/examples/{name}/{name}.png", IMAGES / f"{name}.png")
    write_output(ROOT / "README.md")
    take_picture(first.report, IMAGES / "report.png")


if __name__ == "__main__":
    main()
