"""Cost and memory of all displacements and Onsager coefficients against reading the trajectory.

``python benchmarks/bench_transport.py FOLDER`` writes a trajectory of 10 479 atoms in 690
molecules into FOLDER (see ``synthetic_trajectory.py``) and prints JSON: CPU times of reading it
with MDAnalysis and of MSDs and D of all species, the conductivities and all L_ij, reading
included; with ``--peer`` those of ``MDAnalysis.analysis.msd.EinsteinMSD`` for one species (its
windowed algorithm with FFT if ``tidynamics`` is installed); with ``--memory`` the peak of the
resident set of a process that does ours once, and the bound
2 x (molecules x frames x 24 bytes) + 300 MB.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

from bench_analysis import find_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure the peak too")
    parser.add_argument("--peer", action="store_true", help="measure MDAnalysis' EinsteinMSD too")
    parser.add_argument("--once", action="store_true", help="measure once, print the peak memory")
    arguments = parser.parse_args()
    logging.getLogger("MDAnalysis").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    files = find_files(arguments.folder, arguments.frames)
    if arguments.once:
        print(json.dumps(measure_peak(*files)))
        return
    found = compare_reading(*files, arguments.frames, arguments.rounds)
    if arguments.peer:
        found |= measure_peer(*files)
    if arguments.memory:
        command = [sys.executable, __file__, str(arguments.folder), "--once",
                   "--frames", str(arguments.frames)]  # fmt: skip
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        found |= json.loads(out.stdout.splitlines()[-1])
    print(json.dumps(found, indent=1))


def transport(topology: Path, path: Path) -> int:
    """Measure D, conductivities and all L_ij; return the number of molecules."""
    from solvation.analyze.centre import Centres
    from solvation.analyze.conductivity import measure_conductivity
    from solvation.analyze.diffusion import measure_diffusion
    from solvation.analyze.driver import run_analyzers
    from solvation.analyze.scene import open_scene

    scene = open_scene(topology, path)
    paths = run_analyzers(scene, [Centres()])["centres"].total().result()
    diffusion = measure_diffusion(scene, paths)
    assert diffusion is not None
    nodes = measure_conductivity(scene, paths, diffusion, temperature=298.15)
    assert set(nodes) == {"conductivity", "onsager"}
    return scene.n_molecules


def compare_reading(topology: Path, path: Path, n_frames: int, rounds: int) -> dict[str, object]:
    """Alternate between reading and measuring."""
    import MDAnalysis as mda

    transport(*find_files(topology.parent, 50))  # imports
    universe = mda.Universe(str(topology), str(path))
    read, ours = [], []
    for _ in range(rounds):
        began = time.process_time()
        for _ in universe.trajectory:
            pass
        read.append(time.process_time() - began)
        began = time.process_time()
        transport(topology, path)
        ours.append(time.process_time() - began)
    ratios = [b / a for a, b in zip(read, ours, strict=True)]
    return {
        "frames": n_frames,
        "read_s": round(statistics.median(read), 2),
        "transport_s": round(statistics.median(ours), 2),
        "ratios": [round(r, 2) for r in ratios],
        "ratio": round(statistics.median(ratios), 2),
    }


def measure_peer(topology: Path, path: Path) -> dict[str, object]:
    """Time MDAnalysis' MSD of the centres of mass of one species, TFSI."""
    import importlib.util

    import MDAnalysis as mda
    from MDAnalysis.analysis.msd import EinsteinMSD

    fft = importlib.util.find_spec("tidynamics") is not None
    universe = mda.Universe(str(topology), str(path))
    # The nitrogens stand for the molecules: EinsteinMSD follows atoms.
    began = time.process_time()
    EinsteinMSD(universe, select="element N", msd_type="xyz", fft=fft).run()
    return {"einstein_msd_s": round(time.process_time() - began, 2), "einstein_msd_fft": fft}


def measure_peak(topology: Path, path: Path) -> dict[str, float]:
    """Return the peak of the resident set of this process, and what it may be, in MB."""
    import resource

    molecules = transport(topology, path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    frames = int(path.stem.rpartition("-")[2])
    return {"peak_MB": round(peak, 1), "bound_MB": round(2 * molecules * frames * 24e-6 + 300, 1)}


if __name__ == "__main__":
    main()
