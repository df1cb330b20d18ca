"""What ships with the package: species and their graphs, electrolytes, force fields.

Data folders hold ``forcefields/`` and ``systems/``. They are looked for on ``SOLVATION_PATH``
(folders separated as on ``PATH``), then in the checkout, then in the installed wheel; the
first one that has a name wins.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from solvation.element import atomic_number, atomic_weight
from solvation.errors import ForceFieldError, RecipeError
from solvation.extension import list_extensions
from solvation.smiles import read_smiles

__all__ = [
    "Species",
    "draw_species",
    "find_forcefield",
    "find_species",
    "find_system",
    "graph_key",
    "list_forcefields",
    "list_species",
    "list_systems",
    "openmm_forcefield_directory",
    "recognize_smiles",
    "recognize_species",
    "write_formula",
]

Role = Literal["cation", "anion", "solvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Species:
    """One kind of ion or molecule, known by its name and by its bond graph."""

    name: str
    """Canonical name, e.g. ``"DME"``, ``"TFSI"``, ``"Mg"``."""
    title: str
    """Name in words."""
    smiles: str
    """SMILES with formal charges. Atoms of the species come in its order, hydrogens last."""
    charge: int
    """Formal charge in e."""
    aliases: tuple[str, ...] = ()
    """Other names that are understood, in any case."""
    density: float | None = None
    """Density of the pure liquid near 298 K in g/cm3, for the ideal-mixing guess of a box."""
    refractive_index: float | None = None
    """n_D of the pure liquid."""
    molar_volume: float | None = None
    """Volume that an ion adds to a solution in cm3/mol: a guess for packing, ions only."""
    sources: tuple[tuple[str, str], ...] = ()
    """Where each number comes from, as ``(field, source)`` pairs."""

    @property
    def role(self) -> Role:
        """``"cation"``, ``"anion"`` or ``"solvent"``, from the formal charge."""
        return "cation" if self.charge > 0 else "anion" if self.charge < 0 else "solvent"

    @property
    def elements(self) -> tuple[str, ...]:
        """Element of every atom, hydrogens included."""
        return tuple(atom.GetSymbol() for atom in read_smiles(self.smiles).GetAtoms())

    @property
    def bonds(self) -> tuple[tuple[int, int], ...]:
        """Bonded pairs, as indices into `elements`."""
        molecule = read_smiles(self.smiles)
        return tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds())

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return len(self.elements)

    @property
    def formula(self) -> str:
        """Molecular formula in Hill order, without the charge."""
        return write_formula(self.elements)

    @property
    def mass(self) -> float:
        """Mass in u, from standard atomic weights."""
        return sum(atomic_weight(element) for element in self.elements)

    @property
    def donors(self) -> tuple[str, ...]:
        """Elements that can bind a cation.

        O and N of any molecule; of an anion also F, terminal Cl and the hydridic H of boron.
        """
        if self.role == "cation":
            return ()
        elements, bonds = self.elements, self.bonds
        found = set(elements) & {"O", "N"}
        if self.role == "anion":
            found |= set(elements) & {"F"}
            n_bonds = Counter(atom for bond in bonds for atom in bond)
            found |= {"Cl" for i, e in enumerate(elements) if e == "Cl" and n_bonds[i] <= 1}
            found |= {"H" for i, j in bonds if {elements[i], elements[j]} == {"B", "H"}}
        return tuple(e for e in ("O", "N", "F", "Cl", "H") if e in found)


def list_species() -> tuple[Species, ...]:
    """List every species with a name, solvents first.

    Examples
    --------
    >>> [s.name for s in list_species() if s.charge == 2]
    ['Mg', 'Ca', 'Zn']
    """
    return _read_species(_data_roots())


def find_species(name: str, *, kind: Role | None = None) -> Species:
    """Find a species by its name or an alias, in any case.

    Parameters
    ----------
    name
        Canonical name or alias.
    kind
        Role that the species must have, if any.

    Raises
    ------
    RecipeError
        If no species has that name, or its role is not ``kind``.

    Examples
    --------
    >>> find_species("monoglyme").name
    'DME'
    """
    table = _names_of_species(_data_roots())
    species = table.get(name.strip().lower())
    if species is None:
        known = {k: s.name for k, s in table.items() if kind in (None, s.role)}
        raise RecipeError(_unknown(kind or "species", name, known, "solvation forcefields"))
    if kind not in (None, species.role):
        raise RecipeError(
            f'"{name}" is the {species.role} {species.title}, it cannot be the {kind}; '
            '"solvation forcefields" lists all'
        )
    return species


def write_formula(elements: Iterable[str]) -> str:
    """Write a molecular formula in Hill order: C, H, then the others by alphabet.

    Examples
    --------
    >>> write_formula(["O", "C", "H", "H", "H", "H"])
    'CH4O'
    """
    count = Counter(elements)
    first = ("C", "H") if "C" in count else ()
    rest = sorted(set(count) - set(first))
    order = [e for e in (*first, *rest) if count[e]]
    return "".join(f"{e}{count[e] if count[e] > 1 else ''}" for e in order)


def graph_key(elements: Sequence[str], bonds: Iterable[Sequence[int]]) -> str:
    """Name a bond graph: equal for equal molecules, whatever the order of atoms and bonds.

    Only elements and connectivity count, not bond orders or charges, because that is all a
    trajectory's topology reliably has.

    Parameters
    ----------
    elements
        Element symbols in any case, hydrogens included.
    bonds
        Bonded pairs, 0-based indices into ``elements``.

    Examples
    --------
    >>> graph_key(["H", "O", "H"], [(0, 1), (1, 2)]) == graph_key(["O", "H", "H"], [(0, 1), (2, 0)])
    True
    """
    pairs = {(min(i, j), max(i, j)) for i, j in ((int(a), int(b)) for a, b in bonds)}
    return _graph_key(tuple(e.capitalize() for e in elements), tuple(sorted(pairs)))


def recognize_species(elements: Sequence[str], bonds: Iterable[Sequence[int]]) -> Species | None:
    """Find the species with this bond graph, or None if none has it.

    Parameters
    ----------
    elements
        Element symbols of one whole molecule or ion, hydrogens included.
    bonds
        Bonded pairs, 0-based indices into ``elements``.

    Examples
    --------
    >>> recognize_species(["Mg"], []).name
    'Mg'
    """
    return _species_of_graphs(_data_roots()).get(graph_key(elements, bonds))


def recognize_smiles(smiles: str) -> Species:
    """Find the species that a SMILES describes.

    Raises
    ------
    RecipeError
        If it cannot be read or describes none of the species.

    Examples
    --------
    >>> recognize_smiles("C(OC)COC").name
    'DME'
    """
    query = Species(name=smiles, title=smiles, smiles=smiles, charge=0)
    found = recognize_species(query.elements, query.bonds)
    if found is None:
        raise RecipeError(
            f'SMILES "{smiles}" is none of the known species; "solvation forcefields" lists all'
        )
    return found


def draw_species(species: Species) -> str:
    """Draw the structure formula as an SVG element for use inside HTML.

    The background is transparent and every molecule has the same bond length.
    """
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(-1, -1)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.fixedBondLength = 28.0
    options.padding = 0.08
    molecule = Chem.MolFromSmiles(species.smiles, sanitize=False)
    molecule.UpdatePropertyCache(strict=False)
    # The two steps left out would write perchlorate as Cl3+ with four O-.
    left_out = Chem.SANITIZE_CLEANUP | Chem.SANITIZE_PROPERTIES
    Chem.SanitizeMol(molecule, Chem.SANITIZE_ALL ^ left_out)
    drawer.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(molecule))
    drawer.FinishDrawing()
    svg = drawer.GetDrawingText()
    svg = svg[svg.index("<svg") :].replace("<!-- END OF HEADER -->\n", "").strip()
    label = f"{species.name}: {species.title}".replace("&", "&amp;").replace("<", "&lt;")
    head, body = svg.split(">", 1)
    return f'{head} role="img"><title>{label}</title>{body}'


def list_systems() -> tuple[str, ...]:
    """List the names of the electrolytes at hand, sorted."""
    return tuple(sorted(_folders("systems", "recipe.toml")))


def find_system(name_or_path: str | Path) -> Path:
    """Find the recipe of a shipped electrolyte, or the given file.

    Parameters
    ----------
    name_or_path
        Shipped name such as ``"mg-tfsi2-dme"``, path of a recipe, or folder with a
        ``recipe.toml``.

    Raises
    ------
    RecipeError
        If it is neither.
    """
    folders = _folders("systems", "recipe.toml")
    name = str(name_or_path)
    if name in folders:
        return folders[name] / "recipe.toml"
    path = Path(name_or_path).expanduser()
    for file in (path, path / "recipe.toml"):
        if file.is_file():
            return file
    raise RecipeError(
        _unknown("recipe", name, {n.lower(): n for n in folders}, "solvation systems").replace(
            "is not known", "is neither a shipped electrolyte nor a file"
        )
    )


def list_forcefields() -> tuple[str, ...]:
    """List the names of the force fields at hand, sorted.

    Examples
    --------
    >>> "opls-clp" in list_forcefields()
    True
    """
    return tuple(sorted(_folders("forcefields", "card.toml")))


def find_forcefield(name: str) -> Path:
    """Find the folder of a force field.

    Raises
    ------
    ForceFieldError
        If no force field has that name.
    """
    folders = _folders("forcefields", "card.toml")
    if name not in folders:
        known = {n.lower(): n for n in folders}
        said = _unknown("force field", name, known, "solvation forcefields")
        raise ForceFieldError(f"{said}; SOLVATION_PATH leads to folders of your own")
    return folders[name]


def openmm_forcefield_directory() -> str:
    """Give the folder that OpenMM searches for force-field files (its entry point)."""
    return str(_shipped_root() / "forcefields")


# Names and folders ------------------------------------------------------------------------


def _unknown(kind: str, name: str, known: dict[str, str], command: str) -> str:
    """Say that a name is not known, with the nearest that are (``known``: spelling -> name)."""
    near = difflib.get_close_matches(name.strip().lower(), known, n=9, cutoff=0.55)
    names = list(dict.fromkeys(known[key] for key in near))[:3]
    hint = f'"{command}" lists all'
    if names:
        hint = f"did you mean {', '.join(names)}? ({hint})"
    return f'{kind} "{name}" is not known; {hint}'


@cache
def _shipped_root() -> Path:
    package = Path(__file__).resolve().parent
    checkout = package.parent
    if (checkout / "forcefields").is_dir() and (checkout / "systems").is_dir():
        return checkout
    return package / "_data"


def _data_roots() -> tuple[Path, ...]:
    listed = os.environ.get("SOLVATION_PATH", "").split(os.pathsep)
    listed_roots = (Path(entry).expanduser() for entry in listed if entry)
    return (*list_extensions(), *listed_roots, _shipped_root())


def _folders(group: str, marker: str) -> dict[str, Path]:
    """Map names to the folders ``<root>/<group>/<name>`` that hold a file ``marker``."""
    found: dict[str, Path] = {}
    for root in _data_roots():
        for file in sorted((root / group).glob(f"*/{marker}")):
            found.setdefault(file.parent.name, file.parent)
    return found


# Species table ----------------------------------------------------------------------------


@cache
def _read_species(roots: tuple[Path, ...]) -> tuple[Species, ...]:
    found: dict[str, Species] = {}
    for root in roots:
        own = root / "species.toml"  # of a folder that `solvation parametrize` wrote
        file = own if own.is_file() else root / "forcefields" / "species.toml"
        if not file.is_file():
            continue
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{file} is not valid TOML: {error}; correct it") from error
        for row in table.get("species", []):
            species = _make_species(row, file)
            found.setdefault(species.name, species)
    return tuple(found.values())


def _make_species(row: dict[str, Any], file: Path) -> Species:
    allowed = {field.name for field in fields(Species)}
    place = f"species {row.get('name', '(without name)')} in {file}"
    if unknown := sorted(set(row) - allowed):
        raise RecipeError(f"{place} has the unknown key {unknown[0]}; use {sorted(allowed)}")
    if missing := sorted({"name", "title", "smiles", "charge"} - set(row)):
        raise RecipeError(f"{place} lacks the key {missing[0]}; add it")
    row = {**row, "aliases": tuple(row.get("aliases", ()))}
    row["sources"] = tuple(row.get("sources", {}).items())
    return Species(**row)


@cache
def _names_of_species(roots: tuple[Path, ...]) -> dict[str, Species]:
    table: dict[str, Species] = {}
    for species in _read_species(roots):
        for name in (species.name, *species.aliases):
            table.setdefault(name.lower(), species)
    return table


@cache
def _species_of_graphs(roots: tuple[Path, ...]) -> dict[str, Species]:
    table: dict[str, Species] = {}
    for species in _read_species(roots):
        table.setdefault(graph_key(species.elements, species.bonds), species)
    return table


# RDKit ------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _graph_key(elements: tuple[str, ...], bonds: tuple[tuple[int, int], ...]) -> str:
    from rdkit import Chem

    molecule = Chem.RWMol()
    for element in elements:
        atom = Chem.Atom(atomic_number(element))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for i, j in bonds:
        molecule.AddBond(i, j, Chem.BondType.SINGLE)
    molecule.UpdatePropertyCache(strict=False)
    return str(Chem.MolToSmiles(molecule))
