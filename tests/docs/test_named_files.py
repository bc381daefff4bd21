"""A file or folder of the project that a document names is there."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.documents import Document, document, documents
from tests.support.root import ROOT

_FOLDERS = sorted(
    path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
)
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FOLDERS)})/[\w./-]*\w(?![\w*/])")
_NAME = re.compile(r"(?<![\w./*-])[\w/-]+\.(?:md|py|lua)\b")
_TARGET = re.compile(r"\]\([^)]*\)|^ {0,3}\[[^\]]+\]:.*$", re.MULTILINE)
_THERE = [
    f"/{path.relative_to(ROOT).as_posix()}"
    for folder in _FOLDERS
    for path in (ROOT / folder).rglob("*")
] + [f"/{path.name}" for path in ROOT.iterdir()]


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.path))
def test_every_file_that_is_named_is_there(page: Document) -> None:
    assert list(missing(page)) == []


def test_the_architecture_explains_every_folder_at_the_top() -> None:
    named = set(re.findall(r"`([a-z]+)`", document("docs/internals/architecture.md").prose))
    sources = {folder for folder in _FOLDERS if (ROOT / folder / "__init__.py").exists()}
    assert {"docs", "examples", "worker", "pipeline", *sources} <= named


def test_what_is_not_there_is_seen() -> None:
    text = (
        "`pipeline/gone.py`, `gone.lua`, docs/gone, `pipeline/store/lua`, `claim.lua`, README.md"
    )
    page = Document(ROOT / "page.md", text)
    assert set(missing(page)) == {"pipeline/gone.py", "gone.lua", "docs/gone"}


def missing(page: Document) -> Iterator[str]:
    """Yield what *page* names and the repository lacks; a module may be named without `.py`."""
    text = _TARGET.sub("]", page.prose)  # where links lead is another test's business
    for name in sorted({*_PATH.findall(text), *_NAME.findall(text)}):
        if not any(f"{path}".endswith((f"/{name}", f"/{name}.py")) for path in _THERE):
            yield name
