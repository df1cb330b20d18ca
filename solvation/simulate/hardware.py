"""Hardware: which platform and device a run uses, and why."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, SimulationError

if TYPE_CHECKING:
    import openmm

__all__ = [
    "PLATFORMS",
    "PRECISIONS",
    "Hardware",
    "choose_platform",
    "count_cores",
    "explain_platform",
    "find_fault",
    "list_devices",
    "make_properties",
    "pick_platform",
]

_LOG = logging.getLogger(__name__)

PLATFORMS = ("CUDA", "HIP", "OpenCL", "CPU", "Reference")
"""Best first; OpenCL is chosen by itself only when its device is a GPU."""
PRECISIONS = ("mixed", "single", "double")
"""Of GPUs. The CPU platform is always mixed, Reference always double."""
GPU_PLATFORMS = ("CUDA", "HIP", "OpenCL")
"""Those with devices and a choice of precision."""
ADVICE = {
    "CUDA": "pip install 'solvation[cuda13]' (or cuda12 for older drivers)",
    "HIP": "pip install OpenMM-HIP-6",
    "OpenCL": "install the driver's OpenCL runtime",
}
"""What brings a platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What to run on."""

    platform: str = "auto"
    """``"auto"`` for the fastest that works, or a name of `PLATFORMS`."""
    device: str = ""
    """Index of the GPU, or several with commas; empty for OpenMM's choice."""
    precision: str = "mixed"
    """One of `PRECISIONS`."""
    deterministic: bool = False
    """Whether forces must be summed in a fixed order."""
    threads: int = 0
    """Threads of the CPU platform; 0 for as many as there are cores to use."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise RecipeError(
                f'precision "{self.precision}" is not known; choose one of {", ".join(PRECISIONS)}'
            )
        if self.device and not all(part.strip().isdecimal() for part in self.device.split(",")):
            raise RecipeError(
                f'device "{self.device}" is not understood; give the number of a GPU, e.g. 0, or '
                "several: 0,1"
            )

    @property
    def devices(self) -> tuple[str, ...]:
        """Indices that were asked for."""
        return tuple(part.strip() for part in self.device.split(",")) if self.device else ()


@cache
def choose_platform(name: str = "auto", *, precision: str = "mixed") -> openmm.Platform:
    """Pick the platform to run on.

    Parameters
    ----------
    name
        ``"auto"`` for the fastest that works (CUDA, HIP, OpenCL on a GPU, CPU), or a name.
    precision
        With ``"double"``, the CPU platform, which is mixed, gives way to Reference.

    Raises
    ------
    RecipeError
        If there is no platform of that name, or it has not that precision.
    SimulationError
        If the platform is not installed or has no device.
    """
    import openmm

    if name != "auto":
        canonical = {platform.lower(): platform for platform in PLATFORMS}.get(name.lower())
        if canonical is None:
            raise RecipeError(
                f'platform "{name}" is not known; choose one of auto, {", ".join(PLATFORMS)}'
            )
        if canonical == "CPU" and precision != "mixed":
            raise RecipeError(
                f"platform CPU computes in mixed precision, not in {precision}; use "
                "Reference for double precision, or a GPU"
            )
        reason = find_fault(canonical)
        if reason:
            advice = f"; {ADVICE[canonical]}" if canonical in ADVICE else ""
            raise SimulationError(
                f"platform {name} cannot run here ({reason}); use one of "
                f"{', '.join(p for p in PLATFORMS if not find_fault(p))}, or auto{advice}"
            )
        return openmm.Platform.getPlatformByName(canonical)
    for candidate in PLATFORMS:
        if candidate == "CPU" and precision == "double":
            continue
        if find_fault(candidate) is None and (candidate != "OpenCL" or is_gpu("OpenCL")):
            _LOG.info("running on %s, the fastest platform found", candidate)
            return openmm.Platform.getPlatformByName(candidate)
    raise SimulationError("OpenMM has no platform that works; reinstall it: pip install openmm")


def pick_platform(hardware: Hardware) -> openmm.Platform:
    """Pick the platform of a piece of hardware; see `choose_platform`."""
    return choose_platform(hardware.platform, precision=hardware.precision)


def make_properties(platform: openmm.Platform, hardware: Hardware) -> dict[str, str]:
    """Write what was chosen in OpenMM's terms.

    Raises
    ------
    RecipeError
        If the platform has no such choice.
    """
    name, known = platform.getName(), platform.getPropertyNames()
    properties = {}
    if name in GPU_PLATFORMS:
        properties["Precision"] = hardware.precision
        if hardware.device:
            properties["DeviceIndex"] = ",".join(hardware.devices)
    elif hardware.device:
        raise RecipeError(f"platform {name} has no devices to choose from; leave out --device")
    if name == "CPU":
        properties["Threads"] = str(hardware.threads or count_cores())
    if hardware.deterministic and name != "Reference":
        if "DeterministicForces" not in known:
            raise RecipeError(
                f"platform {name} cannot sum forces in a fixed order; use CUDA, HIP, CPU or "
                "Reference, or leave out protocol.deterministic"
            )
        properties["DeterministicForces"] = "true"
    return properties


def explain_platform(hardware: Hardware) -> str:
    """Say in one line which platform runs and why."""
    chosen = pick_platform(hardware).getName()
    if chosen in GPU_PLATFORMS:
        devices = list_devices(chosen)
        picked = [devices[int(i)] for i in hardware.devices if int(i) < len(devices)] or devices[:1]
        what = f"{chosen} on {', '.join(picked)}, {hardware.precision} precision"
    elif chosen == "CPU":
        what = f"CPU, {hardware.threads or count_cores()} threads, mixed precision"
    else:
        what = "Reference, double precision"
    if hardware.platform != "auto":
        return f"{what}: as asked"
    faults = []
    for name in PLATFORMS[: PLATFORMS.index(chosen)]:
        if name == "HIP":  # few have one, and its absence explains nothing
            continue
        if name == "CPU":
            faults.append("CPU has no double precision")
        elif fault := find_fault(name):
            faults.append(f"no {name}: {fault}")
        else:
            faults.append(f"{name}'s device is this CPU, not a GPU")
    return f"{what}: the fastest that works" + (f" ({'; '.join(faults)})" if faults else "")


@cache
def list_devices(name: str) -> tuple[str, ...]:
    """List the names of a platform's devices, in the order of their indices."""
    import openmm

    if name not in GPU_PLATFORMS or find_fault(name):
        return ()
    devices: list[str] = []
    while len(devices) < 64:
        try:
            platform, context = _probe(name, {"DeviceIndex": str(len(devices))})
        except openmm.OpenMMException:
            break
        devices.append(platform.getPropertyValue(context, "DeviceName"))
        del context
    return tuple(devices)


def count_cores() -> int:
    """Cores this process may use: fewer than there are in a batch job, or where one says so."""
    for name in ("OPENMM_CPU_THREADS", "SLURM_CPUS_PER_TASK"):
        text = os.environ.get(name, "")
        if text.isdecimal() and int(text):
            return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def find_fault(name: str) -> str | None:
    """Why a platform cannot run, or None when it can."""
    import openmm

    try:
        _probe(name, {})
    except openmm.OpenMMException as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        missing = text[0].startswith("There is no registered Platform")
        return "not installed, or without a device" if missing else text[0]
    return None


def is_gpu(name: str) -> bool:
    """Whether the device a platform would use is a GPU and not this CPU."""
    platform, context = _probe(name, {})
    device = platform.getPropertyValue(context, "DeviceName").lower()
    try:
        models = {
            line.partition(":")[2].strip().lower()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        }
    except OSError:
        models = set()
    words = ("cpu", "pthread", "xeon", "epyc", "ryzen", "core(tm)")
    return device not in models and not any(word in device for word in words)


def _probe(name: str, properties: dict[str, str]) -> tuple[Any, Any]:
    """Make a context of one particle on a platform."""
    import openmm

    system = openmm.System()
    system.addParticle(1.0)
    integrator = openmm.VerletIntegrator(0.001)
    platform = openmm.Platform.getPlatformByName(name)
    return platform, openmm.Context(system, integrator, platform, properties)
