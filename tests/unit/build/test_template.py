"""Templates: a missing row is named exactly, whatever way the rows are written."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from solvation.build.forcefield import load_forcefield
from solvation.build.template import check_terms
from solvation.errors import MissingParameterError


def read_roots() -> list[ElementTree.Element]:
    return [ElementTree.parse(file).getroot() for file in load_forcefield("opls-clp").files]


def drop(roots: list[ElementTree.Element], path: str, **classes: str) -> None:
    """Take the rows with these classes out."""
    force, row = path.split("/")
    count = 0
    for root in roots:
        for parent in root.iterfind(force):
            for node in list(parent.iterfind(row)):
                if all(node.get(k) == f"opls-clp:{v}" for k, v in classes.items()):
                    parent.remove(node)
                    count += 1
    assert count == 1


@pytest.mark.parametrize(
    ("path", "classes", "message"),
    [
        ("HarmonicBondForce/Bond", "CT CZ", "ACN has no bond opls-clp:CT-opls-clp:CZ"),
        ("HarmonicAngleForce/Angle", "OS_lin C_lin OS_lin", "DMC has no angle .*atoms O1-C2-O3"),
        ("PeriodicTorsionForce/Proper", "OS CT CT OS", "DME has no torsion .*O1-C2-C3-O2"),
        ("PeriodicTorsionForce/Proper", "HC CT CZ NZ", "with k = 0 if there is no such term"),
    ],
)
def test_a_missing_row_is_named(path: str, classes: str, message: str) -> None:
    roots = read_roots()
    check_terms(roots, "here")
    drop(roots, path, **{f"class{i}": c for i, c in enumerate(classes.split(), 1)})
    with pytest.raises(MissingParameterError, match=f"here: .*{message}") as caught:
        check_terms(roots, "here")
    assert "\n" not in str(caught.value)


def test_types_and_wildcards_count_and_so_does_the_order() -> None:
    text = """<ForceField><AtomTypes>
      <Type name="a" class="A"/><Type name="b" class="B"/></AtomTypes><Residues>
      <Residue name="X"><Atom name="1" type="a"/><Atom name="2" type="b"/>
      <Atom name="3" type="b"/><Bond atomName1="1" atomName2="2"/>
      <Bond atomName1="2" atomName2="3"/></Residue></Residues>
      <HarmonicBondForce><Bond type1="b" type2="a"/><Bond class1="B" class2=""/>
      </HarmonicBondForce>
      <HarmonicAngleForce><Angle class1="B" class2="B" class3="{}"/></HarmonicAngleForce>
      </ForceField>"""
    for good in ("A", "", "a"):
        check_terms([ElementTree.fromstring(text.format(good))], "here")
    with pytest.raises(MissingParameterError, match=r"X has no angle A-B-B \(atoms 1-2-3\)"):
        check_terms([ElementTree.fromstring(text.format("B"))], "here")


def test_a_kind_of_term_that_the_file_has_not_is_left_to_it() -> None:
    roots = read_roots()
    for root in roots:
        for force in root.findall("PeriodicTorsionForce"):
            root.remove(force)
    check_terms(roots, "here")
