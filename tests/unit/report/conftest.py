from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .made_results import MANIFEST, make_quantities, make_tree

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity


@pytest.fixture(scope="session")
def tree() -> xr.DataTree:
    return make_tree()


@pytest.fixture(scope="session")
def quantities() -> tuple[Quantity, ...]:
    return make_quantities()


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return MANIFEST
