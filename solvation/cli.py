"""Command line: ``solvation run mg-tfsi2-dme`` and its parts."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from typing import Annotated, Any

import typer

from solvation.command.analyze import analyze_command
from solvation.command.campaign import campaign_command
from solvation.command.catalog import forcefields_command
from solvation.command.compare import compare_command
from solvation.command.doctor import doctor_command
from solvation.command.export import export_command
from solvation.command.new import new_command
from solvation.command.outcome import say_line, show_version
from solvation.command.parametrize import parametrize_command
from solvation.command.show import show_command
from solvation.command.stage import build_command, report_command, run_command, simulate_command
from solvation.command.systems import systems_command

__all__ = ["app", "main"]

app = typer.Typer(
    name="solvation",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "What does this Ca2+ or Mg2+ salt do in this ether?\n\n"
        "One command takes a recipe to a report:\n\n"
        "  solvation run mg-tfsi2-dme --profile quick\n\n"
        "Run it again after anything went wrong: it continues where it stopped. "
        "A trajectory that another program made is analyzed with:\n\n"
        "  solvation analyze --topology TOPOLOGY --trajectory TRAJECTORY\n\n"
        "Exit codes: 0 done, 2 the input is wrong, 3 the simulation failed, "
        "4 done but not converged (--strict, --until-converged), 130 interrupted."
    ),
)

app.command("run")(run_command)
app.command("build")(build_command)
app.command("simulate")(simulate_command)
app.command("analyze")(analyze_command)
app.command("report")(report_command)
app.command("show")(show_command)
app.command("compare")(compare_command)
app.command("campaign")(campaign_command)
app.command("systems")(systems_command)
app.command("new")(new_command)
app.command("forcefields")(forcefields_command)
app.command("parametrize")(parametrize_command)
app.command("export")(export_command)
app.command("doctor")(doctor_command)


@app.callback()
def _choose(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=show_version, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Hold the options that belong to no command."""


def main() -> None:
    """Entry point: run the command line, with one line for whatever the user can mend."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("MDAnalysis").setLevel(logging.ERROR)
    if not sys.flags.dev_mode and not sys.warnoptions:
        warnings.simplefilter("ignore", DeprecationWarning)
    earlier = _interrupt_on_sigterm()
    try:
        code = app(standalone_mode=False)
    except typer.Exit as done:
        code = done.exit_code
    except KeyboardInterrupt:
        code = say_line("interrupted; run the same command again to continue", 130)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # how typer reports a misspelt option
        if usage is None or not hasattr(error, "exit_code"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
            sys.exit(0)
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "solvation"
        code = say_line(f"{usage().replace('Value error, ', '')} (`{path} --help` explains)", 2)
    finally:
        if earlier is not None:
            signal.signal(signal.SIGTERM, earlier)
    sys.exit(code or 0)


def _interrupt_on_sigterm() -> Any:
    """Make a batch system's SIGTERM the same as Ctrl-C; returns what was done with it before."""
    if threading.current_thread() is not threading.main_thread():
        return None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    return signal.signal(signal.SIGTERM, interrupt)
