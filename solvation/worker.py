"""Workers: where frames are looked at, processes of this machine or those of a Dask cluster."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkContext

__all__ = [
    "HERE", "Workers", "do_together", "iter_together", "open_workers", "silence_dask",
]  # fmt: skip

T = TypeVar("T")


class Workers(NamedTuple):
    """Who looks at frames."""

    executor: Executor | None
    """Any `concurrent.futures.Executor` whose workers see the same files; None for this process."""
    number: int
    """How many pieces are worked on at once."""
    forks: int = 1
    """How many processes of this machine may be at work at once, this one included."""


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
            yield Workers(executor, jobs, jobs if _may_fork() else 1)


@contextmanager
def _open_processes(jobs: int) -> Iterator[Executor]:
    """Start processes; a worker that is killed is an error in one line."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A fork is there at once; elsewhere each process imports everything again.
    context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    with warnings.catch_warnings():
        # Python 3.12 warns of forks where threads run. Ours draw a progress bar; workers do not.
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_settle)
        try:
            yield executor
        except BrokenProcessPool as error:
            raise _mourn(jobs) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _may_fork() -> bool:
    """Tell whether forking is how this machine starts processes."""
    import multiprocessing

    return multiprocessing.get_all_start_methods()[0] == "fork"


def _settle() -> None:
    """Leave interrupts from the keyboard to the parent, and what came from it where it is."""
    import gc
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Looking through the parent's objects for garbage would copy all their pages.
    gc.freeze()


def _mourn(jobs: int) -> WorkspaceError:
    return WorkspaceError(
        f"a worker was killed, perhaps for want of memory; give fewer than {jobs} jobs"
    )


def do_together(workers: Workers, tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Do tasks that need nothing of each other, in as many processes as may be at work at once.

    Processes are forked for them: they see everything that is here, and only results travel, so
    that tasks may be closures over large tables. The first task is done here in any case; it may
    read files that are open, which two processes must not share. Where processes are not forked,
    and with workers elsewhere, all is done here, one after the other.

    Parameters
    ----------
    workers
        From `open_workers`.
    tasks
        Called without arguments; the longest first keep all processes busy to the end.

    Returns
    -------
    Results in the order of the tasks.

    Raises
    ------
    WorkspaceError
        If a process was killed. What a task raises is raised here.

    Examples
    --------
    >>> do_together(HERE, [lambda: 1, lambda: 2])
    [1, 2]
    """
    number = min(workers.forks, len(tasks))
    if number < 2:
        return [task() for task in tasks]
    import multiprocessing

    context = multiprocessing.get_context("fork")
    found: dict[int, T] = {}
    with _fork(context, tasks, number - 1) as (turn, pipes):
        found[0] = tasks[0]()
        found |= {k: tasks[k]() for k in _take_turns(turn, len(tasks))}
        for pipe in pipes:
            try:
                news: dict[int, T] | BaseException = pipe.recv()
            except EOFError as error:
                raise _mourn(workers.forks) from error
            if isinstance(news, BaseException):
                raise news
            found |= news
    return [found[k] for k in range(len(tasks))]


def iter_together(workers: Workers, tasks: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Do the same, and hand out results in order; here, each task is done when it is asked for.

    Examples
    --------
    >>> list(iter_together(HERE, [lambda: 1, lambda: 2]))
    [1, 2]
    """
    if min(workers.forks, len(tasks)) < 2:
        yield from (task() for task in tasks)
    else:
        yield from do_together(workers, tasks)


@contextmanager
def _fork(
    context: ForkContext, tasks: Sequence[Callable[[], Any]], number: int
) -> Iterator[tuple[Any, list[Connection]]]:
    """Fork processes that take tasks from the second on, and end them."""
    turn = context.Value("q", 1)
    pipes, processes = [], []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        for _ in range(number):
            mine, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(tasks, turn, theirs), daemon=True)
            process.start()
            # The other end is open in the child alone, so that its death is seen here.
            theirs.close()
            pipes.append(mine)
            processes.append(process)
    try:
        yield turn, pipes
    except BaseException:
        for process in processes:
            process.kill()
            process.join()
        raise
    finally:
        # Nobody waits for a process to be taken apart that has sent all it had.
        for pipe in pipes:
            pipe.close()


def _take_turns(turn: Any, number: int) -> Iterator[int]:
    """Yield the numbers of tasks that nobody has begun."""
    while True:
        with turn.get_lock():
            k = int(turn.value)
            turn.value = k + 1
        if k >= number:
            return
        yield k


def _work(tasks: Sequence[Callable[[], Any]], turn: Any, pipe: Connection) -> None:
    """Do tasks in a forked process, and send back what came of them."""
    _settle()
    try:
        news: Any = {k: tasks[k]() for k in _take_turns(turn, len(tasks))}
    except Exception as error:
        news = error
    pipe.send(news)


def silence_dask() -> None:
    """Keep Dask's own news from the user, whom what concerns them is told in other words.

    Whoever wants to know sets these loggers.
    """
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _open_dask(scheduler: str) -> Iterator[Workers]:
    """Connect to a Dask cluster; one that vanishes is an error in one line."""
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise WorkspaceError(
            "a Dask scheduler needs Dask; install it with: pip install 'solvation[dask]'"
        ) from error
    silence_dask()
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkspaceError(f"no Dask scheduler answers at {scheduler}; check --scheduler") from (
            error
        )
    with client:
        try:
            yield Workers(client.get_executor(pure=False), max(sum(client.nthreads().values()), 1))
        except (CancelledError, CommClosedError) as error:
            raise WorkspaceError(
                f"the Dask scheduler at {scheduler} is gone; run it again with another, or "
                "without --scheduler"
            ) from error
        except KilledWorker as error:
            raise WorkspaceError(
                f"workers of {scheduler} were killed again and again, perhaps for want of memory; "
                "give fewer threads per worker, or run without --scheduler"
            ) from error
