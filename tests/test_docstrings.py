"""What a docstring must say: what it is, shapes and units of arrays, errors, fields, sources.

Public is what a module lists in ``__all__``, and the public methods and fields of its classes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "solvation"
MODULES = sorted(PACKAGE.rglob("*.py"))

ARRAY = re.compile(
    r"\b(Floats|Ints|Bools|Shorts|Whole|Rows)\b|\bCounts\b(?!\])|NDArray|ArrayLike|ndarray"
)
"""Annotations of arrays."""
SHAPE = re.compile(r"``\([^`]*\)``|``\(\)``|[Ss]hape")
UNIT = re.compile(
    r"Å|\b(ps|ns|kJ/mol|e|u|K|bar|nm|bohr|hartree|radians?|degrees?|mol|frames?|unit|units)\b"
    r"|m2/s|mS/cm|mPa|g/cm3|cm3/mol|[Ff]raction|[Nn]umber|[Cc]ount|[Ii]nd(ex|ices)|[Ww]hether"
    r"|[Pp]robabilit|[Cc]hance|[Ww]eights?|[Ss]hare"
)
"""A unit, or a word for what has none."""
SOURCE = re.compile(
    r"\b10\.\d{4,}/|\b(1[89]|20)\d\d\b|exact|by definition|closed form|in double|no method"
)
"""A DOI, a year of a citation, or a word that none is needed."""


@dataclass(frozen=True)
class Public:
    """A public object and the text that surrounds it."""

    place: str
    node: ast.FunctionDef | ast.ClassDef
    around: str

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""


def read_exports(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def list_public(path: Path) -> Iterator[Public]:
    """Everything public in a module; a method is read with its class and module around it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    here = path.relative_to(ROOT).as_posix()
    about = ast.get_docstring(tree) or ""
    exports = read_exports(tree)
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name not in exports:
            continue
        yield Public(f"{here}: {node.name}", node, about)
        if isinstance(node, ast.ClassDef):
            texts = [n.value.value for n in node.body if is_text(n)]
            around = " ".join([about, *texts])
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield Public(f"{here}: {node.name}.{inner.name}", inner, around)


def is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def list_annotations(node: ast.FunctionDef) -> str:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    found = [ast.unparse(a.annotation) for a in every if a.annotation]
    return " ".join([*found, ast.unparse(node.returns) if node.returns else ""])


PUBLIC = [item for path in MODULES for item in list_public(path)]
FUNCTIONS = [item for item in PUBLIC if isinstance(item.node, ast.FunctionDef)]
CLASSES = [item for item in PUBLIC if isinstance(item.node, ast.ClassDef)]


def test_there_is_much_to_check() -> None:
    assert len(FUNCTIONS) > 400
    assert len(CLASSES) > 80


def test_every_object_says_what_it_is() -> None:
    """Nothing public, module, class, function or method, is without; as interrogate counts it."""
    bare = [path.name for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    bare += [item.place for item in PUBLIC if not item.doc]
    assert not bare


def test_arrays_have_shapes_and_units() -> None:
    shapes, units = [], []
    for item in FUNCTIONS:
        assert isinstance(item.node, ast.FunctionDef)
        if not ARRAY.search(list_annotations(item.node)):
            continue
        text = f"{item.doc} {item.around}"
        if not SHAPE.search(text):
            shapes.append(item.place)
        if not UNIT.search(text):
            units.append(item.place)
    assert not shapes, f"say the shape, as ``(n_frames, 3)``: {shapes}"
    assert not units, f"say the unit: {units}"


def test_errors_are_listed() -> None:
    """What a function raises itself stands in its docstring; commands turn errors into lines."""
    missing = []
    for item in FUNCTIONS:
        if "/command/" in item.place:
            continue
        caught = {
            name
            for node in ast.walk(item.node)
            if isinstance(node, ast.ExceptHandler) and node.type
            for name in re.findall(r"\w+Error", ast.unparse(node.type))
        }
        raised = {
            node.exc.func.id
            for node in ast.walk(item.node)
            if isinstance(node, ast.Raise)
            and isinstance(node.exc, ast.Call)
            and isinstance(node.exc.func, ast.Name)
            and node.exc.func.id.endswith("Error")
        }
        # What it also catches is its own way of speaking to itself.
        said = f"{item.doc} {item.around}"
        missing += [f"{item.place}: {name}" for name in sorted(raised - caught) if name not in said]
    assert not missing


def test_fields_have_a_docstring_below() -> None:
    bare = []
    for item in CLASSES:
        if "/command/" in item.place:  # options have their help
            continue
        body = item.node.body
        for field, below in zip(body, [*body[1:], None], strict=True):
            if not isinstance(field, ast.AnnAssign) or ast.unparse(field.target).startswith("_"):
                continue
            if below is None or not is_text(below):
                bare.append(f"{item.place}.{ast.unparse(field.target)}")
    assert not bare


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent.name == "kernels"],
                         ids=lambda p: p.stem)  # fmt: skip
def test_formulas_have_a_source(path: Path) -> None:
    """A kernel with a formula says whose it is, or that it is exact."""
    text = path.read_text(encoding="utf-8")
    if ".. math::" in text or ":math:" in text:
        assert SOURCE.search(text), f"{path.name}: cite the source of the formula, or say exact"
