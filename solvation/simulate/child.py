"""Child: one replica in a process of its own; started by `solvation.simulate.crew`, not by people.

What to do comes by standard input, news go out by standard output. When the pipe breaks, because
the process that started this one is gone, the replica writes a checkpoint and ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, cast

from solvation.errors import SolvationError
from solvation.simulate.crew import receive, run_task, send
from solvation.simulate.halt import Halt

if TYPE_CHECKING:
    from solvation.simulate.crew import Task
    from solvation.simulate.hardware import Hardware

__all__ = ["main"]


def main() -> None:
    """Run one replica."""
    # Libraries may print; what they print must not run into the news.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    halt, writing = Halt(), threading.Lock()

    def tell(item: object) -> None:
        with writing, contextlib.suppress(OSError):
            send(out, item)

    class Relay(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(record.getMessage())

    logging.basicConfig(level=logging.WARNING, handlers=[Relay()])
    # Ctrl-C reaches every process of a terminal; the one that started this one passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: halt.ask("asked to by SIGTERM"))
    job = receive(sys.stdin.buffer)
    if job is None:
        return

    def heed() -> None:
        reason = receive(sys.stdin.buffer)
        halt.ask(str(reason) if reason is not None else "the main process is gone")

    threading.Thread(target=heed, daemon=True).start()
    task, hardware = cast("tuple[Task, Hardware]", job)
    try:
        tell(run_task(task, hardware, tell, halt))
    except SolvationError as error:
        tell(error)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    out.close()
    _leave(0)


def _leave(code: int) -> None:
    """End at once: the thread that reads standard input would hold the interpreter."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
