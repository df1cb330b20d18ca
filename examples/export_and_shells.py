# %% [markdown]
# # To GROMACS and LAMMPS, and to quantum chemistry
#
# A box built here, written for two other programs, read back from their files and compared term by
# term; and its first shells as files that a quantum-chemistry program takes, with charge and
# multiplicity. Half a minute: the box is packed with contact pairs and not simulated.

# %%
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt

import solvation

OUT = Path("runs/examples/export")
recipe = solvation.load_recipe(
    "mg-tfsi2-dme", settings=["box.cations=4", 'protocol.starts=["contact"]']
)
run = solvation.run(recipe, OUT / "box", profile="quick", until="build")

# %% [markdown]
# ## Other engines
#
# On the command line: `solvation export runs/x --to gromacs -o gromacs`.

# %%
off = {}
for program in ("gromacs", "lammps"):
    delivery = solvation.export_run(run.folder.path, OUT / program, target=program)
    print(program, *(file.name for file in delivery.files))
    for row in delivery.energies:
        print(f"  {row.term:14} {row.here:14.5f} {row.back:14.5f} kJ/mol  {row.difference:+.1e}")
    off[program] = {row.term: abs(row.difference) for row in delivery.energies}

# %%
figure, axes = plt.subplots(figsize=(4.8, 3), layout="constrained")
for k, (program, terms) in enumerate(off.items()):
    height = [max(value, 1e-11) for value in terms.values()]
    axes.bar([i + 0.4 * k for i in range(len(terms))], height, 0.36, label=program)
axes.set_xticks([i + 0.2 for i in range(len(terms))], list(terms), rotation=30, ha="right")
axes.set(yscale="log", ylabel="difference (kJ/mol)", title="energies, here and read back")
axes.legend(frameon=False)
figure.savefig(OUT / "energies.png", dpi=150)
print("picture:", OUT / "energies.png")

# %% [markdown]
# ## Shells for quantum chemistry
#
# Every analysis writes the most frequent first shells into `structures/`, one for each molecular
# graph. Here the packed box is its own trajectory of one frame.

# %%
box = run.folder.build("contact") / "topology.pdb"
shells = solvation.analyze_trajectory(box, [box], OUT / "shells")
structures = OUT / "shells" / "structures"
rows = json.loads((structures / "index.json").read_text())
for row in rows:
    print(row["motif"], "charge", row["charge"], "multiplicity", row["multiplicity"])

# %% [markdown]
# ## Check

# %%
assert max(value for terms in off.values() for value in terms.values()) < 0.01
assert (OUT / "gromacs").is_dir()
assert rows
for row in rows:
    anions = sum(int(n) for n in re.findall(r"\(TFSI\)(\d+)", row["motif"]))
    assert row["charge"] == 2 - anions  # Mg2+ and so many TFSI-
    assert row["multiplicity"] == 1
    lines = (structures / f"{row['name']}.xyz").read_text().splitlines()
    assert int(lines[0]) == len(lines) - 2
print("the numbers are as they should be")
