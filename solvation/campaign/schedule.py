"""Schedule: the tasks of all points as one graph, watched until the last has ended.

    build -> one task per replica -> finish

for every point, independent of the other points. A task that fails is tried again; a point whose
task keeps failing is left, and the rest go on. Called again, what is done is not repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from solvation.campaign.cluster import Submissions, list_resources, open_client, watch_workers
from solvation.campaign.collect import combine_points
from solvation.campaign.plan import check_points, list_points, load_campaign
from solvation.campaign.task import (
    build_point,
    finish_point,
    hash_replica,
    is_simulated,
    simulate_replica,
    stop_together,
)
from solvation.extend import find_longest
from solvation.results import save_results
from solvation.series import compare_runs
from solvation.simulate.protocol import make_plan
from solvation.workspace import RunFolder, open_run

if TYPE_CHECKING:
    import xarray as xr

    from solvation.campaign.plan import Campaign, Point

__all__ = ["CampaignRun", "Standing", "run_campaign"]

_LOG = logging.getLogger(__name__)

_BEAT = 1.0
"""Seconds between looks at what has changed."""

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a point stands."""

    point: Point
    """Of the product."""
    folder: Path
    """Its run folder."""
    state: State
    """Whether it waits, runs, is done or has failed."""
    replicas_done: int
    """Replicas that have run to their end and were analyzed."""
    n_replicas: int
    """Replicas it has in all."""
    error: str = ""
    """Why it failed, one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRun:
    """A campaign, and what came out of it."""

    path: Path
    """Its folder."""
    standings: tuple[Standing, ...]
    """One per point."""
    results: Path | None
    """The combined `xarray.DataTree` of the points that are done; None when there is none."""
    page: Path | None
    """The comparison; None with fewer than two points done."""

    @property
    def n_failed(self) -> int:
        """Points that failed."""
        return sum(item.state == "failed" for item in self.standings)

    def open_results(self) -> xr.DataTree:
        """Read the combined results; see `solvation.campaign.collect`."""
        from solvation.results import load_results

        return load_results(self.path / "results.nc")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The tasks of one point."""

    point: Point
    run: RunFolder
    replicas: tuple[str, ...]
    finished: bool
    """Whether it was done before."""
    futures: Sequence[Any] = ()
    """Build, replicas, finish."""


def run_campaign(
    source: str | Path | Campaign,
    path: str | Path | None = None,
    *,
    number: int | None = None,
    scheduler: str | None = None,
    platform: str | None = None,
    allow_scripts: bool = False,
    command: str | None = None,
    progress: Callable[[Sequence[Standing]], None] | None = None,
) -> CampaignRun:
    """Run every point of a campaign, or go on where an earlier call stopped.

    Parameters
    ----------
    source
        A campaign file, or a campaign.
    path
        Its folder; ``runs/<name>`` when not given. Every point has a run folder in it.
    number, scheduler, platform
        Replace ``workers.number``, ``workers.address`` (with ``kind``) and ``workers.platform``.
    allow_scripts
        Whether a force field may run Python code while a box is built.
    command
        What the user typed, for the manifests.
    progress
        Called about once a second.

    Returns
    -------
    CampaignRun
        With ``results.nc`` (dimensions system, concentration, temperature, model, replica) and
        ``comparison/compare.html``, of the points that are done.

    Raises
    ------
    SolvationError
        If the file is wrong, a point cannot be run, or there are no workers. That a point failed
        is not raised but told in its `Standing`.
    """
    campaign = load_campaign(source) if isinstance(source, (str, Path)) else source
    campaign = _replace_workers(campaign, number, scheduler, platform)
    folder = Path(path) if path is not None else Path("runs") / campaign.name
    points = [
        replace(point, recipe=find_longest(point.recipe, RunFolder(path=folder / point.label)))
        for point in list_points(campaign)
    ]
    check_points(points, folder)
    open_run(folder)
    typed = command or f'solvation.run_campaign("{source}", "{folder}")'
    work = [_look_at(point, folder) for point in points]
    if not all(item.finished for item in work):
        submissions = Submissions()
        with open_client(campaign.workers, submissions) as client, stop_together():
            work = [
                item
                if item.finished
                else _submit(client, campaign, item, allow_scripts=allow_scripts, command=typed)
                for item in work
            ]
            check = watch_workers(client, campaign.workers, submissions)
            standings = _watch(work, progress, check)
    else:
        standings = _watch(work, progress)
    done = [item for item in standings if item.state == "done"]
    results = None
    if done:
        results = folder / "results.nc"
        save_results(
            combine_points({item.point: item.folder for item in done}, name=campaign.name), results
        )
    page = None
    if len(done) > 1:
        page = compare_runs(
            [item.folder for item in done],
            folder / "comparison",
            title=campaign.title or campaign.name,
            command=typed,
        ).page
    return CampaignRun(path=folder, standings=standings, results=results, page=page)


def _replace_workers(
    campaign: Campaign, number: int | None, scheduler: str | None, platform: str | None
) -> Campaign:
    """Let the command line decide who works."""
    changes: dict[str, Any] = {}
    if number is not None:
        changes["number"] = number
    if platform is not None:
        changes["platform"] = platform
    if scheduler is not None:
        changes |= {"kind": "scheduler", "address": scheduler}
    staff = campaign.workers.model_copy(update=changes)
    return campaign.model_copy(update={"workers": staff})


def _look_at(point: Point, folder: Path) -> _Work:
    """See whether a point is done."""
    run = RunFolder(path=(folder / point.label).resolve())
    names = tuple(replica.name for replica in make_plan(point.recipe).replicas)
    return _Work(point=point, run=run, replicas=names, finished=_is_finished(run, point, names))


def _submit(
    client: Any, campaign: Campaign, work: _Work, *, allow_scripts: bool, command: str
) -> _Work:
    """Put the tasks of a point into the graph, but for those that are done."""
    point, run = work.point, work.run
    staff, text = campaign.workers, point.recipe.to_toml()
    common = {"retries": staff.retries, "pure": False}
    inputs = hash_replica(point.recipe)
    resources = list_resources(staff)
    built = client.submit(
        _after, build_point, (), text, str(run.path), allow_scripts=allow_scripts,
        command=command, key=f"build-{point.label}", **common,
    )  # fmt: skip
    simulated = [
        client.submit(
            _after, simulate_replica, [built], text, str(run.path), name,
            platform=staff.platform, key=f"simulate-{point.label}-{name}",
            resources=resources or None, **common,
        )
        for name in work.replicas
        if not is_simulated(run, name, inputs)
    ]  # fmt: skip
    finished = client.submit(
        _after, finish_point, [built, *simulated], text, str(run.path), platform=staff.platform,
        command=command, key=f"finish-{point.label}", resources=resources or None, **common,
    )  # fmt: skip
    return replace(work, futures=(built, *simulated, finished))


def _after(
    task: Callable[..., None], before: Sequence[None], *arguments: Any, **choices: Any
) -> None:
    """Do a task after others, which Dask sees as arguments."""
    import dask

    del before
    # Inside a worker xarray would lock files through the scheduler; nobody shares ours. Threads of
    # the process that runs the campaign are told so by `open_client`: it is one setting for all of
    # them, and two that set it in turns would leave it as it should not be.
    if dask.config.get("scheduler", None) == "synchronous":
        task(*arguments, **choices)
        return
    with dask.config.set(scheduler="synchronous"):
        task(*arguments, **choices)


def _is_finished(run: RunFolder, point: Point, names: Sequence[str]) -> bool:
    """Whether everything of a point is done and newer than what it was made from."""
    inputs = hash_replica(point.recipe)
    manifest = run.read_manifest()
    stages = manifest.get("stages", {})
    if manifest.get("recipe_hash") != point.recipe.hash or not run.report.exists():
        return False
    if any(stages.get(name, {}).get("state") != "done" for name in ("analyze", "report")):
        return False
    trajectories = [run.simulate(name) / "trajectory.xtc" for name in names]
    return (
        all(is_simulated(run, name, inputs) for name in names)
        and run.results.exists()
        and all(
            path.exists() and path.stat().st_mtime <= run.results.stat().st_mtime
            for path in trajectories
        )
    )


def _watch(
    work: list[_Work],
    progress: Callable[[Sequence[Standing]], None] | None,
    check: Callable[[], None] | None = None,
) -> tuple[Standing, ...]:
    """Wait for the end of all tasks, telling now and then where they stand.

    Dask forgets the tasks of a point that is done; it would have them done again when a worker is
    lost that did some.
    """
    inputs = [hash_replica(item.point.recipe) for item in work]
    while True:
        standings = tuple(_describe(*pair) for pair in zip(work, inputs, strict=True))
        for index, standing in enumerate(standings):
            if standing.state == "done":
                work[index] = replace(work[index], futures=())
        if progress is not None:
            progress(standings)
        if all(item.state in ("done", "failed") for item in standings):
            return standings
        if check is not None:
            check()
        time.sleep(_BEAT)


def _describe(item: _Work, inputs: str) -> Standing:
    """Say where a point stands; ``inputs`` is the hash of what decides its trajectories."""
    state: State = "waiting"
    error = ""
    # "lost" is what a worker had done that is gone; Dask has another do it again.
    wrong = [future for future in item.futures if future.status in ("error", "cancelled")]
    if wrong:
        state, error = "failed", _say_error(wrong[0])
    elif all(future.status == "finished" for future in item.futures):
        state = "done"
    elif item.run.manifest.exists():
        state = "running"
    return Standing(
        point=item.point,
        folder=item.run.path,
        state=state,
        replicas_done=sum(is_simulated(item.run, name, inputs) for name in item.replicas),
        n_replicas=len(item.replicas),
        error=error,
    )


def _say_error(future: Any) -> str:
    """Say in one line why a task failed."""
    if future.status != "error":
        return "the scheduler of its workers is gone; run the campaign again"
    error = future.exception()
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if type(error).__name__ == "KilledWorker":
        return "its workers were killed again and again, perhaps for want of memory or time"
    return text
