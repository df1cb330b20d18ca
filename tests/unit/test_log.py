"""Log: columns as they were written, or one line about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvation.errors import WorkspaceError
from solvation.log import LOG_HEADER, read_log

ROWS = (
    "heat,250,1.0000,-12.5,40.25,480.1,27000.5,1.01,88.1\n"
    "heat,500,2.0000,-13.5,41.25,481.1,27000.5,1.02,88.2\n"
    "production,250,1.0000,-14.5,42.25,298.1,26000.5,1.03,88.3\n"
)


def test_columns_and_stages(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG_HEADER + ROWS)
    log = read_log(path)
    assert log.stage.tolist() == ["heat", "heat", "production"]
    assert log.step.tolist() == [250, 500, 250]
    assert log.time.tolist() == [1.0, 2.0, 1.0]
    assert log.potential_energy.tolist() == [-12.5, -13.5, -14.5]
    assert log.kinetic_energy.tolist() == [40.25, 41.25, 42.25]
    assert log.temperature.tolist() == [480.1, 481.1, 298.1]
    assert log.volume.tolist() == [27000.5, 27000.5, 26000.5]
    assert log.density.tolist() == [1.01, 1.02, 1.03]
    assert log.speed.tolist() == [88.1, 88.2, 88.3]
    assert log.select("production").density.tolist() == [1.03]
    assert len(log.select("anneal").time) == 0


def test_header_only(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG_HEADER)
    assert read_log(path).density.shape == (0,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a log of this version"),
        (b"step,time\n1,2\n", "is not a log of this version"),
        (LOG_HEADER.encode() + b"heat,250,1.0\n", "has a broken line"),
        (LOG_HEADER.encode() + ROWS.replace("40.25", "4\x00", 1).encode(), "has a broken line"),
        (LOG_HEADER.encode() + ROWS.replace("500", "5e2", 1).encode(), "has a broken line"),
        (LOG_HEADER.encode() + b"\xff\xfe\n", "is not text"),
    ],
)
def test_broken_logs(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match=message) as caught:
        read_log(path)
    assert "\n" not in str(caught.value)


def test_missing_log(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"run `solvation simulate` first"):
        read_log(tmp_path / "log.csv")
