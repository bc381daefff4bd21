"""Finds the line of a TOML text on which each key stands."""

import re
from collections.abc import Mapping

DottedKey = tuple[str, ...]

_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"\\]*\"|'[^']*')"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_PART = re.compile(_KEY)
_LONG_QUOTE = re.compile(r'"""|\'\'\'')


def key_lines(text: str) -> dict[DottedKey, int]:
    """
    Return the line, from 1, of each table and key of *text*, which must be valid TOML.

    The result lacks the keys of inline tables; `line_of` returns the line of the table for them.
    """
    lines: dict[DottedKey, int] = {}
    table: DottedKey = ()
    quote = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if quote:
            quote = _still_open(line, quote)
        elif found := _TABLE.match(line):
            table = _path(found[1])
            lines.setdefault(table, number)
        elif found := _ASSIGNMENT.match(line):
            lines.setdefault(table + _path(found[1]), number)
            quote = _still_open(found[2], "")
    return lines


def line_of(lines: Mapping[DottedKey, int], path: DottedKey) -> int | None:
    """Return the line of *path*, or of its innermost part that has one."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _path(dotted: str) -> DottedKey:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _still_open(line: str, quote: str) -> str:
    for found in _LONG_QUOTE.findall(line):
        if not quote:
            quote = found
        elif found == quote:
            quote = ""
    return quote
