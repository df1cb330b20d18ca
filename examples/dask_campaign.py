# %% [markdown]
# # A campaign on Dask
#
# Two electrolytes at two temperatures, as one file: every combination is a run folder of its own,
# Dask spreads the replicas over workers, and the numbers come back as one dataset. Here the workers
# are two processes of this machine; `kind = "slurm"` in the same file sends the same campaign to a
# cluster. The boxes are so small (2 cations) and the runs so short (4 ps) that the numbers mean
# nothing but that the road is open. Needs `pip install "solvation[dask]"`.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import solvation

OUT = Path("runs/examples/campaign")
OUT.mkdir(parents=True, exist_ok=True)
COLOR = {"li-tfsi-g2": "#b86fa3", "mg-tfsi2-dme": "#2f7fb8"}

file = OUT / "small.toml"
file.write_text(
    """
name = "small"
recipes = ["mg-tfsi2-dme", "li-tfsi-g2"]
temperatures = ["298.15 K", "353.15 K"]
replicas = 1
profile = "quick"
set = [
    "box.cations=2",
    "model.cutoff=8 angstrom",
    "protocol.heat_time=0.4 ps",
    "protocol.anneal_time=1 ps",
    "protocol.density_time=2 ps",
    "protocol.density_time_max=4 ps",
    "protocol.production_time=4 ps",
    "protocol.report_interval=0.1 ps",
    "protocol.checkpoint_interval=1 ps",
]

[workers]
number = 2
"""
)


# %% [markdown]
# On the command line: `solvation campaign small.toml`. Stopped at any moment, the same call goes on
# and repeats nothing that is done. The workers are new processes, which read this file again, so a
# script says what to do below `if __name__ == "__main__"`.


# %%
def main():
    campaign = solvation.run_campaign(file, OUT / "small")
    for standing in campaign.standings:
        done = f"{standing.replicas_done}/{standing.n_replicas}"
        print(f"{standing.folder.name:28} {standing.state:10} {done}")

    # All numbers, by system, concentration, temperature and model.
    data = campaign.open_results().to_dataset()
    print(dict(data.sizes))
    print("page:", campaign.page)

    figure, axes = plt.subplots(figsize=(4.2, 3.2), layout="constrained")
    density = data["density"].squeeze(drop=True)
    error = data["density_stderr"].squeeze(drop=True)
    for system in density["system"].values:
        y, dy = density.sel(system=system), error.sel(system=system)
        axes.errorbar(
            density["temperature"], y, dy, fmt="o-", capsize=3, color=COLOR[system], label=system
        )
    axes.set(xlabel="temperature (K)", ylabel="density (g/cm$^3$)")
    axes.legend(frameon=False)
    figure.savefig(OUT / "density.png", dpi=150)
    print("picture:", OUT / "density.png")
    check(campaign, density, error)


# %% [markdown]
# ## Check


# %%
def check(campaign, density, error):
    assert campaign.n_failed == 0
    assert density.shape == (2, 2)
    assert np.all((density > 0.7) & (density < 1.3))
    cold, hot = density.isel(temperature=0), density.isel(temperature=1)
    spread = np.hypot(*(error.isel(temperature=k) for k in (0, 1)))
    assert np.all(hot - cold < 2 * spread)  # liquids expand
    again = solvation.run_campaign(file, OUT / "small")
    assert [s.state for s in again.standings] == [s.state for s in campaign.standings]
    print("the numbers are as they should be")


if __name__ == "__main__":
    main()
