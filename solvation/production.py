"""Production: the simulate stage of a run, and what the manifest keeps of its replicas."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from solvation.errors import SimulationError, SolvationError, StopError, WorkspaceError
from solvation.event import Listener, tell
from solvation.inputs import hash_simulation, hash_text
from solvation.provenance import describe_machine, describe_source, hash_file, measure_stages
from solvation.simulate.progress import describe_tick

if TYPE_CHECKING:
    from solvation.recipe import Recipe
    from solvation.simulate.crew import Spread
    from solvation.simulate.dynamics import Outcome
    from solvation.simulate.halt import Halt
    from solvation.simulate.hardware import Hardware
    from solvation.simulate.loop import Tick
    from solvation.simulate.protocol import Plan, Replica
    from solvation.workspace import RunFolder

__all__ = ["choose_hardware", "find_box", "simulate_replicas"]


def choose_hardware(
    recipe: Recipe, platform: str = "auto", device: str = "", precision: str | None = None
) -> Hardware:
    """Put together what a recipe and the user ask of the hardware, and make sure it is there.

    Raises
    ------
    RecipeError
        If it cannot be.
    SimulationError
        If it is not there.
    """
    from solvation.simulate.hardware import Hardware, make_properties, pick_platform

    hardware = Hardware(
        platform=platform,
        device=device,
        precision=precision or recipe.protocol.precision,
        deterministic=recipe.protocol.deterministic,
    )
    make_properties(pick_platform(hardware), hardware)
    return hardware


def simulate_replicas(
    folder: RunFolder,
    recipe: Recipe,
    plan: Plan,
    hardware: Hardware,
    progress: Listener | None,
    *,
    halt: Halt,
    at_once: int | None = None,
    spread: Spread = "processes",
) -> None:
    """Run every replica that is not finished, several at once where that pays.

    Raises
    ------
    SolvationError
        When all have ended: what went wrong with the first that failed, or that they were asked
        to stop.
    """
    from solvation.build.box import load_audit
    from solvation.simulate.crew import Task, plan_slots, run_crew
    from solvation.simulate.hardware import explain_platform, pick_platform

    inputs = hash_simulation(recipe)
    length = recipe.protocol.production_time
    shear = [str(recipe.protocol.shear_time)] if plan.shear_time else []
    whole = hash_text([inputs, str(length), *shear])
    left = [item for item in plan.replicas if not _is_done(folder, item, whole)]
    share = {item.name: 0.0 if item in left else 1.0 for item in plan.replicas}
    errors: dict[str, SolvationError] = {}
    if left:
        halt.check()
        _check_boxes(folder, left)
        why = explain_platform(hardware)
        tell(progress, "simulate", 0.0, why)
        n_atoms = load_audit(folder.build(find_box(folder, left[0])))["n_atoms"]
        slots = plan_slots(hardware, len(left), n_atoms, at_once=at_once)
        if pick_platform(hardware).getName() == "Reference":
            spread = "processes"  # its contexts draw from one stream of random numbers
        folder.update_manifest(
            hardware={
                "why": why,
                "precision": hardware.precision,
                "deterministic": hardware.deterministic,
                "replicas_at_once": len(slots),
                "devices": sorted({slot.device for slot in slots if slot.device}),
                "machine": describe_machine(),
            },
            git=describe_source(),
            inputs=_hash_inputs(folder, recipe, left),
        )
        notes = {item.name: ExitStack() for item in left}

        def on_start(name: str) -> None:
            notes[name].enter_context(folder.record_stage(f"simulate/{name}", whole))

        def on_end(name: str, ended: Outcome | SolvationError) -> None:
            if isinstance(ended, SolvationError):
                errors[name] = ended
                notes[name].__exit__(type(ended), ended, None)
                return
            notes[name].close()
            share[name] = 1.0
            item = next(item for item in left if item.name == name)
            folder.update_manifest(
                platform=ended.platform, replicas={name: _describe(folder, item, ended)}
            )

        def on_tick(tick: Tick) -> None:
            share[tick.replica] = tick.done
            tell(progress, "simulate", sum(share.values()) / len(share), describe_tick(tick))

        tasks = [
            Task(
                prepared=folder.build(find_box(folder, item)),
                folder=folder.simulate(item.name),
                plan=plan,
                replica=item,
                inputs=inputs,
            )
            for item in left
        ]
        try:
            run_crew(
                tasks, slots, halt=halt, spread=spread,
                on_start=on_start, on_end=on_end, on_tick=on_tick,
            )  # fmt: skip
        except BaseException as error:  # a second Ctrl-C, say: the manifest must tell of it
            for note in notes.values():
                with suppress(type(error)):
                    note.__exit__(type(error), error, error.__traceback__)
            raise
    _raise_worst(errors, plan)
    halt_early = [item.name for item in left if share[item.name] < 1]
    if halt_early:
        halt.check()
    tell(progress, "simulate", 1.0, f"{len(plan.replicas)} replica(s) of {length}")


def find_box(folder: RunFolder, item: Replica) -> str:
    """Name the box of a replica; one that was begun when replicas shared boxes keeps its own."""
    begun = (folder.simulate(item.name) / "checkpoint").exists()
    shared = f"build/{item.box}" not in folder.read_manifest().get("stages", {})
    return item.start if begun and shared else item.box


def _is_done(folder: RunFolder, item: Replica, whole: str) -> bool:
    """Whether a replica is finished and its trajectory there."""
    there = (folder.simulate(item.name) / "trajectory.xtc").exists()
    return there and folder.is_done(f"simulate/{item.name}", whole)


def _check_boxes(folder: RunFolder, left: list[Replica]) -> None:
    """Make sure that the boxes are there before anything is started."""
    for item in left:
        for name in ("system.xml", "state.xml", "topology.pdb", "audit.json"):
            path = folder.build(find_box(folder, item)) / name
            if not path.is_file():
                raise WorkspaceError(
                    f"{path} is gone; copy it back, or remove {folder.path} and run again"
                )


def _hash_inputs(folder: RunFolder, recipe: Recipe, left: list[Replica]) -> dict[str, str]:
    """SHA-256 of every file that a trajectory is made from, and the recipe's own hash."""
    hashes = {"recipe": recipe.hash}
    for box in dict.fromkeys(find_box(folder, item) for item in left):
        for name in ("system.xml", "state.xml", "topology.pdb"):
            hashes[f"build/{box}/{name}"] = hash_file(folder.build(box) / name)
    for item in left:
        origin = folder.simulate(item.name) / "origin"
        if origin.is_file():
            hashes[f"simulate/{item.name}/origin"] = hash_file(origin)
    return hashes


def _describe(folder: RunFolder, item: Replica, outcome: Outcome) -> dict[str, object]:
    """What the manifest keeps of a replica."""
    return {
        "start": item.start,
        "box": find_box(folder, item),
        "seed": item.seed,
        "platform": outcome.platform,
        "ns_per_day": round(outcome.speed, 2),
        "production_ps": outcome.production,
        "density_stationary": outcome.density_stationary,
        "energy_stationary": outcome.energy_stationary,
        "retried": list(outcome.retried),
        "stages": measure_stages(folder.simulate(item.name) / "log.csv"),
    }


def _raise_worst(errors: dict[str, SolvationError], plan: Plan) -> None:
    """Raise what must be told: a failure before a stop, with what became of the others."""
    failed = {name: e for name, e in errors.items() if not isinstance(e, StopError)}
    if not failed:
        for error in errors.values():
            raise error
        return
    first = next(iter(failed.values()))
    if len(plan.replicas) == 1:
        raise first
    others = f"{len(failed)} of {len(plan.replicas)} replicas failed, the others went on"
    kind = type(first) if isinstance(first, WorkspaceError) else SimulationError
    raise kind(f"{first} ({others})") from first
