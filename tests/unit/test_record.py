"""Records: what is written is read, and a torn row is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from solvation.errors import WorkspaceError
from solvation.record import read_header, read_record, write_header

COLUMNS = ["velocity.Mg.x", "velocity.Mg.y", "velocity.Mg.z"]


def write(path: Path, rows: np.ndarray, tail: bytes = b"") -> int:
    size = write_header(path, spacing=0.02, start=1.5, columns=COLUMNS, about={"volume": 1e3})
    with path.open("ab") as stream:
        stream.write(rows.astype("<f4").tobytes() + tail)
    return size


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = np.arange(12.0).reshape(4, 3)
    size = write(tmp_path / "a.rec", rows)
    record = read_record(tmp_path / "a.rec")
    np.testing.assert_array_equal(record.values, rows)
    np.testing.assert_array_equal(record.select("velocity.Mg"), rows)
    assert (record.spacing, record.start, record.about["volume"]) == (0.02, 1.5, 1e3)
    assert read_header(tmp_path / "a.rec")[1] == size


def test_a_torn_row_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.rec", np.ones((4, 3)), tail=b"\0" * 7)
    assert read_record(tmp_path / "a.rec").values.shape == (4, 3)


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"schema": 7}\n', b"\xff\xfe\n"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.rec").write_bytes(content)
    with pytest.raises(WorkspaceError, match=r"cannot read .*a\.rec") as caught:
        read_record(tmp_path / "a.rec")
    assert "\n" not in str(caught.value)
