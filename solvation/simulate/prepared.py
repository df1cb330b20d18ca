"""Prepared: any OpenMM system, as a folder that a replica can be run from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvation.workspace import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import openmm
    from openmm import app

__all__ = ["prepare_system"]


def prepare_system(
    folder: Path, system: openmm.System, topology: app.Topology, positions: Any
) -> Path:
    """Write what `solvation.simulate.dynamics.run_replica` begins with, and return the folder.

    Parameters
    ----------
    folder
        Made when it is not there.
    system
        Forces, masses, constraints and the default box; no thermostat or barostat.
    topology
        One residue per molecule, named like its species.
    positions
        nm, or with OpenMM's units, shape ``(n_particles, 3)``; molecules whole.

    Examples
    --------
    >>> plan = Plan(...)  # doctest: +SKIP
    >>> prepared = prepare_system(Path("argon"), system, topology, positions)  # doctest: +SKIP
    >>> run_replica(prepared, Path("run"), plan, replica, inputs="argon")  # doctest: +SKIP
    """
    import io

    import openmm
    from openmm import app, unit

    folder.mkdir(parents=True, exist_ok=True)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    state = context.getState(getPositions=True)
    write_atomic(folder / "system.xml", openmm.XmlSerializer.serialize(system))
    write_atomic(folder / "state.xml", openmm.XmlSerializer.serialize(state))
    stream = io.StringIO()
    atoms = state.getPositions(asNumpy=True)[: topology.getNumAtoms()]
    topology.setPeriodicBoxVectors(state.getPeriodicBoxVectors())
    app.PDBFile.writeFile(topology, atoms.value_in_unit(unit.angstrom), stream)
    write_atomic(folder / "topology.pdb", stream.getvalue())
    return folder
