"""Provenance: what a run was made from, where, and how well it went."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import WorkspaceError
from solvation.kernels.drift import fit_drift
from solvation.log import read_log

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["describe_machine", "describe_source", "hash_file", "measure_stages"]


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises
    ------
    WorkspaceError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error


def describe_source() -> dict[str, Any]:
    """State of the checkout that the package is imported from; empty for an installed one.

    Returns
    -------
    dict
        ``commit``, and ``changed``: whether files that git follows differ from it.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return {}
    commit = _ask_git(root, ["rev-parse", "HEAD"])
    if commit is None:
        return {}
    status = _ask_git(root, ["status", "--porcelain", "--untracked-files=no"])
    return {"commit": commit, "changed": bool(status)}


def _ask_git(root: Path, words: Iterable[str]) -> str | None:
    """Ask git; None when it does not answer."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def describe_machine() -> dict[str, Any]:
    """Name the machine: system, processor, cores."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "system": f"{platform.system()} {platform.release()}",
        "host": platform.node(),
        "processor": model,
        "cores": os.cpu_count(),
    }


def measure_stages(log: Path) -> dict[str, dict[str, float]]:
    """Measure the stages of one replica by its log.

    Parameters
    ----------
    log
        Path of ``log.csv``.

    Returns
    -------
    dict
        By stage: ``ps``, ``wall_s`` (steps, reports and frames), ``ns_per_day``, and the slope of
        the total energy with its error in kT per degree of freedom and ns, ``energy_drift`` and
        ``energy_drift_stderr``. Under a thermostat the slope says whether the energy is
        stationary, not how well the integrator conserves it.
    """
    whole = read_log(log)
    stages: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(whole.stage.tolist()):
        part = whole.select(name)
        spacing = part.time[0] if len(part.time) < 2 else part.time[1] - part.time[0]
        wall = float((spacing * 1e-3 / part.speed.clip(1e-6)).sum() * 86400)
        entry = {"ps": round(float(part.time[-1]), 6), "wall_s": round(wall, 1)}
        entry["ns_per_day"] = round(float(part.time[-1]) * 86.4 / max(wall, 1e-9), 2)
        total = part.potential_energy + part.kinetic_energy
        slope, stderr = fit_drift(part.time * 1e-3, total)
        # 2 K = (degrees of freedom) R T in every row, so R T times their number is:
        scale = 2 * float(part.kinetic_energy.mean())
        if stderr == stderr:  # not NaN
            entry["energy_drift"] = float(f"{slope / scale:.4g}")
            entry["energy_drift_stderr"] = float(f"{stderr / scale:.4g}")
        stages[name] = entry
    return stages
