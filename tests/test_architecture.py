"""The house rules of CONTRIBUTING.md: layers, homes of heavy libraries, size, docstrings."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "solvation"
MODULES = sorted(PACKAGE.rglob("*.py"))

LONGEST = 350
"""Lines; "at most about 300"."""

LONGER = {"pipeline.py": 475, "library.py": 450, "simulate/loop.py": 365}
"""Modules that are longer still, and the length they may not grow beyond."""

HOMES = {
    "rdkit": ("library.py", "smiles.py", "element.py", "build/"),
    "openmm": (
        "build/system.py",
        "build/terms.py",
        "build/drude.py",
        "build/audit.py",
        "export/",
        "simulate/",
    ),
    "parmed": ("export/amber.py",),
    "MDAnalysis": ("analyze/reader.py",),
    "matplotlib": ("report/figures.py", "report/chart.py", "report/panel.py"),
    "dask": ("worker.py", "campaign/"),
    "distributed": ("worker.py", "campaign/"),
    "dask_jobqueue": ("campaign/",),
}
"""Where each heavy library may be imported, inside functions only."""

SLOW_TO_IMPORT = {*HOMES, "pint", "xarray", "jinja2", "pandas", "netCDF4"}
"""Never imported when a module is."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def list_imports(tree: ast.AST, *, at_load: bool = False) -> list[str]:
    """Top-level packages that are imported, those for type checking left out.

    With ``at_load`` only those imported as soon as the module is: not inside functions.
    """
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "").partition(".")[0])
        elif at_load and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        elif not (isinstance(node, ast.stmt) and is_type_checking(node)):
            found += list_imports(node, at_load=at_load)
    return found


def read_exports(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def list_definitions(tree: ast.Module) -> list[str]:
    """Functions and classes that the module itself defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in tree.body if isinstance(node, kinds)]


def list_names(tree: ast.Module) -> set[str]:
    """Everything bound at the top of a module."""
    names = set(list_definitions(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            names |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
    return names


def test_layer_contracts_are_kept() -> None:
    """What import-linter says of the contracts in pyproject.toml."""
    beside = Path(sys.executable).with_name("lint-imports")
    program = str(beside) if beside.exists() else shutil.which("lint-imports")
    if program is None:
        pytest.skip('import-linter is not installed; pip install "solvation[dev]"')
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(parse(path)), f"{name_of(path)} does not say what it is for"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_module_lists_its_names(path: Path) -> None:
    tree = parse(path)
    exports = read_exports(tree)
    if exports is None:
        assert not [name for name in list_definitions(tree) if not name.startswith("_")], (
            f"{name_of(path)} defines public names but has no __all__"
        )
        return
    assert len(set(exports)) == len(exports)
    if path != PACKAGE / "__init__.py":  # its names are imported when they are used
        missing = sorted(set(exports) - list_names(tree))
        assert not missing, f"{name_of(path)}: __all__ names {missing}, which are not there"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = LONGER.get(name_of(path), LONGEST)
    assert lines <= limit, f"{name_of(path)} has {lines} lines, more than {limit}; split it"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_print_is_used_in_commands_only(path: Path) -> None:
    lines = [
        node.lineno
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    here = name_of(path)
    assert not lines or here.startswith("command/"), f"{here} prints in lines {lines}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_at_home(path: Path) -> None:
    here = name_of(path)
    for library in sorted(set(list_imports(parse(path))) & set(HOMES)):
        assert here.startswith(HOMES[library]), (
            f"{here} imports {library}, whose home is {', '.join(HOMES[library])}"
        )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_slow_libraries_are_imported_in_functions(path: Path) -> None:
    found = sorted(set(list_imports(parse(path), at_load=True)) & SLOW_TO_IMPORT)
    assert not found, f"{name_of(path)} imports {found} when it is loaded"


def test_names_are_singular_nouns() -> None:
    banned = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert not [name_of(path) for path in MODULES if path.stem in banned]


def test_unit_tests_mirror_the_package() -> None:
    """A unit test is named after its module, or after a part of it, and lies in the same place."""
    strays = []
    for test in sorted((ROOT / "tests" / "unit").rglob("test_*.py")):
        folder = test.parent.relative_to(ROOT / "tests" / "unit")
        name = test.stem.removeprefix("test_")
        home = PACKAGE / folder
        stems = {path.stem for path in home.glob("*.py")} | {path.name for path in home.glob("*/")}
        if not any(name == stem or name.startswith(f"{stem}_") for stem in stems):
            strays.append((folder / test.name).as_posix())
    assert not strays, f"no module for {strays}"


def test_there_is_one_loop_over_frames() -> None:
    """Only the driver walks trajectories; `Scene.read_frame` takes single frames."""
    callers = [
        name_of(path)
        for path in MODULES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "iterate"
    ]
    assert sorted(set(callers)) == ["analyze/driver.py", "analyze/topology.py"]
