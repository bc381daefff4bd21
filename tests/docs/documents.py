"""All documents of the project, and what stands in them: prose, code, and what the code names."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.root import ROOT

SHELL = ("sh", "bash", "console")
_FENCE = re.compile(r"^ *(`{3,}|~{3,})(\S*).*$")
_OPERATORS = re.compile(r"[|;<>]|&&|\|\||&$")
# `sudo -u claimcast ls` names an account, `ZADD claimcast 1 x` a queue, and no command.
_BEFORE_OTHERS = frozenset({"-u", "-g", "-o", "--user", "--group", "ZADD"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code in *language*, which is empty where the document names none."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A page; *path* is relative to the repository."""

    path: Path
    text: str

    @property
    def prose(self) -> str:
        """What stands outside of fenced code."""
        return "\n".join(line for line, block in _fenced(self.text) if block is None)

    @property
    def blocks(self) -> Sequence[Block]:
        """The fenced code, in its order."""
        found: dict[int, Block] = {}
        for line, block in _fenced(self.text):
            if block is not None:
                number, language = block
                before = found[number].text if number in found else ""
                found[number] = Block(language, f"{before}{line}\n")
        return list(found.values())

    def code(self, *languages: str) -> list[str]:
        """Return the texts of all blocks in one of *languages*."""
        return [block.text for block in self.blocks if block.language in languages]

    @property
    def spans(self) -> list[str]:
        """The code within sentences, each on one line."""
        return [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def command_lines(self) -> list[list[str]]:
        """The words that follow `claimcast`, in sentences and in shell code."""
        lines = [line for text in self.code(*SHELL) for line in _shell_lines(text)]
        return [words for line in (*self.spans, *lines) for words in _commands(line)]


@functools.cache
def documents() -> Sequence[Document]:
    """Return the pages at the top of the repository, then all below docs/."""
    paths = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    return [Document(path.relative_to(ROOT), path.read_text("utf-8")) for path in paths]


def document(path: str) -> Document:
    """Return the page at *path*; KeyError where there is none."""
    return {str(each.path): each for each in documents()}[path]


def _fenced(text: str) -> Iterator[tuple[str, tuple[int, str] | None]]:
    """Yield every line with the number and the language of its block; fences are left out."""
    number, end, language = 0, "", ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence and not end:
            number, end, language = number + 1, fence[1], fence[2]
        elif fence and fence[1].startswith(end) and not fence[2]:
            end = ""
        else:
            yield line, (number, language) if end else None


def _shell_lines(text: str) -> list[str]:
    """Return the lines of shell code without comments; a continued line is one."""
    joined = text.replace("\\\n", " ")
    return [re.split(r"(?:^|\s)#", line)[0] for line in joined.splitlines()]


def _commands(line: str) -> Iterator[list[str]]:
    """Yield what follows `claimcast` in every simple command of *line*."""
    for part in _OPERATORS.split(line):
        words = part.split()
        starts = [
            place
            for place, (before, word) in enumerate(pairwise(["", *words]))
            if word.rpartition("/")[2] == "claimcast" and before not in _BEFORE_OTHERS
        ]
        if starts and words[starts[-1] + 1 :]:
            yield words[starts[-1] + 1 :]
