"""Cluster: the Dask workers of a campaign, and the job script that a batch system would get."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, WorkspaceError
from solvation.worker import silence_dask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from solvation.campaign.plan import Staff

__all__ = ["Submissions", "list_resources", "open_client", "watch_workers", "write_job_script"]

_LOG = logging.getLogger(__name__)

_ANY_PORT = ":0"
"""Of the scheduler's status page: several campaigns may run on one machine."""
_ANSWER = "30s"
"""How long to wait for a scheduler that is said to run."""
_ALONE = 60.0
"""Seconds without a worker on this machine, or a job, after which there will be none."""


@dataclass(slots=True)
class Submissions:
    """What became of the jobs that a batch system was given."""

    accepted: int = 0
    """Jobs that it took."""
    ended: int = 0
    """Of those, that are over."""
    refusal: str = ""
    """What it said to the last job, if it did not take it."""


def list_resources(staff: Staff) -> dict[str, float]:
    """List the Dask resources that one replica takes, so that each worker runs one at a time."""
    if staff.gpus:
        return {"GPU": 1}
    return {"replica": 1} if staff.is_batch else {}


def write_job_script(staff: Staff) -> str:
    """Write the script that a batch system would be given for one worker.

    Raises
    ------
    WorkspaceError
        If ``dask-jobqueue`` is not installed or does not understand a key.
    """
    kind = _find_cluster_kind(staff).job_cls
    with _explain_keys(staff):
        job = kind(scheduler="tcp://SCHEDULER:PORT", name="solvation", **_list_options(staff))
    return str(job.job_script())


def watch_workers(client: Any, staff: Staff, submissions: Submissions) -> Callable[[], None]:
    """Make a check that nobody waits for workers that will never come.

    Jobs may wait in a queue for days; but a batch system that took none, or takes no other when
    those it took are over, and a machine that has lost all of its own workers and starts no others,
    are the end: `WorkspaceError`. Jobs that were taken and of which none answers may wait, or may
    have ended before they began; after a while that is logged, once.
    """
    seen = begun = time.monotonic()
    told = False

    def check() -> None:
        nonlocal seen, told
        if submissions.refusal and not submissions.accepted:
            raise WorkspaceError(
                f"{staff.kind} takes no job: {submissions.refusal}; correct [workers], "
                "--dry-run shows the script"
            )
        if staff.kind == "scheduler":
            return
        if staff.is_batch:
            told = told or bool(client.nthreads())
            if not told and time.monotonic() - begun > _ALONE:
                told = True
                _LOG.warning(
                    "no job answers yet: %s has %d, which wait in its queue, or ended before they "
                    "began, and then their output says why",
                    staff.kind, submissions.accepted - submissions.ended,
                )  # fmt: skip
            alive = not submissions.refusal or submissions.accepted > submissions.ended
        else:
            alive = bool(client.nthreads())
        if alive:
            seen = time.monotonic()
        elif time.monotonic() - seen > _ALONE:
            why = f"{staff.kind} takes no other job: {submissions.refusal}"
            raise WorkspaceError(
                f"all workers are gone and {why if staff.is_batch else 'no others start'}; "
                "run the campaign again, it goes on"
            )

    return check


@contextmanager
def open_client(staff: Staff, submissions: Submissions | None = None) -> Iterator[Any]:
    """Start workers, or find them, and close what was started at the end.

    Parameters
    ----------
    staff
        Who works.
    submissions
        Where to note what a batch system does with the jobs.

    Yields
    ------
    distributed.Client

    Raises
    ------
    WorkspaceError
        If Dask is not installed, no scheduler answers, or no worker can be started.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise WorkspaceError(
            "a campaign needs Dask; install it with: pip install 'solvation[dask]'"
        ) from error
    silence_dask()
    # A job that ends with its time is no failure of what it was doing.
    allowed = 1000 if staff.is_batch else 3
    quiet = {
        "distributed.scheduler.allowed-failures": allowed,
        "distributed.admin.tick.limit": "1h",
        # For what xarray does in the threads of this process: nobody shares our files.
        "scheduler": "synchronous",
    }
    with dask.config.set(quiet):
        if staff.kind == "scheduler":
            try:
                client = Client(staff.address, timeout=_ANSWER, set_as_default=False)
            except (OSError, TimeoutError, ValueError) as error:
                raise WorkspaceError(
                    f"no Dask scheduler answers at {staff.address}; check workers.address"
                ) from error
            with client:
                yield client
            return
        with (
            _open_cluster(staff, submissions or Submissions()) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            if staff.gpus and not staff.is_batch:
                client.register_plugin(_make_device_plugin())
            yield client


@contextmanager
def _open_cluster(staff: Staff, submissions: Submissions) -> Iterator[Any]:
    """Start workers on this machine, or a scheduler that submits jobs."""
    from distributed import LocalCluster

    if staff.is_batch:
        kind = _find_cluster_kind(staff)
        options = _list_options(staff)
        with _explain_keys(staff):
            cluster = kind(
                scheduler_options={"dashboard_address": _ANY_PORT},
                job_cls=_make_job_kind(kind.job_cls, submissions),
                **options,
            )
        with cluster:
            # Adaptive: a job that came to the end of its time is replaced.
            cluster.adapt(minimum_jobs=0, maximum_jobs=staff.number)
            yield cluster
        return
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a worker that reads the script again which starts workers; see below
    cores = staff.cores or max(1, (os.cpu_count() or 1) // staff.number)
    own = {} if staff.kind == "threads" else {"env": _list_environment(cores)}
    try:
        cluster = LocalCluster(
            n_workers=1 if staff.kind == "threads" else staff.number,
            threads_per_worker=staff.number if staff.kind == "threads" else 1,
            processes=staff.kind == "processes",
            dashboard_address=_ANY_PORT,
            memory_limit=None,
            resources=list_resources(staff) or None,
            silence_logs=logging.CRITICAL,
            **own,
        )
    except RuntimeError as error:
        raise WorkspaceError(
            f"no worker could be started ({error}); a script that runs a campaign does so below "
            'if __name__ == "__main__":, because every worker reads it too'
        ) from error
    with cluster:
        yield cluster


def _list_environment(cores: int) -> Mapping[str, str]:
    """Keep OpenMM and the numerical libraries of a worker to its cores."""
    given = os.environ.get("OPENMM_CPU_THREADS", str(cores))
    return {"OPENMM_CPU_THREADS": given, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def _list_options(staff: Staff) -> dict[str, Any]:
    """Write the table ``[workers]`` in the words of dask-jobqueue."""
    cores = staff.cores or 1
    resources = ",".join(f"{name}={amount:g}" for name, amount in list_resources(staff).items())
    exports = [f"export {key}={value}" for key, value in _list_environment(cores).items()]
    options: dict[str, Any] = {
        "cores": cores,
        "processes": 1,
        "memory": staff.memory,
        "job_name": "solvation",
        "job_extra_directives": list(staff.directives),
        "job_script_prologue": [*staff.prologue, *exports],
        "worker_extra_args": ["--resources", resources],
    }
    named = {
        "walltime": staff.walltime,
        "queue": staff.queue,
        "project" if staff.kind == "lsf" else "account": staff.account,
        "interface": staff.interface,
    }
    return options | {key: value for key, value in named.items() if value is not None}


def _find_cluster_kind(staff: Staff) -> Any:
    """Find the class of dask-jobqueue for a batch system."""
    try:
        import dask_jobqueue
    except ImportError as error:
        raise WorkspaceError(
            "jobs need dask-jobqueue; install it with: pip install 'solvation[dask]'"
        ) from error
    names = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF"}
    return getattr(dask_jobqueue, f"{names[staff.kind]}Cluster")


def _make_job_kind(base: Any, submissions: Submissions) -> Any:
    """Make a kind of job that notes whether it was taken; Dask would wait for it either way."""
    from distributed.core import Status

    class Job(base):  # type: ignore[misc]
        """A job of the batch system."""

        taken = False

        async def start(self) -> None:
            try:
                await super().start()
            except FileNotFoundError:
                command = str(self.submit_command).split()[0]
                submissions.refusal = f"there is no {command} on this machine"
            except (OSError, RuntimeError, ValueError) as error:
                lines = [line.strip() for line in str(error).splitlines() if line.strip()]
                submissions.refusal = lines[-1] if lines else type(error).__name__
            else:
                self.taken = True
                submissions.accepted += 1
                submissions.refusal = ""
                return
            self.status = Status.running
            _LOG.warning("a job was refused: %s", submissions.refusal)

        async def close(self) -> None:
            submissions.ended += self.taken
            self.taken = False
            await super().close()

    return Job


@contextmanager
def _explain_keys(staff: Staff) -> Iterator[None]:
    """Turn what dask-jobqueue refuses into one line."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise RecipeError(
            f"workers: {staff.kind} refuses them ({str(error).strip().splitlines()[0]}); "
            "correct the table"
        ) from error


def _make_device_plugin() -> Any:
    """Make what gives every worker process of this machine the GPU with its own number."""
    from distributed import WorkerPlugin

    class OneDevice(WorkerPlugin):  # type: ignore[misc]
        """Hide all GPUs but one, before OpenMM looks for any."""

        def setup(self, worker: Any) -> None:
            for key in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
                given = os.environ.get(key, "")
                names = given.split(",") if given else [str(n) for n in range(64)]
                os.environ[key] = names[int(worker.name) % len(names)]

    return OneDevice()
