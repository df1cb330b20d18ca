"""A run killed at any moment goes on, and its trajectory has every frame once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import solvation
from solvation.log import read_log
from solvation.recipe import parse_recipe

from .conftest import TINY


def _times(folder, start="separated") -> np.ndarray:
    import MDAnalysis as mda

    universe = mda.Universe(
        str(folder / f"build/{start}/topology.pdb"),
        str(folder / f"simulate/{start}-1/trajectory.xtc"),
        to_guess=(),
    )
    return np.array([frame.time for frame in universe.trajectory])


POLARIZABLE = {
    **TINY,
    "salt": [{"cation": "Mg", "anion": "BF4", "solvent_ratio": 20}],
    "model": {"cutoff": "6 angstrom", "forcefield": "clpol-drude"},
    "box": {"cations": 1},
    "protocol": {
        "profile": "quick",
        "heat_time": "0.2 ps",
        "anneal_time": "0.2 ps",
        "density_time": "0.2 ps",
        "density_time_max": "0.2 ps",
        "report_interval": "0.05 ps",
        "checkpoint_interval": "0.1 ps",
    },
}


REPLICAS = {
    **POLARIZABLE,
    "model": {"cutoff": "6 angstrom"},
    "protocol": {
        **POLARIZABLE["protocol"],
        "report_interval": "0.2 ps",
        "heat_time": "0.8 ps",
        "anneal_time": "0.8 ps",
        "density_time": "0.8 ps",
        "density_time_max": "0.8 ps",
        "checkpoint_interval": "0.4 ps",
        "starts": ["separated", "contact"],
        "replicas": 2,
    },
}
"""Small enough to be killed often."""


def _kill_and_rerun(
    tmp_path, *, kills: int, production: float, base=TINY, seed=7, until="simulate"
) -> Path:
    """Kill the whole process group, or the main process alone, at random moments of its work."""
    recipe = parse_recipe(
        {**base, "protocol": {**base["protocol"], "production_time": f"{production} ps"}}
    )
    path = tmp_path / "tiny.toml"
    path.write_text(recipe.to_toml())
    folder = tmp_path / "run"
    command = [
        sys.executable, "-m", "solvation", "run", str(path), "-o", str(folder),
        "--at-once", "2", "--until", until,
    ]  # fmt: skip
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1"}
    random = np.random.default_rng(seed)
    killed = 0
    for _ in range(kills):
        before = _count_reports(folder)
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        # Some reports more, or none, and then a moment that no report tells; a fast machine must
        # not be through before it was killed often enough.
        wanted = before + random.integers(0, 4)
        while process.poll() is None and _count_reports(folder) < wanted:
            time.sleep(0.01)
        moment = time.monotonic() + random.exponential(0.2)
        while time.monotonic() < moment and _count_reports(folder) < wanted + 4:
            time.sleep(0.005)
        if process.poll() is None:
            if random.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(signal.SIGKILL)  # its children see the pipe break
            killed += 1
        process.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert killed == kills, "the run ended before it could be killed: make it longer"
    for start in recipe.resolve().protocol.starts:
        _check_replica(folder, recipe, start, production)
    return folder


def _count_reports(folder) -> int:
    """Lines in all logs."""
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("simulate/*/log.csv"))


def _check_replica(folder, recipe, start: str, production: float) -> None:
    """Every frame and every line of the log once, and energies without a jump."""
    interval = recipe.protocol.report_interval.magnitude
    steps_per_report = round(interval / recipe.resolve().protocol.timestep.magnitude)
    n_frames = round(production / interval) + 1
    expected = np.arange(n_frames) * interval
    assert _times(folder, start) == pytest.approx(expected, abs=1e-4)
    log = read_log(folder / f"simulate/{start}-1/log.csv")
    for stage in ("heat", "anneal", "density", "production"):
        steps = log.select(stage).step
        assert (np.diff(steps) == steps_per_report).all(), stage
        assert steps[0] == steps_per_report
    energy = log.select("production").potential_energy
    assert np.abs(np.diff(energy)).max() < 10 * energy.std()


def test_two_replicas_killed_five_times(tmp_path):
    _kill_and_rerun(tmp_path, kills=5, production=4, base=REPLICAS)


def test_killed_with_induced_dipoles(tmp_path):
    _kill_and_rerun(tmp_path, kills=2, production=1, base=POLARIZABLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_ten_times_and_the_summary_is_that_of_a_quiet_run(tmp_path, seed):
    """Fifty kills in all; deterministic, so that what chance decides is the same too."""
    (tmp_path / "killed").mkdir()
    (tmp_path / "quiet").mkdir()
    base = {**REPLICAS, "protocol": {**REPLICAS["protocol"], "deterministic": True}}
    killed, quiet = (
        _kill_and_rerun(
            tmp_path / name, kills=kills, production=10, base=base, seed=seed, until="report"
        )
        for name, kills in (("killed", 10), ("quiet", 0))
    )
    first, second = (
        {item.name: (item.status, item.value) for item in solvation.open_results(folder).quantities}
        for folder in (killed, quiet)
    )
    assert {"density", "diffusion.DME", "conductivity.einstein", "residence.Mg-DME"} <= set(first)
    assert first == second


def test_a_second_process_is_kept_out(tmp_path):
    from solvation.errors import WorkspaceError
    from solvation.workspace import open_run

    folder = open_run(tmp_path / "run")
    with folder.lock(), pytest.raises(WorkspaceError, match="in use by process"), folder.lock():
        pass
    with folder.lock():
        pass
