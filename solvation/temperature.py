"""Temperature series: one electrolyte at several temperatures, and the laws its numbers follow."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solvation.errors import RecipeError

if TYPE_CHECKING:
    from solvation.kernels.activation import Activation
    from solvation.results import Quantity

__all__ = ["Point", "TemperatureFit", "fit_temperatures", "write_temperature_csv"]

FAMILIES = ("diffusion.", "conductivity.", "viscosity")
"""Beginnings of the names of what is fitted."""
NOT_FITTED = ("conductivity.ionicity", "conductivity.ionicity.corrected")
"""Ratios among them, for which neither law is made."""
FEWEST_ARRHENIUS, FEWEST_VOGEL = 3, 4
"""Temperatures that a law needs: one more than lets a line pass through whatever there is."""
LAWS = {"arrhenius": "Arrhenius", "vogel": "Vogel–Tammann–Fulcher"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A number at one temperature."""

    temperature: float
    """K."""
    label: str
    """Of the run."""
    quantity: Quantity
    """What was found there."""

    @property
    def fitted(self) -> bool:
        """Whether it can be weighed: converged, above zero, and with an error."""
        q = self.quantity
        known = q.value is not None and q.stderr is not None
        return known and q.status == "ok" and (q.value or 0.0) > 0.0 and (q.stderr or 0.0) > 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureFit:
    """One quantity against temperature."""

    name: str
    """E.g. ``"diffusion.Mg"``."""
    unit: str
    """Of the values."""
    points: tuple[Point, ...]
    """By temperature; not all need be fitted."""
    arrhenius: Activation | None
    """With three temperatures or more."""
    vogel: Activation | None
    """With four or more."""
    supported: str
    """``"arrhenius"``, ``"vogel"``, ``"either"``, ``"neither"``, or empty without a fit."""

    @property
    def words(self) -> str:
        """What the points say, in a sentence."""
        if self.arrhenius is None:
            used = len({round(p.temperature, 3) for p in self.points if p.fitted})
            return f"{used} converged temperatures; a fit needs {FEWEST_ARRHENIUS} or more."
        one = self.arrhenius
        tail = f"; χ² {one.chi2:.3g} for {one.degrees}"
        text = f"Arrhenius: E = {one.energy:.3g} ± {one.energy_stderr:.2g} kJ/mol{tail}."
        if self.vogel is None:
            text += f" Vogel–Tammann–Fulcher needs {FEWEST_VOGEL} temperatures."
        else:
            v = self.vogel
            known = "not limited by the points"
            if math.isfinite(v.origin_stderr):
                known = f"± {v.origin_stderr:.2g}"
            text += (
                f" Vogel–Tammann–Fulcher: B R = {v.energy:.3g} ± {v.energy_stderr:.2g} kJ/mol, "
                f"T0 = {v.origin:.4g} K ({known}); χ² {v.chi2:.3g} for {v.degrees}; "
                f"AIC {one.aic:.3g} and {v.aic:.3g}."
            )
        return f"{text} {_VERDICTS[self.supported]}"


_VERDICTS = {
    "arrhenius": "The points support Arrhenius' law.",
    "vogel": "The points support Vogel, Tammann and Fulcher's law.",
    "either": "The points do not tell which law holds.",
    "neither": "The points lie off both laws by more than their errors.",
}


def fit_temperatures(
    runs: Sequence[tuple[str, float, Sequence[Quantity]]],
) -> tuple[TemperatureFit, ...]:
    """Fit every transport coefficient that several temperatures have.

    Parameters
    ----------
    runs
        Label, temperature in K and quantities of each run of one electrolyte.

    Returns
    -------
    One per quantity that at least two temperatures have; empty if there is one temperature only.

    Raises
    ------
    RecipeError
        If a temperature is not above zero.

    Notes
    -----
    Points are weighted by their own errors. Numbers that are not converged are kept, to be drawn,
    and not fitted. Runs at one temperature are points of their own.
    """
    from solvation.kernels.activation import choose_activation, fit_arrhenius, fit_vogel

    for label, temperature, _ in runs:
        if not temperature > 0.0:
            raise RecipeError(f"{label}: a temperature of {temperature} K; it must be above zero")
    points: dict[str, list[Point]] = {}
    for label, temperature, quantities in sorted(runs, key=lambda run: run[1]):
        for q in quantities:
            if q.name.startswith(FAMILIES) and q.name not in NOT_FITTED and q.value is not None:
                point = Point(temperature=temperature, label=label, quantity=q)
                points.setdefault(q.name, []).append(point)
    found = []
    for name, here in points.items():
        if len({round(p.temperature, 3) for p in here}) < 2:
            continue
        used = [p for p in here if p.fitted]
        columns = (
            [p.temperature for p in used],
            [float(p.quantity.value or 0.0) for p in used],
            [float(p.quantity.stderr or 0.0) for p in used],
        )
        n = len({round(t, 3) for t in columns[0]})
        arrhenius = fit_arrhenius(*columns) if n >= FEWEST_ARRHENIUS else None
        vogel = fit_vogel(*columns) if n >= FEWEST_VOGEL else None
        found.append(
            TemperatureFit(
                name=name, unit=here[0].quantity.unit, points=tuple(here), arrhenius=arrhenius,
                vogel=vogel,
                supported=choose_activation(arrhenius, vogel) if arrhenius else "",
            )
        )  # fmt: skip
    return tuple(found)


def write_temperature_csv(fits: Sequence[TemperatureFit]) -> str:
    """Write the parameters of every law, one per line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["quantity", "unit", "law", "temperatures", "energy_kj_mol", "energy_stderr_kj_mol",
         "log_prefactor", "log_prefactor_stderr", "t0_k", "t0_stderr_k", "chi2",
         "degrees", "aic", "supported"]
    )  # fmt: skip
    for fit in fits:
        used = [p.temperature for p in fit.points if p.fitted]
        for law in (fit.arrhenius, fit.vogel):
            if law is None:
                continue
            numbers = (
                law.energy, law.energy_stderr, law.log_prefactor, law.log_prefactor_stderr,
                law.origin, law.origin_stderr, law.chi2,
            )  # fmt: skip
            cells = ["" if math.isnan(x) else f"{x:.8g}" for x in numbers]
            listed = " ".join(f"{t:g}" for t in used)
            writer.writerow(
                [fit.name, fit.unit, law.law, listed, *cells, law.degrees, f"{law.aic:.8g}",
                 fit.supported]
            )  # fmt: skip
    return stream.getvalue()
