"""Each decision has its parts, and stands in the list of all."""

import re

import pytest

from tests.docs.documents import Document, document, documents

LIST = document("docs/adr/README.md")
DECISIONS = [
    page for page in documents() if page.path.parent == LIST.path.parent and page is not LIST
]
NUMBERED = re.compile(r"^# (\d+)\. (.+)$", re.MULTILINE)
DATED = re.compile(r"^Date: \d{4}-\d\d-\d\d.*\. Status: (?:accepted|replaced by \d+)\.$")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: str(page.path))
def test_each_has_its_parts(page: Document) -> None:
    title, _, date, *_ = page.text.splitlines()
    number = NUMBERED.fullmatch(title)
    assert number is not None
    assert page.path.name.startswith(f"{int(number[1]):04d}-")
    assert DATED.fullmatch(date)
    headings = re.findall(r"^## (.+)$", page.text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]


def test_all_are_listed_in_their_order() -> None:
    listed = re.findall(r"^\| \[(\d+)\]\((.+?)\) \| (.+) \|$", LIST.text, re.MULTILINE)
    titles = [(NUMBERED.search(page.text), page.path.name) for page in DECISIONS]
    assert listed == [(found[1], name, found[2]) for found, name in titles if found]
    assert [int(number) for number, *_ in listed] == list(range(1, len(DECISIONS) + 1))
