"""The account on disk: what was ordered, what it cost, who is logged in."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Self

from sandbox.rewards.orders import SandboxOrder

# NORMAL: a commit survives the end of the process, which is what the sandbox promises.
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS orders (
  serial INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  po TEXT NOT NULL UNIQUE,
  document TEXT NOT NULL,
  reads INTEGER NOT NULL DEFAULT 0,
  full_reads INTEGER NOT NULL DEFAULT 0,
  signal_at REAL
);
CREATE INDEX IF NOT EXISTS signals ON orders (signal_at) WHERE signal_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS tokens (value TEXT PRIMARY KEY, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS funds (one INTEGER PRIMARY KEY CHECK (one = 1), available TEXT);
"""


class DuplicateError(Exception):
    """The PO number was used before, by `order_id`."""

    def __init__(self, order_id: str) -> None:
        super().__init__("duplicate PO number")
        self.order_id = order_id


class InsufficientFundsError(Exception):
    """The account holds less than the order costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An order, and how often it was read before: at all, and since it is completed."""

    order: SandboxOrder
    reads: int
    full_reads: int


class SandboxAccount:
    """
    One sqlite file; every change is committed before the call returns.

    *funds* is what a new account starts with (None: unlimited); an existing account keeps its own.
    """

    def __init__(self, path: Path, *, funds: Decimal | None = None) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        start = None if funds is None else str(funds)
        self._db.execute("INSERT OR IGNORE INTO funds VALUES (1, ?)", (start,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    # Counters

    def count(self, name: str) -> int:
        """Count one more *name* and return how many there are now."""
        row = self._db.execute(
            "INSERT INTO counters VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET n = n + 1 RETURNING n",
            (name,),
        ).fetchall()[0]
        return int(row[0])

    def counted(self, prefix: str) -> dict[str, int]:
        """Return every counter that starts with *prefix*, without it."""
        rows = self._db.execute("SELECT name, n FROM counters ORDER BY rowid").fetchall()
        return {name.removeprefix(prefix): n for name, n in rows if name.startswith(prefix)}

    # Tokens

    def issue_token(self, expires_at: float) -> str:
        """Return a new token that holds until *expires_at* (seconds since the epoch)."""
        value = f"sandbox.{secrets.token_urlsafe(24)}"
        self._db.execute("INSERT INTO tokens VALUES (?, ?)", (value, expires_at))
        return value

    def token_holds(self, value: str, now: float) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM tokens WHERE value = ? AND expires_at > ?", (value, now)
        )
        return found.fetchone() is not None

    def revoke_token(self, value: str) -> None:
        self._db.execute("DELETE FROM tokens WHERE value = ?", (value,))

    # Funds

    def funds(self) -> Decimal | None:
        """Return what is available; None: unlimited."""
        (available,) = self._db.execute("SELECT available FROM funds").fetchone()
        return None if available is None else Decimal(available)

    def add_funds(self, amount: Decimal) -> Decimal | None:
        """Add *amount* and return what is available now; unlimited funds stay unlimited."""
        available = self.funds()
        if available is not None:
            available += amount
            self._db.execute("UPDATE funds SET available = ?", (str(available),))
        return available

    # Orders

    def place(self, order: SandboxOrder) -> None:
        """
        Take *order* in and debit it, all or nothing; a failed order costs nothing.

        Raises DuplicateError and InsufficientFundsError.
        """
        with self._transaction():
            used = self.order_id(order.request.po)
            if used is not None:
                raise DuplicateError(used)
            available = self.funds()
            if available is not None and available < order.request.total:
                raise InsufficientFundsError
            if order.outcome == "Completed":
                self.add_funds(-order.request.total)
            self._db.execute(
                "INSERT INTO orders (id, po, document, signal_at) VALUES (?, ?, ?, ?)",
                (order.id, order.request.po, order.to_json(), order.signal_at),
            )

    def order_id(self, po: str) -> str | None:
        """Return the id of the order with this PO number, or None."""
        row = self._db.execute("SELECT id FROM orders WHERE po = ?", (po,)).fetchone()
        return None if row is None else str(row[0])

    def order(self, order_id: str) -> SandboxOrder | None:
        row = self._db.execute("SELECT document FROM orders WHERE id = ?", (order_id,)).fetchone()
        return None if row is None else SandboxOrder.from_json(row[0])

    def orders(self, *, offset: int = 0, limit: int = -1) -> list[SandboxOrder]:
        """Return a page of the orders, oldest first; all of them without a limit."""
        rows = self._db.execute(
            "SELECT document FROM orders ORDER BY serial LIMIT ? OFFSET ?", (limit, offset)
        ).fetchall()
        return [SandboxOrder.from_json(document) for (document,) in rows]

    def earliest_link(self) -> str | None:
        """Return a link of the earliest order that has one; looks at the first twenty only."""
        links = (url for order in self.orders(limit=20) for urls in order.links for url in urls)
        return next(links, None)

    def order_count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM orders").fetchone()[0])

    def read(self, order: SandboxOrder, now: float) -> Reading:
        """Count one read of *order* and return how often it was read before."""
        reads, full_reads = self._db.execute(
            "SELECT reads, full_reads FROM orders WHERE id = ?", (order.id,)
        ).fetchone()
        full = order.status(now, reads) == "Completed"
        self._db.execute(
            "UPDATE orders SET reads = reads + 1, full_reads = full_reads + ? WHERE id = ?",
            (int(full), order.id),
        )
        return Reading(order=order, reads=reads, full_reads=full_reads)

    def replace(self, order: SandboxOrder) -> None:
        """Store *order* in place of the one with its id; nothing happens without one."""
        self._db.execute(
            "UPDATE orders SET document = ?, signal_at = ? WHERE id = ?",
            (order.to_json(), order.signal_at, order.id),
        )

    # Webhooks that are still to be called

    def next_signal_at(self) -> float | None:
        """Return when the next webhook is due (seconds since the epoch); None: there is none."""
        row = self._db.execute("SELECT min(signal_at) FROM orders").fetchone()
        return None if row[0] is None else float(row[0])

    def signals_due(self, now: float) -> list[SandboxOrder]:
        """Return the orders whose webhook is due, the earliest first."""
        rows = self._db.execute(
            "SELECT document FROM orders WHERE signal_at <= ? ORDER BY signal_at", (now,)
        ).fetchall()
        return [SandboxOrder.from_json(document) for (document,) in rows]

    def signalled(self, order_id: str) -> None:
        """Take note that the webhook was called: it is not due any more."""
        self._db.execute("UPDATE orders SET signal_at = NULL WHERE id = ?", (order_id,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
