"""Schedule: order, retries, failures that stop nobody else, and nothing done twice.

The tasks are replaced by ones that write a line and what the next ones look for.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from solvation.campaign import schedule, task
from solvation.campaign.plan import load_campaign
from solvation.campaign.schedule import Standing, run_campaign
from solvation.campaign.task import hash_replica
from solvation.errors import SimulationError
from solvation.recipe import parse_recipe
from solvation.results import Quantity, save_summary
from solvation.simulate.halt import Halt
from solvation.workspace import RunFolder, open_run

pytest.importorskip("distributed")


def note(folder: str, text: str) -> int:
    """Write a line; returns how many of it there are now."""
    path = Path(folder) / "diary"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")
    return path.read_text(encoding="utf-8").splitlines().count(text)


def build(text: str, folder: str, *, allow_scripts: bool, command: str) -> None:
    open_run(folder)
    note(folder, "build")


def simulate(text: str, folder: str, name: str, *, platform: str) -> None:
    times = note(folder, name)
    if (Path(folder).parent / "broken").exists():
        fails = json.loads((Path(folder).parent / "broken").read_text())
        if times <= fails.get(f"{Path(folder).name}/{name}", 0):
            raise SimulationError(f"replica {name} blew up")
    recipe = parse_recipe(tomllib.loads(text))
    target = open_run(RunFolder(path=Path(folder)).simulate(name))
    (target.path / "trajectory.xtc").write_bytes(b"x")
    density = Quantity(name="density", value=1.0, stderr=0.1, unit="g/cm3")
    save_summary([density], target.summary, recipe="x", extra={"inputs": hash_replica(recipe)})


def finish(text: str, folder: str, *, platform: str, command: str) -> None:
    note(folder, "finish")
    run = RunFolder(path=Path(folder))
    recipe = parse_recipe(tomllib.loads(text))
    run.recipe.write_text(text, encoding="utf-8")
    save_summary(
        [Quantity(name="density", value=1.0, stderr=0.1, unit="g/cm3")], run.summary, recipe="x"
    )
    run.results.write_bytes(b"")
    run.report.write_text("")
    done = {"state": "done"}
    run.update_manifest(recipe_hash=recipe.hash, stages={"analyze": done, "report": done})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_BEAT", 0.01)
    monkeypatch.setattr(schedule, "check_points", lambda *_: None)  # see test_plan
    for name, work in (
        ("build_point", build), ("simulate_replica", simulate), ("finish_point", finish),
    ):  # fmt: skip
        monkeypatch.setattr(schedule, name, work)


def read_diary(path: Path, label: str) -> list[str]:
    return (path / label / "diary").read_text(encoding="utf-8").split()


@pytest.mark.usefixtures("fake")
def test_order_results_and_nothing_twice(file: Path, tmp_path: Path) -> None:
    heard: list[list[Standing]] = []
    path = tmp_path / "out"
    done = run_campaign(file, path, progress=lambda s: heard.append(list(s)))
    assert [item.state for item in done.standings] == ["done"] * 4
    assert done.n_failed == 0
    for item in done.standings:
        diary = read_diary(path, item.point.label)
        assert (diary[0], diary[-1]) == ("build", "finish")
        assert sorted(diary[1:-1]) == ["contact-1", "separated-1"]
        assert (item.replicas_done, item.n_replicas) == (2, 2)
    assert {item.state for item in heard[0]} <= {"waiting", "running", "done"}
    assert dict(done.open_results()["replicas"].sizes)["replica"] == 2
    assert done.page is not None
    assert done.page.read_text(encoding="utf-8").count("a-298.15K") >= 1
    again = run_campaign(file, path)
    assert [item.state for item in again.standings] == ["done"] * 4
    assert read_diary(path, "a-320K").count("finish") == 1


@pytest.mark.usefixtures("fake")
def test_a_failed_point_is_left_and_the_others_go_on(file: Path, tmp_path: Path) -> None:
    path = open_run(tmp_path / "out").path
    (path / "broken").write_text(json.dumps({"a-320K/contact-1": 1, "b-320K/contact-1": 99}))
    campaign = load_campaign(file)
    staff = campaign.workers.model_copy(update={"retries": 1})
    campaign = campaign.model_copy(update={"workers": staff})
    done = run_campaign(campaign, path)
    states = {item.point.label: item.state for item in done.standings}
    assert states == {
        "a-320K": "done",  # at the second try
        "a-298.15K": "done",
        "b-320K": "failed",
        "b-298.15K": "done",
    }
    failed = next(item for item in done.standings if item.state == "failed")
    assert failed.error == "replica contact-1 blew up"
    assert read_diary(path, "b-320K").count("contact-1") == 2
    assert "finish" not in read_diary(path, "b-320K")
    assert done.n_failed == 1
    density = done.open_results()["density"]
    assert int(density.isnull().sum()) == 1
    # mended, the point alone is done, and of it what was not
    (path / "broken").unlink()
    again = run_campaign(campaign, path)
    assert again.n_failed == 0
    assert read_diary(path, "b-320K").count("separated-1") == 1
    assert read_diary(path, "b-298.15K").count("finish") == 1


@pytest.mark.usefixtures("fake")
def test_a_longer_or_newer_point_is_done_again(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "out"
    run_campaign(file, path)
    longer = load_campaign(file).model_copy(
        update={"settings": ('protocol.production_time="200 ps"',)}
    )
    run_campaign(longer, path)
    assert read_diary(path, "a-320K").count("separated-1") == 2
    assert read_diary(path, "a-320K").count("finish") == 2


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("lost", "pending", "pending"), "running"),
        (("finished", "lost", "pending"), "running"),
        (("finished", "cancelled", "pending"), "failed"),
        (("finished", "finished", "finished"), "done"),
    ],
)
def test_what_a_lost_worker_had_done_is_no_failure(
    statuses: tuple[str, ...], state: str, file: Path, tmp_path: Path
) -> None:
    """Dask has another worker do it again."""
    work = schedule._look_at(schedule.list_points(load_campaign(file))[0], tmp_path / "out")
    open_run(work.run.path).update_manifest(schema=1)
    futures = [SimpleNamespace(status=status) for status in statuses]
    assert schedule._describe(replace(work, futures=futures), "").state == state


@pytest.mark.usefixtures("fake")
def test_a_point_that_is_done_stays_done(file: Path, tmp_path: Path) -> None:
    """Its tasks are let go, or they would be done again when a worker is lost."""

    class Future:
        def __init__(self, *statuses: str) -> None:
            self.left = list(statuses)

        @property
        def status(self) -> str:
            return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    points = schedule.list_points(load_campaign(file))[:2]
    work = [
        replace(schedule._look_at(point, tmp_path / "out"), futures=[Future(*statuses)])
        for point, statuses in zip(
            points,
            # Looked at twice each time.
            (["finished", "finished", "lost"], ["pending"] * 6 + ["finished"]),
            strict=True,
        )
    ]
    seen: list[list[str]] = []

    def look(rows: Sequence[Standing]) -> None:
        seen.append([row.state for row in rows])
        assert len(seen) < 50, "it waits for what is done"

    schedule._watch(work, look)
    assert [first for first, _ in seen] == ["done"] * len(seen)
    assert len(seen) > 1
    assert work[0].futures == ()


def test_threads_are_asked_to_stop_when_a_campaign_is_broken_off() -> None:
    """Dask would wait for them for half a minute, and nobody would know why."""

    def break_off() -> None:
        with task.stop_together():
            halts.append(task._HALT[0])
            raise KeyboardInterrupt

    halts: list[Halt] = []
    with pytest.raises(KeyboardInterrupt):
        break_off()
    with task.stop_together():
        halts.append(task._HALT[0])
    assert [halt.reason for halt in halts] == ["the campaign was broken off", None]
