"""Options that are more than a word."""

from __future__ import annotations

from pathlib import Path

from solvation.option import split_pieces


def test_pieces_of_a_trajectory_may_lie_in_folders(tmp_path):
    assert split_pieces(Path("a/x.xtc+b/y.xtc")) == [Path("a/x.xtc"), Path("b/y.xtc")]
    assert split_pieces(Path("a/x.xtc")) == [Path("a/x.xtc")]
    odd = tmp_path / "c+d.xtc"
    odd.touch()
    assert split_pieces(odd) == [odd]
