"""Ensemble: all replicas of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvation.simulate.dynamics import Outcome, Tick, run_replica

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from solvation.simulate.protocol import Plan
    from solvation.workspace import RunFolder

__all__ = ["run_ensemble"]


def run_ensemble(
    run: RunFolder,
    plan: Plan,
    *,
    inputs: str,
    platform: str = "auto",
    progress: Callable[[Tick], None] | None = None,
) -> Iterator[Outcome]:
    """Run the replicas one after the other, yielding each when it is done.

    Parameters
    ----------
    run
        The run folder; its boxes are built.
    plan
        Stages and replicas.
    inputs
        Hash of everything that decides the trajectories.
    platform
        ``"auto"`` or an OpenMM platform name.
    progress
        Called after every report of every replica.
    """
    for replica in plan.replicas:
        yield run_replica(
            run.build(replica.start),
            run.simulate(replica.name),
            plan,
            replica,
            inputs=inputs,
            platform=platform,
            progress=progress,
        )
