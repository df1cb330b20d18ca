"""Every code block of the tutorials and how-tos is typed, in the order of the pages.

All pages share one folder, as a reader's would be: what the first tutorial made is there for the
others. Profiles are shortened (`tests/shrunk.py`); apart from that the blocks run as they stand.
A comment before a block may say otherwise:

``<!-- test: exit 4 -->``          the block ends with that code, or one of several, ``0 or 3``
``<!-- test: file radius.py -->``  the block is the text of that file
``<!-- test: in a checkout -->``   it is typed there
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:^<!-- test: (?P<wish>[^\n]*?) -->\n)?^```(?P<kind>sh|python|toml)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
ORDER = re.compile(r"^```\{toctree\}\n(?::[^\n]*\n)*\n?(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SET_UP = re.compile(r"^(python -m venv|\. \.venv|pip install|module |make )")
"""Lines that set a machine up; ``tests/integration/test_wheel.py`` does that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    page: str
    kind: str
    text: str
    wish: str

    @property
    def runs(self) -> bool:
        lines = [line for line in self.text.splitlines() if line.strip()]
        set_up = self.kind == "sh" and all(SET_UP.match(line) for line in lines)
        return not set_up


def list_pages(section: str) -> list[Path]:
    """Pages of a section in the order of its index, others after them."""
    folder = ROOT / "docs" / section
    [order] = ORDER.findall((folder / "index.md").read_text(encoding="utf-8"))
    named = [folder / f"{name}.md" for name in order.split() if name != "*"]
    return named + [
        p for p in sorted(folder.glob("*.md")) if p not in [*named, folder / "index.md"]
    ]


def read_blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT / "docs").as_posix()
    return [
        Block(page=name, kind=m["kind"], text=m["text"], wish=m["wish"] or "")
        for m in BLOCK.finditer(text)
    ]


PAGES = [page for section in ("tutorials", "how-to") for page in list_pages(section)]


def test_every_block_is_found() -> None:
    assert [page.stem for page in PAGES[:2]] == ["first-run", "two-starts"]
    for page in PAGES:
        fences = re.findall(r"^```(?:sh|python|toml)$", page.read_text("utf-8"), re.MULTILINE)
        assert len(read_blocks(page)) == len(fences), page


def test_wishes_are_known() -> None:
    """There is none for a block that is left out."""
    for block in (block for page in PAGES for block in read_blocks(page) if block.wish):
        known = re.fullmatch(r"exit \d+( or \d+)*|file [\w./-]+|in a checkout", block.wish)
        assert known, f"{block.page}: {block.wish}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``solvation`` and ``python`` on its path."""
    folder = tmp_path_factory.mktemp("workshop")
    (folder / ".bin").mkdir()
    (folder / "scratch").mkdir()
    for name, options in (("solvation", "-m tests.shrunk"), ("python", "")):
        program = folder / ".bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {options} "$@"\n')
        program.chmod(0o755)
    service = folder / ".bin" / "nvidia-cuda-mps-control"  # where there is none, it does nothing
    if shutil.which(service.name) is None:
        service.write_text("#!/bin/sh\n[ $# -gt 0 ] || cat > /dev/null\n")
        service.chmod(0o755)
    return folder


def type_block(block: Block, folder: Path, names: dict[str, Any]) -> None:
    """Do what a reader would do with a block."""
    if block.wish.startswith("file "):
        (folder / block.wish.removeprefix("file ")).write_text(block.text, encoding="utf-8")
    elif block.kind == "python":
        exec(compile(block.text, block.page, "exec"), names)
    elif block.kind == "toml":
        # A recipe is saved under its name, as a reader would; a fragment of one is not.
        name = re.match(r'(?:extends = .*\n)?name = "(.+)"', block.text)
        if name:
            (folder / f"{name[1]}.toml").write_text(block.text, encoding="utf-8")
    else:
        path = os.pathsep.join([str(folder / ".bin"), os.environ["PATH"]])
        python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=ROOT if block.wish == "in a checkout" else folder,
            capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "PYTHONPATH": python, "MPLBACKEND": "Agg",
                 "VIRTUAL_ENV": sys.prefix, "SCRATCH": str(folder / "scratch")},
        )  # fmt: skip
        expected = {int(n) for n in re.findall(r"\d+", block.wish)} or {0}
        assert done.returncode in expected, f"{block.text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT / "docs").as_posix())
def test_blocks_run(page: Path, workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from solvation.profile import PROFILES
    from tests.shrunk import SHORT

    monkeypatch.chdir(workshop)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for profile in PROFILES.values():
        for key, value in SHORT.items():
            monkeypatch.setitem(profile, key, value)
    prepare_page(page, workshop)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in read_blocks(page):
        if block.runs:
            type_block(block, workshop, names)


def prepare_page(page: Path, folder: Path) -> None:
    """Bring what a page says that the reader has: the first run, another program's files."""
    [first] = [b for b in read_blocks(PAGES[0]) if "-o runs/first" in b.text]
    if page != PAGES[0] and not (folder / "runs" / "first" / "summary.json").exists():
        type_block(first, folder, {})
    if page.stem == "analyze-a-trajectory":
        write_foreign(folder)


def write_foreign(folder: Path) -> None:
    """LAMMPS data and XTC files of Mg(TFSI)2 in DME, of the first tutorial's box."""
    import solvation

    run = folder / "runs" / "first"
    solvation.export_run(run, folder / ".lammps", target="lammps")
    data = next((folder / ".lammps").glob("*.data"))
    shutil.copy(data, folder / "topology.data")
    for name in ("traj", "replica-1", "replica-2", "part1", "part2"):
        shutil.copy(run / "simulate" / "separated-1" / "trajectory.xtc", folder / f"{name}.xtc")


EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"([-+]?\d+(?:\.\d+)?)(?: ± (\d+(?:\.\d+)?))?")


def read_example() -> tuple[str, str]:
    """The example of the README and what it says that it prints."""
    found = EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[1], found[2]


def test_the_example_of_the_readme_is_short_and_shows_its_output() -> None:
    code, shown = read_example()
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    asked = re.findall(r'"([\w.()-]+)"', code[code.index("for name in") :].partition(":")[0])
    lines = shown.splitlines()
    assert [line.split()[0] for line in lines[: len(asked)]] == asked
    assert {line.split()[-1] for line in lines[: len(asked)]} <= {"ok", "bound", "not_converged"}


@pytest.mark.slow
def test_the_example_of_the_readme_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same names and statuses; numbers within four errors: processors round differently."""
    monkeypatch.chdir(tmp_path)
    code, shown = read_example()
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert len(said.splitlines()) == len(shown.splitlines())
    for here, there in zip(said.splitlines(), shown.splitlines(), strict=True):
        assert (here.split()[0], here.split()[-1]) == (there.split()[0], there.split()[-1])
        if "bound" in here:
            continue
        # Names have numbers too; the last line is a sentence with one number.
        found, known = (re.search(rf"(?<= ){NUMBER.pattern}", line) for line in (here, there))
        assert found, here
        assert known, there
        error = float(known[2] or 0.05) + float(found[2] or 0.05)
        assert abs(float(found[1]) - float(known[1])) < 4 * error, (here, there)
