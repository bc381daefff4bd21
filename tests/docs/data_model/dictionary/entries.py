"""What the dictionary holds: an entry for every key, and one for every field of a hash."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """
    One kind of key.

    `name` is what builds it in `pipeline/store/keys.py`. Who uses it is looked up in the sources.
    `by_arq` says that arq writes it, at the bidding of the program.
    """

    name: str
    pattern: str
    kind: str
    holds: str
    sealed: str = "clear"
    goes: str
    by_arq: bool = False

    @property
    def expression(self) -> re.Pattern[str]:
        """What its names look like; the parts in angle brackets differ."""
        return as_expression(self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """
    One field of a hash, or one kind of fields: the parts in angle brackets differ.

    `absent` says when it is not there. `value` is where the program has it once it is read, and
    `sample` something that may stand in it, or in the field *example* where there are many.
    `python` are modules that write it themselves.
    """

    name: str
    kind: str
    means: str
    absent: str
    value: str = ""
    sample: str = "7"
    example: str = ""
    python: tuple[str, ...] = ()

    @property
    def expression(self) -> re.Pattern[str]:
        return as_expression(self.name)


def as_expression(pattern: str) -> re.Pattern[str]:
    """Return what names of *pattern* look like; `<n>` and the like in it stand for digits."""
    parts = re.split(r"(<[^<>]+>)", pattern)
    return re.compile("".join(_part(each) for each in parts), re.DOTALL)


_NUMBERS = {"<serial>", "<batch>", "<index>", "<bucket>", "<n>", "<version>"}
_LETTERS = {"<lane>": "[orsh]", "<channel letter>": "[esw]", "<worker>": "[^:]+"}


def _part(text: str) -> str:
    if not text.startswith("<"):
        return re.escape(text)
    return r"\d+" if text in _NUMBERS else _LETTERS.get(text, ".+")
