"""A run killed at any moment goes on, and its trajectory has every frame once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from solvation.log import read_log
from solvation.recipe import parse_recipe

from .conftest import TINY


def _times(folder) -> np.ndarray:
    import MDAnalysis as mda

    universe = mda.Universe(
        str(folder / "build/separated/topology.pdb"),
        str(folder / "simulate/separated-1/trajectory.xtc"),
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


def _kill_and_rerun(tmp_path, *, kills: int, production: float, base=TINY) -> None:
    recipe = parse_recipe(
        {**base, "protocol": {**base["protocol"], "production_time": f"{production} ps"}}
    )
    interval = recipe.protocol.report_interval.magnitude
    path = tmp_path / "tiny.toml"
    path.write_text(recipe.to_toml())
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "solvation", "simulate", str(path), "-o", str(folder)]
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1"}
    random = np.random.default_rng(7)
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        # a moment somewhere in the work, after a start-up that takes a second or more
        delay = 1.0 + random.exponential(1.5)
        time.sleep(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert killed >= kills - 1, "the run ended before it could be killed: make it longer"
    n_frames = round(production / interval) + 1
    assert _times(folder) == pytest.approx(np.arange(n_frames) * interval, abs=1e-4)
    log = read_log(folder / "simulate/separated-1/log.csv")
    for stage in ("heat", "anneal", "density", "production"):
        steps = log.select(stage).step
        assert (np.diff(steps) == 50).all(), stage
        assert steps[0] == 50
    energy = log.select("production").potential_energy
    assert np.abs(np.diff(energy)).max() < 10 * energy.std()


def test_killed_four_times(tmp_path):
    _kill_and_rerun(tmp_path, kills=4, production=12)


def test_killed_with_induced_dipoles(tmp_path):
    _kill_and_rerun(tmp_path, kills=2, production=1, base=POLARIZABLE)


@pytest.mark.slow
def test_killed_ten_times(tmp_path):
    _kill_and_rerun(tmp_path, kills=10, production=60)


def test_a_second_process_is_kept_out(tmp_path):
    from solvation.errors import WorkspaceError
    from solvation.workspace import open_run

    folder = open_run(tmp_path / "run")
    with folder.lock(), pytest.raises(WorkspaceError, match="in use by process"), folder.lock():
        pass
    with folder.lock():
        pass


def test_a_shortened_trajectory_is_refused(tiny_run, tmp_path):
    import shutil

    import solvation
    from solvation.errors import WorkspaceError

    copy = tmp_path / "cut"
    shutil.copytree(tiny_run.folder.path, copy)
    trajectory = copy / "simulate/separated-1/trajectory.xtc"
    os.truncate(trajectory, 1000)
    recipe = solvation.load_recipe(
        copy / "recipe.toml", settings=['protocol.production_time="9 ps"']
    )
    with pytest.raises(WorkspaceError, match="1000 bytes"):
        solvation.run(recipe, copy, until="simulate")
