"""Workers: where frames are looked at, processes of this machine or those of a Dask cluster."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["HERE", "Workers", "open_workers"]


class Workers(NamedTuple):
    """Who looks at frames."""

    executor: Executor | None
    """Any `concurrent.futures.Executor` whose workers see the same files; None for this process."""
    number: int
    """How many pieces are worked on at once."""


HERE = Workers(None, 1)
"""This process, one piece after the other."""


@contextmanager
def open_workers(jobs: int = 1, scheduler: str | None = None) -> Iterator[Workers]:
    """Open workers, and close them at the end.

    Parameters
    ----------
    jobs
        Processes on this machine; with 1 everything is done here.
    scheduler
        Address of a Dask scheduler, e.g. ``"tcp://node1:8786"``, whose workers see the same files;
        then ``jobs`` is not used.

    Raises
    ------
    WorkspaceError
        If ``jobs`` is less than 1, Dask is not installed, or the scheduler does not answer.

    Examples
    --------
    >>> with open_workers(1) as workers:
    ...     workers.number
    1
    """
    if jobs < 1:
        raise WorkspaceError(f"{jobs} jobs cannot do anything; give 1 or more")
    if scheduler is not None:
        with _open_dask(scheduler) as found:
            yield found
    elif jobs == 1:
        yield HERE
    else:
        with _open_processes(jobs) as executor:
            yield Workers(executor, jobs)


@contextmanager
def _open_processes(jobs: int) -> Iterator[Executor]:
    """Start processes; a worker that is killed is an error in one line."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A fork is there at once; elsewhere each process imports everything again.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if methods[0] == "fork" else "spawn")
    with warnings.catch_warnings():
        # Python 3.12 warns of forks where threads run. Ours draw a progress bar; workers do not.
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupt)
        try:
            yield executor
        except BrokenProcessPool as error:
            raise WorkspaceError(
                f"a worker was killed, perhaps for want of memory; give fewer than {jobs} jobs"
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupt() -> None:
    """Leave an interrupt from the keyboard to the process that started the workers."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _open_dask(scheduler: str) -> Iterator[Workers]:
    """Connect to a Dask cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise WorkspaceError(
            "a Dask scheduler needs Dask; install it with: pip install 'solvation[dask]'"
        ) from error
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkspaceError(f"no Dask scheduler answers at {scheduler}; check --scheduler") from (
            error
        )
    with client:
        yield Workers(client.get_executor(pure=False), max(sum(client.nthreads().values()), 1))
