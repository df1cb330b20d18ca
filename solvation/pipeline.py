"""Pipeline: recipe -> box -> trajectory -> results -> report, repeating nothing that is done."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from solvation.analyze.specimen import write_specimens
from solvation.errors import RecipeError, WorkspaceError
from solvation.event import Listener, StageName, relay_frames, tell
from solvation.extend import extend_recipe, find_longest
from solvation.inputs import hash_analysis, hash_build, hash_text, list_differences
from solvation.job import Run, open_results
from solvation.log import read_log
from solvation.production import choose_hardware, find_box, simulate_replicas
from solvation.provenance import hash_file
from solvation.recipe import Recipe, load_recipe, set_replicas
from solvation.report.folder import write_page
from solvation.results import save_results, save_summary
from solvation.walk import read_walk
from solvation.worker import Workers, open_workers
from solvation.workspace import RunFolder, collect_versions, open_run, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solvation.analyze.plugin import Plugin
    from solvation.analyze.reference import ReferenceFrame
    from solvation.simulate.crew import Spread
    from solvation.simulate.hardware import Hardware
    from solvation.simulate.protocol import Plan

__all__ = ["analyze_trajectory", "rewrite_report", "run"]

_LOG = logging.getLogger(__name__)


def run(
    recipe: Recipe | str | Path,
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    platform: str = "auto",
    device: str = "",
    replicas: int | None = None,
    at_once: int | None = None,
    spread: Spread = "processes",
    max_hours: float | None = None,
    extend: str | None = None,
    since: StageName = "build",
    until: StageName = "report",
    allow_scripts: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    plugins: Sequence[Plugin] = (),
    command: str | None = None,
    progress: Listener | None = None,
) -> Run:
    """Do all four stages, or go on where an earlier call stopped.

    Parameters
    ----------
    recipe
        A recipe, a shipped name, or a path.
    path
        Run folder; ``runs/<name>`` when not given.
    profile
        Replaces the recipe's.
    platform
        ``"auto"``, ``"CUDA"``, ``"HIP"``, ``"OpenCL"``, ``"CPU"`` or ``"Reference"``.
    device
        Number of the GPU, or several with commas, over which replicas are spread.
    replicas
        Replaces the recipe's number of independent runs.
    at_once, spread
        Replicas at the same time, None for as many as pay, and whether each is a process or a
        thread; see `solvation.simulate.crew`.
    max_hours
        Hours after which to stop at a checkpoint, with `StopError`.
    extend
        How much longer the production of a finished run is to be, e.g. ``"50 ns"``.
    since
        The first stage to do; what comes before it must be there.
    until
        The last stage to do.
    allow_scripts
        Whether a force field may run Python code while a box is built.
    jobs, scheduler
        See `solvation.worker.open_workers`.
    plugins
        Observables of your own, see `solvation.analyze.plugin`.
    command
        What the user typed, for the manifest.
    progress
        Called with news.

    Returns
    -------
    Run
        With ``results`` (an `xarray.DataTree`), ``quantities`` and ``report``.

    Raises
    ------
    StopError
        If time was up, or SIGINT or SIGTERM came while replicas ran; call again to go on.
    SolvationError
        One line: what is wrong, where, and what to do. What was computed stays.
    RecipeError
        If a stage is not known.
    WorkspaceError
        If the folder holds no run, and ``since`` needs one.

    Examples
    --------
    >>> run("mg-tfsi2-dme", "runs/x", profile="quick")["density"].unit  # doctest: +SKIP
    'g/cm3'
    """
    from solvation.simulate.halt import Halt, heed_signals

    began = time.monotonic()
    if max_hours is not None and not max_hours > 0:
        raise RecipeError(f"max_hours = {max_hours:g} leaves no time; give more than 0")
    names = get_args(StageName)
    for name in (since, until):
        if name not in names:
            raise RecipeError(f'stage "{name}" is not known; choose one of {", ".join(names)}')
    chosen = names[names.index(since) : names.index(until) + 1]
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if replicas is not None:
        loaded = set_replicas(loaded, replicas)
    resolved = loaded.resolve(profile)
    if path is None:
        suffix = f"-{profile}" if profile not in (None, loaded.protocol.profile) else ""
        path = Path("runs") / f"{resolved.name}{suffix}"
    resolved = find_longest(resolved, RunFolder(path=Path(path)))
    if extend is not None:
        resolved = extend_recipe(resolved, RunFolder(path=Path(path)), extend)
    plan, hardware = _check_before(
        resolved,
        platform=platform if "simulate" in chosen else None,
        device=device,
        allow_scripts=allow_scripts or "build" not in chosen,
    )
    halt = Halt(
        None if max_hours is None else began + 3600 * max_hours,
        reason="time is up",
    )
    if since != "build" and not RunFolder(path=Path(path)).manifest.exists():
        raise WorkspaceError(f"{path} holds no run; start one with `solvation run`")
    folder = open_run(path)
    with folder.lock():
        _claim(folder, resolved, command=command, path=path)
        if "build" in chosen:
            _build(folder, resolved, plan, progress, allow_scripts=allow_scripts)
        if "simulate" in chosen:
            assert hardware is not None
            with heed_signals(halt):
                simulate_replicas(
                    folder, resolved, plan, hardware, progress,
                    halt=halt, at_once=at_once, spread=spread,
                )  # fmt: skip
        if "analyze" in chosen:
            halt.check()
            with open_workers(jobs, scheduler) as workers:
                _analyze(folder, resolved, plan, workers, progress, plugins)
        if "report" in chosen:
            _report(folder, resolved, progress)
    return Run(folder=folder)


def rewrite_report(path: str | Path, *, progress: Listener | None = None) -> Run:
    """Write the page of an analyzed trajectory again.

    Parameters
    ----------
    path
        A folder that `analyze_trajectory` made.
    progress
        Called with news.

    Raises
    ------
    WorkspaceError
        If there are no results in the folder.
    """
    run = open_results(path)
    with run.folder.lock():
        write_page(run.folder, recipe=None, progress=progress)
    return run


def analyze_trajectory(
    topology: str | Path,
    trajectories: Sequence[str | Path | Sequence[str | Path]],
    path: str | Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    command: str | None = None,
    progress: Listener | None = None,
    cutoffs: Mapping[str, float] | None = None,
    temperature: float | None = None,
    transport: bool = True,
    plugins: Sequence[Plugin] = (),
    frame: ReferenceFrame = "barycentric",
    viscosity: float | None = None,
    series: bool = False,
    ssip: str = "shared-solvent",
    **choices: Any,
) -> Run:
    """Analyze a trajectory that some other program made, and write the report.

    Parameters
    ----------
    topology, trajectories
        Anything MDAnalysis reads; several trajectories are replicas of one system, and one that
        is itself a list are the files of one run, in order.
    path
        Where ``results.nc``, ``summary.json`` and ``report.html`` go.
    jobs, scheduler
        Workers, see `solvation.worker.open_workers`; the numbers do not depend on them.
    command
        What the user typed, for the manifest.
    progress
        Called with news.
    cutoffs
        First-shell cutoffs in Å by pair, e.g. ``{"Mg-DME.O": 2.9}``; the others are found.
    temperature
        K; needed for conductivities, 298.15 when not given.
    transport
        Whether to follow the molecules; not needed for structure.
    plugins
        Observables of your own, see `solvation.analyze.plugin`.
    frame
        Against what motion is measured: ``"barycentric"``, ``"solvent"`` or ``"volume"``.
    viscosity
        mPa s, of the model, for the finite-size correction of diffusion.
    series, ssip
        See `solvation.analyze.stage.analyze_scene`.
    choices
        Passed on to `solvation.analyze.scene.open_scene`: ``cation``, ``anion``, ``solvent``,
        ``charges``, ``dt``, ``box``.

    Raises
    ------
    TrajectoryError, WorkspaceError
        What cannot be read or written.
    """
    from solvation.analyze.finite import add_corrections
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import ROOM_TEMPERATURE, analyze_scene

    tell(progress, "analyze", 0.0, "reading the topology")
    scene = open_scene(topology, list(trajectories), temperature=temperature, **choices)
    folder = open_run(path)
    with folder.lock(), open_workers(jobs, scheduler) as workers:
        asked = map(repr, (cutoffs, choices, series, ssip))
        inputs = hash_text([str(topology), *map(str, trajectories), *asked])
        name = Path(topology).resolve().parent.name or Path(topology).stem
        folder.update_manifest(
            schema=1, name=name, command=command, created=_now(), versions=dict(collect_versions())
        )
        with folder.record_stage("analyze", inputs):
            tree, quantities = analyze_scene(
                scene, cutoffs=cutoffs, temperature=temperature, transport=transport,
                series=series, ssip=ssip, frame=frame, plugins=plugins, workers=workers,
                progress=relay_frames(progress),
            )  # fmt: skip
            quantities = add_corrections(
                tree, quantities, given=viscosity,
                temperature=temperature or scene.temperature or ROOM_TEMPERATURE,
            )  # fmt: skip
            tree.attrs.update(name=name, kind="trajectory")
            save_results(tree, folder.results)
            if "shells" in tree:  # none around neutral molecules
                write_specimens(folder.path / "structures", tree["shells"].to_dataset())
            save_summary(quantities, folder.summary, recipe=name)
        with folder.record_stage("report", inputs):
            write_page(folder, recipe=None, progress=progress)
    return Run(folder=folder)


def _check_before(
    recipe: Recipe, *, platform: str | None, device: str, allow_scripts: bool
) -> tuple[Plan, Hardware | None]:
    """Find what is wrong with the input before a folder is made for it."""
    from solvation.build.box import check_recipe
    from solvation.simulate.protocol import make_plan

    check_recipe(recipe, allow_scripts=allow_scripts)
    plan = make_plan(recipe)
    return plan, None if platform is None else choose_hardware(recipe, platform, device)


def _claim(folder: RunFolder, recipe: Recipe, *, command: str | None, path: str | Path) -> None:
    """Make the folder this recipe's, or refuse when it is another's."""
    if folder.recipe.exists():
        there = load_recipe(folder.recipe)
        changed = list_differences(there.to_dict(), recipe.to_dict())
        if changed:
            raise WorkspaceError(
                f"{folder.path} holds another run ({changed[0]}); choose another folder with -o, "
                "or remove this one"
            )
    write_atomic(folder.recipe, recipe.to_toml())
    known = folder.read_manifest()
    typed = command or f'solvation.run("{recipe.name}", "{path}")'
    folder.update_manifest(
        schema=1,
        name=recipe.name,
        command=known.get("command", typed),
        commands=[*known.get("commands", []), typed][-100:],
        created=known.get("created", _now()),
        versions=dict(collect_versions()),
        recipe_hash=recipe.hash,
        seed=recipe.protocol.seed,
    )


def _build(
    folder: RunFolder,
    recipe: Recipe,
    plan: Plan,
    progress: Listener | None,
    *,
    allow_scripts: bool,
) -> None:
    """Do the build stage for every start that is not built yet."""
    from solvation.build.box import build_box, load_audit

    inputs = hash_build(recipe)
    boxes = {find_box(folder, item): item for item in reversed(plan.replicas)}
    for number, (box, first) in enumerate(reversed(boxes.items())):
        target = folder.build(box)
        files = ("system.xml", "state.xml", "topology.pdb", "audit.json")
        done = folder.is_done(f"build/{box}", inputs)
        if done and all((target / name).exists() for name in files):
            continue
        ran = [item.name for item in plan.replicas if find_box(folder, item) == box]
        began = any((folder.simulate(name) / "checkpoint").exists() for name in ran)
        if began and not done:
            raise WorkspaceError(
                f"{folder.path} was simulated with another version of force field "
                f"{recipe.model.forcefield}; choose another folder with -o, or remove this one"
            )
        tell(progress, "build", number / len(boxes), f"packing the {box} box")
        with folder.record_stage(f"build/{box}", inputs):
            build_box(
                recipe, target, start=first.start, packing=first.packing if box == first.box else 0,
                allow_scripts=allow_scripts,
            )  # fmt: skip
            if began:
                _compare_box(folder, box)
    audit = load_audit(folder.build(plan.replicas[0].box))
    folder.update_manifest(
        model={
            "forcefield": recipe.model.forcefield,
            "ions": recipe.model.ions,
            "charge_scale": audit["charge_scale"],
            "charge_scale_asked": recipe.model.charge_scale,
            "cutoff": str(recipe.model.cutoff),
        },
        composition={"counts": audit["residues"], "salts": audit["salts"], "asked": audit["asked"]},
    )
    molecules = ", ".join(f"{count} {name}" for name, count in audit["residues"].items())
    tell(progress, "build", 1.0, f"{molecules}: {audit['n_atoms']} atoms")


def _compare_box(folder: RunFolder, box: str) -> None:
    """Make sure that a box that was lost and built again is the one that was simulated."""
    known = folder.read_manifest().get("inputs", {})
    for name in ("system.xml", "topology.pdb"):
        key = f"build/{box}/{name}"
        if known.get(key) != hash_file(folder.path / key):
            raise WorkspaceError(
                f"{folder.build(box)} was lost, and what is built now is not the same ({name}); "
                f"copy it back from where it was, or remove {folder.path} and run again"
            )
    _LOG.warning("%s was lost; built again, and the same as before", folder.build(box))


def _analyze(
    folder: RunFolder,
    recipe: Recipe,
    plan: Plan,
    workers: Workers,
    progress: Listener | None,
    plugins: Sequence[Plugin] = (),
) -> None:
    """Do the analyze stage."""
    from solvation.analyze.bulk import add_bulk
    from solvation.analyze.finite import add_corrections
    from solvation.analyze.recorded import add_recordings, merge_quantities
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.thermostat import note_friction
    from solvation.build.box import load_audit

    names = [replica.name for replica in plan.replicas]
    trajectories = [folder.simulate(name) / "trajectory.xtc" for name in names]
    sizes = [f"{path.stat().st_size}" for path in trajectories if path.exists()]
    if len(sizes) < len(names):
        raise WorkspaceError(
            f"{folder.path} has no complete trajectory; run `solvation simulate` first"
        )
    own = [repr(plugin) for plugin in plugins]
    inputs = hash_analysis(recipe, [*sizes, collect_versions()["solvation"], *own])
    if folder.is_done("analyze", inputs) and folder.results.exists() and folder.summary.exists():
        return
    audit = load_audit(folder.build(plan.replicas[0].box))
    temperature = recipe.conditions.temperature.magnitude
    with folder.record_stage("analyze", inputs):
        tell(progress, "analyze", 0.0, "reading the topology")
        scene = open_scene(
            folder.build(plan.replicas[0].box) / "topology.pdb",
            trajectories,
            temperature=temperature,
        )
        tree, quantities = analyze_scene(
            scene,
            temperature=temperature,
            charge_scale=audit["charge_scale"],
            partial_charges=audit.get("partial_charges"),
            starts=[replica.start for replica in plan.replicas],
            plugins=plugins,
            frame=recipe.analysis.frame,
            ssip=recipe.analysis.ssip,
            series=recipe.analysis.series,
            workers=workers,
            progress=relay_frames(progress),
        )
        folders = [folder.simulate(name) for name in names]
        recorded = add_recordings(scene, tree, folders, temperature=temperature)
        quantities = merge_quantities(quantities, recorded)
        quantities = note_friction(scene, quantities, plan.friction, temperature=temperature)
        given = recipe.analysis.viscosity
        quantities = add_corrections(
            tree, quantities, given=given.magnitude if given else None, temperature=temperature
        )
        logs = {name: read_log(folder.simulate(name) / "log.csv") for name in names}
        walks = None
        if recipe.protocol.tempering is not None:
            walks = {name: read_walk(folder.simulate(name) / "walk.csv") for name in names}
        starts = [replica.start for replica in plan.replicas]
        reached, quantities = add_bulk(tree, quantities, logs, audit, starts=starts, walks=walks)
        model = {"ions": "default"} | {
            key: audit[key] for key in ("forcefield", "ions", "charge_scale") if key in audit
        }
        tree.attrs.update(name=recipe.name, title=recipe.title, kind="run", **model)
        tree.attrs["recipe_hash"] = recipe.hash
        save_results(tree, folder.results)
        if "shells" in tree:  # none around neutral molecules
            write_specimens(folder.path / "structures", tree["shells"].to_dataset())
        save_summary(quantities, folder.summary, recipe=recipe.name, extra={"model": model})
        folder.update_manifest(composition={"reached": {item.name: item.value for item in reached}})
    tell(progress, "analyze", 1.0, f"{len(quantities)} quantities")


def _report(folder: RunFolder, recipe: Recipe, progress: Listener | None) -> None:
    """Do the report stage; it is cheap and always done, so that it is never stale."""
    open_results(folder.path)
    inputs = hash_text(
        [folder.summary.read_text(encoding="utf-8"), collect_versions()["solvation"]]
    )
    with folder.record_stage("report", inputs):
        write_page(folder, recipe=recipe, progress=progress)


def _now() -> str:
    """Time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
