"""Constants that made a Hessian come out of it, and gradients are those of the coordinates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvation.build.analogy import assign_rows
from solvation.build.audit import differentiate_alone, relax_alone
from solvation.build.derived import Template
from solvation.build.fitting import (
    compare_minimum,
    list_keys,
    make_system_of,
    make_template,
    settle_lengths,
)
from solvation.build.seminario import measure_angle
from solvation.build.stiffness import fit_constants, project_angle, project_bond
from solvation.build.subject import embed_conformers, read_subject
from solvation.errors import ForceFieldError

SHAPE = np.random.default_rng(1).normal(size=(4, 3))


@pytest.mark.parametrize(
    ("project", "measure", "atoms"),
    [
        (project_bond, lambda x, a: float(np.linalg.norm(x[a[0]] - x[a[1]])), (3, 1)),
        (project_angle, measure_angle, (2, 0, 3)),
    ],
)
def test_gradients_are_those_of_the_coordinate(project, measure, atoms):
    gradient = project(SHAPE, atoms)
    for i in range(SHAPE.size):
        sides = []
        for step in (1e-5, -1e-5):
            moved = SHAPE.copy()
            moved.flat[i] += step
            sides.append(measure(moved, atoms))
        assert gradient[i] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-8)


def test_a_straight_angle_bends_in_two_directions():
    """Its square, to second order, whichever way the atoms go."""
    line = np.array([[0, 0, 0], [0, 0, 1.2], [0, 0, 2.7]])
    rows = project_angle(line, (0, 1, 2))
    assert rows.shape == (2, 9)
    for seed in range(4):
        step = 1e-4 * np.random.default_rng(seed).normal(size=(3, 3))
        bend = np.pi - measure_angle(line + step, (0, 1, 2))
        assert np.sum((rows @ step.ravel()) ** 2) == pytest.approx(bend**2, rel=1e-3)


def test_a_straight_angle_is_straight_at_rest(tmp_path):
    """A shape that is straight but for rounding; the bend has the frequency of its spring."""
    subject = read_subject("N#C[S-]", charge=-1, name="X")
    n, s = (subject.elements.index(e) for e in ("N", "S"))
    shape = np.zeros((3, 3))
    shape[n], shape[s] = (0.0, 0.003, 1.17), (0.0, 0.0, -1.66)
    rows = [replace(row, epsilon=0.0) for row in assign_rows(subject)]
    start = Template(
        subject=subject, rows=tuple(rows), charges=np.zeros(3),
        bonds={k: (1.17 if subject.classes[s] not in k else 1.66, 4000.0)
               for k in list_keys(subject)[0]},
        angles=dict.fromkeys(list_keys(subject)[1], (np.pi, 300.0)),
        torsions={}, impropers={}, source="made up",
    )  # fmt: skip
    hessian = differentiate_alone(make_system_of(start, shape, tmp_path / "x.xml"), shape)
    masses = np.array([14.0, 12.0, 32.0])
    made = make_template(subject, rows, shape, hessian, np.zeros(3), {}, {}, source="made up")
    made = fit_constants(made, shape, hessian, masses, tmp_path / "x.xml")
    made = settle_lengths(made, shape, tmp_path / "x.xml")
    [(angle, constant)] = made.angles.values()
    assert angle == np.pi
    assert constant == pytest.approx(300.0, rel=0.02)
    found = compare_minimum(made, shape, hessian, masses, tmp_path / "x.xml")
    assert found.lowest_frequency > -10


def test_constants_come_back(tmp_path):
    subject = read_subject("[B-](F)(F)(F)C", charge=-1, name="X")
    rows = [replace(row, epsilon=0.0) for row in assign_rows(subject)]  # at rest, nothing pushes
    shape = embed_conformers(subject, 1, seed=1)[0]
    bond_keys, angle_keys = list_keys(subject)
    draw = np.random.default_rng(2)
    template = Template(
        subject=subject, rows=tuple(rows), charges=np.zeros(subject.n_atoms),
        bonds={k: (1.4, draw.uniform(1500, 3000)) for k in bond_keys},
        angles={k: (np.arccos(-1 / 3), draw.uniform(200, 400)) for k in angle_keys},
        torsions={tuple(subject.classes[i] for i in t): (0, 0, 0, "") for t in subject.torsions},
        impropers={}, source="made up",
    )  # fmt: skip
    system = make_system_of(template, shape, tmp_path / "x.xml")
    shape, energy = relax_alone(system, shape)
    assert energy < 1e-6
    hessian = differentiate_alone(system, shape)
    masses = np.linspace(1, 20, subject.n_atoms)
    wrong = replace(
        template,
        bonds={k: (r, 0.7 * c) for k, (r, c) in template.bonds.items()},
        angles={k: (a, 1.4 * c) for k, (a, c) in template.angles.items()},
    )
    fitted = fit_constants(wrong, shape, hessian, masses, tmp_path / "x.xml")
    for group in ("bonds", "angles"):
        for key, (_, constant) in getattr(template, group).items():
            assert getattr(fitted, group)[key][1] == pytest.approx(constant, rel=5e-3)


def test_a_bond_that_does_not_hold_is_refused():
    subject = read_subject("[B-](F)(F)(F)F", charge=-1, name="X")
    shape = embed_conformers(subject, 1, seed=1)[0]
    hessian = np.zeros((15, 15))
    for i, j in subject.bonds:
        for a, b, sign in ((i, j, 1), (j, i, 1), (i, i, -1), (j, j, -1)):
            hessian[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] += 100 * sign * np.eye(3)
    with pytest.raises(ForceFieldError, match=r"a B-F bond of 1\.\d\d angstrom has no force"):
        make_template(
            subject, assign_rows(subject), shape, hessian, np.zeros(5), {}, {}, source="made up"
        )
