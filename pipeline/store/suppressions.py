"""Addresses that nobody may write to any more, kept as digests, fleet-wide."""

from collections.abc import Iterable, Sequence

from pipeline.domain.models import ChannelName
from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.keys import (
    SUPPRESSED_KEYS,
    SUPPRESSION_BUCKETS,
    SUPPRESSION_DIGEST,
    suppressed_key,
)

_SIZE = 12


class Suppressions:
    """
    The suppression list. It holds digests only: it tells whether an address is on it, never which.

    An address is compared as it is sent to: e-mail without regard to letter case, phones in E.164.
    """

    def __init__(self, redis: Client, vault: Vault) -> None:
        self._redis = redis
        self._vault = vault

    def key_of(self, channel: ChannelName, address: str) -> tuple[str, bytes]:
        """Return the bucket and the field that *address* has, if it is on the list."""
        text = f"{channel}\n{address.strip().casefold()}"
        digest = self._vault.digest(SUPPRESSION_DIGEST, text.encode(), _SIZE)
        bucket = int.from_bytes(digest[:2]) % SUPPRESSION_BUCKETS
        return suppressed_key(bucket), digest[2:]

    async def add(self, channel: ChannelName, address: str, reason: str) -> bool:
        """Put an address on the list; return False if it was there. The first reason stays."""
        bucket, field = self.key_of(channel, address)
        return bool(await self._redis.hsetnx(bucket, field, reason))

    async def add_all(self, channel: ChannelName, addresses: Iterable[str], reason: str) -> int:
        """Add some addresses; return how many were new. One round trip, one sync of its log."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for address in addresses:
                bucket, field = self.key_of(channel, address)
                pipe.hsetnx(bucket, field, reason)
            return sum(await pipe.execute())

    async def remove(self, channel: ChannelName, address: str) -> bool:
        bucket, field = self.key_of(channel, address)
        return bool(await self._redis.hdel(bucket, field))

    async def reasons(self, addresses: Sequence[tuple[ChannelName, str]]) -> list[str | None]:
        """Return why each address is on the list, None where it is not; one round trip."""
        if not addresses:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            for channel, address in addresses:
                bucket, field = self.key_of(channel, address)
                pipe.hget(bucket, field)
            found = await pipe.execute()
        return [reason.decode() if reason is not None else None for reason in found]

    async def count(self) -> dict[str, int]:
        """Return how many addresses are on the list, by reason."""
        counts: dict[str, int] = {}
        async for bucket in self._redis.scan_iter(match=SUPPRESSED_KEYS, count=1000):
            for reason in await self._redis.hvals(bucket):
                text = reason.decode()
                counts[text] = counts.get(text, 0) + 1
        return counts
