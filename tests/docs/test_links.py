"""Every link in a document leads somewhere, and every document is led to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import Document, document, documents
from tests.docs.links import anchor, anchors, broken, links, target
from tests.support.root import ROOT

_INDEX = Path("docs/index.md")
_MENTION = re.compile(r"([\w./-]+\.md)(?:#([\w-]+))?")
_READS = {".py", ".lua", ".toml", ".yml", ".yaml", ".example", ""}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.path))
def test_every_link_leads_somewhere(page: Document) -> None:
    assert list(broken(page)) == []


def test_every_page_is_reached_from_the_index() -> None:
    pages = {ROOT / page.path: page for page in documents()}
    reached: set[Path] = set()
    waiting = [ROOT / _INDEX]
    while waiting:
        path = waiting.pop()
        if path in pages and path not in reached:
            reached.add(path)
            waiting += [target(pages[path], link)[0] for link in links(pages[path])]
    assert set(pages) - reached == set()


def test_the_index_names_every_page_but_the_single_decisions() -> None:
    index = document(str(_INDEX))
    named = {target(index, link)[0].relative_to(ROOT) for link in links(index)}
    pages = {page.path for page in documents() if page.path.is_relative_to("docs")}
    assert {page for page in pages - named if not page.match("docs/adr/[0-9]*.md")} == {_INDEX}


def test_no_other_file_names_a_page_or_a_heading_that_is_gone() -> None:
    known = {str(page.path): anchors(page) for page in documents()}
    gone = [
        f"{file.relative_to(ROOT)}: {page}#{there}"
        for file in _other_files()
        for page, there in _MENTION.findall(file.read_text("utf-8"))
        if page.startswith("docs/") and (page not in known or there not in {"", *known[page]})
    ]
    assert gone == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# A\n[x](page.md) ![y](../there.md)", ["page.md: there is no such file"]),
        (
            "# A\n[x](../there.md#there) [y](../there.md#a)",
            ["../there.md#a: there is no such heading"],
        ),
        ("# A\n[x](#a) [y](#b)", ["#b: there is no such heading"]),
        ("# A\n## A\n[x](#a-1) [y](#a-2)", ["#a-2: there is no such heading"]),
        ("[x](/docs/index.md)", ["/docs/index.md: is absolute"]),
        ("[x](../../outside.md)", ["../../outside.md: is not in the repository"]),
        ("`[x](y.md)`\n```md\n[x](y.md)\n```\n[x](https://example.com)", []),
        ("[x]: gone.md", ["gone.md: there is no such file"]),
    ],
)
def test_a_broken_link_is_seen(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "there.md").write_text("# There\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mine.md").write_text(text)
    assert list(broken(Document(Path("docs/mine.md"), text), tmp_path)) == found


@pytest.mark.parametrize(
    ("heading", "there"),
    [
        ("What always holds, and the tests", "what-always-holds-and-the-tests"),
        ("`status --json`: what it prints", "status---json-what-it-prints"),
        ("A [link](x.md) & *more*", "a-link--more"),
        ("1. See it work", "1-see-it-work"),
    ],
)
def test_headings_are_named_as_github_names_them(heading: str, there: str) -> None:
    assert anchor(heading) == there


def _other_files() -> Iterator[Path]:
    """Yield what is no document: code, scripts, settings, at the top and in visible folders."""
    for top in sorted(ROOT.iterdir()):
        if top.name.startswith(".") and top.is_dir():
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix in _READS and "docs" not in path.parts:
                yield path
