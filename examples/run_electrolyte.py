# %% [markdown]
# # Run an electrolyte, and read what came out
#
# 0.5 mol/L Mg(TFSI)₂ in 1,2-dimethoxyethane, with the profile that shows the road: 8 Mg²⁺, 100 ps.
# Some minutes on a laptop. Run the script again and it goes on where it was, or only reads.

# %%
import matplotlib.pyplot as plt

import solvation

run = solvation.run("mg-tfsi2-dme", profile="quick")  # into runs/mg-tfsi2-dme-quick
print("report:", run.report)

# %% [markdown]
# ## Numbers
#
# Each has a value, a standard error, a unit and a *status*: `ok`, `bound`, `not_converged` or
# `undefined`. Read the status first. `n_events` says how many exchanges a number rests on.

# %%
for name in (
    "density",
    "rdf.Mg-DME.O.first_peak",
    "coordination.Mg.total",
    "shell.Mg(DME)3",
    "residence.Mg-DME",
    "diffusion.DME",
):
    quantity = run[name]
    print(f"{name:26} {quantity.text():26} {quantity.status:14} {quantity.note or ''}")

# %% [markdown]
# ## Arrays
#
# `run.results` is an `xarray.DataTree` with a node per observable; every variable has its unit.

# %%
rdf = run.results["rdf"].to_dataset().sel(pair="Mg-DME.O")
figure, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
axes.plot(rdf.r, rdf.g, color="#2f7fb8")
axes.set(xlim=(1.5, 6), xlabel="r (Å)", ylabel="g(r), Mg–O of DME")
twin = axes.twinx()
twin.plot(rdf.r, rdf.running, color="#e08a00")
twin.set(ylim=(0, 12), ylabel="oxygens within r")
axes.axvline(rdf.cutoff, color="0.5", ls="--", lw=1)
figure.savefig(run.folder.path / "first-shell.png", dpi=150)
print("picture:", run.folder.path / "first-shell.png")

# %% [markdown]
# ## Check
#
# Six oxygens of three DME near 2.1 Å. Hardly a DME leaves in 100 ps, so the residence time is a
# bound and the population of the shell is not converged: it is how the box was packed.

# %%
assert abs(run["coordination.Mg.total"].value - 6) < 0.3
assert 2.0 < run["rdf.Mg-DME.O.first_peak"].value < 2.15
assert run["residence.Mg-DME"].status in ("bound", "not_converged")
assert run["shell.Mg(DME)3"].status == "not_converged"
print("the numbers are as they should be")
