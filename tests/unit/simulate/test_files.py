"""Files of a replica: cut back to what the checkpoint vouches for, never made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvation.errors import WorkspaceError
from solvation.simulate.files import cut_file, writing


@pytest.mark.parametrize(("length", "left"), [(0, None), (3, b"abc"), (6, b"abcdef")])
def test_cut(tmp_path: Path, length: int, left: bytes | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abcdef")
    cut_file(path, length)
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_file_that_lost_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    with pytest.raises(WorkspaceError, match=r"has 3 bytes but its checkpoint says 6; remove"):
        cut_file(path, 6)
    assert path.read_bytes() == b"abc"
    with pytest.raises(WorkspaceError, match="has 0 bytes"):
        cut_file(tmp_path / "none", 1)


def test_nothing_there_and_nothing_vouched_for(tmp_path: Path) -> None:
    cut_file(tmp_path / "none", 0)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(WorkspaceError, match=r"cannot write .*x: No space left.*; mend that"),
        writing(tmp_path / "x"),
    ):
        raise OSError(28, "No space left on device")
