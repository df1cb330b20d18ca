"""OpenCL for real, on the processor: `pip install intel-opencl-rt` brings a runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = Path(sys.prefix) / "lib" / "libintelocl.so"

CODE = """
import json, sys
from pathlib import Path
import numpy as np, openmm
from openmm import unit
from solvation.recipe import load_recipe
from solvation.simulate.engine import make_context
from solvation.simulate.hardware import Hardware, explain_platform, list_devices
from solvation.simulate.protocol import make_plan
from solvation.simulate.snapshot import describe_platform, load_snapshot, restore

run = Path(sys.argv[1])
plan = make_plan(load_recipe(run / "recipe.toml"))
text = (run / "build/separated/system.xml").read_text()
system = openmm.XmlSerializer.deserialize(text)
snapshot = load_snapshot(run / "simulate/separated-1/checkpoint")
found = {}
for name in ("Reference", "OpenCL"):
    context = make_context(system, plan, plan.stages[-1], platform=Hardware(platform=name), seed=1)
    restore(context, snapshot)
    state = context.getState(getEnergy=True, getForces=True)
    per = unit.kilojoule_per_mole / unit.nanometer
    found[name] = (
        state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        state.getForces(asNumpy=True).value_in_unit(per),
    )
context.getIntegrator().step(5)
after = context.getState(getEnergy=True).getPotentialEnergy()
(e, f), (e2, f2) = found.values()
print(json.dumps({
    "energy": abs(e2 - e) / abs(e),
    "forces": float(np.linalg.norm(f2 - f) / np.linalg.norm(f)),
    "platform": describe_platform(context),
    "devices": list_devices("OpenCL"),
    "auto": explain_platform(Hardware()),
    "asked": explain_platform(Hardware(platform="OpenCL")),
    "after": after.value_in_unit(unit.kilojoule_per_mole) - e,
}))
"""


@pytest.mark.skipif(not RUNTIME.exists(), reason="no OpenCL runtime: pip install intel-opencl-rt")
def test_opencl_agrees_with_reference(tiny_run) -> None:
    """And a checkpoint of the CPU platform goes on there."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tiny_run.folder.path)],
        capture_output=True, text=True, check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_LIBRARY_PATH": str(RUNTIME.parent),
            "OCL_ICD_FILENAMES": str(RUNTIME),
        },
    )  # fmt: skip
    if 'called "OpenCL"' in done.stderr or "platform OpenCL cannot run" in done.stderr:
        pytest.skip("the OpenCL runtime does not run on this machine")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["energy"] < 1e-5
    assert found["forces"] < 1e-4
    assert abs(found["after"]) < 10 * 80, "ten times what the energy of such a box fluctuates by"
    assert found["platform"].startswith("OpenCL ")
    assert " mixed " in found["platform"]
    assert len(found["devices"]) == 1
    assert found["asked"].startswith(f"OpenCL on {found['devices'][0]}, mixed precision: as asked")
    assert "OpenCL's device is this CPU, not a GPU" in found["auto"]
