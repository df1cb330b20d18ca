"""What is around Mg2+ in DME? A quick run from Python, and its numbers checked at the end.

Takes some minutes on two cores; run it again and it continues, or only reads what is there.
"""

from __future__ import annotations

import sys

import solvation


def main() -> None:
    """Run, look, check."""
    run = solvation.run(
        solvation.load_recipe("mg-tfsi2-dme"),
        "runs/first-shell",
        profile="quick",
        progress=lambda event: print(f"\r{event.stage} {event.text:100}", end="", file=sys.stderr),
    )
    print()
    for name in ("density", "coordination.Mg.total", "shell.Mg(DME)3", "residence.Mg-DME"):
        quantity = run[name]
        print(f"{name:24} {quantity.text():24} {quantity.status}")

    g = run.results["rdf"]["g"].sel(pair="Mg-DME.O")
    peak = g[g.argmax("r")]
    print(f"highest g(r): {float(peak):.0f} at {float(peak.r):.2f} {g.r.attrs['units']}")

    # six oxygens of three DME near 2.1 Å; hardly a DME leaves, so populations stay unknown
    assert abs(run["coordination.Mg.total"].value - 6) < 0.3
    assert 2.0 < run["rdf.Mg-DME.O.first_peak"].value < 2.15
    assert run["residence.Mg-DME"].status in ("bound", "not_converged")
    assert run["shell.Mg(DME)3"].status == "not_converged"


if __name__ == "__main__":
    main()
