"""Pipeline: recipe -> box -> trajectory -> results -> report, repeating nothing that is done."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from solvation.analyze.specimen import write_specimens
from solvation.errors import RecipeError, WorkspaceError
from solvation.event import Listener, StageName, relay_frames, tell
from solvation.inputs import hash_analysis, hash_build, hash_simulation, hash_text, list_differences
from solvation.job import Run, open_results
from solvation.log import read_log
from solvation.recipe import Recipe, load_recipe, set_replicas
from solvation.report.folder import write_page
from solvation.results import save_results, save_summary
from solvation.simulate.progress import describe_tick
from solvation.worker import Workers, open_workers
from solvation.workspace import RunFolder, collect_versions, open_run, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solvation.analyze.reference import ReferenceFrame
    from solvation.simulate.dynamics import Tick
    from solvation.simulate.protocol import Plan

__all__ = ["analyze_trajectory", "rewrite_report", "run"]

_LOG = logging.getLogger(__name__)


def run(
    recipe: Recipe | str | Path,
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    platform: str = "auto",
    replicas: int | None = None,
    since: StageName = "build",
    until: StageName = "report",
    allow_scripts: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
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
        ``"auto"``, ``"CUDA"``, ``"OpenCL"``, ``"CPU"`` or ``"Reference"``.
    replicas
        Replaces the recipe's number of independent runs.
    since
        The first stage to do; what comes before it must be there.
    until
        The last stage to do.
    allow_scripts
        Whether a force field may run Python code while a box is built.
    jobs, scheduler
        See `solvation.worker.open_workers`.
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
    SolvationError
        One line: what is wrong, where, and what to do. What was computed stays.

    Examples
    --------
    >>> run("mg-tfsi2-dme", "runs/x", profile="quick")["density"].unit  # doctest: +SKIP
    'g/cm3'
    """
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
    plan = _check_before(
        resolved,
        platform=platform if "simulate" in chosen else None,
        allow_scripts=allow_scripts or "build" not in chosen,
    )
    if since != "build" and not RunFolder(path=Path(path)).manifest.exists():
        raise WorkspaceError(f"{path} holds no run; start one with `solvation run`")
    folder = open_run(path)
    with folder.lock():
        _claim(folder, resolved, command=command, path=path)
        if "build" in chosen:
            _build(folder, resolved, plan, progress, allow_scripts=allow_scripts)
        if "simulate" in chosen:
            _simulate(folder, resolved, plan, platform, progress)
        if "analyze" in chosen:
            with open_workers(jobs, scheduler) as workers:
                _analyze(folder, resolved, plan, workers, progress)
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
                series=series, ssip=ssip, frame=frame, workers=workers,
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


def _check_before(recipe: Recipe, *, platform: str | None, allow_scripts: bool) -> Plan:
    """Find what is wrong with the input before a folder is made for it."""
    from solvation.build.box import check_recipe
    from solvation.simulate.engine import choose_platform
    from solvation.simulate.protocol import make_plan

    check_recipe(recipe, allow_scripts=allow_scripts)
    plan = make_plan(recipe)
    if platform is not None:
        choose_platform(platform)
    return plan


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
    starts = list(dict.fromkeys(replica.start for replica in plan.replicas))
    for number, start in enumerate(starts):
        target = folder.build(start)
        if folder.is_done(f"build/{start}", inputs) and (target / "audit.json").exists():
            continue
        ran = [item.name for item in plan.replicas if item.start == start]
        if any((folder.simulate(name) / "checkpoint").exists() for name in ran):
            raise WorkspaceError(
                f"{folder.path} was simulated with another version of force field "
                f"{recipe.model.forcefield}; choose another folder with -o, or remove this one"
            )
        tell(progress, "build", number / len(starts), f"packing the {start} box")
        with folder.record_stage(f"build/{start}", inputs):
            build_box(recipe, target, start=start, allow_scripts=allow_scripts)
    audit = load_audit(folder.build(starts[0]))
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


def _simulate(
    folder: RunFolder,
    recipe: Recipe,
    plan: Plan,
    platform: str,
    progress: Listener | None,
) -> None:
    """Do the simulate stage for every replica that is not finished."""
    from solvation.simulate.dynamics import run_replica

    inputs = hash_simulation(recipe)
    length = recipe.protocol.production_time
    for number, item in enumerate(plan.replicas):

        def on_tick(tick: Tick, number: int = number) -> None:
            share = (number + tick.done) / len(plan.replicas)
            tell(progress, "simulate", share, describe_tick(tick))

        key = f"simulate/{item.name}"
        shear = [str(recipe.protocol.shear_time)] if plan.shear_time else []
        whole = hash_text([inputs, str(length), *shear])
        if folder.is_done(key, whole) and (folder.simulate(item.name) / "trajectory.xtc").exists():
            continue
        with folder.record_stage(key, whole):
            outcome = run_replica(
                folder.build(item.start),
                folder.simulate(item.name),
                plan,
                item,
                inputs=inputs,
                platform=platform,
                progress=on_tick,
            )
        folder.update_manifest(
            platform=outcome.platform,
            replicas={
                item.name: {
                    "start": item.start,
                    "seed": item.seed,
                    "platform": outcome.platform,
                    "ns_per_day": round(outcome.speed, 2),
                    "production_ps": outcome.production,
                    "density_stationary": outcome.density_stationary,
                }
            },
        )
    tell(progress, "simulate", 1.0, f"{len(plan.replicas)} replica(s) of {length}")


def _analyze(
    folder: RunFolder,
    recipe: Recipe,
    plan: Plan,
    workers: Workers,
    progress: Listener | None,
) -> None:
    """Do the analyze stage."""
    from solvation.analyze.finite import add_corrections
    from solvation.analyze.recorded import add_recordings, merge_quantities
    from solvation.analyze.scene import open_scene
    from solvation.analyze.stage import analyze_scene
    from solvation.analyze.thermo import collect_thermo, summarize_composition, summarize_density
    from solvation.build.box import load_audit

    names = [replica.name for replica in plan.replicas]
    trajectories = [folder.simulate(name) / "trajectory.xtc" for name in names]
    sizes = [f"{path.stat().st_size}" for path in trajectories if path.exists()]
    if len(sizes) < len(names):
        raise WorkspaceError(
            f"{folder.path} has no complete trajectory; run `solvation simulate` first"
        )
    inputs = hash_analysis(recipe, [*sizes, collect_versions()["solvation"]])
    if folder.is_done("analyze", inputs) and folder.results.exists() and folder.summary.exists():
        return
    audit = load_audit(folder.build(plan.replicas[0].start))
    temperature = recipe.conditions.temperature.magnitude
    with folder.record_stage("analyze", inputs):
        tell(progress, "analyze", 0.0, "reading the topology")
        scene = open_scene(
            folder.build(plan.replicas[0].start) / "topology.pdb",
            trajectories,
            temperature=temperature,
        )
        tree, quantities = analyze_scene(
            scene,
            temperature=temperature,
            charge_scale=audit["charge_scale"],
            partial_charges=audit.get("partial_charges"),
            starts=[replica.start for replica in plan.replicas],
            frame=recipe.analysis.frame,
            ssip=recipe.analysis.ssip,
            series=recipe.analysis.series,
            workers=workers,
            progress=relay_frames(progress),
        )
        folders = [folder.simulate(name) for name in names]
        recorded = add_recordings(scene, tree, folders, temperature=temperature)
        quantities = merge_quantities(quantities, recorded)
        given = recipe.analysis.viscosity
        quantities = add_corrections(
            tree, quantities, given=given.magnitude if given else None, temperature=temperature
        )
        logs = {name: read_log(folder.simulate(name) / "log.csv") for name in names}
        tree["thermo"] = type(tree)(collect_thermo(logs))
        density = summarize_density(logs)
        units = {**audit["salts"], **audit.get("additives", {})}
        reached = summarize_composition(logs, units, audit["asked"], density)
        model = {"ions": "default"} | {
            key: audit[key] for key in ("forcefield", "ions", "charge_scale") if key in audit
        }
        tree.attrs.update(name=recipe.name, title=recipe.title, kind="run", **model)
        tree.attrs["recipe_hash"] = recipe.hash
        known = {"density", *(item.name for item in reached)}
        others = [quantity for quantity in quantities if quantity.name not in known]
        save_results(tree, folder.results)
        if "shells" in tree:  # none around neutral molecules
            write_specimens(folder.path / "structures", tree["shells"].to_dataset())
        save_summary(
            [density, *reached, *others], folder.summary, recipe=recipe.name, extra={"model": model}
        )
        folder.update_manifest(composition={"reached": {item.name: item.value for item in reached}})
    tell(progress, "analyze", 1.0, f"{len(others) + len(reached) + 1} quantities")


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
