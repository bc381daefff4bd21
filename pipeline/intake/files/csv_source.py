"""Rows of a CSV file."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from pipeline.intake.files.columns import MOST_COLUMNS, RawRow, name_fault
from pipeline.intake.files.lines import Lines, UnreadableError
from pipeline.intake.files.problems import Problem, one_line

_QUOTED = re.compile(r'"[^"]*"?')
_BAD_QUOTES = (
    "has text after a closing quotation mark; write a quotation mark inside a value twice"
)
_OPEN_QUOTE = "opens a quotation mark that is never closed"
_TOO_LONG = (
    "has a value of more than 131,072 characters; is a closing quotation mark missing here?"
)


class CsvSource:
    """
    The rows of *lines*; the first line with text decides between `,` `;` and tab.

    `columns` are the header's names, `provided` the same as a set. With `problems` in the header
    there are no rows. Raises UnreadableError where not even the header can be read.
    """

    has_header = True

    def __init__(self, lines: Lines, *, name: str) -> None:
        self._lines = lines
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            msg = "is empty; its first line must name the columns, such as id,email,name"
            raise UnreadableError(msg)
        self.header_line = lines.number
        self._reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
        self.columns = self._header()
        self.provided = frozenset(self.columns)
        self.problems = [
            Problem(where=name, line=self.header_line, field=field, message=message)
            for field, message in _header_faults(self.columns)
        ]

    def __iter__(self) -> Iterator[RawRow]:
        while not self.problems:
            self._lines.begin_row()
            line = self._lines.number + 1
            try:
                values = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield RawRow(line, fault=self._lines.fault or _csv_fault(error))
                continue
            if self._lines.fault:
                yield RawRow(line, original=values, fault=self._lines.fault)
            elif any(map(str.strip, values)):
                yield self._row(line, values)

    def _row(self, line: int, values: list[str]) -> RawRow:
        if len(values) == len(self.columns):
            return RawRow(line, dict(zip(self.columns, values, strict=True)), values)
        fault = f"has {len(values)} values, but the header names {len(self.columns)} columns; "
        if len(values) < len(self.columns):
            fault += "add what is missing, even if empty"
        else:
            fault += "put a value that holds the delimiter in quotation marks"
        return RawRow(line, original=values, fault=fault)

    def _header(self) -> list[str]:
        try:
            names = next(self._reader)
        except csv.Error as error:
            raise UnreadableError(_csv_fault(error), self.header_line) from error
        if self._lines.fault:
            raise UnreadableError(self._lines.fault, self.header_line)
        return [name.strip() for name in names]


def _delimiter(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(",;\t", key=bare.count)


def _csv_fault(error: csv.Error) -> str:
    text = str(error)
    if "field limit" in text:
        return _TOO_LONG
    return _OPEN_QUOTE if "end of data" in text else _BAD_QUOTES


def _header_faults(names: list[str]) -> Iterator[tuple[str | None, str]]:
    if len(names) > MOST_COLUMNS:
        yield None, f"names more than {MOST_COLUMNS} columns; remove those nobody needs"
    elif "id" not in (name.lower() for name in names):
        # The names are not shown: in a file without a header they may be somebody's address.
        yield None, 'has no column "id"; the first line must name the columns, id among them'
    else:
        for number, name in enumerate(names, start=1):
            if fault := name_fault(name):
                yield f"column {number}", fault
        for name, count in Counter(filter(None, names)).items():
            if count > 1:
                yield one_line(name), f"is the name of {count} columns; rename all but one"
