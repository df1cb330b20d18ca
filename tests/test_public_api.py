"""What can be imported is what is promised, and it costs next to nothing."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import solvation

ROOT = Path(__file__).resolve().parent.parent

IMPORT_LIMIT = 0.3
"""CPU seconds of ``python -c "import solvation"``."""
HELP_LIMIT = 0.5
"""CPU seconds of ``solvation --help``."""


def read_documented() -> list[str]:
    """First column of the table in docs/reference/python.md."""
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    table = text[text.index("| name |") :].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)


def measure_cpu(command: list[str]) -> float:
    """CPU seconds, user and system, of the fastest of three runs of a command."""
    spent = []
    for _ in range(3):
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 (a device)
            child = subprocess.Popen(command, stdout=nothing, stderr=nothing)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, command
        spent.append(usage.ru_utime + usage.ru_stime)
    return min(spent)


def test_documented_names_are_the_exported_ones() -> None:
    documented = read_documented()
    assert len(documented) == len(set(documented))
    assert sorted(documented) == sorted(solvation.__all__)


def test_dir_is_the_promise() -> None:
    assert sorted(dir(solvation)) == sorted(solvation.__all__)


def test_nothing_else_is_importable() -> None:
    """In a fresh interpreter: every promised name, and no other without an underscore."""
    code = (
        "import solvation\n"
        "early = {n for n in vars(solvation) if not n.startswith('_')}\n"
        "for name in solvation.__all__:\n"
        "    getattr(solvation, name)\n"
        "print(*sorted(early))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What the package needs to look names up; nobody is promised these.
    assert set(done.stdout.split()) <= {"annotations", "import_module", "TYPE_CHECKING", "Any"}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = solvation.no_such_name


@pytest.mark.parametrize("name", [n for n in solvation.__all__ if n != "__version__"])
def test_public_name_has_a_docstring(name: str) -> None:
    value = getattr(solvation, name)
    assert value.__module__.startswith("solvation.")
    text = inspect.getdoc(value)
    assert text, f"solvation.{name} has no docstring"
    first = text.splitlines()[0]
    assert first.endswith("."), f"solvation.{name}: the first line is no sentence: {first!r}"
    if not inspect.isclass(value):
        return
    for member, thing in vars(value).items():
        if member.startswith("_") or not (inspect.isfunction(thing) or isinstance(thing, property)):
            continue
        assert inspect.getdoc(thing), f"solvation.{name}.{member} has no docstring"


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert solvation.__version__ == version("solvation")


def test_errors_are_builtins_too() -> None:
    from solvation import errors

    text = inspect.getdoc(errors) or ""
    for name, builtin in re.findall(r"── (\w+) +\((\w+)\)", text):
        kind = getattr(solvation, name)
        assert issubclass(kind, solvation.SolvationError)
        assert issubclass(kind, getattr(__import__("builtins"), builtin))
    drawn = {name for name, _ in re.findall(r"── (\w+) +\((\w+)\)", text)}
    assert drawn | {"SolvationError"} == set(errors.__all__)


def test_package_is_typed() -> None:
    assert (Path(solvation.__file__).parent / "py.typed").is_file()


def test_import_is_cheap() -> None:
    spent = measure_cpu([sys.executable, "-c", "import solvation"])
    assert spent < IMPORT_LIMIT, f"import solvation took {spent:.2f} s of CPU time"


def test_import_loads_nothing_heavy() -> None:
    """`-X importtime` lists every module that an import runs."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import solvation"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    heavy = {"numpy", "scipy", "xarray", "openmm", "MDAnalysis", "rdkit", "matplotlib", "pydantic",
             "pint", "typer", "rich", "jinja2"}  # fmt: skip
    assert not loaded & heavy


def test_help_is_cheap() -> None:
    beside = Path(sys.executable).with_name("solvation")
    program = str(beside) if beside.exists() else shutil.which("solvation")
    if program is None:
        pytest.skip("the solvation command is not installed")
    spent = measure_cpu([program, "--help"])
    assert spent < HELP_LIMIT, f"solvation --help took {spent:.2f} s of CPU time"
