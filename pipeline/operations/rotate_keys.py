"""
Rotation of the secret keys: everything sealed is sealed again under the first of them.

Works beside running campaigns: a blob is replaced only if it still is what was read, so a newer
write is never lost. May be killed and repeated; what rests under the first key is recognised by
its MAC and left alone. Digests, and with them look-ups and tokens, stay: the digest key is merely
wrapped anew.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from redis.asyncio import Redis

from pipeline.domain.vault import Vault, is_sealed, mark
from pipeline.store.scripts import Scripts

_PAGE = 1000  # keys per SCAN
_READ = 32  # values per round trip, about 200 kB
_WRITE_BYTES = 64 * 1024  # per script, and so per sync of the server's log
_FIELDS = 200

# Hashes without a sealed value. What does not stand here is looked at, so that a kind of blob that
# nobody thought of costs time and is not left behind.
_CLEAR = re.compile(
    rb"cc:(?:\d+|\d+:(?:b|d|x|due):.*|(?:links|suppressed|gcra|breaker):.*"
    rb"|ids|staging|limits|stats|keys:live)"
)


@dataclass(frozen=True, slots=True)
class Blob:
    """A sealed value; `field` is empty where it is the whole value of the key."""

    key: bytes
    field: bytes
    sealed: bytes


@dataclass(slots=True)
class Standing:
    """How many blobs open with which key, by its position; None stands for none of them."""

    by_key: Counter[int | None] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.by_key.total()

    @property
    def others(self) -> int:
        """How many would be lost with all keys but the first."""
        return self.total - self.by_key[0] - self.unreadable

    @property
    def unreadable(self) -> int:
        return self.by_key[None]


class Rekey:
    """Rotation over one Redis; *vault* has the new key first."""

    def __init__(self, redis: "Redis", scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._run = scripts.run
        self._vault = vault

    async def look(self) -> Standing:
        """Count the blobs by the key that opens them; changes nothing."""
        standing = Standing()
        async for blobs in self._pages():
            standing.by_key.update(self._vault.position(blob.sealed) for blob in blobs)
        return standing

    async def reseal(self, shown: Callable[[int], None] = lambda _: None) -> int:
        """
        Seal again what is under another key than the first; return how many were replaced.

        *shown* is told after each step how many it replaced. A blob that none of the keys opens
        is left as it is.
        """
        replaced = 0
        async for blobs in self._pages():
            for chunk in chunks(self._anew(blobs)):
                done = int(await self._run("reseal", *chunk))
                replaced += done
                shown(done)
        return replaced

    def _anew(self, blobs: Sequence[Blob]) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
        for blob in blobs:
            if self._vault.position(blob.sealed):  # neither the first key nor none
                yield blob.key, blob.field, mark(blob.sealed), self._vault.reseal(blob.sealed)

    async def _pages(self) -> AsyncIterator[list[Blob]]:
        """Yield all sealed blobs, some at a time; those written meanwhile may be missed."""
        async for keys in self._keys("string"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.get(key)
                values = await pipe.execute(raise_on_error=False)
            yield [
                Blob(key, b"", value)
                for key, value in zip(keys, values, strict=True)
                if _is(value)
            ]
        async for keys in self._keys("hash"):
            for key in keys:
                if not _CLEAR.fullmatch(key):
                    yield [blob async for blob in self._fields(key)]

    async def _keys(self, kind: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, found = await self._redis.scan(cursor, match="cc:*", count=_PAGE, _type=kind)
            keys = iter(dict.fromkeys(found))
            while page := list(islice(keys, _READ)):
                yield page
            if not cursor:
                return

    async def _fields(self, key: bytes) -> AsyncIterator[Blob]:
        async for name, value in self._redis.hscan_iter(key, count=_FIELDS):  # type: ignore[arg-type] # bytes are fine
            if _is(value):
                yield Blob(key, name, value)


def _is(value: Any) -> bool:  # noqa: ANN401 - None if it is gone, an error if the type changed
    return isinstance(value, bytes) and is_sealed(value)


def chunks(replacements: Iterator[tuple[bytes, ...]]) -> Iterator[list[bytes]]:
    """Yield the arguments of one script at a time: 64 kB, and what the last blob is above it."""
    chunk: list[bytes] = []
    size = 0
    for replacement in replacements:
        chunk += replacement
        size += len(replacement[-1])
        if size >= _WRITE_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
