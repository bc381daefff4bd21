"""Each invariant says what holds, why, where, how it is recounted, and which tests attack it."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.docs.documents import document
from tests.support.root import ROOT

PAGE = document("docs/internals/invariants.md").text
PARTS = ("Holds.", "Needed because", "Enforced in", "Recounted.", "Tests.")
SECTIONS: Mapping[int, str] = {
    int(text[0]): text for text in re.split(r"^## (?=\d\. )", PAGE, flags=re.MULTILINE)[1:]
}
numbers = pytest.mark.parametrize("number", SECTIONS)


def part(number: int, name: str) -> str:
    """Return the text of one part of an invariant."""
    return SECTIONS[number].split(f"**{name}**")[1].split("\n\n**")[0]


def test_there_are_nine() -> None:
    assert list(SECTIONS) == list(range(1, 10))


@numbers
def test_each_has_all_its_parts(number: int) -> None:
    assert tuple(re.findall(r"^\*\*(.+?)\*\*", SECTIONS[number], re.MULTILINE)) == PARTS


@numbers
def test_each_is_attacked_by_several_tests(number: int) -> None:
    assert len(re.findall(r"`test_\w+`", part(number, "Tests."))) > 2


@numbers
def test_what_is_recounted_is_what_the_code_recounts(number: int) -> None:
    named = set(re.findall(r"`([a-z_]+)`", part(number, "Recounted.")))
    assert named == {rule for invariant, rule in rules() if invariant == number}


def rules() -> Iterator[tuple[int, str]]:
    """Yield every rule with its invariant: `Violation(1, "rule", …` and `1, "rule", …`."""
    for path in (ROOT / "pipeline" / "verification").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case (
                    ast.Call(
                        func=ast.Name(id="Violation"),
                        args=[ast.Constant(value=int(number)), ast.Constant(value=str(rule)), *_],
                    )
                    | ast.Tuple(
                        elts=[ast.Constant(value=int(number)), ast.Constant(value=str(rule)), *_]
                    )
                ):
                    yield number, rule
                case _:
                    pass
