"""Bounces: mail that was accepted and comes back later, as RFC 3464 has it."""

import sqlite3
import time
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, Literal, Self

from sandbox.outgoing import PostQueue

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS bounces (
  seq INTEGER PRIMARY KEY,
  sender TEXT NOT NULL,
  recipient TEXT NOT NULL,
  action TEXT NOT NULL,
  message TEXT NOT NULL,
  due_at REAL NOT NULL
);
"""
_COLUMNS = ("seq", "to", "recipient", "action", "message", "due_at")
_HOST = "sandbox.example"

Action = Literal["failed", "delayed"]

_REASONS = {
    "failed": ("5.1.1", "550 5.1.1 There is no such mailbox"),
    "delayed": ("4.4.1", "451 4.4.1 No answer from the host"),
}


class Bounces:
    """
    The delivery status notifications; each is posted to *url* (None: kept only).

    They come *delay* seconds after the mail was accepted.
    """

    def __init__(self, path: Path, outgoing: PostQueue, *, url: str | None, delay: float) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._outgoing = outgoing
        self._url = url
        self._delay = delay

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def enqueue(self, sender: str, recipient: str, content: bytes, action: Action) -> None:
        """Have *sender* notified later; a mail without a sender never bounces (RFC 5321)."""
        if sender in {"", "<>"}:
            return
        due_at = time.time() + self._delay
        message = notification(sender, recipient, content, action, due_at)
        self._db.execute(
            "INSERT INTO bounces (sender, recipient, action, message, due_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (sender, recipient, action, message.decode("utf-8", "replace"), due_at),
        )
        if self._url is not None:
            headers = {"Content-Type": "message/rfc822"}
            self._outgoing.enqueue(self._url, message, headers, due_at=due_at)

    def since(self, seq: int = 0, limit: int = -1) -> list[dict[str, Any]]:
        """Return those after *seq* that have come, oldest first; `to` is the envelope sender."""
        rows = self._db.execute(
            "SELECT seq, sender, recipient, action, message, due_at FROM bounces"
            " WHERE seq > ? AND due_at <= ? ORDER BY seq LIMIT ?",
            (seq, time.time(), limit),
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def notification(sender: str, recipient: str, content: bytes, action: Action, now: float) -> bytes:
    """Return the whole message, with CRLF line ends and the headers of *content*."""
    status, diagnosis = _REASONS[action]
    boundary = f"=_{make_msgid(domain='x')[1:-3]}"
    head = content.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    lines = [
        f"From: Mail Delivery System <mailer-daemon@{_HOST}>",
        f"To: {sender}",
        f"Date: {formatdate(now)}",
        f"Message-ID: {make_msgid(domain=_HOST)}",
        f"Subject: Delivery Status Notification ({action})",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"Your message was {action}.",
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {_HOST}",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {diagnosis}",
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        head,
        "",
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
