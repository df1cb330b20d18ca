"""Quantum chemistry: energies, shapes, Hessians and electrostatic potentials of one molecule.

GFN2-xTB (Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 2019, 15, 1652,
10.1021/acs.jctc.8b01176) through ``tblite``, or B3LYP/def2-SVP through ``pyscf``; minima and
constrained minima through ``geomeTRIC``; the potential always from HF/6-31G*. All three programs
come with the extra ``parametrize`` and are imported where they are used. Å and kJ/mol outside.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from solvation.errors import RecipeError, SimulationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "METHODS",
    "Surface",
    "compute_frequencies",
    "compute_hessian",
    "compute_potential",
    "limit_threads",
    "make_surface",
    "relax",
    "require_programs",
]

METHODS = {
    "gfn2": ("GFN2-xTB", 1.0),
    "b3lyp": ("B3LYP/def2-SVP", 0.957**2),
}
"""Name in words, and factor on its Hessian: 0.957 on frequencies is that of Allen et al. 2018."""

HARTREE = 2625.499639
"""kJ/mol."""
BOHR = 0.529177210903
"""Å."""
_STEP = 0.005
"""Å; displacement for numerical Hessians."""

Surface = Callable[["NDArray[np.float64]"], tuple[float, "NDArray[np.float64]"]]
"""Positions in Å to energy in kJ/mol and gradient in kJ/mol/Å, shape ``(n_atoms, 3)``."""


def require_programs() -> None:
    """Check that the extra is installed; raises `RecipeError` with the command that does it."""
    missing = [name for name in ("pyscf", "tblite", "geometric") if find_spec(name) is None]
    if missing:
        raise RecipeError(
            f'{", ".join(missing)} is not installed; pip install "solvation[parametrize]"'
        )


def limit_threads() -> None:
    """Give tight binding one thread; call it before RDKit or any of the programs is loaded.

    One is quickest for one molecule, and much quicker on a busy machine, where several threads
    wait for each other at every step. HF/6-31G* has its own number.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def make_surface(method: str, numbers: Sequence[int], charge: int) -> Surface:
    """Make the potential-energy surface of a closed shell.

    Parameters
    ----------
    method
        ``"gfn2"`` or ``"b3lyp"``.
    numbers
        Atomic numbers.
    charge
        In e.

    Raises
    ------
    RecipeError
        If the method is not known.
    """
    if method == "gfn2":
        return _make_tight_binding(numbers, charge)
    if method == "b3lyp":
        return _make_density_functional(numbers, charge)
    raise RecipeError(f'--method "{method}" is not known; use {" or ".join(METHODS)}')


def relax(
    surface: Surface,
    elements: Sequence[str],
    positions: NDArray[np.float64],
    *,
    held: tuple[tuple[int, ...], float] | None = None,
    steps: int = 300,
) -> tuple[NDArray[np.float64], float]:
    """Minimize the energy, with one dihedral held in degrees, or one length in Å, if asked.

    Returns
    -------
    positions, energy
        Å; kJ/mol.

    Raises
    ------
    SimulationError
        If no minimum is reached.
    """
    import geometric.engine
    from geometric.errors import Error
    from geometric.internal import DelocalizedInternalCoordinates
    from geometric.molecule import Molecule
    from geometric.optimize import Optimize, OptParams
    from geometric.prepare import parse_constraints

    class Engine(geometric.engine.Engine):  # type: ignore[misc]
        def calc_new(self, coords: Any, dirname: Any) -> dict[str, Any]:
            energy, gradient = surface(np.asarray(coords).reshape(-1, 3) * BOHR)
            return {"energy": energy / HARTREE, "gradient": gradient.ravel() / HARTREE * BOHR}

    for name in ("geometric", "geometric.nifty"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    molecule = Molecule()
    molecule.elem = list(elements)
    molecule.xyzs = [np.array(positions, dtype=float)]
    constraints, values = None, None
    if held is not None:
        atoms, value = held
        kind = "distance" if len(atoms) == 2 else "dihedral"
        text = " ".join(str(atom + 1) for atom in atoms)
        constraints, values = parse_constraints(molecule, f"$set\n{kind} {text} {value:.4f}\n")
    internal = DelocalizedInternalCoordinates(
        molecule,
        build=True,
        connect=False,
        addcart=False,
        constraints=constraints,
        cvals=values[0] if values is not None else None,
    )
    loose = {"convergence_set": "GAU_LOOSE"} if held is not None else {"convergence_set": "GAU"}
    parameters = OptParams(maxiter=steps, **loose)
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = Optimize(
                molecule.xyzs[0].ravel() / BOHR, molecule, internal, Engine(molecule), folder,
                parameters, print_info=False,
            )  # fmt: skip
        except Error as error:  # not converged, or a held dihedral became straight
            reason = " ".join(str(error).split())[:80]
            raise SimulationError(
                f"no minimum in {steps} steps ({reason}); try another shape"
            ) from error
    return np.array(done.xyzs[-1], dtype=float), float(done.qm_energies[-1]) * HARTREE


def compute_hessian(
    surface: Surface, positions: NDArray[np.float64], report: Callable[[float], None] | None = None
) -> NDArray[np.float64]:
    """Second derivatives: analytic ones if the surface has them, else by central differences.

    Returns
    -------
    array
        kJ/mol/Å2, shape ``(3 n_atoms, 3 n_atoms)``, symmetric.
    """
    analytic = getattr(surface, "hessian", None)
    if analytic is not None:
        return np.asarray(analytic(positions))
    size = positions.size
    hessian = np.empty((size, size))
    for row in range(size):
        shifted = positions.ravel().copy()
        sides = []
        for sign in (1.0, -1.0):
            shifted[row] = positions.ravel()[row] + sign * _STEP
            sides.append(surface(shifted.reshape(-1, 3))[1].ravel())
        hessian[row] = (sides[0] - sides[1]) / (2 * _STEP)
        if report:
            report((row + 1) / size)
    return np.asarray(0.5 * (hessian + hessian.T))


def compute_frequencies(
    hessian: NDArray[np.float64], masses: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""Harmonic wavenumbers :math:`\tilde\nu=\sqrt{\lambda}/2\pi c`, imaginary ones negative.

    Parameters
    ----------
    hessian
        kJ/mol/Å2, shape ``(3 n, 3 n)``.
    masses
        u, shape ``(n,)``.

    Returns
    -------
    array
        1/cm in ascending order of the vibrations, the six (five) nearest zero left out.
    """
    weights = np.repeat(masses, 3) ** -0.5
    eigenvalues = np.linalg.eigvalsh(hessian * np.outer(weights, weights))
    # sqrt(kJ/mol/Å2/u) = 1e13 /s; over 2 pi c in cm/s
    waves = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * 1e13 / (2 * np.pi * 2.99792458e10)
    still = 5 if len(masses) == 2 else 6
    return np.asarray(np.sort(np.delete(waves, np.argsort(np.abs(waves))[:still])))


def compute_potential(
    elements: Sequence[str],
    positions: NDArray[np.float64],
    charge: int,
    points: NDArray[np.float64],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Electrostatic potential of the density-fitted HF/6-31G* density at points, in e/Å.

    Parameters
    ----------
    elements, positions, charge
        The molecule; Å.
    points
        Å, shape ``(n_points, 3)``.
    threads
        Of the processor.

    Raises
    ------
    SimulationError
        If the wave function does not converge.
    """
    from pyscf import gto, lib, scf

    mol = gto.M(
        atom=[(e, tuple(p)) for e, p in zip(elements, positions.tolist(), strict=True)],
        basis="6-31g*",
        charge=charge,
        max_memory=12000,
        verbose=0,
    )
    before = lib.num_threads()
    lib.num_threads(threads)
    try:
        # Against exact HF to 1e-11 hartree, hexafluoroisopropanol: 0.02 kJ/mol/e rms, where RESP
        # misses by some 2; larger auxiliary sets and tighter ends cost twice as much for nothing.
        field = scf.RHF(mol).density_fit(auxbasis="weigend")
        field.conv_tol, field.conv_check = 1e-6, False
        field.kernel()
        if not field.converged:
            raise SimulationError("HF/6-31G* did not converge; check the shape and the charge")
        return _evaluate_potential(mol, field.make_rdm1(), points / BOHR) / BOHR
    finally:
        lib.num_threads(before)  # or tight binding, which comes next, would take as many


def _evaluate_potential(
    mol: Any, density: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Potential of nuclei and electrons at points, in atomic units."""
    nuclei, charges = mol.atom_coords(), mol.atom_charges()
    potential = np.empty(len(grid))
    chunk = max(1, int(2e8 / mol.nao**2 / 8))
    for start in range(0, len(grid), chunk):
        part = grid[start : start + chunk]
        integrals = mol.intor("int1e_grids", hermi=1, grids=part)
        electrons = integrals.reshape(len(part), -1) @ density.ravel()
        distances = np.linalg.norm(part[:, None] - nuclei[None], axis=2)
        potential[start : start + chunk] = (charges / distances).sum(axis=1) - electrons
    return potential


def _make_tight_binding(numbers: Sequence[int], charge: int) -> Surface:
    state: dict[str, Any] = {}

    def evaluate(positions: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        from tblite.interface import Calculator

        where = np.asarray(positions, dtype=float) / BOHR
        if not state:
            state["calculator"] = Calculator(
                "GFN2-xTB", np.array(numbers), where, charge=float(charge)
            )
            state["calculator"].set("verbosity", 0)
            state["calculator"].set("accuracy", 0.1)
            state["result"] = None
        state["calculator"].update(positions=where)
        state["result"] = result = state["calculator"].singlepoint(state["result"])
        gradient = np.array(result.get("gradient")).reshape(-1, 3)
        return float(result.get("energy")) * HARTREE, gradient * HARTREE / BOHR

    return evaluate


def _make_density_functional(numbers: Sequence[int], charge: int) -> Surface:
    state: dict[str, Any] = {}

    def evaluate(positions: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        from pyscf import dft, gto

        if not state:
            mol = gto.M(
                atom=[(int(z), tuple(p)) for z, p in zip(numbers, positions.tolist(), strict=True)],
                basis="def2-svp",
                charge=charge,
                verbose=0,
            )
            field = dft.RKS(mol, xc="b3lyp").density_fit()
            field.grids.level = 3
            field.conv_tol = 1e-10
            state["mol"], state["scan"] = mol, field.nuc_grad_method().as_scanner()
        state["mol"].set_geom_(np.asarray(positions, dtype=float), unit="Angstrom")
        energy, gradient = state["scan"](state["mol"])
        return float(energy) * HARTREE, np.asarray(gradient) * HARTREE / BOHR

    def differentiate(positions: NDArray[np.float64]) -> NDArray[np.float64]:
        evaluate(positions)
        blocks = state["scan"].base.Hessian().kernel()
        matrix = blocks.transpose(0, 2, 1, 3).reshape(positions.size, positions.size)
        return np.asarray(0.5 * (matrix + matrix.T)) * HARTREE / BOHR**2

    evaluate.hessian = differentiate  # type: ignore[attr-defined]
    return evaluate
