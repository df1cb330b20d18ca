"""Task: what a worker does for a point: build it, run one of its replicas, finish it.

Tasks pass text and paths only, so that any worker that sees the same disk can do them. Each can be
killed at any moment and done again; what is finished is not repeated.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from solvation.errors import WorkspaceError
from solvation.inputs import hash_simulation, hash_text
from solvation.lock import lock_folder
from solvation.log import read_log
from solvation.recipe import Recipe, parse_recipe
from solvation.results import Quantity, save_summary
from solvation.simulate.halt import Halt
from solvation.simulate.protocol import make_plan
from solvation.workspace import RunFolder, open_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solvation.simulate.protocol import Replica

__all__ = [
    "build_point", "finish_point", "hash_replica", "is_simulated", "simulate_replica",
    "stop_together",
]  # fmt: skip

_PATIENCE = 120.0
"""Seconds to wait for a lock: a worker whose scheduler was killed takes a minute to notice."""
_HALT = [Halt()]
"""The one that replicas ask which begin in this process."""


@contextmanager
def stop_together() -> Iterator[None]:
    """Let replicas that run in threads of this process stop when a campaign is broken off.

    Nobody can end a thread from outside, and Dask would wait for them; processes are ended.
    """
    halt = _HALT[0] = Halt()
    try:
        yield
    except BaseException:  # Ctrl-C above all; it goes on
        halt.ask("the campaign was broken off")
        raise


def build_point(text: str, folder: str, *, allow_scripts: bool, command: str) -> None:
    """Build the boxes of a point.

    Parameters
    ----------
    text
        Its resolved recipe as TOML.
    folder
        Its run folder.
    allow_scripts
        Whether a force field may run Python code.
    command
        What the user typed, for the manifest.
    """
    from solvation.pipeline import run

    _wait_for_lock(Path(folder))
    run(_read(text), folder, until="build", allow_scripts=allow_scripts, command=command)


def simulate_replica(text: str, folder: str, name: str, *, platform: str) -> None:
    """Run one replica of a built point to its end, and analyze it alone.

    Writes ``summary.json`` of this replica into its folder; several replicas of a point may run at
    once, on any workers.

    Raises
    ------
    SimulationError, WorkspaceError
        What went wrong; what was computed stays.
    """
    from solvation.production import choose_hardware, find_box
    from solvation.simulate.crew import Task, run_task

    recipe = _read(text)
    run = RunFolder(path=Path(folder))
    plan = make_plan(recipe)
    replica = next(item for item in plan.replicas if item.name == name)
    target = open_run(run.simulate(name))
    _wait_for_lock(target.path)
    work = Task(
        prepared=run.build(find_box(run, replica)),
        folder=target.path,
        plan=plan,
        replica=replica,
        inputs=hash_simulation(recipe),
    )
    with _keep_shared(run.path):
        run_task(work, choose_hardware(recipe, platform), lambda _: None, _HALT[0])
        quantities = _analyze_alone(run, recipe, replica)
        save_summary(
            quantities, target.summary, recipe=recipe.name, extra={"inputs": hash_replica(recipe)}
        )


def finish_point(text: str, folder: str, *, platform: str, command: str) -> None:
    """Analyze all replicas of a point together, and write its report."""
    from solvation.pipeline import run

    _wait_for_lock(Path(folder))
    # Every replica has run to its end, which is seen at once; no need of several processes.
    run(_read(text), folder, platform=platform, at_once=1, command=command)


def hash_replica(recipe: Recipe) -> str:
    """Hash of everything that decides a replica of a resolved recipe, with its length."""
    return hash_text([hash_simulation(recipe), str(recipe.protocol.production_time)])


def is_simulated(run: RunFolder, name: str, inputs: str) -> bool:
    """Whether a replica has run to its end and was analyzed, from these inputs."""
    path = run.simulate(name) / "summary.json"
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("inputs") == inputs)
    except (OSError, ValueError):
        return False


def _read(text: str) -> Recipe:
    """Read a recipe from text."""
    return parse_recipe(tomllib.loads(text))


def _analyze_alone(run: RunFolder, recipe: Recipe, replica: Replica) -> list[Quantity]:
    """Measure one replica, for the dimension of replicas in the results of the campaign."""
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.tempered import drop_kinetics
    from solvation.analyze.thermo import summarize_density
    from solvation.build.box import load_audit
    from solvation.production import find_box

    temperature = recipe.conditions.temperature.magnitude
    box = run.build(find_box(run, replica))
    audit = load_audit(box)
    target = run.simulate(replica.name)
    scene = open_scene(
        box / "topology.pdb",
        [target / "trajectory.xtc"],
        temperature=temperature,
    )
    tree, quantities = analyze_scene(
        scene,
        temperature=temperature,
        charge_scale=audit["charge_scale"],
        partial_charges=audit.get("partial_charges"),
    )
    if recipe.protocol.tempering is not None:
        quantities = drop_kinetics(tree, quantities)
    density = summarize_density({replica.name: read_log(target / "log.csv")})
    return [density, *(item for item in quantities if item.name != "density")]


def _wait_for_lock(path: Path) -> None:
    """Wait until whoever works in a folder has left it, or has noticed that it should."""
    if path.is_dir():
        with lock_folder(path, patience=_PATIENCE):
            pass


@contextmanager
def _keep_shared(path: Path) -> Iterator[None]:
    """Keep out who would work on the whole folder, but not who works on another replica.

    Raises
    ------
    WorkspaceError
        If somebody does work on the whole folder.
    """
    handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                yield  # a file system without locks; the replica has its own
                return
            raise WorkspaceError(
                f"{path} is in use by another process; wait for it, then run the campaign again"
            ) from error
        yield
    finally:
        os.close(handle)
