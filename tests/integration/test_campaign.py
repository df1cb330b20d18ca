"""A campaign that is killed half-way goes on, repeats nothing, and ends with all its numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from solvation.results import load_results

pytest.importorskip("distributed")

SALT = """
[[salt]]
cation = "{cation}"
anion = "BF4"
solvent_ratio = 20
[box]
cations = 1
"""
LIQUID = """
[box]
atoms = 320
"""
RECIPE = """
name = "{name}"
[[solvent]]
name = "DME"
{contents}
[model]
cutoff = "6 angstrom"
[protocol]
starts = {starts}
heat_time = "0.4 ps"
anneal_time = "0.4 ps"
density_time = "0.8 ps"
density_time_max = "0.8 ps"
production_time = "2 ps"
report_interval = "0.2 ps"
checkpoint_interval = "0.4 ps"
"""

CAMPAIGN = """
name = "tiny"
recipes = {recipes}
temperatures = ["298.15 K", "320 K"]
replicas = {replicas}
profile = "quick"
[workers]
kind = "{kind}"
number = {workers}
platform = "CPU"
cores = 1
"""


def _kill_and_rerun(
    tmp_path: Path, *, names: dict[str, str], replicas: int, kind: str, workers: int
) -> None:
    """There must be more to do than workers: then they never end it all at the same moment."""
    for name, cation in names.items():
        contents = SALT.format(cation=cation) if cation else LIQUID
        starts = ["separated", "contact"] if cation else ["random"]
        text = RECIPE.format(name=name, contents=contents, starts=json.dumps(starts))
        (tmp_path / f"{name}.toml").write_text(text)
    recipes = json.dumps([f"{name}.toml" for name in names])
    text = CAMPAIGN.format(recipes=recipes, replicas=replicas, kind=kind, workers=workers)
    (tmp_path / "tiny.toml").write_text(text)
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "solvation", "campaign", str(tmp_path / "tiny.toml"), "-o",
               str(folder), "--json"]  # fmt: skip
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    total = 2 * len(names) * replicas
    while len(done := list(folder.glob("*/simulate/*/summary.json"))) < max(1, total // 3):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(done) < total
    written = {path: path.stat().st_mtime_ns for path in done}
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert [row["state"] for row in report["points"]] == ["done"] * 2 * len(names)
    assert {row["replicas_done"] for row in report["points"]} == {replicas}
    assert {path: path.stat().st_mtime_ns for path in done} == written  # not simulated again
    tree = load_results(Path(report["results"]))
    sizes = {"system": len(names), "concentration": 1, "temperature": 2, "model": 1}
    assert dict(tree["density"].sizes) == sizes
    assert dict(tree["replicas"]["density"].sizes) == {**sizes, "replica": replicas}
    # the point's density is the mean of its replicas' NPT stages
    alone = tree["replicas"]["density"].mean("replica").values
    np.testing.assert_allclose(tree["density"].values, alone, rtol=1e-12)
    page = Path(report["page"]).read_text(encoding="utf-8")
    assert all(row["point"] in page for row in report["points"])


def test_a_small_campaign_killed_half_way(tmp_path: Path) -> None:
    """Of a liquid without a salt: it is the campaign that is tested, and has fewer numbers so."""
    _kill_and_rerun(tmp_path, names={"a": ""}, replicas=1, kind="threads", workers=1)


@pytest.mark.slow
def test_two_workers_two_recipes_two_temperatures_two_replicas(tmp_path: Path) -> None:
    names = {"a": "Mg", "b": "Ca"}
    _kill_and_rerun(tmp_path, names=names, replicas=2, kind="processes", workers=2)


def _start(tmp_path: Path, *, kind: str, workers: int, extra: str = "") -> subprocess.Popen[str]:
    """Start a campaign of one liquid at two temperatures, longer than a worker will live."""
    recipe = RECIPE.format(name="a", contents=LIQUID, starts='["random"]')
    (tmp_path / "a.toml").write_text(recipe.replace('"2 ps"', '"8 ps"'))
    text = CAMPAIGN.format(recipes='["a.toml"]', replicas=1, kind=kind, workers=workers)
    (tmp_path / "tiny.toml").write_text(text + extra)
    return subprocess.Popen(
        [sys.executable, "-m", "solvation", "campaign", str(tmp_path / "tiny.toml"), "-o",
         str(tmp_path / "out"), "--json"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _wait_for_reports(tmp_path: Path, process: subprocess.Popen[str]) -> None:
    while not any(
        path.read_bytes().count(b"\n") > 5 for path in tmp_path.glob("out/*/simulate/*/log.csv")
    ):
        assert process.poll() is None, "it ended before its worker did"
        time.sleep(0.05)


def _check_done(process: subprocess.Popen[str]) -> None:
    told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert [row["state"] for row in json.loads(told)["points"]] == ["done"] * 2


def test_a_worker_that_dies_takes_no_point_with_it(tmp_path: Path) -> None:
    """The box that it had built is not in its memory alone."""
    psutil = pytest.importorskip("psutil")
    process = _start(tmp_path, kind="processes", workers=1)
    _wait_for_reports(tmp_path, process)
    children = psutil.Process(process.pid).children()
    workers = [c for c in children if any("spawn_main" in word for word in c.cmdline())]
    assert workers
    for worker in workers:
        worker.kill()
    _check_done(process)


SBATCH = """#!/bin/sh
cp "$1" "{folder}/job-$$.sh"
setsid sh "{folder}/job-$$.sh" > "{folder}/job-$$.out" 2>&1 &
echo $! >> "{folder}/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> "{folder}/cancelled"
kill -TERM -- "-$1"
"""


@pytest.mark.slow
def test_jobs_of_a_batch_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with SLURM, whose two commands are stood in for: jobs run at once, and on this machine.

    The first comes to the end of its time in the middle of its work, and is replaced.
    """
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(folder=tmp_path))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    process = _start(tmp_path, kind="slurm", workers=1, extra='memory = "2 GB"\n')
    _wait_for_reports(tmp_path, process)
    os.killpg(int((tmp_path / "jobs").read_text().split()[0]), signal.SIGTERM)
    _check_done(process)
    jobs = (tmp_path / "jobs").read_text().split()
    assert len(jobs) >= 2, "the job was not replaced"
    assert "--resources replica=1" in next(tmp_path.glob("job-*.sh")).read_text()
    assert set((tmp_path / "cancelled").read_text().split()) == set(jobs), "jobs left behind"
