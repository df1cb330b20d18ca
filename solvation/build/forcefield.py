"""A force field: its card and where its parameters are.

A force field is a folder with ``card.toml`` (what, whose, licence, units, mixing rule, coverage)
and XML in OpenMM's format: ``<name>.xml``, or the ``files`` that the card lists, which may lie in
another force field's folder. A card that ``extends`` another says only what differs: ``replaces``
puts a file of its own in the place of one, ``adds`` puts files after them. OpenMM runs
the ``<Script>`` elements of such a file as Python, so files with one are refused unless the caller
allows it; an ``<Include>`` may bring anything from anywhere, so it is refused always.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from solvation.build.ionset import check_ions, keep_ions
from solvation.build.polarization import check_drude
from solvation.build.template import check_terms
from solvation.errors import ForceFieldError, RecipeError
from solvation.library import find_forcefield, find_species

__all__ = ["ForceField", "load_card", "load_forcefield"]

_REQUIRED = {
    "name": str,
    "title": str,
    "licence": str,
    "units": str,
    "mixing": str,
    "scale_14": dict,
    "coverage": list,
    "block": list,
}
_OPTIONAL = (
    "extends",
    "files",
    "conversion",
    "octahedral",
    "ions",
    "polarizability",
    "left_out",
    "failings",
    "validation",
    "drude",
)
_MERGED = ("octahedral", "ions", "polarizability", "left_out", "failings")
"""Tables of a card that are laid over those of the card it extends, key by key."""
_MIXINGS = ("geometric", "lorentz-berthelot")
_SCRIPTS = ("Script", "InitializationScript")
"""Elements that OpenMM runs as Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceField:
    """What a force field is, whose it is and what it covers."""

    name: str
    """Name of its folder, e.g. ``"opls-clp"``."""
    title: str
    """One line for people."""
    folder: Path
    """Folder with ``card.toml`` and the XML."""
    files: tuple[Path, ...]
    """OpenMM ForceField XML with ordinary sigma (nm) and epsilon (kJ/mol); loaded together."""
    mixing: str
    """Combination rule of sigma and epsilon: ``"geometric"`` or ``"lorentz-berthelot"``."""
    scale_14: tuple[float, float]
    """Factors of the 1-4 Coulomb and Lennard-Jones energies."""
    coverage: tuple[str, ...]
    """Canonical names of the species that have parameters."""
    licence: str
    """Terms of use of the numbers."""
    card: Mapping[str, Any] = field(hash=False, repr=False)
    """Everything in ``card.toml``: citations, conversions, known failings."""
    extra: tuple[Path, ...] = ()
    """XML of species that a recipe brings along, see `supplement`."""


def load_forcefield(name: str, *, allow_scripts: bool = False) -> ForceField:
    """Read a force field by name and check that card and XML agree.

    Parameters
    ----------
    name
        Name of its folder.
    allow_scripts
        Whether its XML may hold Python, which runs when a System is made.

    Raises
    ------
    ForceFieldError
        If the force field is unknown, its card is wrong, its XML is broken or may run code,
        or the two disagree.
    MissingParameterError
        If a bond, angle or torsion of a template has no row.

    Examples
    --------
    >>> load_forcefield("opls-clp").mixing
    'geometric'
    """
    folder = find_forcefield(name)
    card, files, scale_14 = load_card(folder, name=name, allow_scripts=allow_scripts)
    return ForceField(
        name=name,
        title=card["title"],
        folder=folder,
        files=files,
        mixing=card["mixing"],
        scale_14=scale_14,
        coverage=tuple(card["coverage"]),
        licence=card["licence"],
        card=card,
    )


def load_card(
    folder: Path, *, name: str | None = None, allow_scripts: bool = False
) -> tuple[dict[str, Any], tuple[Path, ...], tuple[float, float]]:
    """Read the card of a folder and check that it has the name, if given, and the XML agrees.

    Returns
    -------
    card, files, scale_14
        The card, the paths of the XML, and the factors of the 1-4 terms.

    Raises
    ------
    ForceFieldError
        If there is no card, it has another name, a key is missing or wrong, or the XML disagrees.
    """
    card = _read_card(folder / "card.toml")
    if name is not None and card["name"] != name:
        raise ForceFieldError(
            f'{folder / "card.toml"} is named "{card["name"]}" but lies in "{name}"; rename one'
        )
    files = _find_files(card, folder)
    scale_14 = (card["scale_14"]["coulomb"], card["scale_14"]["lj"])
    roots = {file: _read_xml(file, allow_scripts) for file in files}
    _check_xml(roots, scale_14, card)
    check_terms(list(roots.values()), ", ".join(map(str, files)))
    return card, files, scale_14


def _read_layers(file: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a card and lay it over the one it extends; blocks are matched by name."""
    try:
        card = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ForceFieldError(f"{file} cannot be read: {error}; correct it") from error
    if "extends" not in card:
        return card
    other = str(card["extends"])
    above = (*above, file.parent.name)
    if other in above:
        raise ForceFieldError(f'{file} extends "{other}", which extends it; cut the circle')
    base = _read_layers(find_forcefield(other) / "card.toml", above)
    merged = {**base, **card}
    merged.pop("files", None)
    replaces, adds = merged.pop("replaces", {}), merged.pop("adds", [])
    if "files" in card:
        merged["files"] = card["files"]
    elif replaces or adds:
        merged["files"] = _take_over_files(base, other, replaces, adds, file)
    for key in _MERGED:
        if key in base and key in card:
            merged[key] = {**base[key], **card[key]}
    if "ions" in merged and "coverage" in card:
        merged["ions"] = keep_ions(merged["ions"], card["coverage"])
    blocks = {
        block.get("name"): block for block in (*base.get("block", ()), *card.get("block", ()))
    }
    merged["block"] = list(blocks.values())
    return merged


def _take_over_files(
    base: Mapping[str, Any], other: str, replaces: Any, adds: Any, file: Path
) -> list[str]:
    """List the files of the card that is extended, some replaced, and others after them."""
    if not isinstance(replaces, dict) or not isinstance(adds, list):
        raise ForceFieldError(
            f'{file}: write replaces = {{ "theirs.xml" = "mine.xml" }} and adds = ["mine.xml"]'
        )
    theirs = [str(entry) for entry in base.get("files", [f"{base.get('name')}.xml"])]
    if unknown := sorted(set(replaces) - set(theirs)):
        raise ForceFieldError(
            f'{file}: replaces "{unknown[0]}", but {other} has {", ".join(theirs)}; correct it'
        )
    kept = [replaces.get(e, e if "/" in e else f"{other}/{e}") for e in theirs]
    return [*kept, *adds]


def _read_card(file: Path) -> dict[str, Any]:
    card = _read_layers(file)
    if missing := [key for key in _REQUIRED if key not in card]:
        raise ForceFieldError(f"{file} lacks the key {missing[0]}; add it")
    if unknown := sorted(set(card) - {*_REQUIRED, *_OPTIONAL}):
        raise ForceFieldError(
            f"{file} has the unknown key {unknown[0]}; use {', '.join((*_REQUIRED, *_OPTIONAL))}"
        )
    for key, kind in _REQUIRED.items():
        if not isinstance(card[key], kind):
            raise ForceFieldError(f"{file}: {key} = {card[key]!r} must be a {kind.__name__}")
    if card["mixing"] not in _MIXINGS:
        raise ForceFieldError(
            f'{file}: mixing = "{card["mixing"]}" is not known; use {" or ".join(_MIXINGS)}'
        )
    scales = card["scale_14"]
    if set(scales) != {"coulomb", "lj"} or not all(isinstance(v, float) for v in scales.values()):
        raise ForceFieldError(f"{file}: scale_14 must be {{ coulomb = 0.5, lj = 0.5 }} or the like")
    for name in card["coverage"]:
        try:
            canonical = find_species(str(name)).name
        except RecipeError as error:
            raise ForceFieldError(f"{file}: coverage: {error}") from error
        if canonical != name:
            raise ForceFieldError(f'{file}: coverage names "{name}"; write "{canonical}"')
    cited = {name for block in card["block"] for name in block.get("species", ())}
    if uncited := [name for name in card["coverage"] if name not in cited]:
        raise ForceFieldError(f"{file}: no [[block]] says where {uncited[0]} comes from; add it")
    check_ions(card, str(file))
    check_drude(card, str(file))
    return card


def _find_files(card: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Find the XML files of a card: ``"x.xml"`` beside it, ``"other/x.xml"`` in another one's."""
    found = []
    for entry in card.get("files", [f"{card['name']}.xml"]):
        *others, name = str(entry).split("/")
        if len(others) > 1 or ".." in (*others, name) or not name.endswith(".xml"):
            raise ForceFieldError(
                f'{folder / "card.toml"}: files lists "{entry}"; write "name.xml" for a file '
                'beside the card or "forcefield/name.xml" for one of another force field'
            )
        found.append((find_forcefield(others[0]) if others else folder) / name)
    return tuple(found)


def _read_xml(file: Path, allow_scripts: bool) -> ElementTree.Element:
    """Parse the XML; refuse documents that could run code or expand entities."""

    def refuse_doctype(*_: object) -> None:
        raise ForceFieldError(f"{file} has a DOCTYPE, which may define entities; remove it")

    def refuse_code(tag: str, _: Mapping[str, str]) -> None:
        place = f"{file} line {scanner.CurrentLineNumber}"
        if tag == "Include":
            raise ForceFieldError(
                f"{place} has <Include>, which loads another file unseen; list that file in the "
                "card's files instead"
            )
        if tag in _SCRIPTS and not allow_scripts:
            raise ForceFieldError(
                f"{place} has <{tag}>, which runs Python code when the file is used; remove it, or "
                "read it and say --allow-scripts"
            )

    scanner = expat.ParserCreate()
    scanner.StartDoctypeDeclHandler = refuse_doctype
    scanner.StartElementHandler = refuse_code
    try:
        text = file.read_bytes()
        scanner.Parse(text, True)
        return ElementTree.fromstring(text)
    except (OSError, expat.ExpatError, ElementTree.ParseError) as error:
        raise ForceFieldError(f"{file} cannot be read: {error}; correct it") from error


def _check_xml(
    roots: Mapping[Path, ElementTree.Element],
    scale_14: tuple[float, float],
    card: Mapping[str, Any],
) -> None:
    files = ", ".join(str(file) for file in roots)
    residues = [
        residue.get("name") for root in roots.values() for residue in root.iterfind("Residues/*")
    ]
    coverage = set(card["coverage"])
    # Not every species of the files it builds on has polarizabilities.
    spare = set(residues) - coverage if "drude" in card else set()
    if differing := sorted(set(residues) - spare ^ coverage, key=str):
        where = "XML but not in the card" if differing[0] in residues else "card but not in the XML"
        raise ForceFieldError(f"{files}: {differing[0]} is in the {where}; make them agree")
    for name, centre in card.get("octahedral", {}).items():
        path = f"Residues/Residue[@name='{name}']/Atom[@name='{centre}']"
        if not any(root.find(path) is not None for root in roots.values()):
            raise ForceFieldError(f"{files}: [octahedral] {name} has no atom {centre}; correct it")
    if twice := [name for name, count in Counter(residues).items() if count > 1]:
        raise ForceFieldError(f"{files}: {twice[0]} is there twice; take one away")
    for file, root in roots.items():
        for force in root.iterfind("NonbondedForce"):
            try:
                found = tuple(float(force.get(k, "nan")) for k in ("coulomb14scale", "lj14scale"))
            except ValueError as error:
                raise ForceFieldError(f"{file}: 1-4 scales are not numbers: {error}") from error
            if found != scale_14:
                raise ForceFieldError(
                    f"{file}: 1-4 scales {found} are not those of the card, {scale_14}; correct one"
                )
