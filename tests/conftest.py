"""What holds for all tests: one thread each, no clock, and what shares a run stays together."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Several workers of pytest-xdist share the cores: each, and whatever it starts, has one thread.
# Libraries read these when they are loaded; so they are set here, before any of them is.
for variable in ("OPENMM_CPU_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Programs that the tests start would each compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A machine that others use too may take any time for anything.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHARED = dict.fromkeys(("test_run.py", "test_extend.py", "test_opencl.py"), "tiny run")
"""Files whose tests share what takes long to make: one worker has them all, and makes it once."""
SPREAD = ("test_boxes.py", "test_systems.py", "test_resume.py")
"""Files of long tests that share nothing: whichever worker is free has the next of them."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand tests out by files, unless another ``--dist`` is asked for, the long ones first."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            name = file.rpartition("/")[2]
            return nodeid if name in SPREAD else SHARED.get(name, file)

    config.option.loadscopereorder = False  # integration comes first as it is
    return Scheduling(config, log)
