"""What the manifest keeps: hashes, the checkout, times and drift."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

from solvation import provenance
from solvation.errors import WorkspaceError
from solvation.kernels.drift import fit_drift
from solvation.log import LOG_HEADER
from solvation.provenance import describe_machine, describe_source, hash_file, measure_stages


def test_a_files_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert hash_file(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(WorkspaceError, match=r"cannot read .*none: No such file"):
        hash_file(tmp_path / "none")


def test_the_state_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "solvation" / "provenance.py"
    module.parent.mkdir()
    module.write_text("x = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(module))
    assert describe_source() == {}, "an installed package is in no checkout"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    clean = describe_source()
    assert clean["changed"] is False
    assert len(clean["commit"]) == 40
    module.write_text("x = 2\n")
    assert describe_source() == {"commit": clean["commit"], "changed": True}


def test_the_machine_has_a_name_and_cores() -> None:
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert all(machine[key] for key in ("system", "processor"))


def test_drift_is_the_slope_and_its_error_covers_it() -> None:
    """The truth lies within 1.96 errors about 95 times of 100; with 10 blocks, 91 (Student)."""
    random, hits = np.random.default_rng(3), 0
    time = np.arange(400) * 0.5
    for _ in range(300):
        values = 7.0 + 0.02 * time + random.normal(scale=2.0, size=400)
        slope, stderr = fit_drift(time, values)
        hits += abs(slope - 0.02) < 1.96 * stderr
    assert 0.86 < hits / 300 < 0.97
    assert np.isnan(fit_drift(time[:2], values[:2])).all()


def test_stages_are_measured_by_their_log(tmp_path: Path) -> None:
    """10 rows of 2 ps at 86.4 ns/day are 20 s; the energy climbs by 1 kJ/mol in each."""
    freedom, temperature = 600, 300.0
    kinetic = 0.5 * freedom * 8.31446261815324e-3 * temperature
    rows = [
        f"production,{500 * k},{2.0 * k},{-50.0 + k},{kinetic},{temperature},1,1,86.4\n"
        for k in range(1, 11)
    ]
    path = tmp_path / "log.csv"
    path.write_text(LOG_HEADER + "heat,500,2,0,1,300,1,1,43.2\n" + "".join(rows))
    stages = measure_stages(path)
    assert stages["heat"] == {"ps": 2.0, "wall_s": 4.0, "ns_per_day": 43.2}
    made = stages["production"]
    assert (made["ps"], made["wall_s"], made["ns_per_day"]) == (20.0, 20.0, 86.4)
    expected = 1 / 0.002 / (freedom * 8.31446261815324e-3 * temperature)
    assert made["energy_drift"] == pytest.approx(expected, rel=1e-3)
    assert made["energy_drift_stderr"] == pytest.approx(0, abs=1e-6)
