"""Numbers, units, formulas and names as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from solvation.results import Quantity, Status

__all__ = [
    "STATUS_WORDS",
    "SUPERSCRIPT",
    "explain_quantity",
    "label_quantity",
    "write_chemical",
    "write_counts",
    "write_duration",
    "write_formula",
    "write_motif",
    "write_number",
    "write_pair",
    "write_quantity",
    "write_unit",
    "write_value",
]

STATUS_WORDS: dict[Status, str] = {
    "ok": "ok",
    "bound": "bound",
    "not_converged": "not converged",
    "undefined": "undefined",
}
"""The four states in words; never colour alone."""

SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPT = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")


def write_unit(unit: str) -> str:
    """Write a unit with raised powers, and nothing for pure numbers.

    Examples
    --------
    >>> write_unit("g/cm3"), write_unit("e2 Å2"), write_unit("1")
    ('g/cm³', 'e² Å²', '')
    """
    if unit in ("1", "-", ""):
        return ""
    if unit == "degree":
        return "°"
    return re.sub(
        r"(?<=[a-zA-ZÅ])\^?(-?\d)(?![a-zA-Z])", lambda m: m[1].translate(SUPERSCRIPT), unit
    )


def write_chemical(name: str) -> str:
    """Write a charged species or a shell with lowered counts and a raised charge.

    Examples
    --------
    >>> write_chemical("[Mg2(TFSI)3]+"), write_chemical("[Mg]2+"), write_chemical("Mg(DME)2(TFSI)1")
    ('[Mg₂(TFSI)₃]⁺', 'Mg²⁺', 'Mg(DME)₂(TFSI)')
    """
    bare = re.fullmatch(r"\[([A-Z][a-z]?)\](\d*[+-]|0)", name)
    if bare:
        return bare[1] + bare[2].translate(SUPERSCRIPT)
    body, _, charge = name.partition("]")
    body = re.sub(r"\)1(?!\d)", ")", body)
    body = re.sub(r"(?<=\))\d+", lambda m: m[0].translate(SUBSCRIPT), body)
    body = re.sub(r"^(\[?[A-Z][a-z]?)(\d+)", lambda m: m[1] + m[2].translate(SUBSCRIPT), body)
    return body + ("]" + charge.translate(SUPERSCRIPT) if "]" in name else "")


def write_motif(name: str) -> str:
    """Write a shell with its denticities.

    Examples
    --------
    >>> write_motif("Mg(DME)2(TFSI)1 [2+2 | 2]")
    'Mg(DME)₂(TFSI) [2+2 | 2]'
    """
    shell, _, denticity = name.partition(" [")
    return write_chemical(shell) + (f" [{denticity}" if denticity else "")


def write_formula(formula: str, charge: str = "") -> str:
    """Write a molecular formula with lowered counts and a raised charge.

    Examples
    --------
    >>> write_formula("C2F6NO4S2", "-")
    'C₂F₆NO₄S₂⁻'
    """
    return formula.translate(SUBSCRIPT) + charge.translate(SUPERSCRIPT)


def write_counts(text: str) -> str:
    """Lower the counts and raise the charges that follow brackets in a running text.

    Examples
    --------
    >>> write_counts("0.5 M Mg(TFSI)2 in DME, as [Mg(DME)3]2+")
    '0.5 M Mg(TFSI)₂ in DME, as [Mg(DME)₃]²⁺'
    """
    text = re.sub(r"(?<=\])\d*[+-](?!\w)", lambda m: m[0].translate(SUPERSCRIPT), text)
    return re.sub(r"(?<=[\])])\d+", lambda m: m[0].translate(SUBSCRIPT), text)


def write_pair(pair: str) -> str:
    """Write a cation and what it touches: ``"Mg-DME.O"`` as ``"Mg–O(DME)"``."""
    cation, _, site = pair.partition("-")
    species, _, element = site.partition(".")
    return f"{cation}–{element}({species})" if element else f"{cation}–{species}"


def write_value(quantity: Quantity) -> str:
    """Write value and error, without the unit.

    Examples
    --------
    >>> from solvation.results import Quantity
    >>> write_value(Quantity(name="d", value=1.61e-10, stderr=2e-11, unit="m2/s"))
    '(1.61 ± 0.20) × 10⁻¹⁰'
    """
    body = quantity.text()
    if quantity.unit != "1":
        body = body.removesuffix(f" {quantity.unit}")
    body = re.sub(r"e([+-]?)0*(\d+)", _write_power, body)
    return "—" if body == "undefined" else body.replace("-", "−")


def write_quantity(quantity: Quantity) -> str:
    """Write value, error and unit."""
    body, unit = write_value(quantity), write_unit(quantity.unit)
    return f"{body} {unit}" if unit and body != "—" else body


def write_duration(seconds: float) -> str:
    """Write a wall time the way one says it, e.g. ``"4 min 10 s"``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def write_number(number: float) -> str:
    """Write a bare number, powers of ten raised.

    Examples
    --------
    >>> write_number(1.976e-10), write_number(4.0)
    ('1.976 × 10⁻¹⁰', '4')
    """
    body = re.sub(r"e([+-]?)0*(\d+)", _write_power, f"{number:.5g}")
    return body.replace("-", "−")


def _write_power(match: re.Match[str]) -> str:
    sign = "⁻" if match[1] == "-" else ""
    return f" × 10{sign}{match[2].translate(SUPERSCRIPT)}"


CLASS_WORDS = {"free": "free", "ssip": "SSIP", "cip": "CIP", "agg": "AGG"}

CONDUCTIVITY_WORDS = {
    "nernst_einstein": "Conductivity, Nernst–Einstein",
    "cluster_nernst_einstein": "Conductivity, cluster Nernst–Einstein",
    "einstein": "Conductivity, Einstein",
    "green_kubo": "Conductivity, Green–Kubo",
    "ionicity": "Ionicity σ/σ(NE)",
}


def _label_denticity(rest: str) -> str:
    pair, _, count = rest.rpartition(".")
    return f"{write_pair(pair)} bound through {count} atom{'s' * (count != '1')}"


def _label_exchange(rest: str) -> str:
    pair, _, mechanism = rest.rpartition(".")
    return f"{write_pair(pair)} departures, {mechanism}"


def _label_shape(rest: str) -> str:
    cation, _, label = rest.partition(".")
    return f"{cation} closest to {label}" if label != "other" else f"{cation} of no listed shape"


def _label_conformation(rest: str) -> str:
    species, binding, name = rest.split(".")
    return f"{species} units {binding}, {name}"


FRAME_WORDS = {
    "barycentric": "barycentric frame",
    "solvent": "solvent frame",
    "apparent": "apparent (Nernst–Einstein)",
}


def _label_frame(rest: str) -> str:
    carrier, _, frame = rest.partition(".")
    return f"{carrier}, {FRAME_WORDS.get(frame, frame)}" if frame else carrier


STRUCTURE_LABELS: dict[str, Callable[[str], str]] = {
    "denticity": _label_denticity,
    "exchange": _label_exchange,
    "shape": _label_shape,
    "conformation": _label_conformation,
    "distance": lambda rest: f"{write_pair(rest)} distance",
    "bite": lambda rest: f"Bite angle of {rest.partition('-')[2]} on {rest.partition('-')[0]}",
    "bridging": lambda rest: f"Bound {rest} that bind two cations",
    "uncoordinated": lambda rest: f"{rest} without a cation",
    "percolation": lambda _rest: "Frames with a cluster that spans the box",
    "motif": lambda rest: f"Shell {write_motif(rest)}",
}
"""How names of structural quantities are put in words, by their head."""


def label_quantity(name: str) -> str:
    """Say what a name of ``summary.json`` means, in a few words.

    Examples
    --------
    >>> label_quantity("rdf.Mg-DME.O.first_peak")
    'Mg–O(DME), first peak'
    """
    head, _, rest = name.partition(".")
    if head in STRUCTURE_LABELS:
        return STRUCTURE_LABELS[head](rest)
    if " + " in name:
        return " + ".join(label_quantity(part) for part in name.split(" + "))
    if head == "rdf":
        pair, _, what = rest.rpartition(".")
        return f"{write_pair(pair)}, {what.replace('_', ' ')}"
    if head == "coordination":
        if rest.endswith(".total"):
            return f"Coordination number of {rest.removesuffix('.total')}"
        return f"Coordination number, {write_pair(rest)}"
    if head == "speciation":
        ion, _, kind = rest.partition(".")
        return f"{ion.capitalize()}s, {CLASS_WORDS.get(kind, kind)}"
    if head == "diffusion" and rest.endswith(".corrected"):
        return f"Diffusion of {rest.removesuffix('.corrected')}, size-corrected"
    if head == "diffusion" and rest.rpartition(".")[2] in CLASS_WORDS:
        ion, _, kind = rest.rpartition(".")
        return f"Diffusion of {ion}, {CLASS_WORDS[kind]}"
    if head == "conductivity" and rest.endswith(".corrected"):
        return f"{label_quantity(name.removesuffix('.corrected'))}, size-corrected"
    if head == "conductivity":
        return CONDUCTIVITY_WORDS.get(rest, f"Conductivity, {rest.replace('_', ' ')}")
    known = {
        "concentration": f"Concentration of {write_chemical(rest)}",
        "species": f"Cations in {write_chemical(rest)}",
        "shell": f"Shell {write_chemical(rest)}",
        "residence": f"Residence time, {write_pair(rest.removesuffix('.kaplan_meier'))}"
        + (", Kaplan–Meier" if rest.endswith(".kaplan_meier") else ""),
        "diffusion": f"Diffusion of {rest}",
        "onsager": f"Onsager coefficient {rest}",
        "transference": f"Transference number, {_label_frame(rest)}",
    }
    return known[head] if rest and head in known else name.replace("_", " ").capitalize()


def explain_quantity(quantity: Quantity) -> str:
    """Say in plain words why a number must not be taken at its face value."""
    if quantity.status == "bound":
        side = {"lower": "larger than", "upper": "smaller than", None: "beyond"}[quantity.bound]
        return f"Only a limit is known: the true value is {side} the number shown."
    if quantity.status == "not_converged":
        return "The run is too short, or its replicas remember their start: not an equilibrium yet."
    if quantity.status == "undefined":
        return "This run has no answer to give."
    return ""
