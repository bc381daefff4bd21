"""The links of a document, and the anchors that links to it may have."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.docs.documents import Document
from tests.support.root import ROOT

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
_OUTSIDE = ("https://", "http://", "mailto:")


def links(page: Document) -> Sequence[str]:
    """Return the targets of all links and images that do not lead outside, as they stand there."""
    text = _CODE.sub("`code`", _COMMENT.sub("", page.prose))
    found = (*_LINK.findall(text), *_REFERENCE.findall(text))
    return [link for link in found if not link.startswith(_OUTSIDE)]


def target(page: Document, link: str, root: Path = ROOT) -> tuple[Path, str]:
    """Return the file that a relative *link* of *page* leads to, and the anchor ('' for none)."""
    path, _, anchor_there = link.partition("#")
    here = root / page.path
    return (here.parent / path).resolve() if path else here, anchor_there


def broken(page: Document, root: Path = ROOT) -> Iterator[str]:
    """Yield every link of *page* that leads nowhere, with what is wrong."""
    for link in links(page):
        file, there = target(page, link, root)
        if link.startswith("/") or ":" in link:
            yield f"{link}: is absolute"
        elif not file.is_relative_to(root):
            yield f"{link}: is not in the repository"
        elif not file.exists():
            yield f"{link}: there is no such file"
        elif there and file.suffix == ".md":
            text = file.read_text("utf-8")
            if there not in anchors(Document(file.relative_to(root), text)):
                yield f"{link}: there is no such heading"


def anchors(page: Document) -> frozenset[str]:
    """Return what a link to *page* may have behind its `#`."""
    seen: Counter[str] = Counter()
    found = set(_ANCHOR.findall(page.prose))
    for heading in _HEADING.findall(page.prose):
        name = anchor(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
