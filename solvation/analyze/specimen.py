"""Specimens: first shells from real frames as files that quantum chemistry reads.

Each is written as XYZ (charge and multiplicity in the comment line), PDB (residues, CONECT) and
SDF (bond orders, formal charges, charge and multiplicity as data). Two specimens never have the
same molecular graph, bonds to the cation included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from solvation.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = [
    "NUMBERS",
    "assign_orders",
    "format_pdb",
    "format_sdf",
    "format_xyz",
    "hash_graph",
    "write_specimens",
]

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La"
)
NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), start=1)}
"""Atomic numbers."""

_VALENCES = {
    "H": (1,), "B": (3,), "C": (4,), "N": (3,), "O": (2,), "F": (1,), "Al": (3,), "Si": (4,),
    "P": (3, 5), "S": (2, 4, 6), "Cl": (1, 3, 5, 7), "Br": (1, 3, 5, 7), "I": (1, 3, 5, 7),
    "As": (3, 5), "Sb": (3, 5), "Se": (2, 4, 6),
}  # fmt: skip
"""Bonds that neutral atoms make."""


def write_specimens(folder: Path, shells: xr.Dataset) -> list[Path]:
    """Write the structures of a ``shells`` node, most populated first.

    Parameters
    ----------
    folder
        Made if absent; specimens of an earlier analysis in it are removed.
    shells
        From `solvation.analyze.shell.measure_shells`.

    Returns
    -------
    The files written: three per structure, and ``index.json`` with name, motif, fraction, charge,
    multiplicity and origin of each.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written.
    """
    seen: set[str] = set()
    index: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    for k, text in enumerate(shells["graph"].values):
        shell = json.loads(str(text))
        mark = hash_graph(shell)
        if mark in seen:
            continue
        seen.add(mark)
        motif = str(shells["graph_motif"].values[k])
        name = f"{len(seen):02d}_{re.sub(r'[^A-Za-z0-9]+', '-', motif).strip('-')}"
        row = {
            "name": name,
            "motif": motif,
            "fraction": float(shells["graph_fraction"].values[k]),
            "charge": shell["charge"],
            "multiplicity": shell["multiplicity"],
            "graph": mark,
        }
        index.append(row)
        title = f"{motif} charge={shell['charge']} multiplicity={shell['multiplicity']}"
        texts[f"{name}.xyz"] = format_xyz(shell, title)
        texts[f"{name}.pdb"] = format_pdb(shell, title)
        texts[f"{name}.sdf"] = format_sdf(shell, motif)
    texts["index.json"] = json.dumps(index, indent=1, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if re.fullmatch(r"\d\d_.*\.(xyz|pdb|sdf)", old.name):
                old.unlink()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {folder}: {error}; choose another folder with -o"
        ) from error
    return [folder / name for name in texts]


def hash_graph(shell: Mapping[str, Any]) -> str:
    """Hash the molecular graph of a shell: equal for equal graphs, however they are numbered.

    Colours of atoms are refined by those of their neighbours, covalent and coordinative bonds
    apart, until no more classes appear (Weisfeiler, Leman 1968).
    """
    colours = [str(e) for e in shell["elements"]]
    n = len(colours)
    neighbours: list[list[tuple[str, int]]] = [[] for _ in range(n)]
    for kind in ("bonds", "contacts"):
        for i, j in shell[kind]:
            neighbours[i].append((kind, j))
            neighbours[j].append((kind, i))
    classes = len(set(colours))
    for _ in range(n):
        colours = [
            _digest([colours[i], *sorted(f"{kind} {colours[j]}" for kind, j in neighbours[i])])
            for i in range(n)
        ]
        if len(set(colours)) == classes:
            break
        classes = len(set(colours))
    return _digest(sorted(colours))


def _digest(parts: Sequence[str]) -> str:
    return sha256("|".join(parts).encode()).hexdigest()[:16]


def format_xyz(shell: Mapping[str, Any], title: str) -> str:
    """Write XYZ: Å, the cation first and at the origin."""
    lines = [str(len(shell["elements"])), title]
    for element, (x, y, z) in zip(shell["elements"], shell["positions"], strict=True):
        lines.append(f"{element:2s} {x:12.6f} {y:12.6f} {z:12.6f}")
    return "\n".join(lines) + "\n"


def format_pdb(shell: Mapping[str, Any], title: str) -> str:
    """Write PDB: one residue per molecule, bonds as CONECT, coordinative bonds left out."""
    lines = [f"REMARK   {title}"]
    counts: dict[tuple[int, str], int] = {}
    for k, element in enumerate(shell["elements"]):
        molecule = shell["molecule"][k]
        counts[molecule, element] = counts.get((molecule, element), 0) + 1
        name = f"{element}{counts[molecule, element]}".upper()[:4]
        padded = f"{name:<4s}" if len(element) == 2 or len(name) == 4 else f" {name:<3s}"
        x, y, z = shell["positions"][k]
        residue = re.sub(r"[^A-Za-z0-9]", "", shell["names"][molecule]).upper()[:3]
        lines.append(
            f"HETATM{k + 1:5d} {padded} {residue:>3s} A{molecule + 1:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element.upper():>2s}"
        )
    partners: dict[int, list[int]] = {}
    for i, j in shell["bonds"]:
        partners.setdefault(i, []).append(j)
        partners.setdefault(j, []).append(i)
    for i in sorted(partners):
        others = sorted(partners[i])
        for start in range(0, len(others), 4):
            bonded = "".join(f"{j + 1:5d}" for j in others[start : start + 4])
            lines.append(f"CONECT{i + 1:5d}{bonded}")
    return "\n".join([*lines, "END"]) + "\n"


def format_sdf(shell: Mapping[str, Any], title: str) -> str:
    """Write SDF (V2000): bond orders, formal charges, charge and multiplicity as data."""
    orders, charges = assign_orders(shell)
    lines = [title, f"{'':20s}3D", ""]
    lines.append(f"{len(shell['elements']):3d}{len(orders):3d}  0  0  0  0  0  0  0  0999 V2000")
    for element, (x, y, z) in zip(shell["elements"], shell["positions"], strict=True):
        lines.append(
            f"{x:10.4f}{y:10.4f}{z:10.4f} {element:<3s} 0  0  0  0  0  0  0  0  0  0  0  0"
        )
    lines += [
        f"{i + 1:3d}{j + 1:3d}{order:3d}  0"
        for (i, j), order in zip(shell["bonds"], orders, strict=True)
    ]
    charged = [(k + 1, z) for k, z in enumerate(charges) if z]
    for start in range(0, len(charged), 8):
        part = charged[start : start + 8]
        lines.append(f"M  CHG{len(part):3d}" + "".join(f"{k:4d}{z:4d}" for k, z in part))
    lines.append("M  END")
    for key in ("charge", "multiplicity"):
        lines += [f">  <{key}>", str(shell[key]), ""]
    return "\n".join([*lines, "$$$$"]) + "\n"


def assign_orders(shell: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Give every bond an order and every atom a formal charge, so that valences are full.

    Orders rise between neighbours that both lack bonds, terminal atoms and those with the fewest
    such neighbours first; an atom that still lacks bonds takes the electrons (O-, N-), one with
    too many gives them (B-, P- of BH4-, PF6-; N+). The cation of the shell keeps the charge that
    is left.
    """
    elements, bonds = shell["elements"], [tuple(pair) for pair in shell["bonds"]]
    orders = [1] * len(bonds)
    degree = [0] * len(elements)
    for i, j in bonds:
        degree[i] += 1
        degree[j] += 1
    lack = []
    for element, n in zip(elements, degree, strict=True):
        options = _VALENCES.get(element, ())
        full = next((v for v in options if v >= n), max(options, default=n))
        # Sulfonyl, phosphoryl and perchlorate centres use their highest valence.
        if element in ("S", "P", "Cl", "Br", "I", "As", "Sb", "Se") and n > options[0]:
            full = max(full, options[-1])
        lack.append(full - n if n or element == "H" else 0)
    while True:
        open_bonds = [k for k, (i, j) in enumerate(bonds) if lack[i] > 0 and lack[j] > 0]
        if not open_bonds:
            break
        rivals = [0] * len(elements)
        for k in open_bonds:
            for atom in bonds[k]:
                rivals[atom] += 1
        best = min(
            open_bonds,
            key=lambda k: (
                min(degree[a] for a in bonds[k]), min(rivals[a] for a in bonds[k]), orders[k],
                bonds[k],
            ),
        )  # fmt: skip
        orders[best] += 1
        for atom in bonds[best]:
            lack[atom] -= 1
    charges = [0] * len(elements)
    for k, (element, missing) in enumerate(zip(elements, lack, strict=True)):
        # Too many bonds: a lone pair gave one (N+, O+), or an empty orbital took one (B-, P-).
        gives = missing < 0 and element in ("N", "O")
        charges[k] = -missing if missing < 0 and gives else missing if missing < 0 else -missing
    centre = [k for k, m in enumerate(shell["molecule"]) if m == 0]
    lone = [k for k, n in enumerate(degree) if n == 0 and k not in centre]
    for k in lone:
        charges[k] = {"F": -1, "Cl": -1, "Br": -1, "I": -1}.get(elements[k], 0)
    if len(centre) == 1:
        charges[centre[0]] = shell["charge"] - sum(charges)
    return orders, charges
