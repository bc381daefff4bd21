"""What is generated in the documents is what the code says today."""

import shutil
from pathlib import Path

import pytest

from tests.docs.generated import GENERATED, Generated, differences, renew
from tests.support.root import ROOT

PART = Generated("page.md", "part", lambda: "new\n")


@pytest.mark.parametrize("each", GENERATED, ids=lambda each: f"{each.path}:{each.name}")
def test_the_document_has_what_the_code_says(each: Generated) -> None:
    there = (ROOT / each.path).read_text("utf-8")
    assert each.renewed(there) == there, "run make docs"


def test_only_what_stands_between_the_marks_is_renewed() -> None:
    document = "# Page\n\n<!-- part: begin -->\nold\n<!-- part: end -->\n\nMore.\n"
    assert PART.renewed(document) == (
        "# Page\n\n<!-- part: begin -->\n\nnew\n\n<!-- part: end -->\n\nMore.\n"
    )


@pytest.mark.parametrize(
    "document",
    ["# Page\n", "<!-- part: begin -->\n", 2 * "<!-- part: begin -->\n<!-- part: end -->\n"],
)
def test_a_document_without_one_pair_of_marks_is_told(document: str) -> None:
    with pytest.raises(ValueError, match=r"page\.md needs one line <!-- part: begin -->"):
        PART.renewed(document)


def test_what_differs_is_written_and_named(tmp_path: Path) -> None:
    for each in GENERATED:
        (tmp_path / each.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / each.path, tmp_path / each.path)
    first = GENERATED[0]
    page, end = tmp_path / first.path, f"<!-- {first.name}: end"
    page.write_text(page.read_text("utf-8").replace(end, f"old\n{end}"), "utf-8")
    assert list(differences(tmp_path)) == [first]
    assert renew(tmp_path) == [first]
    assert page.read_text("utf-8") == (ROOT / first.path).read_text("utf-8")
    assert renew(tmp_path) == []
