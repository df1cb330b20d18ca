"""Cluster: job scripts that say what was asked for, workers that answer, and those that do not."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from pathlib import Path

import pytest

from solvation.campaign.cluster import (
    Submissions,
    _make_job_kind,
    list_resources,
    open_client,
    watch_workers,
    write_job_script,
)
from solvation.campaign.plan import Staff
from solvation.errors import RecipeError, WorkspaceError

pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
BATCH = {"number": 4, "cores": 8, "memory": "16 GB", "account": "chem", "queue": "gpu"}


def write_lines(**keys: object) -> list[str]:
    pytest.importorskip("dask_jobqueue")
    return write_job_script(Staff.model_validate({**BATCH, **keys})).splitlines()


def test_slurm_script_has_everything_in_order() -> None:
    lines = write_lines(
        kind="slurm", walltime="24:00:00", gpus=True, directives=["--gres=gpu:1"],
        prologue=["module load cuda"],
    )  # fmt: skip
    assert lines[0] == "#!/usr/bin/env bash"
    head = [line for line in lines if line.startswith("#SBATCH")]
    assert head == [
        "#SBATCH -J solvation",
        "#SBATCH -p gpu",
        "#SBATCH -A chem",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=15G",
        "#SBATCH -t 24:00:00",
        "#SBATCH --gres=gpu:1",
    ]
    body = [line for line in lines[1:] if line and not line.startswith("#SBATCH")]
    assert body[0] == "module load cuda"
    assert any(line.startswith("export OPENMM_CPU_THREADS=") for line in body)
    assert "distributed.cli.dask_worker tcp://SCHEDULER:PORT" in body[-1]
    assert body[-1].endswith("--resources GPU=1")


def test_every_worker_runs_one_replica_at_a_time() -> None:
    last = write_lines(kind="slurm")[-1]
    assert last.endswith("--resources replica=1")
    assert list_resources(Staff.model_validate({"kind": "slurm", **BATCH})) == {"replica": 1}
    assert list_resources(Staff(gpus=True)) == {"GPU": 1}
    assert list_resources(Staff()) == {}  # one thread per worker says the same


def test_pbs_and_lsf_scripts() -> None:
    pbs = write_lines(kind="pbs", walltime="10:00:00")
    assert {"#PBS -q gpu", "#PBS -A chem", "#PBS -l walltime=10:00:00"} <= set(pbs)
    assert any(line.startswith("#PBS -l select=1:ncpus=8:mem=") for line in pbs)
    lsf = write_lines(kind="lsf", walltime="10:00")
    assert {"#BSUB -q gpu", '#BSUB -P "chem"', "#BSUB -n 8", "#BSUB -W 10:00"} <= set(lsf)


def test_what_the_batch_system_refuses_is_one_line() -> None:
    with pytest.raises(RecipeError, match=r"workers: slurm refuses them .*memory"):
        write_lines(kind="slurm", memory="much memory")


def test_workers_of_this_machine_answer() -> None:
    with open_client(Staff(kind="threads", number=2)) as client:
        assert sum(client.nthreads().values()) == 2
        assert client.submit(pow, 2, 5).result() == 32


def test_a_scheduler_that_runs_already_is_used() -> None:
    with open_client(Staff(kind="threads")) as client:
        address = client.scheduler.address
        with open_client(Staff(kind="scheduler", address=address)) as other:
            assert other.submit(pow, 3, 2).result() == 9


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solvation.campaign.cluster._ANSWER", "0.2s")
    staff = Staff(kind="scheduler", address="tcp://127.0.0.1:9")
    with (
        pytest.raises(WorkspaceError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"),
        open_client(staff),
    ):
        pass


REFUSAL = "sbatch: error: Invalid account or account/partition combination specified"


@pytest.mark.parametrize("message", ["there is no sbatch on this machine", REFUSAL])
def test_a_batch_system_that_takes_no_job(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask would wait for its workers for ever."""
    pytest.importorskip("dask_jobqueue")
    if message == REFUSAL:
        program = tmp_path / "sbatch"
        program.write_text(f'#!/bin/sh\necho "{message}" >&2\nexit 1\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    staff = Staff.model_validate({"kind": "slurm", **BATCH})
    submissions = Submissions()
    with open_client(staff, submissions) as client:
        check = watch_workers(client, staff, submissions)
        wanted = client.submit(pow, 2, 5, resources=list_resources(staff))
        for _ in range(600):
            if submissions.refusal:
                break
            time.sleep(0.1)
        with pytest.raises(WorkspaceError, match=f"slurm takes no job: {message}; correct"):
            check()
        assert wanted.status == "pending"


class Client:
    """Without a worker."""

    def nthreads(self) -> dict[str, int]:
        return {}


def test_dask_is_left_as_it_was() -> None:
    """Or whoever writes a file next is told to lock it through a client that is gone."""
    with dask.config.set(scheduler="threads"):
        with open_client(Staff(kind="threads")) as client:
            assert dask.config.get("scheduler") == "synchronous"
            assert client.submit(dask.config.get, "scheduler").result() == "synchronous"
        assert dask.config.get("scheduler") == "threads"
    assert dask.config.get("scheduler", None) is None


def test_a_batch_system_that_takes_no_other_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as one of its jobs is there, or may come, it is waited for."""
    monkeypatch.setattr("solvation.campaign.cluster._ALONE", 0.0)
    staff = Staff.model_validate({"kind": "slurm", **BATCH})
    submissions = Submissions(accepted=2, ended=1, refusal="QOSMaxSubmitJobPerUserLimit")
    check = watch_workers(Client(), staff, submissions)
    for refusal, ended in ((submissions.refusal, 1), ("", 2)):
        submissions.refusal, submissions.ended = refusal, ended
        time.sleep(0.01)
        check()
    submissions.refusal = "QOSMaxSubmitJobPerUserLimit"
    time.sleep(0.01)
    with pytest.raises(WorkspaceError, match=r"gone and slurm takes no other job: QOS.*; run"):
        check()


def test_jobs_that_do_not_answer_are_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be in the queue, or have ended on a wrong line of the prologue."""
    monkeypatch.setattr("solvation.campaign.cluster._ALONE", 0.0)
    staff = Staff.model_validate({"kind": "slurm", **BATCH})
    check = watch_workers(Client(), staff, Submissions(accepted=3))
    for _ in range(3):
        time.sleep(0.01)
        check()
    [record] = caplog.records
    assert record.getMessage().startswith("no job answers yet: slurm has 3, which wait")


def test_jobs_that_are_taken_refused_and_over() -> None:
    class Base:
        said: Exception | None = None
        submit_command = "sbatch"

        async def start(self) -> None:
            if self.said is not None:
                raise self.said

        async def close(self) -> None:
            pass

    submissions = Submissions()
    kind = _make_job_kind(Base, submissions)

    async def live() -> None:
        first, second, third = kind(), kind(), kind()
        second.said = RuntimeError("stderr:\nsbatch: error: over the limit\n")
        await first.start()
        await second.start()
        assert submissions == Submissions(accepted=1, refusal="sbatch: error: over the limit")
        await second.close()
        assert submissions.ended == 0
        await third.start()
        assert submissions == Submissions(accepted=2)
        for job in (first, third, first):
            await job.close()
        assert submissions == Submissions(accepted=2, ended=2)

    asyncio.run(live())


def test_a_machine_that_has_lost_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solvation.campaign.cluster._ALONE", 0.0)

    check = watch_workers(Client(), Staff(), Submissions())
    time.sleep(0.01)
    with pytest.raises(WorkspaceError, match="all workers are gone and no others start"):
        check()
    watch_workers(Client(), Staff(kind="scheduler", address="tcp://x:1"), Submissions())()


def test_a_script_that_its_workers_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker stops quietly; who started it says what to write."""

    def refuse(**_: object) -> None:
        raise RuntimeError("Nanny failed to start")

    monkeypatch.setattr("distributed.LocalCluster", refuse)
    with (
        pytest.raises(WorkspaceError, match='below if __name__ == "__main__"'),
        open_client(Staff(number=1)),
    ):
        pass
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(SystemExit), open_client(Staff(number=1)):
        pass
