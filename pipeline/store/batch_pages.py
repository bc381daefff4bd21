"""Batches as they are stored, read a page at a time, each page of one moment."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.batch import Batch, Lane
from pipeline.store.client import Client, Pipeline
from pipeline.store.formats.batch_fields import decode_batch_fields
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.keys import (
    batch_key,
    campaign_key,
    due_key,
    earlier_key,
    evidence_key,
    ledger_key,
    links_key,
    recipients_key,
    resends_key,
)
from pipeline.store.scripts import decode_hash, server_ms

_PAGE = 50  # batches, about 100 kB: little memory, and no long silence for the workers


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """
    What Redis holds of one batch; all of it is empty if there is no such batch.

    `earlier` are the deliveries that a resend replaced; `resends`, by index, is sealed.
    `lanes` are the due indexes that it stands in. The blobs are sealed; None is an absent one.
    """

    number: int
    fields: Mapping[str, str]
    ledger: Mapping[str, str]
    earlier: Mapping[str, str]
    lanes: tuple[Lane, ...]
    rows: bytes | None
    links: bytes | None
    evidence: bytes | None
    resends: Mapping[int, bytes]

    @property
    def exists(self) -> bool:
        return bool(self.fields)

    def decode(self) -> Batch:
        """Return the batch; raises KeyError or ValueError if it is gone or damaged."""
        return decode_batch_fields(self.fields)


@dataclass(frozen=True, slots=True)
class Page:
    """Some batches and the flags and counters of their campaign, of the same moment."""

    campaign: CampaignSnapshot
    batches: Sequence[StoredBatch]


class BatchPages:
    """Reads batches with all that belongs to them; never changes anything."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def pages(self, serial: str, count: int, *, sealed: bool = True) -> AsyncIterator[Page]:
        """Yield batches 1 to *count* in their order; without *sealed* the blobs are left out."""
        for first in range(1, count + 1, _PAGE):
            numbers = range(first, min(first + _PAGE, count + 1))
            yield await self.page(serial, numbers, sealed=sealed)

    async def page(self, serial: str, numbers: Sequence[int], *, sealed: bool = True) -> Page:
        """Return some batches of one moment; without *sealed* the blobs are left out."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.hgetall(campaign_key(serial))
            for number in numbers:
                _queue_reads(pipe, serial, number, sealed=sealed)
            time, campaign, *rest = await pipe.execute()
        replies = iter(rest)
        return Page(
            CampaignSnapshot(serial, decode_hash(campaign), server_ms(time)),
            [_batch(number, replies, sealed) for number in numbers],
        )

    async def current_place(self, serial: str, number: int, index: int) -> tuple[Page, int]:
        """
        Return the page of the batch that a recipient is in by now, and their index there.

        *number* and *index* are from a look-up. When a dead order is replaced, erased people move
        too, but without an id nobody can correct their look-up.
        """
        while True:
            page = await self.page(serial, [number])
            fields = page.batches[0].fields
            size, into = len(fields.get("plan", "")), fields.get("into")
            if index < size or into is None:
                return page, index
            number, index = int(into), index - size


def _queue_reads(pipe: Pipeline, serial: str, number: int, *, sealed: bool) -> None:
    pipe.hgetall(batch_key(serial, number))
    pipe.hgetall(ledger_key(serial, number))
    pipe.hgetall(earlier_key(serial, number))
    for lane in Lane:
        pipe.zscore(due_key(serial, lane), number)
    if sealed:
        for key in (recipients_key, links_key, evidence_key):
            pipe.get(key(serial, number))
        pipe.hgetall(resends_key(serial, number))


def _batch(number: int, replies: Iterator[Any], sealed: bool) -> StoredBatch:  # noqa: FBT001 - private
    fields, ledger, earlier = (decode_hash(next(replies)) for _ in range(3))
    lanes = tuple(lane for lane in Lane if next(replies) is not None)
    rows, links, evidence = (next(replies) if sealed else None for _ in range(3))
    resends = next(replies) if sealed else {}
    return StoredBatch(
        number=number,
        fields=fields,
        ledger=ledger,
        earlier=earlier,
        lanes=lanes,
        rows=rows,
        links=links,
        evidence=evidence,
        resends={int(index): blob for index, blob in resends.items()},
    )
