"""Finds the first line of each id and address, for millions of rows in little memory."""

import secrets
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from typing import Self

from pipeline.domain.errors import UnavailableError

IndexedValue = tuple[int, int]
"""A digest (see `DuplicateIndex.digest`) and the line it was seen on."""

_CACHE_KIB = 32 * 1024
_AT_ONCE = 300  # two variables each; SQLite takes 999 in all its versions


class DuplicateIndex:
    """
    A table from digest to line, in a temporary file without a name that vanishes with the process.

    Digests are 64 bits under a random key, so the file reveals nothing about anybody. Among a
    million people with three values each, two share a digest once in four million runs. Raises
    UnavailableError if the temporary directory cannot hold the file.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._started: dict[str, blake2b] = {}
        # The caller may read in one thread and close in another, never at the same time.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("PRAGMA synchronous = OFF")
        self._table.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._table.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY, line INTEGER)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._table.close()

    def digest(self, kind: str, value: str) -> int:
        """Return a number for *value* among values of its *kind*."""
        started = self._started.get(kind)
        if started is None:
            data = f"{kind}\n".encode()
            started = self._started[kind] = blake2b(data, digest_size=8, key=self._key)
        hashed = started.copy()
        hashed.update(value.encode())
        return int.from_bytes(hashed.digest(), signed=True)

    def add_all_new(self, values: Sequence[IndexedValue]) -> bool:
        """Add all and return True, or return False and add none, if any digest is known."""
        ordered = sorted(values)
        try:
            self._table.execute("BEGIN")
            all_new = self._insert(ordered) == len(ordered)
            if not all_new:
                self._table.executemany("DELETE FROM seen WHERE digest = ? AND line = ?", ordered)
            self._table.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _no_room() from error
        return all_new

    def _insert(self, values: Sequence[IndexedValue]) -> int:
        """Add those whose digest is not known yet; return how many."""
        added = 0
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            # One statement for many rows costs half as much as one for each row.
            places = ", ".join(["(?, ?)"] * len(some))
            statement = f"INSERT OR IGNORE INTO seen VALUES {places}"  # noqa: S608 - marks only
            added += self._table.execute(statement, tuple(chain(*some))).rowcount
        return added

    def add(self, digest: int, line: int) -> int | None:
        """Return the line on which *digest* was seen before, or None after adding it."""
        first = self.find(digest)
        if first is None:
            self.add_all_new([(digest, line)])
        return first

    def find(self, digest: int) -> int | None:
        """Return the line on which *digest* was seen, or None; adds nothing."""
        row = self._table.execute("SELECT line FROM seen WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])


def _no_room() -> UnavailableError:
    return UnavailableError(
        "the temporary directory cannot be written to or is full; free some space, or name "
        "another directory in TMPDIR"
    )
