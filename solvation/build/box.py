"""Box: the build stage, from a recipe to the four files that a simulation starts from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.build.audit import audit_system
from solvation.build.composition import compose, compute_refractive_index
from solvation.build.coverage import check_coverage
from solvation.build.ionset import choose_ions
from solvation.build.packing import pack_box
from solvation.build.supplement import load_model
from solvation.build.system import make_system, save_prepared
from solvation.errors import RecipeError, WorkspaceError
from solvation.library import find_species
from solvation.polarizable import is_polarizable

if TYPE_CHECKING:
    from pathlib import Path

    from solvation.recipe import Recipe

__all__ = ["build_box", "check_recipe", "choose_charge_scale", "load_audit"]

_STARTS = ("separated", "contact", "random")


def choose_charge_scale(recipe: Recipe) -> float:
    r"""Factor on the charges of the ions.

    ``"ecc"`` is the electronic continuum correction, :math:`1/\sqrt{\epsilon_\infty} = 1/n_D` of
    the solvent (Leontyev & Stuchebrukhov, Phys. Chem. Chem. Phys. 2011, 13, 2613,
    10.1039/c0cp01971b). With a polarizable force field the electrons answer explicitly, nothing
    is left to the continuum, and the factor is 1.

    Raises
    ------
    RecipeError
        If the refractive index of a solvent is not known, or a number is given with a polarizable
        force field.
    """
    if is_polarizable(recipe.model.forcefield):
        if recipe.model.charge_scale not in ("ecc", 1.0):
            raise RecipeError(
                f"model.charge_scale = {recipe.model.charge_scale:g} with force field "
                f"{recipe.model.forcefield}: scaled charges stand for the polarization that it has "
                'explicitly; leave it out, or make it "ecc" or 1.0, which are the same here'
            )
        return 1.0
    if recipe.model.charge_scale == "ecc":
        ionic = recipe.salt or any(solvent.cation for solvent in recipe.solvent)
        return 1.0 / compute_refractive_index(recipe) if ionic else 1.0
    return float(recipe.model.charge_scale)


def check_recipe(recipe: Recipe, *, allow_scripts: bool = False) -> None:
    """Find out, before anything is written, whether a resolved recipe can be built.

    Raises
    ------
    RecipeError, ForceFieldError, MissingParameterError
        What is wrong.
    """
    composition = compose(recipe)
    forcefield = load_model(recipe, allow_scripts=allow_scripts)
    check_coverage(forcefield, tuple(composition.counts))
    choose_ions(forcefield, recipe.model.ions, composition.counts)
    choose_charge_scale(recipe)


def build_box(
    recipe: Recipe, folder: Path, *, start: str, packing: int = 0, allow_scripts: bool = False
) -> dict[str, Any]:
    """Build one box and write it.

    Parameters
    ----------
    recipe
        A resolved recipe.
    folder
        Gets ``topology.pdb``, ``system.xml``, ``state.xml`` and ``audit.json``.
    start
        ``"separated"``, ``"contact"`` or ``"random"``.
    packing
        Which of the independent packings of that start.
    allow_scripts
        Whether the force field may run Python.

    Returns
    -------
    dict
        The audit, with the composition.

    Raises
    ------
    RecipeError, ForceFieldError, MissingParameterError, PackingError, AuditError
        What cannot be built, and why.
    """
    composition = compose(recipe)
    species = {name: find_species(name) for name in composition.counts}
    forcefield = load_model(recipe, allow_scripts=allow_scripts)
    check_coverage(forcefield, tuple(species))
    scale = choose_charge_scale(recipe)
    entropy = [recipe.protocol.seed, _STARTS.index(start)]
    if packing:
        entropy.append(packing)
    seeds = np.random.SeedSequence(entropy).generate_state(1)
    packed = pack_box(composition, species, start=start, seed=int(seeds[0] % 2**30))
    prepared = make_system(packed, species, forcefield, recipe, charge_scale=scale)
    audit = {
        **audit_system(prepared),
        "start": start,
        "forcefield": forcefield.name,
        "ions": recipe.model.ions,
        "salts": dict(composition.salts),
        "additives": dict(composition.additives),
        "asked": dict(composition.asked),
    }
    save_prepared(prepared, audit, folder)
    return audit


def load_audit(folder: Path) -> dict[str, Any]:
    """Read ``audit.json``.

    Raises
    ------
    WorkspaceError
        If the box was not built.
    """
    path = folder / "audit.json"
    try:
        audit: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot read {path}: {error}; run `solvation build` first") from error
    return audit
