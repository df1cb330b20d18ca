# %% [markdown]
# # Write your own analyzer
#
# An observable of your own, in some 40 lines: it is looked at in the same reading of the
# trajectory as ours, on as many processes, and its numbers stand in `summary.json` and in the
# report. This one measures how far each cation is from the next one. For ions scattered at random
# the answer is known, $\langle r\rangle = \Gamma(4/3)\,(4\pi\rho/3)^{-1/3}$ (P. Hertz, Math. Ann.
# 1909, 67, 387), so the example can check itself.
#
# An analyzer has a `name`, a `start(scene)` that returns an accumulator, and a `describe(parts)`
# that writes arrays and numbers. The accumulator looks at blocks of frames, and *adds*: `a + b` has
# seen what both saw. That is what lets several processes share the work.

# %%
from dataclasses import dataclass, replace
from math import gamma, pi
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import solvation
from solvation.analyze.driver import run_analyzers
from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.kernels.uncertainty import block_error
from solvation.synthetic import make_ideal_gas

OUT = Path("runs/examples/own-analyzer")
OUT.mkdir(parents=True, exist_ok=True)


# %%
@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Distance in Å from each cation to the nearest other one."""

    name: str = "spacing"

    def start(self, scene):
        return Nearest(atoms=np.hstack([scene.find_centres(s) for s in scene.list_role("cation")]))

    def describe(self, parts):
        means = [part.result() for part in parts.split()]  # one for each stretch of time
        mean, error = float(np.mean(means)), float(block_error(means))
        text = {"units": "Å", "long_name": "mean distance to the nearest other cation"}
        node = xr.Dataset({"nearest": ((), mean, text), "nearest_stderr": ((), error, text)})
        number = solvation.Quantity(name="spacing.nearest", value=mean, stderr=error, unit="Å")
        return node, [number]


@dataclass(slots=True, kw_only=True)
class Nearest:
    """Sum of the distances, and how many there were; adds."""

    atoms: np.ndarray
    total: float = 0.0
    n: int = 0

    def add(self, block):
        for positions, box in zip(block.positions[:, self.atoms], block.matrix, strict=True):
            apart = positions[:, None] - positions
            apart = apart - np.round(apart @ np.linalg.inv(box)) @ box  # the nearest image
            distance = np.linalg.norm(apart, axis=2) + np.diag(np.full(len(apart), np.inf))
            self.total += distance.min(axis=1).sum()
            self.n += len(distance)

    def __add__(self, other):
        return replace(self, total=self.total + other.total, n=self.n + other.n)

    def result(self):
        return self.total / self.n


# %% [markdown]
# ## Try it
#
# Ions scattered at random, at three densities. `run_analyzers` is the loop over frames; it needs a
# scene, which can come from files (`solvation.analyze.scene.open_scene`) or, as here, from arrays.


# %%
def make_scene(edge):
    gas = make_ideal_gas(np.random.default_rng(1), n=40, n_frames=50, edge=edge)
    source = ArraySource(positions=gas.positions, boxes=gas.box, times=gas.times)
    return scene_from_arrays(gas.elements, gas.bonds, [source], charges=gas.charges)


edges = np.array([18.0, 24.0, 32.0])
found = []
for edge in edges:
    parts = run_analyzers(make_scene(edge), [Spacing()])
    node, [number] = Spacing().describe(parts["spacing"])
    print(f"edge {edge:.0f} Å: {number.text()}")
    found.append(number)

# %%
density = 40 / edges**3
exact = gamma(4 / 3) * (4 * pi * density / 3) ** (-1 / 3)
value, error = (np.array([getattr(q, k) for q in found]) for k in ("value", "stderr"))
fine = np.geomspace(density.min() / 1.5, density.max() * 1.5)
figure, axes = plt.subplots(figsize=(4.2, 3.2), layout="constrained")
axes.plot(fine, gamma(4 / 3) * (4 * pi * fine / 3) ** (-1 / 3), color="0.5", label="random, exact")
axes.errorbar(
    density, value, 2 * error, fmt="o", color="#2f7fb8", capsize=3, label="Spacing, ± 2 σ"
)
axes.set(xscale="log", xlabel="cations per Å³", ylabel="nearest other cation (Å)")
axes.legend(frameon=False)
figure.savefig(OUT / "spacing.png", dpi=150)
print("picture:", OUT / "spacing.png")

# %% [markdown]
# ## As a plug-in
#
# Beside everything else that is measured, in one reading of a trajectory:
#
#     solvation.analyze_trajectory(topology, trajectories, path, plugins=[Spacing()])
#     solvation.run(recipe, path, plugins=[Spacing()])
#
# or, with the two classes in a file,
#
#     solvation analyze runs/mine --plugin own_analyzer.py:Spacing
#
# A package offers an analyzer to everyone who installs it by naming it in its `pyproject.toml`;
# then `--plugin spacing` finds it:
#
#     [project.entry-points."solvation.analyzers"]
#     spacing = "my_package.spacing:Spacing"

# %%
tree, numbers = analyze_scene(make_scene(24.0), plugins=[Spacing()])
print([number.name for number in numbers if "spacing" in number.name], list(tree["spacing"]))

# %% [markdown]
# ## Check

# %%
assert tree["spacing"]["nearest"].attrs["units"] == "Å"
assert tree["spacing"]["nearest"] == found[1].value
assert np.all(np.abs(value - exact) < 4 * error), (value, exact, error)
assert np.all(error < 0.02 * exact)
print("the numbers are as they should be")
