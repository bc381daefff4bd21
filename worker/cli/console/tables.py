"""Text in columns for people: folded to the width of a terminal, in whole lines elsewhere."""

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence

import click

_GAP = "  "
_NARROWEST = 20  # below that, folding makes nothing more readable

TableRow = Sequence[str]


def facts(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line or more for each name and what is to be said of it."""
    rows = list(pairs)
    margin = _widest(name for name, _ in rows)
    return [
        line
        for name, text in rows
        for line in _indented(click.style(name.ljust(margin), bold=True) + _GAP, margin, text)
    ]


def columns(
    heading: TableRow, rows: Iterable[TableRow], *, right: Collection[int] = ()
) -> list[str]:
    """
    Return a table; the columns with the numbers *right* are aligned there, the last is folded.

    An empty heading leaves the heading out.
    """
    table = [heading] if heading else []
    table += [[_plain(cell) for cell in row] for row in rows]
    widths = [_widest(column) for column in zip(*table, strict=True)]
    lines: list[str] = []
    for row in table:
        aligned = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        margin = sum(widths[:-1]) + len(_GAP) * (len(widths) - 2)
        found = _indented("".join(cell + _GAP for cell in aligned[:-1]), margin, aligned[-1])
        lines += [click.style(line, bold=True) for line in found] if row is heading else found
    return lines


def folded(text: str) -> list[str]:
    """Return a sentence in lines."""
    return _indented("", -len(_GAP), text)


def _indented(first: str, margin: int, text: str) -> list[str]:
    """Return *first* with *text*, whose other lines begin below it, after margin and gap."""
    indent = margin + len(_GAP)
    width = _width()
    if width is None or width - indent < _NARROWEST:
        return [(first + _plain(text)).rstrip()]
    parts = textwrap.wrap(_plain(text), width - indent, break_on_hyphens=False) or [""]
    return [(first + parts[0]).rstrip(), *(" " * indent + part for part in parts[1:])]


def _plain(text: str) -> str:
    """Return *text* without what would steer a terminal: some of it was said by a provider."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _widest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _width() -> int | None:
    """Return the width of the terminal; None where there is none to fold for."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
