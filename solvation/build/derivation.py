"""Derivation: the calculations behind a parameter set, each kept in a file and done once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build import quantum, resp
from solvation.build.fitting import superpose
from solvation.build.seminario import measure_dihedral
from solvation.build.subject import embed_conformers
from solvation.build.torsion import Scan, list_angles
from solvation.errors import RecipeError, SimulationError
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from solvation.build.subject import Subject
    from solvation.build.torsion import Rotor

__all__ = [
    "Listener",
    "find_charges",
    "find_hessian",
    "find_shapes",
    "keep_log",
    "open_derivation",
    "scan_rotor",
]

_SAME = 0.4
"""kJ/mol and 0.1 Å: conformers nearer than both are one."""

Listener = Callable[[str], None]
"""Gets a line for every step."""


def open_derivation(folder: Path, asked: dict[str, Any]) -> None:
    """Open the folder of finished steps; refuse one that belongs to another calculation.

    Raises
    ------
    RecipeError
        If the folder holds the steps of another calculation.
    """
    file = folder / "input.json"
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        for key, value in asked.items():
            if key != "versions" and before.get(key) != value:
                raise RecipeError(
                    f"{folder} was made with {key} = {before.get(key)}, not {value}; choose "
                    "another output folder, or delete it"
                )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(asked, indent=1) + "\n")


def keep_log(file: Path, listen: Listener) -> Listener:
    """Write every line to the log too, with the time."""

    def write(text: str) -> None:
        with file.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        listen(text)

    return write


def find_shapes(
    subject: Subject, surface: quantum.Surface, folder: Path, number: int, seed: int,
    listen: Listener,
) -> tuple[list[NDArray[np.float64]], list[float]]:  # fmt: skip
    """Relax conformers; keep the lowest that differ.

    Shapes in Å, ``(n_atoms, 3)`` each, and their energies in kJ/mol.

    Raises
    ------
    SimulationError
        If no conformer relaxes.
    """
    file = folder / "conformers.xyz"
    if not file.is_file():
        guesses = embed_conformers(subject, max(8, 4 * number), seed=seed)
        guesses.sort(key=lambda shape: surface(shape)[0])
        found: list[tuple[float, NDArray[np.float64]]] = []
        for n, guess in enumerate(guesses[: 2 * number], 1):
            listen(f"conformer {n} of {min(len(guesses), 2 * number)}")
            try:
                shape, energy = quantum.relax(surface, subject.elements, guess)
            except SimulationError:
                continue
            if not any(abs(energy - e) < _SAME and superpose(shape, s) < 0.1 for e, s in found):
                found.append((energy, shape))
        if not found:
            raise SimulationError(f"{subject.name}: no conformer relaxed to a minimum")
        found = sorted(found, key=lambda pair: pair[0])[:number]
        _write_shapes(file, subject, [s for _, s in found], [e for e, _ in found])
    shapes, energies = _read_shapes(file, subject)
    return list(shapes), [float(e) for e in energies]


def find_hessian(
    surface: quantum.Surface, shape: NDArray[np.float64], folder: Path, listen: Listener
) -> NDArray[np.float64]:
    """Second derivatives at the lowest conformer, kJ/mol/Å2.

    ``shape`` in Å, ``(n_atoms, 3)``; the Hessian has the shape ``(3 n_atoms, 3 n_atoms)``.
    """
    file = folder / "hessian.npz"
    if not file.is_file():
        listen("hessian")
        _save(file, hessian=quantum.compute_hessian(surface, shape))
    with np.load(file) as data:
        return np.array(data["hessian"])


def find_charges(
    subject: Subject, shapes: list[NDArray[np.float64]], folder: Path, orientations: int,
    threads: int, seed: int, listen: Listener,
) -> resp.Charges:  # fmt: skip
    """Compute the potential around every shape and fit charges to all of them.

    Shapes in Å, ``(n_atoms, 3)`` each; charges in e.
    """
    placed, points, potentials = [], [], []
    for n, shape in enumerate(shapes):
        file = folder / f"potential-{n}.npz"
        if not file.is_file():
            listen(f"HF/6-31G* potential of conformer {n + 1} of {len(shapes)}")
            generator = np.random.default_rng([seed, n])
            grids = [
                resp.make_shells(subject.elements, shape, generator=generator)
                for _ in range(orientations)
            ]
            values = quantum.compute_potential(
                subject.elements, shape, subject.charge, np.concatenate(grids), threads=threads
            )
            _save(file, points=np.concatenate(grids), potential=values,
                  counts=np.array([len(g) for g in grids]))  # fmt: skip
        with np.load(file) as data:
            cuts = np.cumsum(data["counts"])[:-1]
            points += np.split(data["points"], cuts)
            potentials += np.split(data["potential"], cuts)
            placed += [shape] * len(data["counts"])
    charges = resp.fit_charges(
        subject.elements, subject.bonds, subject.classes, subject.charge, placed, points, potentials
    )
    result = {
        "charges": [round(float(q), 10) for q in charges.values], "rrms": charges.rrms,
        "rrms_of_sets": charges.rrms_sets, "rmse_kJ_mol_e": charges.rmse,
        "points": charges.n_points,
    }  # fmt: skip
    write_atomic(folder / "charges.json", json.dumps(result, indent=1) + "\n")
    return charges


def scan_rotor(
    subject: Subject, surface: quantum.Surface, rotor: Rotor, shape: NDArray[np.float64],
    energy: float, folder: Path, listen: Listener,
) -> Scan:  # fmt: skip
    """Turn a bond and relax the rest; `bare` and `shapes` are still the reference's.

    ``shape`` in Å, ``(n_atoms, 3)``; energies in kJ/mol.
    """
    file = folder / f"scan-{'-'.join(str(a) for a in rotor.atoms)}.xyz"
    if not file.is_file():
        label = "-".join(subject.elements[a] for a in rotor.atoms)
        angles = list_angles(rotor, measure_dihedral(shape, rotor.atoms))
        kept, energies = [shape], [energy]
        for n, angle in enumerate(angles[1:], 2):
            listen(f"scan of {label}: {n} of {len(angles)}")
            try:
                there, value = quantum.relax(
                    surface, subject.elements, kept[-1],
                    held=(rotor.atoms, float(np.degrees(angle))), steps=150,
                )  # fmt: skip
            except (SimulationError, ValueError):
                continue
            kept.append(there)
            energies.append(value)
        _write_shapes(file, subject, kept, energies)
    shapes, found = _read_shapes(file, subject)
    return Scan(reference=found - found.min(), bare=np.zeros(len(found)), shapes=shapes)


def _write_shapes(
    file: Path, subject: Subject, shapes: list[NDArray[np.float64]], energies: list[float]
) -> None:
    """Write shapes as XYZ, the energy in the second line of each."""
    lines = []
    for shape, energy in zip(shapes, energies, strict=True):
        lines += [str(subject.n_atoms), f"{subject.name} {energy:.6f} kJ/mol"]
        lines += [
            f"{e:2} {x:14.8f} {y:14.8f} {z:14.8f}"
            for e, (x, y, z) in zip(subject.elements, shape, strict=True)
        ]
    write_atomic(file, "\n".join(lines) + "\n")


def _read_shapes(file: Path, subject: Subject) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read what `_write_shapes` wrote: Å, shape ``(n, n_atoms, 3)``, and kJ/mol, shape ``(n,)``."""
    lines = file.read_text(encoding="utf-8").splitlines()
    size = subject.n_atoms + 2
    try:
        parts = [lines[n : n + size] for n in range(0, len(lines), size)]
        shapes = [[line.split()[1:4] for line in part[2:]] for part in parts]
        energies = [part[1].split()[1] for part in parts]
        return np.array(shapes, dtype=float).reshape(-1, subject.n_atoms, 3), np.array(
            energies, dtype=float
        )
    except (IndexError, ValueError) as error:
        raise RecipeError(f"{file} is damaged: {error}; delete it to do the step again") from error


def _save(file: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays beside and rename, so that a file that exists is whole."""
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, allow_pickle=False, **arrays)
    part.replace(file)
