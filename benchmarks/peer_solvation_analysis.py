"""Time solvation-analysis 0.4.2, for ``bench_analysis.py --peer``; runs in a Python that has it.

Coordination numbers, pairing, speciation and residence times of all Mg2+ with given radii: no
search for cutoffs, no classes, no charged species, no errors.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import MDAnalysis as mda
from solvation_analysis.solute import Solute

warnings.simplefilter("ignore")


def main() -> None:
    topology, trajectory, n_frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
    universe = mda.Universe(topology, trajectory)
    solute = Solute.from_atoms(
        universe.select_atoms("element Mg"),
        {"DME": universe.select_atoms("resname DME"), "TFSI": universe.select_atoms("resname TFS")},
        solute_name="Mg",
        radii={"DME": 2.9, "TFSI": 2.9},
        analysis_classes=["pairing", "coordination", "speciation", "residence"],
    )
    began = time.process_time()
    solute.run(stop=n_frames)
    spent = time.process_time() - began
    numbers = {name: float(n) for name, n in solute.coordination.coordination_numbers.items()}
    print(json.dumps({"ms_per_frame": round(1e3 * spent / n_frames, 2), "coordination": numbers}))


if __name__ == "__main__":
    main()
