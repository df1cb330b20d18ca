"""``solvation doctor``: what this machine can run on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from solvation.command.choice import JsonOption
from solvation.command.outcome import guard_errors, leave
from solvation.display import show_table
from solvation.workspace import collect_versions

__all__ = ["doctor_command"]


def doctor_command(
    seconds: Annotated[
        float, typer.Option(min=0, help="Length of each speed test; 0 for none.", metavar="S")
    ] = 5.0,
    platform: Annotated[
        list[str] | None,
        typer.Option(help="Look only at this platform; repeatable.", metavar="PLATFORM"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine can run on, and how fast.

    And what to install for a GPU.

    Exit code 3 when a platform that was asked for, or every one, cannot run.

    Examples:

      solvation doctor

      solvation doctor --platform CUDA
    """
    with guard_errors():
        from solvation.errors import RecipeError
        from solvation.simulate.doctor import examine_machine
        from solvation.simulate.hardware import PLATFORMS

        known = {name.lower(): name for name in PLATFORMS}
        for name in platform or ():
            if name.lower() not in known:
                raise RecipeError(
                    f'platform "{name}" is not known; choose one of {", ".join(PLATFORMS)}'
                )
        names = tuple(known[name.lower()] for name in platform) if platform else PLATFORMS
        found = examine_machine(seconds=seconds, platforms=names)
        versions = dict(collect_versions()) | found.versions
        if as_json:
            print(json.dumps({**asdict(found), "versions": versions}, indent=1))
        else:
            rows = []
            for report in found.platforms:
                devices = ", ".join(f"{k} {name}" for k, name in enumerate(report.devices))
                speed = "" if report.speed is None else f"{report.speed:.3g}"
                state = report.note or "works" if report.fault is None else f"no: {report.fault}"
                rows.append((report.name, state, devices, speed, report.advice))
            header = ("platform", "state", "devices", "ns/day", "to get it")
            show_table(header, rows)
            print(f"a run takes {found.choice}")
            print(f"cores to use: {found.cores}")
            print("versions: " + ", ".join(f"{key} {value}" for key, value in versions.items()))
            for line in found.advice:
                print(f"advice: {line}")
        broken = [report for report in found.platforms if report.fault is not None]
        if platform and broken:
            leave(f"platform {broken[0].name} cannot run here ({broken[0].fault})", 3)
        if len(broken) == len(found.platforms):
            leave("no platform works; reinstall OpenMM: pip install openmm", 3)
