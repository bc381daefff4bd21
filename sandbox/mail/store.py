"""Where accepted mail goes: a Maildir for people, an index for programs."""

import email
import html
import json
import mailbox
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from email.message import Message
from itertools import count
from pathlib import Path
from typing import Any, Self

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS mails (
  seq INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  sender TEXT NOT NULL,
  links TEXT NOT NULL,
  received_at REAL NOT NULL
);
"""
_URL = re.compile(r"https?://[^\s\"'<>()\[\]{}]+")
_COLUMNS = ("seq", "message_id", "to", "sender", "links", "received_at")


class MailStore:
    """
    Accepted messages; `add` returns after the message is in the index (and in the Maildir).

    *maildir* is the folder for the messages themselves; None keeps the index only.
    """

    def __init__(self, index: Path, maildir: Path | None) -> None:
        self._maildir = maildir
        if maildir is not None:
            mailbox.Maildir(maildir, create=True).close()
        self._names = count(1)
        self._db = sqlite3.connect(index, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Store one message with CRLF line ends: one index entry per recipient."""
        now = time.time()
        message = email.message_from_bytes(content)
        message_id = str(message["Message-ID"] or "").strip()
        links = json.dumps(links_in(message))
        text = content.replace(b"\r\n", b"\n")
        for recipient in recipients:
            if self._maildir is not None:
                _deliver(self._maildir, self._name(now), sender, recipient, text)
            self._db.execute(
                "INSERT INTO mails (message_id, recipient, sender, links, received_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (message_id, recipient, sender, links, now),
            )

    def since(self, seq: int = 0, limit: int = -1) -> list[dict[str, Any]]:
        """Return the entries after *seq*, oldest first; times are seconds since the epoch."""
        rows = self._db.execute(
            "SELECT seq, message_id, recipient, sender, links, received_at FROM mails"
            " WHERE seq > ? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        entries = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        for entry in entries:
            entry["links"] = json.loads(entry["links"])
        return entries

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM mails").fetchone()[0])

    def _name(self, now: float) -> str:
        # https://cr.yp.to/proto/maildir.html: unique over time, process and delivery.
        return f"{now:.6f}.P{os.getpid()}Q{next(self._names)}.sandbox"


def links_in(message: Message) -> list[str]:
    """Return the URLs in the decoded text of *message*, each once, in order."""
    found: dict[str, None] = {}
    for part in message.walk():
        if part.get_content_maintype() == "text":
            found.update(dict.fromkeys(_urls(part)))
    return list(found)


def _urls(part: Message) -> Iterator[str]:
    text = _text(part)
    markup = part.get_content_subtype() == "html"
    for url in _URL.findall(text):
        yield (html.unescape(url) if markup else url).rstrip(".,;:!?")


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _deliver(maildir: Path, name: str, sender: str, recipient: str, text: bytes) -> None:
    # What a delivery agent adds.
    envelope = f"Return-Path: <{sender}>\nDelivered-To: {recipient}\n"
    staged = f"{maildir}/tmp/{name}"  # noqa: S108 - the Maildir's own folder
    # Bare system calls: Path and buffered files take more than twice the time.
    file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, envelope.encode("utf-8", "surrogateescape") + text)
    finally:
        os.close(file)
    os.rename(staged, f"{maildir}/new/{name}")  # noqa: PTH104 - see above
