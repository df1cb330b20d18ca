"""Engine: an OpenMM context, the platform it runs on, and snapshots that survive anything."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError, SimulationError, WorkspaceError
from solvation.simulate.drude import list_pairs, make_drude_integrator
from solvation.simulate.stress import add_gauge
from solvation.workspace import write_atomic

if TYPE_CHECKING:
    import openmm

    from solvation.simulate.protocol import Plan, Stage

__all__ = [
    "Progress",
    "Snapshot",
    "choose_platform",
    "describe_platform",
    "load_snapshot",
    "make_context",
    "restore",
    "save_snapshot",
]

_LOG = logging.getLogger(__name__)

PLATFORMS = ("CUDA", "HIP", "OpenCL", "CPU", "Reference")
"""Best first; OpenCL is chosen by itself only when its device is a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a replica stands: what a snapshot must agree with."""

    stage: str
    """Name of the current stage; ``"start"`` before the first."""
    interval: int
    """Report intervals done in it."""
    n_frames: int
    """Frames in the trajectory."""
    trajectory_bytes: int
    """Length of the trajectory that belongs to this snapshot."""
    log_bytes: int
    """Length of the log that belongs to it."""
    inputs: str
    """Hash of system and protocol that it was made from."""
    platform: str
    """Platform, device and OpenMM version that wrote the binary checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A moment of a run, as OpenMM's own checkpoint and in a form any platform reads."""

    progress: Progress
    checkpoint: bytes
    state: str


@cache
def choose_platform(name: str = "auto") -> openmm.Platform:
    """Pick the platform to run on.

    Parameters
    ----------
    name
        ``"auto"`` for the fastest that works (CUDA, HIP, OpenCL on a GPU, CPU), or a name.

    Raises
    ------
    RecipeError
        If there is no platform of that name.
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
        reason = _try_platform(canonical)
        if reason:
            raise SimulationError(
                f"platform {name} cannot run here ({reason}); use one of "
                f"{', '.join(p for p in PLATFORMS if not _try_platform(p))}, or auto"
            )
        return openmm.Platform.getPlatformByName(canonical)
    for candidate in PLATFORMS:
        if _try_platform(candidate) is None and (candidate != "OpenCL" or _opencl_is_gpu()):
            _LOG.info("running on %s, the fastest platform found", candidate)
            return openmm.Platform.getPlatformByName(candidate)
    raise SimulationError("OpenMM has no platform that works; reinstall it: pip install openmm")


def make_context(
    system: openmm.System, plan: Plan, stage: Stage, *, platform: str, seed: int
) -> openmm.Context:
    """Make a context for one stage: thermostat, and barostat when the box may change."""
    import openmm
    from openmm import unit

    clone = openmm.XmlSerializer.clone(system)
    temperature = stage.temperature[0] * unit.kelvin
    if stage.ensemble == "NPT":
        barostat = openmm.MonteCarloBarostat(plan.pressure * unit.bar, temperature, 25)
        barostat.setRandomNumberSeed(seed % 2**30 + 1)
        clone.addForce(barostat)
    elif stage.name == "production" and plan.steps_per_stress:
        add_gauge(clone, stage.temperature[0])
    if list_pairs(system) is None:
        integrator = openmm.LangevinMiddleIntegrator(
            temperature, plan.friction / unit.picosecond, plan.timestep * unit.picosecond
        )
        integrator.setRandomNumberSeed(seed % 2**30 + 1)
    else:
        integrator = make_drude_integrator(
            stage.temperature[0], plan.friction, plan.timestep, seed=seed % 2**30 + 1
        )
    chosen = choose_platform(platform)
    properties = {"Precision": "mixed"} if chosen.getName() in ("CUDA", "HIP", "OpenCL") else {}
    try:
        return openmm.Context(clone, integrator, chosen, properties)
    except openmm.OpenMMException as error:
        raise SimulationError(
            f"platform {chosen.getName()} cannot run this system: {_one_line(error)}; "
            "choose another with --platform"
        ) from error


def describe_platform(context: openmm.Context) -> str:
    """Name platform, device and OpenMM version: a binary checkpoint is only good on the same."""
    import openmm

    platform = context.getPlatform()
    parts = [platform.getName()]
    for key in ("DeviceName", "Precision"):
        if key in platform.getPropertyNames():
            parts.append(platform.getPropertyValue(context, key))
    return " ".join([*parts, f"OpenMM {openmm.version.full_version}"])


def save_snapshot(path: Path, context: openmm.Context, progress: Progress) -> None:
    """Write a snapshot, complete or not at all."""
    import openmm

    state = context.getState(getPositions=True, getVelocities=True, getParameters=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("progress.json", json.dumps(asdict(progress)))
        archive.writestr("checkpoint", context.createCheckpoint())
        archive.writestr(
            "state.xml", openmm.XmlSerializer.serialize(state), zipfile.ZIP_DEFLATED, 1
        )
    write_atomic(path, buffer.getvalue())


def load_snapshot(path: Path) -> Snapshot | None:
    """Read a snapshot; None when there is none.

    Raises
    ------
    WorkspaceError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return Snapshot(
                progress=Progress(**json.loads(archive.read("progress.json"))),
                checkpoint=archive.read("checkpoint"),
                state=archive.read("state.xml").decode(),
            )
    except Exception as error:  # zipfile and zlib raise a dozen kinds for damaged bytes
        raise WorkspaceError(
            f"{path} is damaged ({_one_line(error)}); remove it to run this replica from its start"
        ) from error


def restore(context: openmm.Context, snapshot: Snapshot) -> None:
    """Put a context where a snapshot was taken; falls back to the portable state.

    Raises
    ------
    SimulationError
        If neither form fits the system.
    """
    import openmm

    if snapshot.progress.platform == describe_platform(context):
        try:
            context.loadCheckpoint(snapshot.checkpoint)
            return
        except openmm.OpenMMException as error:
            _LOG.warning(
                "binary checkpoint refused (%s); using the portable state", _one_line(error)
            )
    else:
        _LOG.warning(
            "checkpoint was written on %s; continuing from the portable state",
            snapshot.progress.platform,
        )
    try:
        state = openmm.XmlSerializer.deserialize(snapshot.state)
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions(asNumpy=True))
        context.setVelocities(state.getVelocities(asNumpy=True))
    except (openmm.OpenMMException, ValueError) as error:
        raise SimulationError(
            f"the checkpoint does not fit this system ({_one_line(error)}); remove it to start "
            "again"
        ) from error


def _one_line(error: BaseException) -> str:
    """First line of a message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@cache
def _try_platform(name: str) -> str | None:
    """Why a platform cannot run, or None when it can."""
    import openmm

    try:
        _probe(name)
    except openmm.OpenMMException as error:
        return _one_line(error)
    return None


def _probe(name: str) -> tuple[Any, Any]:
    """Run one particle on a platform."""
    import openmm

    system = openmm.System()
    system.addParticle(1.0)
    integrator = openmm.VerletIntegrator(0.001)
    platform = openmm.Platform.getPlatformByName(name)
    return platform, openmm.Context(system, integrator, platform)


def _opencl_is_gpu() -> bool:
    """Whether the device OpenCL would use is a GPU and not this CPU."""
    platform, context = _probe("OpenCL")
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
