r"""Onsager coefficients and transference numbers, from displacements of whole species.

.. math::
    L_{ab} = \frac{1}{6 V k_B T} \frac{d}{dt} \Big\langle
        \sum_{i \in a} \Delta r_i \cdot \sum_{j \in b} \Delta r_j \Big\rangle, \qquad
    \sigma = e^2 \sum_{ab} z_a z_b L_{ab}, \qquad
    t_a = \frac{e^2}{\sigma} \sum_b z_a z_b L_{ab}

for any number of ionic species of any charges (Fong, Bergstrom, McCloskey, Mandadapu, AIChE J.
2020, 66, e17091, doi:10.1002/aic.17091). :math:`L_{ab}` is given as :math:`e^2 L_{ab}` in mS/cm,
so that with the charges as factors it adds up to the conductivity.

Displacements are relative to a frame. In the *barycentric* frame the centre of mass of all rests,
and :math:`\sum_b M_b L_{ab} = 0` with the solvent among the species. In the *solvent* frame the
solvent rests, as in the theory of concentrated electrolytes and in measured transference numbers;
the coefficients follow from those of the barycentric frame. The conductivity of a neutral box is
the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.collective import Collective, Estimate
from solvation.analyze.topology import Scene
from solvation.analyze.verdict import doubt_samples, say_samples, state_coefficient
from solvation.errors import TrajectoryError
from solvation.kernels.collective import change_frame

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity

__all__ = ["FRAMES", "check_identities", "measure_onsager", "summarize_onsager"]

Floats = npt.NDArray[np.float64]

FRAMES = ("barycentric", "solvent")
"""What displacements are relative to."""

_TIGHT = 1e-6
"""Relative deviation above which an identity is broken, far above rounding."""


def measure_onsager(
    scene: Scene,
    collective: Collective,
    diffusion: xr.Dataset,
    *,
    scale: float,
) -> xr.Dataset:
    r"""Measure all coefficients between ionic species, their self parts, and transference numbers.

    Parameters
    ----------
    scene
        Species, with formal charges.
    collective
        From `fit_motion`, in the barycentric frame.
    diffusion
        From `measure_diffusion`; gives the self parts :math:`N_a D_a / V k_B T`.
    scale
        By which m2/s become mS/cm, :math:`e^2 / V k_B T`.

    Returns
    -------
    With the distinct part what the self part leaves of the whole, and the shares of the
    conductivity by pair of species: :math:`z_a^2` times self and distinct part of each species,
    and twice :math:`z_a z_b L_{ab}` of each pair.

    Raises
    ------
    TrajectoryError
        If an identity that must hold is broken.
    """
    import xarray as xr

    ionic = [i for i, s in enumerate(scene.species) if s.charge]
    names = [scene.species[i].name for i in ionic]
    charges = np.array([s.charge for s in scene.species], dtype=np.float64)
    frames = _list_frames(scene)
    known = [str(s) for s in diffusion["species"].values]
    at = [known.index(name) for name in names]
    count = np.array([scene.species[i].n_molecules for i in ionic], dtype=np.float64)
    own = count * diffusion["diffusion"].values[at]
    own_error = count * diffusion["diffusion_stderr"].values[at]
    # Below this is rounding: ions that only move together, or with everything else.
    least = _TIGHT * float(np.nanmax(own, initial=0.0))
    check_identities(scene, collective.matrix, least=least)

    def element(frame: Floats, a: int, b: int) -> Estimate:
        return collective.estimate(lambda m: float(frame[a] @ m @ frame[b]))

    def share(frame: Floats, members: Sequence[int]) -> Estimate:
        def divide(m: Floats) -> float:
            moved = frame @ m @ frame.T
            sigma = float(charges @ moved @ charges)
            part = float(charges[members] @ moved[members] @ charges)
            return part / sigma if abs(sigma) > least else float("nan")

        return collective.estimate(divide)

    whole = {k: [[element(f, a, b) for b in ionic] for a in ionic] for k, f in frames.items()}
    cations = [i for i in ionic if charges[i] > 0.0]
    shares = {k: [share(f, m) for m in (*([a] for a in ionic), cations)] for k, f in frames.items()}
    z2 = charges[ionic] ** 2
    apparent = z2 * own / (z2 * own).sum()
    spread = (np.eye(len(own)) - apparent[:, None]) * z2 / (z2 * own).sum() * own_error
    positive = charges[ionic] > 0.0
    apparent = np.append(apparent, apparent[positive].sum())
    spread = np.concatenate([spread, spread[positive].sum(axis=0)[None]])
    bare = [[e.value for e in row] for row in whole["barycentric"]]
    bare_error = [[e.stderr for e in row] for row in whole["barycentric"]]
    distinct = np.array(bare) - np.diag(own)
    distinct_error = np.hypot(np.array(bare_error), np.diag(own_error))
    labels, parts, part_errors = _list_parts(
        names, charges[ionic], own, own_error, distinct, distinct_error
    )
    listed = [*frames, "apparent"]
    t = [[e.value for e in shares[k]] for k in frames]
    t_error = [[e.stderr for e in shares[k]] for k in frames]
    pair = ("species", "partner")

    def put(dims: tuple[str, ...], values: object, text: str, unit: str = "mS/cm") -> object:
        factor = scale if unit == "mS/cm" else 1.0
        return (dims, factor * np.asarray(values), {"units": unit, "long_name": text})

    samples = [[e.n_effective for e in row] for row in whole["barycentric"]]
    data = {
        "coefficient": put(("frame", *pair), [[[e.value for e in r] for r in whole[k]]
                           for k in frames], "Onsager coefficient times e2"),
        "coefficient_stderr": put(("frame", *pair), [[[e.stderr for e in r] for r in whole[k]]
                                  for k in frames], "standard error of that"),
        "self": put(("species",), own, "part of single ions, N D e2 / V kT"),
        "self_stderr": put(("species",), own_error, "standard error of that"),
        "distinct": put(pair, distinct, "part of different ions, barycentric"),
        "distinct_stderr": put(pair, distinct_error, "standard error of that"),
        "contribution": put(("part",), parts, "share of the conductivity"),
        "contribution_stderr": put(("part",), part_errors, "standard error of that"),
        "transference": put(("system", "carrier"), [*t, apparent], "transference number", "1"),
        "transference_stderr": put(
            ("system", "carrier"), [*t_error, np.sqrt((spread**2).sum(axis=1))],
            "standard error of that", "1",
        ),
        "charge": put(("species",), charges[ionic], "formal charge", "e"),
        "n_effective": put(pair, samples, "independent displacements", "1"),
    }  # fmt: skip
    return xr.Dataset(
        data,
        coords={
            "species": names, "partner": names, "part": labels, "frame": list(frames),
            "system": listed, "carrier": [*names, "cation"],
        },
        attrs={"window": f"{collective.low:g} to {collective.high:g} ps"},
    )  # fmt: skip


def _list_frames(scene: Scene) -> dict[str, Floats]:
    """Return the matrices that refer displacements to each frame there is."""
    n = len(scene.species)
    frames = {"barycentric": np.eye(n)}
    solvent = [s.role == "solvent" and not s.charge for s in scene.species]
    if any(solvent):
        counts = [s.n_molecules for s in scene.species]
        frames["solvent"] = change_frame(counts, _list_masses(scene), solvent)
    return frames


def _list_masses(scene: Scene) -> Floats:
    """Return the mass of one molecule of each species, u."""
    return np.array([float(scene.masses[s.atoms[0]].sum()) for s in scene.species])


def _list_parts(
    names: Sequence[str], z: Floats, own: Floats, own_error: Floats, distinct: Floats,
    distinct_error: Floats,
) -> tuple[list[str], list[float], list[float]]:  # fmt: skip
    """List what the conductivity consists of: ions alone, then pairs of species."""
    labels, values, errors = [], [], []
    for a, name in enumerate(names):
        labels.append(f"{name} self")
        values.append(float(z[a] ** 2 * own[a]))
        errors.append(float(z[a] ** 2 * own_error[a]))
    for a, name in enumerate(names):
        for b in range(a, len(names)):
            factor = z[a] * z[b] * (1.0 if a == b else 2.0)
            labels.append(f"{name}-{names[b]}")
            values.append(float(factor * distinct[a, b]))
            errors.append(float(abs(factor) * distinct_error[a, b]))
    return labels, values, errors


def check_identities(scene: Scene, matrix: Floats, *, least: float = 0.0) -> None:
    """See that the coefficients obey what must hold whatever the ions do.

    ``matrix`` has the shape ``(n_species, n_species)``.

    Parameters
    ----------
    scene
        Species.
    matrix
        Coefficients of all species in the barycentric frame, in any unit.
    least
        Coefficients that are this small are rounding, in the same unit.

    Raises
    ------
    TrajectoryError
        If the centre of mass moves, if a neutral box conducts differently in the frame of the
        solvent, or if transference numbers do not add up to one.
    """
    z = np.array([s.charge for s in scene.species], dtype=np.float64)
    counts = np.array([s.n_molecules for s in scene.species], dtype=np.float64)
    mass = _list_masses(scene)
    size = max(float(np.abs(matrix).max()), least)
    momentum = float(np.abs(matrix @ mass).max())
    if not momentum <= _TIGHT * size * mass.max() * len(mass):
        raise TrajectoryError(
            f"the centre of mass moves: sum of mass times L is {momentum:.3g} where it must be "
            "0; please report this with the topology"
        )
    sigma = float(z @ matrix @ z)
    for name, frame in _list_frames(scene).items():
        moved = frame @ matrix @ frame.T
        inside = float(z @ moved @ z)
        neutral = abs(float(z @ counts)) < 1e-9
        if neutral and not abs(inside - sigma) <= _TIGHT * size * float(z @ z):
            raise TrajectoryError(
                f"the conductivity is {inside:.6g} in the {name} frame and {sigma:.6g} in that of "
                "the centre of mass; please report this with the topology"
            )
        shares = z * (moved @ z)
        if not abs(float(shares.sum()) - inside) <= _TIGHT * size * float(z @ z):
            raise TrajectoryError("transference numbers do not add up to 1; please report this")


def summarize_onsager(
    scene: Scene, node: xr.Dataset, *, doubts: Sequence[str] = (), always: Sequence[str] = ()
) -> list[Quantity]:
    """List Onsager coefficients and transference numbers.

    Parameters
    ----------
    scene
        Species.
    node
        From `measure_onsager`.
    doubts
        What is doubtful about all of them.
    always
        What a reader must know in any case.
    """
    names = [str(s) for s in node["species"].values]
    signs = node["charge"].values
    binary = len(names) == 2 and signs[0] > 0.0 > signs[1]
    rows = []
    for a, one in enumerate(names):
        for b in range(a, len(names)):
            label = f"{one}-{names[b]}"
            if binary:
                label = ("++", "+-", "--")[a + b]
            samples = float(node["n_effective"].values[a, b])
            rows.append(
                state_coefficient(
                    f"onsager.{label}", "mS/cm",
                    float(node["coefficient"].values[0, a, b]),
                    float(node["coefficient_stderr"].values[0, a, b]),
                    doubts=[*doubt_samples(samples), *doubts],
                    notes=[f"e2 L between {one} and {names[b]}, barycentric frame",
                           *say_samples(samples), *always],
                )
            )  # fmt: skip
    return [*rows, *_summarize_transference(scene, node, names, doubts)]


def _summarize_transference(
    scene: Scene, node: xr.Dataset, names: Sequence[str], doubts: Sequence[str]
) -> list[Quantity]:
    """List transference numbers of all cations together, and of each species if there are more."""
    samples = float(np.min(node["n_effective"].values))
    chosen = "solvent" if "solvent" in node["system"].values else "barycentric"
    rows = []
    for system in (chosen, *(str(k) for k in node["system"].values if k != chosen)):
        one = node.sel(system=system)
        error = one["transference_stderr"].values
        label = "" if system == chosen else f".{system}"
        rigorous = system != "apparent"
        notes = [f"{system} frame" if rigorous else "Nernst-Einstein, of ions that move alone"]
        worst = [*doubts]
        if rigorous:
            worst = [*doubt_samples(samples), *doubts]
            notes += say_samples(samples)
            if not np.isfinite(error).all() or float(np.abs(error).max()) > 0.5:
                worst.append("the conductivity is zero within its error")
            if len(scene.species) == 2:
                notes.append("two species without solvent: fixed by their masses")
        carriers = ["cation", *names] if len(names) > 2 else ["cation"]
        rows += [
            state_coefficient(
                f"transference.{carrier}{label}", "1",
                float(one["transference"].sel(carrier=carrier)),
                float(one["transference_stderr"].sel(carrier=carrier)),
                doubts=worst, notes=notes,
            )
            for carrier in carriers
        ]  # fmt: skip
    return rows
