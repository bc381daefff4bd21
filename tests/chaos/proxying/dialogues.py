"""What goes over a connection, as far as an observer in between can tell."""

import re
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_plus

_END_OF_DATA = b"\r\n.\r\n"
_RECIPIENT = re.compile(rb"RCPT TO:<([^>]*)>", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEYS = (re.compile(rb"(?:^|&)To=([^&]+)"), re.compile(rb'"PONumber": *"([^"]+)"'))


@dataclass(slots=True)
class Attempt:
    """
    One effect that was asked for: a message's content or a POST, as it came by.

    Times are seconds since the epoch. `key` is the address, the number or the PO number; `code`
    what the server answered; `forwarded` whether that answer was let through to the client.
    """

    by: str
    key: str
    began: float
    code: int | None = None
    forwarded: bool = False


class Dialogue(Protocol):
    """Listens to one connection."""

    def asked(self, chunk: bytes) -> None:
        """Take note of what the client sent."""
        ...

    def answered(self, chunk: bytes) -> None:
        """Take note of what the server sent."""
        ...

    @property
    def pending(self) -> Attempt | None:
        """The effect that was asked for to its last byte, and has no answer yet."""
        ...


class Nothing:
    """Listens to nothing."""

    pending: Attempt | None = None

    def asked(self, chunk: bytes) -> None:
        pass

    def answered(self, chunk: bytes) -> None:
        pass


class SmtpDialogue:
    """One SMTP session without pipelining; an attempt begins with the first byte of content."""

    def __init__(self, by: str, attempts: list[Attempt]) -> None:
        self.pending: Attempt | None = None
        self._by = by
        self._attempts = attempts
        self._to = ""
        self._content: Attempt | None = None
        self._invited = False
        self._tail = b""

    def asked(self, chunk: bytes) -> None:
        if self._invited:
            self._invited = False
            self._content = Attempt(self._by, self._to, time.time())
            self._attempts.append(self._content)
            self._tail = b""
        if self._content is not None:
            self._tail = (self._tail + chunk)[-len(_END_OF_DATA) :]
            if self._tail == _END_OF_DATA:
                self.pending, self._content = self._content, None
        elif found := _RECIPIENT.search(chunk):
            self._to = found[1].decode()

    def answered(self, chunk: bytes) -> None:
        if self.pending is not None:
            self.pending.code = _number(chunk[:3])
            self.pending = None
        self._invited = chunk.startswith(b"354")


class HttpDialogue:
    """One HTTP/1.1 connection without pipelining; only POSTs with a key are attempts."""

    def __init__(self, by: str, attempts: list[Attempt]) -> None:
        self.pending: Attempt | None = None
        self._by = by
        self._attempts = attempts
        self._request = b""

    def asked(self, chunk: bytes) -> None:
        self._request += chunk
        head, end, body = self._request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < int(length[1] if length else 0):
            return
        self._request = b""
        key = next((found[1] for each in _KEYS if (found := each.search(body))), None)
        if head.startswith(b"POST ") and key is not None:
            self.pending = Attempt(self._by, unquote_plus(key.decode()), time.time())
            self._attempts.append(self.pending)

    def answered(self, chunk: bytes) -> None:
        if self.pending is not None:
            self.pending.code = _number(chunk.partition(b" ")[2][:3])
            self.pending = None


def _number(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() else None
