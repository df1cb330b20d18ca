"""Reference read from the program: recipe keys, options, names of results, errors, modules.

Every function returns Markdown. Nothing is written by hand here but headings, so that a page
cannot say what the program does not do.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import textwrap
import types
import typing
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "draw_arrays",
    "draw_commands",
    "draw_errors",
    "draw_keys",
    "draw_modules",
    "draw_public",
    "list_modules",
    "read_field_docs",
]

TABLES = ("Salt", "Solvent", "Additive", "Missing", "Conditions", "Model", "Box", "Protocol")
"""Tables of a recipe, in the order in which people write them."""


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; a bar inside a cell is escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(escape_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def escape_cell(cell: str) -> str:
    """Escape what Markdown would take for the end of a cell or for HTML, outside code."""
    parts = cell.replace("|", "\\|").split("`")
    return "`".join(part if k % 2 else part.replace("<", "\\<") for k, part in enumerate(parts))


# Recipe -------------------------------------------------------------------------------------


def read_field_docs(table: type) -> dict[str, str]:
    """Read the docstring under every field of a class, as Markdown."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(table))).body[0]
    found: dict[str, str] = {}
    body = typing.cast("ast.ClassDef", tree).body
    for field, below in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = inspect.cleandoc(str(below.value.value)).replace("``", "`")
    return found


def describe_kind(annotation: Any) -> str:
    """Say in words what a key takes."""
    from solvation.amount import Amount, Concentration

    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_kind(a) for a in args if a is not type(None))
    if origin is typing.Literal:
        return ", ".join(f'`"{a}"`' for a in args)
    if origin is tuple:
        return f"list of {describe_kind(args[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Concentration):
        return "mol/L or mol/kg"
    if isinstance(annotation, type) and issubclass(annotation, Amount):
        zero = ", may be zero" if annotation.inclusive else ""
        return f"{annotation.__name__.lower().replace('duration', 'time')} with a unit{zero}"
    return {str: "text", int: "whole number", float: "number"}.get(annotation, "table")


def draw_keys() -> str:
    """Write every key of every table of a recipe."""
    from solvation import section
    from solvation.recipe import Recipe

    parts = []
    for table in (Recipe, *(getattr(section, name) for name in TABLES)):
        docs = read_field_docs(table)
        several = table.__name__ in ("Salt", "Solvent", "Additive")
        name = table.__name__.lower()
        title = "top level" if table is Recipe else f"`[[{name}]]`" if several else f"`[{name}]`"
        rows = []
        for key, field in table.model_fields.items():
            if table is Recipe and key.capitalize() in TABLES:
                continue
            default = "required" if field.is_required() else ""
            if not field.is_required() and field.default not in (None, "", ()):
                default = f"`{field.default}`"
            rows.append((f"`{key}`", describe_kind(field.annotation), default, docs.get(key, "")))
        doc = (inspect.getdoc(table) or "").splitlines()[0]
        parts.append(
            f"## {title[0].upper() + title[1:]}\n\n{doc}\n\n"
            + write_table(("key", "takes", "default", "meaning"), rows)
        )
    return "\n".join(parts)


# Command line -------------------------------------------------------------------------------


def draw_commands() -> str:
    """Write the help of every command, its arguments and options in a table."""
    import typer

    from solvation.cli import app

    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join(draw_command(name, command) for name, command in commands.items())


def draw_command(name: str, command: Any, path: str = "solvation") -> str:
    """Write one command, and those inside it."""
    if hasattr(command, "commands"):
        head = f"## `{path} {name}`\n\n{inspect.cleandoc(command.help or '')}\n\n"
        inner = (draw_command(n, c, f"{path} {name}") for n, c in command.commands.items())
        return head + "\n".join(inner)
    words, rows = [f"{path} {name}"], []
    for parameter in command.params:
        if "--help" in parameter.opts:
            continue
        flag = getattr(parameter, "is_flag", False)
        shown = describe_values(parameter)
        if not parameter.opts[0].startswith("-"):
            words.append(shown if parameter.required else f"[{shown}]")
            left = f"`{shown}`"
        else:
            flags = ", ".join(f"`{word}`" for word in parameter.opts)
            left = flags if flag else f"{flags} `{shown}`"
        more = " Repeatable." if getattr(parameter, "multiple", False) else ""
        value = parameter.default
        plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        default = f"`{value}`" if plain and value != "" else ""
        rows.append((left, (parameter.help or "") + more, default))
    words.append("[OPTIONS]")
    text, _, examples = (
        inspect.cleandoc(command.help or "")
        .replace("\nExample:\n", "\nExamples:\n")
        .partition("\nExamples:\n")
    )
    shown = "\n".join(line.strip() for line in examples.splitlines() if line.strip())
    block = f"```sh\n{shown}\n```\n\n" if shown else ""
    return (
        f"## `{path} {name}`\n\n```text\n{' '.join(words)}\n```\n\n{text.strip()}\n\n{block}"
        + write_table(("option", "meaning", "default"), rows)
    )


def describe_values(parameter: Any) -> str:
    """Say what an option takes: its choices, or the word that its help uses."""
    from enum import EnumMeta

    described = getattr(parameter, "type_descriptor", None)
    annotation = getattr(described, "annotation", None)
    if isinstance(annotation, EnumMeta):
        return "|".join(str(choice.value) for choice in annotation)
    return str(parameter.metavar or getattr(annotation, "__name__", "value").upper())


# Results ------------------------------------------------------------------------------------


def draw_arrays() -> str:
    """Analyze a made-up box and write every variable that comes out, with its unit."""
    from solvation.analyze.frames import ArraySource
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.topology import scene_from_arrays
    from solvation.synthetic import make_mixture

    box = make_mixture(np.random.default_rng(7), n_frames=24)
    source = ArraySource(positions=box.positions, boxes=box.box, times=box.times)
    scene = scene_from_arrays(box.elements, box.bonds, [source], charges=box.charges)
    tree, _ = analyze_scene(scene, temperature=298.15)
    parts = []
    for name, node in sorted(tree.children.items()):
        rows = []
        for key, values in node.data_vars.items():
            if str(key).endswith("_stderr"):
                continue
            error = "yes" if f"{key}_stderr" in node else ""
            shape = ", ".join(map(str, values.dims))
            unit = str(values.attrs["units"])
            rows.append((f"`{key}`", shape, unit, str(values.attrs["long_name"]), error))
        head = ("variable", "dimensions", "unit", "what", "error")
        parts.append(f"## `{name}`\n\n" + write_table(head, rows))
    return "\n".join(parts)


# Python -------------------------------------------------------------------------------------


def draw_errors() -> str:
    """Write the tree of errors as it is drawn in the module, and each with its exit code."""
    from solvation import errors

    doc = inspect.getdoc(errors) or ""
    lines = [line[4:] for line in doc.splitlines() if line.startswith("    ")]
    rows = []
    for name in errors.__all__:
        kind = getattr(errors, name)
        builtin = next((b.__name__ for b in kind.__bases__ if b.__module__ == "builtins"), "")
        first = (inspect.getdoc(kind) or "").splitlines()[0]
        rows.append((f"`{name}`", f"`{builtin}`", str(kind.exit_code), first))
    tree = "```text\n" + "\n".join(lines) + "\n```\n"
    return tree + "\n" + write_table(("error", "is also", "exit code", "when"), rows)


def draw_public() -> str:
    """Write every promised name with its signature and docstring."""
    import solvation

    parts = []
    for name in solvation.__all__:
        value = getattr(solvation, name)
        if name == "__version__" or (inspect.isclass(value) and issubclass(value, Exception)):
            continue
        parts.append(f"## `{name}`\n\n{draw_object(value)}")
    return "\n".join(parts)


def draw_object(value: Any) -> str:
    """Hand one object to autodoc, under the module that defines it."""
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    lines = [f".. {kind}:: {value.__module__}.{value.__qualname__}"]
    if kind == "autoclass":
        lines.append("   :special-members: __getitem__")
        lines.append("   :exclude-members: model_config")
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"


def list_modules(package: str) -> list[str]:
    """List the modules of ``solvation.<package>``, or those that lie in no subpackage."""
    home = importlib.import_module(f"solvation.{package}" if package else "solvation")
    names = [
        f"{home.__name__}.{module.name}"
        for module in pkgutil.iter_modules(home.__path__)
        if not module.ispkg and not module.name.startswith("__")
    ]
    return sorted(names)


def is_described_elsewhere(module: types.ModuleType, name: str, promised: set[Any]) -> bool:
    """Say whether a name is promised, and so on its own page, or at home in another module."""
    value = getattr(module, name)
    if isinstance(value, (type, types.FunctionType)):
        return value in promised or value.__module__ != module.__name__
    return False


def draw_modules(package: str = "") -> str:
    """Write everything in ``__all__`` of every module of a package."""
    import solvation

    promised = {getattr(solvation, n) for n in solvation.__all__ if n != "__version__"}
    parts = []
    for name in list_modules(package):
        module = importlib.import_module(name)
        exports = getattr(module, "__all__", None)
        if not exports:
            continue
        left = [other for other in exports if is_described_elsewhere(module, other, promised)]
        hidden = ", ".join(["model_config", "model_post_init", *left])
        lines = [f".. automodule:: {name}", f"   :exclude-members: {hidden}"]
        parts.append(f"## `{name}`\n\n```{{eval-rst}}\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)
