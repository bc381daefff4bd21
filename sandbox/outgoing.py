"""Posts that the sandbox still has to send to others: a queue on disk, and what works it."""

import asyncio
import json
import sqlite3
import ssl
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import httpx

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS posts (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS due ON posts (due_at);
"""
_PATIENCE = 5.0
_LONGEST_WAIT = 3600.0  # seconds; only a bound on a wait that ends by itself
_AT_ONCE = 500
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; the default takes 50 ms to make


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post that is to be sent."""

    id: int
    url: str
    headers: dict[str, str]
    body: bytes


class PostQueue:
    """
    One sqlite file of posts; only http to this machine's loopback ever goes out.

    The queue is on disk: what was due while the sandbox was down is posted after its start. A
    receiver that does not answer is not posted to again.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def enqueue(self, url: str, body: bytes, headers: Mapping[str, str], *, due_at: float) -> bool:
        """Have a post sent at *due_at* (seconds since the epoch); False if *url* is elsewhere."""
        if not is_loopback(url):
            return False
        self._db.execute(
            "INSERT INTO posts (url, headers, body, due_at) VALUES (?, ?, ?, ?)",
            (url, json.dumps(dict(headers)), body, due_at),
        )
        self._changed.set()
        return True

    async def run(self) -> None:
        """Post what is due, until cancelled."""
        # The environment's proxies must not carry loopback traffic.
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE, verify=_NO_TLS) as client:
            while True:
                self._changed.clear()
                due = self._due(time.time())
                if due:
                    await self._post_all(client, due)
                else:
                    await self._wait()

    async def _wait(self) -> None:
        (due_at,) = self._db.execute("SELECT min(due_at) FROM posts").fetchone()
        seconds = _LONGEST_WAIT if due_at is None else min(due_at - time.time(), _LONGEST_WAIT)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0))

    def _due(self, now: float) -> list[Post]:
        rows = self._db.execute(
            "SELECT id, url, headers, body FROM posts WHERE due_at <= ?"
            " ORDER BY due_at, id LIMIT ?",
            (now, _AT_ONCE),
        ).fetchall()
        return [
            Post(id=number, url=url, headers=json.loads(headers), body=body)
            for number, url, headers, body in rows
        ]

    async def _post_all(self, client: httpx.AsyncClient, due: list[Post]) -> None:
        # To one URL in order; to different ones at once.
        groups: defaultdict[str, list[Post]] = defaultdict(list)
        for post in due:
            groups[post.url].append(post)
        await asyncio.gather(*(self._post_each(client, posts) for posts in groups.values()))

    async def _post_each(self, client: httpx.AsyncClient, posts: list[Post]) -> None:
        for post in posts:
            with suppress(httpx.HTTPError, httpx.InvalidURL):
                await client.post(post.url, content=post.body, headers=post.headers)
            self._db.execute("DELETE FROM posts WHERE id = ?", (post.id,))


def is_loopback(url: str) -> bool:
    """Return whether *url* is plain http to this machine."""
    try:
        parsed = httpx.URL(url)
        local = parsed.host == "localhost" or ip_address(parsed.host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
    return parsed.scheme == "http" and local
