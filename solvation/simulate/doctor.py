"""Doctor: what this machine can run on, how fast, and what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.simulate.hardware import (
    ADVICE,
    GPU_PLATFORMS,
    PLATFORMS,
    Hardware,
    count_cores,
    explain_platform,
    find_fault,
    is_gpu,
    list_devices,
    make_properties,
)

if TYPE_CHECKING:
    import openmm

__all__ = ["Finding", "PlatformReport", "examine_machine", "make_liquid", "measure_speed"]

_EDGE = 3.2
"""nm; edge of the box of the speed test."""
_SIDE = 14
"""Particles along an edge: 2 744, a small electrolyte's number of atoms."""
_CUTOFF = 1.0
"""nm."""
_TIMESTEP = 0.004
"""ps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReport:
    """What was found of one platform."""

    name: str
    """OpenMM's name."""
    fault: str | None
    """Why it cannot run; None when it can."""
    devices: tuple[str, ...] = ()
    """Names of its devices, by index."""
    speed: float | None = None
    """ns/day of the speed test; None when it was not run."""
    advice: str = ""
    """What would bring it."""
    note: str = ""
    """What else is to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """All that was found."""

    platforms: tuple[PlatformReport, ...]
    """In order of preference."""
    choice: str
    """Which platform a run would take and why, one line."""
    versions: dict[str, str]
    """Of OpenMM and of the GPU's driver."""
    cores: int
    """That this process may use."""
    advice: tuple[str, ...] = ()
    """What to do, in order."""
    details: dict[str, Any] = field(default_factory=dict)
    """What ``nvidia-smi`` says."""


def examine_machine(*, seconds: float = 5.0, platforms: tuple[str, ...] = PLATFORMS) -> Finding:
    """Look at every platform, and run a liquid on each for a moment.

    Parameters
    ----------
    seconds
        Length of each speed test; 0 for none.
    platforms
        Which.
    """
    import openmm

    reports = []
    for name in platforms:
        fault = find_fault(name)
        if fault is not None:
            reports.append(PlatformReport(name=name, fault=fault, advice=ADVICE.get(name, "")))
            continue
        speed = measure_speed(Hardware(platform=name), seconds) if seconds > 0 else None
        note = "its device is this CPU; never chosen by itself"
        reports.append(
            PlatformReport(
                name=name,
                fault=None,
                devices=list_devices(name),
                speed=speed,
                note=note if name == "OpenCL" and not is_gpu(name) else "",
            )
        )
    cards = _ask_nvidia()
    return Finding(
        platforms=tuple(reports),
        choice=explain_platform(Hardware()),
        versions={"openmm": openmm.version.full_version} | _read_drivers(cards),
        cores=count_cores(),
        advice=tuple(_advise(reports, cards)),
        details={"cards": cards},
    )


def make_liquid() -> tuple[openmm.System, np.ndarray[Any, np.dtype[np.float64]]]:
    """Make a box of charged Lennard-Jones particles under PME, with the load of an electrolyte.

    Returns
    -------
    tuple
        System, and positions on a lattice in nm, shape ``(2744, 3)``.
    """
    import openmm

    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((_EDGE, 0, 0), (0, _EDGE, 0), (0, 0, _EDGE))
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setCutoffDistance(_CUTOFF)
    grid = np.stack(np.meshgrid(*[np.arange(_SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for cell in grid:
        system.addParticle(12.0)
        force.addParticle(0.2 * (-1.0) ** int(cell.sum()), 0.2, 0.5)
    system.addForce(force)
    return system, (grid + 0.5) * _EDGE / _SIDE


def measure_speed(hardware: Hardware, seconds: float) -> float:
    """Run the liquid for some seconds; returns ns/day at 4 fs."""
    import openmm
    from openmm import unit

    system, positions = make_liquid()
    integrator = openmm.LangevinMiddleIntegrator(
        300 * unit.kelvin, 1 / unit.picosecond, _TIMESTEP * unit.picosecond
    )
    platform = openmm.Platform.getPlatformByName(hardware.platform)
    context = openmm.Context(system, integrator, platform, make_properties(platform, hardware))
    context.setPositions(positions)
    context.setVelocitiesToTemperature(300 * unit.kelvin, 1)
    steps, done, chunk = integrator.step, 0, 1
    steps(2)  # kernels are compiled
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds or not done:
        steps(chunk)
        context.getState(getEnergy=True).getPotentialEnergy()  # wait for the device
        done += chunk
        chunk = max(1, min(2 * chunk, int(0.2 * done * max(seconds, 0.1) / max(spent, 1e-3))))
    spent = time.perf_counter() - began
    return done * _TIMESTEP * 1e-3 * 86400 / spent


def _ask_nvidia() -> list[dict[str, str]]:
    """Ask nvidia-smi for its cards; none where there is no such program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    keys = ("index", "name", "driver_version", "memory.total", "compute_cap", "compute_mode")
    try:
        done = subprocess.run(
            [program, f"--query-gpu={','.join(keys)}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


def _read_drivers(cards: list[dict[str, str]]) -> dict[str, str]:
    """Versions of the drivers that can be known."""
    found = {"nvidia driver": cards[0]["driver_version"]} if cards else {}
    try:
        text = Path("/sys/module/amdgpu/version").read_text(encoding="utf-8").strip()
    except OSError:
        text = ""
    return found | ({"amdgpu driver": text} if text else {})


def _advise(reports: list[PlatformReport], cards: list[dict[str, str]]) -> list[str]:
    """Say what to do."""
    working = {report.name for report in reports if report.fault is None}
    advice = []
    if cards and "CUDA" not in working:
        major = cards[0]["driver_version"].partition(".")[0]
        # CUDA 13 needs driver 580 or newer, CUDA 12 525: docs.nvidia.com/deploy/cuda-compatibility
        extra = "cuda13" if major.isdecimal() and int(major) >= 580 else "cuda12"
        advice.append(
            f"{cards[0]['name']} is not used: pip install 'solvation[{extra}]' "
            f"(driver {cards[0]['driver_version']})"
        )
    elif not working & set(GPU_PLATFORMS) - {report.name for report in reports if report.note}:
        advice.append(
            "no GPU was found; with an NVIDIA card: pip install 'solvation[cuda13]' "
            "(driver 580 or newer) or 'solvation[cuda12]'; with an AMD card: "
            "pip install OpenMM-HIP-6"
        )
    if cards and "CUDA" in working:
        if any(card["compute_mode"].startswith("Exclusive") for card in cards):
            advice.append("a card is in exclusive mode: one process, hence one replica, at a time")
        pipe = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
        if not (pipe / "control").exists():
            advice.append(
                "several replicas share a GPU better under MPS: nvidia-cuda-mps-control -d"
            )
    return advice
