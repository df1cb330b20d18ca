# %% [markdown]
# # Analyse a trajectory made elsewhere
#
# Any topology and trajectory that MDAnalysis reads will do. Here the script writes a small one
# itself, GRO and XTC as GROMACS would, of ions that walk in rigid pairs: every ion diffuses at
# 10⁻⁹ m²/s, and no current flows, because the charges of a pair cancel. So it is known what must
# come out.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import MDAnalysis as mda
import numpy as np

import solvation
from solvation.synthetic import make_ion_pairs

OUT = Path("runs/examples/foreign-trajectory")
OUT.mkdir(parents=True, exist_ok=True)

pairs = make_ion_pairs(np.random.default_rng(2026), n=40, n_frames=400, diffusion=1e-9)
universe = mda.Universe.empty(80, n_residues=80, atom_resindex=range(80), trajectory=True)
universe.add_TopologyAttr("names", pairs.elements)
universe.add_TopologyAttr("resnames", pairs.elements)
universe.add_TopologyAttr("resids", range(1, 81))
universe.load_new(pairs.positions, dimensions=pairs.box, dt=1.0)
universe.atoms.write(str(OUT / "topology.gro"))
universe.atoms.write(str(OUT / "trajectory.xtc"), frames="all")

# %% [markdown]
# One call reads the trajectory once and measures everything that can be measured in it. Species are
# recognised from bonds and elements; a lone Li is Li⁺ for the library, a lone F is not, so we say
# its charge. On the command line the same is
# `solvation analyze --topology topology.gro --trajectory trajectory.xtc --charge F=-1 -o DIR`.

# %%
run = solvation.analyze_trajectory(
    OUT / "topology.gro",
    [OUT / "trajectory.xtc"],
    OUT,
    charges={"F": -1},
    temperature=298.15,
)
print("report:", run.report)
for quantity in run.quantities:
    if quantity.name.startswith(("coordination", "speciation.cation", "diffusion", "conductivity")):
        print(f"{quantity.name:32} {quantity.text():28} {quantity.status}")

# %% [markdown]
# ## What the numbers say
#
# Every Li⁺ has its own F⁻ at 2 Å, so it is a contact ion pair (CIP), or an aggregate (AGG) while
# another pair passes through it, which these ghosts do. Nernst–Einstein takes the ions for
# independent and promises a conductivity. The Einstein conductivity is that of all ions together,
# and is zero within its error. The two would agree if the ions did not know each other; their ratio
# is the ionicity.

# %%
msd = run.results["diffusion"]["msd"].sel(species="Li")
charge = run.results["conductivity"]["collective"]
figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
axes[0].plot(msd.lag, msd, color="#b86fa3", label="Li⁺")
axes[0].plot(msd.lag, 6e-9 * 1e8 * msd.lag, "--", color="0.5", lw=1, label="6 D t, exact")
axes[0].set(xlabel="lag (ps)", ylabel="MSD (Å²)", title="each ion")
axes[0].legend(frameon=False)
axes[1].plot(charge.lag, charge, color="0.2")
axes[1].set(xlabel="lag (ps)", ylabel=f"charge MSD ({charge.units})", title="all charges together")
axes[1].set_ylim(-1, 10)
figure.savefig(OUT / "displacements.png", dpi=150)
print("picture:", OUT / "displacements.png")

# %% [markdown]
# ## Check

# %%
lithium, einstein = run["diffusion.Li"], run["conductivity.einstein"]
kept = 1 - 1 / 40  # motion is measured against the centre of mass of the 40 pairs, which walks too
assert abs(lithium.value - kept * 1e-9) < 4 * lithium.stderr, lithium
cutoff = run["rdf.Li-F.F.cutoff"].value
others = 39 / 30.0**3 * 4 / 3 * np.pi * cutoff**3  # F of other pairs within the cutoff, by chance
number = run["coordination.Li-F.F"]
assert abs(number.value - 1 - others) < 4 * number.stderr, (number, others)
assert run["speciation.cation.free"].value == 0.0
assert run["conductivity.nernst_einstein"].value > 10.0
assert abs(einstein.value) < 1e-3 * run["conductivity.nernst_einstein"].value, einstein
print("the numbers are as they should be")
