"""Reading of Lua source text without running it: what it defines, and what it names."""

import re
from collections.abc import Iterator

_COMMENT = re.compile(r"--[^\n]*")
_STRING = re.compile(r"'[^'\n]*'")
_TOP_LEVEL = re.compile(r"^local (?:function )?([\w, ]+?) ?(?=[(=]|$)", re.MULTILINE)
# Neither a field (`a.name`, `{ name = 1 }`) nor what is assigned to.
_NAME = re.compile(r"(?<![\w.:])[A-Za-z_]\w*\b(?!\s*=[^=])")


def without_comments(text: str) -> str:
    return _COMMENT.sub("", text)


def names_in(text: str) -> set[str]:
    """Return every name that is read in *text*."""
    return set(_NAME.findall(_STRING.sub("''", without_comments(text))))


def definitions(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield what a file defines at its top level: names that are defined together, and how."""
    code = without_comments(text)
    starts = list(_TOP_LEVEL.finditer(code))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        end = following.start() if following else len(code)
        names = [name.strip() for name in start[1].split(",")]
        yield names, code[start.end(1) : end]


def defined_in(text: str) -> set[str]:
    return {name for names, _ in definitions(text) for name in names}
