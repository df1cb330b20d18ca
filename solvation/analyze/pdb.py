"""PDB topologies read by columns: all that a scene needs of one, without a look at single atoms.

MDAnalysis reads PDB files of every kind, line by line; for a box of 10 000 atoms that takes longer
than reading a thousand frames of it. Files as programs write them, with elements and bonds, are
read here in a few steps for all lines together. Whatever is unusual is left to MDAnalysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from solvation.analyze.recognition import WEIGHTS
from solvation.kernels.order import sort_pairs

__all__ = ["PlainPDB", "read_pdb"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_SPACE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainPDB:
    """What a PDB file says about its atoms."""

    elements: npt.NDArray[np.str_]
    """Symbol of every atom."""
    bonds: Ints
    """Pairs of atoms, each once, the lower first, shape ``(n_bonds, 2)``."""
    box: npt.NDArray[np.float64]
    """Lengths in Å and angles in degrees, shape ``(6,)``."""


def read_pdb(path: str | Path) -> PlainPDB | None:
    """Read elements, bonds and box, or return None if the file is not a plain one.

    Plain is a file of one model with box, elements of `WEIGHTS` in their columns, and bonds
    between atoms that are there.

    Parameters
    ----------
    path
        File with the suffix ``.pdb``; for another or none the result is None.
    """
    file = Path(path)
    if file.suffix.lower() != ".pdb" or not file.is_file():
        return None
    raw = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    if not len(raw) or raw.max() > 126 or int((raw < _SPACE).sum()) != int((raw == 10).sum()):
        return None
    stop = np.flatnonzero(raw == 10)
    stop = stop if raw[-1] == 10 else np.append(stop, len(raw))
    start = np.concatenate([[0], stop[:-1] + 1])
    name = _pack(_cut(raw, start, stop, 0, 6))
    atom = np.flatnonzero((name == _word("ATOM  ")) | (name == _word("HETATM")))
    bond = np.flatnonzero(name == _word("CONECT"))
    cell = np.flatnonzero(name == _word("CRYST1"))
    end = np.flatnonzero(name >> 24 == _word("END"))
    odd = (name >> 40 == _SPACE) & (stop > start)
    usual = (
        len(atom)
        and len(bond)
        and len(cell) == 1
        and len(atom) == np.count_nonzero((name >> 16 == _word("ATOM")) | (name == _word("HETATM")))
        and int((stop - start)[atom].min()) >= 78
        and not (len(end) and end[0] < atom[-1])
        and not (odd.any() or (name >> 8 == _word("MODEL")).any())
    )
    if not usual:
        return None
    elements = _read_elements(_cut(raw, start[atom], stop[atom], 76, 78))
    serial = _pack(_cut(raw, start[atom], stop[atom], 6, 11))
    bonds = _read_bonds(_cut(raw, start[bond], stop[bond], 6, 80), serial)
    box = _read_box(raw[start[cell[0]] : stop[cell[0]]].tobytes().decode("ascii"))
    if elements is None or bonds is None or box is None or (stop - start)[bond].max() > 80:
        return None
    return PlainPDB(elements=elements, bonds=bonds, box=box)


def _cut(raw: Bytes, start: Ints, stop: Ints, first: int, last: int) -> Bytes:
    """Cut columns out of lines, with spaces where a line is shorter."""
    place = start[:, None] + np.arange(first, last)
    text: Bytes = raw.take(place, mode="clip")
    text[place >= stop[:, None]] = _SPACE
    return text


def _pack(text: Bytes) -> Ints:
    """Write a few letters as one integer, by row."""
    code = np.zeros(len(text), dtype=np.int64)
    for column in text.T:
        code = code << 8 | column
    return code


def _word(text: str) -> int:
    return int.from_bytes(text.encode("ascii"), "big")


def _read_elements(text: Bytes) -> npt.NDArray[np.str_] | None:
    """Return the symbols, or None if one is not an element of electrolytes."""
    code, which = np.unique(_pack(text), return_inverse=True)
    symbols = [int(c).to_bytes(2, "big").decode("ascii").strip().capitalize() for c in code]
    if not set(symbols) <= set(WEIGHTS):
        return None
    return np.array(symbols, dtype="<U2")[which.reshape(-1)]


def _read_bonds(text: Bytes, serial: Ints) -> Ints | None:
    """Match numbers of atoms by their text, or return None if one is not there or misplaced."""
    if (text[:, 25:] != _SPACE).any():
        return None
    numbers = text[:, :25].reshape(-1, 5, 5)
    given = (numbers != _SPACE).any(axis=2)
    # Right-aligned, at least two, and none after a gap.
    if (given != (numbers[:, :, 4] != _SPACE)).any() or not given[:, 1].all():
        return None
    if (given[:, 1:] > given[:, :-1]).any():
        return None
    order = np.argsort(serial, kind="stable")
    known = serial[order]
    if (known[1:] == known[:-1]).any():
        return None
    code = _pack(numbers.reshape(-1, 5)).reshape(-1, 5)
    row, column = np.nonzero(given[:, 1:])
    ends = np.stack([code[row, 0], code[row, column + 1]], axis=1)
    place = np.minimum(np.searchsorted(known, ends), len(known) - 1)
    return sort_pairs(order[place]) if (known[place] == ends).all() else None


def _read_box(line: str) -> npt.NDArray[np.float64] | None:
    """Return the box, in single precision as others read it, or None if there is no real one."""
    columns = [(6, 15), (15, 24), (24, 33), (33, 40), (40, 47), (47, 54)]
    try:
        box = np.array([line[a:b] for a, b in columns], dtype=np.float32).astype(np.float64)
    except ValueError:
        return None
    return box if (box[:3] > 1.01).all() and (box[3:] > 0.0).all() else None
