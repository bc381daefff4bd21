"""The SMS account on disk: messages, who opted out, how often each number was posted to."""

import re
import sqlite3
from pathlib import Path
from typing import Self

from sandbox.sms.messages import SmsMessage

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS messages (
  seq INTEGER PRIMARY KEY,
  sid TEXT NOT NULL UNIQUE,
  recipient TEXT NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS recipients ON messages (recipient);
CREATE TABLE IF NOT EXISTS opted_out (number TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS posts (number TEXT PRIMARY KEY, n INTEGER NOT NULL);
"""
_ALL = "SELECT document FROM messages ORDER BY seq DESC"
_TO = "SELECT document FROM messages WHERE recipient = ? ORDER BY seq DESC"
_URL = re.compile(r"https?://[^\s\"'<>()\[\]{}]+")


class SmsStore:
    """One sqlite file; every change is committed before the call returns."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def count_post(self, number: str) -> int:
        """Count one more request for *number* and return how many there were."""
        row = self._db.execute(
            "INSERT INTO posts VALUES (?, 1)"
            " ON CONFLICT (number) DO UPDATE SET n = n + 1 RETURNING n",
            (number,),
        ).fetchall()[0]
        return int(row[0])

    def add(self, message: SmsMessage) -> None:
        self._db.execute(
            "INSERT INTO messages (sid, recipient, document) VALUES (?, ?, ?)",
            (message.sid, message.to, message.model_dump_json()),
        )

    def message(self, sid: str) -> SmsMessage | None:
        row = self._db.execute("SELECT document FROM messages WHERE sid = ?", (sid,)).fetchone()
        return None if row is None else SmsMessage.model_validate_json(row[0])

    def newest_first(self, to: str = "") -> list[SmsMessage]:
        """Return the messages to the number *to*, or all of them."""
        rows = self._db.execute(*((_TO, (to,)) if to else (_ALL, ()))).fetchall()
        return [SmsMessage.model_validate_json(document) for (document,) in rows]

    def since(self, seq: int = 0, limit: int = -1) -> list[tuple[int, SmsMessage]]:
        """Return the messages after *seq* with their numbers, oldest first."""
        rows = self._db.execute(
            "SELECT seq, document FROM messages WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        ).fetchall()
        return [(number, SmsMessage.model_validate_json(document)) for number, document in rows]

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM messages").fetchone()[0])

    def opt_out(self, number: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO opted_out VALUES (?)", (number,))

    def opt_in(self, number: str) -> None:
        self._db.execute("DELETE FROM opted_out WHERE number = ?", (number,))

    def is_opted_out(self, number: str) -> bool:
        row = self._db.execute("SELECT 1 FROM opted_out WHERE number = ?", (number,))
        return row.fetchone() is not None


def links_in(text: str) -> list[str]:
    """Return the URLs in *text*, each once, in order."""
    return list(dict.fromkeys(url.rstrip(".,;:!?") for url in _URL.findall(text)))
