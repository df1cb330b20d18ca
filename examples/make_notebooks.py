"""Write ``notebooks/<name>.ipynb`` from every example; run it after changing one.

An example is a plain script whose cells begin with ``# %%`` (code) or ``# %% [markdown]``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = sorted(
    path for path in HERE.glob("*.py") if path.read_text(encoding="utf-8").startswith("# %%")
)


def make_notebook(script: str) -> str:
    """Turn the text of an example into the text of a notebook, without outputs."""
    cells = []
    for kind, body in re.findall(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", script, re.M | re.S):
        lines = body.strip("\n").splitlines()
        if kind:
            lines = [re.sub(r"^# ?", "", line) for line in lines]
        source = [line + "\n" for line in lines[:-1]] + lines[-1:]
        cell = {
            "cell_type": "markdown" if kind else "code",
            "id": f"cell-{len(cells)}",
            "metadata": {},
            "source": source,
        }
        cells.append(cell if kind else {**cell, "execution_count": None, "outputs": []})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them all."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    for path in SCRIPTS:
        text = make_notebook(path.read_text(encoding="utf-8"))
        (target / f"{path.stem}.ipynb").write_text(text, encoding="utf-8")
        print(target / f"{path.stem}.ipynb")


if __name__ == "__main__":
    main()
