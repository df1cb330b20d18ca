"""Tempered runs: visits and round trips counted, and no number that needs a clock."""

from __future__ import annotations

import numpy as np
import xarray as xr

from solvation.analyze.tempered import add_walks, collect_walks, drop_kinetics
from solvation.results import Quantity, check_units
from solvation.walk import Walk


def make_walk(levels: list[int]) -> Walk:
    """A walk over 300, 400 and 500 K that learnt for one report, with energies of its level."""
    here = np.array([0, *levels])
    return Walk(
        stage=np.array(["temper"] + ["production"] * len(levels)),
        interval=np.array([1, *range(1, len(levels) + 1)]),
        level=here,
        temperature=300.0 + 100.0 * here,
        potential_energy=-100.0 + 10.0 * here,
        next_level=np.array([*levels, 0]),
    )


def quantity(name: str) -> Quantity:
    return Quantity(name=name, value=1.0, stderr=0.1, unit="1")


def test_visits_energies_and_trips() -> None:
    walks = {"a": make_walk([0, 1, 2, 1, 0, 2, 0]), "b": make_walk([0, 1, 0, 1])}
    node = collect_walks(walks)
    assert node["temperature"].values.tolist() == [300.0, 400.0, 500.0]
    assert node["visits"].values.tolist() == [[3, 2, 2], [2, 2, 0]]
    assert node["round_trips"].values.tolist() == [2, 0]
    assert node["energy"].values[0].tolist() == [-100.0, -90.0, -80.0]
    assert np.isnan(node["energy"].values[1, 2])
    tree = xr.DataTree()
    (trips,) = add_walks(tree, [], walks)
    check_units(tree)
    assert (trips.value, trips.n_events, trips.status) == (2.0, 2, "not_converged")
    assert "none in b" in (trips.note or "")
    assert add_walks(tree, [], {"a": walks["a"]})[0].status == "ok"


def test_what_needs_a_clock_is_left_out() -> None:
    names = ("diffusion", "residence", "rdf", "thermo")
    tree = xr.DataTree.from_dict({f"/{name}": xr.Dataset() for name in names})
    kept = drop_kinetics(
        tree,
        [quantity(n) for n in ("residence.Mg-DME", "diffusion.Mg", "conductivity.einstein",
                               "coordination.Mg.total", "speciation.cation.cip")],
    )  # fmt: skip
    assert sorted(tree.children) == ["rdf", "thermo"]
    assert [q.name for q in kept] == ["coordination.Mg.total", "speciation.cation.cip"]
