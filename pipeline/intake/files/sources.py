"""Finds out the format of a stream of recipients."""

import re
from pathlib import PurePath
from typing import BinaryIO, Literal, TypeAlias

from pipeline.intake.files.csv_source import CsvSource
from pipeline.intake.files.lines import Lines, UnreadableError
from pipeline.intake.files.ndjson_source import NdjsonSource, ObjectSource

FileFormat = Literal["csv", "ndjson"]
Source: TypeAlias = CsvSource | ObjectSource

_JSON_OBJECT = re.compile(rb"\s*\{\s*\"")
_JSON_LIST = re.compile(rb"\s*\[\s*\{")
_EXTENSIONS: dict[str, FileFormat] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}


_NO_LIST = "looks like a JSON list; write one object a line, without brackets (NDJSON)"


def open_source(stream: BinaryIO, *, name: str, file_format: FileFormat | None) -> Source:
    """
    Return the rows of *stream*.

    Without a *file_format* the extension of *name* decides, else the first character. Raises
    UnreadableError for another format.
    """
    lines = Lines(stream)
    known = file_format or _EXTENSIONS.get(PurePath(name).suffix.lower())
    if known == "csv":
        _refuse_json(lines.head)
    if (known or _format_of(lines.head)) == "ndjson":
        return NdjsonSource(lines, name=name)
    return CsvSource(lines, name=name)


def _format_of(head: bytes) -> FileFormat:
    match head.lstrip()[:1]:
        case b"{":
            return "ndjson"
        case b"[":
            raise UnreadableError(_NO_LIST, 1)
        case _:
            return "csv"


def _refuse_json(head: bytes) -> None:
    """Raise UnreadableError if the text begins like JSON, as no header of a CSV file does."""
    if _JSON_OBJECT.match(head):
        msg = "looks like NDJSON, not CSV; rename it so that it ends in .ndjson"
        raise UnreadableError(msg, 1)
    if _JSON_LIST.match(head):
        raise UnreadableError(_NO_LIST, 1)
