"""Ending a dead order in Redis: one step parts the people of its batch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from pipeline.domain.models import Recipient
from pipeline.domain.vault import Vault
from pipeline.store.batches import link_digest, link_digests, link_place
from pipeline.store.recipient_codec import encode_batch
from pipeline.store.scripts import Scripts

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """
    How the people of a held batch are parted: the first keep the *links* that came, others move.

    `reason`, `held_ms` and `sealed` (its recipients) are the batch as it was read. Of `links`
    those at the places `forgotten` are not kept. `lookups` are where the ids of those who move
    are looked up: bucket and digest, in their order.
    """

    serial: str
    number: int
    new: int
    reason: str
    held_ms: int
    sealed: bytes = field(repr=False)
    kept: Sequence[Recipient] = field(repr=False)
    moved: Sequence[Recipient] = field(repr=False)
    links: Sequence[str] = field(repr=False)
    forgotten: Collection[int]
    lookups: Sequence[tuple[int, bytes]] = field(repr=False)


class ReorderStore:
    def __init__(self, redis: "Redis", scripts: Scripts, vault: Vault) -> None:
        self._redis = redis
        self._run = scripts.run
        self._vault = vault

    async def seen(self, serial: str, batch: int, links: Sequence[str]) -> bool:
        """Return whether a link is registered for another batch of any campaign."""
        owner = f"{serial}:{batch}".encode()
        async with self._redis.pipeline(transaction=False) as pipe:
            for link in links:
                pipe.hget(*link_place(link_digest(self._vault, link)))  # type: ignore[arg-type]
            found = await pipe.execute()
        return any(each not in {None, owner} for each in found)

    async def lookups_of(
        self, serial: str, buckets: int, places: Collection[int]
    ) -> dict[int, tuple[int, bytes]]:
        """
        Return bucket and digest under which each of *places* is looked up.

        Reads the look-up of the whole campaign: only for people whose ids are gone.
        """
        wanted, found = {str(place).encode(): place for place in places}, {}
        for first in range(0, buckets if wanted else 0, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, buckets))
            async with self._redis.pipeline(transaction=False) as pipe:
                for bucket in some:
                    pipe.hgetall(f"cc:{serial}:x:{bucket}")
                for bucket, entries in zip(some, await pipe.execute(), strict=True):
                    for digest, place in entries.items():
                        if place in wanted:
                            found[wanted[place]] = (bucket, digest)
        return found

    async def divide(self, division: Division) -> tuple[str, int]:
        """
        End the order and part its people; return what came of it, and the new batch.

        `ok`; `before` if it was ended already; `leased` while a worker reads the order; `changed`
        if it is not as it was read. May be repeated.
        """
        serial, number, new = division.serial, division.number, division.new
        outcome, into = await self._run(
            "reorder",
            *(serial, number, new, division.reason, division.held_ms, division.sealed),
            self._vault.seal(encode_batch(division.kept), f"rows:{serial}:{number}"),
            self._vault.seal(encode_batch(division.moved), f"rows:{serial}:{new}"),
            *(len(division.kept), self._kept_links(division)),
            link_digests(self._vault, division.links),
            *(part for lookup in division.lookups for part in lookup),
        )
        return outcome.decode(), int(into or 0)

    def _kept_links(self, division: Division) -> bytes:
        if not division.links:
            return b""
        kept = ("" if k in division.forgotten else v for k, v in enumerate(division.links))
        purpose = f"links:{division.serial}:{division.number}"
        return self._vault.seal("\n".join(kept).encode(), purpose)
