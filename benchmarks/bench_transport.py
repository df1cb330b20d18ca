"""Cost of transport against reading the trajectory with MDAnalysis.

``python benchmarks/bench_transport.py FOLDER`` writes what it needs into FOLDER (see
``synthetic_trajectory.py``) and prints JSON: CPU time of reading, of the paths of all molecules,
the mean squared displacements of all species with their fits, and the collective coefficients of
the ions, and of MDAnalysis ``EinsteinMSD`` for the cations alone; peak memory in a process of its
own, beside 2 x (molecules x frames x 24 bytes) + 300 MB. Reading and analysis take turns in one
process, and what counts is the ratio.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from bench_analysis import find_files

TEMPERATURE = 298.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="without EinsteinMSD")
    parser.add_argument("--once", action="store_true", help="analyze once, print the peak memory")
    arguments = parser.parse_args()
    logging.getLogger("MDAnalysis").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    topology, path = find_files(arguments.folder, arguments.frames)
    if arguments.once:
        n_molecules = analyze(topology, path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        print(json.dumps({"n_molecules": n_molecules, "peak_MB": round(peak, 1)}))
        return
    analyze(*find_files(arguments.folder, 50))  # imports
    found = compare_reading(topology, path, arguments.rounds, peer=not arguments.no_peer)
    command = [sys.executable, __file__, str(arguments.folder), "--once", "--frames"]
    out = subprocess.run(
        [*command, str(arguments.frames)], check=True, capture_output=True, text=True
    )
    memory = json.loads(out.stdout.splitlines()[-1])
    allowed = 2.0 * memory["n_molecules"] * arguments.frames * 24 / 1024**2 + 300.0
    found |= {"frames": arguments.frames, **memory, "allowed_MB": round(allowed, 1)}
    print(json.dumps(found, indent=1))


def analyze(topology: Path, path: Path) -> int:
    """Follow all molecules and measure all that moves; return the number of molecules."""
    from solvation.analyze.centre import Centres
    from solvation.analyze.conductivity import measure_conductivity
    from solvation.analyze.diffusion import measure_diffusion
    from solvation.analyze.driver import run_analyzers
    from solvation.analyze.scene import open_scene

    scene = open_scene(topology, path)
    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    diffusion = measure_diffusion(scene, paths)
    assert diffusion is not None, paths[0].problem
    # With the Onsager coefficients of all pairs of ionic species.
    measure_conductivity(scene, paths, diffusion, temperature=TEMPERATURE)
    return scene.n_molecules


def compare_reading(topology: Path, path: Path, rounds: int, *, peer: bool) -> dict[str, object]:
    """Alternate between reading and analysis."""
    import MDAnalysis as mda

    universe = mda.Universe(str(topology), str(path))

    def read() -> None:
        for _ in universe.trajectory:
            pass

    read()
    pairs = [(clock(read), clock(lambda: analyze(topology, path))) for _ in range(rounds)]
    ratios = [ours / theirs for theirs, ours in pairs]
    found: dict[str, object] = {
        "read_s": round(statistics.median(p[0] for p in pairs), 3),
        "transport_s": round(statistics.median(p[1] for p in pairs), 3),
        "ratios": [round(r, 2) for r in ratios],
        "ratio": round(statistics.median(ratios), 2),
    }
    if peer:
        from MDAnalysis.analysis.msd import EinsteinMSD

        # Its FFT needs tidynamics; the direct sum does without.
        fast = importlib.util.find_spec("tidynamics") is not None
        cations = EinsteinMSD(universe, select="name MG", msd_type="xyz", fft=fast)
        found["einstein_msd_s"] = round(clock(cations.run), 3)
        found["einstein_msd_atoms"] = int(cations.n_particles)
        found["einstein_msd_fft"] = fast
    return found


def clock(work: Callable[[], object]) -> float:
    """Return the CPU time that something takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
