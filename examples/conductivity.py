# %% [markdown]
# # Conductivity with replicas: Nernst–Einstein against Einstein
#
# Nernst–Einstein takes the diffusion coefficients of the ions and pretends that they move
# independently. The Einstein conductivity follows all charges together, which is what an
# experiment does. Ions that move in pairs diffuse and carry nothing, and only the second knows.
#
# Here the truth is known: a share *f* of the ions walks alone and the rest in rigid pairs, all at
# the same diffusion coefficient. Then σ / σ(NE) = *f* in a large box. Four replicas of 1 ns each.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays

OUT = Path("runs/examples/conductivity")
OUT.mkdir(parents=True, exist_ok=True)
N, D = 48, 1e-9  # ions of a kind; m2/s
EDGE, N_FRAMES, TEMPERATURE = 60.0, 1001, 298.15  # Å; one per ps; K


# %%
def walk(rng, n):
    """Walk ``n`` particles at random; Å, shape ``(N_FRAMES, n, 3)``."""
    steps = rng.normal(scale=np.sqrt(2 * D * 1e8), size=(N_FRAMES, n, 3))
    steps[0] = rng.random((n, 3)) * EDGE
    return steps.cumsum(axis=0)


def make_replica(rng, free):
    """Make cations, then anions; the first ``free`` of each alone, the others in pairs."""
    cations, anions = walk(rng, N), walk(rng, N)
    anions[:, free:] = cations[:, free:] + [2.0, 0.0, 0.0]
    return ArraySource(
        positions=np.concatenate([cations, anions], axis=1),
        boxes=np.array([EDGE, EDGE, EDGE, 90.0, 90.0, 90.0]),
        times=np.arange(N_FRAMES, dtype=float),
    )


# %%
shares = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
no_bonds = np.empty((0, 2), dtype=int)
found = []
for share in shares:
    rng = np.random.default_rng(int(100 * share))
    replicas = [make_replica(rng, round(share * N)) for _ in range(4)]
    scene = scene_from_arrays(
        ["Li"] * N + ["F"] * N, no_bonds, replicas, charges={"Li": 1, "F": -1}
    )
    _, quantities = analyze_scene(scene, cutoffs={"*": 2.5}, temperature=TEMPERATURE)
    known = {quantity.name: quantity for quantity in quantities}
    independent = known["conductivity.nernst_einstein"]
    together = known["conductivity.einstein"]
    found.append((independent, together))
    print(
        f"f = {share:.2f}   Nernst-Einstein {independent.text():18} "
        f"Einstein {together.text():22} {together.status}"
    )

# %% [markdown]
# Nernst–Einstein hardly changes; the Einstein conductivity falls with the ions that walk in pairs.
# Its error is larger, because there is one sum of charges per replica however many ions there are:
# it is replicas that make it smaller. With few independent displacements its status says so.

# %%
value = np.array([e.value / n.value for n, e in found])
error = np.array([np.hypot(e.stderr / n.value, e.value * n.stderr / n.value**2) for n, e in found])
figure, axes = plt.subplots(figsize=(4.2, 3.2), layout="constrained")
axes.plot([0, 1], [0, 1], color="0.5", ls="--", lw=1, label="exact")
axes.errorbar(shares, value, 2 * error, fmt="o", color="#b86fa3", capsize=3, label="found, ± 2 σ")
axes.set(xlabel="share of ions that walk alone", ylabel="σ / σ(Nernst–Einstein)")
axes.legend(frameon=False)
figure.savefig(OUT / "conductivity.png", dpi=150)
print("picture:", OUT / "conductivity.png")

# %% [markdown]
# ## Check
#
# The Nernst–Einstein value has a closed form, $\sigma = 2 N e^2 D / V k_B T$. Motion is measured
# against the centre of mass of the box, which walks too: of a walker's *D* that leaves
# $1 - 2m/M + \sum m^2/M^2$. Two per cent here, less in a larger box; of the sum of all charges it
# takes nothing, because the box is neutral.


# %%
def find_kept(share):
    """What is left of D, on average over the ions, when the centre of mass stands still."""
    free = round(share * N)
    lithium, fluoride = 6.94, 18.998  # u
    alone = [lithium, fluoride]
    masses = np.array(alone * free + [lithium + fluoride] * (N - free))
    ions = np.array([1, 1] * free + [2] * (N - free))  # in each walker
    total = masses.sum()
    kept = 1 - 2 * masses / total + (masses**2).sum() / total**2
    return (ions * kept).sum() / ions.sum()


kt = 1.380649e-23 * TEMPERATURE
closed = 10 * 2 * N * 1.602176634e-19**2 * D / (EDGE**3 * 1e-30 * kt)  # mS/cm
exact = closed * np.array([find_kept(share) for share in shares])
independent = np.array([n.value for n, _ in found])
spread = np.array([n.stderr for n, _ in found])
assert np.all(np.abs(independent - exact) < 4 * spread), (independent, exact, spread)
ratio = shares * closed / exact
assert np.all(np.abs(value - ratio) < 4 * np.maximum(error, 1e-3)), (value, ratio, error)
assert error[-1] < 0.4
print("the numbers are as they should be")
