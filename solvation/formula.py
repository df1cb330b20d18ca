"""Formula: what people write for salts, solvents and additives, as tables of a recipe.

``"Ca(BHFIP4)2 0.25 M"``, ``"0.5 mol/kg Mg(NTf2)2"``, ``"[Ca+2].[Cl-].[Cl-] 1:20"``; ``"DME"``,
``"diglyme 30 %"``, ``"EC:PC 1:1"``, ``"EMIM OTf"``; ``"TMP 1 per cation"``. Names, aliases,
formulas and SMILES are understood; what is not is answered with the nearest names.
"""

from __future__ import annotations

import re
from collections import Counter
from math import gcd
from typing import TYPE_CHECKING, Any

from solvation.errors import RecipeError
from solvation.library import find_species, list_species, recognize_smiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvation.library import Role, Species

__all__ = ["read_additive", "read_salt", "read_solvents", "split_salt", "understand_species"]

_AMOUNT = re.compile(r"(?P<number>\d*\.?\d+(?:e-?\d+)?)\s*(?P<unit>[A-Za-z][\w/^* .-]*)?")
_MOLAR = {"M": "mol/L", "m": "mol/kg", "mM": "mmol/L", "molal": "mol/kg", "molar": "mol/L"}
_SHARE = re.compile(
    r"(?P<name>\S.*?)\s+(?P<number>\d*\.?\d+)\s*(?P<kind>[A-Za-z/]*)\s*-?%\s*(?P<after>[A-Za-z/]*)"
)
_AFTER = re.compile(
    r"(.+?)[\s,]+(1\s*:\s*[\d.]+|\d*\.?\d+(?:e-?\d+)?\s*[A-Za-z][\w/^*-]*|\d*\.?\d+)"
)
_BEFORE = re.compile(r"(\d*\.?\d+(?:e-?\d+)?\s*[A-Za-z][\w/]*)\s+(\S.*)")
_KINDS = {"": "volume", "v": "volume", "vol": "volume", "v/v": "volume", "mol": "mole",
          "wt": "mass", "w": "mass", "w/w": "mass", "mass": "mass", "m": "mass"}  # fmt: skip


def understand_species(text: str, *, kind: Role) -> Species:
    """Find a species by name, alias, SMILES or molecular formula.

    Raises
    ------
    RecipeError
        With the nearest names, if it is none of them.

    Examples
    --------
    >>> [understand_species(x, kind="solvent").name for x in ("glyme", "COCCOC", "C3H4O3")]
    ['DME', 'DME', 'EC']
    """
    try:
        return find_species(text, kind=kind)
    except RecipeError as error:
        refusal = error
    same = [s for s in list_species() if s.role == kind and s.formula == text.strip()]
    if len(same) == 1:
        return same[0]
    if len(same) > 1:
        names = ", ".join(s.name for s in same)
        raise RecipeError(f'{kind} "{text}" is the formula of {names}; write one of the names')
    try:
        found = recognize_smiles(text)
    except RecipeError as error:
        if re.search(r"[\[\]=#+]|[a-z]\d|^[CNO]{3,}", text) and "cannot be read" not in str(error):
            raise RecipeError(
                f"{error}; derive its parameters with solvation parametrize, then name its folder "
                "in model.species"
            ) from error
        raise refusal from None
    if found.role != kind:
        raise RecipeError(f'"{text}" is the {found.role} {found.title}, it cannot be the {kind}')
    return found


def split_salt(text: str) -> tuple[Species, Species]:
    """Split the formula or SMILES of a salt into its cation and anion.

    Raises
    ------
    RecipeError
        If an ion is not known, or the formula is not neutral.

    Examples
    --------
    >>> [ion.name for ion in split_salt("Mg(NTf2)2")]
    ['Mg', 'TFSI']
    """
    formula = text.strip()
    if re.search(r"[+-]\d*\]", formula) and "." in formula:
        return _split_smiles(formula)
    refusal: RecipeError | None = None
    for begin in _list_beginnings(formula):
        cation, rest = find_species(formula[:begin], kind="cation"), formula[begin:]
        loose = rest[:1] in (" ", "-")
        for name, count in _list_readings(rest.strip(" -")):
            try:
                anion = understand_species(name, kind="anion")
            except RecipeError as error:
                refusal = refusal or error
                continue
            needed = cation.charge // gcd(cation.charge, -anion.charge)
            if count != needed and not (loose and count == 1):
                group = anion.name if anion.n_atoms == 1 or needed == 1 else f"({anion.name})"
                right = f"{cation.name}{group}{needed if needed > 1 else ''}"
                raise RecipeError(f'salt "{formula}" is not neutral; write {right}')
            return cation, anion
    if refusal is not None:
        raise RecipeError(f'salt "{formula}": {refusal}') from refusal
    first = re.match(r"[A-Za-z]+\d*", formula)
    try:
        found = find_species(first[0] if first else formula)
    except RecipeError as error:
        raise RecipeError(f'salt "{formula}": it begins with no known cation; {error}') from error
    if found.role == "anion":
        raise RecipeError(f'salt "{formula}" has no cation; write e.g. Mg(TFSI)2')
    raise RecipeError(f'salt "{formula}" has no anion; write e.g. Mg(TFSI)2')


def read_salt(text: str) -> dict[str, Any]:
    """Read a salt with its amount, before or after it, as a ``[[salt]]`` table.

    Raises
    ------
    RecipeError
        If the amount is missing or not understood, or as `split_salt`.

    Examples
    --------
    >>> read_salt("Ca(TFSI)2 0.25 M")
    {'cation': 'Ca', 'anion': 'TFSI', 'concentration': '0.25 mol/L'}
    """
    formula, amount = _split_amount(text)
    if not amount:
        raise RecipeError(f'salt "{text}" has no amount; write e.g. "{text} 0.5 M"')
    cation, anion = split_salt(formula)
    table: dict[str, Any] = {"cation": cation.name, "anion": anion.name}
    ratio = re.fullmatch(r"1\s*:\s*(\d*\.?\d+)", amount)
    if ratio:
        return {**table, "solvent_ratio": float(ratio[1])}
    return {**table, "concentration": _read_amount(amount)}


def read_additive(text: str) -> dict[str, Any]:
    """Read an additive with its amount as an ``[[additive]]`` table.

    Raises
    ------
    RecipeError
        If it is not known, or the amount is missing or a share of the solvent.

    Examples
    --------
    >>> read_additive("PC 1 per cation")
    {'name': 'PC', 'per_cation': 1.0}
    """
    per = re.fullmatch(r"(.+?)\s+(\d*\.?\d+)\s*(?:per|/)\s*(?:cation|[A-Z][a-z]?)", text.strip())
    if per:
        name = understand_species(per[1], kind="solvent").name
        return {"name": name, "per_cation": float(per[2])}
    if "%" in text:
        raise RecipeError(f'additive "{text}" is a share of the solvent; give it with --solvent')
    name, amount = _split_amount(text)
    if not amount:
        raise RecipeError(
            f'additive "{text}" has no amount; write "{text} 1 per cation" or "{text} 0.1 M"'
        )
    return {
        "name": understand_species(name, kind="solvent").name,
        "concentration": _read_amount(amount),
    }


def read_solvents(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Read solvents with their shares as ``[[solvent]]`` tables.

    Shares are in percent, or in parts after names joined by colons; one solvent without a share
    takes the rest, several share equally.

    Raises
    ------
    RecipeError
        If one is not known, or the shares exceed the whole.

    Examples
    --------
    >>> [(s["name"], s["fraction"]) for s in read_solvents(["EC:PC 1:3"])]
    [('EC', 0.25), ('PC', 0.75)]
    """
    if not texts:
        raise RecipeError('no solvent is given; write e.g. --solvent DME or --solvent "EC:PC 1:1"')
    shares: list[tuple[dict[str, Any], float | None]] = []
    kinds = set()
    for text in texts:
        for name, share, kind in _split_solvent(text.strip()):
            shares.append((_name_solvent(name), share))
            kinds |= {kind} if kind else set()
    if len(kinds) > 1:
        raise RecipeError(f"the solvents have shares of {' and '.join(sorted(kinds))}; use one")
    open_ = [k for k, (_, share) in enumerate(shares) if share is None]
    taken = sum(share for _, share in shares if share is not None)
    if taken > 1 + 1e-6 or (open_ and taken >= 1) or (not open_ and taken < 1 - 1e-6):
        raise RecipeError(
            f"the shares of the solvents add up to {100 * taken:g} %"
            f"{', which leaves nothing for the others' if open_ else ''}; make them 100 %"
        )
    full = [(1 - taken) / len(open_) if share is None else share for _, share in shares]
    rounded = [round(share, 9) for share in full[:-1]]
    rounded.append(round(1 - sum(rounded), 9))
    kind = kinds.pop() if kinds else "volume"
    tables = [table for table, _ in shares]
    if len(tables) == 1:
        return tables
    return [
        {**table, "fraction": share, "fraction_of": kind}
        for table, share in zip(tables, rounded, strict=True)
    ]


# Parts --------------------------------------------------------------------------------------


def _split_smiles(text: str) -> tuple[Species, Species]:
    """Split a SMILES of several ions."""
    kinds = Counter(recognize_smiles(part).name for part in text.split("."))
    ions = {find_species(name): count for name, count in kinds.items()}
    if {s.role for s in ions} != {"cation", "anion"} or len(ions) != 2:
        raise RecipeError(f'SMILES "{text}" is not one cation and one anion; give one of each')
    if sum(s.charge * count for s, count in ions.items()):
        raise RecipeError(f'SMILES "{text}" is not neutral; write each ion as often as it is there')
    cation, anion = sorted(ions, key=lambda s: -s.charge)
    return cation, anion


def _list_beginnings(formula: str) -> list[int]:
    """List the lengths at which a formula begins with a cation, the likeliest first."""
    names = {name for s in list_species() if s.role == "cation" for name in (s.name, *s.aliases)}
    exact = {len(name) for name in names if formula.startswith(name)}
    loose = {len(name) for name in names if formula.lower().startswith(name.lower())}
    return [*sorted(exact, reverse=True), *sorted(loose - exact, reverse=True)]


def _list_readings(rest: str) -> list[tuple[str, int]]:
    """List what the rest of a formula may mean: the name of an anion and how often it is there."""
    group = re.fullmatch(r"[(\[](.+)[)\]](\d*)", rest)
    readings = [(group[1], int(group[2] or 1))] if group else []
    if rest:
        readings.append((rest, 1))
    digits = re.fullmatch(r"(.+?)(\d+)", rest)
    if digits and not group:
        readings.append((digits[1], int(digits[2])))
    return readings


def _split_amount(text: str) -> tuple[str, str]:
    """Split a name from the amount that follows or precedes it; the amount may be missing."""
    words = text.strip()
    after = _AFTER.fullmatch(words)
    if after:
        return after[1], after[2]
    before = _BEFORE.fullmatch(words)
    return (before[2], before[1]) if before else (words, "")


def _read_amount(text: str) -> str:
    """Write a concentration the way a recipe has it: ``"0.25 M"`` as ``"0.25 mol/L"``."""
    from solvation.amount import Concentration
    from solvation.errors import UnitError

    found = _AMOUNT.fullmatch(text)
    unit = (found["unit"] or "").strip() if found else ""
    amount = f"{found['number']} {_MOLAR.get(unit, unit)}".strip() if found else text
    try:
        return str(Concentration(amount))
    except UnitError as error:
        raise RecipeError(f'amount "{text}": {error}') from error


def _split_solvent(text: str) -> list[tuple[str, float | None, str]]:
    """Split a solvent or several from their shares: names, fractions or None, and of what."""
    parts = re.fullmatch(r"(\S.*?)\s+([\d.]+(?:\s*:\s*[\d.]+)+)\s*(?:by\s+)?(\S*)", text)
    if parts and ":" in parts[1]:
        names = [name.strip() for name in parts[1].split(":")]
        numbers = [float(number) for number in parts[2].split(":")]
        if len(names) != len(numbers):
            raise RecipeError(f'solvent "{text}" has {len(names)} names and {len(numbers)} parts')
        if min(numbers) <= 0:
            raise RecipeError(f'solvent "{text}": every part must be above 0')
        kind = _find_kind(parts[3].lower(), text)
        whole = sum(numbers)
        return [(n, part / whole, kind) for n, part in zip(names, numbers, strict=True)]
    if ":" in text and not re.search(r"[=\[\]@]", text):
        return [(name.strip(), None, "") for name in text.split(":")]
    one = _SHARE.fullmatch(text)
    if not one:
        return [(text, None, "")]
    fraction = float(one["number"]) / 100
    if not 0 < fraction <= 1:
        raise RecipeError(f'solvent "{text}": a share is above 0 and at most 100 %')
    return [(one["name"], fraction, _find_kind((one["kind"] or one["after"]).lower(), text))]


def _find_kind(word: str, text: str) -> str:
    """Find what a share is of."""
    word = {"volume": "vol", "mole": "mol", "moles": "mol", "weight": "wt"}.get(word, word)
    if word not in _KINDS:
        raise RecipeError(f'solvent "{text}": "{word}" is not known; use vol%, mol% or wt%')
    return _KINDS[word]


def _name_solvent(name: str) -> dict[str, Any]:
    """Name a molecule, or the two ions of an ionic liquid."""
    try:
        return {"name": understand_species(name, kind="solvent").name}
    except RecipeError as error:
        try:
            cation, anion = split_salt(name)
        except RecipeError:
            raise error from None
        return {"cation": cation.name, "anion": anion.name}
