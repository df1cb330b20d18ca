"""Command line: words, exit codes, and output for people and for programs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from solvation import pipeline
from solvation.cli import main
from solvation.errors import SimulationError, TrajectoryError
from solvation.log import LOG_HEADER
from solvation.recipe import load_recipe
from solvation.results import Quantity, save_summary
from solvation.workspace import RunFolder, open_run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command line in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # it would outlive the test

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["solvation", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capfd.readouterr()
        return int(done.value.code or 0), out, err

    return run


@pytest.fixture
def finished(tmp_path: Path) -> RunFolder:
    """A run folder with a summary: one good number and one that is not converged."""
    folder = open_run(tmp_path / "done")
    quantities = [
        Quantity(name="density", value=1.014, stderr=0.003, unit="g/cm3"),
        Quantity(
            name="speciation.cation.free", value=0.9, stderr=None, unit="1", status="not_converged"
        ),
    ]
    save_summary(quantities, folder.summary, recipe="x")
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, finished: RunFolder) -> list[dict]:
    """What the pipeline was asked for, instead of doing it."""
    calls: list[dict] = []

    def run(recipe, path=None, **choices):
        calls.append({"recipe": recipe, "path": path, **choices})
        return pipeline.Run(folder=finished)

    monkeypatch.setattr(pipeline, "run", run)
    return calls


COMMANDS = (
    "run",
    "build",
    "simulate",
    "analyze",
    "report",
    "show",
    "compare",
    "systems",
    "new",
    "forcefields",
    "export",
    "doctor",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(call: Call, command: str) -> None:
    code, out, err = call(command, "--help")
    assert code == 0
    assert err == ""
    assert "--json" in out


def test_no_arguments_show_the_help(call: Call) -> None:
    code, out, err = call()
    assert code == 0
    assert all(command in out + err for command in COMMANDS)
    assert "Traceback" not in err


def test_options_reach_the_pipeline(call: Call, asked: list[dict]) -> None:
    code, out, err = call(
        "run", "mg-tfsi2-dme", "-o", "there", "--profile", "quick", "--platform", "CPU",
        "--replicas", "3", "--until", "simulate", "--set", "protocol.seed=7",
        "--set", "box.cations=24",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "simulate done" in out
    (choices,) = asked
    assert choices["recipe"].protocol.seed == 7
    assert choices["recipe"].box.cations == 24
    assert choices["path"] == Path("there")
    assert choices["profile"] == "quick"
    assert choices["platform"] == "CPU"
    assert choices["replicas"] == 3
    assert choices["until"] == "simulate"
    assert choices["command"].startswith("solvation run mg-tfsi2-dme -o there")


def test_what_a_long_run_needs_reaches_the_pipeline(call: Call, asked: list[dict]) -> None:
    code, _, err = call(
        "run", "mg-tfsi2-dme", "--device", "0,1", "--at-once", "4", "--spread", "threads",
        "--extend", "50 ns", "--max-hours", "2", "--until", "simulate",
    )  # fmt: skip
    assert (code, err) == (0, "")
    (choices,) = asked
    assert (choices["device"], choices["at_once"], choices["spread"]) == ("0,1", 4, "threads")
    assert choices["extend"] == "50 ns"
    assert 1.9 < choices["max_hours"] <= 2


def test_until_converged(call: Call, asked: list[dict]) -> None:
    code, _, err = call("run", "mg-tfsi2-dme", "--until-converged", "density:10%")
    assert (code, err) == (0, "")
    assert len(asked) == 1
    for arguments, message in (
        (("--until-converged", "density"), "is not understood"),
        (("--until-converged", "viscosity:10%"), "no quantity viscosity"),
        (("--until-converged", "density:1%", "--until", "build"), "leave out --until"),
        (("--cap", "5 ns"), "--cap goes with --until-converged"),
        (("--branch", "x"), "give the folder of that run"),
    ):
        code, _, err = call("run", "mg-tfsi2-dme", *arguments)
        assert code == 2
        assert message in err


@pytest.mark.parametrize(
    ("command", "until"),
    [("build", "build"), ("simulate", "simulate"), ("analyze", "analyze"), ("report", "report"),
     ("run", "report")],
)  # fmt: skip
def test_a_stage_is_a_word(call: Call, asked: list[dict], command: str, until: str) -> None:
    assert call(command, "mg-tfsi2-dme")[0] == 0
    assert asked[0]["until"] == until
    assert asked[0]["path"] is None


def test_how_to_look_at_a_run_is_written_into_its_recipe(call: Call, asked: list[dict]) -> None:
    assert call("analyze", "mg-tfsi2-dme", "--ssip", "second-minimum", "--series")[0] == 0
    assert call("analyze", "mg-tfsi2-dme")[0] == 0
    first, second = (choices["recipe"].analysis for choices in asked)
    assert (first.ssip, first.series) == ("second-minimum", True)
    assert (second.ssip, second.series) == ("shared-solvent", False)
    assert call("analyze", "mg-tfsi2-dme", "--ssip", "near")[0] == 2


def test_a_run_folder_is_a_recipe(call: Call, asked: list[dict], tmp_path: Path) -> None:
    """A folder with a manifest goes on where it is; one without is only a recipe."""
    folder = tmp_path / "runs" / "x"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text('name = "x"\n[[solvent]]\nname = "DME"\n')
    call("run", "runs/x")
    (folder / "manifest.json").write_text("{}")
    call("run", "runs/x")
    call("run", "runs/x", "-o", "y")
    assert [choices["path"] for choices in asked] == [None, Path("runs/x"), Path("y")]


# Output -------------------------------------------------------------------------------------


def test_the_summary_for_people_and_for_programs(call: Call, finished: RunFolder) -> None:
    code, out, err = call("show", "done")
    assert (code, err) == (0, "")
    assert "1.014 ± 0.003 g/cm3" in out
    assert "not converged" in out
    code, out, err = call("show", "done", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(finished.summary.read_text())


def test_strict_turns_doubt_into_a_code(call: Call, finished: RunFolder) -> None:
    code, _, err = call("show", "done", "--strict")
    assert code == 4
    assert err == "solvation: 1 of 2 quantities are not converged; run longer\n"
    save_summary(
        [Quantity(name="density", value=1.0, stderr=0.1, unit="g/cm3")],
        finished.summary,
        recipe="x",
    )
    assert call("show", "done", "--strict")[0] == 0


def test_show_says_how_far_a_running_job_is(call: Call, tmp_path: Path) -> None:
    folder = open_run(tmp_path / "running")
    folder.update_manifest(stages={"build/separated": {"state": "done", "wall_s": 3.0}})
    log = folder.simulate("separated-1") / "log.csv"
    log.parent.mkdir(parents=True)
    log.write_text(LOG_HEADER + "production,250,1.0000,-1,1,298.5,27000,1.0123,88.5\n")
    code, out, err = call("show", "running")
    assert (code, err) == (0, "")
    assert "build/separated" in out
    assert "separated-1: production 1.0000 ps, 298.5 K, 1.0123 g/cm3, 88.5 ns/day" in out
    code, out, _ = call("show", "running", "--json")
    assert json.loads(out)["stages"]["build/separated"]["state"] == "done"


@pytest.mark.parametrize("content", ["", LOG_HEADER + "heat,250"], ids=["empty", "half a line"])
def test_show_while_the_log_is_being_written(call: Call, tmp_path: Path, content: str) -> None:
    folder = open_run(tmp_path / "running")
    folder.update_manifest(stages={"build/separated": {"state": "done", "wall_s": 3.0}})
    log = folder.simulate("separated-1") / "log.csv"
    log.parent.mkdir(parents=True)
    log.write_text(content)
    assert call("show", "running")[0] == 0


def test_systems_are_filtered(call: Call) -> None:
    rows = json.loads(call("systems", "--cation", "ca", "--solvent", "glyme", "--json")[1])
    assert "ca-tfsi2-dme" in [row["name"] for row in rows]
    assert all("Ca" in row["cations"] and "DME" in row["molecules"] for row in rows)
    code, out, _ = call("systems", "--anion", "NTf2", "--tier", "a")
    assert code == 0
    assert "mg-tfsi2-g2" in out
    assert "mg-otf2-dme" not in out


def test_one_system_is_printed_with_its_sources(call: Call) -> None:
    out = call("systems", "ca-tfsi2-emim-otf")[1]
    assert 'cation = "EMIM"' in out
    assert "opls-clp" in out
    assert "10.1002/aenm.202402157" in out.replace("\n", "")


def test_new_writes_a_recipe_that_can_be_run_and_never_over_another(
    call: Call, tmp_path: Path
) -> None:
    words = ("new", "mine", "--salt", "Ca(NTf2)2 0.25 M", "--solvent", "monoglyme")
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert "solvation run mine.toml" in out
    text = (tmp_path / "mine.toml").read_text()
    assert "#" in text
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.model.forcefield == "opls-clp"  # the default, where it covers all of it
    assert (recipe.salt[0].formula, recipe.salt[0].concentration) == ("Ca(TFSI)2", "0.25 mol/L")
    assert recipe.solvent[0].label == "DME"
    code, _, err = call(*words)
    assert code == 2
    assert "mine.toml is there already" in err
    assert (tmp_path / "mine.toml").read_text() == text
    code, out, _ = call(*words, "--additive", "TMP 1 per cation", "-o", "b.toml", "--json")
    assert code == 0
    assert json.loads(out)["counts"]["TMP"] == 16


def test_systems_and_forcefields(call: Call) -> None:
    code, out, _ = call("systems")
    assert code == 0
    assert "mg-tfsi2-dme" in out
    names = [recipe["name"] for recipe in json.loads(call("systems", "--json")[1])]
    assert "mg-tfsi2-dme" in names
    one = json.loads(call("systems", "mg-tfsi2-dme", "--json")[1])
    assert one["recipe"]["name"] == "mg-tfsi2-dme"
    assert one["experiment"]
    assert "cation" in call("systems", "mg-tfsi2-dme")[1]
    assert "opls-clp" in call("forcefields")[1]
    rows = json.loads(call("forcefields", "--json")[1])
    assert "DME" in next(row for row in rows if row["name"] == "opls-clp")["coverage"]
    assert json.loads(call("forcefields", "opls-clp", "--json")[1])["mixing"] == "geometric"
    code, out, _ = call("forcefields", "opls1996-clp")
    assert code == 0
    for text in (
        "geometric",
        "opls1996-clp",
        "lm-iod",
        "Sambasivarao",
        "not covered, FEC",
        "failings",
    ):
        assert text in out, text
    assert "eccr2018" not in out


# Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (TrajectoryError("no frames;\n give some"), 2, "solvation: no frames; give some\n"),
        (SimulationError("blew up"), 3, "solvation: blew up\n"),
        (
            KeyboardInterrupt(),
            130,
            "solvation: interrupted; run the same command again to continue\n",
        ),
    ],
)
def test_errors_have_a_code_and_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "run", fail)
    assert call("run", "mg-tfsi2-dme") == (code, "", line)


def test_what_is_not_the_users_mistake_is_a_traceback(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(pipeline, "run", fail)
    with pytest.raises(ZeroDivisionError):
        call("run", "mg-tfsi2-dme")


def test_a_reader_that_goes_away_is_no_error() -> None:
    """``solvation systems NAME | head -1``, with a pipe that is closed before anything is read."""
    with subprocess.Popen(
        [sys.executable, "-m", "solvation", "systems", "mg-tfsi2-dme"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


# Export -------------------------------------------------------------------------------------


def test_export_asks_for_a_program_and_a_box(call: Call, finished: RunFolder) -> None:
    code, _, err = call("export", str(finished.path), "--to", "namd")
    assert code == 2
    assert "gromacs" in err
    code, _, err = call("export", str(finished.path), "--to", "gromacs")
    assert code == 2
    assert err.count("\n") == 1
    finished.update_manifest(name="x")
    code, _, err = call("export", str(finished.path), "--to", "gromacs", "--set", "seed=1")
    assert code == 2
    assert "--set goes with a recipe" in err


def test_version(call: Call) -> None:
    import solvation

    assert call("--version") == (0, f"{solvation.__version__}\n", "")


def test_the_list_of_commands_is_not_cut_off(call: Call) -> None:
    out = call("--help")[1]
    listed = out.partition("Commands:")[2]
    assert "..." not in listed
    assert listed.count("\n") >= len(COMMANDS)
