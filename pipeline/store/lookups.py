"""The look-ups beside the batches: id of a recipient to place, link to the batch that owns it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.domain.vault import Vault
from pipeline.store.client import Client
from pipeline.store.keys import (
    LINK_BUCKETS,
    LINK_DIGEST,
    RECIPIENT_DIGEST,
    links_index_key,
    lookup_key,
)

_AT_ONCE = 1000
_ID_SIZE, _LINK_SIZE = 9, 12

LookupPlace = tuple[int, bytes]
"""Bucket and digest that an id is looked up by."""


@dataclass(frozen=True, slots=True)
class LinkOwner:
    """The campaign and the number of the batch that a link came for, as they are stored."""

    serial: str
    batch: str


def id_digest(vault: Vault, serial: str, recipient_id: str) -> bytes:
    """Return what stands for a recipient's id in one campaign."""
    return vault.digest(RECIPIENT_DIGEST, f"{serial}\n{recipient_id}".encode(), _ID_SIZE)


def bucket_of(digest: bytes, buckets: int) -> int:
    """Return where an id's digest is kept; the verb `stage_batch` computes the same."""
    return int.from_bytes(digest[:4]) % buckets


def link_digest(vault: Vault, link: str) -> bytes:
    return vault.digest(LINK_DIGEST, link.encode(), _LINK_SIZE)


def link_digests(vault: Vault, links: Sequence[str]) -> bytes:
    """Return the digests of all links as one string, as the verbs take them apart."""
    return b"".join(link_digest(vault, link) for link in links)


def link_place(digest: bytes) -> tuple[str, bytes]:
    """Return key and field under which a link stands in the index of all that ever came."""
    return links_index_key(int.from_bytes(digest[:2]) % LINK_BUCKETS), digest[2:]


class Lookups:
    """Reads the look-ups, many entries in a round trip."""

    def __init__(self, redis: Client, vault: Vault) -> None:
        self._redis = redis
        self._vault = vault

    def place_of(self, serial: str, buckets: int, recipient_id: str) -> LookupPlace:
        """Return under which bucket and digest an id is looked up."""
        digest = id_digest(self._vault, serial, recipient_id)
        return bucket_of(digest, buckets), digest

    async def positions(
        self, serial: str, buckets: int, recipient_ids: Sequence[str]
    ) -> list[int | None]:
        """Return each id's position in the campaign; None if none, or no number, is stored."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for recipient_id in recipient_ids:
                bucket, digest = self.place_of(serial, buckets, recipient_id)
                pipe.hget(lookup_key(serial, bucket), digest)
            return [_position(reply) for reply in await pipe.execute()]

    async def owners(self, links: Sequence[str]) -> list[LinkOwner | None]:
        """Return the batch that owns each link; None if none does."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for link in links:
                pipe.hget(*link_place(link_digest(self._vault, link)))
            return [_owner(reply) for reply in await pipe.execute()]

    async def count(self, serial: str, buckets: int) -> int:
        """Return how many ids of a campaign can be looked up."""
        entries = 0
        for first in range(0, buckets, _AT_ONCE):
            async with self._redis.pipeline(transaction=False) as pipe:
                for bucket in range(first, min(first + _AT_ONCE, buckets)):
                    pipe.hlen(lookup_key(serial, bucket))
                entries += sum(await pipe.execute())
        return entries

    async def places(
        self, serial: str, buckets: int, positions: Collection[int]
    ) -> dict[int, LookupPlace]:
        """
        Return under which bucket and digest each of *positions* is looked up.

        Reads the look-up of the whole campaign: only for people whose ids were erased.
        """
        wanted, found = {str(each).encode(): each for each in positions}, {}
        for first in range(0, buckets if wanted else 0, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, buckets))
            async with self._redis.pipeline(transaction=False) as pipe:
                for bucket in some:
                    pipe.hgetall(lookup_key(serial, bucket))
                for bucket, entries in zip(some, await pipe.execute(), strict=True):
                    for digest, position in entries.items():
                        if position in wanted:
                            found[wanted[position]] = (bucket, digest)
        return found


def _position(reply: bytes | None) -> int | None:
    return int(reply) if reply is not None and reply.isdigit() else None


def _owner(reply: bytes | None) -> LinkOwner | None:
    if reply is None:
        return None
    serial, _, batch = reply.decode(errors="replace").partition(":")
    return LinkOwner(serial, batch)
