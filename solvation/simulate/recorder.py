r"""Recorder: currents and dipoles by species, and the pressure tensor, while a run goes on.

What conductivity, Onsager coefficients and permittivity need of the fast motion are sums over
molecules, so only these are written, at femtosecond spacing, and no velocities. For every species
:math:`s`, of the molecules :math:`m` with centre of mass :math:`R_m` and charges :math:`q_i`:

* ``velocity.s``: :math:`\sum_m [R_m(t) - R_m(t - \Delta)] / \Delta` in Å/ps, the mean over the
  spacing :math:`\Delta` of the summed velocities. Being a mean and not a sample, its spectrum at
  zero frequency is that of the velocities themselves, whatever the spacing: the filter
  :math:`\sin^2(\pi f \Delta)/(\pi f \Delta)^2` is one at :math:`f = 0` and zero at all
  frequencies that could fold onto it.
* ``dipole.s``: :math:`\sum_m \sum_{i \in m} q_i (r_i - R_m)` in e Å, of neutral molecules and
  ions alike, at the time of the row.

Both are linear in the positions: one product of a small matrix with them.
"""

from __future__ import annotations

import logging
import math
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import SimulationError, WorkspaceError
from solvation.record import CURRENTS, ROW_TYPE, STRESS, read_header, write_header
from solvation.simulate.files import cut_file, writing
from solvation.simulate.stress import COMPONENTS, find_gauge, measure_stress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import openmm
    from numpy.typing import NDArray
    from openmm import app

    from solvation.simulate.protocol import Plan

__all__ = ["Recorder", "count_molecules", "weigh_particles"]

_LOG = logging.getLogger(__name__)


class Recorder:
    """Writes the small files of one production run; mutable, as the engine is.

    Raises
    ------
    SimulationError
        If rows do not divide a report interval.
    """

    def __init__(
        self, context: openmm.Context, topology: app.Topology, plan: Plan, folder: Path
    ) -> None:
        for every in (plan.steps_per_record, plan.steps_per_stress):
            if every and plan.steps_per_interval % every:
                raise SimulationError(
                    f"rows every {every} steps do not fill a report interval of "
                    f"{plan.steps_per_interval} steps; make one a divisor of the other"
                )
        self.context = context
        self.plan = plan
        self.names, self.weights, species = weigh_particles(context, topology)
        self.about = {"species": species, "volume": _volume(context)}
        self.gauge = find_gauge(context) if plan.steps_per_stress else None
        self.currents = _Rows(
            folder / CURRENTS,
            plan.timestep * plan.steps_per_record,
            [f"{name}.{axis}" for name in self.names for axis in "xyz"],
        )
        self.stress = _Rows(
            folder / STRESS, plan.timestep * plan.steps_per_stress, list(COMPONENTS)
        )
        self.before = np.empty((0, 3))
        self.costs = [0.0, 0.0]
        self.wall = 0.0

    @property
    def period(self) -> int:
        """Time steps after which all rows begin anew; stops in between would cut one in two."""
        return math.lcm(*(n for n in (self.plan.steps_per_record, self.plan.steps_per_stress) if n))

    def begin(self, interval: int, steps: int = 0) -> None:
        """Go on after so many report intervals and steps; what was written later is cut off."""
        elapsed = interval * self.plan.interval + steps * self.plan.timestep
        if self.plan.steps_per_record:
            units = {"velocity": "Å/ps", "dipole": "e Å", "charge": "e", "mass": "u"}
            self.currents.begin(elapsed, {**self.about, "units": units})
            self.before = self._sum()
        if self.gauge is not None:
            about = {"volume": self.about["volume"], "units": {"pressure": "bar"}}
            self.stress.begin(elapsed, about)

    def advance(self, n_steps: int, step: Callable[[int], None]) -> None:
        """Integrate, and write a row whenever it is time."""
        started = time.perf_counter()
        record, stress = self.plan.steps_per_record, self.plan.steps_per_stress
        done = 0
        while done < n_steps:
            waits = [every - done % every for every in (record, stress) if every]
            size = min([*waits, n_steps - done])
            step(size)
            done += size
            if record and done % record == 0:
                self._record()
            if stress and done % stress == 0:
                self._gauge()
        self.wall += time.perf_counter() - started

    def flush(self) -> None:
        """Make sure that all rows are on the disk."""
        for rows in (self.currents, self.stress):
            rows.flush()

    @property
    def cost(self) -> tuple[float, float]:
        """Time that currents and pressure tensor took, over that of the steps between."""
        steps = max(self.wall - sum(self.costs), 1e-9)
        return self.costs[0] / steps, self.costs[1] / steps

    def describe_cost(self) -> str:
        """Say what recording cost."""
        currents, stress = (100.0 * share for share in self.cost)
        return f"recording took {currents:.2g} % of the time of the steps" + (
            f", the pressure tensor {stress:.2g} %" if self.gauge is not None else ""
        )

    def _record(self) -> None:
        """Write a row of currents and dipoles."""
        started = time.perf_counter()
        now = self._sum()
        half = len(now) // 2
        flow = (now[:half] - self.before[:half]) / self.currents.spacing
        self.before = now
        self.currents.add(np.concatenate([flow, now[half:]]).ravel())
        self.costs[0] += time.perf_counter() - started

    def _gauge(self) -> None:
        """Write a row of the pressure tensor."""
        started = time.perf_counter()
        self.stress.add(measure_stress(self.context, self.gauge))
        self.costs[1] += time.perf_counter() - started

    def _sum(self) -> NDArray[np.float64]:
        """Summed centres (Å) and dipoles (e Å) by species, shape ``(2 n_species, 3)``."""
        positions = self.context.getState(getPositions=True).getPositions(asNumpy=True)
        summed: NDArray[np.float64] = 10.0 * (self.weights @ positions._value)
        return summed


class _Rows:
    """One growing file of rows."""

    def __init__(self, path: Path, spacing: float, columns: list[str]) -> None:
        self.path = path
        self.spacing = spacing
        self.columns = columns
        self.waiting: list[bytes] = []

    def begin(self, elapsed: float, about: Mapping[str, Any]) -> None:
        """Cut the file to what belongs to so many ps of production, or start one there."""
        if elapsed == 0.0 or not self.path.exists():
            if elapsed:
                _LOG.warning("%s begins %g ps into the production", self.path.name, elapsed)
            with writing(self.path):
                write_header(
                    self.path, spacing=self.spacing, start=elapsed, columns=self.columns,
                    about=about,
                )  # fmt: skip
            return
        header, offset = read_header(self.path)
        if header["columns"] != self.columns or abs(header["spacing"] - self.spacing) > 1e-9:
            raise WorkspaceError(
                f"{self.path} has rows every {header['spacing']:g} ps, the recipe asks for "
                f"{self.spacing:g} ps; set it back, or remove the file to start it again"
            )
        n_rows = max(0, round((elapsed - header["start"]) / self.spacing))
        cut_file(self.path, offset + n_rows * len(self.columns) * ROW_TYPE.itemsize)

    def add(self, row: NDArray[np.float64]) -> None:
        """Keep a row until the next flush."""
        self.waiting.append(row.astype(ROW_TYPE).tobytes())

    def flush(self) -> None:
        """Append all rows that wait."""
        if not self.waiting:
            return
        with writing(self.path), self.path.open("ab") as stream:
            stream.write(b"".join(self.waiting))
            stream.flush()
            os.fsync(stream.fileno())
        self.waiting.clear()


def count_molecules(context: openmm.Context, topology: app.Topology) -> dict[str, list[list[int]]]:
    """Particles of every molecule by the name of its residue, Drude particles included."""
    residues = [residue.name for residue in topology.residues() for _ in residue.atoms()]
    found: dict[str, list[list[int]]] = {}
    for molecule in context.getMolecules():
        members = sorted(molecule)
        if members[0] < len(residues):
            found.setdefault(residues[members[0]], []).append(members)
    return found


def weigh_particles(
    context: openmm.Context, topology: app.Topology
) -> tuple[tuple[str, ...], NDArray[np.float64], dict[str, dict[str, float]]]:
    """Make the matrix that turns positions into summed centres and dipoles.

    Returns
    -------
    names
        ``"velocity.<species>"`` of all species, then ``"dipole.<species>"``.
    weights
        Shape ``(2 n_species, n_particles)``; the second half in e.
    species
        By name: ``number``, ``charge`` (e) and ``mass`` (u) of one molecule, and the ``first``
        atom of the first.
    """
    from openmm import NonbondedForce, unit

    system = context.getSystem()
    number = system.getNumParticles()
    masses = np.array([system.getParticleMass(i)._value for i in range(number)])
    charges = np.zeros(number)
    for force in system.getForces():
        if isinstance(force, NonbondedForce):
            charges = np.array(
                [
                    force.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge)
                    for i in range(number)
                ]
            )
    kinds = count_molecules(context, topology)
    weights = np.zeros((2 * len(kinds), number))
    species = {}
    for row, (name, molecules) in enumerate(kinds.items()):
        for members in molecules:
            share = masses[members] / masses[members].sum()
            weights[row, members] = share
            weights[len(kinds) + row, members] = charges[members] - charges[members].sum() * share
        first = molecules[0]
        species[name] = {
            "number": len(molecules),
            "charge": round(float(charges[first].sum()), 9),
            "mass": float(masses[first].sum()),
            "first": first[0],
        }
    names = [f"{kind}.{name}" for kind in ("velocity", "dipole") for name in kinds]
    return tuple(names), weights, species


def _volume(context: openmm.Context) -> float:
    """Å3."""
    from openmm import unit

    return float(context.getState().getPeriodicBoxVolume().value_in_unit(unit.angstrom**3))
