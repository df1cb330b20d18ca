"""What building a box costs, step by step, from 1 000 atoms to 100 000.

    python benchmarks/bench_build.py [--recipe mg-tfsi2-dme] [--atoms 1000 3000 10000 30000 100000]

CPU time of this process and of Packmol, wall time, and the highest resident set so far.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from solvation.build import box
from solvation.recipe import load_recipe

STEPS = ("pack_box", "make_system", "audit_system", "save_prepared")


def read_clock() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def measure(function: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    def timed(*arguments: Any, **choices: Any) -> Any:
        before = read_clock()
        try:
            return function(*arguments, **choices)
        finally:
            spent[name] = read_clock() - before

    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mg-tfsi2-dme")
    parser.add_argument("--start", default="separated")
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 3000, 10000, 30000, 100000])
    chosen = parser.parse_args()
    originals = {name: getattr(box, name) for name in STEPS}
    print(
        "  atoms",
        *(f"{name:>13}" for name in STEPS),
        "    CPU s   ms/atom    wall s   peak GB",
        flush=True,
    )
    for atoms in chosen.atoms:
        settings = [f"box.atoms={atoms}", 'model.cutoff="8 angstrom"']
        recipe = load_recipe(chosen.recipe, settings=settings).resolve()
        spent: dict[str, float] = {}
        for name, function in originals.items():
            setattr(box, name, measure(function, spent, name))
        with tempfile.TemporaryDirectory() as folder:
            wall, cpu = time.perf_counter(), read_clock()
            audit = box.build_box(recipe, Path(folder), start=chosen.start)
            wall, cpu = time.perf_counter() - wall, read_clock() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{audit['n_atoms']:7d}",
            *(f"{spent[name]:13.1f}" for name in STEPS),
            f"{cpu:9.1f} {1e3 * cpu / audit['n_atoms']:9.2f} {wall:9.1f} {peak:9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
