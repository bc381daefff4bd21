"""Batches as they rest in Redis, read a page at a time, each page as it stood at one moment."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from pipeline.domain.batch import Lane
from pipeline.store.scripts import texts

_PAGE = 50  # batches, about 100 kB: little memory, and no long silence for the workers


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """
    What Redis holds of one batch; `fields` is empty if there is no such batch.

    `earlier` are the generations that were resent since; `resends`, by index, is sealed.
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


@dataclass(frozen=True, slots=True)
class Page:
    """Some batches and the flags and counters of their campaign, of the same moment."""

    campaign: Mapping[str, str]
    batches: Sequence[StoredBatch]


async def read_pages(
    redis: "Redis", serial: str, count: int, *, sealed: bool = True
) -> AsyncIterator[Page]:
    """Yield batches 1 to *count* in their order; without *sealed* the blobs are left out."""
    for first in range(1, count + 1, _PAGE):
        numbers = range(first, min(first + _PAGE, count + 1))
        yield await read_page(redis, serial, numbers, sealed=sealed)


async def read_page(
    redis: "Redis", serial: str, numbers: Sequence[int], *, sealed: bool = True
) -> Page:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(f"cc:{serial}")
        for number in numbers:
            _ask(pipe, serial, number, sealed=sealed)
        campaign, *rest = await pipe.execute()
    replies = iter(rest)
    return Page(texts(campaign), [_batch(number, replies, sealed) for number in numbers])


async def read_place(redis: "Redis", serial: str, number: int, index: int) -> tuple[Page, int]:
    """
    Return the page of one batch and the index where somebody is by now, from what a look-up says.

    When a dead order is ended, those who were forgotten move too, but have no id any more to
    correct the look-up by.
    """
    while True:
        page = await read_page(redis, serial, [number])
        fields = page.batches[0].fields
        size, into = len(fields.get("plan", "")), fields.get("into")
        if index < size or into is None:
            return page, index
        number, index = int(into), index - size


def _ask(pipe: Any, serial: str, number: int, *, sealed: bool) -> None:  # noqa: ANN401 - untyped in redis-py
    pipe.hgetall(f"cc:{serial}:b:{number}")
    pipe.hgetall(f"cc:{serial}:d:{number}")
    pipe.hgetall(f"cc:{serial}:g:{number}")
    for lane in Lane:
        pipe.zscore(f"cc:{serial}:due:{lane}", number)
    for kind in ("r", "k", "raw") if sealed else ():
        pipe.get(f"cc:{serial}:{kind}:{number}")
    if sealed:
        pipe.hgetall(f"cc:{serial}:a:{number}")


def _batch(number: int, replies: Iterator[Any], sealed: bool) -> StoredBatch:  # noqa: FBT001 - private
    fields, ledger, earlier = (texts(next(replies)) for _ in range(3))
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
