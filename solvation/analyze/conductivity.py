r"""Ionic conductivity: of single ions, of clusters, and of all ions together.

All use the ions' *formal* charges, also when a force field scales the charges that the ions
feel. Scaling (the electronic continuum correction) stands for the electrons' screening of forces;
a current carries the whole ion, whose charge is the formal one (Leontyev, Stuchebrukhov, Phys.
Chem. Chem. Phys. 2011, 13, 2613; Jorge, Lue, J. Chem. Phys. 2019, 150, 084108).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from solvation.analyze.carrier import Carriers, follow_clusters
from solvation.analyze.centre import Path
from solvation.analyze.collective import Collective, collect_motion, fit_motion, sum_species
from solvation.analyze.contact import ContactTable
from solvation.analyze.diffusion import common_lags, thin_lags
from solvation.analyze.onsager import measure_onsager
from solvation.analyze.topology import Scene
from solvation.analyze.verdict import doubt_samples, say_samples, state_coefficient
from solvation.kernels.collective import count_samples
from solvation.units import BOLTZMANN, ELEMENTARY_CHARGE

if TYPE_CHECKING:
    import xarray as xr

    from solvation.results import Quantity

__all__ = ["measure_conductivity", "summarize_conductivity", "to_conductivity"]

Floats = npt.NDArray[np.float64]

_SCAN = 4
"""Windows looked at, each beginning at twice the lag of the one before."""
_UNSTEADY = 3.0
"""Errors by which a later window may differ."""
_LONGEST = 0.4
"""Longest lag drawn, as a share of the shortest replica."""


def to_conductivity(charge_diffusion: float, volume: float, temperature: float) -> float:
    r"""Turn :math:`\sum z^2 D` (e2 m2/s) into mS/cm, by :math:`e^2 / (V k_B T)`.

    Parameters
    ----------
    charge_diffusion
        e2 m2/s.
    volume
        Å3.
    temperature
        K.
    """
    siemens = ELEMENTARY_CHARGE**2 * charge_diffusion / (volume * 1e-30 * BOLTZMANN * temperature)
    return 10.0 * siemens


def measure_conductivity(
    scene: Scene,
    paths: Sequence[Path],
    diffusion: xr.Dataset,
    *,
    temperature: float,
    tables: Sequence[ContactTable] | None = None,
) -> dict[str, xr.Dataset]:
    r"""Measure the Nernst–Einstein, the cluster and the Einstein conductivity, and what is in it.

    .. math::
        \sigma_{NE} = \frac{e^2}{V k_B T} \sum_i N_i z_i^2 D_i, \qquad
        \sigma = \frac{e^2}{6 V k_B T} \frac{d}{dt}
                 \Big\langle \Big| \sum_j z_j [r_j(t) - r_j(0)] \Big|^2 \Big\rangle

    Parameters
    ----------
    scene
        Species, with formal charges.
    paths
        One per replica.
    diffusion
        From `measure_diffusion`.
    temperature
        K.
    tables
        Contacts, one table per replica; without, no clusters are followed.

    Returns
    -------
    ``"conductivity"`` and ``"onsager"``; nothing without ions, or with too few frames.

    Notes
    -----
    The collective displacement is one vector per frame, so its statistics are poor. Where the
    window begins is therefore taken from the ions' own displacements, which say much better when
    motion is diffusive; later windows must agree (`scan_stderr`), or the number is doubtful.
    """
    lag = common_lags(paths)
    ions = [s for s in scene.species if s.charge]
    if lag is None or not ions:
        return {}
    volume = float(np.concatenate([p.volume for p in paths]).mean())
    scale = to_conductivity(1.0, volume, temperature)
    sums = [sum_species(scene, path) for path in paths]
    timestep = float(lag[1])
    starts = diffusion["window_low"].sel(species=[s.name for s in ions]).values
    low = float(np.nanmax(starts)) if np.isfinite(starts).any() else timestep
    windows = [fit_motion(sums, timestep=timestep, low=low * 2.0**k) for k in range(_SCAN)]
    scan = [w for w in windows if w is not None]
    if not scan:
        return {}
    own = {s.name: float(diffusion["diffusion"].sel(species=s.name)) for s in ions}
    carriers = None
    if tables is not None and all(np.isfinite(list(own.values()))):
        carriers = follow_clusters(scene, tables, paths, own, low=low, timestep=timestep)
    curve = _draw_charge(scene, sums, lag)
    nodes = {
        "conductivity": _collect(scene, diffusion, scan, carriers, curve, scale),
        "onsager": measure_onsager(scene, scan[0], diffusion, scale=scale),
    }
    for node in nodes.values():
        node.attrs.update(temperature=temperature, volume=volume, frame="centre of mass of all")
    return nodes


def _collect(
    scene: Scene,
    diffusion: xr.Dataset,
    scan: Sequence[Collective],
    carriers: Carriers | None,
    curve: tuple[Floats, Floats, Floats],
    scale: float,
) -> xr.Dataset:
    """Put all conductivities into one node."""
    import xarray as xr

    z = np.array([s.charge for s in scene.species], dtype=np.float64)
    found = [window.estimate(lambda m: float(z @ m @ z)) for window in scan]
    einstein = found[0]
    known = [str(s) for s in diffusion["species"].values]
    factor = np.array([s.n_molecules * s.charge**2 for s in scene.species], dtype=np.float64)
    at = [known.index(s.name) for s in scene.species]
    d, d_error = (np.nan_to_num(diffusion[k].values[at]) for k in ("diffusion", "diffusion_stderr"))
    if not np.isfinite(diffusion["diffusion"].values[at][factor > 0.0]).all():
        d = np.full(len(at), np.nan)
    single = float(factor @ d)
    single_error = float(np.sqrt(((factor * d_error) ** 2).sum()))
    ratio = einstein.value / single if single > 0.0 else float("nan")
    ratio_error = abs(einstein.stderr / single) if single > 0.0 else float("nan")
    ratio_error = float(np.hypot(ratio_error, ratio * single_error / single))
    data: dict[str, object] = {}

    def put(name: str, value: float, error: float, text: str, unit: str = "mS/cm") -> None:
        by = scale if unit == "mS/cm" else 1.0
        data[name] = ((), by * value, {"units": unit, "long_name": text})
        data[f"{name}_stderr"] = (
            (), by * error, {"units": unit, "long_name": f"standard error of the {text}"},
        )  # fmt: skip

    def say(name: str, dims: tuple[str, ...], values: object, unit: str, text: str) -> None:
        data[name] = (dims, values, {"units": unit, "long_name": text})

    put("nernst_einstein", single, single_error, "Nernst-Einstein conductivity")
    put("einstein", einstein.value, einstein.stderr, "Einstein conductivity")
    put("ionicity", ratio, ratio_error, "Einstein over Nernst-Einstein conductivity", "1")
    say("n_effective", (), einstein.n_effective, "1", "independent displacements")
    say("window_low", (), scan[0].low, "ps", "shortest lag fitted")
    say("window_high", (), scan[0].high, "ps", "longest lag fitted")
    say("steady", (), float(_is_steady([(e.value, e.stderr) for e in found])), "1",
        "whether later windows agree")  # fmt: skip
    say("scan", ("start",), [scale * e.value for e in found], "mS/cm",
        "Einstein conductivity by the beginning of the window")  # fmt: skip
    say("scan_stderr", ("start",), [scale * e.stderr for e in found], "mS/cm",
        "standard error of that")  # fmt: skip
    lag, charge, charge_error = curve
    text = "mean squared collective charge displacement"
    say("collective", ("lag",), charge, "e2 Å2", text)
    say("collective_stderr", ("lag",), charge_error, "e2 Å2", f"standard error of the {text}")
    coords: dict[str, object] = {
        "lag": ("lag", lag, {"units": "ps", "long_name": "lag"}),
        "start": ("start", [w.low for w in scan], {"units": "ps", "long_name": "shortest lag"}),
    }
    if carriers is not None:
        put("cluster_nernst_einstein", carriers.charge_diffusion, carriers.charge_diffusion_stderr,
            "cluster Nernst-Einstein conductivity")  # fmt: skip
        share = carriers.numbers * carriers.charges**2 * np.nan_to_num(carriers.diffusion)
        say("cluster_separate", (), carriers.separate, "1",
            "share of it from ions of clusters that did not last")  # fmt: skip
        say("cluster_effective", (), carriers.n_effective, "1", "independent displacements")
        say("cluster_number", ("cluster",), carriers.numbers, "1", "mean number in the box")
        say("cluster_charge", ("cluster",), carriers.charges.astype(float), "e", "net charge")
        say("cluster_diffusion", ("cluster",), carriers.diffusion, "m2/s",
            "diffusion coefficient of the centre of mass")  # fmt: skip
        say("cluster_intact", ("cluster",), carriers.intact, "1",
            f"fraction that consists of the same ions after {carriers.high:g} ps")  # fmt: skip
        say("cluster_share", ("cluster",), scale * share, "mS/cm", "share of the conductivity")
        coords["cluster"] = list(carriers.names)
    return xr.Dataset(data, coords=coords)


def _is_steady(found: Sequence[tuple[float, float]]) -> bool:
    """Tell whether later windows give what the first gives.

    The first uses more of the data than a later one, so that the variance of their difference is
    about the difference of their variances (Hausman, Econometrica 1978, 46, 1251).
    """
    first, error = found[0]
    for value, other in found[1:]:
        spread = max(other**2 - error**2, 0.25 * error**2)
        if abs(value - first) > _UNSTEADY * np.sqrt(spread):
            return False
    return True


def _draw_charge(
    scene: Scene, sums: Sequence[Floats], lag: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return lags, the displacement of charge there, and its error."""
    z = np.array([s.charge for s in scene.species], dtype=np.float64)
    n_lags = max(2, int(_LONGEST * len(lag)))
    moments = [np.einsum("s,tsk->tk", z, path)[:, None] for path in sums]
    curve = collect_motion(moments, n_lags)[:, 0, 0]
    keep = thin_lags(n_lags)
    samples = sum(count_samples(len(path), keep) for path in sums)
    error = curve[keep] * np.sqrt(2.0 / np.maximum(3.0 * np.asarray(samples), 1.0))
    return lag[keep], curve[keep], error


def summarize_conductivity(
    node: xr.Dataset,
    *,
    single: Sequence[str] = (),
    exchange: Sequence[str] = (),
    always: Sequence[str] = (),
) -> list[Quantity]:
    """List the conductivities and the ionicity.

    Parameters
    ----------
    node
        From `measure_conductivity`.
    single
        What is doubtful about the diffusion of single ions.
    exchange
        What is doubtful because ions did not exchange.
    always
        What a reader must know in any case.
    """
    one = {str(k): float(v) for k, v in node.data_vars.items() if not v.dims}
    samples = one["n_effective"]
    together = [*doubt_samples(samples), *_doubt_window(node), *exchange]
    window = f"lags {one['window_low']:g} to {one['window_high']:g} ps"
    counted = say_samples(samples)

    def state(
        name: str, doubts: Sequence[str], notes: Sequence[str], *, unit: str = "mS/cm"
    ) -> Quantity:
        return state_coefficient(
            f"conductivity.{name}", unit, one[name], one[f"{name}_stderr"],
            doubts=doubts, notes=[*always, *notes],
        )  # fmt: skip

    rows = [state("nernst_einstein", [*single, *exchange], [])]
    if "cluster_nernst_einstein" in one:
        few = doubt_samples(one["cluster_effective"])
        apart = one["cluster_separate"]
        notes = ["clusters that are the same at both ends of the lag"]
        if apart > 0.005:
            notes.append(f"{apart:.0%} of it from ions of clusters that do not last")
        rows.append(state("cluster_nernst_einstein", [*few, *single, *exchange], notes))
    rows.append(state("einstein", together, [*counted, window]))
    rows.append(state("ionicity", [*together, *single], counted, unit="1"))
    return rows


def _doubt_window(node: xr.Dataset) -> list[str]:
    """Say that the slope depends on the window, if it does."""
    if float(node["steady"]):
        return []
    values, starts = node["scan"].values, node["start"].values
    listed = ", ".join(f"{v:.3g} from {s:g} ps" for v, s in zip(values, starts, strict=True))
    return [f"depends on the window: {listed}"]
