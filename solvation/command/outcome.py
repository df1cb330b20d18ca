"""Outcome: what a command prints at its end, and the exit code it leaves with."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from solvation.display import show_quantities
from solvation.errors import SolvationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solvation.job import Run

__all__ = ["finish_run", "guard_errors", "leave", "say_line", "show_version", "write_command_line"]


def finish_run(run: Run, strict: bool, as_json: bool) -> None:
    """Print the numbers, and where the page is."""
    quantities = run.quantities
    if as_json:
        print(run.folder.summary.read_text(encoding="utf-8"), end="")
    else:
        show_quantities(quantities)
        if run.report.exists():
            print(f"\nreport: {run.report}")
    doubtful = sum(quantity.status == "not_converged" for quantity in quantities)
    if strict and doubtful:
        leave(f"{doubtful} of {len(quantities)} quantities are not converged; run longer", 4)


@contextmanager
def guard_errors() -> Iterator[None]:
    """Turn the package's errors into one line and an exit code."""
    try:
        yield
    except SolvationError as error:
        leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        leave("interrupted; run the same command again to continue", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def leave(message: str, code: int) -> NoReturn:
    """Say one line on standard error and leave."""
    raise typer.Exit(say_line(message, code))


def say_line(message: str, code: int) -> int:
    """Print one line on standard error; returns the exit code."""
    print(f"solvation: {' '.join(message.split())}", file=sys.stderr)
    return code


def show_version(asked: bool) -> None:
    """Print the version and stop, if asked."""
    if asked:
        from solvation import __version__

        print(__version__)
        raise typer.Exit


def write_command_line() -> str:
    """Write what the user typed."""
    return shlex.join(["solvation", *sys.argv[1:]])
