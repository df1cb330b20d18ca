"""Cluster: the Dask workers of a campaign, and the job script that a batch system would get."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from solvation.campaign.plan import Staff

__all__ = ["list_resources", "open_client", "write_job_script"]

_ANY_PORT = ":0"
"""Of the scheduler's status page: several campaigns may run on one machine."""
_ANSWER = "30s"
"""How long to wait for a scheduler that is said to run."""


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
    jobqueue = _import_jobqueue()
    kinds = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF"}
    kind = getattr(jobqueue, f"{kinds[staff.kind]}Cluster").job_cls
    with _explain_keys(staff):
        job = kind(scheduler="tcp://SCHEDULER:PORT", name="solvation", **_list_options(staff))
    return str(job.job_script())


@contextmanager
def open_client(staff: Staff) -> Iterator[Any]:
    """Start workers, or find them, and close what was started at the end.

    Yields
    ------
    distributed.Client

    Raises
    ------
    WorkspaceError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise WorkspaceError(
            "a campaign needs Dask; install it with: pip install 'solvation[dask]'"
        ) from error
    # Whoever wants to know sets this logger; what concerns the user is told in other words.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # A job that ends with its time is no failure of what it was doing.
    allowed = 1000 if staff.is_batch else 3
    quiet = {
        "distributed.scheduler.allowed-failures": allowed,
        "distributed.admin.tick.limit": "1h",
    }
    with dask.config.set(quiet):
        if staff.kind == "scheduler":
            try:
                client = Client(staff.address, timeout=_ANSWER)
            except (OSError, TimeoutError, ValueError) as error:
                raise WorkspaceError(
                    f"no Dask scheduler answers at {staff.address}; check workers.address"
                ) from error
            with client:
                yield client
            return
        with _open_cluster(staff) as cluster, Client(cluster) as client:
            if staff.gpus and not staff.is_batch:
                client.register_plugin(_make_device_plugin())
            yield client


@contextmanager
def _open_cluster(staff: Staff) -> Iterator[Any]:
    """Start workers on this machine, or a scheduler that submits jobs."""
    from distributed import LocalCluster

    if staff.is_batch:
        jobqueue = _import_jobqueue()
        kinds = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF"}
        options = _list_options(staff)
        with _explain_keys(staff):
            cluster = getattr(jobqueue, f"{kinds[staff.kind]}Cluster")(
                scheduler_options={"dashboard_address": _ANY_PORT}, **options
            )
        with cluster:
            # Adaptive: a job that came to the end of its time is replaced.
            cluster.adapt(minimum_jobs=0, maximum_jobs=staff.number)
            yield cluster
        return
    cores = staff.cores or max(1, (os.cpu_count() or 1) // staff.number)
    own = {} if staff.kind == "threads" else {"env": _list_environment(cores)}
    with LocalCluster(
        n_workers=1 if staff.kind == "threads" else staff.number,
        threads_per_worker=staff.number if staff.kind == "threads" else 1,
        processes=staff.kind == "processes",
        dashboard_address=_ANY_PORT,
        memory_limit=None,
        resources=list_resources(staff) or None,
        silence_logs=logging.CRITICAL,
        **own,
    ) as cluster:
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


def _import_jobqueue() -> Any:
    """Import dask-jobqueue."""
    try:
        import dask_jobqueue
    except ImportError as error:
        raise WorkspaceError(
            "jobs need dask-jobqueue; install it with: pip install 'solvation[dask]'"
        ) from error
    return dask_jobqueue


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
