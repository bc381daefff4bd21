"""Rows of an NDJSON file (one JSON object a line), or of a list of objects."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from pipeline.intake.files.columns import MOST_COLUMNS, RawRow, name_fault
from pipeline.intake.files.lines import Lines, UnreadableError
from pipeline.intake.files.problems import Problem, one_line


class _FaultError(ValueError):
    """The text says what is wrong with this row."""


class ObjectSource(ABC):
    """
    The base of sources whose rows have keys of their own, which `provided` collects.

    Problems with keys are added to `problems` while rows are read.
    """

    has_header = False
    columns = ("row",)

    def __init__(self, name: str) -> None:
        self.provided: set[str] = set()
        self.problems: list[Problem] = []
        self._name = name
        self._refused: set[str] = set()

    @abstractmethod
    def __iter__(self) -> Iterator[RawRow]: ...

    def _row(self, line: int, item: object, original: str) -> RawRow:
        if not isinstance(item, Mapping):
            fault = 'must be an object such as {"id": "1", "email": "a@example.com"}'
            return RawRow(line, original=[original], fault=fault)
        try:
            values = {key: _text(key, value) for key, value in item.items()}
        except _FaultError as error:
            return RawRow(line, original=[original], fault=str(error))
        if not self.provided.issuperset(values):
            self._learn(line, values)
        for key in self._refused.intersection(values):
            del values[key]
        return RawRow(line, values, [original])

    def _learn(self, line: int, values: Mapping[str, str]) -> None:
        for key in values.keys() - self.provided:
            if fault := name_fault(key):
                self._refused.add(key)
                field = one_line(key) or None
                self.problems.append(
                    Problem(where=self._name, line=line, field=field, message=f"a key {fault}")
                )
        self.provided.update(values)
        if len(self.provided) > MOST_COLUMNS:
            msg = f"brings the objects to more than {MOST_COLUMNS} different keys; use fewer"
            raise UnreadableError(msg, line)


class NdjsonSource(ObjectSource):
    """The objects of *lines*; empty lines are passed over."""

    def __init__(self, lines: Lines, *, name: str) -> None:
        super().__init__(name)
        self._lines = lines

    def __iter__(self) -> Iterator[RawRow]:
        self._lines.begin_row()
        for text in self._lines:
            stripped = text.strip()
            if self._lines.fault:
                yield RawRow(self._lines.number, original=[stripped], fault=self._lines.fault)
            elif stripped:
                yield self._parsed(stripped)
            self._lines.begin_row()

    def _parsed(self, text: str) -> RawRow:
        line = self._lines.number
        try:
            item = _decode(text)
        except json.JSONDecodeError as error:
            fault = f"is not JSON ({error.msg} at column {error.colno}); write one object a line"
        except RecursionError:
            fault = "is nested too deeply; values must be text, numbers or true and false"
        except _FaultError as error:
            fault = str(error)
        else:
            return self._row(line, item, text)
        return RawRow(line, original=[text], fault=fault)


class ListSource(ObjectSource):
    """The *items* of a decoded JSON list; `line` counts them from 1."""

    def __init__(self, items: Iterable[object], *, name: str) -> None:
        super().__init__(name)
        self._items = items

    def __iter__(self) -> Iterator[RawRow]:
        for number, item in enumerate(self._items, start=1):
            yield self._row(number, item, "")


def _text(key: str, value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            msg = f'"{one_line(key)}" holds a list or an object; use text, a number, true or false'
            raise _FaultError(msg)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "has the same key twice; remove one"
        raise _FaultError(msg)
    return found


def _not_json(constant: str) -> NoReturn:
    msg = f"holds {constant}, which is not JSON; write it as text"
    raise _FaultError(msg)


# Numbers stay as they were written: 10.00 must not become 10.0.
_decode = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=_not_json
).decode
