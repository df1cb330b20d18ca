"""Speed and memory of the structural analysis against reading the trajectory with MDAnalysis.

``python benchmarks/bench_analysis.py FOLDER`` writes what it needs into FOLDER (see
``synthetic_trajectory.py``) and prints JSON. Reading and analysis take turns in one process, and
what counts is the ratio. Times are CPU times, which other work on the machine disturbs least;
``--jobs`` compares wall times. With ``--memory`` peaks of the resident sets of two processes are
compared, and with ``--peer PYTHON`` a Python that has solvation-analysis 0.4.2 runs that on frames
of the same trajectory, for the quantities both give.
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

from synthetic_trajectory import write_trajectory

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, help="compare this many processes with one")
    parser.add_argument("--memory", type=int, help="compare peaks with those at so many frames")
    parser.add_argument("--peer", type=Path, help="a Python with solvation-analysis")
    parser.add_argument("--once", action="store_true", help="analyze once, print the peak memory")
    arguments = parser.parse_args()
    logging.getLogger("MDAnalysis").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    if arguments.once:
        print(json.dumps(measure_peak(arguments.folder, arguments.frames)))
        return
    found: dict[str, object] = {"frames": arguments.frames}
    if arguments.jobs:
        found |= compare_jobs(arguments.folder, arguments.frames, arguments.jobs, arguments.rounds)
    elif arguments.memory:
        peaks = [run_once(arguments.folder, n) for n in (arguments.frames, arguments.memory)]
        found |= {"peak_MB": peaks, "ratio": round(peaks[1] / peaks[0], 3)}
    else:
        found |= compare_reading(
            arguments.folder, arguments.frames, arguments.rounds, arguments.peer
        )
    print(json.dumps(found, indent=1))


def find_files(folder: Path, n_frames: int) -> tuple[Path, Path]:
    """Return topology and trajectory, written if they are not there."""
    topology, path = folder / "topology.pdb", folder / f"trajectory-{n_frames}.xtc"
    if not path.exists():
        write_trajectory(folder, n_frames=n_frames)
    return topology, path


def analyze(topology: Path, path: Path, jobs: int = 1) -> None:
    """Run the whole structural suite."""
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import analyze_scene
    from solvation.worker import open_workers

    with open_workers(jobs) as workers:
        analyze_scene(open_scene(topology, path), transport=False, workers=workers)


def analyze_common(topology: Path, path: Path) -> None:
    """Find what the peer finds: g(r), coordination, shells, who is paired, residence times."""
    from solvation.analyze.contact import keep_contacts
    from solvation.analyze.coordination import measure_coordination
    from solvation.analyze.driver import run_analyzers
    from solvation.analyze.rdf import collect_rdfs
    from solvation.analyze.residence import count_events, measure_residence
    from solvation.analyze.scene import open_scene
    from solvation.analyze.shell import measure_shells
    from solvation.analyze.surrounding import Surroundings, list_counts

    scene = open_scene(topology, path)
    pairs = [("Mg", site.name) for site in scene.sites]
    radii = dict.fromkeys(pairs, 2.9)
    found = run_analyzers(scene, [Surroundings(reach=radii, shared=False)])["surroundings"]
    collect_rdfs(list_counts(scene, found, pairs), ["-".join(pair) for pair in pairs])
    tables = [keep_contacts(scene, t, radii) for t in found.total().contacts.result()]
    events = count_events(measure_residence(scene, tables))
    measure_coordination(scene, tables, pairs, events=events)
    measure_shells(scene, tables, events=events)


def compare_reading(
    folder: Path, n_frames: int, rounds: int, peer: Path | None
) -> dict[str, object]:
    """Alternate between reading and analysis."""
    import MDAnalysis as mda

    topology, path = find_files(folder, n_frames)
    analyze(*find_files(folder, 50))  # imports
    universe = mda.Universe(str(topology), str(path))
    read, ours = [], []
    for _ in range(rounds):
        began = time.process_time()
        for _ in universe.trajectory:
            pass
        read.append(time.process_time() - began)
        began = time.process_time()
        analyze(topology, path)
        ours.append(time.process_time() - began)
    ratios = [b / a for a, b in zip(read, ours, strict=True)]
    found: dict[str, object] = {
        "read_ms_per_frame": round(1e3 * statistics.median(read) / n_frames, 3),
        "analysis_ms_per_frame": round(1e3 * statistics.median(ours) / n_frames, 3),
        "ratios": [round(r, 2) for r in ratios],
        "ratio": round(statistics.median(ratios), 2),
    }
    if peer is not None:
        script = HERE / "peer_solvation_analysis.py"
        out = subprocess.run(
            [str(peer), str(script), str(topology), str(path), "200"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        theirs = json.loads(out.stdout.splitlines()[-1])["ms_per_frame"]
        common = []
        for _ in range(rounds):
            began = time.process_time()
            analyze_common(topology, path)
            common.append(1e3 * (time.process_time() - began) / n_frames)
        mine = statistics.median(common)
        found |= {
            "peer_ms_per_frame": theirs,
            "same_quantities_ms_per_frame": round(mine, 3),
            "times_faster_than_peer": round(theirs / mine, 1),
        }
    return found


def compare_jobs(folder: Path, n_frames: int, jobs: int, rounds: int) -> dict[str, object]:
    """Alternate between one process and several, and look at what the machine itself gains.

    Cores of a virtual machine are not always whole: before and after each round a bare loop runs
    in as many processes, and rounds in which it gained less than nine tenths of what whole cores
    would give are marked as not idle.
    """
    topology, path = find_files(folder, n_frames)
    analyze(*find_files(folder, 50))
    ratios, gains, walls = [], [], []
    before = measure_gain(jobs)
    for _ in range(rounds):
        times = []
        for n in (1, jobs):
            began = time.perf_counter()
            analyze(topology, path, n)
            times.append(time.perf_counter() - began)
        walls.append(times)
        ratios.append(times[0] / times[1])
        after = measure_gain(jobs)
        gains.append(min(before, after))
        before = after
    idle = [r for r, g in zip(ratios, gains, strict=True) if g >= 0.9 * jobs]
    return {
        "jobs": jobs,
        "times_faster": round(statistics.median(ratios), 2),
        "each": [round(r, 2) for r in ratios],
        "seconds": [[round(t, 2) for t in times] for times in walls],
        "times_faster_of_the_fastest": round(
            min(one for one, _ in walls) / min(several for _, several in walls), 2
        ),
        "bare_loop_times_faster": [round(g, 2) for g in gains],
        "idle_rounds": len(idle),
        "times_faster_when_idle": round(statistics.median(idle), 2) if idle else None,
    }


def measure_gain(jobs: int) -> float:
    """Return how much more a bare loop gets done in several processes than in one."""
    import multiprocessing

    alone = spin()
    context = multiprocessing.get_context("fork")
    began = time.perf_counter()
    processes = [context.Process(target=spin) for _ in range(jobs)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return jobs * alone / (time.perf_counter() - began)


def spin(n: int = 6_000_000) -> float:
    """Return the seconds of a loop that needs nothing but a core."""
    began = time.perf_counter()
    total = 0
    for k in range(n):
        total += k * k
    return time.perf_counter() - began


def measure_peak(folder: Path, n_frames: int) -> float:
    """Return the peak of the resident set of this process in MB."""
    import resource

    analyze(*find_files(folder, n_frames))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def run_once(folder: Path, n_frames: int) -> float:
    """Measure the peak in a process of its own."""
    find_files(folder, n_frames)
    command = [sys.executable, __file__, str(folder), "--frames", str(n_frames), "--once"]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(float(json.loads(out.stdout.splitlines()[-1])), 1)


if __name__ == "__main__":
    main()
