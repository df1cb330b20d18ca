"""What friction does to diffusion, against Brownian particles."""

from __future__ import annotations

import pytest

from solvation.analyze.thermostat import estimate_slowing, note_friction
from solvation.results import Quantity
from solvation.synthetic import make_random_walk

KT = 1.380649e-23 * 300.0
MOLE = 6.02214076e23


@pytest.mark.parametrize("free", [1e-10, 3e-9, 2e-8])
def test_the_share_is_what_two_frictions_in_a_row_give(free):
    """Of a particle that meets xi alone D is kT/xi, with the thermostat kT/(xi + m gamma)."""
    own, added = KT / free, 0.0901 / MOLE * 2e12
    slowed = KT / (own + added)
    share = estimate_slowing(slowed, mass=90.1, friction=2.0, temperature=300.0)
    assert share == pytest.approx(1.0 - slowed / free, rel=1e-6)


def test_it_is_said_where_it_counts(make_scene, rng):
    scene = make_scene(make_random_walk(rng, edge=30.0))
    mass = {s.name: s.mass for s in scene.species}
    rows = [
        Quantity(name=name, value=value, stderr=1e-11, unit="m2/s", status="ok", note=note)
        for name, value, note in (
            ("diffusion.Mg", 1e-9, None), ("diffusion.Cl", 4e-9, "n_effective = 9"),
            ("diffusion.Cl.free", 4e-9, None),
        )
    ]  # fmt: skip
    rows.append(Quantity(name="diffusion.DME", value=None, stderr=None, unit="m2/s",
                         status="undefined", note="too few frames"))  # fmt: skip
    strong = note_friction(scene, rows, 1.0, temperature=300.0)
    percent = 100.0 * mass["Cl"] * 1e-3 / MOLE * 1e12 * 4e-9 / KT
    assert percent > 5.0
    said = f"n_effective = 9; friction of 1/ps slows it by {percent:.0f} % or more"
    assert [q.note for q in strong] == [None, said, None, "too few frames"]
    assert [q.value for q in strong] == [q.value for q in rows]
    assert note_friction(scene, rows, 0.1, temperature=300.0) == rows
