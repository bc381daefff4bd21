"""Ending a dead order in Redis: one step parts the people of its batch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pipeline.domain.models import Recipient
from pipeline.domain.vault import Vault
from pipeline.store.formats.sealed_batch import seal_links, seal_recipients
from pipeline.store.lookups import LookupPlace, link_digests
from pipeline.store.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSplit:
    """
    How the people of a held batch are parted: the first keep the *links* that came, others move.

    `reason`, `held_ms` and `sealed` (its recipients) are the batch as it was read. Of `links`
    those at the indexes `erased` are not kept. `lookups` are where the ids of those who move
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
    erased: Collection[int]
    lookups: Sequence[LookupPlace] = field(repr=False)


class ReorderStore:
    """Replaces the dead order of a batch: people without a link move to a new batch."""

    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._call = scripts.call
        self._vault = vault

    async def split(self, batch_split: BatchSplit) -> tuple[str, int]:
        """
        End the order and part its people; return what came of it, and the new batch.

        `ok`; `before` if it was ended already; `leased` while a worker reads the order; `changed`
        if it is not as it was read. May be repeated.
        """
        serial, number, new = batch_split.serial, batch_split.number, batch_split.new
        outcome, into = await self._call(
            "reorder",
            *(serial, number, new, batch_split.reason, batch_split.held_ms, batch_split.sealed),
            seal_recipients(self._vault, serial, number, batch_split.kept),
            seal_recipients(self._vault, serial, new, batch_split.moved),
            *(len(batch_split.kept), self._kept_links(batch_split)),
            link_digests(self._vault, batch_split.links),
            *(part for lookup in batch_split.lookups for part in lookup),
        )
        return outcome.decode(), int(into or 0)

    def _kept_links(self, batch_split: BatchSplit) -> bytes:
        if not batch_split.links:
            return b""
        kept = ["" if k in batch_split.erased else v for k, v in enumerate(batch_split.links)]
        return seal_links(self._vault, batch_split.serial, batch_split.number, kept)
