"""Workers: the same numbers, to the last bit, whoever looks at the frames."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from solvation.analyze import digest, driver, frames
from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.errors import TrajectoryError, WorkspaceError
from solvation.kernels.cell import box_matrix, wrap
from solvation.synthetic import make_mixture
from solvation.worker import HERE, Workers, do_together, open_workers


def _make_scene(system=None):
    """Make a wrapped mixture whose box breathes, twice."""
    system = system or make_mixture(np.random.default_rng(4), n_frames=40)
    breath = 1.0 + 0.01 * np.sin(np.arange(len(system.times)))
    boxes = system.box * np.concatenate(
        [np.repeat(breath[:, None], 3, axis=1), np.ones((len(breath), 3))], axis=1
    )
    positions = wrap(system.positions, box_matrix(boxes))
    source = ArraySource(positions=positions, boxes=boxes, times=system.times)
    return scene_from_arrays(system.elements, system.bonds, [source] * 2, charges=system.charges)


def _assert_identical(one, other):
    (tree, quantities), (other_tree, other_quantities) = one, other
    assert quantities == other_quantities
    for name, node in tree.children.items():
        for key, values in node.data_vars.items():
            np.testing.assert_array_equal(values, other_tree[name][key], err_msg=f"{name}.{key}")
    # Attributes say where the numbers come from; they may hold nan.
    assert json.dumps(tree.attrs) == json.dumps(other_tree.attrs)


@pytest.fixture(scope="module")
def alone():
    return analyze_scene(_make_scene(), cutoffs={"*": 3.0})


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_give_the_same_bits(alone, jobs, monkeypatch):
    monkeypatch.setattr(digest, "_WORTH_FORKS", 0)
    with open_workers(jobs) as workers:
        _assert_identical(alone, analyze_scene(_make_scene(), cutoffs={"*": 3.0}, workers=workers))


@pytest.mark.parametrize(("size", "longest"), [(1, 3), (102 * 24 * 7, 11), (10**9, 1)])
def test_any_split_gives_the_same_bits(alone, size, longest, monkeypatch):
    monkeypatch.setattr(frames, "_BLOCK_BYTES", size)
    monkeypatch.setattr(driver, "_TASK_FRAMES", longest)
    _assert_identical(alone, analyze_scene(_make_scene(), cutoffs={"*": 3.0}))


def test_dask_gives_the_same_bits(alone):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        open_workers(1, cluster.scheduler_address) as workers,
    ):
        assert workers.number == 2
        _assert_identical(alone, analyze_scene(_make_scene(), cutoffs={"*": 3.0}, workers=workers))


def test_a_scheduler_that_vanishes_is_one_line():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:

        def lose() -> None:
            with open_workers(1, cluster.scheduler_address) as workers:
                begun = workers.executor.submit(time.sleep, 2)
                cluster.close()
                begun.result()

        with pytest.raises(WorkspaceError, match=r"scheduler at inproc://.* is gone; run it again"):
            lose()


def test_an_error_in_a_worker_is_the_same_line():
    system = make_mixture(np.random.default_rng(4), n_frames=10)
    system.positions[7, 3] = np.nan
    source = ArraySource(positions=system.positions, boxes=system.box, times=system.times)
    scene = scene_from_arrays(system.elements, system.bonds, [source], charges=system.charges)
    with (
        open_workers(2) as workers,
        pytest.raises(TrajectoryError, match="frame 7 has positions that are not numbers"),
    ):
        analyze_scene(scene, workers=workers)


def _die(_path, _key, _task):
    import os

    os._exit(9)


def test_a_worker_that_is_killed_is_one_line(monkeypatch):
    monkeypatch.setattr(driver, "_look_stored", _die)
    with (
        pytest.raises(WorkspaceError, match=r"a worker was killed.*fewer than 2 jobs"),
        open_workers(2) as workers,
    ):
        analyze_scene(_make_scene(), workers=workers)


def test_what_cannot_be_is_said():
    with pytest.raises(WorkspaceError, match="0 jobs cannot do anything"), open_workers(0):
        pass
    assert Workers(None, 1) == open_workers().__enter__()


# Tasks in forked processes ----------------------------------------------------------------

TWO = Workers(None, 2, 2)


def test_tasks_are_done_once_each_and_come_back_in_order():
    import os

    table = np.arange(1000)
    found = do_together(TWO, [lambda k=k: (k, int(table[k]), os.getpid()) for k in range(40)])
    assert [(k, value) for k, value, _ in found] == [(k, k) for k in range(40)]
    # The first is done here, where files are open.
    assert found[0][2] == os.getpid()
    assert do_together(HERE, [os.getpid, os.getpid]) == [os.getpid()] * 2
    assert do_together(TWO, []) == []


def _wait_and_fail(error):
    import time

    time.sleep(0.05)
    raise error


def test_an_error_of_a_task_is_raised_here():
    tasks = [lambda: None, *[lambda: _wait_and_fail(TrajectoryError("frame 3 is bad"))] * 8]
    with pytest.raises(TrajectoryError, match=r"^frame 3 is bad$"):
        do_together(TWO, tasks)


def test_a_forked_process_that_is_killed_is_one_line():
    import os
    import time

    here = os.getpid()

    def die():
        if os.getpid() != here:
            os._exit(9)
        time.sleep(0.05)

    with pytest.raises(WorkspaceError, match=r"a worker was killed.*fewer than 2 jobs"):
        do_together(TWO, [lambda: time.sleep(0.2), *[die] * 3])
