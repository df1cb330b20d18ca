# %% [markdown]
# # Who pairs with whom: Mg, Ca and Li in diglyme
#
# The same anion, the same solvent, three cations, each from two starts: ions separated by solvent,
# and anions in contact with every cation. Where the two starts agree, the run has an answer. Where
# they do not, it has a memory.
#
# The boxes are as small and the runs as short as they can be (3 cations, 40 ps), so that the six
# of them take half an hour on two cores. For numbers to quote, leave out `settings` and take
# `profile="standard"` on a GPU.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import solvation

OUT = Path("runs/examples/who-pairs")
COLOR = {"Li": "#b86fa3", "Mg": "#2f7fb8", "Ca": "#e08a00"}
SMALL = [
    "box.cations=3",
    "protocol.replicas=2",
    'protocol.starts=["separated", "contact"]',
    "protocol.heat_time=10 ps",
    "protocol.anneal_time=10 ps",
    "protocol.density_time=16 ps",
    "protocol.density_time_max=16 ps",
    "protocol.production_time=40 ps",
    "protocol.report_interval=0.4 ps",
]

# %%
runs = {}
for cation, name in (("Li", "li-tfsi-g2"), ("Mg", "mg-tfsi2-g2"), ("Ca", "ca-tfsi2-g2")):
    recipe = solvation.load_recipe(name, settings=SMALL)
    runs[cation] = solvation.run(recipe, OUT / name, profile="quick")

# %% [markdown]
# ## The first shell
#
# Its radius settles in picoseconds and may be quoted from any run. The coordination number is next.

# %%
for cation, run in runs.items():
    peak, number = run[f"rdf.{cation}-G2.O.first_peak"], run[f"coordination.{cation}.total"]
    print(f"{cation}-O {peak.text():>18}   coordination {number.text():>16}  {number.status}")

# %% [markdown]
# ## Who touches an anion
#
# `agreement` holds every population of each start alone. `exchange` events say whether a start
# could have been forgotten.

# %%
paired = {}
for cation, run in runs.items():
    node = run.results["agreement"]
    parts = [node["value"].sel(quantity=f"speciation.cation.{k}") for k in ("cip", "agg")]
    paired[cation] = {str(s): float(sum(parts).sel(start=s)) for s in node["start"].values}
    events = {ligand: run[f"residence.{cation}-{ligand}"].n_events for ligand in ("G2", "TFSI")}
    status = run["speciation.cation.cip"].status
    print(f"{cation}: touching an anion {paired[cation]}, exchanges seen {events}, {status}")

# %%
figure, axes = plt.subplots(figsize=(4.4, 3.2), layout="constrained")
for k, (cation, by_start) in enumerate(paired.items()):
    low, high = sorted(by_start.values())
    axes.plot([k, k], [low, high], color=COLOR[cation], lw=6, alpha=0.3, solid_capstyle="round")
    for start, marker in (("separated", "o"), ("contact", "s")):
        axes.plot(k, by_start[start], marker, color=COLOR[cation], ms=8, mfc="w", mew=2)
axes.plot([], [], "o", color="0.4", mfc="w", label="from separated ions")
axes.plot([], [], "s", color="0.4", mfc="w", label="from contact pairs")
axes.set(xlim=(-0.6, 2.6), ylim=(-0.05, 1.1), ylabel="cations that touch an anion")
axes.set_xticks(range(3), [r"Li$^+$", r"Mg$^{2+}$", r"Ca$^{2+}$"])
axes.legend(frameon=False, loc="upper left")
figure.savefig(OUT / "who-pairs.png", dpi=150)
print("picture:", OUT / "who-pairs.png")

# %% [markdown]
# One page with all three side by side, every number beside its neighbours:

# %%
series = solvation.compare_runs([run.folder.path for run in runs.values()], OUT)
print("page:", series.page)

# %% [markdown]
# ## Check
#
# Two diglymes, six oxygens, around Li⁺ and Mg²⁺ and more around Ca²⁺; and nothing about pairing
# that a run of 40 ps could not know.

# %%
peaks = {c: run[f"rdf.{c}-G2.O.first_peak"].value for c, run in runs.items()}
assert peaks["Li"] < peaks["Mg"] + 0.1 < peaks["Ca"] - 0.1, peaks
assert 3.5 < runs["Li"]["coordination.Li.total"].value < 6.8
assert 5.5 < runs["Mg"]["coordination.Mg.total"].value < 7.0
assert 7.0 < runs["Ca"]["coordination.Ca.total"].value < 9.2
assert runs["Mg"]["speciation.cation.cip"].status == "not_converged"
assert any(found["contact"] > found["separated"] + 0.3 for found in paired.values())
print("the numbers are as they should be")
