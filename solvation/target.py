"""Target: how well a number must be known before a run ends.

``conductivity:10%`` wants a standard error of at most 10 % of the value,
``residence.Ca-DME:10events`` ten events, ``density:0.002 g/cm3`` a standard error of at most that,
in the quantity's unit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from solvation.errors import RecipeError
from solvation.event import Listener, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solvation.job import Run
    from solvation.results import Quantity

__all__ = ["Target", "find_factor", "parse_target", "reach_targets"]

_SHORT = {"conductivity": "conductivity.einstein"}
"""Quantities people name by their first word."""
_LEAST, _MOST = 1.25, 2.0
"""A run is made longer by at least and at most this factor at a time: errors are estimates too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one quantity must reach."""

    name: str
    """Name in ``summary.json``."""
    amount: float
    """How much."""
    kind: Literal["relative", "events", "absolute"]
    """Of the value, of events, or in the quantity's unit."""
    text: str
    """As it was written."""
    unit: str = ""
    """Of an absolute error."""

    def find_missing(self, quantities: Sequence[Quantity]) -> float | None:
        """Factor by which a run falls short; 1 when the target is met.

        Returns
        -------
        float or None
            By errors falling as the root of the time and events growing with it; None when
            nothing can be said yet, for want of events or of a value.

        Raises
        ------
        RecipeError
            If there is no such quantity, or it has not that unit.
        """
        found = next((item for item in quantities if item.name == self.name), None)
        if found is None:
            near = [item.name for item in quantities if item.name.startswith(self.name[:4])]
            raise RecipeError(
                f'--until-converged "{self.text}": this run has no quantity {self.name}; '
                f"there are {', '.join(near[:5] or [item.name for item in quantities][:5])}"
            )
        if self.kind == "events":
            events = found.n_events or 0
            return 1.0 if events >= self.amount else (self.amount / events if events else None)
        if self.kind == "absolute" and found.unit != self.unit:
            raise RecipeError(
                f'--until-converged "{self.text}": {self.name} is in {found.unit}, not {self.unit}'
            )
        if found.value is None or found.stderr is None or not math.isfinite(found.stderr):
            return None
        wanted = self.amount * (abs(found.value) if self.kind == "relative" else 1.0)
        if found.status not in ("ok",):
            return None
        if found.stderr <= wanted:
            return 1.0
        return (found.stderr / wanted) ** 2 if wanted > 0 else None


def parse_target(text: str) -> Target:
    """Read ``NAME:AMOUNT``.

    Raises
    ------
    RecipeError
        If it is not understood.

    Examples
    --------
    >>> parse_target("residence.Ca-DME:10events").amount
    10.0
    """
    name, colon, amount = text.rpartition(":")
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*", amount)
    try:
        number = float(match[1]) if match else 0.0
    except ValueError:
        number = 0.0
    if not colon or not name.strip() or match is None or number <= 0:
        raise RecipeError(
            f'--until-converged "{text}" is not understood; write NAME:10%, NAME:10events, or '
            "NAME: and an error with its unit"
        )
    name, unit = name.strip(), match[2]
    name = _SHORT.get(name, name)
    if unit == "%":
        return Target(name=name, amount=number / 100, kind="relative", text=text)
    if unit in ("events", "event"):
        return Target(name=name, amount=number, kind="events", text=text)
    if not unit:
        raise RecipeError(
            f'--until-converged "{text}" has no unit; write 10%, 10events, or an error with its '
            "unit"
        )
    return Target(name=name, amount=number, kind="absolute", text=text, unit=unit)


def find_factor(targets: Sequence[Target], quantities: Sequence[Quantity]) -> float:
    """Factor by which to make a run longer; 1 when every target is met."""
    factors = [target.find_missing(quantities) for target in targets]
    if all(factor == 1.0 for factor in factors):
        return 1.0
    longest = max(_MOST if factor is None else factor for factor in factors)
    return min(max(longest, _LEAST), _MOST)


def reach_targets(
    go: Callable[[str | None], Run],
    targets: Sequence[Target],
    *,
    cap: float | None = None,
    progress: Listener | None = None,
) -> list[Target]:
    """Make a run longer and longer until targets are met, or it is as long as it may be.

    Parameters
    ----------
    go
        Runs all stages, with the production longer by a time with its unit when one is given.
    targets
        What is wanted; all of it.
    cap
        Production of one replica at most, ps; None for ten times what it was at first.
    progress
        Called with what is decided.

    Returns
    -------
    list of Target
        Those that were not met.
    """
    from solvation.recipe import load_recipe

    done, wanted = go(None), [target.text for target in targets]
    while True:
        factor = find_factor(targets, done.quantities)
        if factor == 1.0:
            return []
        protocol = load_recipe(done.folder.recipe).protocol
        assert protocol.production_time is not None
        assert protocol.report_interval is not None
        length, report = protocol.production_time.magnitude, protocol.report_interval.magnitude
        known = done.folder.read_manifest().get("until_converged", {})
        limit = cap or (known.get("cap_ps") if known.get("targets") == wanted else None)
        limit = limit or 10 * length
        if known.get("targets") != wanted or known.get("cap_ps") != limit:
            done.folder.update_manifest(until_converged={"targets": wanted, "cap_ps": limit})
        if length > limit - report:
            return [item for item in targets if item.find_missing(done.quantities) != 1.0]
        longer = min(factor * length, limit)
        more = max(1, round((longer - length) / report)) * report
        tell(progress, "simulate", 0.0, f"not converged yet: {more:g} ps more per replica")
        done = go(f"{more:.12g} ps")
