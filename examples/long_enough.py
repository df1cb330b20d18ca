# %% [markdown]
# # Is my run long enough?
#
# Multivalent cations keep their first shell for longer than most runs last. A population measured
# in such a run is a memory of how the box was packed, however small its error bar. The package
# counts exchanges and says so: a *bound* when nothing happened, *not converged* when too little
# did.
#
# Here the truth is known. Each of 27 Mg²⁺ has one water that comes and goes at constant rates; it
# stays 200 ps and is away 200 ps on average. It is watched for 40 ps to 4 ns, a frame every 2 ps.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from solvation.analyze.frames import ArraySource
from solvation.analyze.stage import analyze_scene
from solvation.analyze.topology import scene_from_arrays
from solvation.synthetic import make_two_state_contacts

OUT = Path("runs/examples/long-enough")
OUT.mkdir(parents=True, exist_ok=True)
TAU, LENGTHS = 200.0, (40, 100, 200, 600, 2000, 4000)  # ps

# %%
rows = []
for length in LENGTHS:
    made = make_two_state_contacts(
        np.random.default_rng(length), n_frames=length // 2, lifetime=TAU, absence=TAU, dt=2.0
    )
    source = ArraySource(positions=made.positions, boxes=made.box, times=made.times)
    scene = scene_from_arrays(made.elements, made.bonds, [source], charges=made.charges)
    tree, quantities = analyze_scene(scene, cutoffs={"Mg-water.O": 3.0}, transport=False)
    known = {quantity.name: quantity for quantity in quantities}
    time, number = known["residence.Mg-water"], known["coordination.Mg-water.O"]
    node = tree["residence"].to_dataset().sel(pair="Mg-water")
    rows.append((length, time, number, float(node["low"]), float(node["high"])))
    print(
        f"{length:6d} ps  residence {time.text():>20} {time.status:14} {time.n_events:4d} events"
        f"   coordination {number.text():>14} {number.status}"
    )

# %% [markdown]
# Read it from the top. In 40 ps hardly a water has left. The coordination number has an error bar,
# and still nobody can know whether it is right: its status is `not_converged`. At some ten
# exchanges the residence time is known to a third, and only when the run has lasted several
# residence times as well do the populations become `ok`. The 95 % interval is exact if contacts
# break at a constant rate.

# %%
COLOR = {"ok": "#1f9e78", "not_converged": "#d1552b", "bound": "#d1552b"}
figure, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
for length, time, _, low, high in rows:
    color = COLOR[time.status]
    axes.plot([length, length], [low, min(high, 100.0)], color=color, lw=2)
    axes.plot(length, time.value, "o", color=color)
axes.axhline(TAU / 1000, color="0.5", ls="--", lw=1)
axes.annotate("truth", (330, TAU / 1000), (0, 5), textcoords="offset points", color="0.4")
axes.set(xscale="log", yscale="log", xlabel="length of the run (ps)", ylabel="residence time (ns)")
axes.plot([], [], "o-", color=COLOR["not_converged"], label="not converged")
axes.plot([], [], "o-", color=COLOR["ok"], label="ok")
axes.legend(frameon=False)
figure.savefig(OUT / "long-enough.png", dpi=150)
print("picture:", OUT / "long-enough.png")

# %% [markdown]
# ## What to do about it
#
# - Quote what relaxes fast from any run: bond lengths, the radius of the shell.
# - Run longer until `n_events` is above ten:
#   `solvation run DIR --set 'protocol.production_time="20 ns"'` goes on where the run ended.
# - Start from both sides (`starts = ["separated", "contact"]`): where they agree, the memory is
#   gone.
# - Quote a bound as a bound.
#
# ## Check

# %%
first, last = rows[0], rows[-1]
assert first[2].status == "not_converged"
assert last[1].status == "ok"
assert last[2].status == "ok"
inside = [low <= TAU / 1000 <= high for _, _, _, low, high in rows]
assert sum(inside) >= len(rows) - 1, inside  # 95 % intervals: one miss in six is chance
assert abs(last[2].value - 0.5) < 4 * last[2].stderr, last[2]
print("the numbers are as they should be")
