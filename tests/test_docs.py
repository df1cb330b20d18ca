"""Documents that say what is so: links, code, command lines, keys and names."""

from __future__ import annotations

import itertools
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer

import solvation
from solvation.cli import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*|\{[\w-]+\}[^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SYSTEMS = set(solvation.list_systems())
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read_page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def list_blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [body for kind, body in FENCE.findall(text) if kind == language]


def list_commands(path: Path) -> list[str]:
    """``solvation ...`` lines of shell blocks, and whole command lines in running text."""
    lines = [line.strip() for block in list_blocks(path, "sh") for line in block.splitlines()]
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    spans = [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", prose)]
    return [line for line in [*lines, *spans] if line.startswith("solvation ")]


def list_anchors(path: Path) -> set[str]:
    """Anchors of the headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text("utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_there_are_pages() -> None:
    assert len(PAGES) > 20
    assert sum(len(list_commands(path)) for path in PAGES) > 30


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_relative_links_resolve(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in list_anchors(there)):
            broken.append(target)
    assert not broken, f"{name_of(path)} links to {broken}"


def test_every_page_is_reached_from_the_index() -> None:
    seen, waiting = set(), [ROOT / "README.md", ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8")):
            if ":" not in target:
                waiting.append((page.parent / target).resolve())
        for order in list_blocks(page, "{toctree}"):
            for name in order.split():
                waiting += [file.resolve() for file in page.parent.glob(f"{name}.md")]
    assert not [name_of(path) for path in PAGES if path not in seen]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_page_has_one_title(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_python_compiles(path: Path) -> None:
    for number, block in enumerate(list_blocks(path, "python")):
        compile(block, f"{name_of(path)}, block {number}", "exec")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_python_uses_public_names(path: Path) -> None:
    import solvation

    for block in list_blocks(path, "python"):
        used = re.findall(r"(?<!from )(?<!import )\bsolvation\.(\w+)", block)
        assert not set(used) - set(solvation.__all__)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_toml_and_json_parse(path: Path) -> None:
    import json

    from solvation.layers import read_layers
    from solvation.recipe import parse_recipe

    for block in list_blocks(path, "json"):
        json.loads(block)
    for block in list_blocks(path, "toml"):
        data = tomllib.loads(block)
        if "recipes" in data:
            from solvation.campaign.plan import Campaign

            Campaign.model_validate(data)
            continue
        if base := data.pop("extends", None):
            from solvation.library import find_system

            data = {**read_layers(find_system(base)), **data}
        if "recipes" in data:  # a campaign
            from solvation.campaign.plan import Campaign

            Campaign.model_validate(data)
            continue
        # A fragment stands on the smallest recipe.
        whole = {"name": "x", "solvent": [{"name": "DME"}], **data}
        parse_recipe(whole, where=name_of(path))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_electrolytes_that_are_named_exist(path: Path) -> None:
    """Shipped, or written on the same page."""
    own = set(re.findall(r"systems/([\w-]+)", path.read_text("utf-8")))
    for line in list_commands(path):
        found = re.match(r"solvation (?:run|build|show) ([a-z0-9-]+)(?: |$)", line)
        if found:
            assert found[1] in own | SYSTEMS, f"{name_of(path)}: {line}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_command_lines_parse(path: Path) -> None:
    """Every command exists and takes the options shown; nothing is run."""
    for line in list_commands(path):
        for words in spell_out(shlex.split(line.partition(" || ")[0], comments=True)[1:]):
            if not words or words in (["--help"], ["--version"]):
                continue
            name, *arguments = words
            if name == "COMMAND":
                continue
            assert name in COMMANDS, f"{name_of(path)}: {line}"
            if not arguments:  # the name of the command, not a command line
                continue
            try:
                COMMANDS[name].make_context(name, [a for a in arguments if a != "--help"])
            except Exception as error:
                raise AssertionError(f"{name_of(path)}: {line}: {error}") from error


def spell_out(words: list[str]) -> list[list[str]]:
    """Take ``[NAME]`` once with and once without; give options in shorthand a value."""
    optional = re.compile(r"\[\w+\]")  # not the bracket of a SMILES
    choices = [[[], [word.strip("[]")]] if optional.fullmatch(word) else [[word]] for word in words]
    return [list(itertools.chain(*parts)) for parts in itertools.product(*choices)]


def test_every_command_and_option_is_in_the_reference() -> None:
    text = read_page("reference/command-line.md")
    for name, command in COMMANDS.items():
        assert f"`solvation {name}" in text, name
        for parameter in command.params:
            for option in getattr(parameter, "opts", []):
                if option.startswith("-"):
                    assert re.search(rf"`{re.escape(option)}[ `]", text), f"{name} {option}"


def test_every_option_in_the_reference_exists() -> None:
    known = {o for c in COMMANDS.values() for p in c.params for o in getattr(p, "opts", [])}
    text = read_page("reference/command-line.md")
    assert set(re.findall(r"`(--?[a-z]+)[ `]", text)) <= known | {"--version"}


def test_every_recipe_key_is_in_the_reference() -> None:
    from solvation import section
    from solvation.recipe import Recipe

    text = read_page("reference/recipe.md")
    tables = (section.Salt, section.Solvent, section.Additive, section.Missing,
              section.Conditions, section.Model, section.Box, section.Protocol,
              section.Analysis)  # fmt: skip
    for table in tables:
        heading = re.search(rf"^## `\[+{table.__name__.lower()}\]+`", text, flags=re.MULTILINE)
        assert heading, table.__name__
        part = text[heading.end() :].partition("\n## ")[0]
        documented = {k for row in re.findall(r"^\| (`.*?) \|", part, flags=re.MULTILINE)
                      for k in re.findall(r"`(\w+)`", row)}  # fmt: skip
        assert documented == set(table.model_fields), table.__name__
    for key in set(Recipe.model_fields) - {
        "salt",
        "solvent",
        "additive",
        "missing",
        "conditions",
        "model",
        "box",
        "protocol",
        "analysis",
    }:
        assert f"| `{key}` |" in text


def test_defaults_in_the_reference_are_the_defaults() -> None:
    from solvation import section

    text = read_page("reference/recipe.md")
    for table in (section.Conditions, section.Model):
        for key, field in table.model_fields.items():
            default = "[]" if field.default == () else f'"{field.default}"'
            assert f"| `{key}` | `{default}` |" in text


def test_profiles_in_the_reference_are_the_profiles() -> None:
    from solvation.profile import PROFILES

    text = read_page("reference/recipe.md")
    rows = dict(
        re.findall(r"^\| `(\w+)` \| ([^|]* \| [^|]* \| [^|]*) \|", text, flags=re.MULTILINE)
    )
    for column, profile in enumerate(("quick", "standard", "production")):
        for key, value in PROFILES[profile].items():
            if key in ("cations", "atoms"):
                continue
            shown = rows[key].split(" | ")[column].strip()
            assert shown == (", ".join(value) if isinstance(value, list) else str(value)), key
        for key in ("cations", "atoms"):
            sizes = [str(PROFILES[name][key]) for name in ("quick", "standard", "production")]
            assert f"| {' | '.join(sizes)} | {key}" in text


def test_free_keys_in_the_how_to_are_the_free_keys() -> None:
    from solvation import inputs

    text = read_page("how-to/resume-and-extend.md")
    sentence = next(line for line in text.splitlines() if line.startswith("Free: "))
    listed = re.findall(r"`([\w.]+)`", sentence.partition(". ")[0])
    assert set(listed) == set(inputs._FREE_KEYS)


def test_results_have_the_names_of_the_reference() -> None:
    """Analyze a synthetic box; every variable and every quantity is documented."""
    from solvation.analyze.frames import ArraySource
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.topology import scene_from_arrays
    from solvation.synthetic import make_mixture

    text = read_page("reference/results.md")
    arrays = text[text.index("## results.nc") :]
    rows = dict(re.findall(r"^\| `(\w+)`[^|]* \| [^|]* \| (.*) \|$", arrays, flags=re.MULTILINE))
    box = make_mixture(np.random.default_rng(7), n_frames=24)
    source = ArraySource(positions=box.positions, boxes=box.box, times=box.times)
    scene = scene_from_arrays(box.elements, box.bonds, [source], charges=box.charges)
    tree, quantities = analyze_scene(scene, temperature=298.15)
    for name, node in tree.children.items():
        assert name in rows, f"node {name} is not documented"
        documented = set(re.findall(r"`(\w+)`", rows[name].partition("; coordinates")[0]))
        found = {str(v) for v in node.data_vars if not str(v).endswith("_stderr")}
        assert found == documented, name
    patterns = [
        re.escape(name).replace("<cation>", r"\w+").replace("<site>", r"\w+\.\w+")
        for name in re.findall(
            r"^\| `([a-z_]+[.a-z_<>{},+-]*)` \| (?:1|Å|degree|ns|m2/s|mS/cm|g/cm3|mol/L) \|",
            text,
            flags=re.MULTILINE,
        )
    ]
    patterns = [re.sub(r"<\w+>", ".+", p) for p in patterns]
    patterns = [
        re.sub(r"\\{([a-z,\\+_-]+)\\}", lambda m: f"({m[1].replace(',', '|')})", p)
        for p in patterns
    ]
    for quantity in quantities:
        assert any(re.fullmatch(p, quantity.name) for p in patterns), quantity.name


def test_units_in_the_reference_are_those_of_the_program() -> None:
    from solvation.analyze.frames import ArraySource
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.topology import scene_from_arrays
    from solvation.synthetic import make_mixture

    text = read_page("reference/results.md").partition("## results.nc")[0]
    rows = re.findall(r"^\| `([a-z_]+\.?[^`]*)` \| ([^|]+?) \| ", text, flags=re.MULTILINE)
    box = make_mixture(np.random.default_rng(3), n_frames=24)
    source = ArraySource(positions=box.positions, boxes=box.box, times=box.times)
    scene = scene_from_arrays(box.elements, box.bonds, [source], charges=box.charges)
    checked = 0
    for quantity in analyze_scene(scene, temperature=298.15)[1]:
        for name, unit in rows:
            pattern = re.sub(r"<\w+>", ".+", re.sub(r"[.+]", r"\\\g<0>", name))
            pattern = re.sub(r"\{([^}]+)\}", lambda m: f"({m[1].replace(',', '|')})", pattern)
            if re.fullmatch(pattern, quantity.name):
                assert quantity.unit == unit, f"{quantity.name}: {quantity.unit}, not {unit}"
                checked += 1
                break
    assert checked > 30


def write_systems() -> str:
    """The tables of docs/reference/systems.md, from the folder."""
    rows: dict[str, list[str]] = {"A": [], "B": [], "C": []}
    for folder in sorted((ROOT / "systems").iterdir()):
        recipe = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
        known = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
        values = [
            f"{value['value']:g} {value['unit']}"
            for value in known["value"]
            if value["name"].startswith("conductivity.") and value.get("judged", True)
        ]
        said = "; ".join(part for part in (known.get("known", ""), " to ".join(values)) if part)
        rows[known["tier"]].append(f"| `{folder.name}` | {recipe['title']} | {said} |")
    head = "| name | what | what others found |\n|---|---|---|\n"
    return "\n".join(f"## Tier {t}\n\n{head}" + "\n".join(rows[t]) + "\n" for t in rows)


def test_the_systems_page_is_that_of_the_folder() -> None:
    text = read_page("reference/systems.md")
    expected = write_systems()
    assert text[text.index("## Tier A") :] == expected, f"the tables should be:\n\n{expected}"


def test_shipped_names_in_the_readme_exist() -> None:
    from solvation.library import list_forcefields, list_systems

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"solvation run ([a-z0-9-]+)", text)) <= set(list_systems())
    assert set(re.findall(r"solvation forcefields ([a-z0-9-]+)", text)) <= set(list_forcefields())


def test_citation_file_is_complete() -> None:
    import solvation

    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    keys = dict(re.findall(r"^([a-z-]+): *(.*)$", text, flags=re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= set(keys)
    assert keys["cff-version"] == "1.2.0"
    assert keys["version"] == solvation.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{solvation.__version__}]" in changes
