# %% [markdown]
# # Bring your own anion
#
# BF₃CN⁻ is in no force field here. From its SMILES, `parametrize` derives one: geometry and Hessian
# from GFN2-xTB, charges fitted to the HF/6-31G* potential, Lennard-Jones terms by analogy. It says
# how well the result reproduces what it was made from. A minute on one core; needs
# `pip install "solvation[parametrize]"`.

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt

import solvation

OUT = Path("runs/examples/own-anion")
SMILES = "[B-](F)(F)(F)C#N"

# %% [markdown]
# On the command line: `solvation parametrize "[B-](F)(F)(F)C#N" --charge -1 --name BF3CN -o mine`.

# %%
done = solvation.parametrize(SMILES, charge=-1, name="BF3CN", output=OUT / "BF3CN", conformers=1)
print(f"minimum within {done.agreement.rmsd:.3f} Å of the reference")
print(f"relative error of the electrostatic potential {done.rrms:.4f}")
for doubt in done.flags:
    print("doubtful:", doubt)

# %% [markdown]
# What was found, with all figures, is in the folder, and a recipe names the folder:

# %%
recipe = OUT / "li-bf3cn-dme.toml"
recipe.write_text(
    """
name = "li-bf3cn-dme"

[[salt]]
cation = "Li"
anion = "BF3CN"
concentration = "1 mol/L"

[[solvent]]
name = "DME"

[model]
species = ["BF3CN"]

[box]
cations = 8
"""
)
run = solvation.run(recipe, OUT / "box", profile="quick", until="build")
audit = json.loads((run.folder.build("separated") / "audit.json").read_text())
print("box:", audit["residues"], f"{audit['n_atoms']} atoms")

# %%
charges = audit["partial_charges"]["BF3CN"]
labels = ["B", "F", "F", "F", "C", "N"]
figure, axes = plt.subplots(figsize=(4.2, 3), layout="constrained")
axes.bar(range(len(charges)), charges, color="#2f7fb8")
axes.axhline(0, color="0.3", lw=0.8)
axes.set_xticks(range(len(charges)), labels)
axes.set(ylabel="partial charge in the box (e)", title="BF$_3$CN$^-$, scaled by 1/n$_D$")
figure.savefig(OUT / "charges.png", dpi=150)
print("picture:", OUT / "charges.png")

# %% [markdown]
# ## Check

# %%
scale = audit["charge_scale"]
assert abs(sum(charges) + scale) < 1e-4, charges  # one negative charge, scaled
assert max(charges[1:4]) - min(charges[1:4]) < 1e-6  # three equal fluorines
assert charges[0] > 0 > charges[1]
assert done.agreement.rmsd < 0.15
assert done.rrms < 0.2
assert audit["residues"]["Li"] == audit["residues"]["BF3CN"] == 8
print("the numbers are as they should be")
