"""Every sealed value in Redis, wherever it is: to count and to replace them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline.domain.vault import is_sealed, mac_of
from pipeline.store.client import Client
from pipeline.store.keys import ALL_KEYS, CLEAR_HASHES
from pipeline.store.scripts import Scripts

_PAGE = 1000  # keys per SCAN
_READ = 32  # values per round trip, about 200 kB
_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Blob:
    """A sealed value; `field` is empty where it is the whole value of the key."""

    key: bytes
    field: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new value for *blob*, if that still is what was read."""

    blob: Blob
    sealed: bytes


class SealedBlobs:
    """Iterates over all sealed values, and replaces those that did not change meanwhile."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._call = scripts.call

    async def pages(self) -> AsyncIterator[list[Blob]]:
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
                if not CLEAR_HASHES.fullmatch(key):
                    yield [blob async for blob in self._fields(key)]

    async def replace(self, replacements: Sequence[Replacement]) -> int:
        """Replace in one step those that are what was read; return how many. May be repeated."""
        args: list[bytes] = []
        for each in replacements:
            args += [each.blob.key, each.blob.field, mac_of(each.blob.sealed), each.sealed]
        return int(await self._call("reseal", *args))

    async def _keys(self, kind: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, found = await self._redis.scan(cursor, match=ALL_KEYS, count=_PAGE, _type=kind)
            keys = iter(dict.fromkeys(found))
            while page := list(islice(keys, _READ)):
                yield page
            if not cursor:
                return

    async def _fields(self, key: bytes) -> AsyncIterator[Blob]:
        async for name, value in self._redis.hscan_iter(key, count=_FIELDS):
            if _is(value):
                yield Blob(key, name, value)


def _is(value: Any) -> bool:  # noqa: ANN401 - None if it is gone, an error if the type changed
    return isinstance(value, bytes) and is_sealed(value)
