"""What a machine can run on, and what it lacks."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from solvation.cli import main
from solvation.simulate import doctor
from solvation.simulate.doctor import PlatformReport, examine_machine, make_liquid, measure_speed
from solvation.simulate.hardware import Hardware

CARD = {
    "index": "0", "name": "NVIDIA H200", "driver_version": "580.82.07",
    "memory.total": "143771 MiB", "compute_cap": "9.0", "compute_mode": "Default",
}  # fmt: skip


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["solvation", "doctor", *arguments])
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    with pytest.raises(SystemExit) as done:
        main()
    return int(done.value.code or 0)


def test_the_liquid_is_neutral_and_fits_its_cutoff() -> None:
    system, positions = make_liquid()
    charges = [
        system.getForce(0).getParticleParameters(k)[0]._value
        for k in range(system.getNumParticles())
    ]
    assert sum(charges) == pytest.approx(0, abs=1e-9)
    assert len(positions) == len(charges) == 2744
    assert np.ptp(positions, axis=0).max() < 3.2


def test_speed_is_above_zero_and_the_time_is_kept() -> None:
    assert measure_speed(Hardware(platform="CPU"), 0.05) > 0


def test_platforms_that_work_and_those_that_do_not() -> None:
    found = examine_machine(seconds=0)
    reports = {report.name: report for report in found.platforms}
    assert list(reports) == ["CUDA", "HIP", "OpenCL", "CPU", "Reference"]
    assert reports["CPU"].fault is None
    assert reports["CPU"].speed is None
    for report in reports.values():
        assert report.fault is None or report.name in ("CUDA", "HIP", "OpenCL")
    assert "fastest that works" in found.choice
    assert found.versions["openmm"][0].isdigit()
    assert found.cores >= 1


@pytest.mark.parametrize(
    ("driver", "extra"), [("580.82.07", "cuda13"), ("595.1", "cuda13"), ("535.183.01", "cuda12")]
)
def test_a_card_that_is_not_used_names_the_extra_for_its_driver(driver: str, extra: str) -> None:
    reports = [PlatformReport(name="CUDA", fault="not installed"),
               PlatformReport(name="CPU", fault=None)]  # fmt: skip
    (line,) = doctor._advise(reports, [{**CARD, "driver_version": driver}])
    assert line.startswith("NVIDIA H200 is not used: pip install")
    assert f"solvation[{extra}]" in line


def test_a_card_in_use_is_shared_better_under_mps(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    reports = [PlatformReport(name="CUDA", fault=None)]
    assert doctor._advise(reports, [CARD]) == [
        "several replicas share a GPU better under MPS: nvidia-cuda-mps-control -d"
    ]
    (tmp_path / "control").touch()
    assert doctor._advise(reports, [CARD]) == []
    alone = {**CARD, "compute_mode": "Exclusive_Process"}
    assert "exclusive mode" in doctor._advise(reports, [alone])[0]


def test_what_nvidia_smi_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    line = ", ".join(CARD.values()) + "\n"
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/bin/nvidia-smi")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=line))
    assert doctor._ask_nvidia() == [CARD]


def test_json_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--seconds", "0", "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert {item["name"] for item in document["platforms"]} >= {"CUDA", "CPU", "Reference"}
    assert document["versions"]["solvation"]
    assert call(monkeypatch, "--seconds", "0", "--platform", "Foo") == 2
    assert 'platform "Foo" is not known' in capfd.readouterr().err
    monkeypatch.setattr(doctor, "find_fault", lambda name: "no device")
    assert call(monkeypatch, "--seconds", "0", "--platform", "cuda") == 3
    out, err = capfd.readouterr()
    assert "platform CUDA cannot run here (no device)" in err
    assert "cuda13" in out
