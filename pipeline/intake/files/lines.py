"""A stream of bytes as decoded lines with their numbers."""

import codecs
import csv
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.domain.errors import InputError

LINE_LIMIT = 1_000_000
"""The most bytes of a line, and of a row over several lines; real rows are shorter."""

_CHUNK = 1 << 16
_BOM = b"\xef\xbb\xbf"
_SAVE_AS = 'open it in its program and save it as "CSV UTF-8"'
_SIGNATURES = (
    (b"PK\x03\x04", "an Excel or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"%PDF-", "a PDF"),
)
_SAMPLE = 512  # bytes; enough to distinguish UTF-16 from text that only begins like it


class UnreadableError(InputError):
    """Nothing can be read after *line*; the text says why and what to do."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def refuse_binary(head: bytes, advice: str = _SAVE_AS) -> None:
    """
    Raise UnreadableError if a file that begins with *head* is certainly not UTF-8 text.

    *advice* says what to do about a file that is no text at all.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            msg = f"looks like {kind}, not a text file; {advice}"
            raise UnreadableError(msg)
    if head.startswith(b"\x1f\x8b"):
        msg = "looks like a gzip file; unpack it first"
        raise UnreadableError(msg)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        msg = "is UTF-16 text; save it as UTF-8"
        raise UnreadableError(msg)
    if b"\0" in head:
        utf16 = "looks like UTF-16 text; save it as UTF-8"
        binary = f"looks like a binary file, not a text file; {advice}"
        raise UnreadableError(utf16 if _is_utf16(head) else binary)


def _is_utf16(head: bytes) -> bool:
    """Return whether *head*, without a byte order mark, begins with a Latin letter in UTF-16."""
    if head[:2] == b"\0\0" or b"\0" not in head[:2]:
        return False
    coding = "utf-16-be" if head[0] == 0 else "utf-16-le"
    try:
        text = codecs.getincrementaldecoder(coding)().decode(head[:_SAMPLE])
    except UnicodeDecodeError:
        return False
    return not any(unicodedata.category(char) == "Cc" for char in text if char not in "\t\r\n")


class Lines:
    """
    The lines of *stream*, each with its line end (LF, CRLF or CR), without a byte order mark.

    `number` is the number of the last line returned. A line that is not UTF-8 is returned with
    replacement characters, and `fault` says so until `begin_row` is called. Raises UnreadableError
    for a stream that is not text, and csv.Error, after which the iterator can still be used, for a
    row that has grown over LINE_LIMIT.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.number = 0
        self.fault = ""
        self._row_size = 0
        self._stream = stream
        head = self._read()
        refuse_binary(head)
        self.head = head.removeprefix(_BOM)
        self._raw = self._split()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._row_size > LINE_LIMIT:
            self._row_size = 0
            msg = "field larger than field limit"
            raise csv.Error(msg)
        raw = next(self._raw)
        self.number += 1
        self._row_size += len(raw)
        if b"\0" in raw:
            msg = "holds a NUL byte, so this is not a text file; save it as CSV in UTF-8"
            raise UnreadableError(msg, self.number)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.fault = self.fault or (
                f"byte 0x{raw[error.start]:02X} at position {error.start + 1} of line "
                f"{self.number} is not UTF-8; save the file as UTF-8"
            )
            return raw.decode(errors="replace")

    def begin_row(self) -> None:
        """Begin a row at the next line: its size is zero, and it has no fault."""
        self.fault = ""
        self._row_size = 0

    def _split(self) -> Iterator[bytes]:
        block = self.head
        while True:
            *whole, rest = block.splitlines(keepends=True) or [b""]
            yield from whole
            if len(rest) > LINE_LIMIT:
                msg = f"is longer than {LINE_LIMIT:,} bytes; is this a list with one row a line?"
                raise UnreadableError(msg, self.number + 1)
            # The last line waits for the next chunk: it may go on, or its CR be half of a CRLF.
            chunk = self._read()
            if not chunk:
                break
            block = rest + chunk
        if rest:
            yield rest

    def _read(self) -> bytes:
        try:
            return self._stream.read(_CHUNK)
        except OSError as error:
            msg = f"cannot be read: {error.strerror or 'input/output error'}"
            raise UnreadableError(msg, self.number or None) from error
